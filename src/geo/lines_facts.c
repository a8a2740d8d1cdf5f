// SPDX-License-Identifier: GPL-3.0-or-later
//
// Facts: what tells an ISP from the ASN, the organisation or the address of a client's network.
//
// ASNs are kept sorted; of several rows for one the operator's last counts. An operator's name
// patterns are asked before those built in. Networks of ISPs stay with the catalogue
// (geo_networks.c and geo.c lay them over the databases); ASNs and networks of search engines and
// custom lines become part of the line. Written while a struct lines is made, then read by any
// thread.
#include "geo/geo.h"
#include "geo/lines_internal.h"

#include <string.h>

// The most numbers that one row may give, since registries hand them out in blocks of that size;
// and the most of all rows together.
enum { ASN_RANGE_MAX = 1024, ASNS_MAX = 1 << 20 };

static bool number_read(const char **text, uint32_t *asn)
{
    size_t size = strspn(*text, "0123456789");
    if (size == 0 || size > 10) {
        return false;
    }
    uint64_t number = 0;
    for (const char *end = *text + size; *text < end; ++*text) {
        number = number * 10 + (unsigned)(**text - '0');
    }
    *asn = (uint32_t)number;
    return number >= 1 && number <= UINT32_MAX;
}

// NUMBER or FIRST-LAST.
static bool asns_read(const char *text, uint32_t *first, uint32_t *last)
{
    if (!number_read(&text, first)) {
        return false;
    }
    *last = *first;
    if (*text == '-') {
        text++;
        return number_read(&text, last) && *text == 0 && *first <= *last &&
               *last - *first < ASN_RANGE_MAX;
    }
    return *text == 0;
}

static bool takes_networks(const struct line *line)
{
    return line->kind == LINE_SEARCH || line->kind == LINE_CUSTOM;
}

static bool is_isp(const struct line *line)
{
    return (line->kind == LINE_ISP || line->kind == LINE_CLOUD) && line->isp != 0;
}

static void fact_add(struct lines *lines, struct line_fact fact)
{
    MEM_GROW(lines->facts, lines->fact_count, lines->fact_capacity);
    lines->facts[lines->fact_count++] = fact;
}

static void asn_give(struct lines *lines, uint32_t asn, int line, uint32_t number)
{
    if (line >= 0 && takes_networks(&lines->items[line])) {
        fact_add(lines, (struct line_fact){.line = line, .asn = asn});
        return;
    }
    MEM_GROW(lines->asns, lines->asn_count, lines->asn_capacity);
    lines->asns[lines->asn_count++] =
        (struct isp_asn){asn, line >= 0 ? lines->items[line].isp : 0, number};
}

static void add_asn(struct lines *lines, const struct line_row *row, int line, struct diags *diags)
{
    uint32_t first, last;
    if (!asns_read(row->fields[2], &first, &last)) {
        row_fault(lines, row, 2, diags,
                  "\"%.40s\" is no AS number; expected 1 to 4294967295, or FIRST-LAST of up to %d",
                  row->fields[2], ASN_RANGE_MAX);
        return;
    }
    if (lines->asn_count + lines->fact_count > ASNS_MAX) {
        row_fault(lines, row, 0, diags, "more than %d AS numbers", ASNS_MAX);
        return;
    }
    for (uint64_t asn = first; asn <= last; asn++) {
        asn_give(lines, (uint32_t)asn, line, row->number);
    }
}

static void add_name(struct lines *lines, const struct line_row *row, int line, struct diags *diags)
{
    const struct line *isp = &lines->items[line];
    if (!is_isp(isp) || !*isp->country) {
        row_fault(lines, row, 1, diags, "a pattern of names needs an ISP with a country");
        return;
    }
    struct isp_pattern pattern = {.isp = isp->isp, .own = lines->file != NULL};
    int error = regcomp(&pattern.regex, row->fields[2], REG_EXTENDED | REG_ICASE | REG_NOSUB);
    if (error != 0 || *row->fields[2] == 0) {
        char reason[128] = "it is empty";
        if (error != 0) {
            regerror(error, &pattern.regex, reason, sizeof(reason));
        } else {
            regfree(&pattern.regex);
        }
        row_fault(lines, row, 2, diags, "not a regular expression: %s", reason);
        return;
    }
    MEM_GROW(lines->patterns, lines->pattern_count, lines->pattern_capacity);
    lines->patterns[lines->pattern_count++] = pattern;
}

