// SPDX-License-Identifier: GPL-3.0-or-later
//
// Territories: interning by targets, and the classes. The sweep over the address space that fills
// one is in territory_build.c.
//
// The key of a territory is everything that its maps depend on: the form, and of each rule its
// targets, its share, whether it is final and which earlier rule has the same pool (classes that
// lead to the same pools in the same order are one class, so the scope is as wide as the answers
// allow). Owned by the control thread; a territory itself is immutable.
#include "steer/territory_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "steer/rtt.h"
#include "steer/rule.h"

struct territories {
    struct territory *head;
    size_t count;
    uint64_t epoch;  // changes when lines or geo data do; part of every key
    uint64_t number; // of the last one
    const struct rtt *rtt;
};

// A byte string that grows.
struct key {
    uint8_t *bytes;
    size_t size, capacity;
};

static void key_put(struct key *key, const void *bytes, size_t size)
{
    while (key->capacity - key->size < size) {
        key->capacity = MAX(key->capacity * 2, (size_t)256);
        key->bytes = mem_resize(key->bytes, key->capacity, 1);
    }
    if (size > 0) {
        memcpy(key->bytes + key->size, bytes, size);
    }
    key->size += size;
}

static void key_put_u64(struct key *key, uint64_t value)
{
    key_put(key, &value, sizeof(value));
}

static size_t first_rule_of_pool(const struct policy *policy, size_t pool)
{
    size_t i = 0;
    while (policy->rules[i].pool != pool) {
        i++;
    }
    return i;
}

static void key_put_rule(struct key *key, const struct policy *policy, const struct rule *rule)
{
    key_put_u64(key, first_rule_of_pool(policy, rule->pool));
    key_put_u64(key, rule->share_ppm);
    key_put_u64(key, rule->ramp != NULL); // its classes are told from those of other rules
    key_put_u64(key, rule_is_final(policy, rule));
    key_put_u64(key, rule->line_count);
    key_put(key, rule->lines, rule->line_count * sizeof(*rule->lines));
    key_put_u64(key, rule->geo_count);
    for (size_t i = 0; i < rule->geo_count; i++) {
        key_put(key, rule->geos[i], strlen(rule->geos[i]) + 1);
    }
    key_put_u64(key, rule->subnet_count);
    for (size_t i = 0; i < rule->subnet_count; i++) {
        const struct prefix *subnet = &rule->subnets[i];
        key_put(key, &subnet->address.family, 1);
        key_put(key, subnet->address.bytes, sizeof(subnet->address.bytes));
        key_put(key, &subnet->length, 1);
    }
    key_put_u64(key, rule->asn_count);
    key_put(key, rule->asns, rule->asn_count * sizeof(*rule->asns));
}

bool territory_is_ordered(const struct policy *policy)
{
    bool goes = policy_uses(policy, METHOD_NEAREST) || policy_uses(policy, METHOD_FASTEST);
    return goes && policy->site_count > 1;
}

static void key_put_sites(struct key *key, const struct policy *policy, const struct rtt *rtt)
{
    bool fastest = policy_uses(policy, METHOD_FASTEST);
    key_put_u64(key, fastest && rtt ? rtt_version(rtt) : 0);
    size_t count = territory_is_ordered(policy) ? policy->site_count : 0;
    key_put_u64(key, count);
    for (size_t i = 0; i < count; i++) {
        const struct site *site = &policy->sites[i];
        key_put_u64(key, site->located);
        key_put(key, &site->latitude, sizeof(site->latitude));
        key_put(key, &site->longitude, sizeof(site->longitude));
        key_put(key, &site->bias, sizeof(site->bias));
        if (fastest) {
            key_put(key, site->name, strlen(site->name) + 1);
        }
    }
}

static struct key key_make(const struct policy *policy, uint64_t epoch, const struct rtt *rtt)
{
    struct key key = {0};
    key_put_u64(&key, epoch);
    key_put_u64(&key, policy->form == FORM_FLAT);
    key_put_sites(&key, policy, rtt);
    for (size_t i = 0; i < policy->rule_count; i++) {
        key_put_rule(&key, policy, &policy->rules[i]);
    }
    return key;
}

static bool policy_looks_at_client(const struct policy *policy, const struct lines *lines)
{
    if (territory_is_ordered(policy)) {
        return true;
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (!rule_is_for_all(&policy->rules[i], lines)) {
            return true;
        }
    }
    return false;
}

static struct territory *find(struct territories *set, const struct key *key)
{
    uint64_t hash = hash_bytes(0, key->bytes, key->size);
    for (struct territory *at = set->head; at != NULL; at = at->next) {
        if (at->hash == hash && at->key_size == key->size &&
            memcmp(at->key, key->bytes, key->size) == 0) {
            return at;
        }
    }
    return NULL;
}

// Puts a new one into the set, with its first user.
static struct territory *add(struct territories *set, struct territory *territory,
                             const struct key *key)
{
    territory->hash = hash_bytes(0, key->bytes, key->size);
    territory->key = key->bytes;
    territory->key_size = key->size;
    territory->number = ++set->number;
    territory->user_count = 1;
    territory->next = set->head;
    set->head = territory;
    set->count++;
    return territory;
}

