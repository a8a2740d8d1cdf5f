// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct zone: one zone as its document states it, before it is compiled into answers.
//
// Owners in the order of the document, each with its RRsets; a steered RRset carries a policy.
// Everything lives in the zone's arena and ends with zone_free. Readers (zone_file, zone_yaml) fill
// it on a pool thread; after zone_finish it is read-only (but for member.check) and belongs to the
// control thread.
#pragma once

#include "base/diag.h"
#include "base/memory.h"
#include "dns/name.h"
#include "geo/lines.h"
#include "zone/policy.h"

struct record {
    const uint8_t *rdata; // wire form, uncompressed
    uint16_t rdata_size;
};

struct rrset {
    uint16_t type;
    uint32_t ttl;           // one for the RRset (RFC 2181, 5.2): the least of the document's
    uint32_t ttl_most;      // the greatest of the document's, for lint
    struct record *records; // the static answer; for a steered RRset its `values`
    uint32_t record_count, record_capacity;
    struct policy *policy; // NULL: static (several addresses are still rotated)
    struct place place;
    struct rrset *next;
};

struct owner {
    const uint8_t *name; // absolute, case as written
    uint8_t name_size;
    struct rrset *rrsets;
};

struct zone;

// An empty zone; the name is copied.
struct zone *zone_new(const uint8_t *apex);
void zone_free(struct zone *zone); // NULL allowed

// Its name, and the arena that ends with it: for what its records and policies point to.
const uint8_t *zone_apex(const struct zone *zone);
struct arena *zone_arena(struct zone *zone);
// The document that the zone was read from, for messages; NULL until it is set.
const char *zone_path(const struct zone *zone);
void zone_set_path(struct zone *zone, const char *path); // copied
// Whether the document includes others: its own file does not tell whether it changed.
bool zone_has_includes(const struct zone *zone);
void zone_set_includes(struct zone *zone);
// Which line wins in the flat form: that of the reader unless the document says otherwise. False
// while it was not set.
bool zone_precedence(const struct zone *zone, enum line_precedence *precedence);
void zone_set_precedence(struct zone *zone, enum line_precedence precedence);

// A record of a document.
struct zone_record {
    const uint8_t *owner; // absolute
    uint16_t type;
    uint32_t ttl;
    const uint8_t *rdata; // wire form, uncompressed; of any octets
    size_t rdata_size;
    struct place place;
};

// Adds one record; its data is copied. Faults of the record in its zone are reported and the record
// left out: owner outside the zone, a type that no zone holds, rdata that is not of the type's
// form, a second SOA, CNAME or DNAME, a TTL past 2^31-1, more than RRSET_MEMBERS_MAX records. An
// exact duplicate is dropped silently (RFC 2181, 5); of TTLs that differ within the RRset the least
// wins. False when an error was reported.
bool zone_add(struct zone *zone, const struct zone_record *record, struct diags *diags);
// Finds or makes the RRset; for readers that attach a policy.
struct rrset *zone_rrset(struct zone *zone, const uint8_t *owner, uint16_t type);
// Adds a copy of well-formed rdata to the RRset, unless it is there already. For readers that
// attach a policy: a steered CNAME may have several.
void rrset_add(struct zone *zone, struct rrset *rrset, const uint8_t *rdata, size_t rdata_size);
// NULL if there is none. Case-insensitive.
const struct owner *zone_find(const struct zone *zone, const uint8_t *name);
const struct rrset *owner_rrset(const struct owner *owner, uint16_t type);
// Its place in the list of owners; -1: there is none. Not after zone_release.
long zone_find_index(const struct zone *zone, const uint8_t *name);
// Whether some name is an ALIAS.
bool zone_has_alias(const struct zone *zone);
// Whether some name may hide those below it: a delegation or a DNAME.
bool zone_has_covers(const struct zone *zone);
size_t zone_owner_count(const struct zone *zone);
const struct owner *zone_owner(const struct zone *zone, size_t index);

// Where owners come from when the zone no longer holds them: zone_find and zone_owner ask it. What
// it gives stays valid until the source says otherwise.
struct owner_source {
    const struct owner *(*find)(void *state, const struct zone *zone, const uint8_t *name);
    const struct owner *(*at)(void *state, const struct zone *zone, size_t index);
    void *state;
};
bool zone_is_released(const struct zone *zone);
// Whether some RRset has a policy: the document is needed for as long as the zone is served.
bool zone_has_policy(const struct zone *zone);
// Gives back a zone without policies; what is left of it is in one new block, so that nothing stays
// among the memory that the reader took. The source is borrowed. Pointers to the zone, its owners,
// RRsets and records end here.
struct zone *zone_release(struct zone *zone, const struct owner_source *source);

// What a zone without SOA or NS gets.
struct zone_defaults {
    const char *const *nameservers; // presentation form, absolute
    size_t nameserver_count;
    const char *hostmaster; // RNAME: "hostmaster.example.com." or "hostmaster@example.com"
    uint32_t serial;        // from the file's last change
    uint32_t ttl;           // default TTL of the zone
};

// Completes (SOA, NS from the defaults) and checks the zone as a whole: SOA and NS at the apex,
// CNAME beside other data (RFC 1034, 3.6.2), records below a delegation that are not glue
// (warning), NS or MX targets that are a CNAME here (warning), missing glue, DNAME with names
// below, ALIAS beside addresses, hints that follow and cannot. Whether the target of an ALIAS is
// hosted here is no matter of one zone (engine/engine_alias.c). False when the zone has errors and
// must not be used.
bool zone_finish(struct zone *zone, const struct zone_defaults *defaults, struct diags *diags);
