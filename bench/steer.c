// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the policy compiler costs: NAMES steered names with rows on 50 lines each, over real geo
// data. Prints the time of the territory, of compiling all plans, of one member's change, and the
// memory of a name, with distinct policies and with equal ones.
//
// Usage: steer NAMES [DATABASE...]
#include "base/clock.h"
#include "base/memory.h"
#include "dns/types.h"
#include "steer/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINES = 50, CHANGES = 1000 };

static int down = -1; // the check that is down

static struct member_view view(void *state, const struct member *member)
{
    (void)state;
    return (struct member_view){.health = member->check == down ? HEALTH_DOWN : HEALTH_UP};
}

static const struct health_source health = {view, NULL};

static double now_ms(void)
{
    return (double)clock_monotonic_ns(clock_system()) / 1e6;
}

// Lines as a Chinese operator uses them, the most specific first.
static void choose_lines(const struct lines *lines, int chosen[LINES])
{
    size_t count = 0;
    for (int kind = LINE_ISP_REGION; kind >= LINE_DEFAULT; kind--) {
        size_t most = kind == LINE_ISP_REGION ? 8 : kind == LINE_ISP ? 8 : LINES;
        for (size_t i = 0; i < lines_count(lines) && most > 0 && count < LINES; i++) {
            const struct line *line = lines_get(lines, i);
            bool wanted = line->kind == (enum line_kind)kind &&
                          (kind <= LINE_OVERSEAS || strcmp(line->country, "CN") == 0);
            if (wanted && (count + 2 < LINES || kind <= LINE_OVERSEAS)) {
                chosen[count++] = (int)i;
                most--;
            }
        }
    }
    SP_ASSERT(count == LINES);
}

// Two rows a line; the values say which name they are of.
static struct policy make_policy(struct arena *arena, const int *lines, size_t name)
{
    struct policy policy = {.form = FORM_FLAT,
                            .method = METHOD_WEIGHTED,
                            .answers = 1,
                            .min_ttl = 5,
                            .pool_count = LINES,
                            .rule_count = LINES};
    policy.pools = arena_alloc(arena, LINES * sizeof(*policy.pools));
    policy.rules = arena_alloc(arena, LINES * sizeof(*policy.rules));
    for (size_t i = 0; i < LINES; i++) {
        struct member *members = arena_alloc(arena, 2 * sizeof(*members));
        for (size_t k = 0; k < 2; k++) {
            uint8_t rdata[] = {(uint8_t)(name >> 8), (uint8_t)name, (uint8_t)i, (uint8_t)k};
            members[k] = (struct member){.rdata = arena_copy(arena, rdata, sizeof(rdata)),
                                         .rdata_size = sizeof(rdata),
                                         .weight = (uint32_t)k + 1,
                                         .check = (int)(i * 2 + k)};
        }
        policy.pools[i] =
            (struct pool){.fallback = -1, .members = members, .member_count = 2, .min_up = 1};
        policy.rules[i] =
            (struct rule){.pool = i, .lines = &lines[i], .line_count = 1, .share_ppm = 1000000};
    }
    return policy;
}

struct bench {
    struct territories *territories;
    struct plan_shares *shares;
    struct territory *base;
};

// As engine/engine_plans.c does it; returns the projection.
static struct territory *finish(struct bench *bench, struct plan *plan, bool may_build)
{
    uint32_t *groups = mem_alloc_array(territory_class_count(bench->base), sizeof(*groups));
    size_t count = plan_groups(plan, groups);
    struct territory *projection = NULL;
    if (count > 1 && count < territory_class_count(bench->base)) {
        projection = territory_project(bench->territories, bench->base, groups, count, may_build);
    }
    if (projection != NULL || count == 1) {
        plan_project(plan, projection);
    }
    plan_share(bench->shares, plan);
    free(groups);
    return projection;
}

static void compile_all(struct bench *bench, const struct policy *policies, size_t names,
                        const char *what)
{
    struct plan **plans = mem_alloc_array(names, sizeof(*plans));
    struct territory **projections = mem_alloc_array(names, sizeof(*projections));
    double begun = now_ms();
    for (size_t i = 0; i < names; i++) {
        plans[i] = plan_compile(&policies[i], TYPE_A, 60, bench->base, &health, i);
        projections[i] = finish(bench, plans[i], true);
    }
    double took = now_ms() - begun;
    size_t size = 0;
    for (size_t i = 0; i < names; i++) {
        size += plan_size(plans[i]);
    }
    printf("%s: %zu plans in %.0f ms; %zu bytes a name, %zu distinct tables, %zu territories\n",
           what, names, took, size / names, plan_shares_count(bench->shares),
           territories_count(bench->territories));
    for (size_t i = 0; i < names; i++) {
        plan_free(plans[i]);
        territory_release(bench->territories, projections[i]);
    }
    free(plans);
    free(projections);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void change_one(struct bench *bench, const struct policy *policies, size_t names)
{
    double times[CHANGES];
    for (size_t i = 0; i < CHANGES; i++) {
        down = (int)(i % (2 * LINES));
        double begun = now_ms();
        struct plan *plan = plan_compile(&policies[i % names], TYPE_A, 60, bench->base, &health, i);
        struct territory *projection = finish(bench, plan, false);
        times[i] = now_ms() - begun;
        plan_free(plan);
        territory_release(bench->territories, projection);
    }
    down = -1;
    qsort(times, CHANGES, sizeof(*times), compare);
    printf("one member's change: %.1f us (median of %d), %.1f us at the 99th percentile\n",
           1000 * times[CHANGES / 2], CHANGES, 1000 * times[CHANGES * 99 / 100]);
}

int main(int argc, char **argv)
{
    size_t names = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    struct diags diags = {0};
    SP_ASSERT(names > 0);
    struct lines *lines = lines_new(NULL, 0, &diags);
    const struct geo_config config = {.database_paths = (const char *const *)argv + 2,
                                      .database_count = argc > 2 ? (size_t)argc - 2 : 0};
    struct geo *geo = geo_load(&config, lines, &diags);
    int chosen[LINES];
    choose_lines(lines, chosen);
    struct arena *arena = arena_new();
    struct policy *policies = mem_alloc_array(names, sizeof(*policies));
    for (size_t i = 0; i < names; i++) {
        policies[i] = make_policy(arena, chosen, i);
    }
    struct bench bench = {.territories = territories_new(), .shares = plan_shares_new()};
    double begun = now_ms();
    bench.base = territory_acquire(bench.territories, &policies[0], lines, geo);
    printf("territory of %d lines: %.1f ms, %zu classes, %zu runs, %zu bytes\n", LINES,
           now_ms() - begun, territory_class_count(bench.base), territory_run_count(bench.base),
           territory_size(bench.base));
    compile_all(&bench, policies, names, "distinct policies");
    change_one(&bench, policies, names);
    for (size_t i = 1; i < names; i++) {
        policies[i] = policies[0];
    }
    compile_all(&bench, policies, names, "equal policies");
    territory_release(bench.territories, bench.base);
    territories_free(bench.territories);
    plan_shares_free(bench.shares);
    free(policies);
    arena_free(arena);
    geo_free(geo);
    lines_free(lines);
    diags_clear(&diags);
    return 0;
}
