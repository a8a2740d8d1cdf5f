// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lines: named sets of clients ("cn-telecom", "cn", "overseas", "default", an operator's "office").
//
// A line is a conjunction of facts about a location (ISP, country, region, continent) or a union of
// networks, ASNs and countries. The catalogue is data (the TSV files of src/geo/, built into the
// binary); an operator's file of the same format (geo.lines) extends and overrides it, and
// shared.yaml adds to it. A struct lines never changes after it was made; any thread may read it.
//
// Ids: "default", "cn" (mainland China), "overseas" (outside it), ISPs ("cn-telecom", "aliyun"),
// ISP and area or province ("cn-telecom-huanan", "cn-telecom-gd"), areas ("cn-huanan"), first-level
// subdivisions ("cn-gd", "us-ca"), countries ("jp"), groups of them ("western-europe"), continents
// ("europe"), search engines ("search-baidu"). Aliases are the names of other providers' consoles
// ("10=0", "Dianxin_Guangdong", "cn_telecom_guangdong", "广东电信"); where those say different
// things, PROVIDER:CODE says which is meant ("huawei:AF").
#pragma once

#include "base/address.h"
#include "base/diag.h"

struct location; // geo/geo.h

enum line_kind {
    LINE_DEFAULT,   // everybody
    LINE_OVERSEAS,  // outside mainland China
    LINE_CONTINENT, // and so on: broader first; also groups of countries
    LINE_COUNTRY,
    LINE_AREA,   // some subdivisions of a country, any ISP
    LINE_REGION, // a first-level subdivision, any ISP
    LINE_ISP,
    LINE_ISP_AREA,
    LINE_ISP_REGION, // an ISP in one subdivision
    LINE_CLOUD,
    LINE_SEARCH, // the networks of a search engine
    LINE_CUSTOM, // the operator's own
    LINE_OPAQUE, // of provider codes that are not known: nobody
    LINE_KIND_COUNT
};

// Which of two lines that both hold a client wins in the flat form. Zone setting; docs/guide/lines.
enum line_precedence { PRECEDENCE_ISP_FIRST, PRECEDENCE_PROVINCE_FIRST, PRECEDENCE_COUNT };
// As written in documents, in enum order, ending with NULL.
extern const char *const line_precedence_names[PRECEDENCE_COUNT + 1];

struct line {
    const char *id; // "cn-telecom"; also what documents are written with
    enum line_kind kind;
    // Facts that a location must have; "" or 0 means any.
    char continent[3], country[3], region[8]; // "AS", "CN", "GD" (ISO 3166-2 without the country)
    const char (*regions)[8];                 // LINE_AREA, LINE_ISP_AREA: any of these
    size_t region_count;
    uint16_t isp;          // index of an ISP, see lines_isp_name
    uint64_t isps;         // bits 1 << isp: the ISP and those within it (cn-mobile has cn-tietong)
    bool outside_mainland; // country is known and is not CN
    uint8_t depth;         // how many lines of its kind it lies within; deeper ones outrank them
    int within;            // the next broader line of its kind, or -1
    // LINE_CONTINENT, LINE_CUSTOM: countries; any of these.
    const char (*countries)[3];
    size_t country_count;
    // LINE_CUSTOM, LINE_SEARCH: clients in any of these.
    const struct prefix *networks;
    size_t network_count;
    const uint32_t *asns;
    size_t asn_count;
    struct place place; // where an operator's line is defined
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

// The built-in catalogue, the rows of the operator's file (NULL: none), and the operator's lines of
// shared.yaml. Every fault is reported in `diags`: a row that says nothing, a name that is taken, a
// line without members; the result is usable all the same.
struct lines *lines_load(const char *path, const struct line_definition *custom, size_t count,
                         struct diags *diags);
// The same without a file.
struct lines *lines_new(const struct line_definition *custom, size_t count, struct diags *diags);
void lines_free(struct lines *lines); // NULL allowed

size_t lines_count(const struct lines *lines);
const struct line *lines_get(const struct lines *lines, size_t index);
// By id or by any alias ("cn-telecom", "telecom", "电信", "10=0"), case-insensitive in ASCII. -1 if
// none.
int lines_find(const struct lines *lines, const char *name);
// A line by what a provider calls it: by its code, else by a name that means one thing everywhere.
// -1 if none.
int lines_find_at(const struct lines *lines, const char *provider, const char *code);
// Whether the name has the form PROVIDER:CODE of a provider that is known: one that is not found is
// then a code, and no slip. *line is LINE_OPAQUE's.
bool lines_is_foreign(const struct lines *lines, const char *name, int *line);

// Two operators' lines that claim the same network. Calls `report` for each such pair.
typedef void line_clash(void *context, const struct line *a, const struct line *b,
                        const struct prefix *network);
void lines_clashes(const struct lines *lines, line_clash *report, void *context);

// Whether the location's facts put it in the line. For LINE_CUSTOM only its countries are looked
// at: networks and ASNs are properties of prefixes, not of locations, and location.custom_line is
// an index to compare with.
bool line_holds(const struct line *line, const struct location *location);
// Rank of the line in the flat form: higher wins. Distinct kinds never tie. isp-first: custom,
// search, cloud, ISP in a region, in an area, ISP, region, area, country, continent, overseas,
// default. province-first: custom, search, ISP in a region, region, ISP in an area, area, cloud,
// ISP, country and so on.
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
// Networks that the operator's file gives to ISPs, whatever their ASN; may nest, and one may be
// there twice (with faults: of two ISPs).
bool lines_own_network(const struct lines *lines, size_t index, struct prefix *network,
                       uint16_t *isp);
