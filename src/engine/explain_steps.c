// SPDX-License-Identifier: GPL-3.0-or-later
//
// explain: the five steps of one decision as JSON, each with what was decided, why, and what the
// alternatives were. steer/explain.h says it; this file finds the words.
//
// Control thread, on the tables that are being served.
#include "engine/explain_parts.h"

#include "api/call.h"
#include "base/memory.h"
#include "dns/types.h"
#include "steer/explain.h"
#include "steer/rule.h"
#include "steer/shares.h"
#include "steer/site_order.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// A steered decision being told.
struct telling {
    struct explained *x;
    const struct policy *policy;
    const struct plan *plan;
    struct explanation *explanation;
    struct plan_choice_view choice;
    size_t choice_index;
    bool told[POOLS_MAX];   // pools whose members are listed already
    bool levels[POOLS_MAX]; // whose methods are
};

void explain_add_step(struct explained *x, const char *title, const char *summary, json_t *details)
{
    json_array_append_new(x->steps, json_pack("{s:i, s:s, s:o, s:o}", "step",
                                              (int)json_array_size(x->steps) + 1, "title", title,
                                              "summary", text_json(summary), "details", details));
}

// --- 1. who

static json_t *lines_of_client(const struct explained *x)
{
    const struct lines *lines = x->engine->lines;
    bool *taken = mem_alloc_array(lines_count(lines), sizeof(*taken));
    for (size_t i = 0; i < lines_count(lines); i++) {
        int index = (int)i;
        struct rule rule = {.lines = &index, .line_count = 1};
        taken[i] = rule_holds_client(&rule, lines, x->engine->geo, x->client);
    }
    json_t *list = engine_lines_json(lines, taken);
    free(taken);
    return list;
}

void explain_who(struct explained *x)
{
    const struct engine *engine = x->engine;
    struct geo_match match = geo_locate(engine->geo, x->client);
    const struct location *location = geo_location(engine->geo, match.location);
    struct prefix network = {*x->client, match.length};
    address_mask(&network.address, match.length);
    char client[ADDRESS_TEXT_MAX], prefix[PREFIX_TEXT_MAX], summary[256];
    const char *isp = lines_isp_name(engine->geo_lines, location->isp);
    json_t *details = json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "network", prefix_format(&network, prefix),
        "location", (int)match.location, "continent", location->continent, "country",
        location->country, "region", location->region, "isp", isp, "asn", (json_int_t)match.asn,
        "organisation", text_json(match.organisation), "lines", lines_of_client(x));
    if (!isnan(location->latitude)) {
        json_object_set_new(details, "latitude", json_real((double)location->latitude));
        json_object_set_new(details, "longitude", json_real((double)location->longitude));
    }
    snprintf(summary, sizeof(summary), "%s is in %s: country %s, region %s, ISP %s, AS%u",
             address_format(x->client, client), prefix,
             location->country[0] ? location->country : "unknown",
             location->region[0] ? location->region : "unknown", *isp ? isp : "none", match.asn);
    explain_add_step(x, "Who", summary, details);
}

// --- 2. which rule

struct target_list {
    const struct explained *x;
    json_t *all, *holding;
};

// One target, as a rule of its own.
static void target_add(struct target_list *list, struct rule target, json_t *text)
{
    if (rule_holds_client(&target, list->x->engine->lines, list->x->engine->geo, list->x->client)) {
        json_array_append(list->holding, text);
    }
    json_array_append_new(list->all, text);
}

static void targets_add(struct target_list *list, const struct rule *rule)
{
    char text[PREFIX_TEXT_MAX + 8];
    for (size_t i = 0; i < rule->line_count; i++) {
        const struct line *line = lines_get(list->x->engine->lines, (size_t)rule->lines[i]);
        target_add(list, (struct rule){.lines = &rule->lines[i], .line_count = 1},
                   json_sprintf("line %s", line->id));
    }
    for (size_t i = 0; i < rule->geo_count; i++) {
        target_add(list, (struct rule){.geos = &rule->geos[i], .geo_count = 1},
                   json_sprintf("geo %s", rule->geos[i]));
    }
    for (size_t i = 0; i < rule->subnet_count; i++) {
        target_add(list, (struct rule){.subnets = &rule->subnets[i], .subnet_count = 1},
                   json_sprintf("subnet %s", prefix_format(&rule->subnets[i], text)));
    }
    for (size_t i = 0; i < rule->asn_count; i++) {
        target_add(list, (struct rule){.asns = &rule->asns[i], .asn_count = 1},
                   json_sprintf("asn %u", rule->asns[i]));
    }
}

