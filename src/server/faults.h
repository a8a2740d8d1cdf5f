// SPDX-License-Identifier: GPL-3.0-or-later
//
// Faults of an operator's input on their way to people, once something is served. Control thread.
#pragma once

#include "base/diag.h"

// To the log, an event each, with the place as fields.
void faults_log(const struct diags *diags);
