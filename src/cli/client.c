// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTP over the control socket with libcurl: one request a process. Finds the socket (--socket,
// else the configuration's), and turns problems (RFC 9457) into lines for people. Main thread.
#include "cli/client.h"

#include "base/memory.h"
#include "cli/print.h"
#include "config/config.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 256 << 20, CONNECT_TIMEOUT_S = 5 };

struct answer {
    char *bytes;
    size_t size, capacity;
};

static size_t on_body(char *bytes, size_t one, size_t size, void *context)
{
    struct answer *answer = context;
    (void)one;
    if (answer->size + size > ANSWER_MAX) {
        return 0;
    }
    if (answer->size + size > answer->capacity) {
        answer->capacity = MAX(answer->capacity * 2, answer->size + size);
        answer->bytes = mem_resize(answer->bytes, answer->capacity, 1);
    }
    memcpy(answer->bytes + answer->size, bytes, size);
    answer->size += size;
    return size;
}

// Owned by the caller; NULL after a message.
static char *socket_path(const struct cli_args *args)
{
    const char *given = cli_value(args, "socket");
    const char *file = cli_value(args, "config");
    if (given != NULL) {
        return mem_strdup(given);
    }
    if (file == NULL && access(CLI_CONFIG_DEFAULT, F_OK) != 0) {
        return mem_strdup("run/signpost.sock");
    }
    struct diags diags = {0};
    struct config *config = config_read(file == NULL ? CLI_CONFIG_DEFAULT : file, &diags);
    char *path = NULL;
    if (config != NULL && config->control_path != NULL) {
        path = mem_strdup(config->control_path);
    } else if (config != NULL) {
        cli_failure("the configuration has the control socket switched off");
    }
    diags_print(stderr, &diags);
    diags_clear(&diags);
    config_free(config);
    return path;
}

char *client_query(const char *name, ...)
{
    char *query = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&query, &size);
    SP_ASSERT(out != NULL); // only memory could be missing
    va_list list;
    va_start(list, name);
    for (bool first = true; name != NULL; first = false, name = va_arg(list, const char *)) {
        char *value = curl_easy_escape(NULL, va_arg(list, const char *), 0);
        SP_ASSERT(value != NULL);
        fprintf(out, "%s%s=%s", first ? "" : "&", name, value);
        curl_free(value);
    }
    va_end(list);
    fclose(out);
    return query;
}

bool client_put(const struct cli_args *args, json_t *body, const char *name, const char *text)
{
    if (text != NULL && json_object_set_new(body, name, json_string(text)) != 0) {
        cli_usage_error(args, "%s: expected UTF-8 text", name);
        return false;
    }
    return true;
}

static void print_fault(json_t *fault, const char *severity)
{
    const char *file = json_string_value(json_object_get(fault, "file"));
    const char *key = json_string_value(json_object_get(fault, "key"));
    const char *message = json_string_value(json_object_get(fault, "message"));
    struct diag diag = {
        .severity = *severity == 'e' ? SEVERITY_ERROR : SEVERITY_WARNING,
        .file = (char *)file,
        .line = (unsigned)json_integer_value(json_object_get(fault, "line")),
        .column = (unsigned)json_integer_value(json_object_get(fault, "column")),
        .key = (char *)key,
        .message = (char *)(message == NULL ? "" : message),
    };
    diag_print(stderr, &diag);
}

void client_print_faults(const json_t *answer)
{
    size_t i;
    json_t *fault;
    json_array_foreach(json_object_get(answer, "errors"), i, fault)
    {
        print_fault(fault, "error");
    }
    json_array_foreach(json_object_get(answer, "warnings"), i, fault)
    {
        print_fault(fault, "warning");
    }
}

static json_t *answer_read(const struct cli_args *args, const struct answer *answer, long status,
                           int *exit_code)
{
    json_error_t error;
    json_t *json = json_loadb(answer->bytes == NULL ? "" : answer->bytes, answer->size, 0, &error);
    if (json == NULL) {
        // What the HTTP library refuses by itself, as a request that is too long, has no words.
        *exit_code = cli_failure(status >= 400 ? "the server refused the request (HTTP %ld)"
                                               : "the server's answer (HTTP %ld) is no JSON",
                                 status);
        return NULL;
    }
    if (status < 400) {
        return json;
    }
    if (cli_value(args, "json") != NULL) {
        print_raw(json);
    } else {
        client_print_faults(json);
        const char *detail = json_string_value(json_object_get(json, "detail"));
        cli_failure("%s", detail == NULL ? "the server refused the request" : detail);
    }
    json_decref(json);
    *exit_code = EXIT_FAILED;
    return NULL;
}

struct call {
    const char *method, *url;
    char *body;                   // NULL: none
    char reason[CURL_ERROR_SIZE]; // why there is no answer, in curl's words
    long error;                   // the system's, when there is no connection
};

static CURLcode transfer(const char *path, struct call *call, struct answer *answer, long *status)
{
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    SP_ASSERT(curl != NULL); // only memory could be missing
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(curl, CURLOPT_URL, call->url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (call->body != NULL) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(call->body));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->reason);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &call->error);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return code;
}

json_t *client_call(const struct cli_args *args, const char *method, const char *path,
                    const char *query, int *exit_code)
{
    return client_send(args, method, path, query, NULL, exit_code);
}

json_t *client_send(const struct cli_args *args, const char *method, const char *path,
                    const char *query, const json_t *body, int *exit_code)
{
    *exit_code = EXIT_FAILED;
    char *socket = socket_path(args);
    if (socket == NULL) {
        return NULL;
    }
    struct arena *arena = arena_new();
    struct call call = {
        .method = method,
        .url = arena_printf(arena, "http://localhost%s%s%s", path, query ? "?" : "",
                            query ? query : ""),
        .body = body == NULL ? NULL : json_dumps(body, JSON_COMPACT),
    };
    struct answer answer = {0};
    long status = 0;
    json_t *json = NULL;
    CURLcode code = transfer(socket, &call, &answer, &status);
    if (code == CURLE_COULDNT_CONNECT && call.error != 0) {
        cli_failure("no server answers on \"%s\": %s", socket, strerror((int)call.error));
    } else if (code != CURLE_OK) {
        cli_failure("%s: %s", socket, *call.reason ? call.reason : curl_easy_strerror(code));
    } else {
        json = answer_read(args, &answer, status, exit_code);
    }
    free(answer.bytes);
    free(call.body);
    arena_free(arena);
    free(socket);
    return json;
}

int client_show(const struct cli_args *args, json_t *answer, int exit_code,
                void (*print)(const json_t *answer))
{
    if (answer == NULL) {
        return exit_code;
    }
    if (cli_value(args, "json") != NULL) {
        print_raw(answer);
    } else {
        print(answer);
    }
    fflush(stdout); // a command may show one answer after another
    json_decref(answer);
    return EXIT_GOOD;
}
