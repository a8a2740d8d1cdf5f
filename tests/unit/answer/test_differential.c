// SPDX-License-Identifier: GPL-3.0-or-later
//
// Random zones, some within others, asked for every kind of name, against a resolver that follows
// RFC 1034 section 4.3.2, RFC 4592 and RFC 6672 on lists of text: slow, and by another road.
#include "ask.h"

enum { RECORDS_MAX = 120, ZONES_MAX = 4, STEPS_MAX = 9, TEXT_MAX = 320 };

static uint64_t dice;

struct item {
    char owner[TEXT_MAX], type[8], rdata[TEXT_MAX];
};

struct model_zone {
    char apex[32];
    struct item items[RECORDS_MAX];
    size_t count;
    bool served;
};

struct world {
    struct model_zone zones[ZONES_MAX];
};

// --- names as text

static const char *parent_of(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot[1] ? dot + 1 : ".";
}

static bool is_within(const char *name, const char *above)
{
    for (;; name = parent_of(name)) {
        if (strcmp(name, above) == 0) {
            return true;
        }
        if (strcmp(name, ".") == 0) {
            return false;
        }
    }
}

static void random_name_below(const char *apex, unsigned depth, char *name, size_t size)
{
    static const char *const labels[] = {"a", "b", "c", "*", "a", "b"};
    name[0] = '\0';
    for (; depth > 0; depth--) {
        size_t used = strlen(name);
        snprintf(name + used, size - used, "%s.", labels[random_below(&dice, ARRAY_SIZE(labels))]);
    }
    size_t used = strlen(name);
    snprintf(name + used, size - used, "%s", apex);
}

// --- one zone as a list

static const struct item *item_at(const struct model_zone *zone, const char *owner,
                                  const char *type)
{
    for (size_t i = 0; i < zone->count; i++) {
        const struct item *item = &zone->items[i];
        if (strcmp(item->owner, owner) == 0 && (!type || strcmp(item->type, type) == 0)) {
            return item;
        }
    }
    return NULL;
}

// Owners, and the empty non-terminals above them.
static bool name_exists(const struct model_zone *zone, const char *name)
{
    for (size_t i = 0; i < zone->count; i++) {
        if (is_within(zone->items[i].owner, name) && is_within(name, zone->apex)) {
            return true;
        }
    }
    return false;
}

static bool is_cut(const struct model_zone *zone, const char *name)
{
    return strcmp(name, zone->apex) != 0 && strncmp(name, "*.", 2) != 0 &&
           item_at(zone, name, "NS") != NULL;
}

// The highest name from below the apex down to `name` (and the apex for a DNAME) at which the way
// down ends; NULL when it does not.
static const char *barrier(const struct model_zone *zone, const char *name, bool itself)
{
    const char *found = NULL;
    for (const char *at = name;; at = parent_of(at)) {
        if ((at != name || itself) && is_cut(zone, at)) {
            found = at;
        }
        if (at != name && item_at(zone, at, "DNAME")) {
            found = at;
        }
        if (strcmp(at, zone->apex) == 0) {
            return found;
        }
    }
}

static void add(struct model_zone *zone, const char *owner, const char *type, const char *rdata)
{
    if (zone->count == RECORDS_MAX) {
        return;
    }
    struct item *item = &zone->items[zone->count++];
    snprintf(item->owner, sizeof(item->owner), "%s", owner);
    snprintf(item->type, sizeof(item->type), "%s", type);
    snprintf(item->rdata, sizeof(item->rdata), "%s", rdata);
}

