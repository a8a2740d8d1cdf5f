// SPDX-License-Identifier: GPL-3.0-or-later
//
// explain: the five steps of one decision, read out of the tables that answer.
//
// Control thread. Who, which rule, which members, which order, which TTL: each step says what was
// decided and why. What ends in "answer" is the response of answer() itself to this client, on the
// generation that is being served.
#include "server/engine_internal.h"

#include "base/memory.h"
#include "dns/wire.h"
#include "steer/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct explanation {
    struct engine *engine;
    const struct zone_state *zone;
    const struct owner *owner;
    const struct rrset *rrset;
    const struct policy *policy; // NULL: static
    const struct plan *plan;     // NULL: static
    struct address client;
    struct plan_choice_view choice;
    size_t choice_index;
    uint32_t scope;
    json_t *steps;
};

static void add_step(struct explanation *x, const char *title, const char *summary, json_t *details)
{
    json_array_append_new(x->steps, json_pack("{s:i, s:s, s:s, s:o}", "step",
                                              (int)json_array_size(x->steps) + 1, "title", title,
                                              "summary", summary, "details", details));
}

// --- 1. who

static json_t *lines_of_client(const struct explanation *x)
{
    json_t *list = json_array();
    for (size_t i = 0; i < lines_count(x->engine->lines); i++) {
        int index = (int)i;
        struct rule rule = {.lines = &index, .line_count = 1};
        if (rule_holds_client(&rule, x->engine->lines, x->engine->geo, &x->client)) {
            json_array_append_new(list, json_string(lines_get(x->engine->lines, i)->id));
        }
    }
    return list;
}

static void explain_who(struct explanation *x)
{
    const struct engine *engine = x->engine;
    struct geo_match match = geo_locate(engine->geo, &x->client);
    const struct location *location = geo_location(engine->geo, match.location);
    struct prefix network = {x->client, match.length};
    address_mask(&network.address, match.length);
    char client[ADDRESS_TEXT_MAX], prefix[PREFIX_TEXT_MAX], summary[256];
    const char *isp = lines_isp_name(engine->geo_lines, location->isp);
    json_t *details = json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:s, s:o}", "network", prefix_format(&network, prefix),
        "location", (int)match.location, "continent", location->continent, "country",
        location->country, "region", location->region, "isp", isp, "asn", (json_int_t)match.asn,
        "organisation", match.organisation, "lines", lines_of_client(x));
    if (!isnan(location->latitude)) {
        json_object_set_new(details, "latitude", json_real((double)location->latitude));
        json_object_set_new(details, "longitude", json_real((double)location->longitude));
    }
    snprintf(summary, sizeof(summary), "%s is in %s: country %s, region %s, ISP %s, AS%u",
             address_format(&x->client, client), prefix,
             location->country[0] ? location->country : "unknown",
             location->region[0] ? location->region : "unknown", *isp ? isp : "none", match.asn);
    add_step(x, "Who", summary, details);
}

// --- 2. which rule

static json_t *targets_of_rule(const struct explanation *x, const struct rule *rule)
{
    json_t *list = json_array();
    char text[PREFIX_TEXT_MAX + 8];
    for (size_t i = 0; i < rule->line_count; i++) {
        json_array_append_new(
            list, json_sprintf("line %s", lines_get(x->engine->lines, (size_t)rule->lines[i])->id));
    }
    for (size_t i = 0; i < rule->geo_count; i++) {
        json_array_append_new(list, json_sprintf("geo %s", rule->geos[i]));
    }
    for (size_t i = 0; i < rule->subnet_count; i++) {
        json_array_append_new(list,
                              json_sprintf("subnet %s", prefix_format(&rule->subnets[i], text)));
    }
    for (size_t i = 0; i < rule->asn_count; i++) {
        json_array_append_new(list, json_sprintf("asn %u", rule->asns[i]));
    }
    return list;
}

// The rule that decided: the first that holds the client and leads where the choice does (classes
// are merged by where they lead, so the choice may name another rule to the same pool).
static int deciding_rule(const struct explanation *x)
{
    if (x->choice.rule < 0) {
        return -1;
    }
    const struct rule *rules = x->policy->rules, *named = &rules[x->choice.rule];
    for (size_t i = 0; i < x->policy->rule_count; i++) {
        if (rules[i].pool == named->pool && rules[i].share_ppm == named->share_ppm &&
            rule_holds_client(&rules[i], x->engine->lines, x->engine->geo, &x->client)) {
            return (int)i;
        }
    }
    return x->choice.rule;
}

