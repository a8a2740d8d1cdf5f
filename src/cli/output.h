// SPDX-License-Identifier: GPL-3.0-or-later
//
// A document that is being made: in memory until it is known to be good, then to standard output or
// in one step to a file.
#pragma once

#include "base/base.h"

#include <stdio.h>

struct output {
    FILE *file;
    char *text;
    size_t size;
};

// An empty document, to be written to output->file, and then ended or dropped.
void output_begin(struct output *output);
// To `path`, or standard output when it is NULL; the output is released. False with a line on
// standard error: then a file is as it was.
bool output_end(struct output *output, const char *path);
// Releases it; nothing is written.
void output_drop(struct output *output);
// The text so far as a file to read: "/proc/self/fd/N"; the descriptor is the caller's to close. -1
// with a line on standard error.
enum { OUTPUT_PATH_MAX = 32 };
int output_peek(struct output *output, char path[OUTPUT_PATH_MAX]);
