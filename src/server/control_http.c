// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTP for the control socket: libmicrohttpd without a thread of its own, driven by the control
// loop through its epoll descriptor; requests go to api/, responses come back from it.
//
// Everything runs on the control thread. A request whose answer comes later (a reload) is suspended
// and resumed; a connection's struct exchange lives from its first byte to the library's
// completion call, which never comes while it is suspended. The limits (control_http.h) hold before
// a handler sees anything.
#include "server/control_http.h"

#include "base/memory.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    MEMORY_PER_CONNECTION = 64 << 10,
    DISCARD_MAX = 8 * CONTROL_BODY_MAX,
    STREAM_BLOCK_SIZE = 16 << 10
};

struct control {
    struct MHD_Daemon *daemon;
    struct control_socket socket;
    const struct api_backend *backend;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles_open;
    struct exchange *streams; // exchanges whose answer is a stream
    bool running;             // inside control_run: what a handler does is seen when it returns
};

struct exchange {
    struct control *control;
    struct MHD_Connection *connection;
    char *body;       // what came of it, NULL once there was too much
    size_t body_size; // all that came, kept or not
    size_t body_capacity;
    bool suspended, answered;
    struct api_response response;
    struct api_stream *stream; // being sent; NULL: none
    struct exchange *next;     // in control->streams
};

static void control_run(struct control *control);

static void on_timer(uv_timer_t *timer)
{
    control_run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    control_run(poll->data);
}

static void control_run(struct control *control)
{
    if (control->running) {
        return;
    }
    control->running = true;
    MHD_run(control->daemon);
    control->running = false;
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (MHD_get_timeout(control->daemon, &timeout_ms) == MHD_YES) {
        uv_timer_start(&control->timer, on_timer, timeout_ms, 0);
    } else {
        uv_timer_stop(&control->timer);
    }
}

// --- streams: a connection that waits for its next octets is suspended, so that it costs nothing

static ssize_t stream_read(void *context, uint64_t at, char *bytes, size_t max)
{
    (void)at;
    struct exchange *exchange = context;
    ssize_t size = exchange->stream->read(exchange->stream->state, bytes, max);
    if (size == 0) {
        exchange->suspended = true;
        MHD_suspend_connection(exchange->connection);
    }
    return size == API_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM : size;
}

static void stream_wake(void *context)
{
    struct exchange *exchange = context;
    if (exchange->suspended) {
        exchange->suspended = false;
        MHD_resume_connection(exchange->connection);
        uv_timer_start(&exchange->control->timer, on_timer, 0, 0); // the caller is in the middle
    }
}

static struct MHD_Response *stream_response(struct exchange *exchange)
{
    exchange->stream = exchange->response.stream;
    exchange->response.stream = NULL;
    exchange->stream->wake = stream_wake;
    exchange->stream->wake_context = exchange;
    exchange->next = exchange->control->streams;
    exchange->control->streams = exchange;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_SIZE, stream_read,
                                             exchange, NULL);
}

static void stream_close(struct api_stream *stream)
{
    if (stream != NULL) {
        stream->close(stream->state);
        free(stream);
    }
}

static void stream_forget(struct exchange *exchange)
{
    struct exchange **link = &exchange->control->streams;
    while (exchange->stream != NULL && *link != exchange) {
        link = &(*link)->next;
    }
    if (exchange->stream != NULL) {
        *link = exchange->next;
        stream_close(exchange->stream);
    }
    stream_close(exchange->response.stream);
}

// Hands the response to the library. The exchange must not be suspended.
static enum MHD_Result exchange_send(struct exchange *exchange)
{
    struct api_response *from = &exchange->response;
    struct MHD_Response *to =
        from->stream != NULL
            ? stream_response(exchange)
            : MHD_create_response_from_buffer(from->body_size, from->body, MHD_RESPMEM_MUST_FREE);
    if (to == NULL) {
        return MHD_NO; // closes the connection; the body is released with the exchange
    }
    from->body = NULL;
    MHD_add_response_header(to, MHD_HTTP_HEADER_CONTENT_TYPE, from->content_type);
    MHD_add_response_header(to, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(to, "X-Content-Type-Options", "nosniff");
    if (from->allow[0] != '\0') {
        MHD_add_response_header(to, MHD_HTTP_HEADER_ALLOW, from->allow);
    }
    enum MHD_Result result = MHD_queue_response(exchange->connection, from->status, to);
    MHD_destroy_response(to);
    return result;
}

static void on_response(void *context, struct api_response *response)
{
    struct exchange *exchange = context;
    SP_ASSERT(!exchange->answered);
    exchange->answered = true;
    exchange->response = *response;
    if (exchange->suspended) {
        exchange->suspended = false;
        MHD_resume_connection(exchange->connection); // the library asks again, see on_request
        control_run(exchange->control);
    }
}

static enum MHD_Result refuse(struct exchange *exchange, unsigned status, const char *detail)
{
    exchange->answered = true;
    api_problem(&exchange->response, status, detail);
    return exchange_send(exchange);
}

struct header_sum {
    size_t count, size;
};

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    struct header_sum *sum = context;
    sum->count++;
    sum->size += strlen(name) + (value == NULL ? 0 : strlen(value));
    return MHD_YES;
}

// The first call for a request: only the head is known. NULL when it is sound, else the reason.
static const char *head_fault(struct MHD_Connection *connection, unsigned *status)
{
    struct header_sum sum = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, &sum);
    if (sum.count > CONTROL_HEADERS_MAX || sum.size > CONTROL_HEADER_BYTES_MAX) {
        *status = MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
        return "too many header fields, or too long ones";
    }
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length != NULL && strtoull(length, NULL, 10) > CONTROL_BODY_MAX) {
        *status = MHD_HTTP_CONTENT_TOO_LARGE;
        return "the body is larger than 1 MiB";
    }
    const char *encoding =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (encoding != NULL && strcasecmp(encoding, "identity") != 0) {
        *status = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
        return "a body must come as it is, without a Content-Encoding";
    }
    return NULL;
}

