// SPDX-License-Identifier: GPL-3.0-or-later
//
// The policy compiler against a model that follows the five steps of docs/architecture.md word by
// word for one client, over random policies and states of health.
#include "world.h"
#include "plans.h"

#include "steer/rule.h"

enum { POOLS = 5, MEMBERS = 6, VALUES = 3, CHECKS = 12, VALUES_POOL = 200 };

static uint64_t dice;

// --- the model

struct outcome {
    enum pick_kind kind;
    bool failed_open;
    int pool;                              // -1: the values
    const struct member *members[MEMBERS]; // in the order of the pool
    size_t count;
};

struct model {
    const struct policy *policy;
    const struct member_view *views;
    struct outcome outcome;
};

static bool usable(const struct model *m, const struct member *member)
{
    if (member->disabled) {
        return false;
    }
    switch (member->status) {
    case STATUS_UP:
        return true;
    case STATUS_DOWN:
        return false;
    default:
        return member->check < 0 || m->views[member->check].health == HEALTH_UP ||
               m->views[member->check].health == HEALTH_UNCHECKED;
    }
}

static bool possible(const struct member *member)
{
    return !member->disabled && member->status != STATUS_DOWN;
}

static int64_t since(const struct model *m, const struct member *member)
{
    return member->check < 0 ? 0 : m->views[member->check].since_ns;
}

static size_t count_usable(const struct model *m, const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        count += usable(m, &pool->members[i]);
    }
    return count;
}

static size_t needed(const struct pool *pool)
{
    size_t least = pool->min_up;
    if (pool->min_up_percent) {
        for (least = 0; least * 100 < pool->min_up * pool->member_count; least++) {
        }
    }
    return least > 0 ? least : 1;
}

static void take(struct outcome *outcome, const struct member *member)
{
    outcome->members[outcome->count++] = member;
}

// Members of weight 0 stand by for when there is nobody else.
static void drop_spares(struct outcome *outcome)
{
    size_t weighty = 0;
    for (size_t i = 0; i < outcome->count; i++) {
        weighty += outcome->members[i]->weight > 0;
    }
    size_t kept = 0;
    for (size_t i = 0; i < outcome->count; i++) {
        if (weighty == 0 || outcome->members[i]->weight > 0) {
            outcome->members[kept++] = outcome->members[i];
        }
    }
    outcome->count = kept;
}

static struct outcome all_possible(const struct member *members, size_t count, int pool)
{
    struct outcome outcome = {.kind = PICK_MEMBERS, .pool = pool};
    for (size_t i = 0; i < count; i++) {
        if (possible(&members[i])) {
            take(&outcome, &members[i]);
        }
    }
    drop_spares(&outcome);
    return outcome;
}

static struct outcome from_values(const struct model *m)
{
    struct outcome outcome = all_possible(m->policy->values, m->policy->value_count, -1);
    outcome.kind = outcome.count > 0 ? PICK_MEMBERS : PICK_NODATA;
    return outcome;
}

static struct outcome last_good(const struct model *m, int first)
{
    int64_t latest = INT64_MIN;
    struct outcome outcome = {.kind = PICK_MEMBERS, .pool = -1};
    for (int at = first; at >= 0; at = m->policy->pools[at].fallback) {
        const struct pool *pool = &m->policy->pools[at];
        for (size_t i = 0; i < pool->member_count; i++) {
            const struct member *member = &pool->members[i];
            if (!possible(member) || since(m, member) < latest ||
                (since(m, member) == latest && outcome.pool != at)) {
                continue;
            }
            if (since(m, member) > latest) {
                latest = since(m, member);
                outcome.count = 0;
                outcome.pool = at;
            }
            take(&outcome, member);
        }
    }
    return outcome;
}

static struct outcome nothing_usable(const struct model *m, int first)
{
    struct outcome outcome = {.kind = PICK_NODATA, .pool = first};
    enum all_down all_down = m->policy->all_down;
    if (all_down == ALL_DOWN_SERVFAIL) {
        outcome.kind = PICK_SERVFAIL;
    } else if (all_down == ALL_DOWN_LAST_GOOD) {
        outcome = last_good(m, first);
        drop_spares(&outcome);
    } else if (all_down == ALL_DOWN_VALUES) {
        outcome = from_values(m);
    }
    bool members = all_down != ALL_DOWN_NONE && all_down != ALL_DOWN_SERVFAIL;
    for (int at = first; members && outcome.count == 0 && at >= 0;
         at = m->policy->pools[at].fallback) {
        outcome = all_possible(m->policy->pools[at].members, m->policy->pools[at].member_count, at);
    }
    if (members && outcome.count == 0) {
        outcome = from_values(m);
    }
    outcome.failed_open = true;
    return outcome;
}

