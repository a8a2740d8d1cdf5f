// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct texts: one copy of each text, counted. Of the results of many checks few differ in their
// words ("connected", "HTTP 200"): a copy for each check would be memory, and would keep the pages
// of a burst of probes from being given back. One thread.
#pragma once

#include "base/base.h"

struct texts;

// An empty set; the caller's.
struct texts *texts_new(void);
// Nothing may be kept any more. NULL allowed.
void texts_free(struct texts *texts);
// The one copy that equals `text`; each call needs one texts_drop.
const char *texts_keep(struct texts *texts, const char *text);
// Of what texts_keep gave; NULL allowed.
void texts_drop(struct texts *texts, const char *kept);
