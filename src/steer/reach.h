// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which rules of a policy ever decide for a client: the geometry behind lint (lint/lint.h).
//
// Exact, not a guess from the text: the targets of all rules are laid over the whole address space
// of both families, as they are for answering. Control thread.
#pragma once

#include "steer/territory.h"
#include "lint/lint.h"

struct reach;

// `lines` and `geo` must outlive it. Policies with equal targets cost one sweep over the geo data.
struct reach *reach_new(const struct lines *lines, const struct geo *geo);
void reach_free(struct reach *reach);
// One entry a rule, valid until the next call. Members must be bound (member.check) for policies in
// the flat form, where a line whose members may all go down leaves its clients to the next.
const struct rule_reach *reach_of_policy(struct reach *reach, const struct policy *policy);
