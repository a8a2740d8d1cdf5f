// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the YAML zone reader share. Internal to format/; one thread.
#pragma once

#include "format/document.h"
#include "zone/rdata.h"
#include "format/readers.h"

// One zone being read.
struct yaml_zone {
    const struct zone_reader *reader;
    const char *path; // lives as long as the zone
    struct zone *zone;
    struct arena *arena; // the zone's
    struct rdata_scanner *scanner;
};

// One record mapping: "www" or one of the list under it.
struct yaml_record {
    struct yaml_zone *yz;
    const struct yaml *at;
    const uint8_t *owner;
    uint16_t type;
    const char *type_name;
    uint32_t ttl;
};

// yaml_value.c: one value of the type, as text or as a mapping. The rdata size; 0 after a fault.
size_t yaml_value_read(const struct yaml_record *record, const struct yaml *at,
                       uint8_t rdata[RDATA_MAX_SIZE]);
// Keys of the mapping that stands for a value of this type, in the order of presentation form,
// where each is one word of it. How many; 0 when the type is text, or no such mapping is enough.
size_t yaml_value_keys(uint16_t type, const char **keys, size_t capacity);
// The same into a member of weight 1 that obeys its check.
bool yaml_member_read(const struct yaml_record *record, const struct yaml *at,
                      struct member *member);
// yaml_text.c: TXT and SPF: quotes, escapes, pieces of 255 octets. As yaml_value_read.
size_t yaml_strings_read(const struct yaml *at, uint8_t rdata[RDATA_MAX_SIZE]);

// The values under `value` or `values`, one after the other; `holder` is scratch for the way.
struct yaml_values {
    struct yaml holder; // the list or the single value
    bool given;         // one of the keys is there
    size_t count;
};
struct yaml_values yaml_values_find(const struct yaml_record *record);
bool yaml_values_next(const struct yaml_values *values, struct yaml *value);
// All of them as members; false when one has a fault.
bool yaml_values_members(const struct yaml_record *record, const struct yaml_values *values,
                         struct member **members, size_t *count);

// The three forms; each fills what its keys say. False after an error.
bool yaml_dynamic_read(const struct yaml_record *record, const struct yaml *dynamic,
                       struct policy *policy); // yaml_dynamic.c
// yaml_pools.c: finds what the pools fall back on and the pools that stand in others.
bool yaml_pools_link(const struct yaml *pools, struct policy *policy);
// Reports methods of pools that do not go together with each other or with the record's.
bool yaml_pools_methods_check(const struct yaml_record *record, const struct policy *policy);
// Reports pools that no rule leads to; `used` says which ones rules name.
bool yaml_pools_used_check(const struct yaml *pools, const struct policy *policy, bool *used);
bool yaml_rules_read(const struct yaml_record *record, const struct yaml *rules,
                     struct policy *policy, bool *pool_used); // yaml_rules.c
// What rows say beside their members: `ttl` and `ttl_most` come with that of the record.
struct flat_facts {
    bool weighted;          // some row has a weight of its own
    uint32_t ttl, ttl_most; // the least and the greatest
};
bool yaml_flat_read(const struct yaml_record *record, const struct yaml *rows,
                    struct policy *policy, struct flat_facts *facts); // yaml_flat.c
// yaml_signpost.c: `signpost` and `octodns.healthcheck`. The policy comes with the defaults of its
// form and is changed by what is written.
bool yaml_signpost_read(const struct yaml_record *record, struct policy *policy);
// The name of a method, of a record or of a pool.
bool yaml_method_read(const struct yaml *at, enum method *method);
bool yaml_signpost_given(const struct yaml_record *record);
// yaml_check.c: the probe definition.
bool yaml_check_read(const struct yaml_record *record, struct check_spec *check);

// Line by name; -1 after a fault that names the nearest line.
int yaml_line_read(const struct yaml_record *record, const struct yaml *at);
// yaml_member.c: weight (1 if not given), priority, site and name of a member that is a mapping.
bool yaml_weight_read(const struct yaml *at, uint32_t *weight);
bool yaml_member_keys_read(const struct yaml_record *record, const struct yaml *at,
                           struct member *member);
// Once all members and the method are there: gives the policy copies of the sites that they name,
// and orders them by priority where the method goes by it.
void yaml_members_settle(const struct yaml_record *record, struct policy *policy);
// Warns when two members have the same value.
void yaml_members_compare(const struct yaml_record *record, const struct yaml *at,
                          const struct member *members, size_t count);
