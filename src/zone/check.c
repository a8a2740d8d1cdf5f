// SPDX-License-Identifier: GPL-3.0-or-later
//
// The tables of check kinds and of their options, and what follows from the second: equality, hash
// and copy of definitions. Pure; any thread. A field of struct check_spec that has no row here (and
// is none of kind, target, operands) would be ignored by all three: tests/unit/zone/test_check.c
// counts.
#include "zone/check.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

const struct check_kind_info check_kinds[CHECK_KIND_COUNT] = {
    [CHECK_NONE] = {"none", false, 0, false, "No check: the members count as up."},
    [CHECK_TCP] = {"tcp", true, 0, true,
                   "A TCP connection is accepted; with `send` and `expect`, the answer is right."},
    [CHECK_HTTP] =
        {"http", true, 80, true,
         "One HTTP/1.1 request is answered with an expected status, and with an expected "
         "body if one is asked for."},
    [CHECK_HTTPS] = {"https", true, 443, true,
                     "As `http`, over TLS: the chain is trusted and the certificate covers the "
                     "name."},
    [CHECK_ICMP] = {"icmp", true, 0, false,
                    "Echo requests (ICMP, or ICMPv6) come back within the limits of loss and round "
                    "trip."},
    [CHECK_UDP] = {"udp", true, 0, true, "A datagram is answered, and the answer is right."},
    [CHECK_TLS] =
        {"tls", true, 443, true,
         "A TLS handshake succeeds: the chain is trusted, the certificate covers the name "
         "and is good for some days."},
    [CHECK_DNS] = {"dns", true, 53, true,
                   "One DNS query is answered with the expected code and data."},
    [CHECK_SMTP] = {"smtp", true, 25, true,
                    "The mail server greets with 220; on request it knows EHLO and offers "
                    "STARTTLS."},
    [CHECK_GRPC] = {"grpc", true, 0, true,
                    "The service says SERVING through grpc.health.v1 over HTTP/2."},
    [CHECK_EXEC] = {"exec", true, 0, false,
                    "A command of the configuration file ends with status 0."},
    [CHECK_HEARTBEAT] = {"heartbeat", false, 0, false,
                         "The last heartbeat that came over the API is younger than `ttl`."},
    [CHECK_ALL] = {"all", false, 0, false, "All operands are up."},
    [CHECK_ANY] = {"any", false, 0, false, "At least one operand is up."},
    [CHECK_AT_LEAST] = {"at_least", false, 0, false, "At least `least` operands are up."},
    [CHECK_NOT] = {"not", false, 0, false, "The operand is down."},
};

#define BIT(kind)   (1U << CHECK_##kind)
#define ALL_KINDS   (((1U << CHECK_KIND_COUNT) - 1) & ~1U)
#define EXPRESSIONS (BIT(ALL) | BIT(ANY) | BIT(AT_LEAST) | BIT(NOT))
#define HTTP_KINDS  (BIT(HTTP) | BIT(HTTPS))
#define TLS_KINDS   (BIT(HTTPS) | BIT(TLS) | BIT(GRPC))
#define PROBED      (ALL_KINDS & ~EXPRESSIONS & ~BIT(HEARTBEAT))
#define PORTED      (PROBED & ~BIT(ICMP))
#define DAY_NS      (86400 * NS_PER_SECOND)
#define TEXT(name, field, kinds, most, preset, help)                                               \
    {                                                                                              \
        name, CHECK_OPTION_TEXT, offsetof(struct check_spec, field), kinds, 1, most, preset, help  \
    }
#define NUMBER(name, field, kinds, least, most, preset, help)                                      \
    {                                                                                              \
        name, CHECK_OPTION_NUMBER, offsetof(struct check_spec, field), kinds, least, most, preset, \
            help                                                                                   \
    }
#define BOOL(name, field, kinds, preset, help)                                                     \
    {                                                                                              \
        name, CHECK_OPTION_BOOL, offsetof(struct check_spec, field), kinds, 0, 1, preset, help     \
    }
#define DURATION(name, field, kinds, least, most, preset, help)                                    \
    {                                                                                              \
        name, CHECK_OPTION_DURATION, offsetof(struct check_spec, field), kinds, least, most,       \
            preset, help                                                                           \
    }

