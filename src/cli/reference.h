// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pages made from tables: Markdown (reference.c) and manual pages (manual.c), to standard output.
#pragma once

void print_manual_commands(void);
void print_manual_options(void);