static void explain_rule(struct explanation *x)
{
    const struct policy *policy = x->policy;
    int decided = deciding_rule(x);
    uint32_t place = plan_share_of_client(x->plan, &x->client);
    json_t *rules = json_array();
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        bool holds = rule_holds_client(rule, x->engine->lines, x->engine->geo, &x->client);
        const char *verdict = (int)i == decided          ? "decides"
                              : !holds                   ? "does not hold the client"
                              : rule->share_ppm <= place ? "holds the client, outside its share"
                              : decided >= 0 && (int)i < decided
                                  ? "holds the client, no usable member"
                                  : "not reached";
        json_t *item = json_pack("{s:i, s:s, s:o, s:s}", "rule", (int)i, "pool",
                                 policy->pools[rule->pool].name, "targets",
                                 targets_of_rule(x, rule), "verdict", verdict);
        if (rule->share_ppm < 1000000) {
            json_object_set_new(item, "share", json_real(rule->share_ppm / 1e6));
            json_object_set_new(item, "client_place", json_real(place / 1e6));
        }
        if (holds && rule->share_ppm <= place) {
            place -= rule->share_ppm; // the next share begins where this one ends
        }
        json_array_append_new(rules, item);
    }
    char summary[256];
    if (decided < 0) {
        snprintf(summary, sizeof(summary), "no rule holds the client: the top-level values answer");
    } else {
        snprintf(summary, sizeof(summary), "rule %d leads to pool \"%s\"", decided,
                 policy->pools[policy->rules[decided].pool].name);
    }
    add_step(x, "Which rule", summary, json_pack("{s:o}", "rules", rules));
}

// --- 3. which members

static json_t *explain_member(const struct explanation *x, const struct member *member)
{
    static const char *const statuses[] = {
        [STATUS_OBEY] = "obey", [STATUS_UP] = "up", [STATUS_DOWN] = "down"};
    json_t *item =
        json_pack("{s:s, s:i, s:s}", "value", member->text, "weight", (int)member->weight, "status",
                  member->disabled ? "paused" : statuses[member->status]);
    struct check_view view;
    if (member->check >= 0 && health_view(x->engine->health, member->check, &view)) {
        json_object_set_new(item, "health", json_string(check_state_names[view.state]));
        json_object_set_new(item, "last_result", json_string(probe_reasons[view.last_reason].name));
        json_object_set_new(item, "detail", json_string(view.last_detail ? view.last_detail : ""));
    } else {
        json_object_set_new(item, "health", json_string("not checked"));
    }
    return item;
}

static json_t *explain_pool(const struct explanation *x, int index)
{
    const struct pool *pool = &x->policy->pools[index];
    json_t *members = json_array();
    for (size_t i = 0; i < pool->member_count; i++) {
        json_array_append_new(members, explain_member(x, &pool->members[i]));
    }
    return json_pack("{s:s, s:b, s:o}", "pool", pool->name, "answers", index == x->choice.pool,
                     "members", members);
}

static void explain_members(struct explanation *x)
{
    json_t *pools = json_array();
    int at = x->choice.rule >= 0 ? (int)x->policy->rules[x->choice.rule].pool : -1;
    for (size_t steps = 0; at >= 0 && steps < x->policy->pool_count; steps++) {
        json_array_append_new(pools, explain_pool(x, at));
        if (at == x->choice.pool) {
            break;
        }
        at = x->policy->pools[at].fallback;
    }
    char summary[256];
    const char *source =
        x->choice.pool < 0 ? "the top-level values" : x->policy->pools[x->choice.pool].name;
    if (x->choice.failed_open) {
        snprintf(summary, sizeof(summary), "all are down: all_down is \"%s\", %zu members",
                 all_down_names[x->policy->all_down], x->choice.member_count);
    } else {
        snprintf(summary, sizeof(summary), "%zu usable of %s", x->choice.member_count, source);
    }
    add_step(x, "Which members", summary,
             json_pack("{s:o, s:b}", "pools", pools, "all_down", x->choice.failed_open));
}

// --- 4. which order, 5. TTL

static void explain_order(struct explanation *x)
{
    json_t *members = json_array();
    for (size_t i = 0; i < x->choice.member_count; i++) {
        struct plan_member_view view = plan_choice_member(x->plan, x->choice_index, i);
        const struct member *from =
            view.pool < 0 ? x->policy->values : x->policy->pools[view.pool].members;
        json_array_append_new(members, json_pack("{s:s, s:I}", "value", from[view.index].text,
                                                 "effective_weight", (json_int_t)view.weight));
    }
    char summary[256];
    snprintf(summary, sizeof(summary), "method %s: %zu of %zu", method_names[x->policy->method],
             x->choice.answer_count, x->choice.member_count);
    add_step(x, "Which order, how many", summary,
             json_pack("{s:s, s:i, s:o}", "method", method_names[x->policy->method], "answers",
                       (int)x->choice.answer_count, "members", members));
}

