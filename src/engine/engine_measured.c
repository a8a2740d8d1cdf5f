// SPDX-License-Identifier: GPL-3.0-or-later
//
// What was measured and reported over a restart: loads of members and sites, round trips of
// networks. Lines of the states file beside those of checks, each with the time of its report, so
// that what was too old before is too old after. Control thread.
//
//   load AT IS-SITE LOAD NAME
//   rtt FAMILY NETWORK PLACE AT SAMPLES SMOOTHED SEEN
//
// NETWORK (a key, base/address.h), PLACE (rtt_place) and the bits of LOAD, SMOOTHED and SEEN are
// hexadecimal. There may be a million lines: they are written at most once a minute, and go as they
// are into every file until then.
#include "engine/engine_internal.h"

#include "base/memory.h"
#include "engine/loads.h"
#include "engine/state_line.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

#define MEASURED_SAVE_NS (60 * NS_PER_SECOND)

// --- writing

struct lines_out {
    FILE *out;
    int64_t ahead_ns; // of the wall clock
};

static void put_load(void *context, const struct load_report *report)
{
    const struct lines_out *lines = context;
    bool is_plain = true;
    for (const char *at = report->name; *at != '\0'; at++) {
        is_plain &= (unsigned char)*at >= 0x20;
    }
    if (is_plain) { // others name no member
        fprintf(lines->out, "load %" PRId64 " %d", report->since_ns + lines->ahead_ns,
                report->is_site);
        state_put_double(lines->out, report->load);
        state_put_text(lines->out, report->name);
        fputc('\n', lines->out);
    }
}

static void put_network(const struct lines_out *lines, const struct rtt_network *network)
{
    for (size_t i = 0; i < network->count; i++) {
        const struct rtt_value *value = &network->values[i];
        fprintf(lines->out, "rtt %d %" PRIx64 " %" PRIx64 " %" PRId64 " %" PRIu64,
                network->family == FAMILY_IPV4 ? 4 : 6, network->first, value->place,
                value->since_ns + lines->ahead_ns, value->samples);
        state_put_double(lines->out, value->smoothed_ms);
        state_put_double(lines->out, value->ms);
        fputc('\n', lines->out);
    }
}

static char *measured_format(const struct engine *engine)
{
    static const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6};
    char *text = NULL;
    size_t size;
    struct lines_out lines = {open_memstream(&text, &size),
                              clock_wall_ns(engine->clock) - clock_monotonic_ns(engine->clock)};
    SP_ASSERT(lines.out != NULL); // only memory could be missing
    loads_walk(engine->loads, put_load, &lines);
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        size_t count;
        const struct rtt_network **networks = rtt_networks(engine->rtt, families[f], &count);
        for (size_t i = 0; i < count; i++) {
            put_network(&lines, networks[i]);
        }
        free(networks);
    }
    int failed = fclose(lines.out);
    SP_ASSERT(failed == 0);
    return text;
}

bool engine_measured_wait(const struct engine *engine, bool last)
{
    const struct measured *measured = &engine->measured;
    return measured->reports != measured->saved &&
           (last || clock_monotonic_ns(engine->clock) >= measured->save_ns);
}

const char *engine_measured_text(struct engine *engine, bool last)
{
    struct measured *measured = &engine->measured;
    if (engine_measured_wait(engine, last)) {
        free(measured->text);
        measured->text = measured_format(engine);
        measured->saved = measured->reports;
        measured->save_ns = clock_monotonic_ns(engine->clock) + MEASURED_SAVE_NS;
    }
    return measured->text ? measured->text : "";
}

// --- reading

// A clock that was set back makes nothing younger than if it had just come.
static int64_t since_of(int64_t at_ns, int64_t ahead_ns, int64_t now_ns)
{
    return MIN(at_ns - ahead_ns, now_ns);
}

static bool read_load(struct engine *engine, const char *line, int64_t ahead_ns, int64_t now_ns)
{
    int64_t at_ns;
    uint64_t is_site;
    double load;
    char name[LOAD_NAME_MAX_CHARS + 1];
    if (!state_time(&line, &at_ns) || !state_number(&line, 10, 1, &is_site) ||
        !state_double(&line, DBL_MAX, &load) || !state_text(&line, name, sizeof(name)) ||
        *line != '\0') {
        return false;
    }
    int64_t since_ns = since_of(at_ns, ahead_ns, now_ns);
    if (now_ns - since_ns <= LOADS_AGE_MAX_NS) {
        loads_put(engine->loads, name, is_site != 0, load, since_ns);
        engine->measured.reports++; // to be written again
    }
    return true;
}

static bool read_rtt(struct engine *engine, const char *line, int64_t ahead_ns, int64_t now_ns)
{
    uint64_t family, first;
    int64_t at_ns;
    struct rtt_value value;
    if (!state_number(&line, 10, 6, &family) || (family != 4 && family != 6) ||
        !state_number(&line, 16, UINT64_MAX, &first) ||
        !state_number(&line, 16, UINT64_MAX, &value.place) || !state_time(&line, &at_ns) ||
        !state_number(&line, 10, UINT64_MAX, &value.samples) ||
        !state_double(&line, RTT_MS_MAX, &value.smoothed_ms) ||
        !state_double(&line, RTT_MS_MAX, &value.ms) || *line != '\0') {
        return false;
    }
    value.since_ns = since_of(at_ns, ahead_ns, now_ns);
    if (now_ns - value.since_ns <= RTT_AGE_NS) {
        struct address client = address_from_key(family == 4 ? FAMILY_IPV4 : FAMILY_IPV6, first);
        rtt_put(engine->rtt, &client, &value);
        engine->measured.reports++;
    }
    return true;
}

bool engine_measured_read(void *state, const char *line, int64_t ahead_ns, int64_t now_ns)
{
    struct engine *engine = state;
    if (strncmp(line, "load ", 5) == 0) {
        return read_load(engine, line + 5, ahead_ns, now_ns);
    }
    return strncmp(line, "rtt ", 4) == 0 && read_rtt(engine, line + 4, ahead_ns, now_ns);
}
