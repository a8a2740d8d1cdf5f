// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the writers share. Internal to format/; one thread.
#pragma once

#include "format/writers.h"

// A record being written.
struct record_out {
    const struct zone_writer *writer;
    const struct zone *zone;
    enum zone_dialect dialect;
    const struct owner *owner;
    const struct rrset *rrset;
    char name[NAME_TEXT_MAX]; // for messages
};

// A loss, at the place of the RRset.
void record_loss(const struct record_out *record, const char *format, ...) PRINTF_LIKE(2, 3);
// The value as YAML: a mapping where octoDNS has one, else text.
void record_value_write(const struct record_out *record, const uint8_t *rdata, size_t rdata_size);
// `octodns` and the entry `check` of `signpost`, each with what is to be written there.
bool record_healthcheck_needed(const struct record_out *record);
void record_healthcheck_write(const struct record_out *record, const char *indent);
bool record_check_needed(const struct record_out *record);
void record_check_write(const struct record_out *record);

// The keys of a member with a value, without the braces.
void record_member_write(const struct record_out *record, const struct member *member);
// The key `dynamic`.
void record_dynamic_write(const struct record_out *record);

// The owner relative to the zone's apex: "" at the top. Returns `text`.
const char *owner_text(const uint8_t *apex, const uint8_t *owner, char text[NAME_TEXT_MAX]);
// Owners in the order of octoDNS's keys. Released with free().
const struct owner **owners_sorted(const struct zone *zone, size_t *count);
// Whether the RRset came from the configuration and is in no document.
bool rrset_is_default(const struct rrset *rrset);
