// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct http_response: an HTTP/1.x response read octet by octet (RFC 9112), as far as a check
// needs it: status, one header, where a redirect leads, and the first octets of the body.
//
// Strict where it is cheap (status line, field names, lengths, chunk sizes), because a target that
// cannot speak HTTP is not healthy; bounded everywhere: 64 KiB of headers, of each
// chunk's size line and of trailers, `limit` octets of body.
// Responses with status 1xx are skipped. Pure; one thread.
#pragma once

#include "probe/octets.h"

enum { HTTP_LINE_MAX = 4096, HTTP_HEADERS_MAX = 65536, HTTP_VALUE_MAX = 512 };

enum http_progress {
    HTTP_MORE,     // not yet complete
    HTTP_COMPLETE, // status, headers and body are there
    HTTP_ENOUGH,   // the body goes on, but `limit` octets of it were seen
    HTTP_INVALID,  // not HTTP; `fault` says why
};

enum http_place {
    HTTP_STATUS_LINE,
    HTTP_FIELDS,
    HTTP_BODY_SIZED,
    HTTP_BODY_OPEN, // until the connection closes
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK,
    HTTP_CHUNK_END,
    HTTP_TRAILERS,
    HTTP_DONE,
};

struct http_response {
    // Set before the first octet; the rest zero.
    bool no_body;       // the request was HEAD
    bool keep_body;     // into `body`
    size_t limit;       // octets of the body to look at
    const char *wanted; // lower case name of the header to keep, or NULL
    // Seen so far.
    unsigned status; // 0: not yet
    bool has_value;
    char value[HTTP_VALUE_MAX]; // of the wanted header, printable ASCII
    bool has_location;
    char location[HTTP_VALUE_MAX];
    struct octets body;
    size_t body_count; // octets of the body, kept or not
    const char *fault; // static
    // How far it is.
    enum http_place place;
    bool has_length, chunked;
    uint64_t left; // octets of the body or the chunk that are still to come
    size_t header_count;
    size_t line_count;
    char line[HTTP_LINE_MAX];
};

enum http_progress http_response_feed(struct http_response *response, const uint8_t *octets,
                                      size_t count);
// The connection has ended: whether that completes the response.
enum http_progress http_response_closed(struct http_response *response);
void http_response_free(struct http_response *response); // its body, not itself
