// SPDX-License-Identifier: GPL-3.0-or-later
//
// The policy compiler: steps 2 to 5 of the decision, for every class of clients at once.
//
// For each class it walks the rules that hold it, and for each rule the pool and its fallbacks, to
// the first pool with enough usable members. What comes out is a struct choice: an order, a count,
// a TTL and the finished bytes of each member's record. Equal choices are stored once.
//
// Guarantee: a choice has at least one record unless the policy says `all_down: none` or `servfail`
// or has no member at all. Control thread; the result is immutable.
#include "steer/plan_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "dns/wire.h"

// TTL while everything is down and the answer is a guess: short, so that the recovery is seen.
enum { FAILED_OPEN_TTL_S = 10 };

struct compiler {
    const struct policy *policy;
    const struct health_source *health;
    uint16_t type;
    uint32_t ttl;
    struct plan *plan;
    uint16_t *chosen; // members of the choice being made
    size_t chosen_count;
    int64_t last_good_ns; // when the members that `all_down: last_good` wants went down
};

// --- step 3: which members

static struct member_view view_of(const struct compiler *c, const struct member *member)
{
    if (c->health == NULL) {
        return (struct member_view){.health = HEALTH_UNCHECKED};
    }
    return c->health->view(c->health->state, member);
}

static bool member_is_usable(const struct compiler *c, const struct member *member)
{
    if (member->disabled || member->status != STATUS_OBEY) {
        return !member->disabled && member->status == STATUS_UP;
    }
    enum member_health health = view_of(c, member).health;
    return health == HEALTH_UNCHECKED || health == HEALTH_UP;
}

static bool member_may_ever(const struct member *member)
{
    return !member->disabled && member->status != STATUS_DOWN;
}

// Collects members into `chosen`. Weight 0 means "only when nothing else": those are taken when
// they are all there is.
static size_t choose(struct compiler *c, const struct member *members, size_t count,
                     bool (*accepts)(const struct compiler *, const struct member *))
{
    c->chosen_count = 0;
    for (int spare = 0; spare < 2 && c->chosen_count == 0; spare++) {
        for (size_t i = 0; i < count; i++) {
            if ((members[i].weight == 0) == spare && accepts(c, &members[i])) {
                c->chosen[c->chosen_count++] = (uint16_t)i;
            }
        }
    }
    return c->chosen_count;
}

static bool accept_possible(const struct compiler *c, const struct member *member)
{
    (void)c;
    return member_may_ever(member);
}

static size_t usable_count(const struct compiler *c, const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        count += member_is_usable(c, &pool->members[i]);
    }
    return count;
}

static size_t min_up_of(const struct pool *pool)
{
    size_t wanted = pool->min_up;
    if (pool->min_up_percent) {
        wanted = (pool->member_count * pool->min_up + 99) / 100;
    }
    return MAX(wanted, (size_t)1);
}

// The pool that a chain goes on with, -1 at its end. Chains are free of loops (the readers refuse
// them); the bound is a seat belt.
static int chain_next(const struct compiler *c, int at, size_t *steps)
{
    return ++*steps <= c->policy->pool_count ? c->policy->pools[at].fallback : -1;
}

// First pool of the chain with enough usable members; failing that, the first with any; else -1.
static int pool_of_chain(const struct compiler *c, int first)
{
    int any = -1;
    size_t steps = 0;
    for (int at = first; at >= 0; at = chain_next(c, at, &steps)) {
        const struct pool *pool = &c->policy->pools[at];
        size_t usable = usable_count(c, pool);
        if (usable >= min_up_of(pool)) {
            return at;
        }
        any = any < 0 && usable > 0 ? at : any;
    }
    return any;
}

// --- step 5: TTL

// The sooner of two moments in seconds from now; 0 is never.
static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

// When a check of these members could first change the answer.
static uint32_t change_of_pool(const struct compiler *c, const struct pool *pool)
{
    uint32_t change = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        change = sooner(change, view_of(c, &pool->members[i]).change_in_s);
    }
    return change;
}

// The same for all pools of a chain that `chosen` was taken from: those before it could recover,
// and where it is taken for want of a better one those behind it too.
static uint32_t change_of_chain(const struct compiler *c, int first, int chosen)
{
    uint32_t change = 0;
    size_t steps = 0;
    for (int at = first; at >= 0; at = chain_next(c, at, &steps)) {
        const struct pool *pool = &c->policy->pools[at];
        change = sooner(change, change_of_pool(c, pool));
        if (at == chosen && usable_count(c, pool) >= min_up_of(pool)) {
            break;
        }
    }
    return change;
}

