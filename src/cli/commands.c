// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/commands.h"

// One a line, in the order of the help.
// clang-format off
const struct command *const command_table[] = {
    &command_serve,
    &command_check,
    &command_reload,
    &command_explain,
    &command_simulate,
    &command_status,
    &command_health,
    &command_drain,
    &command_ramps,
    &command_geo,
    &command_import,
    &command_export,
    &command_prober,
    &command_reference,
    &command_version,
    NULL,
};
