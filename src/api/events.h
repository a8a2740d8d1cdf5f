// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct events: what happened, in order, for everybody who wants to know it: server-sent events
// (api/) and webhooks. The last EVENTS_KEPT are kept as JSON texts with numbers that count up; a
// reader has a cursor and takes what is behind it, so readers cost nothing while nothing happens,
// and one that is too slow loses its place and nobody else's. Control thread.
//
// The first number is the second in which the process began, times a million: those of the next
// process are higher, and below 2^53 for who reads them as floating point.
#pragma once

#include "api/api.h"
#include "base/clock.h"

#include <jansson.h>

enum { EVENTS_KEPT = 1024, EVENT_STREAMS_MAX = 32, EVENT_LISTENERS_MAX = 64 };

#define EVENT_TYPES(X)                                                                             \
    X(CHECK, "check", "a check changed its state")                                                 \
    X(DOUBT, "doubt", "the checker began or ceased to doubt itself")                               \
    X(MANUAL, "manual", "an operator's word on members began, ended or changed")                   \
    X(PROBER, "prober", "the process that probes ended or began")

enum event_type {
#define X(name, text, help) EVENT_##name,
    EVENT_TYPES(X)
#undef X
        EVENT_TYPE_COUNT
};
extern const char *const event_type_names[EVENT_TYPE_COUNT];

struct event {
    uint64_t id;
    enum event_type type;
    const char *text; // one line of JSON: {"id", "type", "time", ...}
};

struct events;

// An empty ring; the clock outlives it. The caller's.
struct events *events_new(const struct clock *clock);
// Ends every stream. NULL allowed.
void events_free(struct events *events);

// Consumes the object; its members follow id, type and time.
void events_add(struct events *events, enum event_type type, json_t *object);
// The number that the next event will have.
uint64_t events_next(const struct events *events);
// Of the kept ones; false when it is older or yet to come.
bool events_get(const struct events *events, uint64_t id, struct event *event);

// Called after each event, from inside events_add; it must not add events.
typedef void events_listen(void *context);
void events_listener(struct events *events, events_listen *listen, void *context);

// A stream of server-sent events from `after` on (the id of the last event seen; 0: only new ones;
// one that was not yet given, as after a clock was set back: all that are kept).
// False when there are too many streams.
bool events_stream(struct events *events, uint64_t after, struct api_stream *stream);
// Lets every stream say that it is alive, so that those whose client has gone are found.
void events_beat(struct events *events);
