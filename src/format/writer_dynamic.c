// SPDX-License-Identifier: GPL-3.0-or-later
//
// Members, and the key `dynamic`: pools and rules as octoDNS has them, and what is ours.
//
// Where the document is for octoDNS, each thing that it would not take, or take for something else,
// is a loss. Called by zone_writer.c, on its thread.
#include "format/zone_writer.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/time_text.h"
#include "format/yaml_out.h"

#include <string.h>

enum { WEIGHT_OCTODNS_MAX = 100 };

// --- members

static const char *const status_texts[] = {"obey", "up", "down"}; // enum member_status

// The keys before `value` that members of both forms have; each ends with a comma.
static void keys_write(const struct record_out *record, const struct member *member)
{
    FILE *out = record->writer->out;
    if (member->name) {
        fputs("name: ", out);
        yaml_out_text(out, member->name);
        fputs(", ", out);
    }
    if (member->priority) {
        fprintf(out, "priority: %u, ", member->priority);
    }
    if (member->remark) {
        fputs("remark: ", out);
        yaml_out_text(out, member->remark);
        fputs(", ", out);
    }
}

void record_member_write(const struct record_out *record, const struct member *member)
{
    FILE *out = record->writer->out;
    keys_write(record, member);
    // A place that stands for a member without a site has the member's own name.
    if (member->site && member->site->name != member->text) {
        fputs("site: ", out);
        yaml_out_text(out, member->site->name);
        fputs(", ", out);
    }
    if (member->status != STATUS_OBEY) {
        fprintf(out, "status: %s, ", status_texts[member->status]);
    }
    fputs("value: ", out);
    record_value_write(record, member->rdata, member->rdata_size);
    if (member->weight != 1) {
        fprintf(out, ", weight: %u", member->weight);
    }
}

// --- pools

static void member_check_octodns(const struct record_out *record, const struct pool *pool,
                                 const struct member *member)
{
    if (record->dialect != DIALECT_OCTODNS) {
        return;
    }
    if (member->weight < 1 || member->weight > WEIGHT_OCTODNS_MAX) {
        record_loss(record, "octoDNS refuses the weight %u in the pool \"%s\": it has 1 to %d",
                    member->weight, pool->name, WEIGHT_OCTODNS_MAX);
    } else if (pool->member_count == 1 && member->weight != 1) {
        record_loss(record, "octoDNS refuses a weight in the pool \"%s\", which has one value",
                    pool->name);
    }
    if (member->pool) {
        record_loss(record, "octoDNS has no pools within pools, as in \"%s\"", pool->name);
    }
}

static void pool_write(const struct record_out *record, const struct policy *policy,
                       const struct pool *pool)
{
    FILE *out = record->writer->out;
    fputs("        ", out);
    yaml_out_text(out, pool->name);
    fputs(":\n", out);
    if (pool->fallback >= 0) {
        fputs("          fallback: ", out);
        yaml_out_text(out, policy->pools[pool->fallback].name);
        fputc('\n', out);
    }
    if (pool->has_method) {
        fprintf(out, "          method: %s\n", method_names[pool->method]);
        if (record->dialect == DIALECT_OCTODNS) {
            record_loss(record, "octoDNS knows no method of the pool \"%s\"", pool->name);
        }
    }
    if (pool->min_up != 1 || pool->min_up_percent) {
        fprintf(out, "          min_up: %u%s\n", pool->min_up, pool->min_up_percent ? "%" : "");
    }
    fputs("          values:\n", out);
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        member_check_octodns(record, pool, member);
        fputs("            - {", out);
        if (member->pool) {
            fputs("pool: ", out);
            yaml_out_text(out, member->pool->name);
            if (member->priority) {
                fprintf(out, ", priority: %u", member->priority);
            }
            if (member->remark) {
                fputs(", remark: ", out);
                yaml_out_text(out, member->remark);
            }
            if (member->weight != 1) {
                fprintf(out, ", weight: %u", member->weight);
            }
        } else {
            record_member_write(record, member);
        }
        fputs("}\n", out);
    }
}

// --- rules

// The keys of a rule stand in a list: the first one after the dash, the others below it.
static void key_begin(FILE *out, bool *begun, const char *key)
{
    fprintf(out, "%s%s: ", *begun ? "          " : "        - ", key);
    *begun = true;
}

// "12.5%".
static void part_write(FILE *out, uint32_t ppm)
{
    char text[16];
    size_t size = (size_t)snprintf(text, sizeof(text), "%u.%04u", ppm / 10000, ppm % 10000);
    while (text[size - 1] == '0') {
        size--;
    }
    size -= text[size - 1] == '.';
    fprintf(out, "%.*s%%", (int)size, text);
}

