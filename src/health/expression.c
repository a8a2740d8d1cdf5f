// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/expression.h"

// Where the check of this definition looks. Checks that look nowhere still need an identity.
static struct address target_of(const struct address *value, const struct check_spec *spec)
{
    if (spec->target.family != FAMILY_NONE) {
        return spec->target;
    }
    return value->family == FAMILY_NONE ? (struct address){.family = FAMILY_IPV6} : *value;
}

// The definition without its target, which is the check's own: so that probes of one target are one
// check, whether it was said there or is the value.
static struct check_spec bare_of(const struct check_spec *spec)
{
    struct check_spec bare = *spec;
    bare.target = (struct address){.family = FAMILY_NONE};
    return bare;
}

int expression_acquire(struct health *health, const struct address *value,
                       const struct check_spec *spec)
{
    struct address target = target_of(value, spec);
    for (size_t i = 0; i < spec->operand_count; i++) {
        expression_acquire(health, &target, spec->operands[i]);
    }
    struct check_spec bare = bare_of(spec);
    return health_acquire(health, &target, &bare);
}

void expression_release(struct health *health, const struct address *value,
                        const struct check_spec *spec)
{
    struct address target = target_of(value, spec);
    for (size_t i = 0; i < spec->operand_count; i++) {
        expression_release(health, &target, spec->operands[i]);
    }
    struct check_spec bare = bare_of(spec);
    int check = health_find(health, &target, &bare);
    SP_ASSERT(check >= 0);
    health_release(health, check);
}

// How many operands must be up.
static unsigned needed(const struct check_spec *spec)
{
    switch (spec->kind) {
    case CHECK_ALL:
        return (unsigned)spec->operand_count;
    case CHECK_AT_LEAST:
        return spec->least;
    default:
        return 1;
    }
}

enum check_state expression_state(const struct health *health, const struct address *value,
                                  const struct check_spec *spec, unsigned *up, unsigned *known)
{
    *up = *known = 0;
    for (size_t i = 0; i < spec->operand_count; i++) {
        struct address target = target_of(value, spec->operands[i]);
        struct check_spec bare = bare_of(spec->operands[i]);
        struct check_view view;
        if (health_view(health, health_find(health, &target, &bare), &view)) {
            *up += view.state == CHECK_UP;
            *known += view.state != CHECK_UNKNOWN;
        }
    }
    unsigned count = (unsigned)spec->operand_count, least = needed(spec);
    enum check_state state = *up >= least                     ? CHECK_UP
                             : *up + (count - *known) < least ? CHECK_DOWN
                                                              : CHECK_UNKNOWN;
    if (spec->kind != CHECK_NOT || state == CHECK_UNKNOWN) {
        return state;
    }
    return state == CHECK_UP ? CHECK_DOWN : CHECK_UP;
}
