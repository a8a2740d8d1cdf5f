// SPDX-License-Identifier: GPL-3.0-or-later
//
// Faults of an operator's input on their way to people. Control thread.
#pragma once

#include "base/diag.h"

// To standard error, a line each, in the form that editors know: while nothing is served yet.
void faults_print(const struct diags *diags);
// To the log, an event each, with the place as fields.
void faults_log(const struct diags *diags);
