// SPDX-License-Identifier: GPL-3.0-or-later
//
// What targets answer to probes: any octets, cut in any way, bring every dialog to an end or leave
// it waiting, within its limits, and the verdict does not depend on the cuts.
//
// The first octet chooses the definition, the second how the rest is cut; the third tells whether
// the peer closes at the end.
#include "fuzz.h"

#include "base/clock.h"
#include "dns/wire.h"
#include "probe/dialog.h"

static const struct check_spec definitions[] = {
    {.kind = CHECK_TCP, .send = "PING\\r\\n", .expect = "+PONG", .limit = 64},
    {.kind = CHECK_TCP, .expect_regex = "^[a-z]{1,9}-(x|y)+$", .limit = 4096},
    {.kind = CHECK_UDP, .send = "\\x00\\xff", .expect = "\\xff\\x00"},
    {.kind = CHECK_HTTP, .path = "/", .limit = 4096},
    {.kind = CHECK_HTTP, .path = "/", .status = "200,301", .body = "ok", .limit = 128},
    {.kind = CHECK_HTTP, .path = "/", .method = "HEAD"},
    {.kind = CHECK_HTTP, .path = "/", .body_regex = "^a+b*$", .load_header = "X-Load"},
    {.kind = CHECK_HTTP, .path = "/", .load_json = "a.0.b", .limit = 4096, .redirects = 1},
    {.kind = CHECK_SMTP},
    {.kind = CHECK_SMTP, .ehlo = "probe.example", .starttls = true},
    {.kind = CHECK_DNS, .query = "www.example.org", .query_type = "A", .answer = "192.0.2.1"},
    {.kind = CHECK_DNS, .query = "example.org", .query_type = "MX", .answer = "10 mx.example.org."},
    {.kind = CHECK_DNS, .query = "example.org", .rcode = "NXDOMAIN", .tcp = true},
    {.kind = CHECK_GRPC},
    {.kind = CHECK_GRPC, .service = "a.b.C"},
};

struct talk {
    struct recipe recipe;
    struct dialog dialog;
    struct probe_result result;
};

static void talk_begin(struct talk *talk, const struct check_spec *spec, struct regexes *regexes)
{
    *talk = (struct talk){0};
    recipe_open(&talk->recipe, spec, regexes);
    SP_ASSERT(talk->recipe.fault == NULL);
    talk->dialog = (struct dialog){
        .kind = dialog_kind_of(spec),
        .recipe = &talk->recipe,
        .authority = "www.example.org",
        .path = spec->path,
        .datagrams = spec->kind == CHECK_UDP || (spec->kind == CHECK_DNS && !spec->tcp),
        .result = &talk->result,
    };
    dialog_begin(&talk->dialog);
}

static void talk_end(struct talk *talk)
{
    const struct probe_result *result = &talk->result;
    SP_ASSERT(result->reason < PROBE_REASON_COUNT);
    SP_ASSERT(memchr(result->detail, '\0', sizeof(result->detail)) != NULL);
    for (const char *at = result->detail; *at; at++) {
        SP_ASSERT(*at >= ' ' && *at < 0x7f);
    }
    SP_ASSERT(talk->dialog.in.count <= MAX(talk->dialog.in.limit, 65537U));
    SP_ASSERT(!result->has_load || result->load >= 0);
    dialog_forget(&talk->dialog);
    recipe_close(&talk->recipe);
}

// The identity of a query is random: the answer gets the right one, or nothing would be read.
static void identity_set(struct talk *talk, uint8_t *octets, size_t count)
{
    bool tcp = talk->recipe.spec->tcp;
    const struct octets *out = &talk->dialog.out;
    size_t at = tcp ? 2 : 0;
    if (talk->recipe.spec->kind == CHECK_DNS && count >= at + 2 && out->count >= at + 2) {
        memcpy(octets + at, out->at + at, 2);
    }
}

static void talk_feed(struct talk *talk, uint8_t *octets, size_t count, size_t step, bool closes)
{
    identity_set(talk, octets, count);
    if (talk->dialog.datagrams) {
        step = MAX(count, 1U);
    }
    for (size_t at = 0; at < count && !talk->dialog.ended; at += step) {
        dialog_feed(&talk->dialog, octets + at, MIN(step, count - at));
    }
    if (closes && !talk->dialog.datagrams) {
        dialog_closed(&talk->dialog);
        SP_ASSERT(talk->dialog.ended);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct regexes *regexes;
    if (size < 3 || size > 1 << 18) {
        return 0;
    }
    if (regexes == NULL) {
        regexes = regexes_new();
    }
    const struct check_spec *spec = &definitions[data[0] % ARRAY_SIZE(definitions)];
    size_t step = 1U + data[1], count = size - 3;
    bool closes = data[2] & 1;
    uint8_t *octets = mem_copy(data + 3, count);
    struct talk whole, pieces;
    talk_begin(&whole, spec, regexes);
    talk_feed(&whole, octets, count, MAX(count, 1U), closes);
    talk_begin(&pieces, spec, regexes);
    talk_feed(&pieces, octets, count, step, closes);
    // A match is looked for as octets come: the whole may hold it beyond the limit of a piece, and
    // HTTP/2 sessions end at their first fault.
    if (spec->kind == CHECK_HTTP || spec->kind == CHECK_SMTP || spec->kind == CHECK_DNS) {
        SP_ASSERT(whole.dialog.ended == pieces.dialog.ended);
        SP_ASSERT(!whole.dialog.ended || whole.result.reason == pieces.result.reason);
    }
    talk_end(&whole);
    talk_end(&pieces);
    free(octets);
    return 0;
}
