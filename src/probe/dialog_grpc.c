// SPDX-License-Identifier: GPL-3.0-or-later
//
// grpc: grpc.health.v1.Health/Check, one unary call over HTTP/2. libnghttp2 speaks HTTP/2 on
// octets in memory; the five octets before a message and its one field (protobuf) are read here.
#include "probe/dialog.h"

#include "base/memory.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

enum { MESSAGE_MAX = 256, PREFIX_SIZE = 5, SERVING = 1, NO_STATUS = -1 };

struct grpc {
    nghttp2_session *session;
    struct octets request; // message with its prefix
    size_t request_sent;
    uint8_t reply[MESSAGE_MAX];
    size_t reply_size;
    bool reply_long;
    int http_status, grpc_status; // NO_STATUS: not seen
    bool stream_ended;
};

// --- protobuf ---

// A varint at *at; false when there is none whole.
static bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t octet = *(*at)++;
        *value |= (uint64_t)(octet & 0x7f) << shift;
        if (octet < 0x80) {
            return true;
        }
    }
    return false;
}

// Field 1 of HealthCheckResponse, 0 (UNKNOWN) when it is left out; -1 when it cannot be read.
static int serving_status(const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size;
    uint64_t status = 0, key, value;
    while (at < end) {
        if (!varint_read(&at, end, &key)) {
            return -1;
        }
        switch (key & 7) {
        case 0: // varint
            if (!varint_read(&at, end, &value)) {
                return -1;
            }
            status = key >> 3 == 1 ? value : status;
            break;
        case 2: // octets with their length
            if (!varint_read(&at, end, &value) || value > (uint64_t)(end - at)) {
                return -1;
            }
            at += value;
            break;
        default:
            return -1;
        }
    }
    return status <= 3 ? (int)status : -1;
}

// One message with its prefix: flag, length, protobuf.
static int reply_status(const struct grpc *grpc)
{
    const uint8_t *at = grpc->reply;
    if (grpc->reply_long || grpc->reply_size < PREFIX_SIZE || at[0] != 0) {
        return -1;
    }
    size_t size = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
    return size == grpc->reply_size - PREFIX_SIZE ? serving_status(at + PREFIX_SIZE, size) : -1;
}

static void request_write(struct grpc *grpc, const char *service)
{
    size_t length = service ? strlen(service) : 0; // below 256: the table of options
    uint8_t head[PREFIX_SIZE + 3] = {0};
    uint8_t *at = head + PREFIX_SIZE;
    if (length > 0) {
        *at++ = 1 << 3 | 2;
        if (length >= 0x80) {
            *at++ = (uint8_t)(0x80 | (length & 0x7f));
            *at++ = (uint8_t)(length >> 7);
        } else {
            *at++ = (uint8_t)length;
        }
    }
    size_t message = (size_t)(at - head) - PREFIX_SIZE + length;
    head[3] = (uint8_t)(message >> 8);
    head[4] = (uint8_t)message;
    grpc->request.limit = sizeof(head) + length;
    octets_put(&grpc->request, head, (size_t)(at - head));
    octets_put(&grpc->request, service, length);
}

// --- what libnghttp2 tells ---

static int number_of(const uint8_t *value, size_t size)
{
    int number = 0;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9' || number > 99999) {
            return NO_STATUS;
        }
        number = number * 10 + (value[i] - '0');
    }
    return size > 0 ? number : NO_STATUS;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *data)
{
    (void)session;
    (void)frame;
    (void)flags;
    struct grpc *grpc = data;
    if (name_size == 7 && memcmp(name, ":status", 7) == 0) {
        grpc->http_status = number_of(value, value_size);
    } else if (name_size == 11 && memcmp(name, "grpc-status", 11) == 0) {
        grpc->grpc_status = number_of(value, value_size);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *octets,
                   size_t count, void *data)
{
    (void)session;
    (void)flags;
    (void)stream;
    struct grpc *grpc = data;
    size_t kept = MIN(count, sizeof(grpc->reply) - grpc->reply_size);
    memcpy(grpc->reply + grpc->reply_size, octets, kept);
    grpc->reply_size += kept;
    grpc->reply_long |= kept < count;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *data)
{
    (void)session;
    (void)stream;
    (void)error;
    struct grpc *grpc = data;
    grpc->stream_ended = true;
    return 0;
}

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *into, size_t room,
                            uint32_t *flags, nghttp2_data_source *source, void *data)
{
    (void)session;
    (void)stream;
    (void)source;
    struct grpc *grpc = data;
    size_t count = MIN(room, grpc->request.count - grpc->request_sent);
    memcpy(into, grpc->request.at + grpc->request_sent, count);
    grpc->request_sent += count;
    if (grpc->request_sent == grpc->request.count) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)count;
}

