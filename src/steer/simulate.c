// SPDX-License-Identifier: GPL-3.0-or-later
//
// The walk: three lists of runs over one key space (population, classes of the plan, classes of the
// groups), merged once. Cost follows the number of runs, not of addresses.
//
// Weights are doubles: a run that is cut gives each part what its length makes of it. Sums of a few
// million parts keep nine digits, which is more than anybody's counts have.
#include "steer/simulate.h"

#include "base/memory.h"

#include <string.h>

enum { SHARE_ALL = 1000000 };

// --- populations

// The length of a run in units: addresses in IPv4, /48s in IPv6.
static double units(enum family family, uint64_t first, uint64_t last)
{
    double keys = (double)(last - first) + 1;
    return keys / (family == FAMILY_IPV4 ? 0x1p32 : 0x1p16);
}

static void population_add(struct population *population, uint64_t first, uint64_t last,
                           double weight)
{
    MEM_GROW(population->runs, population->count, population->capacity);
    population->runs[population->count++] = (struct population_run){first, last, weight};
}

// What is no public unicast space (RFC 6890, RFC 1112), ascending: first octets and lengths.
static const struct {
    uint32_t first, last;
} special_ipv4[] = {
    {0x00000000, 0x00ffffff}, // 0.0.0.0/8
    {0x0a000000, 0x0affffff}, // 10.0.0.0/8
    {0x64400000, 0x647fffff}, // 100.64.0.0/10
    {0x7f000000, 0x7fffffff}, // 127.0.0.0/8
    {0xa9fe0000, 0xa9feffff}, // 169.254.0.0/16
    {0xac100000, 0xac1fffff}, // 172.16.0.0/12
    {0xc0a80000, 0xc0a8ffff}, // 192.168.0.0/16
    {0xe0000000, 0xffffffff}, // 224.0.0.0/3
};

static void add_public_ipv4(struct population *population)
{
    uint64_t next = 0;
    for (size_t i = 0; i < ARRAY_SIZE(special_ipv4); i++) {
        uint64_t first = (uint64_t)special_ipv4[i].first << 32;
        if (first > next) {
            population_add(population, next, first - 1, units(FAMILY_IPV4, next, first - 1));
        }
        next = ((uint64_t)special_ipv4[i].last + 1) << 32;
    }
}

#define GLOBAL_IPV6_FIRST UINT64_C(0x2000000000000000)
#define GLOBAL_IPV6_LAST  UINT64_C(0x3fffffffffffffff)

// Runs of the geo data that say something, melted together.
struct known {
    const struct geo *geo;
    struct lpm_segment *items; // value: whether the keys from here on are known
    size_t count, capacity;
};

static void known_add(struct known *known, uint64_t first, uint32_t value)
{
    if (known->count > 0 && known->items[known->count - 1].value == value) {
        return;
    }
    MEM_GROW(known->items, known->count, known->capacity);
    known->items[known->count++] = (struct lpm_segment){first, value};
}

static void visit_location(void *context, uint64_t first, uint64_t last, uint32_t id)
{
    (void)last;
    struct known *known = context;
    known_add(known, first, geo_location(known->geo, id)->country[0] != '\0');
}

static void visit_asn(void *context, uint64_t first, uint64_t last, uint32_t asn)
{
    (void)last;
    known_add(context, first, asn != 0);
}

// Adds the stretches that are known. False when there are none.
static bool known_give(const struct known *known, struct population *population)
{
    for (size_t i = 0; i < known->count; i++) {
        uint64_t first = MAX(known->items[i].first, GLOBAL_IPV6_FIRST);
        uint64_t last = i + 1 < known->count ? known->items[i + 1].first - 1 : UINT64_MAX;
        last = MIN(last, GLOBAL_IPV6_LAST);
        if (known->items[i].value && first <= last) {
            population_add(population, first, last, units(FAMILY_IPV6, first, last));
        }
    }
    return population->count > 0;
}

// An ASN is the sign of a network that is there; databases of places give a country to half of all
// that may ever be.
static void add_known_ipv6(struct population *population, const struct geo *geo)
{
    struct known places = {.geo = geo}, asns = {.geo = geo};
    geo_walk_asns(geo, FAMILY_IPV6, visit_asn, &asns);
    if (!known_give(&asns, population)) {
        geo_walk_locations(geo, FAMILY_IPV6, visit_location, &places);
        known_give(&places, population);
    }
    free(places.items);
    free(asns.items);
}

struct population population_of_addresses(const struct geo *geo, enum family family)
{
    struct population population = {.family = family};
    if (family == FAMILY_IPV4) {
        add_public_ipv4(&population);
        return population;
    }
    add_known_ipv6(&population, geo);
    if (population.count == 0) {
        population_add(&population, GLOBAL_IPV6_FIRST, GLOBAL_IPV6_LAST,
                       units(family, GLOBAL_IPV6_FIRST, GLOBAL_IPV6_LAST));
    }
    return population;
}

