// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct rrl: response rate limiting. A forged query makes us send its answer to a victim; so one
// address gets no more answers a second over UDP than a resolver of its size would ask for, and
// neither do the networks around it (a victim may be a network).
//
// Each address and each network around it has a load: an answer adds 1, and the load decays
// exponentially, so that `burst` answers may go out at one instant and `rate` a second for ever.
// A network may have as much as `rate` times its multiplier (rrl.c, prefix_table). When any of them
// is at its limit the answer is withheld, and adds nothing.
//
// Pure (time is passed in); one thread; nothing is allocated after rrl_new. The table never grows:
// what does not fit displaces the smallest load of its bucket, and a network that is not in the
// table has load 0: forgetting may let an attacker through, and never punishes an innocent.
#pragma once

#include "answer/answer.h"
#include "base/address.h"

struct rrl;

struct rrl_options {
    uint32_t rate;               // answers a second to one address, for ever; at least 1
    uint32_t burst;              // answers to one address at one instant; at least 1
    uint32_t slip;               // every so many withheld answers one goes out truncated; 0: none
    uint32_t table_size;         // loads that are remembered; rounded up to a power of two
    uint64_t key;                // random: whose loads meet in one bucket
    const struct prefix *exempt; // never limited; copied
    size_t exempt_count;
};

enum rrl_verdict {
    RRL_PASS,
    RRL_SLIP, // truncate: an honest client comes again over TCP, a victim gets few bytes
    RRL_DROP,
};

// With a table that has seen nobody; one worker's.
struct rrl *rrl_new(const struct rrl_options *options);
void rrl_free(struct rrl *rrl); // NULL allowed

// Whether an answer may go to this address now. `now_ns` does not go backwards.
enum rrl_verdict rrl_ask(struct rrl *rrl, const struct address *address, int64_t now_ns);

// The verdicts on a batch of answers: those withheld become empty, those that slip truncated, and
// both are counted. Messages without an answer or with a valid cookie are left alone.
void rrl_apply(struct rrl *rrl, struct message *messages, size_t count, int64_t now_ns,
               struct worker_counters *counters);
