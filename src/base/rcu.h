// SPDX-License-Identifier: GPL-3.0-or-later
//
// Read-copy-update, quiescent-state flavour, over liburcu: the only way readers meet a writer.
//
// A data worker registers, then calls rcu_quiescent between batches: from that moment it holds no
// pointer into any generation. The one writer publishes a pointer (an atomic store-release), then
// calls rcu_wait, after which nobody can hold what was replaced. Readers never lock or write shared
// memory inside a batch.
//
// The wrapper exists to keep liburcu's inline code out of ours: the calls stay out of line, where
// ThreadSanitizer has nothing to misread, and the two edges that it cannot see are told to it here.
#pragma once

#include "base/base.h"

// Data workers only: at thread start and thread end.
void rcu_reader_register(void);
void rcu_reader_unregister(void);
// Data workers: at each batch edge, holding nothing.
void rcu_quiescent(void);
// Around a call that may sleep: while offline, the writer does not wait for this thread.
void rcu_reader_offline(void);
void rcu_reader_online(void);
// Writer only (never a registered reader): returns when every reader has passed a batch edge.
void rcu_wait(void);