static bool network_read(const struct lines *lines, const struct line_row *row,
                         struct prefix *network, struct diags *diags)
{
    bool host_bits = false;
    if (!prefix_parse(row->fields[2], network, &host_bits)) {
        row_fault(lines, row, 2, diags,
                  host_bits ? "\"%.60s\" has bits set past its length"
                            : "\"%.60s\" is no network; expected the form 192.0.2.0/24",
                  row->fields[2]);
        return false;
    }
    if (network->length > 64) {
        row_fault(lines, row, 2, diags, "IPv6 networks are told apart up to /64, this one is a /%u",
                  network->length);
        return false;
    }
    return true;
}

static void add_network(struct lines *lines, const struct line_row *row, int line,
                        struct diags *diags)
{
    struct prefix network;
    if (!network_read(lines, row, &network, diags)) {
        return;
    }
    if (takes_networks(&lines->items[line])) {
        fact_add(lines, (struct line_fact){.line = line, .network = network});
    } else {
        MEM_GROW(lines->networks, lines->network_count, lines->network_capacity);
        lines->networks[lines->network_count++] =
            (struct isp_network){network, lines->items[line].isp, row->number};
    }
}

static void add_fallback(struct lines *lines, const struct line_row *row, int line,
                         struct diags *diags)
{
    struct prefix network;
    if (lines->file != NULL) {
        row_fault(lines, row, 0, diags,
                  "fallbacks are built in; \"network\" says it with certainty");
    } else if (network_read(lines, row, &network, diags)) {
        MEM_GROW(lines->fallbacks, lines->fallback_count, lines->fallback_capacity);
        lines->fallbacks[lines->fallback_count++] =
            (struct isp_network){network, lines->items[line].isp, row->number};
    }
}

static void add_aliases(struct lines *lines, const struct line_row *row, int line,
                        struct diags *diags)
{
    if (row_words_fit(lines, row, 2, diags)) {
        row_names_add(lines, row, 2, line, diags);
    }
}

bool lines_add_fact(struct lines *lines, const struct line_row *row, struct diags *diags)
{
    static const struct {
        const char *kind;
        void (*add)(struct lines *lines, const struct line_row *row, int line, struct diags *diags);
        bool any_line, no_line; // besides ISPs and lines of networks: any, none
    } kinds[] = {
        {"asn", add_asn, false, true},          {"name", add_name, false, false},
        {"network", add_network, false, false}, {"fallback", add_fallback, false, false},
        {"alias", add_aliases, true, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].kind, row->fields[0]) != 0) {
            continue;
        }
        int line = lines_find(lines, row->fields[1]);
        bool none = kinds[i].no_line && strcmp(row->fields[1], "-") == 0;
        if (line < 0 && !none) {
            row_fault(lines, row, 1, diags, "there is no line \"%.60s\" above or built in",
                      row->fields[1]);
        } else if (none || kinds[i].any_line || is_isp(&lines->items[line]) ||
                   takes_networks(&lines->items[line])) {
            kinds[i].add(lines, row, none ? -1 : line, diags);
        } else {
            row_fault(lines, row, 1, diags,
                      "\"%.60s\" follows from other facts; expected an ISP, a cloud, a search "
                      "engine or a custom line",
                      row->fields[1]);
        }
        return true;
    }
    return false;
}

// --- when all rows are read

