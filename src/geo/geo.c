// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct geo: joins what the sources say into locations, and answers for them.
//
// The databases are laid over each other (geo_sources.c). Then one sweep goes over places, ASNs,
// the operator's networks and the built-in networks together: where any of them changes, the
// location and the ASN of the next run are decided, and both go into a poptrie. One family after
// the other, so that only one city database is in memory as runs.
//
// geo_load runs on a pool thread; the result never changes and any thread may read it.

#include "geo/geo.h"

#include "geo/geo_load.h"

#include <math.h>
#include <string.h>

// Location ids fit 16 bits, with one value to spare for whoever indexes by them. The last few
// thousand are kept for vague locations (country and ISP), for when the others are used up.
enum { LOCATIONS_MAX = 65534, LOCATIONS_EXACT_MAX = 61000, MARKS_MAX = 65535 };

struct geo {
    struct arena *arena;
    struct location *locations;
    size_t location_count;
    struct asn_entry *asns; // the values of the ASN maps are indexes
    size_t asn_count;
    struct lpm *location_maps[FAMILIES], *asn_maps[FAMILIES];
    struct geo_summary summary;
};

// ISP of an ASN in the country that it was last asked for: clients of one ASN are mostly in one.
struct isp_memo {
    char country[3];
    bool known;
    uint16_t isp;
};

// What the operator's networks say of a location itself; equal ones are one.
struct mark {
    int custom_line;
    float latitude, longitude; // NAN: not said
};

struct loader {
    struct geo *geo;
    const struct lines *lines;
    struct diags *diags;
    struct interner interner;
    struct overrides overrides;
    uint32_t *override_marks; // by override
    struct mark *marks;
    size_t mark_count, mark_capacity;
    struct isp_memo *isps; // by ASN id
    size_t isp_count;
    struct key_map location_ids;
    uint32_t *location_places; // by location
    size_t location_capacity, place_capacity;
    bool full; // more locations or marks than there is room for
};

// --- marks

static uint32_t mark_add(struct loader *loader, const struct mark *mark)
{
    if (loader->mark_count > MARKS_MAX) {
        loader->full = true;
        return 0;
    }
    MEM_GROW(loader->marks, loader->mark_count, loader->mark_capacity);
    loader->marks[loader->mark_count] = *mark;
    return (uint32_t)loader->mark_count++;
}

static void marks_make(struct loader *loader)
{
    const struct overrides *overrides = &loader->overrides;
    struct key_map coordinates = {0}, known = {0};
    loader->override_marks = mem_alloc_array(overrides->count, sizeof(*loader->override_marks));
    mark_add(loader, &(struct mark){-1, NAN, NAN});
    for (size_t i = 1; i < overrides->count; i++) {
        const struct override *says = &overrides->items[i];
        struct mark mark = {says->custom_line, NAN, NAN};
        uint32_t point = 0, bits[2];
        if (says->has_coordinates) {
            mark.latitude = says->latitude;
            mark.longitude = says->longitude;
            memcpy(&bits[0], &mark.latitude, sizeof(bits[0]));
            memcpy(&bits[1], &mark.longitude, sizeof(bits[1]));
            uint64_t key = (uint64_t)bits[0] << 32 | bits[1];
            point = key_map_find(&coordinates, key);
            if (!point) {
                point = (uint32_t)coordinates.count + 1;
                key_map_set(&coordinates, key, point);
            }
        }
        if (point || mark.custom_line >= 0) {
            uint64_t key = (uint64_t)point << 32 | (uint32_t)mark.custom_line;
            uint32_t id = key_map_find(&known, key);
            if (!id && (id = mark_add(loader, &mark)) != 0) {
                key_map_set(&known, key, id);
            }
            loader->override_marks[i] = id;
        }
    }
    key_map_free(&coordinates);
    key_map_free(&known);
}

// --- locations

// What makes a location: ids.
struct facts {
    uint32_t place;
    uint16_t isp;
    uint32_t mark;
};

