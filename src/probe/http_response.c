// SPDX-License-Identifier: GPL-3.0-or-later
//
// The reader of HTTP/1.x responses. Called by dialog_http.c with octets as they come, in any
// pieces; the outcome does not depend on how they are cut (tests/fuzz/fuzz_dialog.c).
#include "probe/http_response.h"

#include <string.h>
#include <strings.h>

static enum http_progress invalid(struct http_response *response, const char *fault)
{
    response->fault = fault;
    return HTTP_INVALID;
}

static bool is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

// "HTTP/1.1 200 OK", "HTTP/1.0 200".
static bool status_line(struct http_response *response)
{
    const char *line = response->line;
    size_t size = response->line_count;
    if (size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ' ||
        !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
        (size > 12 && line[12] != ' ')) {
        return false;
    }
    response->status = (unsigned)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    return response->status >= 100;
}

static bool name_is(const char *name, size_t size, const char *wanted)
{
    return wanted && strlen(wanted) == size && strncasecmp(name, wanted, size) == 0;
}

// The value, trimmed, as text; false when it is too long or not printable ASCII.
static bool value_keep(char *kept, const char *value, size_t size)
{
    if (size >= HTTP_VALUE_MAX) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (value[i] < ' ' || value[i] >= 0x7f) {
            return false;
        }
    }
    memcpy(kept, value, size);
    kept[size] = '\0';
    return true;
}

static bool length_take(struct http_response *response, const char *value, size_t size)
{
    uint64_t length = 0;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(value[i]) || length > UINT64_MAX / 10 - 10) {
            return false;
        }
        length = length * 10 + (uint64_t)(value[i] - '0');
    }
    if (size == 0 || (response->has_length && response->left != length)) {
        return false;
    }
    response->has_length = true;
    response->left = length;
    return true;
}

// Only the last coding may be, and must be, chunked.
static bool coding_take(struct http_response *response, const char *value, size_t size)
{
    static const char chunked[] = "chunked";
    size_t length = sizeof(chunked) - 1;
    response->chunked = size >= length &&
                        strncasecmp(value + size - length, chunked, length) == 0 &&
                        (size == length || strchr(", \t", value[size - length - 1]));
    return response->chunked;
}

static bool is_token(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (name[i] <= ' ' || name[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", name[i])) {
            return false;
        }
    }
    return size > 0;
}

// One field line. A line that was longer than what is kept has lost its end: its value is not used.
static const char *field_take(struct http_response *response, bool whole)
{
    const char *line = response->line, *end = line + response->line_count;
    if (*line == ' ' || *line == '\t') {
        return NULL; // a folded line, obsolete: its value is of no header that we want
    }
    const char *colon = memchr(line, ':', response->line_count);
    if (colon == NULL || !is_token(line, (size_t)(colon - line))) {
        return "a header line is not one";
    }
    const char *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    size_t name_size = (size_t)(colon - line), size = (size_t)(end - value);
    if (name_is(line, name_size, "content-length")) {
        return length_take(response, value, size) ? NULL : "Content-Length is no number";
    }
    if (name_is(line, name_size, "transfer-encoding")) {
        return coding_take(response, value, size) ? NULL : "unknown Transfer-Encoding";
    }
    if (whole && name_is(line, name_size, response->wanted)) {
        response->has_value = value_keep(response->value, value, size);
    }
    if (whole && name_is(line, name_size, "location")) {
        response->has_location = value_keep(response->location, value, size);
    }
    return NULL;
}

// The empty line behind the fields: what follows.
static void body_begin(struct http_response *response)
{
    if (response->status < 200) { // skipped: another response follows
        response->place = HTTP_STATUS_LINE;
        response->status = 0;
        response->has_length = response->chunked = response->has_value = false;
        response->has_location = false;
    } else if (response->no_body || response->status == 204 || response->status == 304) {
        response->place = HTTP_DONE;
    } else if (response->chunked) {
        response->place = HTTP_CHUNK_SIZE;
    } else if (response->has_length) {
        response->place = response->left > 0 ? HTTP_BODY_SIZED : HTTP_DONE;
    } else {
        response->place = HTTP_BODY_OPEN;
    }
}

static bool chunk_size(struct http_response *response)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t size = 0;
    size_t i = 0;
    for (; i < response->line_count; i++) {
        char octet = response->line[i];
        const char *at = octet ? strchr(digits, octet | 0x20) : NULL;
        if (at == NULL || (!is_digit(octet) && !(octet >= 'A' && octet <= 'f'))) {
            break;
        }
        if (size >> 56) {
            return false;
        }
        size = size << 4 | (uint64_t)(at - digits);
    }
    if (i == 0 || (i < response->line_count && !strchr("; \t", response->line[i]))) {
        return false;
    }
    response->left = size;
    response->place = size > 0 ? HTTP_CHUNK : HTTP_TRAILERS;
    response->header_count = 0; // what frames a chunk is bounded with the body that it brings
    return true;
}

