// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/commands.h"

const struct command *const command_table[] = {
    &command_serve,    &command_check,     &command_reload,  &command_explain,
    &command_simulate, &command_status,    &command_health,  &command_geo,
    &command_drain,    &command_reference, &command_version, NULL,
};