static enum MHD_Result exchange_begin(struct control *control, struct MHD_Connection *connection,
                                      void **context)
{
    struct exchange *exchange = mem_alloc(sizeof(*exchange));
    exchange->control = control;
    exchange->connection = connection;
    *context = exchange;
    unsigned status;
    const char *fault = head_fault(connection, &status);
    return fault == NULL ? MHD_YES : refuse(exchange, status, fault);
}

struct params {
    struct api_param items[CONTROL_PARAMS_MAX];
    size_t count;
    bool refused;
};

static enum MHD_Result add_param(void *context, enum MHD_ValueKind kind, const char *name,
                                 size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    struct params *params = context;
    bool has_nul = strlen(name) != name_size || (value != NULL && strlen(value) != value_size);
    if (params->count == CONTROL_PARAMS_MAX || has_nul) {
        params->refused = true;
        return MHD_NO;
    }
    params->items[params->count++] = (struct api_param){name, value == NULL ? "" : value};
    return MHD_YES;
}

static enum MHD_Result exchange_handle(struct exchange *exchange, const char *method,
                                       const char *path)
{
    struct params params = {.count = 0};
    MHD_get_connection_values_n(exchange->connection, MHD_GET_ARGUMENT_KIND, add_param, &params);
    if (exchange->body_size > CONTROL_BODY_MAX) {
        return refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than 1 MiB");
    }
    if (params.refused) {
        return refuse(exchange, MHD_HTTP_BAD_REQUEST, "too many parameters, or a NUL in one");
    }
    struct api_request request = {
        .method = method,
        .path = path,
        .params = params.items,
        .param_count = params.count,
        .role = API_ROLE_OPERATOR,
        .content_type = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_CONTENT_TYPE),
        .last_event_id =
            MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Last-Event-ID"),
        .body = exchange->body,
        .body_size = exchange->body_size,
    };
    api_handle(exchange->control->backend, &request, on_response, exchange);
    if (exchange->answered) {
        return exchange_send(exchange);
    }
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
    return MHD_YES;
}

// Keeps a piece of the body, as long as the whole is within the limit; what is beyond it is counted
// and let go, so that the client can hear why.
static enum MHD_Result exchange_collect(struct exchange *exchange, const char *bytes, size_t size)
{
    size_t before = exchange->body_size;
    exchange->body_size += size;
    if (exchange->body_size > CONTROL_BODY_MAX) {
        free(exchange->body);
        exchange->body = NULL;
        return exchange->body_size > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    if (exchange->body_size > exchange->body_capacity) {
        exchange->body_capacity = MAX(2 * exchange->body_capacity, exchange->body_size);
        exchange->body = mem_resize(exchange->body, exchange->body_capacity, 1);
    }
    memcpy(exchange->body + before, bytes, size);
    return MHD_YES;
}

// The library's view of a request: once for the head, once for each piece of the body, once at its
// end, and once more after a suspended exchange was resumed.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    (void)version;
    struct exchange *exchange = *request;
    if (exchange == NULL) {
        return exchange_begin(context, connection, request);
    }
    if (*upload_size > 0) {
        size_t size = *upload_size;
        *upload_size = 0;
        return exchange_collect(exchange, upload, size);
    }
    if (exchange->answered) {
        return exchange_send(exchange);
    }
    return exchange_handle(exchange, method, url);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct exchange *exchange = *request;
    if (exchange != NULL) {
        SP_ASSERT(!exchange->suspended);
        stream_forget(exchange);
        free(exchange->response.body);
        free(exchange->body);
        free(exchange);
        *request = NULL;
    }
}

struct control *control_new(uv_loop_t *loop, const struct control_socket *socket,
                            const struct api_backend *backend, struct diags *diags)
{
    struct control *control = mem_alloc(sizeof(*control));
    control->socket = *socket;
    control->backend = backend;
    control->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, control,
        MHD_OPTION_LISTEN_SOCKET, socket->fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, control,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONTROL_CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONTROL_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        control->daemon == NULL ? NULL
                                : MHD_get_daemon_info(control->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        diags_error(diags, (struct place){0}, "control", "cannot start HTTP on %s", socket->path);
        control_socket_remove(socket);
        free(control);
        return NULL;
    }
    int poll_failed = uv_poll_init(loop, &control->poll, info->epoll_fd);
    SP_ASSERT(poll_failed == 0);
    uv_timer_init(loop, &control->timer);
    control->poll.data = control;
    control->timer.data = control;
    control->handles_open = 2;
    uv_poll_start(&control->poll, UV_READABLE, on_poll);
    return control;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    if (--control->handles_open == 0) {
        free(control);
    }
}

static ssize_t stream_is_over(void *state, char *bytes, size_t max)
{
    (void)state;
    (void)bytes;
    (void)max;
    return API_STREAM_END;
}

void control_free(struct control *control)
{
    if (control == NULL) {
        return;
    }
    for (struct exchange *at = control->streams; at != NULL; at = at->next) {
        at->stream->read = stream_is_over;
        stream_wake(at);
    }
    for (int turn = 0; turn < 4; turn++) { // resume, ask, send: what was answered last goes out
        control_run(control);
    }
    uv_poll_stop(&control->poll);
    uv_close((uv_handle_t *)&control->poll, on_handle_closed);
    uv_close((uv_handle_t *)&control->timer, on_handle_closed);
    control_socket_remove(&control->socket);
    MHD_stop_daemon(control->daemon);
}
