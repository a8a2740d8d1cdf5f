// SPDX-License-Identifier: GPL-3.0-or-later
//
// The YAML zone document: name -> record, or list of records, in octoDNS's form with keys of ours.
//
// Reads entry by entry, so a large zone costs the memory of its records and not of its tree. Every
// fault is reported with place and key, and reading goes on behind it. Runs on a pool thread; the
// result is finished or NULL. The three forms of a record and their keys are in yaml_*.c.
#include "zone/pair.h"
#include "format/yaml_zone.h"

#include <stdio.h>
#include <string.h>

enum { RECORD_TTL_DEFAULT = 3600 };

static const char *const record_keys[] = {"type",    "ttl",     "value",    "values", "dynamic",
                                          "records", "octodns", "signpost", "geo",    "lenient"};

static bool type_special(const struct yaml *at, const char *text)
{
    if (strcmp(text, "URLFWD") == 0) {
        yaml_error(at, "URLFWD is not a DNS type; it exists in octoDNS only");
        return true;
    }
    return false;
}

static bool type_read(struct yaml_record *record)
{
    static const char *const common[] = {"A",     "AAAA", "CNAME",      "DNAME", "MX",   "NS",
                                         "TXT",   "SRV",  "CAA",        "PTR",   "SOA",  "DS",
                                         "SSHFP", "TLSA", "NAPTR",      "LOC",   "SVCB", "HTTPS",
                                         "URI",   "SPF",  "OPENPGPKEY", "ALIAS"};
    struct yaml type;
    if (!yaml_get(record->at, "type", &type)) {
        yaml_error(record->at, "missing \"type\"");
        return false;
    }
    const char *text = yaml_text(&type);
    if (text == NULL || type_special(&type, text)) {
        return false;
    }
    if (strcmp(text, "ANAME") == 0) { // other servers' word for it
        text = "ALIAS";
    }
    if (!rr_type_parse(text, &record->type)) {
        char hint[HINT_MAX];
        yaml_error(&type, "unknown record type \"%.40s\"%s", text,
                   hint_format(text_nearest(text, common, ARRAY_SIZE(common)), hint));
        return false;
    }
    if (!rr_type_is_data(record->type)) {
        yaml_error(&type, "no zone holds records of type %.40s", text);
        return false;
    }
    record->type_name = text;
    return true;
}

static bool ttl_read(struct yaml_record *record)
{
    struct yaml ttl;
    uint32_t fallback = record->yz->reader->defaults.ttl;
    record->ttl = fallback ? fallback : RECORD_TTL_DEFAULT;
    return !yaml_get(record->at, "ttl", &ttl) || yaml_number(&ttl, 0, INT32_MAX, &record->ttl);
}

// octoDNS leaves a record alone that says so, and so does a server that reads its files.
static bool record_ignored(const struct yaml *at)
{
    struct yaml octodns, ignored;
    bool value = false;
    if (yaml_get(at, "octodns", &octodns) && yaml_get(&octodns, "ignored", &ignored) &&
        yaml_bool(&ignored, &value) && value) {
        yaml_warning(&ignored, "the record is left out, as it says");
    }
    return value;
}

static bool record_is_first(const struct yaml_record *record)
{
    const struct owner *owner = zone_find(record->yz->zone, record->owner);
    const struct rrset *rrset = owner ? owner_rrset(owner, record->type) : NULL;
    if (rrset == NULL) {
        return true;
    }
    yaml_error(record->at, "%s records of this name are in line %u already; one record holds all",
               record->type_name, rrset->place.line);
    return false;
}