// In the flat form: when a dead line before this rule could live again.
static uint32_t change_of_dead_lines(const struct compiler *c, size_t rule)
{
    uint32_t change = 0;
    for (size_t i = 0; c->policy->form == FORM_FLAT && i < rule; i++) {
        int pool = (int)c->policy->rules[i].pool;
        if (pool_of_chain(c, pool) < 0) {
            change = sooner(change, change_of_chain(c, pool, -1));
        }
    }
    return change;
}

static uint32_t lowered_ttl(const struct compiler *c, uint32_t towards)
{
    uint32_t floor = MIN(c->policy->min_ttl, c->ttl);
    return towards == 0 ? c->ttl : MIN(c->ttl, MAX(floor, towards));
}

// --- step 4 and the bytes

static size_t record_add(struct compiler *c, const struct member *member, uint32_t ttl)
{
    struct plan *plan = c->plan;
    size_t size = 12U + member->rdata_size;
    while (plan->record_capacity - plan->record_size < size) {
        plan->record_capacity = MAX(plan->record_capacity * 2, (size_t)128);
        plan->records = mem_resize(plan->records, plan->record_capacity, 1);
    }
    uint8_t *at = plan->records + plan->record_size;
    put_u16(at, 0xc00c);
    put_u16(at + 2, c->type);
    put_u16(at + 4, CLASS_IN);
    put_u32(at + 6, ttl);
    put_u16(at + 10, member->rdata_size);
    memcpy(at + 12, member->rdata, member->rdata_size);
    plan->record_size += size;
    return plan->record_size - size;
}

// Vose's alias method in integers: columns hold n x weight out of the sum, scaled to 2^32.
static void alias_build(struct choice_member *members, size_t count, uint64_t sum)
{
    uint64_t *left = mem_alloc_array(count, sizeof(*left));
    uint16_t *small = mem_alloc_array(count, sizeof(*small));
    uint16_t *large = mem_alloc_array(count, sizeof(*large));
    size_t small_count = 0, large_count = 0;
    for (size_t i = 0; i < count; i++) {
        left[i] = (uint64_t)members[i].weight * count; // <= 1e6 x 4096
        members[i].cut = UINT32_MAX;
        members[i].alias = (uint16_t)i;
        if (left[i] < sum) {
            small[small_count++] = (uint16_t)i;
        } else {
            large[large_count++] = (uint16_t)i;
        }
    }
    while (small_count > 0 && large_count > 0) {
        uint16_t poor = small[--small_count], rich = large[large_count - 1];
        members[poor].cut = (uint32_t)(((unsigned __int128)left[poor] << 32) / sum);
        members[poor].alias = rich;
        left[rich] -= sum - left[poor];
        if (left[rich] < sum) {
            small[small_count++] = rich;
            large_count--;
        }
    }
    free(left);
    free(small);
    free(large);
}

static size_t answers_of(const struct compiler *c)
{
    size_t wanted = c->policy->answers;
    if (wanted == 0) {
        bool one = c->policy->method == METHOD_WEIGHTED || c->policy->method == METHOD_STICKY;
        wanted = one ? 1 : c->chosen_count;
    }
    bool single = c->type == TYPE_CNAME || c->type == TYPE_DNAME;
    return single ? 1 : MIN(MIN(wanted, c->chosen_count), (size_t)PLAN_ANSWERS_MAX);
}

static void members_add(struct compiler *c, struct choice *choice, const struct member *members)
{
    struct plan *plan = c->plan;
    choice->first_member = (uint32_t)plan->member_count;
    bool all_zero = true;
    for (size_t i = 0; i < c->chosen_count; i++) {
        all_zero &= members[c->chosen[i]].weight == 0;
    }
    for (size_t i = 0; i < c->chosen_count; i++) {
        const struct member *member = &members[c->chosen[i]];
        uint32_t weight = all_zero ? 1 : member->weight;
        MEM_GROW(plan->members, plan->member_count, plan->member_capacity);
        plan->members[plan->member_count++] = (struct choice_member){
            .record_offset = record_add(c, member, choice->ttl),
            .record_size = 12U + member->rdata_size,
            .index = c->chosen[i],
            .pool = choice->pool,
            .weight = weight,
            .identity = hash_bytes(0x7369676e706f7374ULL, member->rdata, member->rdata_size),
        };
        choice->weight_sum += weight;
    }
    if (choice->method == METHOD_WEIGHTED && c->chosen_count > 0) {
        alias_build(plan->members + choice->first_member, c->chosen_count, choice->weight_sum);
    }
}

