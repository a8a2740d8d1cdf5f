// SPDX-License-Identifier: GPL-3.0-or-later
//
// The ring of events and the streams that read from it.
//
// Owned by the engine, which adds; read by the API's streams and by webhooks, all on the control
// thread. A stream keeps at most one event of its own, the one it is in the middle of: its memory
// is bounded by that, and a reader that falls EVENTS_KEPT events behind is ended.
#include "api/events.h"

#include "base/memory.h"
#include "base/time_text.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 2000 }; // after which a client that lost us is to come back

const char *const event_type_names[EVENT_TYPE_COUNT] = {
#define X(name, text, help) text,
    EVENT_TYPES(X)
#undef X
};

struct reader {
    struct events *events; // NULL: the ring is gone
    struct api_stream *stream;
    uint64_t next;
    char *text; // being sent
    size_t size, sent;
    bool beat;
};

struct events {
    const struct clock *clock;
    struct event ring[EVENTS_KEPT];
    uint64_t first, next;
    struct reader *readers[EVENT_STREAMS_MAX];
    struct {
        events_listen *listen;
        void *context;
    } listeners[EVENT_LISTENERS_MAX];
    size_t listener_count;
};

struct events *events_new(const struct clock *clock)
{
    struct events *events = mem_alloc(sizeof(*events));
    events->clock = clock;
    events->first = (uint64_t)(clock_wall_ns(clock) / NS_PER_SECOND) * 1000000 + 1;
    events->next = events->first;
    return events;
}

static void wake_all(struct events *events)
{
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        const struct reader *reader = events->readers[i];
        if (reader != NULL && reader->stream->wake != NULL) {
            reader->stream->wake(reader->stream->wake_context);
        }
    }
}

void events_free(struct events *events)
{
    if (events == NULL) {
        return;
    }
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        if (events->readers[i] != NULL) {
            events->readers[i]->events = NULL;
        }
    }
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        free((char *)events->ring[i].text);
    }
    free(events);
}

void events_add(struct events *events, enum event_type type, json_t *object)
{
    char time[TIME_TEXT_MAX];
    uint64_t id = events->next++;
    json_t *json =
        json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "type", event_type_names[type], "time",
                  time_text_format(clock_wall_ns(events->clock), time));
    json_object_update(json, object);
    json_decref(object);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    SP_ASSERT(text != NULL); // only memory could be missing
    json_decref(json);
    struct event *event = &events->ring[id % EVENTS_KEPT];
    free((char *)event->text);
    *event = (struct event){id, type, text};
    for (size_t i = 0; i < events->listener_count; i++) {
        events->listeners[i].listen(events->listeners[i].context);
    }
    wake_all(events);
}

uint64_t events_next(const struct events *events)
{
    return events->next;
}

bool events_get(const struct events *events, uint64_t id, struct event *event)
{
    *event = events->ring[id % EVENTS_KEPT];
    return id > 0 && event->id == id;
}

void events_listener(struct events *events, events_listen *listen, void *context)
{
    SP_ASSERT(events->listener_count < EVENT_LISTENERS_MAX);
    events->listeners[events->listener_count].listen = listen;
    events->listeners[events->listener_count++].context = context;
}

// --- streams

static void reader_load(struct reader *reader, const char *format, const struct event *event)
{
    free(reader->text);
    reader->text = mem_printf(format, event ? (unsigned long long)event->id : 0,
                              event ? event_type_names[event->type] : "", event ? event->text : "");
    reader->size = strlen(reader->text);
    reader->sent = 0;
}

// The next piece of text; false when there is nothing to say. Sets *lost when the place is gone.
static bool reader_fill(struct reader *reader, bool *lost)
{
    struct event event;
    if (reader->next < reader->events->next) {
        if (!events_get(reader->events, reader->next, &event)) {
            *lost = true;
            return false;
        }
        reader->next++;
        reader->beat = false;
        reader_load(reader, "id: %llu\nevent: %s\ndata: %s\n\n", &event);
        return true;
    }
    if (reader->beat) {
        reader->beat = false;
        reader_load(reader, ": alive\n\n", NULL);
        return true;
    }
    return false;
}

static ssize_t stream_read(void *state, char *bytes, size_t max)
{
    struct reader *reader = state;
    bool lost = reader->events == NULL;
    if (lost || (reader->sent == reader->size && !reader_fill(reader, &lost))) {
        return lost ? API_STREAM_END : 0;
    }
    size_t size = MIN(max, reader->size - reader->sent);
    memcpy(bytes, reader->text + reader->sent, size);
    reader->sent += size;
    return (ssize_t)size;
}

static void stream_close(void *state)
{
    struct reader *reader = state;
    for (size_t i = 0; reader->events != NULL && i < EVENT_STREAMS_MAX; i++) {
        if (reader->events->readers[i] == reader) {
            reader->events->readers[i] = NULL;
        }
    }
    free(reader->text);
    free(reader);
}

bool events_stream(struct events *events, uint64_t after, struct api_stream *stream)
{
    size_t place = 0;
    while (place < EVENT_STREAMS_MAX && events->readers[place] != NULL) {
        place++;
    }
    if (place == EVENT_STREAMS_MAX) {
        return false;
    }
    struct reader *reader = mem_alloc(sizeof(*reader));
    uint64_t oldest = MAX(events->next, events->first + EVENTS_KEPT) - EVENTS_KEPT;
    reader->events = events;
    reader->stream = stream;
    reader->next = after == 0             ? events->next
                   : after < events->next ? MAX(after + 1, oldest)
                                          : oldest;
    reader->text = mem_printf("retry: %d\n: alive\n\n", RETRY_MS); // goes out with the head
    reader->size = strlen(reader->text);
    events->readers[place] = reader;
    *stream = (struct api_stream){.read = stream_read, .close = stream_close, .state = reader};
    return true;
}

void events_beat(struct events *events)
{
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        if (events->readers[i] != NULL) {
            events->readers[i]->beat = true;
        }
    }
    wake_all(events);
}
