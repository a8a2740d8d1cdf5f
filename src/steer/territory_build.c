// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sweep that turns a policy's targets into one prefix map a family.
//
// Each kind of target becomes a list of runs over the key space, each run with the set of rules
// that it satisfies: locations (lines, countries), ASNs, networks. The lists are merged pairwise by
// set union; the resulting sets become classes, for methods that go by distance together with the
// order of the policy's sites as seen from the location. A sweep costs one pass over the geo data's
// runs (tens of milliseconds for a city database) and happens only when targets or geo data change.
// Control thread; nothing here is kept but the territory.
#include "steer/territory_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "steer/rule.h"
#include "steer/ruleset.h"
#include "steer/site_order.h"

#include <math.h>
#include <string.h>

// Runs of keys, each up to the next one's first; `value` is a rule set.
struct runs {
    struct lpm_segment *items;
    size_t count, capacity;
};

// From a 64-bit key to a number.
struct table {
    uint64_t *keys;
    uint32_t *values; // number + 1; 0: free
    size_t size, count;
};

struct builder {
    const struct policy *policy;
    const struct lines *lines;
    const struct geo *geo;
    const struct rtt *rtt;
    struct rulesets *sets;
    uint32_t for_all;       // rules that hold every client
    uint32_t *location_set; // set of each location id
    struct asn_rule {
        uint32_t asn;
        uint16_t rule;
    } * asn_rules; // ascending by ASN
    size_t asn_rule_count, asn_rule_capacity;
    bool looks_at_locations;
    // Orders of the policy's sites, where its method wants one.
    bool ordered;
    uint32_t *location_order; // of each location id
    struct table order_of_hash;
    // Classes: pairs of set and order, and what they lead to.
    struct table class_of_pair, class_of_hash;
    struct territory *territory;
    size_t rule_capacity, rule_total, class_capacity, order_capacity;
};

// --- tables

static uint32_t *table_find(const struct table *table, uint64_t key)
{
    size_t at = (size_t)hash_u64(0, key);
    while (table->values[at & (table->size - 1)] != 0 &&
           table->keys[at & (table->size - 1)] != key) {
        at++;
    }
    return &table->values[at & (table->size - 1)];
}

// The place of the key's number (number + 1; 0: not there yet), valid until the next call.
static uint32_t *table_slot(struct table *table, uint64_t key)
{
    if (table->count * 2 >= table->size) {
        struct table old = *table;
        table->size = MAX(old.size * 4, (size_t)64);
        table->keys = mem_alloc_array(table->size, sizeof(*table->keys));
        table->values = mem_alloc_array(table->size, sizeof(*table->values));
        for (size_t i = 0; i < old.size; i++) {
            if (old.values[i] != 0) {
                uint32_t *slot = table_find(table, old.keys[i]);
                table->keys[slot - table->values] = old.keys[i];
                *slot = old.values[i];
            }
        }
        free(old.keys);
        free(old.values);
    }
    uint32_t *slot = table_find(table, key);
    if (*slot == 0) {
        table->keys[slot - table->values] = key;
        table->count++; // the caller fills it
    }
    return slot;
}

static void table_free(struct table *table)
{
    free(table->keys);
    free(table->values);
}

static void runs_add(struct runs *runs, uint64_t first, uint32_t value)
{
    if (runs->count > 0 && runs->items[runs->count - 1].value == value) {
        return;
    }
    MEM_GROW(runs->items, runs->count, runs->capacity);
    runs->items[runs->count++] = (struct lpm_segment){first, value};
}

// --- locations

static void locations_prepare(struct builder *b)
{
    size_t count = geo_location_count(b->geo);
    b->location_set = mem_alloc_array(count, sizeof(*b->location_set));
    for (size_t id = 0; id < count; id++) {
        const struct location *location = geo_location(b->geo, (uint32_t)id);
        uint32_t set = b->for_all;
        for (size_t r = 0; r < b->policy->rule_count; r++) {
            if (rule_holds_location(&b->policy->rules[r], b->lines, location)) {
                set = rulesets_with(b->sets, set, (uint16_t)r);
            }
        }
        b->location_set[id] = set;
        b->looks_at_locations |= set != b->for_all;
    }
}

// --- orders of sites

