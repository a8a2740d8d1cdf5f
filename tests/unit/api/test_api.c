// SPDX-License-Identifier: GPL-3.0-or-later
//
// The API without HTTP: route matching, roles, parameters, problems, and each handler over a fake
// backend.
#include "../fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

struct caught {
    unsigned count;
    struct api_response response;
    char text[65536];
    json_t *json; // NULL when the body is none
};

static void catch_response(void *context, struct api_response *response)
{
    struct caught *caught = context;
    caught->count++;
    caught->response = *response;
    assert_true(response->body_size < sizeof(caught->text));
    memcpy(caught->text, response->body, response->body_size);
    caught->text[response->body_size] = '\0';
    caught->json = json_loads(caught->text, JSON_REJECT_DUPLICATES, NULL);
    free(response->body);
}

static struct caught caught;

static void forget(void)
{
    json_decref(caught.json);
    caught = (struct caught){0};
}

// Calls with up to two parameters and returns the status (0: no answer yet).
static unsigned call_as(struct fake *fake, enum api_role role, const char *method, const char *path,
                        const struct api_param *params, size_t param_count)
{
    forget();
    struct api_backend backend = fake_backend(fake);
    struct api_request request = {
        .method = method, .path = path, .params = params, .param_count = param_count, .role = role};
    api_handle(&backend, &request, catch_response, &caught);
    assert_true(caught.count <= 1);
    return caught.response.status;
}

static unsigned call(struct fake *fake, const char *method, const char *path)
{
    return call_as(fake, API_ROLE_OPERATOR, method, path, NULL, 0);
}

static const char *text_at(const char *key)
{
    return json_string_value(json_object_get(caught.json, key));
}

static const char *error_at(size_t index, const char *key)
{
    const json_t *error = json_array_get(json_object_get(caught.json, "errors"), index);
    return json_string_value(json_object_get(error, key));
}

static void assert_problem(unsigned status)
{
    assert_int_equal(caught.response.status, status);
    assert_string_equal(caught.response.content_type, "application/problem+json");
    assert_non_null(caught.json);
    assert_non_null(text_at("type"));
    assert_non_null(text_at("title"));
    assert_non_null(text_at("detail"));
    assert_int_equal(json_integer_value(json_object_get(caught.json, "status")), status);
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path, *part; // NULL: no match
    } cases[] = {
        {"/v1/status", "/v1/status", ""},
        {"/v1/status", "/v1/status/", NULL},
        {"/v1/status", "/v1/statu", NULL},
        {"/v1/status", "/v1/statuses", NULL},
        {"/v1/status", "", NULL},
        {"/v1/zones/{zone}", "/v1/zones/example.com", "example.com"},
        {"/v1/zones/{zone}", "/v1/zones/", NULL},
        {"/v1/zones/{zone}", "/v1/zones", NULL},
        {"/v1/zones/{zone}", "/v1/zones/a/b", NULL},
        {"/v1/{a}/names", "/v1/x/names", "x"},
        {"/v1/{a}/names", "/v1/x/name", NULL},
        {"/v1/{a}/names", "/v1//names", NULL},
        {"/", "/", ""},
        {"/", "//", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = 99;
        const char *part = api_pattern_match(cases[i].pattern, cases[i].path, &size);
        assert_true((part == NULL) == (cases[i].part == NULL));
        if (part != NULL) {
            assert_int_equal(size, strlen(cases[i].part));
            assert_memory_equal(part, cases[i].part, size);
        }
    }
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_route_count(); i++) {
        const struct api_route *route = api_route(i);
        assert_int_equal(route->pattern[0], '/');
        assert_non_null(route->handle);
        assert_true(strlen(route->summary) > 8);
        assert_true(route->role < API_ROLE_COUNT);
        for (size_t j = 0; j < i; j++) { // no route hides another
            assert_false(strcmp(route->method, api_route(j)->method) == 0 &&
                         strcmp(route->pattern, api_route(j)->pattern) == 0);
        }
    }
}

