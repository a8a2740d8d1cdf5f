// SPDX-License-Identifier: GPL-3.0-or-later
//
// The ring of events and the streams that read from it, with a clock that stands still.
#include "api/events.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FIRST 1700000000000001ULL

static int64_t now(void *state)
{
    (void)state;
    return 1700000000 * NS_PER_SECOND + 999;
}

static const struct clock stopped = {now, now, NULL};

static void add(struct events *events, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        events_add(events, EVENT_CHECK, json_pack("{s:i}", "n", (int)i));
    }
}

// Reads what there is, `step` octets at a time; false at the end of the stream.
static bool read_all(struct api_stream *stream, size_t step, char *text, size_t size)
{
    ssize_t got = 0;
    size_t have = 0;
    while (have + step < size && (got = stream->read(stream->state, text + have, step)) > 0) {
        have += (size_t)got;
    }
    text[have] = '\0';
    return got != API_STREAM_END;
}

static void a_stream_begins_with_what_is_new(void **state)
{
    (void)state;
    char text[4096];
    struct events *events = events_new(&stopped);
    struct api_stream stream, again;
    add(events, 2);
    assert_int_equal(events_next(events), FIRST + 2);
    assert_true(events_stream(events, 0, &stream));
    assert_true(read_all(&stream, 7, text, sizeof(text)));
    assert_string_equal(text, "retry: 2000\n: alive\n\n");
    add(events, 1);
    assert_true(read_all(&stream, 7, text, sizeof(text)));
    assert_string_equal(text, "id: 1700000000000003\nevent: check\ndata: "
                              "{\"id\":1700000000000003,\"type\":\"check\",\"time\":"
                              "\"2023-11-14T22:13:20Z\",\"n\":0}\n\n");
    assert_true(read_all(&stream, 7, text, sizeof(text)));
    assert_string_equal(text, "");
    events_beat(events);
    events_beat(events); // one is enough
    assert_true(read_all(&stream, 1000, text, sizeof(text)));
    assert_string_equal(text, ": alive\n\n");
    assert_true(events_stream(events, FIRST, &again));
    assert_true(read_all(&again, 1000, text, sizeof(text)));
    assert_null(strstr(text, "id: 1700000000000001"));
    assert_non_null(strstr(text, "id: 1700000000000002"));
    assert_non_null(strstr(text, "id: 1700000000000003"));
    events_free(events);
    assert_false(read_all(&stream, 7, text, sizeof(text)));
    stream.close(stream.state);
    again.close(again.state);
}

// The first id that a stream sends.
static uint64_t first_of(struct events *events, uint64_t after)
{
    char text[512];
    unsigned long long id = 0;
    struct api_stream stream;
    assert_true(events_stream(events, after, &stream));
    assert_true(read_all(&stream, 256, text, sizeof(text)));
    const char *at = strstr(text, "id: ");
    if (at != NULL) {
        sscanf(at, "id: %llu", &id);
    }
    stream.close(stream.state);
    return id;
}

static void where_a_stream_goes_on(void **state)
{
    (void)state;
    struct events *events = events_new(&stopped);
    assert_int_equal(first_of(events, 5), 0); // there are none
    add(events, 3);
    assert_int_equal(first_of(events, 0), 0);
    assert_int_equal(first_of(events, 5), FIRST); // of a process that has ended
    assert_int_equal(first_of(events, FIRST), FIRST + 1);
    assert_int_equal(first_of(events, FIRST + 2), 0);     // has seen all
    assert_int_equal(first_of(events, FIRST + 3), FIRST); // of a clock that was set back
    assert_int_equal(first_of(events, UINT64_MAX), FIRST);
    add(events, EVENTS_KEPT);
    assert_int_equal(first_of(events, FIRST), FIRST + 3); // as far as they are kept
    assert_int_equal(first_of(events, FIRST + 2), FIRST + 3);
    events_free(events);
}

static void who_is_too_slow_is_ended(void **state)
{
    (void)state;
    char text[64];
    struct events *events = events_new(&stopped);
    struct api_stream slow, quick;
    assert_true(events_stream(events, 0, &slow));
    assert_true(events_stream(events, 0, &quick));
    assert_true(read_all(&quick, 32, text, sizeof(text)));
    add(events, EVENTS_KEPT);
    assert_true(slow.read(slow.state, text, sizeof(text)) > 0); // its head
    assert_true(quick.read(quick.state, text, sizeof(text)) > 0);
    add(events, 1);
    assert_int_equal(slow.read(slow.state, text, sizeof(text)), API_STREAM_END);
    assert_true(quick.read(quick.state, text, sizeof(text)) > 0);
    slow.close(slow.state);
    quick.close(quick.state);
    events_free(events);
}

static void streams_are_so_many(void **state)
{
    (void)state;
    struct events *events = events_new(&stopped);
    struct api_stream streams[EVENT_STREAMS_MAX], more;
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        assert_true(events_stream(events, 0, &streams[i]));
    }
    assert_false(events_stream(events, 0, &more));
    streams[5].close(streams[5].state);
    assert_true(events_stream(events, 0, &streams[5]));
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        streams[i].close(streams[i].state);
    }
    events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_begins_with_what_is_new),
        cmocka_unit_test(where_a_stream_goes_on),
        cmocka_unit_test(who_is_too_slow_is_ended),
        cmocka_unit_test(streams_are_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
