// SPDX-License-Identifier: GPL-3.0-or-later
//
// What zone_finish looks at in records of our own making: ALIAS, and hints that follow. Internal to
// zone/.
#pragma once

#include "zone/zone.h"

// An ALIAS stands for A and AAAA, so it stands beside neither, and not at its own target.
void zone_check_alias(const struct owner *owner, struct diags *diags);
// Hints that follow: the record has a size that can be answered, and can do without them.
void zone_check_services(const struct owner *owner, struct diags *diags);
