// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a load to the part of a member's weight that it takes away. Pure; any thread.
#pragma once

#include "base/base.h"

// Millionths of the weight that are gone: 0 up to `target`, all at `limit`, in a straight line
// between them, in steps of a sixteenth. It falls as soon as the load rises; it recovers once the
// load is a tenth of the way from target to limit below the step. `before` is the last result.
uint32_t load_shed_ppm(uint32_t before, double load, double target, double limit);