static void static_read(const struct yaml_record *record)
{
    uint8_t *rdata = mem_scratch(RDATA_MAX_SIZE);
    struct yaml_values values = yaml_values_find(record);
    struct yaml value = {0};
    while (yaml_values_next(&values, &value)) {
        size_t size = yaml_value_read(record, &value, rdata);
        if (size > 0) {
            const struct zone_record one = {record->owner, record->type, record->ttl,
                                            rdata,         size,         yaml_place(&value)};
            zone_add(record->yz->zone, &one, record->yz->reader->diags);
        }
    }
    free(rdata);
    if (!values.given) {
        yaml_error(record->at, "missing \"value\", \"values\", \"records\" or \"dynamic\"");
    }
}

// One pool of all values, for everybody.
static void plain_fill(const struct yaml_record *record, struct policy *policy)
{
    struct arena *arena = record->yz->arena;
    policy->pool_count = policy->rule_count = 1;
    policy->pools = arena_alloc(arena, sizeof(*policy->pools));
    policy->rules = arena_alloc(arena, sizeof(*policy->rules));
    policy->pools[0] = (struct pool){
        .name = "default",
        .fallback = -1,
        .members = arena_copy(arena, policy->values, policy->value_count * sizeof(struct member)),
        .member_count = policy->value_count,
        .min_up = 1,
        .place = yaml_place(record->at),
    };
    policy->rules[0] = (struct rule){.share_ppm = 1000000, .place = yaml_place(record->at)};
}

static bool type_is_single(uint16_t type)
{
    return type == TYPE_CNAME;
}

// Methods and counts as each form has them when nothing else is written.
static void policy_defaults(const struct yaml_record *record, enum policy_form form, bool weighted,
                            struct policy *policy)
{
    policy->form = form;
    bool draws = form == FORM_DYNAMIC || weighted;
    policy->method = draws ? METHOD_WEIGHTED : METHOD_ROTATE;
    policy->answers = draws || type_is_single(record->type) ? 1 : 0;
    policy->all_down = ALL_DOWN_ALL;
    policy->check = (struct check_spec){.kind = CHECK_NONE};
}

// The last resort where no values are written, which only rows may do: the rows that most clients
// would get and that are not paused. Without a default line the others get no answer from here.
static void values_default(const struct yaml_record *record, struct policy *policy)
{
    const struct rule *last = &policy->rules[policy->rule_count - 1];
    const struct pool *pool = &policy->pools[last->pool];
    SP_ASSERT(policy->form == FORM_FLAT); // so no pool holds another
    if (last->line_count > 0) {
        return;
    }
    policy->values = arena_alloc(record->yz->arena, pool->member_count * sizeof(struct member));
    for (size_t i = 0; i < pool->member_count; i++) {
        if (!pool->members[i].disabled) {
            policy->values[policy->value_count++] = pool->members[i];
        }
    }
}

// What a transfer or a plain tool sees: the last resort, or the first rows that are not paused.
static void static_fill(const struct yaml_record *record, const struct policy *policy,
                        struct rrset *rrset)
{
    const struct member *members = policy->values;
    size_t count = policy->value_count;
    for (size_t pool = 0;; pool++) {
        for (size_t i = 0; i < count; i++) {
            bool room = !type_is_single(record->type) || rrset->record_count == 0;
            if (!members[i].disabled && members[i].pool == NULL && room) {
                rrset_add(record->yz->zone, rrset, members[i].rdata, members[i].rdata_size);
            }
        }
        if (rrset->record_count > 0 || pool == policy->pool_count) {
            return;
        }
        members = policy->pools[pool].members;
        count = policy->pools[pool].member_count;
    }
}

static void policy_attach(const struct yaml_record *record, struct policy *policy,
                          uint32_t ttl_most)
{
    struct rrset *rrset = zone_rrset(record->yz->zone, record->owner, record->type);
    rrset->ttl = record->ttl;
    rrset->ttl_most = ttl_most;
    rrset->place = yaml_place(record->at);
    rrset->policy = policy;
    static_fill(record, policy, rrset);
    // A document with nothing but paused rows does not come here.
    SP_ASSERT(rrset->record_count > 0);
}

