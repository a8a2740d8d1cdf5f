// SPDX-License-Identifier: GPL-3.0-or-later
#include "steer/rule.h"

#include <string.h>

bool rule_is_for_all(const struct rule *rule, const struct lines *lines)
{
    if (rule->line_count + rule->geo_count + rule->subnet_count + rule->asn_count == 0) {
        return true;
    }
    for (size_t i = 0; i < rule->line_count; i++) {
        if (lines_get(lines, (size_t)rule->lines[i])->kind == LINE_DEFAULT) {
            return true;
        }
    }
    return false;
}

// "AS", "AS-CN", "AS-CN-GD": the most specific part decides; country codes are unique.
static bool geo_code_holds(const char *code, const struct location *location)
{
    size_t length = strlen(code);
    if (length == 2) {
        return strcmp(code, location->continent) == 0;
    }
    if (length < 5 || location->country[0] == '\0' || memcmp(code + 3, location->country, 2) != 0) {
        return false;
    }
    return length == 5 || strcmp(code + 6, location->region) == 0;
}

bool rule_holds_location(const struct rule *rule, const struct lines *lines,
                         const struct location *location)
{
    for (size_t i = 0; i < rule->line_count; i++) {
        if (location->custom_line == rule->lines[i] ||
            line_holds(lines_get(lines, (size_t)rule->lines[i]), location)) {
            return true;
        }
    }
    for (size_t i = 0; i < rule->geo_count; i++) {
        if (geo_code_holds(rule->geos[i], location)) {
            return true;
        }
    }
    return false;
}

static bool networks_hold(const struct prefix *networks, size_t count, const struct address *client)
{
    for (size_t i = 0; i < count; i++) {
        if (prefix_contains(&networks[i], client)) {
            return true;
        }
    }
    return false;
}

static bool asns_hold(const uint32_t *asns, size_t count, uint32_t asn)
{
    for (size_t i = 0; i < count; i++) {
        if (asns[i] == asn) {
            return true;
        }
    }
    return false;
}

bool rule_holds_client(const struct rule *rule, const struct lines *lines, const struct geo *geo,
                       const struct address *client)
{
    struct geo_match match = geo_locate(geo, client);
    if (rule_is_for_all(rule, lines) ||
        rule_holds_location(rule, lines, geo_location(geo, match.location)) ||
        networks_hold(rule->subnets, rule->subnet_count, client) ||
        asns_hold(rule->asns, rule->asn_count, match.asn)) {
        return true;
    }
    for (size_t i = 0; i < rule->line_count; i++) {
        const struct line *line = lines_get(lines, (size_t)rule->lines[i]);
        if (networks_hold(line->networks, line->network_count, client) ||
            asns_hold(line->asns, line->asn_count, match.asn)) {
            return true;
        }
    }
    return false;
}

bool rule_is_final(const struct policy *policy, const struct rule *rule)
{
    return policy->form != FORM_FLAT && rule->share_ppm >= 1000000;
}

bool rule_is_sure(const struct policy *policy, const struct rule *rule)
{
    const struct pool *pool = &policy->pools[rule->pool];
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        bool unchecked = member->status == STATUS_OBEY && member->check < 0;
        if (member->pool == NULL && !member->disabled &&
            (member->status == STATUS_UP || unchecked)) {
            return true;
        }
    }
    return false;
}
