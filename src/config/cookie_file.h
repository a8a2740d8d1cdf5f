// SPDX-License-Identifier: GPL-3.0-or-later
//
// The file of cookie secrets: one a line, 32 hexadecimal digits; the first makes cookies, all are
// good to check with. Empty lines, blanks at the ends of a line and what follows a # do not count.
// Any thread.
#pragma once

#include "base/diag.h"
#include "dns/cookie.h"

// False when there is a fault; each is in `diags`, and *secrets is not to be used.
bool cookie_file_read(const char *path, struct cookie_secrets *secrets, struct diags *diags);
// One secret of this process alone.
void cookie_secrets_random(struct cookie_secrets *secrets);
