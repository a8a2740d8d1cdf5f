// SPDX-License-Identifier: GPL-3.0-or-later
//
// The policy compiler: steps 2 to 5 of the decision, for every class of clients at once.
//
// For each class it walks the rules that hold it; for each rule plan_members.c finds the members
// and plan_choices.c makes a choice of them: an order, a count, a TTL and the finished bytes of
// each member's record. Equal answers are stored once, and classes with equal answers are one for
// the query (plan_groups).
//
// Guarantee: a choice has at least one record unless the policy says `all_down: none` or `servfail`
// or has no member at all. Control thread; the result is immutable.
#include "steer/compiler.h"

#include "base/memory.h"

// TTL while everything is down and the answer is a guess: short, so that the recovery is seen.
enum { FAILED_OPEN_TTL_S = 10 };

// Where nothing is usable nobody is cut into parts: a member that sheds half of its clients stands
// by for all of them.
enum { SHED_LEVEL_BLIND = SHARE_ALL / 2 - 1 };

// --- step 5: TTL

// In the flat form: when a dead line before this rule could live again.
static uint32_t change_of_dead_lines(struct compiler *c, size_t rule)
{
    uint32_t change = 0;
    for (size_t i = 0; c->policy->form == FORM_FLAT && i < rule; i++) {
        int pool = (int)c->policy->rules[i].pool;
        if (members_resolve(c, pool) < 0) {
            change = sooner(change, members_change_in_s(c, pool));
        }
    }
    return change;
}

static uint32_t lowered_ttl(const struct compiler *c, uint32_t towards)
{
    uint32_t floor = MIN(c->policy->min_ttl, c->ttl);
    return towards == 0 ? c->ttl : MIN(c->ttl, MAX(floor, towards));
}

// --- step 3, as it ends

static uint32_t choice_of_values(struct compiler *c, struct choice_detail detail,
                                 struct choice choice)
{
    detail.pool = NOT_ONE;
    size_t count = members_take_values(c, ACCEPT_POSSIBLE);
    count = count > 0 ? count : members_take_values(c, ACCEPT_ANY);
    choice.kind = count > 0 ? PICK_MEMBERS : PICK_NODATA; // a policy without a single member
    return choice_add(c, detail, choice);
}

static bool has_result(const struct compiler *c, const struct member *member)
{
    return members_view(c, member).health != HEALTH_UNKNOWN;
}

// What is said of the members that `all_down` has taken; nothing while all of them wait for their
// first result.
static enum failed_open how_open(const struct compiler *c)
{
    if (!leaves_any(c, &c->leaves, has_result)) {
        return OPEN_NOT;
    }
    return c->policy->all_down == ALL_DOWN_LAST_GOOD ? OPEN_LAST_GOOD : OPEN_ALL;
}

// Nothing in the chain of this pool is usable: `all_down` decides.
static uint32_t choice_all_down(struct compiler *c, struct choice_detail detail,
                                struct choice choice, size_t first_pool)
{
    enum all_down all_down = c->policy->all_down;
    detail.failed_open = true;
    detail.pool = (uint16_t)first_pool;
    choice.ttl = lowered_ttl(c, FAILED_OPEN_TTL_S);
    if (all_down == ALL_DOWN_NONE || all_down == ALL_DOWN_SERVFAIL) {
        choice.kind = all_down == ALL_DOWN_NONE ? PICK_NODATA : PICK_SERVFAIL;
        return choice_add(c, detail, choice);
    }
    int pool = members_take_all_down(c, (int)first_pool);
    detail.pool = pool < 0 ? NOT_ONE : (uint16_t)pool;
    choice.kind = c->leaves.count == 0 ? PICK_NODATA : choice_kind(PICK_MEMBERS, how_open(c));
    return choice_add(c, detail, choice);
}

// --- step 2: which rule

// For `share_ppm` of all clients, at this level of load feedback.
static uint32_t choice_of_part(struct compiler *c, uint16_t rule_index, uint32_t share_ppm,
                               uint32_t level, uint32_t otherwise)
{
    const struct rule *rule = &c->policy->rules[rule_index];
    struct choice_detail detail = {.rule = rule_index,
                                   .share_ppm = share_ppm,
                                   .otherwise = otherwise,
                                   .order = c->class.order_number};
    uint32_t found = choice_find(c, &detail);
    if (found != NO_CHOICE) {
        return found;
    }
    struct choice choice = {.kind = PICK_MEMBERS, .ttl = c->ttl};
    int at = members_resolve(c, (int)rule->pool);
    if (at < 0) {
        return choice_all_down(c, detail, choice, rule->pool);
    }
    detail.pool = (uint16_t)at;
    choice.ttl = lowered_ttl(
        c, sooner(members_change_in_s(c, (int)rule->pool), change_of_dead_lines(c, rule_index)));
    c->shed_level = level;
    members_take(c, at, ACCEPT_USABLE);
    c->shed_level = SHED_LEVEL_BLIND;
    return choice_add(c, detail, choice);
}

static uint32_t part_of(uint32_t level, uint32_t whole_ppm)
{
    return (uint32_t)((uint64_t)level * whole_ppm / SHARE_ALL);
}