const struct check_option check_options[] = {
    DURATION("interval", interval_ns, PROBED, 100 * NS_PER_MS, DAY_NS, "10s",
             "From one probe to the next; up to a tenth of it is left out at random."),
    DURATION("timeout", timeout_ns, PROBED, 10 * NS_PER_MS, 3600 * NS_PER_SECOND, "2s",
             "When a probe without an end has failed; at most the interval."),
    NUMBER("rise", rise, PROBED, 1, 100, "2", "Good results in a row that bring it up."),
    NUMBER("fall", fall, PROBED, 1, 100, "3", "Bad results in a row that take it down."),
    DURATION("fast_interval", fast_interval_ns, PROBED, 0, DAY_NS, "half the interval",
             "From one probe to the next while a check that is up fails."),
    DURATION("idle_after", idle_after_ns, PROBED, 0, DAY_NS, "`health.idle_after`",
             "Its names are idle when none of them was asked for that long."),
    DURATION(
        "idle_interval", idle_interval_ns, PROBED, 0, DAY_NS, "interval x `health.idle_factor`",
        "From one probe to the next while its names are idle and its results steady; no longer "
        "than `interval`: always at the full rate."),
    NUMBER("flap_failures", flap_failures, PROBED, 0, 100, "10",
           "Bad results that take it down although they do not come in a row; 0: only those in a "
           "row do, and `rise` always brings it back."),
    NUMBER("flap_clean", flap_clean, PROBED, 1, 100, "10",
           "Good results in a row after which earlier bad ones no longer count."),
    NUMBER("flap_rise", flap_rise, PROBED, 1, 1000, "20",
           "Good results in a row that bring it back after it flapped: it fell by `flap_failures`, "
           "or again within 48 hours; four times as many after each further fall."),
    DURATION("hold_down", hold_down_ns, PROBED, 0, DAY_NS, "0s",
             "It stays down for at least this long."),
    DURATION("failback_delay", failback_ns, PROBED, 0, DAY_NS, "0s",
             "It must have been good for this long before it is back."),
    BOOL("failback_manual", failback_manual, PROBED, "false",
         "Only an operator brings it back: `signpost health release`."),
    NUMBER("port", port, PORTED, 1, 65535, NULL, "Where to connect to."),
    TEXT("send", send, BIT(TCP) | BIT(UDP), 2048, NULL,
         "Octets to send, with the escapes `\\r`, `\\n`, `\\t`, `\\0`, `\\\\`, `\\xNN`."),
    TEXT("expect", expect, BIT(TCP) | BIT(UDP), 1024, NULL,
         "Octets that must be in the answer, with the escapes of `send`."),
    TEXT("expect_regex", expect_regex, BIT(TCP) | BIT(UDP), 1024, NULL,
         "POSIX extended regular expression that the answer must match."),
    TEXT("method", method, HTTP_KINDS, 16, "GET", "GET, HEAD, OPTIONS or POST (without a body)."),
    TEXT("host", host, TLS_KINDS | HTTP_KINDS, 253, "the owner name",
         "Host header, SNI and the name that the certificate must cover; null: the address."),
    TEXT("path", path, HTTP_KINDS, 1024, "/", "Path and query of the request."),
    TEXT("headers", headers, HTTP_KINDS, 4096, NULL, "More request headers: a map."),
    TEXT("status", status, HTTP_KINDS, 256, "200-399", "Statuses that are good: `200-299,301`."),
    TEXT("body", body, HTTP_KINDS, 1024, NULL, "Text that must be in the body."),
    TEXT("body_regex", body_regex, HTTP_KINDS, 1024, NULL,
         "POSIX extended regular expression that the body must match."),
    NUMBER("limit", limit, HTTP_KINDS | BIT(TCP) | BIT(UDP), 1, CHECK_LIMIT_MAX, "4096",
           "Octets of the answer that are looked through; what is beyond them is not read."),
    NUMBER("redirects", redirects, HTTP_KINDS, 0, 5, "0",
           "Redirects that are followed, each to an address literal or to the same host only."),
    TEXT("load_header", load_header, HTTP_KINDS, 64, NULL,
         "Response header that holds the load of the member, a number."),
    TEXT("load_json", load_json, HTTP_KINDS, 256, NULL,
         "Where in a JSON body the load is: keys and indexes with dots between, `stats.load.0`."),
    BOOL("tls", tls, BIT(GRPC), "false", "Speak gRPC over TLS."),
    BOOL("verify", verify, TLS_KINDS, "true", "Whether chain and name of the certificate count."),
    TEXT("ca", ca_path, TLS_KINDS, 4096, "the system's",
         "PEM file of the trust anchors, relative to the document."),
    TEXT("alpn", alpn, BIT(TLS), 64, NULL,
         "Protocols to offer, the server must choose one: `h2,http/1.1`."),
    NUMBER("days_warn", days_warn, TLS_KINDS, 0, 3650, "14",
           "Warn when the certificate ends in fewer days."),
    NUMBER("days_fail", days_fail, TLS_KINDS, 0, 3650, "0",
           "Fail when the certificate ends in fewer days."),
    NUMBER("count", count, BIT(ICMP), 1, 20, "3", "Echo requests a probe."),
    NUMBER("loss", loss, BIT(ICMP), 0, 99, "50", "Per cent of them that may be lost."),
    DURATION("rtt", rtt_ns, BIT(ICMP), 0, 60 * NS_PER_SECOND, "any",
             "Mean round trip that is still good."),
    TEXT("query", query, BIT(DNS), 254, "the owner name", "Name to ask for."),
    TEXT("type", query_type, BIT(DNS), 16, "A", "Type to ask for."),
    TEXT("rcode", rcode, BIT(DNS), 64, "NOERROR", "Response codes that are good, with commas."),
    TEXT("answer", answer, BIT(DNS), 1024, NULL,
         "Rdata, in presentation form, that one of the answers must have."),
    BOOL("tcp", tcp, BIT(DNS), "false", "Ask over TCP."),
    TEXT("ehlo", ehlo, BIT(SMTP), 253, NULL, "Name to greet with; without it the 220 is enough."),
    BOOL("starttls", starttls, BIT(SMTP), "false", "STARTTLS must be offered."),
    TEXT("service", service, BIT(GRPC), 255, NULL, "The service; without it the whole server."),
    TEXT("command", command, BIT(EXEC), 64, NULL,
         "Name of a command of `health.commands` in the configuration file."),
    TEXT("name", beat, BIT(HEARTBEAT), 64, NULL, "Name of the heartbeat in the API."),
    DURATION("ttl", ttl_ns, BIT(HEARTBEAT), NS_PER_SECOND, DAY_NS, "30s",
             "How long a heartbeat is good for."),
    NUMBER("least", least, BIT(AT_LEAST), 1, CHECK_OPERANDS_MAX, NULL,
           "How many operands must be up."),
};
const size_t check_option_count = ARRAY_SIZE(check_options);

