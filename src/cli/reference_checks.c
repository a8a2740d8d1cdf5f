// SPDX-License-Identifier: GPL-3.0-or-later
//
// The page of check kinds, from the tables in zone/check.h and probe/result.h.
#include "cli/reference.h"

#include "base/clock.h"
#include "probe/result.h"
#include "zone/check.h"

#include <stdio.h>

static void print_range(const struct check_option *option)
{
    static const double second = (double)NS_PER_SECOND;
    switch (option->type) {
    case CHECK_OPTION_NUMBER:
        printf("%lld to %lld", (long long)option->least, (long long)option->most);
        break;
    case CHECK_OPTION_BOOL:
        printf("true or false");
        break;
    case CHECK_OPTION_DURATION:
        printf("time, %gs to %gs", (double)option->least / second, (double)option->most / second);
        break;
    case CHECK_OPTION_TEXT:
        printf("text");
        break;
    }
}

static void print_rows(uint32_t kinds, uint32_t but)
{
    printf("| option | value | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < check_option_count; i++) {
        const struct check_option *option = &check_options[i];
        if ((option->kinds & kinds) != kinds || (but && (option->kinds & but) == but)) {
            continue;
        }
        printf("| `%s` | ", option->name);
        print_range(option);
        printf(" | %s | %s |\n", option->preset ? option->preset : "-", option->help);
    }
    printf("\n");
}

static uint32_t probed_kinds(void)
{
    uint32_t kinds = 0;
    for (int kind = 0; kind < CHECK_KIND_COUNT; kind++) {
        kinds |= check_kinds[kind].probed ? 1U << kind : 0;
    }
    return kinds;
}

static bool has_own_rows(uint32_t kind, uint32_t common)
{
    for (size_t i = 0; i < check_option_count; i++) {
        uint32_t kinds = check_options[i].kinds;
        if ((kinds & kind) && (kinds & common) != common) {
            return true;
        }
    }
    return false;
}

static void print_kind(int kind, uint32_t common)
{
    const struct check_kind_info *info = &check_kinds[kind];
    printf("## `%s`\n\n%s", info->name, info->help);
    if (info->port) {
        printf(" Port %u unless `port` says another.", info->port);
    } else if (info->has_port) {
        printf(" `port` must be given.");
    }
    printf("\n\n");
    if (check_kind_is_expression((enum check_kind)kind)) {
        printf("`of` lists the operands: names of checks of `shared.yaml`, or checks.\n\n");
    }
    if (has_own_rows(1U << kind, common)) {
        print_rows(1U << kind, common);
    }
}

void print_checks(void)
{
    uint32_t common = probed_kinds();
    printf("<!-- Made by `signpost reference`; do not edit. -->\n# Kinds of checks\n\n"
           "A check is a mapping under `signpost.check` of a record, or under a name in `checks` "
           "of `shared.yaml`;\nthen `signpost.check` is that name, or a mapping with `use: NAME` "
           "and what differs. `kind` says which\nof these it is. `target: ADDRESS` or "
           "`ADDRESS:PORT` probes that instead of the member's value. Paths are\nrelative to the "
           "document. [guide/health.md](../guide/health.md) is the way in.\n\n"
           "## What all probed kinds have in common\n\n");
    print_rows(common, 0);
    for (int kind = CHECK_NONE + 1; kind < CHECK_KIND_COUNT; kind++) {
        print_kind(kind, common);
    }
    printf("## Reasons\n\nWhat a probe ends with, in `last_result`, in the log and in metrics. "
           "Those that count for nothing\nsay nothing about the target and change no state.\n\n"
           "| reason | counts as | meaning |\n|---|---|---|\n");
    for (int i = 0; i < PROBE_REASON_COUNT; i++) {
        printf("| `%s` | %s | %s |\n", probe_reasons[i].name,
               verdict_names[probe_reasons[i].verdict], probe_reasons[i].help);
    }
}
