// SPDX-License-Identifier: GPL-3.0-or-later
//
// The daemon: `signpost serve`.
#pragma once

// Serves with this configuration file until SIGTERM or SIGINT. Returns the exit code of the
// process: 0 after an orderly stop, 1 when it could not start (the reasons are on standard error).
int serve(const char *config_path);
