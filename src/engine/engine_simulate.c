// SPDX-License-Identifier: GPL-3.0-or-later
//
// simulate: the request as JSON, the two sides that are compared, and their populations.
//
// Control thread. "Before" is the plan that is being served; "after" is compiled from a copy of its
// policy with the changes asked for, or from another document, with the health as it stands.
// Nothing of it is published, and nothing is probed.
#include "engine/engine_find.h"
#include "engine/simulate_report.h"

#include "base/memory.h"
#include "dns/types.h"
#include "steer/what_if.h"

#include <stdio.h>
#include <string.h>

enum { CHANGES_MAX = 256, NETWORKS_MAX = 4096, GROUPS_MAX = 1000 };
// Matching may take time to the power of the stars.
enum { PATTERN_MAX = 255, STARS_MAX = 4 };

struct simulate_call {
    struct engine *engine;
    const json_t *body;
    struct diags *faults;
    struct arena *arena;
    uint8_t name[NAME_MAX_SIZE];
    uint16_t type;
    bool by_queries;
    struct prefix *networks; // the population; none: all addresses
    size_t network_count;
    struct what_if_change *changes;
    size_t change_count;
    struct found_name found;
    struct simulated before, after;
    // What is ours of `after`.
    struct zone *document;
    struct what_if *what_if;
    struct territory *territory;
    struct plan *plan;
    // Groups.
    struct rule *rules;
    const char **names;
    size_t group_count;
    struct territory *groups;
};

static void fault(struct simulate_call *call, const char *key, const char *format, ...)
    PRINTF_LIKE(3, 4);
static void fault(struct simulate_call *call, const char *key, const char *format, ...)
{
    char message[300];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    diags_error(call->faults, (struct place){0}, key, "%s", message);
}

// --- the request

static const char *body_text(const struct simulate_call *call, const char *key)
{
    return json_string_value(json_object_get(call->body, key));
}

static void read_name(struct simulate_call *call)
{
    const char *reason = NULL, *type = body_text(call, "type"),
               *weigh = body_text(call, "weigh_by");
    call->type = TYPE_A;
    if (name_parse(body_text(call, "name"), NULL, call->name, &reason) == 0) {
        fault(call, "name", "is no domain name: %s", reason);
    }
    if (type != NULL && !rr_type_parse(type, &call->type)) {
        fault(call, "type", "is no record type: expected one like A or TYPE65280");
    }
    call->by_queries = weigh != NULL && strcmp(weigh, "queries") == 0;
    if (weigh != NULL && !call->by_queries && strcmp(weigh, "addresses") != 0) {
        fault(call, "weigh_by", "expected \"addresses\" or \"queries\"");
    }
}

static void read_clients(struct simulate_call *call)
{
    const json_t *list = json_object_get(call->body, "clients");
    size_t count = json_array_size(list);
    if (count > NETWORKS_MAX) {
        fault(call, "clients", "at most %d networks", NETWORKS_MAX);
        return;
    }
    call->networks = arena_alloc(call->arena, count * sizeof(*call->networks));
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (prefix_parse(text, &call->networks[call->network_count], NULL)) {
            call->network_count++;
        } else {
            fault(call, "clients", "\"%.60s\" is no network: expected CIDR, like 192.0.2.0/24",
                  text);
        }
    }
    if (count > 0 && call->by_queries) {
        fault(call, "clients", "networks do not go with weigh_by \"queries\"");
    }
}

static void check_pattern(struct simulate_call *call, const char *key, const char *pattern)
{
    size_t stars = 0;
    for (const char *at = pattern; *at != '\0'; at++) {
        stars += *at == '*';
    }
    if (stars > STARS_MAX || strlen(pattern) > PATTERN_MAX) {
        fault(call, key, "\"%.60s\": a pattern has at most %d stars and %d characters", pattern,
              STARS_MAX, PATTERN_MAX);
    }
}