// The number of an order among those that are there, from 1; 0 is no order.
static uint32_t order_intern(struct builder *b, const uint16_t *order)
{
    struct territory *t = b->territory;
    size_t size = t->site_count * sizeof(*order);
    uint64_t hash = hash_bytes(1, order, size);
    for (;; hash++) {
        uint32_t *slot = table_slot(&b->order_of_hash, hash);
        if (*slot == 0) {
            MEM_GROW(t->orders, t->order_count, b->order_capacity);
            t->orders[t->order_count] = mem_copy(order, size);
            *slot = (uint32_t)++t->order_count;
        }
        if (memcmp(t->orders[*slot - 1], order, size) == 0) {
            return *slot;
        }
    }
}

static void orders_prepare(struct builder *b)
{
    const struct policy *policy = b->policy;
    b->ordered = territory_is_ordered(policy);
    if (!b->ordered) {
        return;
    }
    b->territory->site_count = policy->site_count;
    uint16_t *order = mem_alloc_array(policy->site_count, sizeof(*order));
    size_t count = geo_location_count(b->geo);
    b->location_order = mem_alloc_array(count, sizeof(*b->location_order));
    for (size_t id = 0; id < count; id++) {
        const struct location *location = geo_location(b->geo, (uint32_t)id);
        double latitude = (double)location->latitude, longitude = (double)location->longitude;
        if (!isnan(latitude) && !isnan(longitude)) {
            site_order(policy->sites, policy->site_count, latitude, longitude, order);
            b->location_order[id] = order_intern(b, order);
        }
    }
    free(order);
}

static const uint16_t *order_of(void *context, uint32_t number)
{
    const struct builder *b = context;
    return b->territory->orders[number - 1];
}

static uint32_t order_add(void *context, const uint16_t *order)
{
    return order_intern(context, order);
}

// For `fastest`: what was measured goes before distance.
static void orders_measure(struct builder *b, enum family family, struct runs *orders)
{
    if (!policy_uses(b->policy, METHOD_FASTEST) || b->rtt == NULL) {
        return;
    }
    const struct overlay_source source = {b->policy->site_count, order_of, order_add, b};
    size_t count = orders->count;
    struct lpm_segment *runs =
        territory_overlay(&source, b->policy->sites, b->rtt, family, orders->items, &count);
    free(orders->items);
    *orders = (struct runs){.items = runs, .count = count, .capacity = count};
}

struct visit_context {
    struct builder *builder;
    struct runs *runs;
};

static void visit_location(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    (void)last;
    struct visit_context *visit = context;
    runs_add(visit->runs, first, visit->builder->location_set[value]);
}

static void visit_order(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    (void)last;
    struct visit_context *visit = context;
    runs_add(visit->runs, first, visit->builder->location_order[value]);
}

// --- ASNs

static void asn_rule_add(struct builder *b, uint32_t asn, size_t rule)
{
    MEM_GROW(b->asn_rules, b->asn_rule_count, b->asn_rule_capacity);
    b->asn_rules[b->asn_rule_count++] = (struct asn_rule){asn, (uint16_t)rule};
}

static int asn_rule_compare(const void *a, const void *b)
{
    const struct asn_rule *x = a, *y = b;
    return (x->asn > y->asn) - (x->asn < y->asn);
}

static void asns_prepare(struct builder *b)
{
    for (size_t r = 0; r < b->policy->rule_count; r++) {
        const struct rule *rule = &b->policy->rules[r];
        for (size_t i = 0; i < rule->asn_count; i++) {
            asn_rule_add(b, rule->asns[i], r);
        }
        for (size_t i = 0; i < rule->line_count; i++) {
            const struct line *line = lines_get(b->lines, (size_t)rule->lines[i]);
            for (size_t k = 0; k < line->asn_count; k++) {
                asn_rule_add(b, line->asns[k], r);
            }
        }
    }
    if (b->asn_rule_count > 0) {
        qsort(b->asn_rules, b->asn_rule_count, sizeof(*b->asn_rules), asn_rule_compare);
    }
}

static void visit_asn(void *context, uint64_t first, uint64_t last, uint32_t asn)
{
    (void)last;
    struct visit_context *visit = context;
    struct builder *b = visit->builder;
    size_t low = 0, high = b->asn_rule_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (b->asn_rules[middle].asn < asn) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t set = 0;
    for (; low < b->asn_rule_count && b->asn_rules[low].asn == asn; low++) {
        set = rulesets_with(b->sets, set, b->asn_rules[low].rule);
    }
    runs_add(visit->runs, first, set);
}

// --- networks