static json_t *rule_json(const struct telling *t, size_t index)
{
    const struct rule *rule = &t->policy->rules[index];
    struct target_list list = {t->x, json_array(), json_array()};
    targets_add(&list, rule);
    enum rule_verdict verdict = explanation_rule(t->explanation, index);
    json_t *json = json_pack("{s:i, s:s, s:o, s:o, s:s}", "rule", (int)index, "pool",
                             t->policy->pools[rule->pool].name, "targets", list.all, "held_by",
                             list.holding, "verdict", rule_verdict_texts[verdict]);
    if (rule->share_ppm < 1000000) {
        uint32_t place = explanation_place(t->explanation, index);
        json_object_set_new(json, "share", json_real(rule_share_ppm(rule) / 1e6));
        json_object_set_new(json, "client_place", json_real(place / 1e6));
    }
    return json;
}

static void explain_rule(struct telling *t)
{
    json_t *rules = json_array();
    for (size_t i = 0; i < t->policy->rule_count; i++) {
        json_array_append_new(rules, rule_json(t, i));
    }
    int decided = explanation_deciding_rule(t->explanation);
    char summary[256];
    if (decided < 0) {
        snprintf(summary, sizeof(summary), "no rule holds the client: the top-level values answer");
    } else {
        snprintf(summary, sizeof(summary), "rule %d leads to pool \"%s\"", decided,
                 t->policy->pools[t->policy->rules[decided].pool].name);
    }
    explain_add_step(t->x, "Which rule", summary, json_pack("{s:o}", "rules", rules));
}

// --- 3. which members

static const struct member *member_of(const struct telling *t, struct plan_member_view view)
{
    return view.pool < 0 ? &t->policy->values[view.index]
                         : &t->policy->pools[view.pool].members[view.index];
}

static json_t *who_overruled(const struct telling *t, const struct member *member, const char *what)
{
    const struct found_name *found = &t->x->found;
    const struct manual_entry *entry =
        engine_manual_entry(t->x->engine, found->zone->apex, found->owner, found->rrset, member);
    if (entry == NULL) {
        return json_sprintf("an operator has %s it", what);
    }
    return json_sprintf("%s has %s it (%s): %s", *entry->who ? entry->who : "an operator", what,
                        entry->pattern, *entry->why ? entry->why : "no reason given");
}

static json_t *check_down(const struct telling *t, const struct check_view *view)
{
    double since = (double)(clock_monotonic_ns(t->x->engine->clock) - view->since_ns) / 1e9;
    char target[SOCKADDR_TEXT_MAX];
    return json_sprintf("down by its check %s %s for %.0f s: %s %s",
                        check_kinds[view->spec->kind].name, check_view_target(view, target), since,
                        probe_reasons[view->last_reason].name,
                        view->last_detail ? view->last_detail : "");
}

// Why the member is out; NULL: it is in.
static json_t *why_out(const struct telling *t, const struct member *member,
                       const struct check_view *check)
{
    if (member->pool != NULL) {
        return explanation_usable(t->explanation, member)
                   ? NULL
                   : json_sprintf("nothing in the pool \"%s\" is usable", member->pool->name);
    }
    struct member_view view = engine_member_view(t->x->engine, member);
    switch (member_standing(member, &view)) {
    case MEMBER_PAUSED:
        return json_string("paused in its document");
    case MEMBER_DRAINED:
        return who_overruled(t, member, "drained");
    case MEMBER_OVERRIDDEN:
        return who_overruled(t, member, "taken down");
    case MEMBER_SAID_DOWN:
        return json_string("its document says that it is down");
    case MEMBER_CHECK_DOWN:
        return check ? check_down(t, check) : json_string("down by its check");
    case MEMBER_NO_RESULT:
        return json_string("its check has no result yet");
    default:
        return NULL;
    }
}

static bool is_chosen_from(const struct telling *t, const struct member *member)
{
    for (size_t i = 0; i < t->choice.member_count; i++) {
        if (member_of(t, plan_choice_member(t->plan, t->choice_index, i)) == member) {
            return true;
        }
    }
    return false;
}

// What load feedback takes from a member that is usable; NULL: nothing.
static json_t *why_shed(const struct telling *t, enum method method, const struct member *member)
{
    struct member_view view = engine_member_view(t->x->engine, member);
    if (member->pool != NULL || view.shed_ppm == 0) {
        return NULL;
    }
    if (method == METHOD_WEIGHTED || method == METHOD_STICKY) {
        return json_sprintf("its load takes %.1f %% of its weight", view.shed_ppm / 1e4);
    }
    return json_sprintf("its load sends %.1f %% of its clients to others%s", view.shed_ppm / 1e4,
                        is_chosen_from(t, member) ? "" : ", this network too");
}

