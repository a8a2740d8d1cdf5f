// SPDX-License-Identifier: GPL-3.0-or-later
//
// The order of sites as seen from a place: the great circle to each, with its bias.
// Pure; any thread.
#pragma once

#include "zone/policy.h"

// Kilometres between two places on the globe, taken as a sphere of 6371 km.
double distance_km(double latitude_a, double longitude_a, double latitude_b, double longitude_b);
// Fills `order` with the indexes of the sites, nearest first; equally near ones (to the metre) as
// they are given, and those without a place last.
void site_order(const struct site *sites, size_t count, double latitude, double longitude,
                uint16_t *order);