// --- the dialog ---

static void send_pending(struct dialog *dialog)
{
    struct grpc *grpc = dialog->state;
    const uint8_t *octets;
    ssize_t count;
    while ((count = nghttp2_session_mem_send(grpc->session, &octets)) > 0) {
        octets_put(&dialog->out, octets, (size_t)count);
    }
}

static nghttp2_session *session_new(struct grpc *grpc)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_client_new(&session, callbacks, grpc);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

#define HEADER(name, value)                                                                        \
    {                                                                                              \
        (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE   \
    }

static void grpc_begin(struct dialog *dialog)
{
    const struct check_spec *spec = dialog->recipe->spec;
    struct grpc *grpc = mem_alloc(sizeof(*grpc));
    dialog->state = grpc;
    dialog->out.limit = 65536;
    grpc->http_status = grpc->grpc_status = NO_STATUS;
    grpc->session = session_new(grpc);
    request_write(grpc, spec->service);
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16384},
    };
    const nghttp2_nv headers[] = {
        HEADER(":method", "POST"),
        HEADER(":scheme", spec->tls ? "https" : "http"),
        HEADER(":path", "/grpc.health.v1.Health/Check"),
        HEADER(":authority", dialog->authority),
        HEADER("content-type", "application/grpc"),
        HEADER("user-agent", "signpost/" SIGNPOST_VERSION),
        HEADER("te", "trailers"),
    };
    const nghttp2_data_provider body = {.read_callback = read_request};
    if (grpc->session == NULL ||
        nghttp2_submit_settings(grpc->session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings)) !=
            0 ||
        nghttp2_submit_request(grpc->session, NULL, headers, ARRAY_SIZE(headers), &body, NULL) <
            0) {
        dialog_end(dialog, PROBE_LOCAL_ERROR, "libnghttp2 refused the request");
        return;
    }
    send_pending(dialog);
}

static void judge(struct dialog *dialog)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    const struct grpc *grpc = dialog->state;
    if (grpc->http_status == NO_STATUS) {
        dialog_end(dialog, PROBE_L7_INVALID, "the stream ended without an answer");
    } else if (grpc->http_status != 200) {
        dialog_end(dialog, PROBE_L7_STATUS, "HTTP %d", grpc->http_status);
    } else if (grpc->grpc_status == NO_STATUS) {
        dialog_end(dialog, PROBE_L7_INVALID, "no grpc-status");
    } else if (grpc->grpc_status != 0) {
        dialog_end(dialog, PROBE_L7_STATUS, "gRPC status %d%s", grpc->grpc_status,
                   grpc->grpc_status == 5    ? ": no such service"
                   : grpc->grpc_status == 12 ? ": no health service"
                                             : "");
    } else {
        int status = reply_status(grpc);
        if (status < 0) {
            dialog_end(dialog, PROBE_L7_INVALID, "not a HealthCheckResponse");
        } else {
            dialog_end(dialog, status == SERVING ? PROBE_OK : PROBE_L7_STATUS, "%s", names[status]);
        }
    }
}

static void grpc_feed(struct dialog *dialog, const uint8_t *octets, size_t count)
{
    struct grpc *grpc = dialog->state;
    ssize_t used = nghttp2_session_mem_recv(grpc->session, octets, count);
    if (grpc->stream_ended) {
        judge(dialog);
    } else if (used < 0) {
        dialog_end(dialog, PROBE_L7_INVALID, "not HTTP/2");
    } else {
        send_pending(dialog);
        if (octets_full(&dialog->out)) {
            dialog_end(dialog, PROBE_L7_INVALID, "the server asks for too many frames");
        } else if (!nghttp2_session_want_read(grpc->session)) {
            dialog_end(dialog, PROBE_L7_INVALID, "not HTTP/2");
        }
    }
}

static void grpc_closed(struct dialog *dialog)
{
    dialog_end(dialog, PROBE_L7_CLOSED, "closed before the answer was complete");
}

static void grpc_forget(struct dialog *dialog)
{
    struct grpc *grpc = dialog->state;
    if (grpc) {
        nghttp2_session_del(grpc->session);
        octets_free(&grpc->request);
        free(grpc);
    }
}

const struct dialog_kind dialog_grpc = {
    .missing = "answer of the health service",
    .begin = grpc_begin,
    .feed = grpc_feed,
    .closed = grpc_closed,
    .forget = grpc_forget,
};