#define DIGEST "1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void add_owner(struct model_zone *zone, const char *owner)
{
    char target[TEXT_MAX - 3], mx[TEXT_MAX], address[16];
    random_name_below("t.", 1 + random_below(&dice, 4), target, sizeof(target));
    if (random_below(&dice, 8) == 0) {
        snprintf(target, sizeof(target), "out.invalid.");
    }
    snprintf(mx, sizeof(mx), "10 %s", target);
    snprintf(address, sizeof(address), "192.0.2.%u", random_below(&dice, 256));
    switch (random_below(&dice, 9)) {
    case 0:
    case 1:
        add(zone, owner, "CNAME", target);
        break;
    case 2:
        add(zone, owner, "NS", target);
        if (random_below(&dice, 2)) {
            add(zone, owner, "DS", DIGEST);
        } else {
            add(zone, owner, "A", address);
        }
        break;
    case 3:
        add(zone, owner, "DNAME", target);
        break;
    case 4:
        add(zone, owner, "MX", mx);
        break;
    case 5:
        add(zone, owner, "TXT", "\"text\"");
        add(zone, owner, "A", address);
        break;
    default:
        add(zone, owner, "A", address);
    }
}

// Random owners that zone_finish accepts: nothing below a DNAME, no DNAME at the apex.
static void zone_fill(struct model_zone *zone, const char *apex)
{
    snprintf(zone->apex, sizeof(zone->apex), "%s", apex);
    zone->count = 0;
    add(zone, apex, "NS", "ns.nowhere.invalid.");
    for (unsigned i = 2 + random_below(&dice, 25); i > 0; i--) {
        char owner[TEXT_MAX];
        random_name_below(apex, 1 + random_below(&dice, 3), owner, sizeof(owner));
        bool possible = zone->count < RECORDS_MAX - 2 && !item_at(zone, owner, NULL);
        for (size_t k = 0; possible && k < zone->count; k++) {
            possible = !(strcmp(zone->items[k].type, "DNAME") == 0 &&
                         is_within(owner, zone->items[k].owner));
        }
        size_t before = zone->count;
        if (!possible) {
            continue;
        }
        add_owner(zone, owner);
        if (strcmp(zone->items[before].type, "DNAME") == 0 && before > 0) {
            for (size_t k = 0; k < before; k++) {
                if (is_within(zone->items[k].owner, owner)) {
                    zone->count = before;
                }
            }
        }
    }
}

static struct zone *zone_build(const struct model_zone *zone)
{
    char *lines = mem_alloc(RECORDS_MAX * 2 * TEXT_MAX);
    size_t used = 0;
    for (size_t i = 1; i < zone->count; i++) { // the apex's NS comes from the defaults
        used += (size_t)snprintf(lines + used, 2 * TEXT_MAX, "%s 60 %s %s\n", zone->items[i].owner,
                                 zone->items[i].type, zone->items[i].rdata);
    }
    struct zone *built = zone_of(zone->apex, lines);
    free(lines);
    return built;
}

// --- the slow resolver

struct expected {
    const char *rcode;
    bool aa;
    char *lines[SECTIONS][64];
    size_t counts[SECTIONS];
    unsigned links;
};

static void put(struct expected *e, int section, const char *owner, unsigned ttl, const char *type,
                const char *rdata)
{
    char line[3 * TEXT_MAX];
    snprintf(line, sizeof(line), "%s %u %s %s", owner, ttl, type, rdata);
    e->lines[section][e->counts[section]++] = mem_strdup(line);
}

// The zone that answers for a name; the child's for DS only if the parent does not know the name.
static const struct model_zone *zone_for(const struct world *world, const char *name, bool ds)
{
    const struct model_zone *best = NULL, *above = NULL;
    for (size_t i = 0; i < ZONES_MAX; i++) { // each deeper than the last
        const struct model_zone *zone = &world->zones[i];
        if (zone->served && is_within(name, zone->apex)) {
            above = best;
            best = zone;
        }
    }
    bool at_apex = best != NULL && strcmp(best->apex, name) == 0;
    if (ds && at_apex && above != NULL && name_exists(above, name) &&
        !barrier(above, name, false)) {
        return above;
    }
    return best;
}

static void put_soa(struct expected *e, const struct model_zone *zone)
{
    put(e, 1, zone->apex, 300, "SOA",
        "ns.nowhere.invalid. hostmaster.nowhere.invalid. 1 7200 900 1209600 300");
}

static unsigned ttl_of(const struct model_zone *zone, const struct item *item)
{
    return item == &zone->items[0] ? 300 : 60;
}