// `left_ppm` of all clients are left for a rule without a share. Where members shed, the rule's
// clients are cut into parts by the places that shares go by: the first get the fewest members.
static uint32_t choice_of_rule(struct compiler *c, uint16_t rule_index, uint32_t left_ppm,
                               uint32_t otherwise)
{
    const struct rule *rule = &c->policy->rules[rule_index];
    const uint32_t share_ppm = rule_share_ppm(rule);
    const uint32_t whole_ppm = share_ppm < SHARE_ALL ? share_ppm : left_ppm;
    uint32_t levels[SHED_LEVELS_MAX];
    const int pool = members_resolve(c, (int)rule->pool);
    const size_t count = pool >= 0 ? members_sheds(c, pool, levels) : 0;
    uint32_t end_ppm = share_ppm;
    for (size_t i = count; i > 0; i--) { // the last part first
        const uint32_t begin_ppm = part_of(levels[i - 1], whole_ppm);
        const uint32_t size_ppm = end_ppm == SHARE_ALL ? SHARE_ALL : end_ppm - begin_ppm;
        otherwise = choice_of_part(c, rule_index, size_ppm, levels[i - 1], otherwise);
        end_ppm = begin_ppm;
    }
    return choice_of_part(c, rule_index, end_ppm, 0, otherwise);
}

// In the flat form a line without a usable row falls through to the client's next broader line.
static size_t skip_dead_lines(struct compiler *c, const uint16_t *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (members_resolve(c, (int)c->policy->rules[rules[i]].pool) >= 0) {
            return i;
        }
    }
    return 0; // all are dead: the most specific line fails open
}

static uint32_t choice_of_no_rule(struct compiler *c)
{
    struct choice_detail detail = {.rule = NOT_ONE, .share_ppm = SHARE_ALL, .otherwise = NO_CHOICE};
    struct choice choice = {.ttl = c->ttl};
    uint32_t found = choice_find(c, &detail);
    return found != NO_CHOICE ? found : choice_of_values(c, detail, choice);
}

static uint32_t choice_of_rules(struct compiler *c, const uint16_t *rules, size_t count)
{
    if (c->policy->form == FORM_FLAT && count > 0) {
        return choice_of_rule(c, rules[skip_dead_lines(c, rules, count)], SHARE_ALL, NO_CHOICE);
    }
    // Rules with a share stand before the one that takes the rest: from the last to the first.
    size_t shared = 0;
    uint32_t left_ppm = SHARE_ALL;
    for (; shared < count; shared++) {
        const uint32_t share_ppm = rule_share_ppm(&c->policy->rules[rules[shared]]);
        if (share_ppm >= SHARE_ALL) {
            break;
        }
        left_ppm -= MIN(share_ppm, left_ppm);
    }
    uint32_t detail = shared < count ? choice_of_rule(c, rules[shared], left_ppm, NO_CHOICE)
                                     : choice_of_no_rule(c);
    while (shared-- > 0) {
        detail = choice_of_rule(c, rules[shared], 0, detail);
    }
    return detail;
}

// --- the whole

static void compile_classes(struct compiler *c, const struct territory *territory)
{
    struct plan *plan = c->plan;
    if (territory == NULL) {
        size_t count = c->policy->rule_count;
        uint16_t *all = mem_alloc_array(count, sizeof(*all));
        for (size_t i = 0; i < count; i++) {
            all[i] = (uint16_t)i;
        }
        plan->detail_of_class[0] = choice_of_rules(c, all, count);
        free(all);
        return;
    }
    for (size_t i = 0; i < plan->base_class_count; i++) {
        compiler_class(c, territory_class(territory, (uint32_t)i));
        plan->detail_of_class[i] = choice_of_rules(c, c->class.rules, c->class.rule_count);
    }
}

// Growing arrays keep what they need.
static void plan_trim(struct plan *plan)
{
    plan->choices = mem_resize(plan->choices, plan->choice_count, sizeof(*plan->choices));
    plan->choice_capacity = plan->choice_count;
    plan->details = mem_resize(plan->details, plan->detail_count, sizeof(*plan->details));
    plan->detail_capacity = plan->detail_count;
    plan->members = mem_resize(plan->members, plan->member_count, sizeof(*plan->members));
    plan->member_capacity = plan->member_count;
    plan->records = mem_resize(plan->records, plan->record_size, 1);
    plan->record_capacity = plan->record_size;
}

static void compiler_end(struct compiler *c)
{
    choice_tables_free(&c->tables);
    groups_free(c);
    free(c->leaves.items);
    free(c->place_of);
    free(c->states);
}

// Records of an answer when there are members enough.
static unsigned answers_wanted(const struct policy *policy, uint16_t type)
{
    if (type == TYPE_CNAME || type == TYPE_DNAME) {
        return 1;
    }
    const unsigned usual = method_answers_one(policy->method) ? 1 : PLAN_ANSWERS_MAX;
    return policy->answers == 0 ? usual : MIN(policy->answers, (unsigned)PLAN_ANSWERS_MAX);
}

struct plan *plan_compile(const struct policy *policy, uint16_t type, uint32_t ttl,
                          const struct territory *territory, const struct health_source *health,
                          uint64_t sticky_key)
{
    struct plan *plan = mem_alloc_aligned(sizeof(*plan), CACHE_LINE);
    struct compiler c = {
        .policy = policy, .health = health, .type = type, .ttl = ttl, .plan = plan};
    c.states = mem_alloc_array(policy->pool_count, sizeof(*c.states));
    c.shed_level = SHED_LEVEL_BLIND;
    c.method = policy->method;
    c.wanted = answers_wanted(policy, type);
    plan->sticky_key = sticky_key;
    plan->base = plan->territory = territory;
    plan->base_class_count = plan->class_count = territory ? territory_class_count(territory) : 1;
    plan->detail_of_class = mem_alloc_array(plan->class_count, sizeof(*plan->detail_of_class));
    plan->choice_of_class = mem_alloc_array(plan->class_count, sizeof(*plan->choice_of_class));
    compile_classes(&c, territory);
    for (size_t i = 0; i < plan->class_count; i++) {
        plan->choice_of_class[i] = plan->details[plan->detail_of_class[i]].taken;
    }
    plan_trim(plan);
    compiler_end(&c);
    return plan;
}