static uint64_t facts_key(const struct facts *facts)
{
    SP_ASSERT(facts->place <= LPM_VALUE_MAX);
    SP_ASSERT(facts->mark <= MARKS_MAX);
    return (uint64_t)facts->place << 32 | (uint64_t)facts->isp << 16 | facts->mark;
}

static uint32_t location_add(struct loader *loader, const struct facts *facts)
{
    struct geo *geo = loader->geo;
    const struct place_entry *place = &loader->interner.places[facts->place];
    const struct mark *mark = &loader->marks[facts->mark];
    struct location location = {
        .isp = facts->isp,
        .latitude = mark->latitude,
        .longitude = mark->longitude,
        .custom_line = mark->custom_line,
    };
    memcpy(location.country, place->country, sizeof(location.country));
    memcpy(location.region, place->region, sizeof(location.region));
    const char *continent = geo_continent_of(location.country);
    memcpy(location.continent, continent, strlen(continent) + 1);

    MEM_GROW(loader->location_places, geo->location_count, loader->place_capacity);
    loader->location_places[geo->location_count] = facts->place;
    MEM_GROW(geo->locations, geo->location_count, loader->location_capacity);
    geo->locations[geo->location_count++] = location;
    key_map_set(&loader->location_ids, facts_key(facts), (uint32_t)geo->location_count);
    return (uint32_t)geo->location_count - 1;
}

// The id of these facts; of vaguer ones when there are too many.
static uint32_t location_of(struct loader *loader, struct facts facts)
{
    uint32_t known = key_map_find(&loader->location_ids, facts_key(&facts));
    if (known) {
        return known - 1;
    }
    if (loader->geo->location_count < LOCATIONS_EXACT_MAX) {
        return location_add(loader, &facts);
    }
    loader->full = true;
    facts.mark = 0;
    facts.place = intern_place(&loader->interner, loader->interner.places[facts.place].country, "");
    known = key_map_find(&loader->location_ids, facts_key(&facts));
    if (known) {
        return known - 1;
    }
    return loader->geo->location_count < LOCATIONS_MAX ? location_add(loader, &facts)
                                                       : LOCATION_UNKNOWN;
}

// The place with what an override says of it: a region stays while the country does.
static uint32_t place_override(struct loader *loader, uint32_t place, const struct override *says)
{
    const struct place_entry *known = &loader->interner.places[place];
    if (!says->has_place || (!*says->region && strcmp(known->country, says->country) == 0)) {
        return place;
    }
    return intern_place(&loader->interner, says->country, says->region);
}

static uint16_t isp_of_asn(struct loader *loader, uint32_t asn, const char *country)
{
    SP_ASSERT(asn < loader->isp_count);
    struct isp_memo *memo = &loader->isps[asn];
    if (!memo->known || strcmp(memo->country, country) != 0) {
        const struct asn_entry *entry = &loader->interner.asns[asn];
        memo->known = true;
        memcpy(memo->country, country, sizeof(memo->country));
        memo->isp = lines_isp_of_asn(loader->lines, entry->asn, entry->organisation, country);
    }
    return memo->isp;
}

// The order of trust of geo.h.
static uint16_t isp_decide(struct loader *loader, const struct override *says, uint32_t asn,
                           const char *country, uint16_t builtin)
{
    if (says->has_isp) {
        return says->isp;
    }
    if (asn) {
        return isp_of_asn(loader, asn, country);
    }
    const char *of = lines_isp_country(loader->lines, builtin);
    return !*country || strcmp(country, of) == 0 ? builtin : 0;
}

// --- the sweep

enum stream { PLACES, ASNS, OVERRIDES, BUILTIN, STREAMS };

struct sweep {
    struct loader *loader;
    const struct runs *streams[STREAMS];
    size_t at[STREAMS];
    struct runs locations, asns;
};

static uint64_t stream_last(const struct sweep *sweep, size_t stream)
{
    const struct runs *runs = sweep->streams[stream];
    size_t next = sweep->at[stream] + 1;
    return next < runs->count ? runs->items[next].first - 1 : UINT64_MAX;
}

