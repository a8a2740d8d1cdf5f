// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole text file in memory, for documents. Internal to zone/; any thread.
#pragma once

#include "base/diag.h"

enum { TEXT_FILE_SIZE_MAX = 64 << 20 };

// The bytes with a NUL behind them, released with free(); NULL after a fault, which is in `diags`:
// a file that cannot be read, is too large, or is not UTF-8 text. A missing file that may be
// missing is an empty one.
char *text_file_read(const char *path, bool missing_ok, struct diags *diags, size_t *size);