static json_t *member_json(const struct telling *t, enum method method, const struct member *member)
{
    static const char *const statuses[] = {
        [STATUS_OBEY] = "obey", [STATUS_UP] = "up", [STATUS_DOWN] = "down"};
    json_t *json = json_pack("{s:s, s:I, s:s}", "value", member->text ? member->text : "", "weight",
                             (json_int_t)member->weight, "status",
                             member->disabled ? "paused" : statuses[member->status]);
    struct check_view view;
    bool checked = member->check >= 0 && health_view(t->x->engine->health, member->check, &view);
    json_object_set_new(json, "health",
                        json_string(checked ? check_state_names[view.state] : "not checked"));
    if (checked) {
        json_object_set_new(json, "last_result", json_string(probe_reasons[view.last_reason].name));
        json_object_set_new(json, "detail", json_string(view.last_detail ? view.last_detail : ""));
    }
    if (member->site != NULL) {
        json_object_set_new(json, "site", json_string(member->site->name));
    }
    if (member->pool != NULL) {
        json_object_set_new(json, "inside", json_string(member->pool->name));
    }
    json_t *why = why_out(t, member, checked ? &view : NULL);
    json_object_set_new(json, "usable", json_boolean(why == NULL));
    why = why ? why : why_shed(t, method, member);
    json_object_set_new(json, "why", why ? why : json_string(""));
    return json;
}

// `method` is that of the pool around it, or of the record.
static json_t *pool_json(struct telling *t, size_t index, enum method method, bool answers,
                         const char *verdict)
{
    const struct pool *pool = &t->policy->pools[index];
    json_t *members = json_array();
    t->told[index] = true;
    for (size_t i = 0; i < pool->member_count; i++) {
        json_array_append_new(
            members, member_json(t, pool->has_method ? pool->method : method, &pool->members[i]));
    }
    json_t *json = json_pack("{s:s, s:b, s:o, s:o}", "pool", pool->name, "answers", answers,
                             "verdict", text_json(verdict), "members", members);
    if (pool->has_method) {
        json_object_set_new(json, "method", json_string(method_names[pool->method]));
    }
    return json;
}

// The pools in a pool, after it.
static void add_nested(struct telling *t, json_t *pools, const struct pool *pool,
                       enum method method)
{
    method = pool->has_method ? pool->method : method;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct pool *nested = pool->members[i].pool;
        if (nested == NULL || t->told[nested - t->policy->pools]) {
            continue;
        }
        char verdict[160];
        snprintf(verdict, sizeof(verdict), "stands in the pool \"%.100s\"", pool->name);
        json_array_append_new(
            pools, pool_json(t, (size_t)(nested - t->policy->pools), method, false, verdict));
        add_nested(t, pools, nested, method);
    }
}

static void explain_members(struct telling *t)
{
    struct pool_trace traces[POOLS_MAX];
    size_t count = explanation_pools(t->explanation, traces);
    json_t *pools = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct pool_trace *trace = &traces[i];
        json_t *json =
            pool_json(t, trace->pool, t->policy->method, (int)trace->pool == t->choice.pool,
                      pool_verdict_texts[trace->verdict]);
        json_object_set_new(json, "usable", json_integer((json_int_t)trace->usable));
        json_object_set_new(json, "wanted", json_integer((json_int_t)trace->wanted));
        json_array_append_new(pools, json);
        add_nested(t, pools, &t->policy->pools[trace->pool], t->policy->method);
    }
    char summary[256];
    const char *source =
        t->choice.pool < 0 ? "the top-level values" : t->policy->pools[t->choice.pool].name;
    if (t->choice.failed_open) {
        snprintf(summary, sizeof(summary), "all are down: all_down is \"%s\", %zu members",
                 all_down_names[t->policy->all_down], t->choice.member_count);
    } else {
        snprintf(summary, sizeof(summary), "%zu usable of %s", t->choice.usable_count, source);
    }
    explain_add_step(t->x, "Which members", summary,
                     json_pack("{s:o, s:b, s:s}", "pools", pools, "all_down", t->choice.failed_open,
                               "all_down_policy", all_down_names[t->policy->all_down]));
}

// --- 4. which order

// How far the client is from the member's site, with the site's bias; NAN when nobody knows.
static double distance_of(const struct telling *t, const struct member *member)
{
    const struct geo *geo = t->x->engine->geo;
    const struct location *location = geo_location(geo, geo_locate(geo, t->x->client).location);
    if (member->site == NULL || !member->site->located || isnan(location->latitude)) {
        return NAN;
    }
    return distance_km((double)location->latitude, (double)location->longitude,
                       member->site->latitude, member->site->longitude);
}