static void sweep_step(struct sweep *sweep, uint64_t first, uint64_t last)
{
    struct loader *loader = sweep->loader;
    uint32_t values[STREAMS];
    for (size_t i = 0; i < STREAMS; i++) {
        values[i] = sweep->streams[i]->items[sweep->at[i]].value;
    }
    const struct override *says = &loader->overrides.items[values[OVERRIDES]];
    uint32_t asn = says->asn ? says->asn : values[ASNS];
    struct facts facts = {
        .place = place_override(loader, values[PLACES], says),
        .mark = loader->override_marks[values[OVERRIDES]],
    };
    const char *country = loader->interner.places[facts.place].country;
    facts.isp = isp_decide(loader, says, asn, country, (uint16_t)values[BUILTIN]);
    if (!*country) { // the ISP's own country is the best guess
        facts.place =
            intern_place(&loader->interner, lines_isp_country(loader->lines, facts.isp), "");
    }
    runs_add(&sweep->locations, first, last, location_of(loader, facts));
    runs_add(&sweep->asns, first, last, asn);
}

static void sweep_run(struct sweep *sweep)
{
    uint64_t first = 0;
    for (;;) {
        uint64_t last = UINT64_MAX;
        for (size_t i = 0; i < STREAMS; i++) {
            last = MIN(last, stream_last(sweep, i));
        }
        sweep_step(sweep, first, last);
        if (last == UINT64_MAX) {
            return;
        }
        for (size_t i = 0; i < STREAMS; i++) {
            sweep->at[i] += stream_last(sweep, i) == last;
        }
        first = last + 1;
    }
}

static void builtin_runs(const struct lines *lines, enum family family, struct runs *runs)
{
    struct prefix network;
    uint16_t isp;
    for (size_t i = 0; lines_isp_network(lines, i, &network, &isp); i++) {
        if (network.address.family == family) {
            uint64_t first, last;
            prefix_keys(&network, &first, &last);
            runs_add(runs, first, last, isp);
        }
    }
    runs_finish(runs);
}

static void family_load(struct loader *loader, struct sources *sources, enum family family)
{
    struct geo *geo = loader->geo;
    size_t i = family_index(family);
    struct runs places, asns, builtin = {0};
    sources_read(sources, family, &loader->interner, &places, &asns, loader->diags);
    geo->summary.has_places |= places.count > 1;
    geo->summary.has_asns |= asns.count > 1;
    builtin_runs(loader->lines, family, &builtin);
    // ASNs are complete for this family: memos of the other family stay valid.
    loader->isps = mem_resize(loader->isps, loader->interner.asn_count, sizeof(*loader->isps));
    memset(loader->isps + loader->isp_count, 0,
           (loader->interner.asn_count - loader->isp_count) * sizeof(*loader->isps));
    loader->isp_count = loader->interner.asn_count;

    struct sweep sweep = {
        .loader = loader,
        .streams = {[PLACES] = &places,
                    [ASNS] = &asns,
                    [OVERRIDES] = &loader->overrides.runs[i],
                    [BUILTIN] = &builtin},
    };
    sweep_run(&sweep);
    runs_free(&places);
    runs_free(&asns);
    runs_free(&builtin);
    geo->location_maps[i] = lpm_build(sweep.locations.items, sweep.locations.count);
    *(family == FAMILY_IPV4 ? &geo->summary.network_count_ipv4 : &geo->summary.network_count_ipv6) =
        sweep.locations.count;
    geo->summary.asn_network_count += sweep.asns.count;
    runs_free(&sweep.locations);
    geo->asn_maps[i] = lpm_build(sweep.asns.items, sweep.asns.count);
    runs_free(&sweep.asns);
}

// --- loading

// Means are known when every network was counted.
static void coordinates_fill(struct loader *loader)
{
    for (size_t i = 0; i < loader->geo->location_count; i++) {
        struct location *location = &loader->geo->locations[i];
        const struct place_entry *place = &loader->interner.places[loader->location_places[i]];
        double flat = hypot(place->x, place->y);
        if (isnan(location->latitude) && hypot(flat, place->z) > 0) {
            location->latitude = (float)(atan2(place->z, flat) * (180 / M_PI));
            location->longitude = (float)(atan2(place->y, place->x) * (180 / M_PI));
        }
    }
}