static bool type_may_steer(const struct yaml_record *record, const struct yaml *form)
{
    if (record->type == TYPE_ALIAS) {
        yaml_error(form, "an ALIAS cannot be steered; steer the name that it points to");
        return false;
    }
    if (record->type == TYPE_SOA || record->type == TYPE_NS || record->type == TYPE_DS ||
        record->type == TYPE_DNAME) {
        yaml_error(form, "%s records cannot be steered; write \"values\" alone", record->type_name);
        return false;
    }
    return true;
}

static bool values_fill(const struct yaml_record *record, struct policy *policy)
{
    struct yaml_values values = yaml_values_find(record);
    if (!values.given) {
        return true;
    }
    if (type_is_single(record->type) && values.count > 1 && policy->form != FORM_PLAIN) {
        yaml_error(&values.holder, "a CNAME has one value");
        return false;
    }
    return yaml_values_members(record, &values, &policy->values, &policy->value_count);
}

static void steered_read(struct yaml_record *record, enum policy_form form, const struct yaml *at)
{
    if (!type_may_steer(record, at)) {
        return;
    }
    struct policy *policy = arena_alloc(record->yz->arena, sizeof(*policy));
    struct flat_facts facts = {.ttl = record->ttl, .ttl_most = record->ttl};
    bool good = true;
    policy->form = form;
    if (form == FORM_DYNAMIC) {
        good = yaml_dynamic_read(record, at, policy);
    } else if (form == FORM_FLAT) {
        good = yaml_flat_read(record, at, policy, &facts);
        record->ttl = facts.ttl;
    }
    policy_defaults(record, form, facts.weighted, policy);
    good &= values_fill(record, policy);
    good &= yaml_signpost_read(record, policy);
    if (!good) {
        return;
    }
    if (form == FORM_PLAIN && policy->value_count == 0) {
        yaml_error(record->at, "missing \"value\", \"values\", \"records\" or \"dynamic\"");
        return;
    }
    if (form == FORM_PLAIN) {
        plain_fill(record, policy);
    }
    if (policy->pool_count == 0) {
        return; // every row is paused; said already
    }
    if (policy->value_count == 0) {
        values_default(record, policy);
    }
    if (!yaml_pools_methods_check(record, policy)) {
        return;
    }
    yaml_members_settle(record, policy);
    policy_attach(record, policy, facts.ttl_most);
}

static void form_read(struct yaml_record *record)
{
    struct yaml dynamic, rows, geo;
    bool has_dynamic = yaml_get(record->at, "dynamic", &dynamic);
    bool has_rows = yaml_get(record->at, "records", &rows);
    if (yaml_get(record->at, "geo", &geo)) {
        yaml_error(&geo, "octoDNS's old \"geo\" is not supported%s; write \"dynamic\" rules",
                   has_dynamic ? " and does not go with \"dynamic\"" : "");
        return;
    }
    if (has_dynamic && has_rows) {
        yaml_error(&rows, "\"records\" and \"dynamic\" do not go together");
        return;
    }
    if (has_dynamic) {
        steered_read(record, FORM_DYNAMIC, &dynamic);
    } else if (has_rows) {
        steered_read(record, FORM_FLAT, &rows);
    } else if (yaml_signpost_given(record)) {
        struct yaml form;
        bool given =
            yaml_get(record->at, "signpost", &form) || yaml_get(record->at, "octodns", &form);
        SP_ASSERT(given);
        steered_read(record, FORM_PLAIN, &form);
    } else {
        static_read(record);
    }
}

static void record_read(struct yaml_zone *yz, const struct yaml *at, const uint8_t *owner)
{
    struct yaml_record record = {.yz = yz, .at = at, .owner = owner};
    if (!yaml_is_map(at) || record_ignored(at)) {
        return;
    }
    yaml_known_keys(at, record_keys, ARRAY_SIZE(record_keys));
    struct yaml octodns;
    bool good = !yaml_get(at, "octodns", &octodns) || octodns.node->kind == YAML_NULL ||
                yaml_is_map(&octodns);
    good &= type_read(&record);
    good &= ttl_read(&record);
    if (good && record_is_first(&record)) {
        form_read(&record);
    }
}

