// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lines: named sets of clients ("cn-telecom", "cn", "overseas", "default", an operator's "office").
//
// A line is a conjunction of facts about a location (ISP, country, region, continent) or, for an
// operator's own line, a union of networks, ASNs and countries. The catalogue is data
// (the TSV files of src/geo/, built into the binary); shared.yaml adds to it. A struct lines never
// changes after it was made; any thread may read it.
//
// Ids: "default", "cn" (mainland China), "overseas" (outside it), ISPs ("cn-telecom", "aliyun"),
// ISP and province ("cn-telecom-gd"), first-level subdivisions of CN, US and CA ("cn-gd", "us-ca"),
// countries ("jp"), continents ("europe"). Aliases are the codes and names of other providers'
// consoles ("10=0", "Dianxin_Guangdong", "cn_telecom_guangdong", "广东电信").
#pragma once

#include "base/address.h"
#include "base/diag.h"

struct location; // geo/geo.h

enum line_kind {
    LINE_DEFAULT,   // everybody
    LINE_OVERSEAS,  // outside mainland China
    LINE_CONTINENT, // and so on: broader first
    LINE_COUNTRY,
    LINE_REGION, // a first-level subdivision, any ISP
    LINE_ISP,
    LINE_ISP_REGION, // an ISP in one subdivision
    LINE_CUSTOM,     // the operator's own
};

// Which of two lines that both hold a client wins in the flat form. Zone setting; docs/guide/lines.
enum line_precedence { PRECEDENCE_ISP_FIRST, PRECEDENCE_PROVINCE_FIRST };

struct line {
    const char *id; // "cn-telecom"; also what documents are written with
    enum line_kind kind;
    // Facts that a location must have; "" or 0 means any.
    char continent[3], country[3], region[8]; // "AS", "CN", "GD" (ISO 3166-2 without the country)
    uint16_t isp;                             // index of an ISP, see lines_isp_name
    uint64_t isps;         // bits 1 << isp: the ISP and those within it (cn-mobile has cn-tietong)
    bool outside_mainland; // country is known and is not CN
    bool narrow;           // lies within another line of its kind, and outranks it
    // LINE_CUSTOM: clients in any of these.
    const struct prefix *networks;
    size_t network_count;
    const uint32_t *asns;
    size_t asn_count;
    const char (*countries)[3];
    size_t country_count;
};

// An operator's line as shared.yaml has it; pointers are copied by lines_new.
struct line_definition {
    const char *name;
    struct place place;
    const struct prefix *networks;
    size_t network_count;
    const uint32_t *asns;
    size_t asn_count;
    const char (*countries)[3];
    size_t country_count;
};

struct lines;

// The built-in catalogue plus the operator's lines. A name that is taken already, or an operator's
// line without members, is reported in `diags`; the result is usable all the same.
struct lines *lines_new(const struct line_definition *custom, size_t count, struct diags *diags);
void lines_free(struct lines *lines);

size_t lines_count(const struct lines *lines);
const struct line *lines_get(const struct lines *lines, size_t index);
// By id or by any alias ("cn-telecom", "telecom", "电信", "10=0"), case-insensitive in ASCII. -1 if
// none.
int lines_find(const struct lines *lines, const char *name);

// Whether the location's facts put it in the line. For LINE_CUSTOM only its countries are looked
// at: networks and ASNs are properties of prefixes, not of locations, and location.custom_line is
// an index to compare with.
bool line_holds(const struct line *line, const struct location *location);
// Rank of the line in the flat form: higher wins. Distinct kinds never tie. isp-first: custom, ISP
// in a region, ISP, region, country, continent, overseas, default; province-first has region before
// ISP.
unsigned line_rank(const struct line *line, enum line_precedence precedence);

// ISPs: small integers, 0 is "none". How they are told is in isps.tsv: an ASN of the ISP counts
// where the country is the ISP's or unknown (""); a name pattern over the organisation only where
// the country is known to be the ISP's.
uint16_t lines_isp_of_asn(const struct lines *lines, uint32_t asn, const char *organisation,
                          const char *country);
const char *lines_isp_name(const struct lines *lines, uint16_t isp); // "cn-telecom"; "" for 0
// Index of the ISP whose line has this id or alias; 0 if none.
uint16_t lines_isp_find(const struct lines *lines, const char *name);
const char *lines_isp_country(const struct lines *lines, uint16_t isp); // "CN"; "" for any
// Built-in networks that stand in where ASN data has holes: disjoint, ascending by family, then
// address. Returns false past the last.
bool lines_isp_network(const struct lines *lines, size_t index, struct prefix *network,
                       uint16_t *isp);
