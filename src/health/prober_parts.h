// SPDX-License-Identifier: GPL-3.0-or-later
//
// What prober_uv.c (the attempts, the gate, TCP) and prober_http.c (libcurl) share. Nobody else
// includes it.
#pragma once

#include "health/prober_uv.h"

#include <curl/curl.h>

// How far a probe came: the layer that a failure belongs to.
enum layer { LAYER_4, LAYER_6, LAYER_7, LAYER_COUNT };

// Transfers that share trust anchors: libcurl keeps the parsed anchors of one file per multi
// handle, and parsing the system's takes 40 ms. So the system's file has a group of its own.
enum group_kind { GROUP_SYSTEM, GROUP_OWN_ANCHORS, GROUP_COUNT };

struct http_group {
    struct prober_uv *prober;
    CURLM *multi;
    uv_timer_t timer;
};

struct prober_uv {
    struct prober prober;
    uv_loop_t *loop;
    struct health *health;
    struct prefix *allow;
    size_t allow_count;
    struct http_group groups[GROUP_COUNT];
    struct curl_slist *headers;
    char *system_anchors;
    size_t handle_count; // uv handles that are not yet closed
    bool closing;
};

// One probe under way. Ends with attempt_end, or with cancel.
struct attempt {
    struct prober_uv *prober;
    struct probe *probe;
    const struct check_spec *spec;
    struct address target;
    // Why the connection was not even tried, or why its end says nothing: written by the gate.
    // PROBE_OK while there is nothing to say.
    struct probe_result refusal;
    // TCP, and verdicts that are known at once (they wait for the loop in `timer`).
    bool has_timer, has_poll;
    uv_timer_t timer;
    uv_poll_t poll;
    int fd; // -1: none
    unsigned handle_count;
    // HTTP.
    struct http_group *group;
    CURL *easy;
    struct curl_slist *connect_to;
    enum layer layer;
    size_t header_size, body_size;
    bool enough; // we ended the transfer: all that we want was seen
    char error[CURL_ERROR_SIZE];
};

// What a failed connect says.
void verdict_of_errno(struct probe_result *verdict, int error);
// The deadline of a probe in whole milliseconds, rounded up.
uint64_t timeout_ms(const struct check_spec *spec);

// The gate: the only place that makes sockets for probes. -1 with attempt->refusal set when the
// address is not the check's or not allowed, or the system has no socket left.
int attempt_socket(struct attempt *attempt, const struct sockaddr *to);
// Reports and forgets the attempt.
void attempt_end(struct attempt *attempt, const struct probe_result *verdict);
// Reports on the loop's next turn: start() must not report itself.
void attempt_end_soon(struct attempt *attempt);

// The closing of one uv handle; the last one frees a prober that is ending.
void prober_handle_closed(struct prober_uv *prober);

void http_open(struct prober_uv *prober);
void http_close(struct prober_uv *prober);
void http_start(struct attempt *attempt);
void http_forget(struct attempt *attempt); // releases what HTTP holds of the attempt
