// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bodies of API requests: what is taken, and what each refusal names.
#include "api/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static const struct api_field_info fields[] = {
    {"name", API_TEXT, true, "What it is called"},
    {"count", API_INTEGER, false, "How many"},
    {"share", API_NUMBER, false, "How much"},
    {"force", API_BOOLEAN, false, "Whether it must be"},
    {"names", API_TEXTS, false, "Who else"},
    {"list", API_LIST, false, "Anything, many times"},
    {"object", API_OBJECT, false, "Anything, with names"},
    {"any", API_ANY, false, "Anything"},
    {0},
};
static const struct api_field_info open_fields[] = {
    {"name", API_TEXT, true, "What it is called"}, {"*", API_INTEGER, false, "Any number"}, {0}};
static const struct api_route none = {.body = NULL}, closed = {.body = fields},
                              open_route = {.body = open_fields};

static struct diags diags;
static json_t *body;

static unsigned read_as(const struct api_route *route, const char *type, const char *bytes,
                        size_t size)
{
    diags_clear(&diags);
    json_decref(body);
    const struct api_request request = {.content_type = type, .body = bytes, .body_size = size};
    unsigned status = body_read(route, &request, &body, &diags);
    assert_true((status == 0) == (diags.error_count == 0));
    assert_true(status == 0 || body == NULL);
    return status;
}

static unsigned read_text(const struct api_route *route, const char *text)
{
    return read_as(route, "application/json", text, strlen(text));
}

static void assert_fault(const char *text, const char *key, const char *message)
{
    assert_int_equal(read_text(&closed, text), 400);
    assert_int_equal(diags.count, 1);
    assert_true((key == NULL) == (diags.items[0].key == NULL));
    if (key != NULL) {
        assert_string_equal(diags.items[0].key, key);
    }
    if (strstr(diags.items[0].message, message) == NULL) {
        fail_msg("%s: \"%s\" is not in \"%s\"", text, message, diags.items[0].message);
    }
}

static void test_taken(void **state)
{
    (void)state;
    assert_int_equal(read_text(&closed, "{\"name\": \"a\", \"count\": 3, \"share\": 0.5, "
                                        "\"force\": false, \"names\": [\"b\", \"c\"], "
                                        "\"list\": [1, {}], \"object\": {\"x\": 1}, "
                                        "\"any\": null}"),
                     0);
    assert_string_equal(json_string_value(json_object_get(body, "name")), "a");
    assert_int_equal(json_integer_value(json_object_get(body, "count")), 3);
    assert_int_equal(read_text(&open_route, "{\"name\": \"a\", \"x\": 1, \"y\": 2}"), 0);
    assert_int_equal(read_text(&open_route, "{\"name\": \"a\", \"x\": \"1\"}"), 400);
    static const char *const types[] = {"application/json", "Application/JSON",
                                        "application/json; charset=utf-8", "application/json ;x"};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        assert_int_equal(read_as(&closed, types[i], "{\"name\":\"a\"}", 12), 0);
    }
    assert_int_equal(read_text(&none, ""), 0);
    assert_null(body);
}

static void test_members(void **state)
{
    (void)state;
    assert_fault("{}", "name", "is missing: What it is called");
    assert_fault("", "name", "is missing");
    assert_fault("{\"name\": 7}", "name", "expected a text");
    assert_fault("{\"name\": \"a\", \"nam\": \"b\"}", "nam", "unknown member");
    assert_fault("{\"name\": \"a\", \"count\": 1.5}", "count", "expected an integer");
    assert_fault("{\"name\": \"a\", \"share\": \"1\"}", "share", "expected a number");
    assert_fault("{\"name\": \"a\", \"force\": 1}", "force", "expected true or false");
    assert_fault("{\"name\": \"a\", \"names\": [1]}", "names", "expected a list of texts");
    assert_fault("{\"name\": \"a\", \"names\": \"b\"}", "names", "expected a list of texts");
    assert_fault("{\"name\": \"a\", \"list\": {}}", "list", "expected a list");
    assert_fault("{\"name\": \"a\", \"object\": []}", "object", "expected an object");
    assert_int_equal(read_text(&closed, "{\"x\": 1, \"y\": 2}"), 400);
    assert_int_equal(diags.count, 3); // all faults, not the first
    assert_int_equal(read_text(&none, "{}"), 400);
}

static void test_bytes(void **state)
{
    (void)state;
    assert_fault("[]", NULL, "expected a JSON object");
    assert_fault("7", NULL, "no JSON");
    assert_fault("{\n\"name\": x}", NULL, "no JSON");
    assert_int_equal(diags.items[0].line, 2);
    assert_fault("{\"name\": \"a\"} {}", NULL, "no JSON");
    assert_fault("{\"name\": \"a\", \"name\": \"b\"}", NULL, "no JSON: duplicate");
    assert_fault("{\"name\": \"\\u0000\"}", NULL, "no JSON");
    assert_fault("{\"name\": \"\xff\"}", NULL, "no JSON");
    assert_int_equal(read_as(&closed, "application/json", "{\"name\":\"a\0\"}", 13), 400);
    static const char *const types[] = {NULL, "", "text/plain", "application/jsonx",
                                        "application/x-www-form-urlencoded"};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        assert_int_equal(read_as(&closed, types[i], "{\"name\":\"a\"}", 12), 415);
        assert_string_equal(diags.items[0].key, "Content-Type");
    }
}

// The limit is exact, and brackets in texts do not count.
static void test_depth(void **state)
{
    (void)state;
    static char text[1 << 20];
    for (size_t depth = API_BODY_DEPTH_MAX - 2; depth <= API_BODY_DEPTH_MAX + 1; depth++) {
        static const char head[] = "{\"name\": \"a\", \"any\": ";
        size_t used = sizeof(head) - 1;
        memcpy(text, head, used);
        memset(text + used, '[', depth - 1);
        memset(text + used + depth - 1, ']', depth - 1);
        memcpy(text + used + 2 * (depth - 1), "}", 2);
        assert_int_equal(read_text(&closed, text), depth <= API_BODY_DEPTH_MAX ? 0 : 400);
    }
    assert_non_null(strstr(diags.items[0].message, "deeper than 32"));
    memset(text, '[', sizeof(text) - 1);
    assert_int_equal(read_text(&closed, text), 400);
    assert_int_equal(
        read_text(&closed, "{\"name\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{\\\\\"}"), 0);
}

static int clear(void **state)
{
    (void)state;
    diags_clear(&diags);
    json_decref(body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, clear);
}
