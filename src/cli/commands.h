// SPDX-License-Identifier: GPL-3.0-or-later
//
// The rows of the command table, one file each.
#pragma once

#include "cli/cli.h"

extern const struct command command_serve;
extern const struct command command_check;
extern const struct command command_reload;
extern const struct command command_explain;
extern const struct command command_simulate;
extern const struct command command_status;
extern const struct command command_health;
extern const struct command command_drain;
extern const struct command command_prober;
extern const struct command command_geo;
extern const struct command command_ramps;
extern const struct command command_import;
extern const struct command command_export;
extern const struct command command_reference;
extern const struct command command_version;