struct territory *territory_acquire(struct territories *set, const struct policy *policy,
                                    const struct lines *lines, const struct geo *geo)
{
    if (!policy_looks_at_client(policy, lines)) {
        return NULL;
    }
    struct key key = key_make(policy, set->epoch, set->rtt);
    struct territory *territory = find(set, &key);
    if (territory == NULL) {
        return add(set, territory_build(policy, lines, geo, set->rtt), &key);
    }
    free(key.bytes);
    territory->user_count++;
    return territory;
}

// --- projections

struct projection {
    const uint32_t *group_of_class;
    struct lpm_segment *runs;
    size_t count, capacity;
};

static void visit_class(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    (void)last;
    struct projection *p = context;
    uint32_t group = p->group_of_class[value];
    if (p->count == 0 || p->runs[p->count - 1].value != group) {
        MEM_GROW(p->runs, p->count, p->capacity);
        p->runs[p->count++] = (struct lpm_segment){first, group};
    }
}

static struct territory *projection_build(const struct territory *base,
                                          const uint32_t *group_of_class, size_t group_count)
{
    struct territory *territory = mem_alloc(sizeof(*territory));
    struct lpm *const from[] = {base->ipv4, base->ipv6};
    struct lpm **const to[] = {&territory->ipv4, &territory->ipv6};
    struct projection p = {.group_of_class = group_of_class};
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        p.count = 0;
        lpm_walk(from[i], visit_class, &p);
        *to[i] = lpm_build(p.runs, p.count);
        territory->run_count += p.count;
    }
    free(p.runs);
    territory->classes = mem_alloc_array(group_count, sizeof(*territory->classes));
    territory->class_count = group_count;
    return territory;
}

struct territory *territory_project(struct territories *set, const struct territory *base,
                                    const uint32_t *group_of_class, size_t group_count,
                                    bool may_build)
{
    struct key key = {0};
    key_put_u64(&key, UINT64_MAX); // no epoch
    key_put_u64(&key, base->number);
    key_put(&key, group_of_class, base->class_count * sizeof(*group_of_class));
    struct territory *territory = find(set, &key);
    if (territory == NULL && may_build) {
        return add(set, projection_build(base, group_of_class, group_count), &key);
    }
    free(key.bytes);
    if (territory != NULL) {
        territory->user_count++;
    }
    return territory;
}

size_t territory_run_count(const struct territory *territory)
{
    return territory->run_count;
}

// --- the set

void territory_release(struct territories *set, struct territory *territory)
{
    if (territory == NULL || --territory->user_count > 0) {
        return;
    }
    struct territory **link = &set->head;
    while (*link != territory) {
        link = &(*link)->next;
    }
    *link = territory->next;
    set->count--;
    lpm_free(territory->ipv4);
    lpm_free(territory->ipv6);
    for (size_t i = 0; i < territory->order_count; i++) {
        free(territory->orders[i]);
    }
    free(territory->orders);
    free(territory->classes);
    free(territory->rules);
    free(territory->key);
    free(territory);
}

struct territories *territories_new(void)
{
    return mem_alloc(sizeof(struct territories));
}

void territories_free(struct territories *set)
{
    SP_ASSERT(set->head == NULL);
    free(set);
}

void territories_measure(struct territories *set, const struct rtt *rtt)
{
    set->rtt = rtt;
}

void territories_forget(struct territories *set)
{
    set->epoch++;
}

size_t territories_count(const struct territories *set)
{
    return set->count;
}

size_t territories_size(const struct territories *set)
{
    size_t size = 0;
    for (const struct territory *at = set->head; at != NULL; at = at->next) {
        size += territory_size(at);
    }
    return size;
}

struct territory_match territory_lookup(const struct territory *territory,
                                        const struct address *client)
{
    return territory_find(territory, client);
}

size_t territory_class_count(const struct territory *territory)
{
    return territory->class_count;
}

struct territory_class territory_class(const struct territory *territory, uint32_t index)
{
    SP_ASSERT(index < territory->class_count);
    const struct class_range *range = &territory->classes[index];
    struct territory_class class = {
        0}; // where no rule holds anybody there is no list to point into
    if (range->count > 0) {
        class.rules = territory->rules + range->offset;
        class.rule_count = range->count;
    }
    if (range->order > 0) {
        class.order = territory->orders[range->order - 1];
        class.order_count = territory->site_count;
        class.order_number = range->order;
    }
    return class;
}

void territory_walk(const struct territory *territory, enum family family, lpm_visit *visit,
                    void *context)
{
    lpm_walk(family == FAMILY_IPV4 ? territory->ipv4 : territory->ipv6, visit, context);
}

size_t territory_size(const struct territory *territory)
{
    return sizeof(*territory) + lpm_size(territory->ipv4) + lpm_size(territory->ipv6) +
           territory->key_size + territory->class_count * sizeof(*territory->classes) +
           territory->order_count * territory->site_count * sizeof(**territory->orders);
}
