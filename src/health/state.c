// SPDX-License-Identifier: GPL-3.0-or-later
//
// The machine as a table: what a result leads to, and the gate that must be open for it.
//
// Called by the registry with each result. Every change of state goes through turn(), which knows
// the legal moves; a gate only looks. The rule against flapping is gdnsd's (a counter of failures
// that only a run of clean results clears) with one addition: levels of trust, because a target
// that loses every fifth packet passes any fixed number of clean results sooner or later.
#include "health/state.h"

const char *const check_state_names[3] = {
    [CHECK_UNKNOWN] = "unknown",
    [CHECK_UP] = "up",
    [CHECK_DOWN] = "down",
};

const char *const check_wait_names[CHECK_WAIT_COUNT] = {
    [WAIT_NOTHING] = "",
    [WAIT_RESULTS] = "good results",
    [WAIT_HOLD_DOWN] = "hold-down",
    [WAIT_FAILBACK] = "failback delay",
    [WAIT_OPERATOR] = "operator",
};

enum gate {
    STAY,  // the result confirms the state and ends any run against it
    FIRST, // always open
    RISE,
    FALL
};

static const struct move {
    enum check_state to;
    enum gate gate;
} moves[3][2] = {
    [CHECK_UNKNOWN] = {[VERDICT_BAD] = {CHECK_DOWN, FIRST}, [VERDICT_GOOD] = {CHECK_UP, FIRST}},
    [CHECK_UP] = {[VERDICT_BAD] = {CHECK_DOWN, FALL}, [VERDICT_GOOD] = {CHECK_UP, STAY}},
    [CHECK_DOWN] = {[VERDICT_BAD] = {CHECK_DOWN, STAY}, [VERDICT_GOOD] = {CHECK_UP, RISE}},
};

static bool is_damped(const struct check_spec *spec)
{
    return spec->flap_failures > 0;
}

uint32_t check_rise_needed(const struct check_machine *machine, const struct check_spec *spec)
{
    if (!is_damped(spec) || (machine->level == 0 && !machine->flapping)) {
        return spec->rise;
    }
    uint64_t needed = MAX(spec->flap_rise, spec->rise);
    for (unsigned level = 1; level < machine->level; level++) {
        needed *= FLAP_LEVEL_FACTOR;
    }
    return (uint32_t)MIN(needed, (uint64_t)UINT32_MAX);
}

// --- gates: whether a move is due, after the result was counted

static bool fall_is_due(const struct check_machine *machine, const struct check_spec *spec)
{
    return machine->run >= spec->fall ||
           (is_damped(spec) && machine->failures >= spec->flap_failures);
}

enum check_wait check_waits_for(const struct check_machine *machine, const struct check_spec *spec,
                                int64_t now_ns)
{
    if (machine->state != CHECK_DOWN) {
        return WAIT_NOTHING;
    }
    if (machine->run < check_rise_needed(machine, spec)) {
        return WAIT_RESULTS;
    }
    if (now_ns - machine->fell_ns < spec->hold_down_ns) {
        return WAIT_HOLD_DOWN;
    }
    if (now_ns - machine->good_ns < spec->failback_ns) {
        return WAIT_FAILBACK;
    }
    return spec->failback_manual && !machine->released ? WAIT_OPERATOR : WAIT_NOTHING;
}

// --- moves

static void fall(struct check_machine *machine, const struct check_spec *spec, int64_t now_ns)
{
    // At its first fall the level is 0, whatever risen_ns is.
    const int64_t calm = (now_ns - machine->risen_ns) / FLAP_MEMORY_NS;
    if (machine->has_risen && calm == 0) {
        machine->level = (uint8_t)MIN(machine->level + 1, FLAP_LEVEL_MAX);
    } else {
        machine->level -= (uint8_t)MIN(calm, (int64_t)machine->level);
    }
    machine->flapping = machine->run < spec->fall;
    machine->fell_ns = now_ns;
}