static void put_host(struct expected *e, const struct model_zone *zone, const char *host)
{
    const struct item *a = item_at(zone, host, "A");
    if (a != NULL) {
        put(e, 2, host, 60, "A", a->rdata);
    }
}

static void slow_refer(struct expected *e, const struct model_zone *zone, const char *cut)
{
    const struct item *ns = item_at(zone, cut, "NS");
    e->aa = e->counts[0] > 0;
    put(e, 1, cut, 60, "NS", ns->rdata);
    put_host(e, zone, ns->rdata);
}

// Answers from the records at `node` as if its name were `name`. True: goes on at *next.
static bool slow_answer(struct expected *e, const struct model_zone *zone,
                        const struct model_zone *first, const char *node, const char *name,
                        const char *type, char next[TEXT_MAX])
{
    const struct item *item = item_at(zone, node, type);
    const struct item *cname = item_at(zone, node, "CNAME");
    bool at_apex = strcmp(node, zone->apex) == 0;
    if (strcmp(type, "ANY") == 0 && cname != NULL) {
        put(e, 0, name, 60, "CNAME", cname->rdata);
        return false;
    }
    if (strcmp(type, "ANY") == 0 && (item_at(zone, node, NULL) || at_apex)) {
        put(e, 0, name, 3600, "HINFO", "\"RFC8482\" \"\"");
        return false;
    }
    if (item == NULL && strcmp(type, "SOA") == 0 && at_apex) {
        put_soa(e, zone);
        e->lines[0][e->counts[0]++] = e->lines[1][--e->counts[1]];
        return false;
    }
    if (item == NULL && cname != NULL) {
        put(e, 0, name, 60, "CNAME", cname->rdata);
        snprintf(next, TEXT_MAX, "%s", cname->rdata);
        return true;
    }
    if (item == NULL) {
        put_soa(e, first);
        return false;
    }
    put(e, 0, name, ttl_of(zone, item), type, item->rdata);
    if (strcmp(type, "MX") == 0 || strcmp(type, "NS") == 0) {
        put_host(e, zone, type[0] == 'M' ? item->rdata + 3 : item->rdata);
    }
    return false;
}

static bool line_is_new(const struct expected *e, const char *owner, const char *type)
{
    char head[2 * TEXT_MAX];
    snprintf(head, sizeof(head), "%s 60 %s ", owner, type);
    for (size_t i = 0; i < e->counts[0]; i++) {
        if (strncmp(e->lines[0][i], head, strlen(head)) == 0) {
            return false;
        }
    }
    return true;
}

static bool slow_step(struct expected *e, const struct world *world,
                      const struct model_zone **first, const char *name, const char *type,
                      char next[TEXT_MAX])
{
    bool ds = strcmp(type, "DS") == 0;
    const struct model_zone *zone = zone_for(world, name, ds);
    if (*first == NULL) {
        *first = zone;
        e->rcode = zone ? "NOERROR" : "REFUSED";
        e->aa = zone != NULL;
    }
    if (zone == NULL || zone != *first || !line_is_new(e, name, "CNAME")) {
        return false;
    }
    const char *stop = barrier(zone, name, !ds);
    if (stop != NULL && is_cut(zone, stop)) {
        slow_refer(e, zone, stop);
        return false;
    }
    if (stop != NULL) {
        const struct item *dname = item_at(zone, stop, "DNAME");
        if (line_is_new(e, stop, "DNAME")) {
            put(e, 0, stop, 60, "DNAME", dname->rdata);
        }
        size_t kept = strlen(name) - strlen(stop);
        assert_true(kept + strlen(dname->rdata) < TEXT_MAX);
        memcpy(next, name, kept);
        memcpy(next + kept, dname->rdata, strlen(dname->rdata) + 1);
        put(e, 0, name, 60, "CNAME", next);
        e->links++;
        return strcmp(type, "CNAME") != 0; // or else this is what was asked for
    }
    if (name_exists(zone, name)) {
        return slow_answer(e, zone, *first, name, name, type, next);
    }
    const char *encloser = name;
    while (!name_exists(zone, encloser)) {
        encloser = parent_of(encloser);
    }
    char wildcard[TEXT_MAX + 2];
    snprintf(wildcard, sizeof(wildcard), "*.%s", encloser);
    if (name_exists(zone, wildcard)) {
        return slow_answer(e, zone, *first, wildcard, name, type, next);
    }
    put_soa(e, *first);
    e->rcode = "NXDOMAIN";
    return false;
}

