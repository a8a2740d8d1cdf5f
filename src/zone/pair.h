// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pairs of members: the A and the AAAA record of one server, so that a client that is kept to a
// member (method `sticky`) is kept to the same server in both families. Pure; called by the reader.
#pragma once

#include "zone/zone.h"

// Gives the members of every AAAA policy the identity of their partner in the A policy of the same
// name. Partners are in pools of the same name: the members of one `name`; else those that are
// alone at one site in both; else, in pools of equally many members, those at one place.
void zone_pair_members(const struct zone *zone);
