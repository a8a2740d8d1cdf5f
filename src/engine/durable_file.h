// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that are there whole or not at all, whatever happens while they are written: a temporary
// file beside the old one, fsync, rename, fsync of the folder. Any thread; one writer a path.
#pragma once

#include "base/diag.h"

// Replaces the file; its folder is made when it is missing (one level). The mode is 0600. False
// with the fault in `diags`: the old file is there, or (only the last fsync failed) the new one.
bool durable_file_write(const char *path, const char *bytes, size_t size, struct diags *diags);
