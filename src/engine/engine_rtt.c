// SPDX-License-Identifier: GPL-3.0-or-later
//
// Measured round trips into territories. Control thread.
//
// What plans see of the table changes rarely (steer/rtt.h); when it has, the territories of method
// `fastest` are built anew, at most once in ten seconds, and their plans published together.
#include "engine/engine_internal.h"

#include "base/log.h"
#include "base/memory.h"

#define RTT_INTERVAL_NS (10 * NS_PER_SECOND)

void engine_rtt_index(struct engine *engine)
{
    engine->rtt_users.count = 0;
    for (size_t slot = 0; slot < engine->steered_size; slot++) {
        const struct steered *steered = engine->steered[slot];
        if (steered != NULL && policy_uses(steered->rrset->policy, METHOD_FASTEST)) {
            struct slot_list *users = &engine->rtt_users;
            MEM_GROW(users->slots, users->count, users->capacity);
            users->slots[users->count++] = (uint32_t)slot;
        }
    }
}

// The old territories end after the grace period; a refused change gets them back.
static void rebuild(struct engine *engine)
{
    const struct slot_list *users = &engine->rtt_users;
    struct territory **old = mem_alloc_array(users->count, sizeof(struct territory *));
    struct change *change = change_begin(engine->publisher);
    for (size_t i = 0; i < users->count; i++) {
        struct steered *steered = engine->steered[users->slots[i]];
        old[i] = steered->territory;
        steered->territory = territory_acquire(engine->territories, steered->rrset->policy,
                                               engine->lines, engine->geo);
        change_plan(change, steered->slot, engine_compile(engine, steered, false));
    }
    struct diags diags = {0};
    bool published = change_publish(change, &diags);
    engine_plans_settle(engine, published);
    for (size_t i = 0; i < users->count; i++) {
        struct steered *steered = engine->steered[users->slots[i]];
        struct territory *dropped = published ? old[i] : steered->territory;
        steered->territory = published ? steered->territory : old[i];
        territory_release(engine->territories, dropped);
    }
    if (published) {
        log_event(LOG_EVENT_PUBLISHED, "plans=%zu", users->count);
    } else {
        engine_log_fault(LOG_EVENT_PUBLISH_REFUSED, "round-trips", &diags);
    }
    diags_clear(&diags);
    free(old);
}

int64_t engine_rtt_tick(struct engine *engine)
{
    int64_t now_ns = clock_monotonic_ns(engine->clock);
    if (rtt_network_count(engine->rtt) == 0 && rtt_version(engine->rtt) == engine->rtt_version) {
        return INT64_MAX;
    }
    if (now_ns < engine->rtt_next_ns) {
        return engine->rtt_next_ns;
    }
    engine->rtt_next_ns = now_ns + RTT_INTERVAL_NS;
    rtt_age(engine->rtt, now_ns - RTT_AGE_NS);
    if (rtt_version(engine->rtt) != engine->rtt_version) {
        engine->rtt_version = rtt_version(engine->rtt);
        if (engine->rtt_users.count > 0) {
            rebuild(engine);
        }
    }
    return engine->rtt_next_ns;
}

bool engine_rtt_report(struct engine *engine, const struct address *client, const char *place,
                       double ms, unsigned samples)
{
    engine->measured.reports++;
    return rtt_add(engine->rtt, client, place, ms, samples, clock_monotonic_ns(engine->clock));
}

json_t *engine_rtt_summary(const struct engine *engine)
{
    return json_pack("{s:I, s:I}", "networks", (json_int_t)rtt_network_count(engine->rtt),
                     "changes", (json_int_t)rtt_version(engine->rtt));
}