// The owner name of a top-level key; '' and '@' are the top of the zone.
static bool owner_read(const struct yaml_zone *yz, const struct yaml *entry,
                       uint8_t owner[NAME_MAX_SIZE])
{
    const char *key = entry->node->key, *reason;
    const uint8_t *apex = zone_apex(yz->zone);
    if (name_text_parse(*key ? key : "@", apex, owner, &reason) == 0) {
        diags_error(yz->reader->diags, yaml_key_place(entry), key,
                    "expected a name relative to the zone: %s", reason);
        return false;
    }
    if (!name_within(owner, apex)) {
        diags_error(yz->reader->diags, yaml_key_place(entry), key, "the name is outside the zone");
        return false;
    }
    return true;
}

// "$signpost": what holds for the zone as a whole. It comes first, because records are read as they
// come.
static void settings_read(struct yaml_zone *yz, const struct yaml *at)
{
    static const char *const keys[] = {"precedence"};
    struct yaml precedence;
    unsigned choice;
    if (zone_owner_count(yz->zone) > 0) {
        yaml_error(at, "the settings of the zone must stand before its first record");
        return;
    }
    if (!yaml_is_map(at)) {
        return;
    }
    yaml_known_keys(at, keys, ARRAY_SIZE(keys));
    if (yaml_get(at, "precedence", &precedence) &&
        yaml_choice(&precedence, line_precedence_names, PRECEDENCE_COUNT, &choice)) {
        zone_set_precedence(yz->zone, (enum line_precedence)choice);
    }
}

static void entry_read(struct yaml_zone *yz, const struct yaml *entry)
{
    uint8_t owner[NAME_MAX_SIZE];
    if (strcmp(entry->node->key, "$signpost") == 0) {
        settings_read(yz, entry);
        return;
    }
    if (!owner_read(yz, entry, owner)) {
        return;
    }
    const struct owner *before = zone_find(yz->zone, owner);
    if (before && before->rrsets) {
        yaml_error(entry, "the name is here twice; first in line %u", before->rrsets->place.line);
    }
    if (entry->node->kind != YAML_LIST) {
        record_read(yz, entry, owner);
        return;
    }
    struct yaml item = {0};
    while (yaml_next(entry, &item)) {
        record_read(yz, &item, owner);
    }
}

// `text` NULL: the file at `path`.
static struct zone *read_zone(const char *path, const char *text, const uint8_t *apex,
                              const struct zone_reader *reader)
{
    size_t errors_before = reader->diags->error_count;
    struct zone *zone = zone_new(apex);
    zone_set_path(zone, path);
    struct yaml_zone yz = {
        .reader = reader,
        .path = zone_path(zone),
        .zone = zone,
        .arena = zone_arena(zone),
        .scanner = rdata_scanner_new(),
    };
    struct document *document = text ? document_open_text(yz.path, text, reader->diags)
                                     : document_open(yz.path, false, reader->diags);
    struct yaml entry;
    while (document && document_next(document, &entry)) {
        entry_read(&yz, &entry);
    }
    document_close(document);
    rdata_scanner_free(yz.scanner);
    if (reader->diags->error_count == errors_before) {
        zone_pair_members(zone);
        zone_finish(zone, &reader->defaults, reader->diags);
    }
    if (reader->diags->error_count != errors_before) {
        zone_free(zone);
        return NULL;
    }
    return zone;
}

struct zone *zone_yaml_read(const char *path, const uint8_t *apex, const struct zone_reader *reader)
{
    return read_zone(path, NULL, apex, reader);
}

struct zone *zone_yaml_read_text(const char *path, const char *text, const uint8_t *apex,
                                 const struct zone_reader *reader)
{
    return read_zone(path, text, apex, reader);
}