// The row that counts comes first: an operator's before what is built in, a later before an
// earlier.
static int asn_compare(const void *a, const void *b)
{
    const struct isp_asn *x = a, *y = b;
    if (x->asn != y->asn) {
        return x->asn < y->asn ? -1 : 1;
    }
    return (x->number < y->number) - (x->number > y->number);
}

static void asns_finish(struct lines *lines, const char *path, struct diags *diags)
{
    if (lines->asn_count == 0) {
        return;
    }
    qsort(lines->asns, lines->asn_count, sizeof(*lines->asns), asn_compare);
    size_t count = 1;
    for (size_t i = 1; i < lines->asn_count; i++) {
        struct isp_asn *last = &lines->asns[count - 1], *next = &lines->asns[i];
        if (next->asn != last->asn) {
            lines->asns[count++] = *next;
        } else if (next->number > 0 && next->isp != last->isp) {
            diags_error(diags, (struct place){path, last->number, 1}, NULL,
                        "AS %u is on line %u already, of another line", next->asn, next->number);
        } else {
            SP_ASSERT(last->number > 0); // the built-in rows have no AS number twice
        }
    }
    lines->asn_count = count;
}

static void patterns_finish(struct lines *lines)
{
    if (lines->pattern_count == 0) {
        return;
    }
    struct isp_pattern *sorted = mem_alloc_array(lines->pattern_count, sizeof(*sorted));
    size_t count = 0;
    for (int own = 1; own >= 0; own--) {
        for (size_t i = 0; i < lines->pattern_count; i++) {
            if (lines->patterns[i].own == (own == 1)) {
                sorted[count++] = lines->patterns[i];
            }
        }
    }
    free(lines->patterns);
    lines->patterns = sorted;
}

static int network_compare(const void *a, const void *b)
{
    const struct isp_network *x = a, *y = b;
    int order = memcmp(&x->network, &y->network, sizeof(x->network)); // family, address, length
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

// Of several rows for one network the first counts (geo_networks.c); they must say the same.
static void networks_finish(struct lines *lines, const char *path, struct diags *diags)
{
    if (lines->network_count > 0) {
        qsort(lines->networks, lines->network_count, sizeof(*lines->networks), network_compare);
    }
    for (size_t i = 1; i < lines->network_count; i++) {
        const struct isp_network *first = &lines->networks[i - 1], *again = &lines->networks[i];
        if (memcmp(&first->network, &again->network, sizeof(first->network)) == 0 &&
            first->isp != again->isp) {
            diags_error(diags, (struct place){path, again->number, 1}, NULL,
                        "this network is on line %u already, of another line", first->number);
        }
    }
}

static void fallbacks_finish(struct lines *lines)
{
    if (lines->fallback_count > 0) {
        qsort(lines->fallbacks, lines->fallback_count, sizeof(*lines->fallbacks), network_compare);
    }
    for (size_t i = 1; i < lines->fallback_count; i++) {
        SP_ASSERT(!prefix_contains(&lines->fallbacks[i - 1].network,
                                   &lines->fallbacks[i].network.address));
    }
}

// What a line is given: room for as much as was counted.
struct given {
    struct prefix *networks;
    uint32_t *asns;
};

// Counts a fact for its line and those around it; where there is room, puts it there as well.
static void fact_give(struct lines *lines, const struct line_fact *fact, const struct given *given)
{
    const bool is_network = fact->network.address.family != FAMILY_NONE;
    for (int at = fact->line; at >= 0; at = lines->items[at].within) {
        struct line *line = &lines->items[at];
        if (given != NULL && is_network) {
            given[at].networks[line->network_count] = fact->network;
        } else if (given != NULL) {
            given[at].asns[line->asn_count] = fact->asn;
        }
        *(is_network ? &line->network_count : &line->asn_count) += 1;
    }
}

// Networks and ASNs of the lines that take them: of each its own and of those within it.
static void facts_give(struct lines *lines)
{
    struct given *given = mem_alloc_array(lines->count, sizeof(*given));
    for (size_t i = 0; i < lines->fact_count; i++) {
        fact_give(lines, &lines->facts[i], NULL);
    }
    for (size_t i = 0; i < lines->count; i++) {
        struct line *line = &lines->items[i];
        if (takes_networks(line)) {
            given[i].networks =
                arena_alloc(lines->arena, line->network_count * sizeof(*line->networks));
            given[i].asns = arena_alloc(lines->arena, line->asn_count * sizeof(*line->asns));
            line->networks = given[i].networks;
            line->asns = given[i].asns;
            line->network_count = line->asn_count = 0;
        }
    }
    for (size_t i = 0; i < lines->fact_count; i++) {
        fact_give(lines, &lines->facts[i], given);
    }
    free(given);
}

void lines_finish_facts(struct lines *lines, const char *path, struct diags *diags)
{
    asns_finish(lines, path, diags);
    patterns_finish(lines);
    fallbacks_finish(lines);
    networks_finish(lines, path, diags);
    facts_give(lines);
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->items[i];
        if (line->kind == LINE_CUSTOM && line->network_count + line->asn_count == 0) {
            diags_error(diags, line->place, line->id,
                        "a line needs networks or asns: nobody is in it");
        }
    }
    free(lines->facts);
    lines->facts = NULL;
    lines->fact_count = lines->fact_capacity = 0;
}