static void turn(struct check_machine *machine, const struct check_spec *spec, enum check_state to,
                 int64_t now_ns)
{
    SP_ASSERT(machine->state != to && to != CHECK_UNKNOWN);
    if (to == CHECK_DOWN && machine->state == CHECK_UP) {
        fall(machine, spec, now_ns);
    } else if (to == CHECK_DOWN) {
        machine->fell_ns = now_ns;
    } else if (machine->state == CHECK_DOWN) {
        machine->has_risen = true;
        machine->risen_ns = now_ns;
    }
    if (to == CHECK_UP) {
        machine->flapping = false;
    }
    machine->state = to;
    machine->run = 0;
    machine->failures = 0;
    machine->released = false;
}

static void count(struct check_machine *machine, const struct check_spec *spec,
                  enum probe_verdict verdict, int64_t now_ns)
{
    if (verdict == VERDICT_BAD) {
        machine->clean = 0;
        machine->failures++;
        return;
    }
    if (machine->clean == 0) {
        machine->good_ns = now_ns;
    }
    machine->clean++;
    if (machine->clean >= spec->flap_clean) {
        machine->failures = 0;
    }
}

bool check_advance(struct check_machine *machine, const struct check_spec *spec,
                   enum probe_verdict verdict, int64_t now_ns, bool may_fall)
{
    SP_ASSERT(machine->state <= CHECK_DOWN);
    if (verdict == VERDICT_NONE) {
        return false;
    }
    const struct move *move = &moves[machine->state][verdict];
    bool due = false;
    count(machine, spec, verdict, now_ns);
    machine->run = move->gate == STAY ? 0 : machine->run + 1;
    switch (move->gate) {
    case STAY:
        break;
    case FIRST:
        due = true;
        break;
    case FALL:
        due = may_fall && fall_is_due(machine, spec);
        break;
    case RISE:
        due = check_waits_for(machine, spec, now_ns) == WAIT_NOTHING;
        break;
    }
    if (due) {
        turn(machine, spec, move->to, now_ns);
    }
    return due;
}

bool check_about_to_fall(const struct check_machine *machine, const struct check_spec *spec)
{
    struct check_machine next = *machine;
    next.run++;
    next.failures++;
    return machine->state == CHECK_UP && fall_is_due(&next, spec);
}

void check_settle(struct check_machine *machine)
{
    machine->run = 0;
    machine->failures = 0;
    machine->clean = 0;
}

// --- the outlook

static uint32_t up_to(uint32_t needed, uint32_t have)
{
    return needed > have ? needed - have : 1; // it waits for something else: the next may do
}

uint32_t check_results_needed(const struct check_machine *machine, const struct check_spec *spec)
{
    if (machine->state == CHECK_UNKNOWN) {
        return 1;
    }
    if (machine->run == 0) {
        return 0;
    }
    if (machine->state == CHECK_DOWN) {
        return up_to(check_rise_needed(machine, spec), machine->run);
    }
    uint32_t in_a_row = up_to(spec->fall, machine->run);
    return is_damped(spec) ? MIN(in_a_row, up_to(spec->flap_failures, machine->failures))
                           : in_a_row;
}

uint32_t check_change_in_s(const struct check_machine *machine, const struct check_spec *spec)
{
    bool failing = machine->state == CHECK_UP && spec->fast_interval_ns > 0;
    int64_t gap_ns = failing ? MIN(spec->fast_interval_ns, spec->interval_ns) : spec->interval_ns;
    unsigned __int128 wait_ns =
        (unsigned __int128)check_results_needed(machine, spec) * (unsigned __int128)gap_ns;
    unsigned __int128 seconds = (wait_ns + NS_PER_SECOND - 1) / NS_PER_SECOND;
    return (uint32_t)MIN(seconds, (unsigned __int128)UINT32_MAX);
}
