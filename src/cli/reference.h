// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pages made from tables: Markdown (reference_checks.c) and manual pages (manual.c), to standard
// output.
#pragma once

// Kinds of checks and reasons of probes, from their tables.
void print_checks(void);
// signpost(8), from the command table.
void print_manual_commands(void);
// signpost.yaml(5), from the option table.
void print_manual_options(void);