static void slow_resolve(const struct world *world, const char *asked, const char *type, char *text,
                         size_t capacity)
{
    struct expected e = {0};
    const struct model_zone *first = NULL;
    char name[TEXT_MAX], next[TEXT_MAX];
    snprintf(name, sizeof(name), "%s", asked);
    while (e.links < STEPS_MAX) { // a DNAME counts as two
        e.links++;
        if (!slow_step(&e, world, &first, name, type, next)) {
            break;
        }
        snprintf(name, sizeof(name), "%s", next);
    }
    size_t used = (size_t)snprintf(text, capacity, "%s%s", e.rcode, e.aa ? " aa" : "");
    for (int section = 0; section < SECTIONS; section++) {
        qsort(e.lines[section], e.counts[section], sizeof(char *), line_compare);
        used += (size_t)snprintf(text + used, capacity - used, " |");
        for (size_t i = 0; i < e.counts[section]; i++) {
            used += (size_t)snprintf(text + used, capacity - used, "%s %s", i ? ";" : "",
                                     e.lines[section][i]);
            free(e.lines[section][i]);
        }
    }
    assert_true(used < capacity);
}

// --- the comparison

static void ask_many(const struct world *world, const struct generation *generation,
                     struct worker *worker, unsigned *kinds)
{
    static const char *const types[] = {"A",     "A",  "TXT", "MX",    "NS",
                                        "CNAME", "DS", "ANY", "DNAME", "SOA"};
    for (unsigned i = 0; i < 300; i++) {
        char name[TEXT_MAX], text[8192];
        random_name_below("t.", random_below(&dice, 6), name, sizeof(name));
        const char *type = types[random_below(&dice, ARRAY_SIZE(types))];
        slow_resolve(world, name, type, text, sizeof(text));
        expect(generation, worker, name, type, text);
        kinds[text[0] == 'R'                       ? 0
              : text[1] == 'X'                     ? 1
              : strstr(text, "CNAME")              ? 2
              : strncmp(text, "NOERROR |", 9) == 0 ? 3
                                                   : 4]++;
    }
}

static void put_or_remove(struct publisher *publisher, struct model_zone *zone)
{
    uint8_t apex[NAME_MAX_SIZE];
    wire_name(zone->apex, apex);
    struct change *change = change_begin(publisher);
    change_zone_remove(change, apex);
    if (zone->served) {
        struct zone *built = zone_build(zone);
        change_zone(change, built, plan_simple, NULL);
        zone_free(built);
    }
    publish(change);
}

static void test_random_zones(void **state)
{
    (void)state;
    static const char *const apexes[ZONES_MAX] = {"t.", "a.t.", "b.a.t.", "c.b.a.t."};
    struct publisher *publisher = publisher_simple();
    struct worker *worker = worker_new(1);
    struct world *world = mem_alloc(sizeof(*world));
    unsigned kinds[5] = {0};
    for (size_t i = 0; i < ZONES_MAX; i++) {
        zone_fill(&world->zones[i], apexes[i]);
    }
    for (int round = 0; round < 400; round++) {
        size_t i = random_below(&dice, ZONES_MAX);
        world->zones[i].served = random_below(&dice, 4) > 0;
        zone_fill(&world->zones[i], apexes[i]);
        put_or_remove(publisher, &world->zones[i]);
        ask_many(world, publisher_current(publisher), worker, kinds);
    }
    print_message("refused %u, nxdomain %u, aliases %u, referrals %u, other %u\n", kinds[0],
                  kinds[1], kinds[2], kinds[3], kinds[4]);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        assert_true(kinds[i] > 300);
    }
    free(world);
    publisher_free(publisher);
    worker_free(worker);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_zones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
