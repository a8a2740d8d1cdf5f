// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the octoDNS-only rules before have targeted, to find targets that can never be reached.
// Internal to the YAML reader; one thread, one policy at a time.
#pragma once

#include "format/yaml_zone.h"

struct targets_seen;

// One a policy, before its first rule.
struct targets_seen *targets_seen_new(void);
void targets_seen_free(struct targets_seen *seen);
// Reports each target of the rule that an earlier one (or another of its own) holds already, then
// remembers the rest. `number` counts from 1. False after an error.
bool targets_seen_geos(struct targets_seen *seen, const struct yaml *at, const struct rule *rule,
                       unsigned number);
bool targets_seen_subnets(struct targets_seen *seen, const struct yaml *at, const struct rule *rule,
                          unsigned number);

// Lists of targets, into the arena; false after an error.
bool targets_geos_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule);
bool targets_subnets_read(const struct yaml_record *record, const struct yaml *at,
                          struct rule *rule);
bool targets_lines_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule);
bool targets_asns_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule);
// "AS4134" or "4134".
bool yaml_asn_read(const struct yaml *at, uint32_t *asn);
// A network without host bits.
bool yaml_prefix_read(const struct yaml *at, unsigned ipv6_length_max, struct prefix *prefix);
// "5%" or "0.05"; above zero.
bool yaml_share_read(const struct yaml *at, uint32_t *share_ppm);
// yaml_ramp.c: the rule's ramp.
bool yaml_ramp_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule);