static void read_changes(struct simulate_call *call)
{
    const json_t *down = json_object_get(call->body, "down");
    json_t *weights = json_object_get(call->body, "weights"), *weight;
    size_t count = json_array_size(down) + json_object_size(weights);
    const char *pattern;
    if (count > CHANGES_MAX) {
        fault(call, "down", "at most %d changes", CHANGES_MAX);
        return;
    }
    call->changes = arena_alloc(call->arena, count * sizeof(*call->changes));
    for (size_t i = 0; i < json_array_size(down); i++) {
        pattern = json_string_value(json_array_get(down, i));
        check_pattern(call, "down", pattern);
        call->changes[call->change_count++].pattern = pattern;
    }
    json_object_foreach(weights, pattern, weight)
    {
        json_int_t number = json_integer_value(weight);
        check_pattern(call, "weights", pattern);
        if (!json_is_integer(weight) || number < 0 || number > WEIGHT_MAX) {
            fault(call, "weights", "\"%.60s\": expected a whole number from 0 to %d", pattern,
                  WEIGHT_MAX);
            continue;
        }
        call->changes[call->change_count++] = (struct what_if_change){
            .pattern = pattern, .has_weight = true, .weight = (uint32_t)number};
    }
}

// --- the two sides

static bool find_before(struct simulate_call *call)
{
    const struct engine *engine = call->engine;
    if (engine->lines != NULL) {
        call->found = engine_find_name(engine, call->name, call->type);
    }
    const struct rrset *rrset = call->found.rrset;
    if (rrset == NULL || rrset->policy == NULL) {
        fault(call, "name", "%s",
              call->found.zone == NULL ? "no zone here holds this name"
              : rrset == NULL          ? "the name has no records of this type"
                                       : "no policy steers these records");
        return false;
    }
    call->before.policy = rrset->policy;
    call->before.plan =
        generation_plan(publisher_current(engine->publisher), call->found.owner->name, rrset->type);
    return call->before.plan != NULL;
}

// The member with this value in the running policy, whose health its copy in a document follows.
static const struct member *running_member(const struct policy *policy, const struct member *member)
{
    for (size_t i = 0; i < policy->pool_count; i++) {
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            const struct member *other = &policy->pools[i].members[k];
            if (other->rdata != NULL && member->rdata != NULL &&
                other->rdata_size == member->rdata_size &&
                memcmp(other->rdata, member->rdata, member->rdata_size) == 0) {
                return other;
            }
        }
    }
    return NULL;
}

static void bind_checks(const struct simulate_call *call, const struct policy *policy)
{
    for (size_t i = 0; i < policy->value_count; i++) {
        policy->values[i].check = -1;
    }
    for (size_t i = 0; i < policy->pool_count; i++) {
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            struct member *member = &policy->pools[i].members[k];
            const struct member *running = running_member(call->before.policy, member);
            bool checked = policy->check.kind != CHECK_NONE && running != NULL;
            member->check = checked ? running->check : -1;
            member->manual = running != NULL ? running->manual : 0;
        }
    }
}

// The RRset of the same name and type in another document of the zone; NULL after a fault.
static const struct rrset *rrset_of_document(struct simulate_call *call, const char *text)
{
    const struct zone_state *zone = call->found.zone;
    struct zone_reader reader = engine_zone_reader(call->engine, call->faults);
    size_t errors_before = call->faults->error_count;
    const char *file = body_text(call, "document_name");
    call->document =
        zone_yaml_read_text(file != NULL ? file : "document", text, zone->apex, &reader);
    if (call->document == NULL || call->faults->error_count > errors_before) {
        return NULL;
    }
    const struct owner *owner = zone_find(call->document, call->found.owner->name);
    const struct rrset *rrset = owner ? owner_rrset(owner, call->found.rrset->type) : NULL;
    if (rrset == NULL || rrset->policy == NULL) {
        fault(call, "document", "it does not steer this name and type");
        return NULL;
    }
    bind_checks(call, rrset->policy);
    return rrset;
}

static void check_hits(struct simulate_call *call)
{
    for (size_t i = 0; i < call->change_count; i++) {
        const struct what_if_change *change = &call->changes[i];
        if (change->hits == 0) {
            fault(call, change->has_weight ? "weights" : "down", "\"%.60s\" matches no %s",
                  change->pattern, change->has_weight ? "member" : "member, site or pool");
        }
    }
}

