// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole text file in memory, for documents and the configuration. Any thread.
#pragma once

#include "base/diag.h"

// The bytes with a NUL behind them, released with free(); NULL after a fault, which is in `diags`:
// a file that cannot be read, is larger than `size_max_mib` MiB, changes while it is read, or is
// not UTF-8 text. A missing file that may be missing is an empty one.
char *text_file_read(const char *path, unsigned size_max_mib, bool missing_ok, struct diags *diags,
                     size_t *size);