static void ramp_write(FILE *out, const struct ramp *ramp)
{
    fputs("{abort_below: ", out);
    part_write(out, ramp->abort_below_ppm);
    if (ramp->start_ns != 0) {
        char start[TIME_TEXT_MAX];
        fprintf(out, ", start: \"%s\"", time_text_format(ramp->start_ns, start));
    }
    fputs(", steps: [", out);
    for (size_t i = 0; i < ramp->step_count; i++) {
        fputs(i ? ", {" : "{", out);
        if (i + 1 < ramp->step_count) {
            fputs("for: ", out);
            yaml_out_duration(out, ramp->steps[i].for_ns);
            fputs(", ", out);
        }
        fputs("share: ", out);
        part_write(out, ramp->steps[i].share_ppm);
        fputc('}', out);
    }
    fputs("]}\n", out);
}

static void asns_write(FILE *out, const struct rule *rule)
{
    for (size_t i = 0; i < rule->asn_count; i++) {
        fprintf(out, "%s%u", i ? ", " : "[", rule->asns[i]);
    }
    fputs("]\n", out);
}

static void geos_write(FILE *out, const struct rule *rule)
{
    // "NA" alone is a word, but quotes do no harm to those that YAML 1.1 takes for more.
    for (size_t i = 0; i < rule->geo_count; i++) {
        fprintf(out, "%s\"%s\"", i ? ", " : "[", rule->geos[i]);
    }
    fputs("]\n", out);
}

static void lines_write(FILE *out, const struct lines *lines, const struct rule *rule)
{
    for (size_t i = 0; i < rule->line_count; i++) {
        fputs(i ? ", " : "[", out);
        yaml_out_text(out, lines_get(lines, (size_t)rule->lines[i])->id);
    }
    fputs("]\n", out);
}

static void subnets_write(FILE *out, const struct rule *rule)
{
    char text[PREFIX_TEXT_MAX];
    for (size_t i = 0; i < rule->subnet_count; i++) {
        fprintf(out, "%s\"%s\"", i ? ", " : "[", prefix_format(&rule->subnets[i], text));
    }
    fputs("]\n", out);
}

static void rule_write(const struct record_out *record, const struct policy *policy,
                       const struct rule *rule)
{
    FILE *out = record->writer->out;
    bool begun = false;
    if (rule->asn_count > 0) {
        key_begin(out, &begun, "asns");
        asns_write(out, rule);
    }
    if (rule->geo_count > 0) {
        key_begin(out, &begun, "geos");
        geos_write(out, rule);
    }
    if (rule->line_count > 0) {
        key_begin(out, &begun, "lines");
        lines_write(out, record->writer->lines, rule);
    }
    key_begin(out, &begun, "pool");
    yaml_out_text(out, policy->pools[rule->pool].name);
    fputc('\n', out);
    if (rule->ramp != NULL) {
        key_begin(out, &begun, "ramp");
        ramp_write(out, rule->ramp);
    } else if (rule->share_ppm != 1000000) {
        key_begin(out, &begun, "share");
        part_write(out, rule->share_ppm);
        fputc('\n', out);
    }
    if (rule->subnet_count > 0) {
        key_begin(out, &begun, "subnets");
        subnets_write(out, rule);
    }
}

// --- what octoDNS does not take; the reader has seen to the order of rules and targets

static void rule_check_octodns(const struct record_out *record, const struct rule *rule,
                               size_t number)
{
    if (rule->line_count || rule->asn_count || rule->share_ppm != 1000000) {
        record_loss(record,
                    "rule %zu has lines, asns or a share: octoDNS does not know them and takes the "
                    "rule for one that holds %s",
                    number, rule->geo_count || rule->subnet_count ? "less" : "everybody");
    }
    for (size_t i = 0; i < rule->geo_count; i++) {
        const char *geo = rule->geos[i];
        if (strlen(geo) > 5 && strncmp(geo, "NA-US-", 6) != 0 && strncmp(geo, "NA-CA-", 6) != 0) {
            record_loss(record,
                        "rule %zu: octoDNS has subdivisions of the US and of Canada only, "
                        "not %s",
                        number, geo);
        }
    }
}

// --- all

static int pool_compare(const void *a, const void *b)
{
    const struct pool *const *x = a, *const *y = b;
    return yaml_out_order((*x)->name, (*y)->name);
}

void record_dynamic_write(const struct record_out *record)
{
    const struct policy *policy = record->rrset->policy;
    FILE *out = record->writer->out;
    const struct pool **pools = mem_alloc_array(policy->pool_count, sizeof(const struct pool *));
    for (size_t i = 0; i < policy->pool_count; i++) {
        pools[i] = &policy->pools[i];
    }
    qsort(pools, policy->pool_count, sizeof(const struct pool *), pool_compare);
    fputs("    dynamic:\n      pools:\n", out);
    for (size_t i = 0; i < policy->pool_count; i++) {
        pool_write(record, policy, pools[i]);
    }
    free(pools);
    fputs("      rules:\n", out);
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (record->dialect == DIALECT_OCTODNS) {
            rule_check_octodns(record, &policy->rules[i], i + 1);
        }
        rule_write(record, policy, &policy->rules[i]);
    }
}
