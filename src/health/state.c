// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/state.h"

const char *const check_state_names[3] = {
    [CHECK_UNKNOWN] = "unknown",
    [CHECK_UP] = "up",
    [CHECK_DOWN] = "down",
};

enum threshold {
    STAY, // the result confirms the state and ends any run against it
    ONE,
    RISE,
    FALL
};

// The machine: what a result of this verdict leads to, and how many in a row it takes.
static const struct move {
    enum check_state to;
    enum threshold after;
} moves[3][2] = {
    [CHECK_UNKNOWN] = {[VERDICT_BAD] = {CHECK_DOWN, ONE}, [VERDICT_GOOD] = {CHECK_UP, ONE}},
    [CHECK_UP] = {[VERDICT_BAD] = {CHECK_DOWN, FALL}, [VERDICT_GOOD] = {CHECK_UP, STAY}},
    [CHECK_DOWN] = {[VERDICT_BAD] = {CHECK_DOWN, STAY}, [VERDICT_GOOD] = {CHECK_UP, RISE}},
};

static unsigned threshold_count(enum threshold threshold, const struct check_spec *spec)
{
    switch (threshold) {
    case RISE:
        return spec->rise;
    case FALL:
        return spec->fall;
    default:
        return 1;
    }
}

bool check_advance(struct check_machine *machine, const struct check_spec *spec,
                   enum probe_verdict verdict)
{
    SP_ASSERT(machine->state <= CHECK_DOWN);
    if (verdict == VERDICT_NONE) {
        return false;
    }
    const struct move *move = &moves[machine->state][verdict];
    if (move->after == STAY) {
        machine->run = 0;
        return false;
    }
    machine->run++;
    if (machine->run < threshold_count(move->after, spec)) {
        return false;
    }
    machine->state = move->to;
    machine->run = 0;
    return true;
}

unsigned check_results_needed(const struct check_machine *machine, const struct check_spec *spec)
{
    switch (machine->state) {
    case CHECK_UNKNOWN:
        return 1;
    case CHECK_UP:
        return machine->run ? spec->fall - machine->run : 0;
    default:
        return machine->run ? spec->rise - machine->run : 0;
    }
}

uint32_t check_change_in_s(const struct check_machine *machine, const struct check_spec *spec)
{
    unsigned __int128 wait_ns = (unsigned __int128)check_results_needed(machine, spec) *
                                (unsigned __int128)spec->interval_ns;
    unsigned __int128 seconds = (wait_ns + NS_PER_SECOND - 1) / NS_PER_SECOND;
    return (uint32_t)MIN(seconds, (unsigned __int128)UINT32_MAX);
}