// Key intervals of the networks of one rule, in one family.
struct intervals {
    struct interval {
        uint64_t first, last;
    } * items;
    size_t count, capacity;
};

static void interval_add(struct intervals *intervals, enum family family,
                         const struct prefix *network)
{
    if (network->address.family != family) {
        return;
    }
    uint64_t first = address_key(&network->address);
    unsigned bits = MIN(network->length, 64);
    uint64_t size_mask = bits == 64 ? 0 : UINT64_MAX >> bits;
    MEM_GROW(intervals->items, intervals->count, intervals->capacity);
    intervals->items[intervals->count++] = (struct interval){first, first | size_mask};
}

static int interval_compare(const void *a, const void *b)
{
    const struct interval *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void intervals_of_rule(const struct builder *b, enum family family, const struct rule *rule,
                              struct intervals *intervals)
{
    for (size_t i = 0; i < rule->subnet_count; i++) {
        interval_add(intervals, family, &rule->subnets[i]);
    }
    for (size_t i = 0; i < rule->line_count; i++) {
        const struct line *line = lines_get(b->lines, (size_t)rule->lines[i]);
        for (size_t k = 0; k < line->network_count; k++) {
            interval_add(intervals, family, &line->networks[k]);
        }
    }
    if (intervals->count > 0) {
        qsort(intervals->items, intervals->count, sizeof(*intervals->items), interval_compare);
    }
}

// Runs of one rule's networks: its set inside, the empty set outside. Overlaps melt together.
static struct runs networks_of_rule(struct builder *b, enum family family, size_t r)
{
    struct intervals intervals = {0};
    intervals_of_rule(b, family, &b->policy->rules[r], &intervals);
    uint32_t inside = rulesets_with(b->sets, 0, (uint16_t)r);
    struct runs runs = {0};
    uint64_t next = 0; // first key that no interval so far covers
    bool covered_all = false;
    for (size_t i = 0; i < intervals.count && !covered_all; i++) {
        const struct interval *interval = &intervals.items[i];
        if (interval->first > next) {
            runs_add(&runs, next, 0);
        }
        if (interval->last >= next) {
            runs_add(&runs, MAX(interval->first, next), inside);
            covered_all = interval->last == UINT64_MAX;
            next = interval->last + 1;
        }
    }
    if (!covered_all) {
        runs_add(&runs, next, 0);
    }
    free(intervals.items);
    return runs;
}

// into := union of both, run by run. Frees `with`.
static void runs_merge(struct builder *b, struct runs *into, struct runs *with)
{
    struct runs merged = {0};
    for (size_t i = 0, k = 0; i < into->count || k < with->count;) {
        uint64_t next_i = i < into->count ? into->items[i].first : UINT64_MAX;
        uint64_t next_k = k < with->count ? with->items[k].first : UINT64_MAX;
        uint64_t first = MIN(next_i, next_k);
        i += i < into->count && next_i == first;
        k += k < with->count && next_k == first;
        SP_ASSERT(i > 0 && k > 0); // both begin at key 0
        runs_add(&merged, first,
                 rulesets_union(b->sets, into->items[i - 1].value, with->items[k - 1].value));
    }
    free(into->items);
    free(with->items);
    *into = merged;
    *with = (struct runs){0};
}

// --- classes

static bool class_leads_to(const struct builder *b, const struct class_range *range,
                           const uint16_t *rules, size_t count, uint32_t order)
{
    const struct rule *all = b->policy->rules;
    if (range->count != count || range->order != order) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct rule *x = &all[b->territory->rules[range->offset + i]], *y = &all[rules[i]];
        if (x->pool != y->pool || x->share_ppm != y->share_ppm || x->ramp != y->ramp) {
            return false; // each ramp has a timetable of its own
        }
    }
    return true;
}

static uint64_t class_hash(const struct builder *b, const uint16_t *rules, size_t count,
                           uint32_t order)
{
    uint64_t hash = hash_u64(order, count);
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &b->policy->rules[rules[i]];
        hash = hash_u64(hash, (uint64_t)rule->pool << 32 | rule->share_ppm);
    }
    return hash;
}

