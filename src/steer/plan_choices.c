// SPDX-License-Identifier: GPL-3.0-or-later
//
// Step 4 of the decision as tables: choices with their members and the bytes of their records.
//
// Each reason to answer (a rule, a pool, what was usable) is a detail; each distinct answer is one
// choice. Lines with equal values so end in one choice: they share its turns, and the scope of the
// answer grows over both (plan.h). Called by the policy compiler; pure.
#include "steer/compiler.h"

#include "base/memory.h"
#include "dns/wire.h"
#include "steer/plan_sticky.h"

#include <string.h>

// --- tables

typedef bool slot_equal(const struct compiler *c, uint32_t number, const void *key);

static uint32_t slots_find(const struct compiler *c, const struct slots *slots, uint64_t hash,
                           slot_equal *equal, const void *key)
{
    for (size_t at = (size_t)hash; slots->size > 0; at++) {
        uint32_t found = slots->items[at & (slots->size - 1)];
        if (found == 0) {
            break;
        }
        if (equal(c, found - 1, key)) {
            return found - 1;
        }
    }
    return NO_CHOICE;
}

typedef uint64_t slot_hash(const struct compiler *c, uint32_t number);

static void slots_put(struct slots *slots, uint64_t hash, uint32_t number)
{
    size_t at = (size_t)hash;
    while (slots->items[at & (slots->size - 1)] != 0) {
        at++;
    }
    slots->items[at & (slots->size - 1)] = number + 1;
}

static void slots_add(const struct compiler *c, struct slots *slots, slot_hash *hash_of,
                      uint32_t number)
{
    if (slots->count * 2 >= slots->size) {
        struct slots old = *slots;
        slots->size = MAX(old.size * 4, (size_t)16);
        slots->items = mem_alloc_array(slots->size, sizeof(*slots->items));
        for (size_t i = 0; i < old.size; i++) {
            if (old.items[i] != 0) {
                slots_put(slots, hash_of(c, old.items[i] - 1), old.items[i] - 1);
            }
        }
        free(old.items);
    }
    slots->count++;
    slots_put(slots, hash_of(c, number), number);
}

void choice_tables_free(struct choice_tables *tables)
{
    free(tables->records.items);
    free(tables->choices.items);
    free(tables->details.items);
}

// --- records

static void record_write(const struct compiler *c, uint8_t *at, const struct member *member,
                         uint32_t ttl)
{
    put_u16(at, 0xc00c);
    put_u16(at + 2, c->type);
    put_u16(at + 4, CLASS_IN);
    put_u32(at + 6, ttl);
    put_u16(at + 10, member->rdata_size);
    memcpy(at + 12, member->rdata, member->rdata_size);
}

struct record_key {
    const struct member *member;
    uint32_t ttl;
};

static bool record_equal(const struct compiler *c, uint32_t number, const void *key)
{
    const struct record_key *wanted = key;
    const struct choice_member *member = &c->plan->members[number];
    const uint8_t *record = c->plan->records + member->record_offset;
    return member->record_size == 12U + wanted->member->rdata_size &&
           get_u32(record + 6) == wanted->ttl &&
           memcmp(record + 12, wanted->member->rdata, wanted->member->rdata_size) == 0;
}

static uint64_t record_hash(const struct compiler *c, uint32_t number)
{
    const struct choice_member *member = &c->plan->members[number];
    const uint8_t *record = c->plan->records + member->record_offset;
    return hash_bytes(get_u32(record + 6), record + 12, member->record_size - 12);
}

static size_t record_add(struct compiler *c, const struct member *member, uint32_t ttl)
{
    struct plan *plan = c->plan;
    size_t size = 12U + member->rdata_size;
    while (plan->record_capacity - plan->record_size < size) {
        plan->record_capacity = MAX(plan->record_capacity * 2, (size_t)128);
        plan->records = mem_resize(plan->records, plan->record_capacity, 1);
    }
    record_write(c, plan->records + plan->record_size, member, ttl);
    plan->record_size += size;
    return plan->record_size - size;
}