void lines_free_facts(struct lines *lines)
{
    for (size_t i = 0; i < lines->pattern_count; i++) {
        regfree(&lines->patterns[i].regex);
    }
    free(lines->patterns);
    free(lines->asns);
    free(lines->fallbacks);
    free(lines->networks);
    free(lines->facts);
}

// --- asking

static const struct isp_asn *asn_find(const struct lines *lines, uint32_t asn)
{
    size_t low = 0, high = lines->asn_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lines->asns[middle].asn < asn) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < lines->asn_count && lines->asns[low].asn == asn ? &lines->asns[low] : NULL;
}

uint16_t lines_isp_of_asn(const struct lines *lines, uint32_t asn, const char *organisation,
                          const char *country)
{
    const struct isp_asn *fact = asn_find(lines, asn);
    if (fact != NULL) {
        const char *of = lines_isp_country(lines, fact->isp);
        return !*of || !*country || strcmp(of, country) == 0 ? fact->isp : 0;
    }
    for (size_t i = 0; *country && i < lines->pattern_count; i++) {
        const struct isp_pattern *pattern = &lines->patterns[i];
        if (strcmp(lines_isp_country(lines, pattern->isp), country) == 0 &&
            regexec(&pattern->regex, organisation, 0, NULL, 0) == 0) {
            return pattern->isp;
        }
    }
    return 0;
}

const char *lines_isp_name(const struct lines *lines, uint16_t isp)
{
    SP_ASSERT(isp < lines->isp_count);
    return isp ? lines->items[lines->isps[isp].line].id : "";
}

const char *lines_isp_country(const struct lines *lines, uint16_t isp)
{
    SP_ASSERT(isp < lines->isp_count);
    return isp ? lines->items[lines->isps[isp].line].country : "";
}

uint16_t lines_isp_find(const struct lines *lines, const char *name)
{
    int line = lines_find(lines, name);
    return line >= 0 && is_isp(&lines->items[line]) ? lines->items[line].isp : 0;
}

static bool network_at(const struct isp_network *networks, size_t count, size_t index,
                       struct prefix *network, uint16_t *isp)
{
    if (index >= count) {
        return false;
    }
    *network = networks[index].network;
    *isp = networks[index].isp;
    return true;
}

bool lines_isp_network(const struct lines *lines, size_t index, struct prefix *network,
                       uint16_t *isp)
{
    return network_at(lines->fallbacks, lines->fallback_count, index, network, isp);
}

bool lines_own_network(const struct lines *lines, size_t index, struct prefix *network,
                       uint16_t *isp)
{
    return network_at(lines->networks, lines->network_count, index, network, isp);
}
