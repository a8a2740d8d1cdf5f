// SPDX-License-Identifier: GPL-3.0-or-later
#include "steer/site_order.h"

#include "base/memory.h"

#include <math.h>

double distance_km(double latitude_a, double longitude_a, double latitude_b, double longitude_b)
{
    const double radius_km = 6371, degree = 3.14159265358979323846 / 180;
    double dy = sin((latitude_b - latitude_a) * degree / 2);
    double dx = sin((longitude_b - longitude_a) * degree / 2);
    double square = dy * dy + cos(latitude_a * degree) * cos(latitude_b * degree) * dx * dx;
    return 2 * radius_km * asin(sqrt(MIN(square, 1.0)));
}

// Whole metres, so that rounding decides nothing: servers must agree.
static uint64_t biased_metres(const struct site *site, double latitude, double longitude)
{
    if (!site->located) {
        return UINT64_MAX;
    }
    double km = distance_km(latitude, longitude, site->latitude, site->longitude);
    double part = site->bias / 100.0;
    return (uint64_t)llround(1000 * (part >= 0 ? km * (1 - part) : km / (1 + part)));
}

void site_order(const struct site *sites, size_t count, double latitude, double longitude,
                uint16_t *order)
{
    uint64_t *metres = mem_alloc_array(count, sizeof(*metres));
    for (size_t i = 0; i < count; i++) {
        uint64_t own = biased_metres(&sites[i], latitude, longitude);
        size_t at = i;
        for (; at > 0 && metres[at - 1] > own; at--) {
            metres[at] = metres[at - 1];
            order[at] = order[at - 1];
        }
        metres[at] = own;
        order[at] = (uint16_t)i;
    }
    free(metres);
}