static enum http_progress line_take(struct http_response *response, bool whole)
{
    const char *fault = NULL;
    switch (response->place) {
    case HTTP_STATUS_LINE:
        if (!status_line(response)) {
            return invalid(response, "not an HTTP/1.x status line");
        }
        response->place = HTTP_FIELDS;
        break;
    case HTTP_FIELDS:
        if (response->line_count == 0) {
            body_begin(response);
        } else {
            fault = field_take(response, whole);
        }
        break;
    case HTTP_CHUNK_SIZE:
        fault = chunk_size(response) ? NULL : "a chunk size is no number";
        break;
    case HTTP_CHUNK_END:
        fault = response->line_count == 0 ? NULL : "a chunk is longer than its size";
        response->place = HTTP_CHUNK_SIZE;
        break;
    case HTTP_TRAILERS:
        response->place = response->line_count == 0 ? HTTP_DONE : HTTP_TRAILERS;
        break;
    default:
        SP_ASSERT(!"no line is read here");
    }
    return fault ? invalid(response, fault) : HTTP_MORE;
}

// Octets of one line; returns how many were used.
static size_t line_feed(struct http_response *response, const uint8_t *octets, size_t count,
                        enum http_progress *progress)
{
    const uint8_t *end = memchr(octets, '\n', count);
    size_t size = end ? (size_t)(end - octets) : count;
    size_t room = sizeof(response->line) - response->line_count;
    size_t kept = MIN(size, room);
    memcpy(response->line + response->line_count, octets, kept);
    response->line_count += kept;
    response->header_count += size + 1;
    if (response->header_count > HTTP_HEADERS_MAX) {
        *progress = invalid(response, "the headers are too long");
        return count;
    }
    if (response->place == HTTP_STATUS_LINE && // so that garbage without a line end is found out
        memcmp(response->line, "HTTP/1.", MIN(response->line_count, 7U)) != 0) {
        *progress = invalid(response, "not an HTTP/1.x status line");
        return count;
    }
    if (end == NULL) {
        return count;
    }
    bool whole = response->line_count < sizeof(response->line);
    if (whole && response->line_count > 0 && response->line[response->line_count - 1] == '\r') {
        response->line_count--;
    }
    *progress = line_take(response, whole);
    response->line_count = 0;
    return size + 1;
}

static size_t body_feed(struct http_response *response, const uint8_t *octets, size_t count,
                        enum http_progress *progress)
{
    size_t used = response->place == HTTP_BODY_OPEN ? count : (size_t)MIN(count, response->left);
    size_t seen = MIN(used, response->limit - MIN(response->body_count, response->limit));
    if (response->keep_body) {
        response->body.limit = response->limit;
        octets_put(&response->body, octets, seen);
    }
    bool beyond = response->body_count + used > response->limit;
    response->body_count += used;
    response->left -= response->place == HTTP_BODY_OPEN ? 0 : used;
    if (response->left == 0 && response->place == HTTP_BODY_SIZED) {
        response->place = HTTP_DONE;
    } else if (response->left == 0 && response->place == HTTP_CHUNK) {
        response->place = HTTP_CHUNK_END;
    }
    if (beyond) {
        *progress = HTTP_ENOUGH;
    }
    return used;
}

enum http_progress http_response_feed(struct http_response *response, const uint8_t *octets,
                                      size_t count)
{
    enum http_progress progress = HTTP_MORE;
    while (count > 0 && progress == HTTP_MORE && response->place != HTTP_DONE) {
        bool body = response->place == HTTP_BODY_SIZED || response->place == HTTP_BODY_OPEN ||
                    response->place == HTTP_CHUNK;
        size_t used = (body ? body_feed : line_feed)(response, octets, count, &progress);
        octets += used;
        count -= used;
    }
    return progress == HTTP_MORE && response->place == HTTP_DONE ? HTTP_COMPLETE : progress;
}

enum http_progress http_response_closed(struct http_response *response)
{
    return response->place == HTTP_BODY_OPEN || response->place == HTTP_DONE ? HTTP_COMPLETE
                                                                             : HTTP_MORE;
}

void http_response_free(struct http_response *response)
{
    octets_free(&response->body);
}
