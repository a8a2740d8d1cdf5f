// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/history.h"

#define GAP_NS (100 * NS_PER_MS)

const int64_t history_bounds_ns[HISTORY_BOUNDS] = {
    NS_PER_MS,       2 * NS_PER_MS,    5 * NS_PER_MS,    10 * NS_PER_MS,
    20 * NS_PER_MS,  50 * NS_PER_MS,   100 * NS_PER_MS,  200 * NS_PER_MS,
    500 * NS_PER_MS, 1000 * NS_PER_MS, 2000 * NS_PER_MS, 5000 * NS_PER_MS,
};

// Four codes an octave: the exponent and the two bits behind the leading one. 0..3 ns are 0.
static uint8_t latency_code(int64_t latency_ns)
{
    if (latency_ns < 4) {
        return 0;
    }
    unsigned exponent = 63 - (unsigned)__builtin_clzll((unsigned long long)latency_ns);
    return (uint8_t)(exponent << 2 | ((uint64_t)latency_ns >> (exponent - 2) & 3));
}

// The middle of what the code stands for.
static int64_t latency_of(uint8_t code)
{
    unsigned exponent = code >> 2;
    if (exponent < 3) {
        return exponent < 2 ? 0 : 4 + (code & 3);
    }
    return (int64_t)((uint64_t)(8 + 2 * (code & 3) + 1) << (exponent - 3));
}

void history_add(struct history *history, enum probe_reason reason, int64_t latency_ns,
                 int64_t now_ns)
{
    int64_t gap = history->count ? MAX(now_ns - history->newest_ns, 0) / GAP_NS : 0;
    history->entries[history->next] = (struct history_entry){
        .reason = (uint8_t)reason,
        .latency = latency_code(latency_ns),
        .gap = (uint16_t)MIN(gap, (int64_t)UINT16_MAX),
    };
    history->next = (uint8_t)((history->next + 1) % HISTORY_RESULTS_MAX);
    history->count += history->count < HISTORY_RESULTS_MAX;
    history->newest_ns = now_ns;
    if (reason == PROBE_OK) {
        unsigned bar = 0;
        while (bar < HISTORY_BOUNDS && latency_ns > history_bounds_ns[bar]) {
            bar++;
        }
        history->bars[bar]++;
    }
}

struct history_result history_result(const struct history *history, unsigned age)
{
    SP_ASSERT(age < history->count);
    int64_t at_ns = history->newest_ns;
    unsigned place = (history->next + HISTORY_RESULTS_MAX - 1) % HISTORY_RESULTS_MAX;
    for (; age > 0; age--) {
        at_ns -= history->entries[place].gap * GAP_NS;
        place = (place + HISTORY_RESULTS_MAX - 1) % HISTORY_RESULTS_MAX;
    }
    const struct history_entry *entry = &history->entries[place];
    return (struct history_result){entry->reason, latency_of(entry->latency), at_ns};
}
