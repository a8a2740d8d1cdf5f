// SPDX-License-Identifier: GPL-3.0-or-later
//
// Method `fastest`: the order of sites of each measured network, laid over the orders by distance.
//
// A network counts when at least two of the policy's sites have been measured from it: those come
// first, by their round trip; the others follow by distance. Called while a territory is built.
#include "steer/territory_internal.h"

#include "base/memory.h"
#include "steer/rtt.h"

struct overlay {
    const struct overlay_source *source;
    const uint64_t *places; // of the policy's sites
    uint16_t *order;
    double *ms;
    struct lpm_segment *runs;
    size_t count, capacity;
};

static void run_put(struct overlay *overlay, uint64_t first, uint32_t order)
{
    if (overlay->count > 0 && overlay->runs[overlay->count - 1].first == first) {
        overlay->runs[overlay->count - 1].value = order;
        return;
    }
    MEM_GROW(overlay->runs, overlay->count, overlay->capacity);
    overlay->runs[overlay->count++] = (struct lpm_segment){first, order};
}

// The order of a network whose sites stand in the order `under` by distance (0: as written).
static uint32_t order_measured(struct overlay *overlay, const struct rtt_network *network,
                               uint32_t under)
{
    const struct overlay_source *source = overlay->source;
    const uint16_t *nearest = under > 0 ? source->order_of(source->context, under) : NULL;
    size_t measured = 0;
    for (size_t i = 0; i < source->site_count; i++) {
        uint16_t site = nearest ? nearest[i] : (uint16_t)i;
        double ms = rtt_of(network, overlay->places[site]);
        if (ms > 0) {
            size_t at = measured++;
            for (; at > 0 && overlay->ms[at - 1] > ms; at--) {
                overlay->ms[at] = overlay->ms[at - 1];
                overlay->order[at] = overlay->order[at - 1];
            }
            overlay->ms[at] = ms;
            overlay->order[at] = site;
        }
    }
    if (measured < 2) {
        return under;
    }
    for (size_t i = 0, at = measured; i < source->site_count; i++) {
        uint16_t site = nearest ? nearest[i] : (uint16_t)i;
        if (rtt_of(network, overlay->places[site]) <= 0) {
            overlay->order[at++] = site;
        }
    }
    return source->intern(source->context, overlay->order);
}

static void lay_over(struct overlay *overlay, const struct lpm_segment *runs, size_t count,
                     const struct rtt_network *const *networks, size_t network_count)
{
    size_t i = 0;
    uint32_t under = 0;
    for (size_t n = 0; n < network_count; n++) {
        const struct rtt_network *network = networks[n];
        for (; i < count && runs[i].first <= network->first; i++) {
            under = runs[i].value;
            run_put(overlay, runs[i].first, under);
        }
        run_put(overlay, network->first, order_measured(overlay, network, under));
        for (; i < count && runs[i].first <= network->last; i++) {
            under = runs[i].value;
            run_put(overlay, runs[i].first, order_measured(overlay, network, under));
        }
        if (network->last != UINT64_MAX) {
            run_put(overlay, network->last + 1, under);
        }
    }
    for (; i < count; i++) {
        run_put(overlay, runs[i].first, runs[i].value);
    }
}

struct lpm_segment *territory_overlay(const struct overlay_source *source, const struct site *sites,
                                      const struct rtt *rtt, enum family family,
                                      const struct lpm_segment *runs, size_t *count)
{
    uint64_t *places = mem_alloc_array(source->site_count, sizeof(*places));
    for (size_t i = 0; i < source->site_count; i++) {
        places[i] = rtt_place(sites[i].name);
    }
    struct overlay overlay = {
        .source = source,
        .places = places,
        .order = mem_alloc_array(source->site_count, sizeof(uint16_t)),
        .ms = mem_alloc_array(source->site_count, sizeof(double)),
    };
    size_t network_count;
    const struct rtt_network **networks = rtt_networks(rtt, family, &network_count);
    lay_over(&overlay, runs, *count, networks, network_count);
    *count = overlay.count;
    free(networks);
    free(places);
    free(overlay.order);
    free(overlay.ms);
    return overlay.runs;
}
