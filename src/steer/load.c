// SPDX-License-Identifier: GPL-3.0-or-later
#include "steer/load.h"

enum { ALL = 1000000, STEPS = 16 };

static uint32_t step_of(double load, double target, double limit)
{
    double part = (load - target) / (limit - target);
    if (part <= 0) {
        return 0;
    }
    return part >= 1 ? ALL : (uint32_t)(part * STEPS) * (ALL / STEPS);
}

uint32_t load_shed_ppm(uint32_t before, double load, double target, double limit)
{
    uint32_t rising = step_of(load, target, limit);
    uint32_t falling = step_of(load + (limit - target) / 10, target, limit);
    return rising > before ? rising : falling < before ? falling : before;
}
