// SPDX-License-Identifier: GPL-3.0-or-later
//
// The definition of a check: what is probed, how, and what counts as good.
//
// One table (check_options, check.c) names every option of every kind with its place in struct
// check_spec, its range, its default and its sentence for the reference; from it come the reader of
// documents, equality, hashing, copies and docs/reference/checks.md. Adding an option is adding a
// row. Everything of variable length is text, so a definition is a flat record plus strings; only
// expressions point to other definitions.
//
// Definitions made by the readers live in the arena of their document; those of check_spec_clone
// belong to the caller. Pure; any thread.
#pragma once

#include "base/address.h"

enum check_kind {
    CHECK_NONE,
    CHECK_TCP,
    CHECK_HTTP,
    CHECK_HTTPS,
    CHECK_ICMP, // ICMPv6 for IPv6 targets
    CHECK_UDP,
    CHECK_TLS,
    CHECK_DNS,
    CHECK_SMTP,
    CHECK_GRPC,
    CHECK_EXEC,      // a command of the configuration file
    CHECK_HEARTBEAT, // pushed over the API; no probe
    CHECK_ALL,       // the last four are expressions over `operands`; no probe
    CHECK_ANY,
    CHECK_AT_LEAST,
    CHECK_NOT,
    CHECK_KIND_COUNT
};

// The largest body, in octets, that an http check may ask to be looked through, and what is read
// when it does not ask.
enum { CHECK_LIMIT_MAX = 1 << 20, CHECK_LIMIT_DEFAULT = 4096, CHECK_OPERANDS_MAX = 32 };

// Times are nanoseconds. Options that a kind does not know are zero or NULL, so that equal probes
// compare equal. Texts are NULL when not given.
struct check_spec {
    enum check_kind kind;
    uint32_t port;
    struct address target; // probed instead of the member's value; FAMILY_NONE: the value
    int64_t interval_ns, timeout_ns;
    int64_t fast_interval_ns; // while an up check fails; 0: half the interval
    // Without a query for any of its names for idle_after, it is probed each idle_interval; 0: as
    // the configuration says.
    int64_t idle_after_ns, idle_interval_ns;
    uint32_t rise, fall; // consecutive results that turn the state
    // Against flapping (health/state.h): bad results that take it down unless so many good ones in
    // a row come between, and good ones in a row that bring it back then. No failures: off.
    uint32_t flap_failures, flap_clean, flap_rise;
    int64_t hold_down_ns; // it stays down for at least so long
    int64_t failback_ns;  // and until it has been good for so long
    bool failback_manual; // and until an operator lets it

    const char *send, *expect; // tcp, udp: octets with escapes (\r \n \t \\ \xNN)
    const char *expect_regex;  // tcp, udp: POSIX extended

    const char *method, *host, *path; // http; host is the Host header, :authority and SNI
    const char *headers;              // "Name: value\n" each
    const char *status;               // "200-299,301"
    const char *body, *body_regex;
    uint32_t limit;     // octets of the answer that are looked through
    uint32_t redirects; // how many are followed; each goes past the gate
    const char *load_header, *load_json;

    bool tls;            // grpc: over TLS
    bool verify;         // chain and name (default true)
    const char *ca_path; // PEM file of the trust anchors; NULL: the system's
    const char *alpn;    // "h2,http/1.1": offered; one of them must be chosen
    uint32_t days_warn, days_fail;

    uint32_t count; // icmp: packets a probe
    uint32_t loss;  // icmp: percent that may be lost
    int64_t rtt_ns; // icmp: mean round trip that is still good; 0: any

    const char *query, *query_type; // dns
    const char *rcode, *answer;     // dns: expected; answer is rdata in presentation form
    bool tcp;                       // dns: over TCP

    const char *ehlo; // smtp: name to greet with; NULL: the 220 is enough
    bool starttls;    // smtp: must be offered

    const char *service; // grpc.health.v1: service name, NULL: the server as a whole
    const char *command; // exec: name of the command in the configuration file
    const char *beat;    // heartbeat: its name in the API
    int64_t ttl_ns;      // heartbeat: good for so long

    uint32_t least; // at_least: how many of the operands must be up
    const struct check_spec *const *operands;
    size_t operand_count;
};

enum check_option_type {
    CHECK_OPTION_TEXT,
    CHECK_OPTION_NUMBER,
    CHECK_OPTION_BOOL,
    CHECK_OPTION_DURATION
};

struct check_option {
    const char *name; // as written in documents
    enum check_option_type type;
    size_t offset;       // in struct check_spec
    uint32_t kinds;      // bit set of enum check_kind
    int64_t least, most; // numbers; durations in ns; octets of texts
    const char *preset;  // the default, for people; NULL: none
    const char *help;    // one sentence
};
extern const struct check_option check_options[];
extern const size_t check_option_count;

struct check_kind_info {
    const char *name;
    bool probed;   // by a prober; else pushed or derived
    uint16_t port; // default; 0: must be said, or the kind has none
    bool has_port;
    const char *help; // what it proves, one or two sentences
};
// CHECK_KIND_COUNT entries in enum order.
extern const struct check_kind_info check_kinds[CHECK_KIND_COUNT];

// From one probe to the next while nobody asks, where `factor` is the number of intervals of checks
// that do not say it themselves; 0: never longer than the interval. Intervals below a second are
// not worth the look whether somebody asks.
int64_t check_idle_gap(const struct check_spec *spec, uint32_t factor);

// Whether the kind is an expression over operands.
static inline bool check_kind_is_expression(enum check_kind kind)
{
    return kind >= CHECK_ALL && kind <= CHECK_NOT;
}

// Over everything that makes two definitions one check: equal ones have equal hashes under a key.
uint64_t check_spec_hash(const struct check_spec *spec, uint64_t key);
bool check_spec_equal(const struct check_spec *a, const struct check_spec *b);
// Sets the kind, the presets of its options and its usual port; everything else is zero.
void check_spec_begin(struct check_spec *check, enum check_kind kind);
// Copies the options of `from` that both kinds know.
void check_spec_carry(struct check_spec *check, const struct check_spec *from);
// A deep copy in one block, released with free().
struct check_spec *check_spec_clone(const struct check_spec *spec);