static const void *field_of(const struct check_spec *spec, const struct check_option *option)
{
    return (const char *)spec + option->offset;
}

static const char *text_of(const struct check_spec *spec, const struct check_option *option)
{
    return *(const char *const *)field_of(spec, option);
}

// The value of an option that is no text.
static uint64_t scalar_of(const struct check_spec *spec, const struct check_option *option)
{
    const void *field = field_of(spec, option);
    switch (option->type) {
    case CHECK_OPTION_NUMBER:
        return *(const uint32_t *)field;
    case CHECK_OPTION_BOOL:
        return *(const bool *)field;
    case CHECK_OPTION_DURATION:
        return (uint64_t) * (const int64_t *)field;
    case CHECK_OPTION_TEXT:
        break;
    }
    SP_ASSERT(!"a text is no scalar");
    return 0;
}

int64_t check_idle_gap(const struct check_spec *spec, uint32_t factor)
{
    if (!check_kinds[spec->kind].probed || spec->interval_ns < NS_PER_SECOND) {
        return 0;
    }
    int64_t gap_ns =
        spec->idle_interval_ns > 0 ? spec->idle_interval_ns : spec->interval_ns * factor;
    return gap_ns > spec->interval_ns ? gap_ns : 0;
}

uint64_t check_spec_hash(const struct check_spec *spec, uint64_t key)
{
    uint64_t hash = hash_u64(key, (uint64_t)spec->kind << 8 | spec->target.family);
    hash = hash_bytes(hash, spec->target.bytes, sizeof(spec->target.bytes));
    for (size_t i = 0; i < check_option_count; i++) {
        const struct check_option *option = &check_options[i];
        if (option->type == CHECK_OPTION_TEXT) {
            const char *text = text_of(spec, option);
            hash = text ? hash_bytes(hash, text, strlen(text)) : hash_u64(hash, i);
        } else {
            hash = hash_u64(hash, scalar_of(spec, option));
        }
    }
    for (size_t i = 0; i < spec->operand_count; i++) {
        hash = check_spec_hash(spec->operands[i], hash);
    }
    return hash;
}