static bool make_after(struct simulate_call *call)
{
    struct engine *engine = call->engine;
    const char *text = body_text(call, "document");
    call->after = call->before;
    if (text == NULL && call->change_count == 0) {
        return true;
    }
    const struct rrset *rrset = text ? rrset_of_document(call, text) : call->found.rrset;
    if (rrset == NULL) {
        return false;
    }
    const struct health_source running = {engine_member_view, engine};
    call->what_if = what_if_new(rrset->policy, &running, call->changes, call->change_count);
    check_hits(call);
    call->after.policy = what_if_policy(call->what_if);
    call->territory =
        territory_acquire(engine->territories, call->after.policy, engine->lines, engine->geo);
    struct health_source health = what_if_health(call->what_if);
    // The key decides which clients get what, not how many.
    call->plan = plan_compile(call->after.policy, rrset->type, rrset->ttl, call->territory, &health,
                              engine->config->sticky_key);
    call->after.plan = call->plan;
    return call->faults->error_count == 0;
}

// --- groups

static void group_add(struct simulate_call *call, const char *name, struct rule rule)
{
    for (size_t i = 0; i < call->group_count; i++) {
        if (strcmp(call->names[i], name) == 0) {
            return;
        }
    }
    if (call->group_count == GROUPS_MAX) {
        fault(call, "by", "more than %d groups", GROUPS_MAX);
        return;
    }
    call->names[call->group_count] = name;
    call->rules[call->group_count++] = rule;
}

static void group_add_line(struct simulate_call *call, int index)
{
    int *own = arena_copy(call->arena, &index, sizeof(index));
    group_add(call, lines_get(call->engine->lines, (size_t)index)->id,
              (struct rule){.lines = own, .line_count = 1});
}

static void groups_of_policy(struct simulate_call *call, const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        for (size_t k = 0; k < policy->rules[i].line_count; k++) {
            group_add_line(call, policy->rules[i].lines[k]);
        }
    }
}

// The lines that were asked for, else those that the policies name.
static void groups_of_lines(struct simulate_call *call)
{
    const json_t *list = json_object_get(call->body, "lines");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int index = lines_find(call->engine->lines, name);
        if (index < 0) {
            fault(call, "lines", "there is no line \"%.60s\"", name);
        } else {
            group_add_line(call, index);
        }
    }
    if (json_array_size(list) == 0) {
        groups_of_policy(call, call->before.policy);
        groups_of_policy(call, call->after.policy);
    }
}

static void groups_of_places(struct simulate_call *call, bool countries)
{
    const struct geo *geo = call->engine->geo;
    for (size_t i = 0; i < geo_location_count(geo); i++) {
        const struct location *location = geo_location(geo, (uint32_t)i);
        if (location->continent[0] == '\0' || (countries && location->country[0] == '\0')) {
            continue;
        }
        char code[8];
        snprintf(code, sizeof(code), "%.2s%s%.2s", location->continent, countries ? "-" : "",
                 countries ? location->country : "");
        const char *own = arena_strdup(call->arena, code);
        const char **geos = arena_copy(call->arena, &own, sizeof(own));
        group_add(call, countries ? own + 3 : own, (struct rule){.geos = geos, .geo_count = 1});
    }
}

static bool make_groups(struct simulate_call *call)
{
    const char *by = body_text(call, "by");
    bool lines = json_array_size(json_object_get(call->body, "lines")) > 0;
    if (by == NULL && !lines) {
        return true;
    }
    call->rules = arena_alloc(call->arena, GROUPS_MAX * sizeof(*call->rules));
    call->names = arena_alloc(call->arena, GROUPS_MAX * sizeof(*call->names));
    if (by == NULL || strcmp(by, "line") == 0) {
        groups_of_lines(call);
    } else if (strcmp(by, "country") == 0 || strcmp(by, "continent") == 0) {
        groups_of_places(call, strcmp(by, "country") == 0);
    } else {
        fault(call, "by", "expected \"line\", \"country\" or \"continent\"");
    }
    if (call->faults->error_count > 0) {
        return false;
    }
    struct policy groups = group_policy(call->rules, call->group_count);
    call->groups = territory_acquire(call->engine->territories, &groups, call->engine->lines,
                                     call->engine->geo);
    return true;
}

