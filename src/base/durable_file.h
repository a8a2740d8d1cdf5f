// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that are there whole or not at all, whatever happens while they are written: a temporary
// file beside the old one, fsync, rename, fsync of the folder. Any thread; one writer a path.
#pragma once

#include "base/diag.h"

// Replaces the file. An old one's mode and owner stay as far as we may set them; a new one has
// `mode` (less the umask). False with the fault in `diags`: the old file is there, or (only the
// last fsync failed) the new one.
bool durable_file_write(const char *path, unsigned mode, const char *bytes, size_t size,
                        struct diags *diags);

// The same for what a server keeps for itself: mode 0600, and the folder is made when it is missing
// (one level).
bool durable_state_write(const char *path, const char *bytes, size_t size, struct diags *diags);
