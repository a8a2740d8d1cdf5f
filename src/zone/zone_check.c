// SPDX-License-Identifier: GPL-3.0-or-later
//
// zone_finish: a zone as a whole. Gives it the SOA and NS records that its document left to the
// defaults, then looks at every owner once for what single records cannot show.
//
// Called by the readers, on their thread, after the last record. Errors are what would make answers
// wrong (RFC 1034, 3.6.2; RFC 6672); what only hampers a resolver is a warning.
#include "zone/zone.h"

#include "dns/types.h"
#include "dns/wire.h"
#include "zone/rdata.h"
#include "zone/zone_check_alias.h"

#include <string.h>

// Timers of a SOA made from the defaults, in seconds: refresh, retry and expire as RIPE-203 has
// them in spirit (secondaries notice within hours, keep serving for two weeks), and a short
// negative TTL.
enum { SOA_REFRESH = 7200, SOA_RETRY = 900, SOA_EXPIRE = 1209600, SOA_MINIMUM = 300 };

struct finish {
    struct zone *zone;
    const struct zone_defaults *defaults;
    struct diags *diags;
    size_t errors_before;
    struct place place; // the document as a whole
};

// "hostmaster@example.com" becomes the name hostmaster.example.com, dots before the @ escaped.
static size_t hostmaster_parse(const char *text, const uint8_t *apex, uint8_t wire[NAME_MAX_SIZE],
                               const char **reason)
{
    const char *at = text ? strchr(text, '@') : NULL;
    if (text == NULL) {
        return name_parse("hostmaster", apex, wire, reason);
    }
    if (at == NULL) {
        return name_parse(text, NULL, wire, reason);
    }
    uint8_t domain[NAME_MAX_SIZE];
    size_t local_size = (size_t)(at - text), domain_size = name_parse(at + 1, NULL, domain, reason);
    if (domain_size == 0) {
        return 0;
    }
    if (local_size == 0 || local_size > LABEL_MAX_SIZE ||
        local_size + 1 + domain_size > NAME_MAX_SIZE) {
        *reason = "the part before the @ must have 1 to 63 characters";
        return 0;
    }
    wire[0] = (uint8_t)local_size;
    memcpy(wire + 1, text, local_size);
    memcpy(wire + 1 + local_size, domain, domain_size);
    return 1 + local_size + domain_size;
}

static void apex_add(struct finish *finish, uint16_t type, const uint8_t *rdata, size_t rdata_size)
{
    const struct zone_record record = {.owner = zone_apex(finish->zone),
                                       .type = type,
                                       .ttl = finish->defaults->ttl,
                                       .rdata = rdata,
                                       .rdata_size = rdata_size,
                                       .place = finish->place};
    zone_add(finish->zone, &record, finish->diags);
}

static void add_nameservers(struct finish *finish)
{
    const struct zone_defaults *defaults = finish->defaults;
    if (defaults->nameserver_count == 0) {
        diags_error(finish->diags, finish->place, NULL,
                    "the zone has no NS records at its top, and no default nameservers are set");
    }
    for (size_t i = 0; i < defaults->nameserver_count; i++) {
        uint8_t target[NAME_MAX_SIZE];
        const char *reason;
        size_t size = name_parse(defaults->nameservers[i], NULL, target, &reason);
        if (size == 0) {
            diags_error(finish->diags, finish->place, NULL, "default nameserver \"%s\": %s",
                        defaults->nameservers[i], reason);
            continue;
        }
        apex_add(finish, TYPE_NS, target, size);
    }
}

static void add_soa(struct finish *finish)
{
    struct zone *zone = finish->zone;
    const struct owner *apex = zone_find(zone, zone_apex(zone));
    const struct rrset *ns = apex ? owner_rrset(apex, TYPE_NS) : NULL;
    if (ns == NULL || ns->record_count == 0) {
        return; // reported by add_nameservers
    }
    uint8_t rdata[2 * NAME_MAX_SIZE + 20];
    memcpy(rdata, ns->records[0].rdata, ns->records[0].rdata_size);
    uint8_t *at = rdata + ns->records[0].rdata_size;
    const char *reason;
    size_t size = hostmaster_parse(finish->defaults->hostmaster, zone_apex(zone), at, &reason);
    if (size == 0) {
        diags_error(finish->diags, finish->place, NULL, "default hostmaster \"%s\": %s",
                    finish->defaults->hostmaster ? finish->defaults->hostmaster : "hostmaster",
                    reason);
        return;
    }
    at += size;
    const uint32_t numbers[] = {finish->defaults->serial, SOA_REFRESH, SOA_RETRY, SOA_EXPIRE,
                                SOA_MINIMUM};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++, at += sizeof(numbers[0])) {
        put_u32(at, numbers[i]);
    }
    apex_add(finish, TYPE_SOA, rdata, (size_t)(at - rdata));
}

static void complete(struct finish *finish)
{
    struct zone *zone = finish->zone;
    const struct owner *apex = zone_find(zone, zone_apex(zone));
    bool has_ns = apex && owner_rrset(apex, TYPE_NS);
    bool has_soa = apex && owner_rrset(apex, TYPE_SOA);
    if (!has_ns) {
        add_nameservers(finish);
    }
    if (!has_soa) {
        add_soa(finish);
    }
}

static bool dnssec_type(uint16_t type)
{
    return type == TYPE_RRSIG || type == TYPE_NSEC;
}