static int run_compare(const void *a, const void *b)
{
    const struct population_run *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

struct population population_of_networks(enum family family, const struct prefix *networks,
                                         const double *weights, size_t count)
{
    struct population population = {.family = family};
    for (size_t i = 0; i < count; i++) {
        if (networks[i].address.family != family) {
            continue;
        }
        uint64_t first = address_key(&networks[i].address);
        uint64_t last = first | (networks[i].length >= 64 ? 0 : UINT64_MAX >> networks[i].length);
        double length = units(family, first, last);
        population_add(&population, first, last, weights ? weights[i] : MAX(length, 1.0));
    }
    if (population.count > 1) {
        qsort(population.runs, population.count, sizeof(*population.runs), run_compare);
    }
    return population;
}

void population_free(struct population *population)
{
    free(population->runs);
}

double population_weight(const struct population *population)
{
    double sum = 0;
    for (size_t i = 0; i < population->count; i++) {
        sum += population->runs[i].weight;
    }
    return sum;
}

// --- the walk

// The classes of a territory as runs; one run of class 0 when there is none.
struct classes {
    struct lpm_segment *items;
    size_t count, capacity;
};

static void visit_class(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    (void)last;
    struct classes *classes = context;
    MEM_GROW(classes->items, classes->count, classes->capacity);
    classes->items[classes->count++] = (struct lpm_segment){first, value};
}

static struct classes classes_of(const struct territory *territory, enum family family)
{
    struct classes classes = {0};
    if (territory == NULL) {
        visit_class(&classes, 0, UINT64_MAX, 0);
    } else {
        territory_walk(territory, family, visit_class, &classes);
    }
    return classes;
}

// The run that holds the key.
static size_t classes_find(const struct classes *classes, uint64_t key)
{
    size_t low = 0, high = classes->count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (classes->items[middle].first <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t run_last(const struct classes *classes, size_t at)
{
    return at + 1 < classes->count ? classes->items[at + 1].first - 1 : UINT64_MAX;
}

struct walk {
    struct classes plan, groups;
    size_t plan_class_count;
    double *weights; // [class of the groups][class of the plan]
};

static void walk_run(struct walk *walk, const struct population_run *run)
{
    size_t p = classes_find(&walk->plan, run->first), g = classes_find(&walk->groups, run->first);
    double density = run->weight / ((double)(run->last - run->first) + 1);
    for (uint64_t first = run->first;;) {
        uint64_t last = MIN(run_last(&walk->plan, p), run_last(&walk->groups, g));
        last = MIN(last, run->last);
        double weight = density * ((double)(last - first) + 1);
        walk->weights[walk->groups.items[g].value * walk->plan_class_count +
                      walk->plan.items[p].value] += weight;
        if (last == run->last) {
            return;
        }
        p += run_last(&walk->plan, p) == last;
        g += run_last(&walk->groups, g) == last;
        first = last + 1;
    }
}

// The part of a class's clients that each choice gets: shares of a chain lie side by side.
static void settle(const struct plan *plan, size_t choice, double weight, double *weights)
{
    uint32_t left = SHARE_ALL;
    for (int at = (int)choice; at >= 0 && left > 0;) {
        struct plan_choice_view view = plan_choice(plan, (size_t)at);
        uint32_t taken = view.otherwise < 0 ? left : MIN(view.share_ppm, left);
        weights[at] += weight * taken / SHARE_ALL;
        left -= taken;
        at = view.otherwise;
    }
}

// Which groups a class of the groups' territory belongs to.
static struct territory_class groups_of(const struct territory *groups, size_t class_index)
{
    static const uint16_t all[] = {0};
    return groups == NULL ? (struct territory_class){.rules = all, .rule_count = 1}
                          : territory_class(groups, (uint32_t)class_index);
}

static void simulation_add(struct simulation *simulation, const struct plan *plan, size_t group,
                           const double *by_class, size_t class_count)
{
    double *weights = simulation->weights + group * simulation->choice_count;
    for (size_t i = 0; i < class_count; i++) {
        simulation->group_weights[group] += by_class[i];
        if (by_class[i] > 0) {
            settle(plan, plan_class_choice(plan, (uint32_t)i), by_class[i], weights);
        }
    }
}

struct simulation simulate(const struct plan *plan, const struct population *population,
                           const struct territory *groups, size_t group_count)
{
    const struct territory *territory = plan_territory(plan);
    struct simulation simulation = {.choice_count = plan_choice_count(plan),
                                    .group_count = group_count};
    size_t group_classes = groups ? territory_class_count(groups) : 1;
    struct walk walk = {
        .plan = classes_of(territory, population->family),
        .groups = classes_of(groups, population->family),
        .plan_class_count = territory ? territory_class_count(territory) : 1,
    };
    walk.weights = mem_alloc_array(group_classes * walk.plan_class_count, sizeof(double));
    for (size_t i = 0; i < population->count; i++) {
        walk_run(&walk, &population->runs[i]);
    }
    simulation.weights =
        mem_alloc_array((group_count + 1) * simulation.choice_count, sizeof(double));
    simulation.group_weights = mem_alloc_array(group_count + 1, sizeof(double));
    for (size_t i = 0; i < group_classes; i++) {
        const double *by_class = walk.weights + i * walk.plan_class_count;
        struct territory_class class = groups_of(groups, i);
        for (size_t k = 0; k < class.rule_count; k++) {
            simulation_add(&simulation, plan, class.rules[k], by_class, walk.plan_class_count);
        }
        if (class.rule_count == 0) {
            simulation_add(&simulation, plan, group_count, by_class, walk.plan_class_count);
        }
    }
    free(walk.plan.items);
    free(walk.groups.items);
    free(walk.weights);
    return simulation;
}

void simulation_free(struct simulation *simulation)
{
    free(simulation->weights);
    free(simulation->group_weights);
}

struct policy group_policy(struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rules[i].pool = i;      // no two groups lead to the same place
        rules[i].share_ppm = 1; // and none is the last word
    }
    return (struct policy){.form = FORM_DYNAMIC, .rules = rules, .rule_count = count};
}