static json_t *candidate_json(const struct telling *t, size_t place,
                              const struct member_share *share)
{
    struct plan_member_view view = plan_choice_member(t->plan, t->choice_index, place);
    const struct member *member = member_of(t, view);
    json_t *json = json_pack("{s:s, s:I, s:f, s:f}", "value", member->text, "effective_weight",
                             (json_int_t)view.weight, "first", share->first, "appears", share->any);
    if (view.pool >= 0) {
        json_object_set_new(json, "pool", json_string(t->policy->pools[view.pool].name));
    }
    if (t->choice.sticky) {
        json_object_set_new(
            json, "cost",
            json_real(plan_sticky_cost(t->plan, t->choice_index, place, t->x->client)));
    }
    double distance = distance_of(t, member);
    if (!isnan(distance)) {
        json_object_set_new(json, "distance_km", json_real(round(distance)));
    }
    return json;
}

static const char *const how_chosen[METHOD_COUNT] = {
    [METHOD_ROTATE] = "in turn",
    [METHOD_RANDOM] = "in any order",
    [METHOD_WEIGHTED] = "drawn in proportion to the weights",
    [METHOD_STICKY] = "the lowest costs for the client's network",
    [METHOD_NEAREST] = "the nearest first",
    [METHOD_FASTEST] = "the fastest first",
    [METHOD_ORDERED] = "as written",
};

static bool gives_member(const struct telling *t, size_t pool)
{
    for (size_t i = 0; i < t->choice.member_count; i++) {
        if (plan_choice_member(t->plan, t->choice_index, i).pool == (int)pool) {
            return true;
        }
    }
    return false;
}

// The pools with a method of their own in this one, through which its members are chosen. Whether
// any member comes from it.
static bool add_levels(struct telling *t, json_t *levels, size_t pool, const char *around)
{
    const struct pool *here = &t->policy->pools[pool];
    json_t *below = json_array();
    bool gives = gives_member(t, pool);
    const char *inside = here->has_method || around == NULL ? here->name : around;
    for (size_t i = 0; i < here->member_count; i++) {
        const struct pool *nested = here->members[i].pool;
        if (nested != NULL) {
            const size_t entry = (size_t)(nested - t->policy->pools);
            const int at = explanation_answers_for(t->explanation, entry);
            gives |= add_levels(t, below, at < 0 ? entry : (size_t)at, inside);
        }
    }
    if (gives && here->has_method && around != NULL && !t->levels[pool]) {
        t->levels[pool] = true;
        json_array_append_new(levels,
                              json_pack("{s:s, s:s, s:s, s:s}", "pool", here->name, "inside",
                                        around, "method", method_names[here->method], "how",
                                        how_chosen[here->method]));
    }
    if (gives) {
        json_array_extend(levels, below);
    }
    json_decref(below);
    return gives;
}

static void explain_order(struct telling *t)
{
    struct member_share *shares = mem_alloc_array(t->choice.member_count, sizeof(*shares));
    json_t *members = json_array();
    choice_shares(t->plan, t->choice_index, shares);
    for (size_t i = 0; i < t->choice.member_count; i++) {
        json_array_append_new(members, candidate_json(t, i, &shares[i]));
    }
    free(shares);
    char summary[256];
    const enum method method = t->choice.method;
    json_t *levels = json_array();
    if (t->choice.pool >= 0) {
        add_levels(t, levels, (size_t)t->choice.pool, NULL);
    }
    const size_t deep = json_array_size(levels);
    snprintf(summary, sizeof(summary), "method %s (%s)%s: %zu of %zu", method_names[method],
             how_chosen[method], deep > 0 ? ", then by the methods of pools within" : "",
             t->choice.answer_count, t->choice.usable_count);
    json_t *details = json_pack("{s:s, s:i, s:o}", "method", method_names[method], "answers",
                                (int)t->choice.answer_count, "members", members);
    if (deep > 0) {
        json_object_set(details, "levels", levels);
    }
    json_decref(levels);
    explain_add_step(t->x, "Which order, how many", summary, details);
}

// --- 5. TTL

static void add_turning(const struct telling *t, json_t *list, const struct pool *pool)
{
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        struct member_view view = engine_member_view(t->x->engine, member);
        if (member->pool == NULL && view.change_in_s > 0) {
            json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "pool", pool->name, "value",
                                                  member->text, "change_in_s",
                                                  (json_int_t)view.change_in_s));
        }
    }
}

