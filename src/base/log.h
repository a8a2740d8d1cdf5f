// SPDX-License-Identifier: GPL-3.0-or-later
//
// Log lines: "time level event key=value ..." on standard error, one line each, values escaped.
//
// Events are a closed table that says what each means and what the operator should do; the
// reference page is made from it. Each event has its own rate limit: what is suppressed is counted
// and the next line that passes says suppressed=N. Only engine/ and server/ log; what is below
// returns. Any thread.
#pragma once

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

#define LOG_EVENTS(X)                                                                              \
    X(STARTING, LOG_INFO, "starting", "the process begins", "nothing")                             \
    X(READY, LOG_INFO, "ready", "every listener answers", "nothing")                               \
    X(XDP_SERVING, LOG_INFO, "xdp-serving", "XDP sockets serve an interface", "nothing")           \
    X(STOPPING, LOG_INFO, "stopping", "the process ends on request", "nothing")                    \
    X(START_FAILED, LOG_ERROR, "start-failed", "the process cannot start",                         \
      "read the error, mend the configuration")                                                    \
    X(INPUT_ERROR, LOG_ERROR, "input-error", "a file was refused; the old data keeps serving",     \
      "mend the file at the place named, then reload")                                             \
    X(INPUT_WARNING, LOG_WARNING, "input-warning", "a file was taken but something in it is odd",  \
      "look at the place named")                                                                   \
    X(RELOADED, LOG_INFO, "reloaded", "new data is being served", "nothing")                       \
    X(RELOAD_REFUSED, LOG_ERROR, "reload-refused", "a reload had errors; nothing was changed",     \
      "mend the errors above, then reload")                                                        \
    X(GEO_LOADED, LOG_INFO, "geo-loaded", "geo data was read and is in use", "nothing")            \
    X(GEO_REFUSED, LOG_ERROR, "geo-refused", "new geo data had errors; the data in use stays",     \
      "mend or replace the files; signpost geo update tries again")                                \
    X(GEO_OFF, LOG_WARNING, "geo-off",                                                             \
      "geo data is missing; only built-in and operator's networks decide lines",                   \
      "run ./dev geo, or set geo.databases")                                                       \
    X(CHECK_CHANGED, LOG_WARNING, "check-changed", "a check went up or down",                      \
      "if down: look at the target")                                                               \
    X(DOUBT_BEGAN, LOG_ERROR, "doubt-began",                                                       \
      "most targets or all anchors fail at once; the checker doubts itself and states are frozen", \
      "look at this server's network; if the targets are really down: signpost health trust")      \
    X(DOUBT_ENDED, LOG_WARNING, "doubt-ended", "states follow the checks again", "nothing")        \
    X(MANUAL_SET, LOG_WARNING, "manual-set", "an operator set the state of members", "nothing")    \
    X(MANUAL_ENDED, LOG_WARNING, "manual-ended", "manual states ended or were cleared", "nothing") \
    X(COMMANDS_USER, LOG_ERROR, "commands-user",                                                   \
      "commands of checks are not run: this process may not become health.commands_user",          \
      "start the server as root or as that user, or take the option out")                          \
    X(STATES_RECALLED, LOG_INFO, "states-recalled",                                                \
      "checks go on with the states of before the restart", "nothing")                             \
    X(STATES_TOO_OLD, LOG_INFO, "states-too-old",                                                  \
      "saved states of checks are older than health.state_age; they begin anew", "nothing")        \
    X(STATE_DAMAGED, LOG_ERROR, "state-damaged", "a file of saved states was not taken",           \
      "nothing, if states of checks (they begin anew); else set manual states again")              \
    X(STATE_NOT_SAVED, LOG_ERROR, "state-not-saved", "states could not be written to disk",        \
      "look at the error and at health.state")                                                     \
    X(WEBHOOK_FAILED, LOG_WARNING, "webhook-failed",                                               \
      "a webhook did not take its events; it is asked again",                                      \
      "look at the receiver if it goes on")                                                        \
    X(WEBHOOK_DROPPED, LOG_ERROR, "webhook-dropped",                                               \
      "events for a webhook were given up after many attempts",                                    \
      "look at the receiver; GET /v1/events still has the last events")                            \
    X(PROBER_BEGUN, LOG_INFO, "prober-begun", "the process that probes has begun", "nothing")      \
    X(PROBER_ENDED, LOG_ERROR, "prober-ended",                                                     \
      "the process that probes is gone; states stay as they are until the next one works",         \
      "nothing if it comes back; else read the reason")                                            \
    X(PUBLISHED, LOG_DEBUG, "published", "a new generation answers", "nothing")                    \
    X(PUBLISH_REFUSED, LOG_ERROR, "publish-refused",                                               \
      "a new generation failed its self-query; the old one keeps serving",                         \
      "report this with the zone that causes it")                                                  \
    X(RAMP_MOVED, LOG_INFO, "ramp-moved", "a ramp has a new share of its clients", "nothing")      \
    X(RAMP_SET, LOG_WARNING, "ramp-set", "an operator held, resumed or aborted a ramp", "nothing") \
    X(RAMP_ABORTED, LOG_WARNING, "ramp-aborted",                                                   \
      "too few members of a ramp's pool are up: its share is zero",                                \
      "look at the pool, then resume the ramp")                                                    \
    X(IO_ERROR, LOG_ERROR, "io-error", "the system refused an operation",                          \
      "look at the error and at the limits of the process")

enum log_event {
#define X(name, level, text, meaning, action) LOG_EVENT_##name,
    LOG_EVENTS(X)
#undef X
        LOG_EVENT_COUNT
};

struct log_event_info {
    enum log_level level;
    const char *name, *meaning, *action;
};

extern const struct log_event_info log_event_table[LOG_EVENT_COUNT];

// Lines below this level are dropped. Default LOG_INFO. Call before threads start.
void log_set_level(enum log_level level);
// The fields: a printf format of key=value pairs; use log_quote for values that came from outside.
void log_event(enum log_event event, const char *format, ...) PRINTF_LIKE(2, 3);
// Writes `value` into `text` in double quotes with control characters, quotes and backslashes
// escaped, cut to `size`. Returns `text`.
const char *log_quote(const char *value, char *text, size_t size);