void choice_member_add(struct compiler *c, const struct leaf *leaf, uint32_t inner, uint32_t ttl)
{
    struct plan *plan = c->plan;
    if (inner > 0) {
        MEM_GROW(plan->members, plan->member_count, plan->member_capacity);
        plan->members[plan->member_count++] = (struct choice_member){
            .weight = (uint32_t)leaf->weight, .inner = inner, .identity = leaf->identity};
        return;
    }
    struct record_key key = {leaf->member, ttl};
    uint64_t hash = hash_bytes(ttl, leaf->member->rdata, leaf->member->rdata_size);
    uint32_t twin = slots_find(c, &c->tables.records, hash, record_equal, &key);
    MEM_GROW(plan->members, plan->member_count, plan->member_capacity);
    plan->members[plan->member_count++] = (struct choice_member){
        .record_offset = twin != NO_CHOICE ? plan->members[twin].record_offset
                                           : record_add(c, leaf->member, ttl),
        .record_size = 12U + leaf->member->rdata_size,
        .index = leaf->index,
        .pool = leaf->pool,
        .weight = (uint32_t)leaf->weight,
        .identity = leaf->identity ? leaf->identity : member_identity(leaf->member),
    };
    if (twin == NO_CHOICE) {
        slots_add(c, &c->tables.records, record_hash, (uint32_t)plan->member_count - 1);
    }
}

// Vose's alias method in integers: columns hold n x weight out of the sum, scaled to 2^32.
static void alias_build(struct choice_member *members, size_t count, uint64_t sum)
{
    uint64_t *left = mem_alloc_array(count, sizeof(*left));
    uint16_t *small = mem_alloc_array(count, sizeof(*small));
    uint16_t *large = mem_alloc_array(count, sizeof(*large));
    size_t small_count = 0, large_count = 0;
    uint64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        members[i].before = before;
        before += members[i].weight;
        left[i] = (uint64_t)members[i].weight * count; // < 2^32 x 2^12
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

// --- choices

static bool weights_matter(const struct choice *choice)
{
    return choice->method == METHOD_WEIGHTED || choice->method == METHOD_STICKY;
}

static uint64_t choice_hash(const struct compiler *c, uint32_t number)
{
    const struct choice *choice = &c->plan->choices[number];
    uint64_t hash = hash_u64((uint64_t)choice->kind << 32 | choice->ttl, choice->answer_count);
    hash = hash_u64(hash, (uint64_t)choice->share_ppm << 32 | choice->otherwise);
    if (choice->method == METHOD_NESTED) {
        return hash_u64(hash, choice->root);
    }
    for (size_t i = 0; i < choice->member_count; i++) {
        const struct choice_member *member = &c->plan->members[choice->first_member + i];
        uint32_t weight = weights_matter(choice) ? member->weight : 0;
        uint64_t place = method_is_fixed((enum method)choice->method) ? i : 0;
        uint64_t what = member->inner ? ~(uint64_t)member->inner : member->record_offset;
        hash += hash_u64(place << 32 | weight, what); // in any order
    }
    return hash_u64(hash, choice->member_count);
}

static bool same_member(const struct choice *choice, const struct choice_member *x,
                        const struct choice_member *y)
{
    return x->record_offset == y->record_offset && x->inner == y->inner &&
           (!weights_matter(choice) || x->weight == y->weight) &&
           (choice->method != METHOD_STICKY || x->identity == y->identity);
}

// Each of one has a partner of its own in the other: with pools in pools a value may stand in a
// choice more than once.
static bool same_set(const struct choice *choice, const struct choice_member *x,
                     const struct choice_member *y)
{
    uint64_t taken[PLAN_MEMBERS_MAX / 64] = {0};
    for (size_t i = 0; i < choice->member_count; i++) {
        size_t k = i;
        if (taken[k / 64] >> k % 64 & 1 || !same_member(choice, &x[i], &y[k])) {
            for (k = 0; k < choice->member_count &&
                        (taken[k / 64] >> k % 64 & 1 || !same_member(choice, &x[i], &y[k]));) {
                k++;
            }
        }
        bool in_place = !method_is_fixed((enum method)choice->method) || k == i;
        if (k == choice->member_count || !in_place) {
            return false;
        }
        taken[k / 64] |= UINT64_C(1) << k % 64;
    }
    return true;
}

static bool same_method(const struct choice *a, const struct choice *b)
{
    return a->method == b->method ||
           (method_is_fixed((enum method)a->method) && method_is_fixed((enum method)b->method));
}

// Whether two choices of this policy are the same answer, whatever their shares.
static bool same_answer(const struct plan *plan, const struct choice *a, const struct choice *b)
{
    if (a->kind != b->kind || a->ttl != b->ttl || a->answer_count != b->answer_count ||
        a->member_count != b->member_count || a->hashed != b->hashed || !same_method(a, b)) {
        return false;
    }
    if (a->method == METHOD_NESTED) {
        return a->root == b->root;
    }
    return a->member_count == 0 ||
           same_set(a, plan->members + a->first_member, plan->members + b->first_member);
}

static bool choice_equal(const struct compiler *c, uint32_t number, const void *key)
{
    const struct choice *a = &c->plan->choices[number], *b = key;
    return a->share_ppm == b->share_ppm && a->otherwise == b->otherwise &&
           same_answer(c->plan, a, b);
}

static size_t answers_of(const struct compiler *c)
{
    const bool many = c->method == METHOD_STICKY && c->leaves.count > STICKY_MANY;
    return MIN(many ? MIN(c->wanted, (unsigned)STICKY_MANY_ANSWERS) : c->wanted, c->leaves.count);
}

// The leaves of a tree, for explain and simulate. Their number.
static size_t tree_leaves_add(struct compiler *c, const struct leaves *leaves, uint32_t ttl)
{
    size_t count = 0;
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->items[i];
        if (leaf->group != NULL) {
            count += tree_leaves_add(c, &leaf->group->leaves, ttl);
        } else {
            choice_member_add(c, leaf, 0, ttl);
            count++;
        }
    }
    return count;
}

