// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct dialog: what a probe says and understands once it is connected. One kind a protocol
// (dialog_*.c); each is a parser that knows no socket, no TLS and no clock: octets in, octets out,
// a verdict. They read hostile answers: total over any octets, bounded in memory and time, and each
// is fuzzed (tests/fuzz/fuzz_dialog.c).
//
// The driver (prober_stream.c, prober_datagram.c) sends what is in `out`, hands what comes to
// dialog_feed, and stops at dialog->ended.
#pragma once

#include "probe/octets.h"
#include "probe/recipe.h"
#include "probe/result.h"

struct dialog;

struct dialog_kind {
    // What is missing when the time is up: "complete answer".
    const char *missing;
    // Puts the first words into `out`. May end the dialog.
    void (*begin)(struct dialog *dialog);
    // Octets have come (a datagram: all of it).
    void (*feed)(struct dialog *dialog, const uint8_t *octets, size_t count);
    // The peer has closed its side.
    void (*closed)(struct dialog *dialog);
    void (*forget)(struct dialog *dialog); // releases dialog->state; NULL: free()
};

struct dialog {
    const struct dialog_kind *kind;
    const struct recipe *recipe;
    const char *authority; // http, grpc: Host or :authority
    const char *path;      // http: of this request
    bool datagrams;        // what is fed are datagrams
    struct octets out;
    struct octets in; // what the kind wants to keep
    void *state;
    bool ended; // *result is final
    // http: an answer that sends the probe elsewhere. Valid when ended.
    const char *location;
    struct probe_result *result;
};

// The dialog of the definition; NULL for kinds that have none (icmp, exec, tls). `result` must
// outlive it.
const struct dialog_kind *dialog_kind_of(const struct check_spec *spec);
// What the kind does at these moments (struct dialog_kind). Once it has ended, nothing is fed.
// dialog_forget releases what the dialog holds.
void dialog_begin(struct dialog *dialog);
void dialog_feed(struct dialog *dialog, const uint8_t *octets, size_t count);
void dialog_closed(struct dialog *dialog);
void dialog_forget(struct dialog *dialog);

// Ends it with a verdict.
void dialog_end(struct dialog *dialog, enum probe_reason reason, const char *format, ...)
    PRINTF_LIKE(3, 4);

extern const struct dialog_kind dialog_expect, dialog_http, dialog_smtp, dialog_dns, dialog_grpc;
