// SPDX-License-Identifier: GPL-3.0-or-later
//
// Idle names: checks whose names nobody asks for are probed less often, if an option says so.
//
// Data workers mark the plans that they answer from (answer/asked.h). Twice a second the marks are
// taken away: a check is idle when no plan that follows from it had one for `idle_after`, and awake
// again with the first. A check that is also an operand or an anchor has users that no query shows,
// and is never idle. Control thread. The cost of a look does not depend on the number of names:
// marks are so many for each worker, and only checks with such an option are gone through.
#include "engine/engine_internal.h"

#include "answer/asked.h"
#include "base/memory.h"

// At most half of the shortest interval of an idle check: the other half is the schedule's.
#define LOOK_NS (NS_PER_SECOND / 2)

struct idle {
    struct asked **asked; // of the data workers
    size_t asked_count;
    int *checks; // that may be idle
    size_t check_count, check_capacity;
    int64_t *asked_ns; // when a mark was found; NULL until there are such checks
    int64_t next_ns;
};

struct idle *idle_new(void)
{
    return mem_alloc(sizeof(struct idle));
}

void idle_free(struct idle *idle)
{
    free(idle->asked);
    free(idle->checks);
    free(idle->asked_ns);
    free(idle);
}

void engine_listen(struct engine *engine, struct asked *const *asked, size_t count)
{
    struct idle *idle = engine->idle;
    SP_ASSERT(idle->asked == NULL);
    idle->asked = mem_copy(asked, count * sizeof(asked[0]));
    idle->asked_count = count;
}

static int64_t gap_of(const struct engine *engine, const struct check_spec *spec)
{
    return check_idle_gap(spec, engine->config->health_idle_factor);
}

void engine_idle_index(struct engine *engine)
{
    struct idle *idle = engine->idle;
    idle->check_count = 0;
    for (int i = 0; i < (int)engine->by_check_size; i++) {
        struct check_view view;
        if (health_view(engine->health, i, &view) && gap_of(engine, view.spec) > 0) {
            MEM_GROW(idle->checks, idle->check_count, idle->check_capacity);
            idle->checks[idle->check_count++] = i;
        }
    }
    if (idle->check_count > 0 && idle->asked_count > 0 && idle->asked_ns == NULL) {
        idle->asked_ns = mem_alloc_array(ASKED_SIZE, sizeof(*idle->asked_ns));
    }
}

// When the names of a check were last asked for, or came.
static int64_t last_asked(const struct engine *engine, const struct check_links *links,
                          int64_t since_ns)
{
    int64_t last_ns = since_ns;
    for (size_t i = 0; i < links->count; i++) {
        uint32_t plan = engine->check_slots[links->first + i] + 1;
        last_ns = MAX(last_ns, engine->idle->asked_ns[plan % ASKED_SIZE]);
    }
    return last_ns;
}

static void judge(struct engine *engine, int check, int64_t now_ns)
{
    const struct check_links *links = &engine->by_check[check];
    struct check_view view;
    if (!health_view(engine->health, check, &view)) {
        return;
    }
    int64_t after_ns = view.spec->idle_after_ns > 0 ? view.spec->idle_after_ns
                                                    : engine->config->health_idle_after_ns;
    bool is_idle = view.users <= links->count &&
                   now_ns - last_asked(engine, links, view.acquired_ns) >= after_ns;
    health_rest(engine->health, check, is_idle ? gap_of(engine, view.spec) : 0);
}

int64_t engine_idle_tick(struct engine *engine)
{
    struct idle *idle = engine->idle;
    int64_t now_ns = clock_monotonic_ns(engine->clock);
    if (idle->check_count == 0 || idle->asked_ns == NULL) {
        return INT64_MAX;
    }
    if (now_ns < idle->next_ns) {
        return idle->next_ns;
    }
    idle->next_ns = now_ns + LOOK_NS;
    for (size_t i = 0; i < idle->asked_count; i++) {
        asked_look(idle->asked[i], now_ns, idle->asked_ns);
    }
    for (size_t i = 0; i < idle->check_count; i++) {
        judge(engine, idle->checks[i], now_ns);
    }
    return idle->next_ns;
}