static uint32_t choice_add(struct compiler *c, const struct choice *choice)
{
    struct plan *plan = c->plan;
    SP_ASSERT(plan->choice_count < NO_CHOICE); // each costs more than 64 bytes
    MEM_GROW(plan->choices, plan->choice_count, plan->choice_capacity);
    plan->choices[plan->choice_count] = *choice;
    return (uint32_t)plan->choice_count++;
}

// Makes a choice of the members in `chosen`.
static uint32_t choice_of_members(struct compiler *c, struct choice choice,
                                  const struct member *members)
{
    choice.kind = PICK_MEMBERS;
    choice.method = (uint8_t)c->policy->method;
    choice.member_count = (uint16_t)c->chosen_count;
    choice.answer_count = (uint16_t)answers_of(c);
    members_add(c, &choice, members);
    return choice_add(c, &choice);
}

// --- step 3, end of the chain: everything is down

// When the last of a pool's members went down; INT64_MIN when it has none that may ever be used.
static int64_t last_good_ns(const struct compiler *c, const struct pool *pool)
{
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < pool->member_count; i++) {
        if (member_may_ever(&pool->members[i])) {
            latest = MAX(latest, view_of(c, &pool->members[i]).since_ns);
        }
    }
    return latest;
}

static bool accept_last_good(const struct compiler *c, const struct member *member)
{
    return member_may_ever(member) && view_of(c, member).since_ns == c->last_good_ns;
}

// The members of the chain that were the last to go down. Their pool, or -1.
static int choose_last_good(struct compiler *c, int first)
{
    int best = -1;
    int64_t latest = INT64_MIN;
    size_t steps = 0;
    for (int at = first; at >= 0; at = chain_next(c, at, &steps)) {
        int64_t since = last_good_ns(c, &c->policy->pools[at]);
        best = since > latest ? at : best;
        latest = MAX(latest, since);
    }
    if (best >= 0) {
        c->last_good_ns = latest;
        const struct pool *pool = &c->policy->pools[best];
        choose(c, pool->members, pool->member_count, accept_last_good);
    }
    return best;
}

// The first pool of the chain with members that may ever be used, all of them; or -1.
static int choose_possible(struct compiler *c, int first)
{
    size_t steps = 0;
    for (int at = first; at >= 0; at = chain_next(c, at, &steps)) {
        const struct pool *pool = &c->policy->pools[at];
        if (choose(c, pool->members, pool->member_count, accept_possible) > 0) {
            return at;
        }
    }
    return -1;
}

static bool values_possible(const struct compiler *c)
{
    for (size_t i = 0; i < c->policy->value_count; i++) {
        if (member_may_ever(&c->policy->values[i])) {
            return true;
        }
    }
    return false;
}

static uint32_t choice_of_values(struct compiler *c, struct choice choice)
{
    choice.pool = NOT_ONE;
    if (choose(c, c->policy->values, c->policy->value_count, accept_possible) > 0) {
        return choice_of_members(c, choice, c->policy->values);
    }
    choice.kind = PICK_NODATA; // a policy without a single possible member
    return choice_add(c, &choice);
}

// Nothing in the chain of this pool is usable: `all_down` decides. What it asks for may not be
// there; then any member of the chain or of the values is better than none.
static uint32_t choice_all_down(struct compiler *c, struct choice choice, size_t first_pool)
{
    enum all_down all_down = c->policy->all_down;
    choice.failed_open = true;
    choice.pool = (uint16_t)first_pool;
    choice.ttl = lowered_ttl(c, FAILED_OPEN_TTL_S);
    if (all_down == ALL_DOWN_NONE || all_down == ALL_DOWN_SERVFAIL) {
        choice.kind = all_down == ALL_DOWN_NONE ? PICK_NODATA : PICK_SERVFAIL;
        return choice_add(c, &choice);
    }
    if (all_down == ALL_DOWN_VALUES && values_possible(c)) {
        return choice_of_values(c, choice);
    }
    int pool = all_down == ALL_DOWN_LAST_GOOD ? choose_last_good(c, (int)first_pool)
                                              : choose_possible(c, (int)first_pool);
    if (pool < 0) {
        return choice_of_values(c, choice);
    }
    choice.pool = (uint16_t)pool;
    return choice_of_members(c, choice, c->policy->pools[pool].members);
}

// --- step 2: which rule

static uint32_t choice_of_rules(struct compiler *c, const uint16_t *rules, size_t count);