static void geo_finish(struct loader *loader)
{
    struct geo *geo = loader->geo;
    coordinates_fill(loader);
    geo->locations = mem_resize(geo->locations, geo->location_count, sizeof(*geo->locations));
    geo->asn_count = loader->interner.asn_count;
    geo->asns = mem_resize(loader->interner.asns, geo->asn_count, sizeof(*geo->asns));
    struct geo_summary *summary = &geo->summary;
    summary->location_count = geo->location_count;
    summary->memory_size = sizeof(*geo) + arena_size(geo->arena) +
                           geo->location_count * sizeof(*geo->locations) +
                           geo->asn_count * sizeof(*geo->asns);
    for (size_t i = 0; i < FAMILIES; i++) {
        summary->memory_size += lpm_size(geo->location_maps[i]) + lpm_size(geo->asn_maps[i]);
    }
    if (loader->full) {
        diags_warning(loader->diags, (struct place){0}, "geo",
                      "more than %d different locations: some networks were given vaguer ones",
                      LOCATIONS_EXACT_MAX);
    }
}

struct geo *geo_load(const struct geo_config *config, const struct lines *lines,
                     struct diags *diags)
{
    struct geo *geo = mem_alloc(sizeof(*geo));
    struct loader loader = {.geo = geo, .lines = lines, .diags = diags};
    geo->arena = arena_new();
    interner_init(&loader.interner, geo->arena);
    overrides_read(config->networks_path, lines, &loader.interner, &loader.overrides, diags);
    marks_make(&loader);
    SP_ASSERT(location_of(&loader, (struct facts){0}) == LOCATION_UNKNOWN);

    struct sources sources;
    sources_open(&sources, config, &loader.interner, diags);
    geo->summary.oldest_s = sources.oldest_s;
    family_load(&loader, &sources, FAMILY_IPV4);
    family_load(&loader, &sources, FAMILY_IPV6);
    sources_close(&sources);
    geo_finish(&loader);

    interner_free(&loader.interner);
    overrides_free(&loader.overrides);
    key_map_free(&loader.location_ids);
    free(loader.override_marks);
    free(loader.marks);
    free(loader.isps);
    free(loader.location_places);
    return geo;
}

void geo_free(struct geo *geo)
{
    if (!geo) {
        return;
    }
    for (size_t i = 0; i < FAMILIES; i++) {
        lpm_free(geo->location_maps[i]);
        lpm_free(geo->asn_maps[i]);
    }
    free(geo->locations);
    free(geo->asns);
    arena_free(geo->arena);
    free(geo);
}

// --- asking

struct geo_match geo_locate(const struct geo *geo, const struct address *address)
{
    size_t i = family_index(address->family);
    uint64_t key = address_key(address);
    struct lpm_match location = lpm_lookup(geo->location_maps[i], key);
    const struct asn_entry *asn = &geo->asns[lpm_lookup(geo->asn_maps[i], key).value];
    return (struct geo_match){location.value, location.length, asn->asn, asn->organisation};
}

size_t geo_location_count(const struct geo *geo)
{
    return geo->location_count;
}

const struct location *geo_location(const struct geo *geo, uint32_t id)
{
    SP_ASSERT(id < geo->location_count);
    return &geo->locations[id];
}

void geo_walk_locations(const struct geo *geo, enum family family, lpm_visit *visit, void *context)
{
    lpm_walk(geo->location_maps[family_index(family)], visit, context);
}

struct asn_walk {
    const struct geo *geo;
    lpm_visit *visit;
    void *context;
};

static void visit_asn(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    const struct asn_walk *walk = context;
    walk->visit(walk->context, first, last, walk->geo->asns[value].asn);
}

void geo_walk_asns(const struct geo *geo, enum family family, lpm_visit *visit, void *context)
{
    struct asn_walk walk = {geo, visit, context};
    lpm_walk(geo->asn_maps[family_index(family)], visit_asn, &walk);
}

struct geo_summary geo_summary(const struct geo *geo)
{
    return geo->summary;
}
