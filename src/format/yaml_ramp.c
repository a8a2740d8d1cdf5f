// SPDX-License-Identifier: GPL-3.0-or-later
//
// `ramp` of a rule: a share that grows by a timetable.
//
// Shares may only grow, so that a client that is in stays in. Called by yaml_rules.c.
#include "format/yaml_targets.h"

#include "base/clock.h"
#include "base/time_text.h"

#include <string.h>

static const char *const ramp_keys[] = {"start", "steps", "abort_below"};
static const char *const step_keys[] = {"share", "for"};

// From 1970 on: 0 says that none is given.
static bool start_read(const struct yaml *at, int64_t *start_ns)
{
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    if (!time_text_parse(text, start_ns) || *start_ns < 0) {
        yaml_error(at, "expected a time such as 2026-11-25T10:00:00Z, found \"%.40s\"", text);
        return false;
    }
    return true;
}

static bool step_read(const struct yaml *at, struct ramp *ramp, bool last)
{
    struct yaml child;
    struct ramp_step *step = &ramp->steps[ramp->step_count++];
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, step_keys, ARRAY_SIZE(step_keys));
    if (!yaml_get(at, "share", &child)) {
        yaml_error(at, "missing \"share\"");
        return false;
    }
    bool good = yaml_share_read(&child, &step->share_ppm);
    if (good && ramp->step_count > 1 && step->share_ppm < step[-1].share_ppm) {
        yaml_error(&child, "shares of a ramp never shrink: clients that are in stay in");
        good = false;
    }
    if (yaml_get(at, "for", &child)) {
        good &= yaml_duration(&child, NS_PER_SECOND, 8760 * 3600 * NS_PER_SECOND, &step->for_ns);
        if (last) {
            yaml_warning(&child, "the last step has no end");
        }
    } else if (!last) {
        yaml_error(at, "missing \"for\": how long the step takes");
        good = false;
    }
    return good;
}

static bool steps_read(const struct yaml_record *record, const struct yaml *at, struct ramp *ramp)
{
    size_t count = at->node->child_count;
    if (!yaml_is_list(at)) {
        return false;
    }
    if (count == 0 || count > RAMP_STEPS_MAX) {
        yaml_error(at, "expected 1 to %d steps, found %zu", RAMP_STEPS_MAX, count);
        return false;
    }
    ramp->steps = arena_alloc(record->yz->arena, count * sizeof(*ramp->steps));
    struct yaml step = {0};
    bool good = true;
    while (yaml_next(at, &step)) {
        good &= step_read(&step, ramp, step.node->index + 1 == count);
    }
    return good;
}

static bool abort_read(const struct yaml *at, struct ramp *ramp)
{
    const char *text = yaml_text(at), *rest;
    int64_t billionths;
    if (text == NULL) {
        return false;
    }
    if (!decimal_parse(text, &billionths, &rest) || strcmp(rest, "%") != 0 ||
        billionths > 100 * (int64_t)1000000000) {
        yaml_error(at, "expected a part of the pool's members such as 80%%, found \"%.40s\"", text);
        return false;
    }
    ramp->abort_below_ppm = (uint32_t)(billionths / 100000);
    return true;
}

bool yaml_ramp_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule)
{
    struct yaml child;
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, ramp_keys, ARRAY_SIZE(ramp_keys));
    struct ramp *ramp = arena_alloc(record->yz->arena, sizeof(*ramp));
    ramp->abort_below_ppm = 500000;
    bool good = true;
    if (yaml_get(at, "steps", &child)) {
        good = steps_read(record, &child, ramp);
    } else {
        yaml_error(at, "missing \"steps\"");
        good = false;
    }
    if (yaml_get(at, "start", &child)) {
        good &= start_read(&child, &ramp->start_ns);
    }
    if (yaml_get(at, "abort_below", &child)) {
        good &= abort_read(&child, ramp);
    }
    rule->ramp = ramp;
    rule->share_ppm = RAMP_SHARE_PPM;
    return good;
}