static void check_cname(struct finish *finish, const struct owner *owner)
{
    const struct rrset *cname = owner_rrset(owner, TYPE_CNAME);
    if (cname == NULL) {
        return;
    }
    for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
        if (rrset->type == TYPE_CNAME || dnssec_type(rrset->type)) {
            continue;
        }
        char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
        diags_error(finish->diags, cname->place, name_format(owner->name, name),
                    "a CNAME may not stand beside other records (RFC 1034, section 3.6.2), here %s",
                    rr_type_format(rrset->type, type));
    }
}

// What lies above an owner: the nearest delegation and DNAME inside the zone, strictly above it.
struct above {
    const struct owner *cut, *dname;
};

static struct above look_above(const struct finish *finish, const uint8_t *name)
{
    struct above above = {0};
    const uint8_t *apex = zone_apex(finish->zone);
    while (!name_equal(name, apex)) {
        name = name_parent(name);
        const struct owner *parent = zone_find(finish->zone, name);
        if (parent == NULL) {
            continue;
        }
        if (!above.dname && owner_rrset(parent, TYPE_DNAME)) {
            above.dname = parent;
        }
        if (owner_rrset(parent, TYPE_NS) && !name_equal(name, apex)) {
            above.cut = parent;
        }
    }
    return above;
}

static void check_above(struct finish *finish, const struct owner *owner)
{
    if (!zone_has_covers(finish->zone)) {
        return;
    }
    struct above above = look_above(finish, owner->name);
    char name[NAME_TEXT_MAX], other[NAME_TEXT_MAX];
    if (above.dname) {
        diags_error(finish->diags, owner->rrsets->place, name_format(owner->name, name),
                    "a name below the DNAME at %s can never be reached (RFC 6672, section 2.4)",
                    name_format(above.dname->name, other));
    }
    bool is_cut = owner_rrset(owner, TYPE_NS) && !name_equal(owner->name, zone_apex(finish->zone));
    if (!above.cut && !is_cut) {
        return;
    }
    for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
        bool belongs = rrset->type == TYPE_A || rrset->type == TYPE_AAAA ||
                       (!above.cut && (rrset->type == TYPE_NS || rrset->type == TYPE_DS ||
                                       dnssec_type(rrset->type)));
        if (!belongs) {
            char type[RR_TYPE_TEXT_MAX];
            diags_warning(finish->diags, rrset->place, name_format(owner->name, name),
                          "%s is not served: the name is delegated at %s",
                          rr_type_format(rrset->type, type),
                          name_format(above.cut ? above.cut->name : owner->name, other));
        }
    }
}

// Whether a wildcard of the zone gives the name records (RFC 4592: at the closest encloser only,
// but for a warning any ancestor is near enough).
static bool wildcard_covers(const struct zone *zone, const uint8_t *name)
{
    while (!name_equal(name, zone_apex(zone))) {
        name = name_parent(name);
        uint8_t wildcard[NAME_MAX_SIZE + 2] = {1, '*'};
        size_t size = name_size(name);
        memcpy(wildcard + 2, name, size);
        if (size + 2 <= NAME_MAX_SIZE && zone_find(zone, wildcard)) {
            return true;
        }
    }
    return false;
}

static void check_target(struct finish *finish, const struct owner *owner,
                         const struct rrset *rrset, const uint8_t *target)
{
    const struct zone *zone = finish->zone;
    if (name_is_root(target) || !name_within(target, zone_apex(zone))) {
        return;
    }
    char name[NAME_TEXT_MAX], other[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    const struct owner *found = zone_find(zone, target);
    if (found && owner_rrset(found, TYPE_CNAME)) {
        diags_warning(finish->diags, rrset->place, name_format(owner->name, name),
                      "%s points to %s, which is a CNAME (RFC 2181, section 10.3)",
                      rr_type_format(rrset->type, type), name_format(target, other));
        return;
    }
    bool addressed = found && (owner_rrset(found, TYPE_A) || owner_rrset(found, TYPE_AAAA) ||
                               owner_rrset(found, TYPE_ALIAS));
    if (addressed || rrset->type != TYPE_NS || wildcard_covers(zone, target)) {
        return;
    }
    bool glue = name_within(target, owner->name);
    bool delegated = look_above(finish, target).cut != NULL;
    if (glue || !delegated) {
        diags_warning(finish->diags, rrset->place, name_format(owner->name, name),
                      "%s has no address record here; %s", name_format(target, other),
                      glue && !name_equal(owner->name, zone_apex(zone))
                          ? "the delegation needs it as glue"
                          : "nobody can reach this nameserver");
    }
}

static void check_targets(struct finish *finish, const struct owner *owner)
{
    for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
        size_t offset = rrset->type == TYPE_MX ? 2 : 0;
        if (rrset->type != TYPE_NS && rrset->type != TYPE_MX) {
            continue;
        }
        for (size_t i = 0; i < rrset->record_count; i++) {
            check_target(finish, owner, rrset, rrset->records[i].rdata + offset);
        }
    }
}

bool zone_finish(struct zone *zone, const struct zone_defaults *defaults, struct diags *diags)
{
    struct finish finish = {zone, defaults, diags, diags->error_count, {.file = zone_path(zone)}};
    complete(&finish);
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        const struct owner *owner = zone_owner(zone, i);
        if (owner->rrsets == NULL) {
            continue;
        }
        check_cname(&finish, owner);
        check_above(&finish, owner);
        check_targets(&finish, owner);
        zone_check_alias(owner, diags);
        zone_check_services(owner, diags);
    }
    return diags->error_count == finish.errors_before;
}