static void explain_ttl(struct explanation *x, uint32_t ttl)
{
    char summary[256];
    const char *why = ttl < x->rrset->ttl ? x->choice.failed_open
                                                ? "lowered: everything is down"
                                                : "lowered: a check may change the answer"
                                          : "the RRset's own";
    snprintf(summary, sizeof(summary), "%u s (%s); ECS scope /%u", ttl, why, x->scope);
    add_step(x, "TTL", summary,
             json_pack("{s:i, s:i, s:i, s:i}", "ttl", (int)ttl, "rrset_ttl", (int)x->rrset->ttl,
                       "min_ttl", (int)x->policy->min_ttl, "scope", (int)x->scope));
}

// --- the answer itself

static size_t make_query(const struct explanation *x, uint8_t *message)
{
    memset(message, 0, HEADER_SIZE);
    put_u16(message + AT_QDCOUNT, 1);
    memcpy(message + HEADER_SIZE, x->owner->name, x->owner->name_size);
    put_u16(message + HEADER_SIZE + x->owner->name_size, x->rrset->type);
    put_u16(message + HEADER_SIZE + x->owner->name_size + 2, CLASS_IN);
    return HEADER_SIZE + x->owner->name_size + QUESTION_FIXED_SIZE;
}

// The name at `at` of a message of our own, without compression; returns where it ends there.
static size_t name_expand(const uint8_t *message, size_t at, uint8_t name[NAME_MAX_SIZE],
                          size_t *size)
{
    size_t end = 0;
    *size = 0;
    while (message[at] != 0) {
        if (message[at] >= 0xc0) {
            end = end == 0 ? at + 2 : end;
            at = get_u16(message + at) & 0x3fff;
            continue;
        }
        size_t label_size = message[at] + 1U;
        memcpy(name + *size, message + at, label_size);
        *size += label_size;
        at += label_size;
    }
    name[(*size)++] = 0;
    return end == 0 ? at + 1 : end;
}

// The rdata at `at` with its names written out. Returns its size.
static size_t rdata_expand(const uint8_t *message, size_t at, uint16_t type, size_t size,
                           uint8_t *rdata)
{
    const struct rr_type_info *info = rr_type_find(type);
    size_t end = at + size, used = 0;
    if (info != NULL && info->name_count > 0 && info->compressible) {
        memcpy(rdata, message + at, info->name_offset);
        used = info->name_offset;
        at += info->name_offset;
        for (unsigned i = 0; i < info->name_count; i++) {
            size_t name_size;
            at = name_expand(message, at, rdata + used, &name_size);
            used += name_size;
        }
    }
    memcpy(rdata + used, message + at, end - at);
    return used + end - at;
}

static json_t *answer_records(const uint8_t *message, size_t at)
{
    json_t *list = json_array();
    uint8_t *rdata = mem_alloc(ANSWER_TCP_MAX + 2 * NAME_MAX_SIZE);
    for (unsigned left = get_u16(message + AT_ANCOUNT); left > 0; left--) {
        uint8_t owner[NAME_MAX_SIZE];
        size_t owner_size;
        at = name_expand(message, at, owner, &owner_size);
        uint16_t type = get_u16(message + at), size = get_u16(message + at + 8);
        size_t rdata_size = rdata_expand(message, at + RR_FIXED_SIZE, type, size, rdata);
        char text[1024], type_text[RR_TYPE_TEXT_MAX];
        rdata_format(type, rdata, rdata_size, text, sizeof(text));
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:s}", "type", rr_type_format(type, type_text), "ttl",
                            (json_int_t)get_u32(message + at + 4), "value", text));
        at += RR_FIXED_SIZE + size;
    }
    free(rdata);
    return list;
}

static json_t *ask(const struct explanation *x)
{
    uint8_t *message = mem_alloc(ANSWER_TCP_MAX);
    struct worker *worker = worker_new((uint64_t)clock_monotonic_ns(x->engine->clock));
    struct query_source source = {.address = x->client, .port = 53000, .transport = TRANSPORT_TCP};
    size_t question_size = make_query(x, message);
    answer(publisher_current(x->engine->publisher), worker, message, question_size, &source,
           message);
    json_t *records = answer_records(message, question_size);
    worker_free(worker);
    free(message);
    return records;
}

// --- the whole

// The zone with the longest apex above the name.
static const struct zone_state *zone_of_name(const struct engine *engine, const uint8_t *name)
{
    for (;; name = name_parent(name)) {
        const struct zone_state *zone = engine_zone_find(engine, name);
        if (zone != NULL || name_is_root(name)) {
            return zone;
        }
    }
}