static bool pool_sheds(const struct telling *t, const struct pool *pool)
{
    bool sheds = false;
    for (size_t i = 0; i < pool->member_count && !sheds; i++) {
        sheds = engine_member_view(t->x->engine, &pool->members[i]).shed_ppm > 0;
    }
    return sheds;
}

static const char *why_scope(const struct telling *t, uint8_t scope)
{
    unsigned hashed =
        t->x->client->family == FAMILY_IPV4 ? CLIENT_HASH_LENGTH_IPV4 : CLIENT_HASH_LENGTH_IPV6;
    bool shared = false; // by a rule, or by members that shed
    for (size_t i = 0; i < t->policy->rule_count; i++) {
        shared |= t->policy->rules[i].share_ppm < 1000000;
    }
    for (size_t i = 0; i < t->policy->pool_count; i++) {
        shared |= pool_sheds(t, &t->policy->pools[i]);
    }
    if (scope == hashed && (shared || policy_uses(t->policy, METHOD_STICKY))) {
        return "the network that is hashed for sticky members and shares";
    }
    return scope == 0 ? "everybody gets the same"
                      : "the widest network around the client in which everybody gets the same";
}

static void explain_ttl(struct telling *t, uint8_t scope)
{
    const struct rrset *rrset = t->x->found.rrset;
    json_t *turning = json_array();
    for (size_t i = 0; i < t->policy->pool_count; i++) {
        if (t->told[i]) {
            add_turning(t, turning, &t->policy->pools[i]);
        }
    }
    char summary[256];
    const char *why = t->choice.ttl < rrset->ttl ? t->choice.failed_open
                                                       ? "lowered: everything is down"
                                                       : "lowered: a check may change the answer"
                                                 : "the RRset's own";
    snprintf(summary, sizeof(summary), "%u s (%s); ECS scope /%u: %s", t->choice.ttl, why, scope,
             why_scope(t, scope));
    explain_add_step(t->x, "TTL", summary,
                     json_pack("{s:I, s:I, s:I, s:i, s:o}", "ttl", (json_int_t)t->choice.ttl,
                               "rrset_ttl", (json_int_t)rrset->ttl, "min_ttl",
                               (json_int_t)t->policy->min_ttl, "scope", (int)scope, "turning",
                               turning));
}

// --- the whole

static uint8_t scope_of_client(const struct telling *t)
{
    uint64_t random = 0;
    uint32_t *turns = mem_alloc_array(TURNS_COUNT, sizeof(*turns));
    struct dice dice = {&random, turns, 0};
    struct pick pick;
    plan_pick(t->plan, t->x->client, &dice, &pick);
    free(turns);
    return pick.scope;
}

void explain_steered(struct explained *x, const struct plan *plan)
{
    const struct health_source health = {engine_member_view, x->engine};
    struct telling t = {.x = x, .policy = x->found.rrset->policy, .plan = plan};
    t.explanation =
        explanation_new(t.policy, plan, &health, x->engine->lines, x->engine->geo, x->client);
    t.choice_index = plan_choice_of_client(plan, x->client);
    t.choice = plan_choice(plan, t.choice_index);
    explain_rule(&t);
    explain_members(&t);
    explain_order(&t);
    explain_ttl(&t, scope_of_client(&t));
    explanation_free(t.explanation);
}

static void explain_name(struct explained *x)
{
    static const char *const texts[] = {
        [NAME_NO_ZONE] = "no zone here holds the name",
        [NAME_RECORDS] = "it has records of this type",
        [NAME_ALIAS] = "it is an alias: the answer goes on with its target",
        [NAME_NO_TYPE] = "it exists, without records of this type",
        [NAME_EMPTY] = "it has no records of its own; names below it exist",
        [NAME_NONE] = "it does not exist, and no wildcard stands for it",
        [NAME_DELEGATED] = "it is delegated: other servers answer for it",
        [NAME_REDIRECTED] = "it is below a DNAME: the answer goes on with the new name",
    };
    char summary[256];
    snprintf(summary, sizeof(summary), "%s%s", texts[x->found.standing],
             x->found.wildcard ? " (by a wildcard)" : "");
    explain_add_step(x, "Which name", summary, found_json(&x->found));
}

void explain_unsteered(struct explained *x)
{
    explain_name(x);
    const struct rrset *rrset = x->found.rrset;
    if (x->found.standing != NAME_RECORDS || rrset == NULL) {
        return;
    }
    bool turns = rrset->record_count > 1 && (rrset->type == TYPE_A || rrset->type == TYPE_AAAA);
    explain_add_step(x, "Which order, how many",
                     turns ? "static; several addresses are rotated" : "static: no policy decides",
                     json_pack("{s:i}", "records", (int)rrset->record_count));
}