// A choice that was made before for the same rule with the same rest, or NO_CHOICE.
static uint32_t choice_find(const struct compiler *c, uint16_t rule, uint32_t otherwise)
{
    for (size_t i = 0; i < c->plan->choice_count; i++) {
        const struct choice *choice = &c->plan->choices[i];
        if (choice->rule == rule && choice->otherwise == otherwise) {
            return (uint32_t)i;
        }
    }
    return NO_CHOICE;
}

static uint32_t choice_of_rule(struct compiler *c, uint16_t rule_index, uint32_t otherwise)
{
    const struct rule *rule = &c->policy->rules[rule_index];
    uint32_t found = choice_find(c, rule_index, otherwise);
    if (found != NO_CHOICE) {
        return found;
    }
    struct choice choice = {
        .rule = rule_index, .share_ppm = rule->share_ppm, .otherwise = otherwise, .ttl = c->ttl};
    int at = pool_of_chain(c, (int)rule->pool);
    if (at < 0) {
        return choice_all_down(c, choice, rule->pool);
    }
    const struct pool *pool = &c->policy->pools[at];
    choice.pool = (uint16_t)at;
    choice.ttl = lowered_ttl(
        c, sooner(change_of_chain(c, (int)rule->pool, at), change_of_dead_lines(c, rule_index)));
    choose(c, pool->members, pool->member_count, member_is_usable);
    return choice_of_members(c, choice, pool->members);
}

// In the flat form a line without a usable row falls through to the client's next broader line.
static size_t skip_dead_lines(const struct compiler *c, const uint16_t *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pool_of_chain(c, (int)c->policy->rules[rules[i]].pool) >= 0) {
            return i;
        }
    }
    return 0; // all are dead: the most specific line fails open
}

static uint32_t choice_of_rules(struct compiler *c, const uint16_t *rules, size_t count)
{
    if (c->policy->form == FORM_FLAT && count > 0) {
        size_t skipped = skip_dead_lines(c, rules, count);
        return choice_of_rule(c, rules[skipped], NO_CHOICE);
    }
    if (count == 0) {
        struct choice none = {
            .rule = NOT_ONE, .share_ppm = SHARE_ALL, .otherwise = NO_CHOICE, .ttl = c->ttl};
        uint32_t found = choice_find(c, NOT_ONE, NO_CHOICE);
        return found != NO_CHOICE ? found : choice_of_values(c, none);
    }
    bool shared = c->policy->rules[rules[0]].share_ppm < SHARE_ALL;
    uint32_t otherwise = shared ? choice_of_rules(c, rules + 1, count - 1) : NO_CHOICE;
    return choice_of_rule(c, rules[0], otherwise);
}

// --- the whole

static size_t members_max(const struct policy *policy)
{
    size_t most = policy->value_count;
    for (size_t i = 0; i < policy->pool_count; i++) {
        most = MAX(most, policy->pools[i].member_count);
    }
    return most;
}

struct plan *plan_compile(const struct policy *policy, uint16_t type, uint32_t ttl,
                          const struct territory *territory, const struct health_source *health,
                          uint64_t sticky_key)
{
    struct plan *plan = mem_alloc(sizeof(*plan));
    plan->territory = territory;
    plan->sticky_key = sticky_key;
    struct compiler c = {
        .policy = policy, .health = health, .type = type, .ttl = ttl, .plan = plan};
    c.chosen = mem_alloc_array(members_max(policy), sizeof(*c.chosen));
    plan->class_count = territory ? territory_class_count(territory) : 1;
    plan->choice_of_class = mem_alloc_array(plan->class_count, sizeof(*plan->choice_of_class));
    if (territory == NULL) {
        uint16_t *all = mem_alloc_array(policy->rule_count, sizeof(*all));
        for (size_t i = 0; i < policy->rule_count; i++) {
            all[i] = (uint16_t)i;
        }
        plan->choice_of_class[0] = choice_of_rules(&c, all, policy->rule_count);
        free(all);
    }
    for (size_t i = 0; territory != NULL && i < plan->class_count; i++) {
        struct territory_class class = territory_class(territory, (uint32_t)i);
        plan->choice_of_class[i] = choice_of_rules(&c, class.rules, class.rule_count);
    }
    free(c.chosen);
    return plan;
}

void plan_free(struct plan *plan)
{
    if (plan == NULL) {
        return;
    }
    free(plan->choice_of_class);
    free(plan->choices);
    free(plan->members);
    free(plan->records);
    free(plan);
}