static int chain_pool(const struct model *m, int first)
{
    for (int at = first; at >= 0; at = m->policy->pools[at].fallback) {
        if (count_usable(m, &m->policy->pools[at]) >= needed(&m->policy->pools[at])) {
            return at;
        }
    }
    for (int at = first; at >= 0; at = m->policy->pools[at].fallback) {
        if (count_usable(m, &m->policy->pools[at]) > 0) {
            return at;
        }
    }
    return -1;
}

static struct outcome of_rule(const struct model *m, const struct rule *rule)
{
    int at = chain_pool(m, (int)rule->pool);
    if (at < 0) {
        return nothing_usable(m, (int)rule->pool);
    }
    struct outcome outcome = {.kind = PICK_MEMBERS, .pool = at};
    const struct pool *pool = &m->policy->pools[at];
    for (size_t i = 0; i < pool->member_count; i++) {
        if (usable(m, &pool->members[i])) {
            take(&outcome, &pool->members[i]);
        }
    }
    drop_spares(&outcome);
    return outcome;
}

// `rules` are those that hold the client, in order; `place` is where shares have put it.
static struct outcome model_outcome(const struct model *m, const size_t *rules, size_t count,
                                    uint32_t place)
{
    if (count == 0) {
        return from_values(m);
    }
    const struct rule *all = m->policy->rules;
    if (m->policy->form == FORM_FLAT) {
        for (size_t i = 0; i < count; i++) {
            if (chain_pool(m, (int)all[rules[i]].pool) >= 0) {
                return of_rule(m, &all[rules[i]]);
            }
        }
        return of_rule(m, &all[rules[0]]);
    }
    uint64_t passed = 0;
    for (size_t i = 0; i < count; i++) {
        passed += all[rules[i]].share_ppm;
        if (place < passed) {
            return of_rule(m, &all[rules[i]]);
        }
    }
    return from_values(m);
}

// --- random policies and health

static void random_member(struct world *world, struct member *member)
{
    static const uint32_t weights[] = {0, 0, 1, 1, 2, 7, 1000000};
    member->weight = weights[roll(world, ARRAY_SIZE(weights))];
    member->check = (int)roll(world, CHECKS + 1) - 1;
    member->disabled = roll(world, 6) == 0;
    member->status = (enum member_status)(roll(world, 4) ? STATUS_OBEY : 1 + roll(world, 2));
}

static struct pool random_pool(struct world *world, struct arena *arena, uint8_t number)
{
    const uint32_t weights[MEMBERS] = {0};
    struct pool pool = pool_make(arena, number, weights, roll(world, MEMBERS + 1));
    for (size_t i = 0; i < pool.member_count; i++) {
        random_member(world, &pool.members[i]);
    }
    pool.min_up_percent = roll(world, 3) == 0;
    pool.min_up = roll(world, pool.min_up_percent ? 101 : 5);
    return pool;
}

static struct policy random_policy(struct world *world, struct arena *arena)
{
    static const enum method methods[] = {METHOD_ROTATE, METHOD_RANDOM, METHOD_WEIGHTED,
                                          METHOD_STICKY, METHOD_ORDERED};
    struct policy policy = {.method = methods[roll(world, ARRAY_SIZE(methods))],
                            .answers = roll(world, 4),
                            .all_down = (enum all_down)roll(world, ALL_DOWN_COUNT),
                            .min_ttl = roll(world, 100),
                            .pool_count = 1 + roll(world, POOLS)};
    policy.pools = arena_alloc(arena, policy.pool_count * sizeof(*policy.pools));
    for (size_t i = 0; i < policy.pool_count; i++) {
        policy.pools[i] = random_pool(world, arena, (uint8_t)i);
        unsigned further = (unsigned)(policy.pool_count - i - 1);
        if (further > 0 && roll(world, 3)) {
            policy.pools[i].fallback = (int)(i + 1 + roll(world, further));
        }
    }
    struct pool values = random_pool(world, arena, VALUES_POOL);
    policy.values = values.members;
    policy.value_count = MIN(values.member_count, (size_t)VALUES);
    return policy;
}

static void random_views(struct world *world, struct member_view views[CHECKS])
{
    unsigned badness = roll(world, 5); // from all up to all down
    for (size_t i = 0; i < CHECKS; i++) {
        bool good = roll(world, 5) >= badness;
        views[i].health = good ? HEALTH_UP : roll(world, 3) ? HEALTH_DOWN : HEALTH_UNKNOWN;
        views[i].since_ns = roll(world, 4);
        views[i].change_in_s = roll(world, 3) ? 0 : 1 + roll(world, 100);
    }
}