static void test_dispatch(void **state)
{
    (void)state;
    struct fake fake = {0};
    assert_int_equal(call(&fake, "GET", "/v1/status"), 200);
    assert_string_equal(caught.response.content_type, "application/json");
    assert_string_equal(text_at("fake"), "status");
    assert_int_equal(call(&fake, "HEAD", "/v1/status"), 200);
    assert_int_equal(call(&fake, "GET", "/v1/health"), 200);
    call(&fake, "GET", "/nothing");
    assert_problem(404);
    call(&fake, "DELETE", "/v1/status");
    assert_problem(405);
    assert_string_equal(caught.response.allow, "GET, HEAD");
    call(&fake, "GET", "/v1/reload");
    assert_problem(405);
    assert_string_equal(caught.response.allow, "POST");
    // Two routes hold this path.
    assert_int_equal(call(&fake, "PUT", "/v1/health/manual"), 405);
    assert_string_equal(caught.response.allow, "GET, HEAD, POST, DELETE");
    call_as(&fake, API_ROLE_READER, "POST", "/v1/reload", NULL, 0);
    assert_problem(403);
    assert_int_equal(fake.reload_count, 0);
    const struct api_param unknown = {"colour", "red"};
    call_as(&fake, API_ROLE_READER, "GET", "/v1/status", &unknown, 1);
    assert_problem(400);
    assert_string_equal(error_at(0, "key"), "colour");
    forget();
}

static void test_zones(void **state)
{
    (void)state;
    struct fake fake = {0};
    assert_int_equal(call(&fake, "GET", "/v1/zones"), 200);
    assert_int_equal(json_array_size(json_object_get(caught.json, "zones")), 2);
    static const char *const same[] = {"/v1/zones/example.net", "/v1/zones/EXAMPLE.NET."};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        assert_int_equal(call(&fake, "GET", same[i]), 200);
        assert_int_equal(json_integer_value(json_object_get(caught.json, "serial")), 8);
    }
    call(&fake, "GET", "/v1/zones/example.org");
    assert_problem(404);
    call(&fake, "GET", "/v1/zones/a..b");
    assert_problem(404);
    forget();
}

static void test_explain(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct api_param params[] = {
        {"name", "www.example.com"}, {"client", "2001:db8::1"}, {"type", "AAAA"}};
    assert_int_equal(call_as(&fake, API_ROLE_READER, "GET", "/v1/explain", params, 3), 200);
    assert_string_equal(text_at("name"), "www.example.com.");
    assert_string_equal(text_at("client"), "2001:db8::1");
    assert_int_equal(json_integer_value(json_object_get(caught.json, "type")), 28);
    assert_int_equal(call_as(&fake, API_ROLE_READER, "GET", "/v1/explain", params, 2), 200);
    assert_int_equal(json_integer_value(json_object_get(caught.json, "type")), 1);

    call_as(&fake, API_ROLE_READER, "GET", "/v1/explain", params, 1);
    assert_problem(400);
    assert_string_equal(error_at(0, "key"), "client");
    const struct api_param wrong[] = {
        {"name", "a..b"}, {"client", "10.0.0.0/8"}, {"type", "BANANA"}};
    call_as(&fake, API_ROLE_READER, "GET", "/v1/explain", wrong, 3);
    assert_problem(400);
    assert_int_equal(json_array_size(json_object_get(caught.json, "errors")), 3);
    const struct api_param twice[] = {{"name", "a"}, {"client", "::1"}, {"name", "b"}};
    call_as(&fake, API_ROLE_READER, "GET", "/v1/explain", twice, 3);
    assert_problem(400);
    assert_string_equal(error_at(0, "message"), "given twice");
    params[0].value = "missing";
    call_as(&fake, API_ROLE_READER, "GET", "/v1/explain", params, 2);
    assert_problem(404);
    assert_string_equal(text_at("detail"), "not served here");
    forget();
}