// Empty non-terminals exist, too; the model does not list them.
static bool name_exists(const struct zone *zone, const uint8_t *name)
{
    bool found = zone_find(zone, name) != NULL;
    for (size_t i = 0; i < zone_owner_count(zone) && !found; i++) {
        found = name_within(zone_owner(zone, i)->name, name);
    }
    return found;
}

// Finds the RRset, through the wildcard above it when the name itself does not exist.
static const char *find_rrset(struct explanation *x, const uint8_t *name, uint16_t type)
{
    x->zone = zone_of_name(x->engine, name);
    if (x->zone == NULL) {
        return "no zone here holds this name";
    }
    const struct zone *zone = x->zone->zone;
    x->owner = zone_find(zone, name);
    for (; x->owner == NULL && !name_is_root(name) && !name_equal(name, x->zone->apex);) {
        uint8_t wildcard[NAME_MAX_SIZE + 2] = {1, '*'};
        name = name_parent(name);
        size_t size = name_size(name);
        if (size + 2 <= NAME_MAX_SIZE) {
            memcpy(wildcard + 2, name, size);
            x->owner = zone_find(zone, wildcard);
        }
        if (name_exists(zone, name)) {
            break; // the closest encloser: no wildcard above it applies (RFC 4592, 3.3.1)
        }
    }
    if (x->owner == NULL) {
        return "the name does not exist in its zone";
    }
    x->rrset = owner_rrset(x->owner, type);
    x->rrset = x->rrset ? x->rrset : owner_rrset(x->owner, TYPE_CNAME);
    if (x->rrset == NULL && (type == TYPE_A || type == TYPE_AAAA)) {
        x->rrset = owner_rrset(x->owner, TYPE_ALIAS);
    }
    return x->rrset ? NULL : "the name has no records of this type";
}

// The RRset that decides: behind an ALIAS it is the target's.
static const char *find_deciding(struct explanation *x, const uint8_t *name, uint16_t type)
{
    enum { LINKS_MAX = 8 };
    const char *error = find_rrset(x, name, type);
    for (unsigned i = 0; error == NULL && x->rrset->type == TYPE_ALIAS; i++) {
        if (i == LINKS_MAX) {
            return "the ALIAS leads in a circle";
        }
        error = find_rrset(x, x->rrset->records[0].rdata, type);
    }
    return error;
}

static void follow_choice(struct explanation *x)
{
    uint64_t random = 0;
    uint32_t *turns = mem_alloc_array(TURNS_COUNT, sizeof(*turns));
    struct dice dice = {&random, turns, 0};
    struct pick pick;
    plan_pick(x->plan, &x->client, &dice, &pick);
    free(turns);
    x->choice_index = plan_choice_of_client(x->plan, &x->client);
    x->scope = pick.scope;
    x->choice = plan_choice(x->plan, x->choice_index);
}

static void explain_static(struct explanation *x)
{
    const char *order =
        x->rrset->record_count > 1 && (x->rrset->type == TYPE_A || x->rrset->type == TYPE_AAAA)
            ? "static; several addresses are rotated"
            : "static: no policy decides";
    add_step(x, "Which order, how many", order,
             json_pack("{s:i}", "records", (int)x->rrset->record_count));
}

json_t *engine_explain(struct engine *engine, const uint8_t *name, uint16_t type,
                       const struct address *client, const char **error)
{
    struct explanation x = {.engine = engine, .client = *client};
    *error = engine->lines ? find_deciding(&x, name, type) : "nothing is loaded yet";
    if (*error != NULL) {
        return NULL;
    }
    char owner[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], address[ADDRESS_TEXT_MAX];
    char type_text[RR_TYPE_TEXT_MAX];
    x.steps = json_array();
    x.policy = x.rrset->policy;
    x.plan = generation_plan(publisher_current(engine->publisher), x.owner->name, x.rrset->type);
    explain_who(&x);
    uint32_t ttl = x.rrset->ttl;
    if (x.policy != NULL && x.plan != NULL) {
        follow_choice(&x);
        ttl = x.choice.ttl;
        explain_rule(&x);
        explain_members(&x);
        explain_order(&x);
        explain_ttl(&x, ttl);
    } else {
        explain_static(&x);
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:i, s:i}", "name",
                     name_format(x.owner->name, owner), "zone", name_format(x.zone->apex, zone),
                     "type", rr_type_format(x.rrset->type, type_text), "client",
                     address_format(client, address), "steered", x.policy != NULL, "steps", x.steps,
                     "answer", ask(&x), "ttl", (int)ttl, "scope", (int)x.scope);
}