// The effort of drawing through it.
static uint32_t tree_members_add(struct compiler *c, struct choice *choice)
{
    const struct tree tree = tree_add(c, choice->ttl);
    choice->method = METHOD_NESTED;
    choice->root = tree.root;
    choice->hashed = tree.hashed;
    choice->answer_count = (uint16_t)tree.answers;
    choice->first_member = (uint32_t)c->plan->member_count;
    choice->member_count = (uint16_t)tree_leaves_add(c, &c->leaves, choice->ttl);
    return tree.effort;
}

static void members_add(struct compiler *c, struct choice *choice)
{
    if (c->groups != NULL) {
        groups_simplify(c);
        if (groups_need_tree(c)) {
            c->plan->effort_max = MAX(c->plan->effort_max, tree_members_add(c, choice));
            return;
        }
    }
    choice->method = (uint8_t)c->method;
    choice->answer_count = (uint16_t)answers_of(c);
    size_t kept = method_is_fixed(c->method) ? choice->answer_count : c->leaves.count;
    choice->member_count = (uint16_t)kept;
    choice->hashed = c->method == METHOD_STICKY && kept > choice->answer_count;
    choice->first_member = (uint32_t)c->plan->member_count;
    for (size_t i = 0; i < kept; i++) {
        choice_member_add(c, &c->leaves.items[i], 0, choice->ttl);
        choice->weight_sum += c->leaves.items[i].weight;
    }
}

// What draws of members need.
static void members_prepare(struct plan *plan, struct choice *choice)
{
    struct choice_member *members = plan->members + choice->first_member;
    if (choice->method == METHOD_WEIGHTED) {
        alias_build(members, choice->member_count, choice->weight_sum);
    } else if (choice->method == METHOD_STICKY) {
        choice->reach = sticky_prepare(members, choice->member_count, choice->answer_count);
    }
}

// As tests/cost counts them, rounded up.
uint32_t choice_effort(const struct choice *choice)
{
    const uint32_t members = choice->member_count, answers = choice->answer_count;
    switch (choice->method) {
    case METHOD_STICKY:
        return members + 6 * MIN(members, 32U) + 30 * answers;
    case METHOD_WEIGHTED:
        return answers > 1 ? 48 * answers : 0;
    case METHOD_RANDOM:
        return answers > 1 ? members / 4 + 16 * answers : 0;
    default:
        return answers > 8 ? 8 * answers : 0;
    }
}