static void test_reload(void **state)
{
    (void)state;
    struct fake fake = {0};
    struct diags diags = {0};
    struct api_reload_result result = {.taken = true, .diags = &diags, .generation = 12};
    assert_int_equal(call(&fake, "POST", "/v1/reload"), 0); // not answered yet
    fake_reloads_end(&fake, &result);
    assert_int_equal(caught.response.status, 200);
    assert_int_equal(json_integer_value(json_object_get(caught.json, "generation")), 12);

    diags_error(&diags, (struct place){"zones/a.yaml", 3, 7}, "www.dynamic", "bytes \xff\xfe");
    diags_warning(&diags, (struct place){"zones/a.yaml", 0, 0}, NULL, "odd");
    result.taken = false;
    call(&fake, "POST", "/v1/reload");
    fake_reloads_end(&fake, &result);
    assert_problem(422);
    assert_string_equal(error_at(0, "file"), "zones/a.yaml");
    assert_string_equal(error_at(0, "key"), "www.dynamic");
    assert_string_equal(error_at(0, "message"), "bytes ??");
    const json_t *error = json_array_get(json_object_get(caught.json, "errors"), 0);
    assert_int_equal(json_integer_value(json_object_get(error, "line")), 3);
    assert_int_equal(json_integer_value(json_object_get(error, "column")), 7);
    assert_int_equal(json_array_size(json_object_get(caught.json, "errors")), 1);
    assert_int_equal(json_array_size(json_object_get(caught.json, "warnings")), 1);

    result.stopping = true;
    call(&fake, "POST", "/v1/reload");
    fake_reloads_end(&fake, &result);
    assert_problem(503);
    diags_clear(&diags);
    forget();
}

static void test_routes(void **state)
{
    (void)state;
    struct fake fake = {0};
    assert_int_equal(call(&fake, "GET", "/v1/routes"), 200);
    const json_t *list = json_object_get(caught.json, "routes");
    assert_int_equal(json_array_size(list), api_route_count());
    for (size_t i = 0; i < api_route_count(); i++) {
        const json_t *path = json_object_get(json_array_get(list, i), "path");
        assert_string_equal(json_string_value(path), api_route(i)->pattern);
    }
    forget();
}

// Every line is a comment or "name{labels} number", and every family has HELP and TYPE before it.
static void assert_exposition(char *text)
{
    char family[128] = "";
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        char name[128], rest[128];
        if (sscanf(line, "# HELP %127s", name) == 1) {
            snprintf(family, sizeof(family), "%s", name);
        } else if (line[0] == '#') {
            assert_int_equal(sscanf(line, "# TYPE %127s %127s", name, rest), 2);
            assert_string_equal(name, family);
            assert_true(strcmp(rest, "gauge") == 0 || strcmp(rest, "counter") == 0);
        } else {
            size_t size = strcspn(line, "{ ");
            assert_int_equal(size, strlen(family));
            assert_memory_equal(line, family, size);
            char *number = strrchr(line, ' ');
            assert_non_null(number);
            strtoull(number + 1, &number, 10);
            assert_int_equal(*number, '\0');
        }
    }
}

static void test_metrics(void **state)
{
    (void)state;
    struct fake fake = {0};
    fake.counters[0].queries_udp = 5;
    fake.counters[1].queries_udp = 37;
    assert_int_equal(call(&fake, "GET", "/metrics"), 200);
    assert_non_null(strstr(caught.text, "\nsignpost_generation 41\n"));
    assert_non_null(strstr(caught.text, "\nsignpost_checks_down 3\n"));
    assert_non_null(strstr(
        caught.text, "\nsignpost_certificate_days{check=\"7\",target=\"192.0.2.1:443\"} -2\n"
                     "signpost_certificate_days{check=\"3\",target=\"[2001:db8::1]:443\"} 41\n"));
    assert_non_null(strstr(caught.text, "\nsignpost_queries_udp_total 42\n"));
    assert_non_null(strstr(caught.text, "\nsignpost_worker_queries_udp_total{worker=\"0\"} 5\n"));
    assert_non_null(strstr(caught.text, "\nsignpost_worker_queries_udp_total{worker=\"1\"} 37\n"));
    assert_exposition(caught.text);
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_table),
        cmocka_unit_test(test_dispatch), cmocka_unit_test(test_zones),
        cmocka_unit_test(test_explain),  cmocka_unit_test(test_reload),
        cmocka_unit_test(test_routes),   cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