// --- the comparison

static const struct member *member_of(const struct model *m, unsigned pool, unsigned index)
{
    return pool == VALUES_POOL ? &m->policy->values[index] : &m->policy->pools[pool].members[index];
}

static bool outcome_has(const struct outcome *outcome, const struct member *member)
{
    for (size_t i = 0; i < outcome->count; i++) {
        if (outcome->members[i] == member) {
            return true;
        }
    }
    return false;
}

static size_t answers_expected(const struct policy *policy, size_t members)
{
    size_t wanted = policy->answers;
    if (wanted == 0) {
        bool one = policy->method == METHOD_WEIGHTED || policy->method == METHOD_STICKY;
        wanted = one ? 1 : members;
    }
    return MIN(wanted, members);
}

static void check_records(const struct model *m, const struct outcome *outcome,
                          const struct pick *pick)
{
    assert_int_equal(pick->count, answers_expected(m->policy, outcome->count));
    const struct member *seen[MEMBERS];
    for (size_t i = 0; i < pick->count; i++) {
        unsigned pool, index = record_member(pick, i, &pool);
        const struct member *member = member_of(m, pool, index);
        assert_true(outcome_has(outcome, member));
        for (size_t k = 0; k < i; k++) {
            assert_ptr_not_equal(seen[k], member); // distinct
        }
        seen[i] = member;
        assert_true(m->policy->method != METHOD_ORDERED || member == outcome->members[i]);
    }
}

static void check_view(const struct model *m, const struct plan *plan,
                       const struct outcome *outcome, const struct pick *pick)
{
    struct plan_choice_view view = plan_choice(plan, pick->choice);
    assert_int_equal(view.kind, outcome->kind);
    assert_int_equal(view.failed_open, outcome->failed_open);
    assert_int_equal(view.pool, outcome->pool);
    assert_int_equal(view.member_count, outcome->count);
    assert_int_equal(view.ttl, pick->ttl);
    for (size_t i = 0; i < view.member_count; i++) {
        struct plan_member_view member = plan_choice_member(plan, pick->choice, i);
        const struct member *base =
            member.pool < 0 ? m->policy->values : m->policy->pools[member.pool].members;
        assert_int_equal(member.pool, outcome->pool);
        assert_ptr_equal(&base[member.index], outcome->members[i]);
        uint32_t expected = outcome->members[i]->weight;
        assert_int_equal(member.weight, expected ? expected : 1);
    }
}

// Step 5, as bounds: the RRset's TTL, lowered but not below min_ttl, and at most until the first
// change of a check behind this answer.
static void check_ttl(const struct model *m, const struct outcome *outcome, uint32_t rrset_ttl,
                      uint32_t ttl)
{
    uint32_t floor = MIN(m->policy->min_ttl, rrset_ttl);
    assert_in_range(ttl, floor, rrset_ttl);
    if (outcome->failed_open) {
        assert_int_equal(ttl, MIN(rrset_ttl, MAX(floor, 10)));
        return;
    }
    bool moving = false;
    for (size_t i = 0; i < CHECKS; i++) {
        moving |= m->views[i].change_in_s > 0;
    }
    assert_true(moving || ttl == rrset_ttl);
    for (size_t i = 0; outcome->pool >= 0 && i < m->policy->pools[outcome->pool].member_count;
         i++) {
        int check = m->policy->pools[outcome->pool].members[i].check;
        uint32_t change = check < 0 ? 0 : m->views[check].change_in_s;
        assert_true(change == 0 || ttl <= MAX(floor, change));
    }
}

static bool has_any_member(const struct model *m, const size_t *rules, size_t count)
{
    for (size_t i = 0; i < m->policy->value_count; i++) {
        if (possible(&m->policy->values[i])) {
            return true;
        }
    }
    for (size_t r = 0; r < MIN(count, 1U); r++) {
        for (int at = (int)m->policy->rules[rules[r]].pool; at >= 0;
             at = m->policy->pools[at].fallback) {
            for (size_t i = 0; i < m->policy->pools[at].member_count; i++) {
                if (possible(&m->policy->pools[at].members[i])) {
                    return true;
                }
            }
        }
    }
    return false;
}