static bool text_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool check_spec_equal(const struct check_spec *a, const struct check_spec *b)
{
    if (a->kind != b->kind || !address_equal(&a->target, &b->target) ||
        a->operand_count != b->operand_count) {
        return false;
    }
    for (size_t i = 0; i < check_option_count; i++) {
        const struct check_option *option = &check_options[i];
        if (option->type == CHECK_OPTION_TEXT ? !text_equal(text_of(a, option), text_of(b, option))
                                              : scalar_of(a, option) != scalar_of(b, option)) {
            return false;
        }
    }
    for (size_t i = 0; i < a->operand_count; i++) {
        if (!check_spec_equal(a->operands[i], b->operands[i])) {
            return false;
        }
    }
    return true;
}

// --- presets ---

// "10s", "0s"; 0 for words such as "any".
static int64_t preset_duration(const char *text)
{
    return strtoll(text, NULL, 10) * NS_PER_SECOND;
}

void check_spec_begin(struct check_spec *check, enum check_kind kind)
{
    *check = (struct check_spec){.kind = kind, .port = check_kinds[kind].port};
    if (!check_kinds[kind].probed && kind != CHECK_NONE) {
        // Nothing is sent: the outcome is looked up when something changes (health/checker.h).
        check->interval_ns = NS_PER_SECOND / 10;
        check->timeout_ns = 15 * NS_PER_SECOND;
        check->rise = check->fall = check->flap_clean = check->flap_rise = 1;
    }
    for (size_t i = 0; i < check_option_count; i++) {
        const struct check_option *option = &check_options[i];
        void *field = (char *)check + option->offset;
        if (!(option->kinds & 1U << kind) || option->preset == NULL) {
            continue;
        }
        switch (option->type) {
        case CHECK_OPTION_NUMBER:
            *(uint32_t *)field = (uint32_t)strtoul(option->preset, NULL, 10);
            break;
        case CHECK_OPTION_BOOL:
            *(bool *)field = strcmp(option->preset, "true") == 0;
            break;
        case CHECK_OPTION_DURATION:
            *(int64_t *)field = preset_duration(option->preset);
            break;
        case CHECK_OPTION_TEXT: // the prober knows them: a text that is not given is NULL
            break;
        }
    }
}

void check_spec_carry(struct check_spec *check, const struct check_spec *from)
{
    static const size_t widths[] = {
        [CHECK_OPTION_TEXT] = sizeof(char *),
        [CHECK_OPTION_NUMBER] = sizeof(uint32_t),
        [CHECK_OPTION_BOOL] = sizeof(bool),
        [CHECK_OPTION_DURATION] = sizeof(int64_t),
    };
    uint32_t both = 1U << check->kind | 1U << from->kind;
    for (size_t i = 0; i < check_option_count; i++) {
        const struct check_option *option = &check_options[i];
        if ((option->kinds & both) == both) {
            memcpy((char *)check + option->offset, (const char *)from + option->offset,
                   widths[option->type]);
        }
    }
    check->target = from->target;
}

// --- copies: structs and pointers from the front of the block, strings behind them ---

static void clone_size(const struct check_spec *spec, size_t *structs, size_t *texts)
{
    *structs += sizeof(*spec) + spec->operand_count * sizeof(*spec->operands);
    for (size_t i = 0; i < check_option_count; i++) {
        if (check_options[i].type == CHECK_OPTION_TEXT) {
            const char *text = text_of(spec, &check_options[i]);
            *texts += text ? strlen(text) + 1 : 0;
        }
    }
    for (size_t i = 0; i < spec->operand_count; i++) {
        clone_size(spec->operands[i], structs, texts);
    }
}

static struct check_spec *clone_into(const struct check_spec *spec, char **structs, char **texts)
{
    struct check_spec *copy = (struct check_spec *)*structs;
    *structs += sizeof(*copy);
    *copy = *spec;
    for (size_t i = 0; i < check_option_count; i++) {
        const char *text =
            check_options[i].type == CHECK_OPTION_TEXT ? text_of(spec, &check_options[i]) : NULL;
        if (text) {
            size_t size = strlen(text) + 1;
            *(const char **)((char *)copy + check_options[i].offset) = memcpy(*texts, text, size);
            *texts += size;
        }
    }
    const struct check_spec **operands = (const struct check_spec **)*structs;
    *structs += spec->operand_count * sizeof(*operands);
    copy->operands = spec->operand_count ? operands : NULL;
    for (size_t i = 0; i < spec->operand_count; i++) {
        operands[i] = clone_into(spec->operands[i], structs, texts);
    }
    return copy;
}

struct check_spec *check_spec_clone(const struct check_spec *spec)
{
    size_t structs_size = 0, texts_size = 0;
    clone_size(spec, &structs_size, &texts_size);
    char *structs = mem_alloc(structs_size + texts_size);
    char *texts = structs + structs_size;
    return clone_into(spec, &structs, &texts);
}