static uint32_t class_intern(struct builder *b, const uint16_t *rules, size_t count, uint32_t order)
{
    struct territory *t = b->territory;
    uint64_t hash = class_hash(b, rules, count, order);
    uint32_t *slot;
    for (;; hash++) {
        slot = table_slot(&b->class_of_hash, hash);
        if (*slot == 0) {
            break;
        }
        if (class_leads_to(b, &t->classes[*slot - 1], rules, count, order)) {
            return *slot - 1;
        }
    }
    MEM_GROW(t->classes, t->class_count, b->class_capacity);
    t->classes[t->class_count] =
        (struct class_range){(uint32_t)b->rule_total, (uint32_t)count, order};
    for (size_t i = 0; i < count; i++) {
        MEM_GROW(t->rules, b->rule_total, b->rule_capacity);
        t->rules[b->rule_total++] = rules[i];
    }
    *slot = (uint32_t)++t->class_count;
    return *slot - 1;
}

// The rules of a set that can still decide: those up to the first that surely does. In the flat
// form a line whose members may all go down falls through.
static uint32_t class_of(struct builder *b, uint32_t set, uint32_t order)
{
    uint32_t *known = table_slot(&b->class_of_pair, (uint64_t)set << 32 | order);
    if (*known == 0) {
        size_t count;
        const uint16_t *rules = rulesets_rules(b->sets, set, &count);
        for (size_t i = 0; i < count; i++) {
            if (rule_is_final(b->policy, &b->policy->rules[rules[i]])) {
                count = i + 1;
            }
        }
        *known = class_intern(b, rules, count, order) + 1;
    }
    return *known - 1;
}

// Runs of classes, from the runs of rule sets and those of orders.
static void classes_add(struct builder *b, const struct runs *sets, const struct runs *orders,
                        struct runs *classes)
{
    for (size_t i = 0, k = 0; i < sets->count || k < orders->count;) {
        uint64_t next_i = i < sets->count ? sets->items[i].first : UINT64_MAX;
        uint64_t next_k = k < orders->count ? orders->items[k].first : UINT64_MAX;
        uint64_t first = MIN(next_i, next_k);
        i += i < sets->count && next_i == first;
        k += k < orders->count && next_k == first;
        SP_ASSERT(i > 0 && k > 0); // both begin at key 0
        runs_add(classes, first, class_of(b, sets->items[i - 1].value, orders->items[k - 1].value));
    }
}

static struct lpm *build_family(struct builder *b, enum family family)
{
    struct runs runs = {0}, asns = {0}, orders = {0}, classes = {0}, networks;
    struct visit_context visit = {b, &runs};
    if (b->looks_at_locations) {
        geo_walk_locations(b->geo, family, visit_location, &visit);
    } else {
        runs_add(&runs, 0, b->for_all);
    }
    if (b->asn_rule_count > 0) {
        visit.runs = &asns;
        geo_walk_asns(b->geo, family, visit_asn, &visit);
        runs_merge(b, &runs, &asns);
    }
    for (size_t r = 0; r < b->policy->rule_count; r++) {
        networks = networks_of_rule(b, family, r);
        if (networks.count > 1 || networks.items[0].value != 0) {
            runs_merge(b, &runs, &networks);
        }
        free(networks.items);
    }

    if (b->ordered) {
        visit.runs = &orders;
        geo_walk_locations(b->geo, family, visit_order, &visit);
        orders_measure(b, family, &orders);
    } else {
        runs_add(&orders, 0, 0);
    }
    classes_add(b, &runs, &orders, &classes);
    b->territory->run_count += classes.count;
    struct lpm *map = lpm_build(classes.items, classes.count);
    free(runs.items);
    free(orders.items);
    free(classes.items);
    return map;
}

struct territory *territory_build(const struct policy *policy, const struct lines *lines,
                                  const struct geo *geo, const struct rtt *rtt)
{
    struct builder b = {.policy = policy, .lines = lines, .geo = geo, .rtt = rtt};
    b.sets = rulesets_new(policy->rule_count);
    b.territory = mem_alloc(sizeof(*b.territory));
    for (size_t r = 0; r < policy->rule_count; r++) {
        if (rule_is_for_all(&policy->rules[r], lines)) {
            b.for_all = rulesets_with(b.sets, b.for_all, (uint16_t)r);
        }
    }
    locations_prepare(&b);
    orders_prepare(&b);
    asns_prepare(&b);
    b.territory->ipv4 = build_family(&b, FAMILY_IPV4);
    b.territory->ipv6 = build_family(&b, FAMILY_IPV6);
    rulesets_free(b.sets);
    free(b.location_set);
    free(b.location_order);
    free(b.asn_rules);
    table_free(&b.order_of_hash);
    table_free(&b.class_of_pair);
    table_free(&b.class_of_hash);
    return b.territory;
}