static struct outcome check_client(const struct model *m, const struct plan *plan,
                                   uint32_t rrset_ttl, const size_t *rules, size_t count,
                                   const struct address *client)
{
    struct pick pick = pick_once(plan, client, &dice);
    uint32_t place = plan_share_of_client(plan, client);
    struct outcome outcome = model_outcome(m, rules, count, place);
    assert_int_equal(pick.kind, outcome.kind);
    check_view(m, plan, &outcome, &pick);
    check_ttl(m, &outcome, rrset_ttl, pick.ttl);
    if (pick.kind == PICK_MEMBERS) {
        assert_true(pick.count > 0);
        check_records(m, &outcome, &pick);
    } else {
        assert_int_equal(pick.count, 0);
        bool by_policy =
            m->policy->all_down == ALL_DOWN_NONE || m->policy->all_down == ALL_DOWN_SERVFAIL;
        bool shared = count > 0 && m->policy->rules[rules[0]].share_ppm < 1000000;
        assert_true(by_policy || shared || !has_any_member(m, rules, count));
    }
    return outcome;
}

static void test_plans_equal_the_model(void **state)
{
    (void)state;
    struct world world = {.dice = &dice};
    unsigned kinds[3] = {0}, failed_open = 0, fallbacks = 0;
    for (int round = 0; round < 120000; round++) {
        struct arena *arena = arena_new();
        struct policy policy = random_policy(&world, arena);
        policy.form = roll(&world, 2) ? FORM_FLAT : FORM_DYNAMIC;
        struct rule rules[6] = {0};
        size_t all[6];
        policy.rules = rules;
        policy.rule_count = roll(&world, ARRAY_SIZE(rules) + 1);
        for (size_t i = 0; i < policy.rule_count; i++) {
            bool shared = policy.form == FORM_DYNAMIC && roll(&world, 2);
            rules[i].pool = roll(&world, (uint32_t)policy.pool_count);
            rules[i].share_ppm = shared ? 1 + roll(&world, 999999) : 1000000;
            all[i] = i;
        }
        struct member_view views[CHECKS] = {0};
        random_views(&world, views);
        struct health_source health = {view_of_array, views};
        struct model model = {.policy = &policy, .views = views};
        uint32_t ttl = roll(&world, 300);
        struct plan *plan = plan_compile(&policy, TYPE_A, ttl, NULL, &health, random_next(&dice));
        for (unsigned i = 0; i < 3; i++) {
            struct address client = client_ipv4(roll(&world, 1U << 24));
            struct outcome outcome =
                check_client(&model, plan, ttl, all, policy.rule_count, &client);
            kinds[outcome.kind]++;
            failed_open += outcome.failed_open && outcome.kind == PICK_MEMBERS;
            fallbacks += !outcome.failed_open && outcome.pool > 0;
        }
        plan_free(plan);
        arena_free(arena);
    }
    print_message("members %u, nodata %u, servfail %u; failed open %u, other pools %u\n", kinds[0],
                  kinds[1], kinds[2], failed_open, fallbacks);
    assert_true(kinds[0] > 10000 && kinds[1] > 1000 && kinds[2] > 1000);
    assert_true(failed_open > 1000 && fallbacks > 1000);
}

// The same with rules that look at the client, and the rules found by brute force.
static void test_plans_over_territories(void **state)
{
    (void)state;
    struct territories *set = territories_new();
    for (int round = 0; round < 6; round++) {
        struct world world = world_new(&dice, 150);
        for (int i = 0; i < 150; i++) {
            struct arena *arena = arena_new();
            struct policy policy = random_policy(&world, arena);
            random_rules(&world, arena, &policy);
            struct member_view views[CHECKS] = {0};
            random_views(&world, views);
            struct health_source health = {view_of_array, views};
            struct model model = {.policy = &policy, .views = views};
            struct territory *territory = territory_acquire(set, &policy, world.lines, world.geo);
            struct plan *plan =
                plan_compile(&policy, TYPE_A, 60, territory, &health, random_next(&dice));
            for (unsigned k = 0; k < 20; k++) {
                struct prefix prefix = random_prefix(&world);
                size_t rules[16], count = 0;
                for (size_t r = 0; r < policy.rule_count; r++) {
                    if (rule_holds_client(&policy.rules[r], world.lines, world.geo,
                                          &prefix.address)) {
                        rules[count++] = r;
                    }
                }
                check_client(&model, plan, 60, rules, count, &prefix.address);
            }
            plan_free(plan);
            territory_release(set, territory);
            arena_free(arena);
        }
        world_free(&world);
    }
    territories_free(set);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans_equal_the_model),
        cmocka_unit_test(test_plans_over_territories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