// --- the report

static const char *unit_of(const struct simulate_call *call, enum family family)
{
    return call->by_queries ? "queries" : family == FAMILY_IPV4 ? "addresses" : "/48 networks";
}

static void report_clients(const struct simulate_call *call, struct report *report,
                           const struct population *population, json_t *list)
{
    struct simulation before = simulate(call->before.plan, population, NULL, 1),
                      after = simulate(call->after.plan, population, NULL, 1);
    json_t *json = report_all(report, &before, &after);
    bool ipv4 = population->family == FAMILY_IPV4;
    json_object_set_new(json, "family", json_string(ipv4 ? "ipv4" : "ipv6"));
    json_object_set_new(json, "unit", json_string(unit_of(call, population->family)));
    simulation_free(&before);
    simulation_free(&after);
    if (call->group_count > 0) {
        before = simulate(call->before.plan, population, call->groups, call->group_count);
        after = simulate(call->after.plan, population, call->groups, call->group_count);
        json_object_set_new(json, "groups", report_groups(report, call->names, &before, &after));
        simulation_free(&before);
        simulation_free(&after);
    }
    json_array_append_new(list, json);
}

static void report_family(const struct simulate_call *call, struct report *report,
                          enum family family, json_t *list)
{
    struct population own = {.family = family};
    const struct population *population = &own;
    if (call->by_queries) {
        own = engine_population_of_queries(call->engine, family);
    } else if (call->network_count > 0) {
        own = population_of_networks(family, call->networks, NULL, call->network_count);
    } else {
        population = engine_population_of_addresses(call->engine, family);
    }
    if (population->count > 0) {
        report_clients(call, report, population, list);
    }
    population_free(&own);
}

static json_t *changes_json(const struct simulate_call *call)
{
    json_t *list = json_array();
    for (size_t i = 0; i < call->change_count; i++) {
        const struct what_if_change *change = &call->changes[i];
        json_t *json = change->has_weight ? json_pack("{s:s, s:I}", "weight_of", change->pattern,
                                                      "weight", (json_int_t)change->weight)
                                          : json_pack("{s:s, s:I}", "down", change->pattern,
                                                      "unnoticed", (json_int_t)change->blind);
        json_object_set_new(json, "members", json_integer((json_int_t)change->hits));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *report(const struct simulate_call *call)
{
    char name[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    json_t *families = json_array();
    struct report *report = report_new(&call->before, &call->after);
    report_family(call, report, FAMILY_IPV4, families);
    report_family(call, report, FAMILY_IPV6, families);
    report_free(report);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "name",
                     name_format(call->found.owner->name, name), "zone",
                     name_format(call->found.zone->apex, zone), "type",
                     rr_type_format(call->found.rrset->type, type), "method",
                     method_names[call->after.policy->method], "weigh_by",
                     call->by_queries ? "queries" : "addresses", "changed",
                     call->before.plan != call->after.plan, "what_if", changes_json(call),
                     "families", families);
}

json_t *engine_simulate(struct engine *engine, const json_t *body, struct diags *faults)
{
    struct simulate_call call = {
        .engine = engine, .body = body, .faults = faults, .arena = arena_new()};
    json_t *json = NULL;
    engine_models_forget(engine);
    read_name(&call);
    read_clients(&call);
    read_changes(&call);
    if (faults->error_count == 0 && find_before(&call) && make_after(&call) && make_groups(&call)) {
        json = report(&call);
    }
    plan_free(call.plan);
    territory_release(engine->territories, call.territory);
    territory_release(engine->territories, call.groups);
    what_if_free(call.what_if);
    zone_free(call.document);
    arena_free(call.arena);
    return json;
}
