// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the engine tells about itself: status and zones. Control thread.
#include "api/call.h"
#include "engine/engine_internal.h"

#include "dns/types.h"
#include "dns/wire.h"

json_t *engine_status(struct engine *engine)
{
    const struct generation *generation = publisher_current(engine->publisher);
    struct generation_summary summary = generation_summary(generation);
    int64_t up_ns = clock_monotonic_ns(engine->clock) - engine->started_ns;
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "version", SIGNPOST_VERSION,
                     "uptime_seconds", (json_int_t)(up_ns / NS_PER_SECOND), "generation",
                     (json_int_t)generation_number(generation), "zones",
                     (json_int_t)summary.zone_count, "names", (json_int_t)summary.name_count,
                     "steered_rrsets", (json_int_t)summary.plan_count, "territories",
                     (json_int_t)territories_count(engine->territories), "generation_bytes",
                     (json_int_t)summary.memory_size, "geo", engine_geo(engine));
}

static json_int_t zone_serial(const struct zone *zone)
{
    const struct owner *apex = zone_find(zone, zone_apex(zone));
    const struct rrset *soa = apex ? owner_rrset(apex, TYPE_SOA) : NULL;
    SP_ASSERT(soa != NULL && soa->records[0].rdata_size >= 22); // zone_finish saw to it
    return get_u32(soa->records[0].rdata + soa->records[0].rdata_size - 20);
}

json_t *engine_zones(struct engine *engine)
{
    json_t *list = json_array();
    engine_models_forget(engine);
    for (size_t i = 0; i < engine->zones.count; i++) {
        const struct zone_state *state = engine->zones.items[i];
        char name[NAME_TEXT_MAX];
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:I, s:I, s:o}", "name", name_format(state->apex, name),
                            "serial", zone_serial(state->zone), "names",
                            (json_int_t)zone_owner_count(state->zone), "steered_rrsets",
                            (json_int_t)state->steered_count, "file", text_json(state->path)));
    }
    return list;
}