uint32_t choice_intern(struct compiler *c, const struct choice *choice)
{
    struct plan *plan = c->plan;
    MEM_GROW(plan->choices, plan->choice_count, plan->choice_capacity);
    plan->choices[plan->choice_count] = *choice; // hashed where it will stand
    plan->choices[plan->choice_count].is_one =
        choice->kind == PICK_MEMBERS && choice->answer_count == 1 &&
        choice->share_ppm >= SHARE_ALL && choice->method != METHOD_STICKY &&
        choice->method != METHOD_NESTED;
    uint64_t hash = choice_hash(c, (uint32_t)plan->choice_count);
    uint32_t twin = slots_find(c, &c->tables.choices, hash, choice_equal, choice);
    if (twin != NO_CHOICE) {
        return twin;
    }
    if (choice->member_count > 0) {
        members_prepare(plan, &plan->choices[plan->choice_count]);
    }
    plan->effort_max = MAX(plan->effort_max, choice_effort(choice));
    slots_add(c, &c->tables.choices, choice_hash, (uint32_t)plan->choice_count);
    return (uint32_t)plan->choice_count++;
}

// What is answered for a detail. A share of nobody is none; one of everybody has no others; and
// where those outside a share get the same answer it does not matter.
static void choice_settle(struct compiler *c, struct choice_detail *detail, struct choice *choice)
{
    choice->share_ppm = SHARE_ALL;
    choice->otherwise = NO_CHOICE;
    if (detail->otherwise == NO_CHOICE || detail->share_ppm >= SHARE_ALL) {
        detail->choice = detail->taken = choice_intern(c, choice);
        return;
    }
    uint32_t others = c->plan->details[detail->otherwise].taken;
    const struct choice *other = &c->plan->choices[others];
    if (detail->share_ppm == 0 ||
        (other->share_ppm >= SHARE_ALL && same_answer(c->plan, choice, other))) {
        detail->choice = choice_intern(c, choice);
        detail->taken = others;
        return;
    }
    choice->share_ppm = detail->share_ppm;
    choice->otherwise = others;
    detail->choice = detail->taken = choice_intern(c, choice);
}

// Members that an equal choice has from the same places are not kept twice.
static void members_share(struct plan *plan, struct choice_detail *detail,
                          const struct choice *made)
{
    const struct choice *taken = &plan->choices[detail->choice];
    detail->first_member = made->first_member;
    bool same =
        taken->first_member != made->first_member && taken->member_count == made->member_count;
    for (size_t i = 0; same && i < made->member_count; i++) {
        const struct choice_member *x = &plan->members[taken->first_member + i];
        const struct choice_member *y = &plan->members[made->first_member + i];
        same = x->index == y->index && x->pool == y->pool && x->weight == y->weight &&
               x->record_offset == y->record_offset;
    }
    if (same) {
        detail->first_member = taken->first_member;
        plan->member_count = made->first_member;
    }
}

// --- details

static uint64_t detail_key_hash(const struct choice_detail *detail)
{
    return hash_u64((uint64_t)detail->rule << 32 | detail->otherwise,
                    (uint64_t)detail->share_ppm << 32 | detail->order);
}

static uint64_t detail_hash(const struct compiler *c, uint32_t number)
{
    return detail_key_hash(&c->plan->details[number]);
}

static bool detail_equal(const struct compiler *c, uint32_t number, const void *key)
{
    const struct choice_detail *a = &c->plan->details[number], *b = key;
    return a->rule == b->rule && a->otherwise == b->otherwise && a->order == b->order &&
           a->share_ppm == b->share_ppm;
}

uint32_t choice_find(const struct compiler *c, const struct choice_detail *detail)
{
    return slots_find(c, &c->tables.details, detail_key_hash(detail), detail_equal, detail);
}

uint32_t choice_add(struct compiler *c, struct choice_detail detail, struct choice choice)
{
    struct plan *plan = c->plan;
    detail.method = (uint8_t)c->policy->method;
    if (choice_pick_kind(&choice) == PICK_MEMBERS) {
        detail.method = (uint8_t)c->method; // before it is simplified
        detail.usable_count = (uint32_t)leaves_values(&c->leaves);
        members_add(c, &choice);
    }
    choice_settle(c, &detail, &choice);
    members_share(plan, &detail, &choice);
    SP_ASSERT(plan->detail_count < NO_CHOICE); // each costs memory
    MEM_GROW(plan->details, plan->detail_count, plan->detail_capacity);
    plan->details[plan->detail_count] = detail;
    slots_add(c, &c->tables.details, detail_hash, (uint32_t)plan->detail_count);
    return (uint32_t)plan->detail_count++;
}
