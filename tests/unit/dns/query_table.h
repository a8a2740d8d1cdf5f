// SPDX-License-Identifier: GPL-3.0-or-later
//
// Queries of all kinds, and what the parser says of each: one row a rule. Needs cmocka.h before it.
#pragma once

#include "packets.h"

static struct packet make_plain(void)
{
    return question(FLAG_RD);
}

static struct packet make_two_opts(void)
{
    struct packet packet = header(0, 1, 0, 0, 2);
    put_question(&packet, TYPE_A);
    put_opt(&packet, 1232, 0, "", 0);
    put_opt(&packet, 1232, 0, "", 0);
    return packet;
}

static struct packet make_opt_below_root(void)
{
    struct packet packet = header(0, 1, 0, 0, 1);
    put_question(&packet, TYPE_A);
    put_record(&packet, "\1a", 3, TYPE_OPT, 1232, 0, "", 0);
    return packet;
}

static struct packet make_opt_at_pointer(void)
{
    struct packet packet = header(0, 1, 0, 0, 1);
    put_question(&packet, TYPE_A);
    put_record(&packet, "\xc0\x0c", 2, TYPE_OPT, 1232, 0, "", 0);
    return packet;
}

static struct packet make_opt_after_others(void)
{
    struct packet packet = header(0, 1, 0, 0, 3);
    put_question(&packet, TYPE_A);
    put_record(&packet, "\xc0\x0c", 2, TYPE_A, CLASS_IN, 0, "1234", 4);
    put_opt(&packet, 4096, 0x8000, "\0\12\0\10cookies!", 12);
    put_record(&packet, "\3key", 5, TYPE_TSIG, CLASS_ANY, 0, "whatever", 8);
    return packet;
}

static struct packet make_many_additional(void)
{
    struct packet packet = header(0, 1, 0, 0, 5);
    put_question(&packet, TYPE_A);
    for (int i = 0; i < 5; i++) {
        put_record(&packet, "", 1, TYPE_A, CLASS_IN, 0, "1234", 4);
    }
    return packet;
}

static struct packet make_ixfr(void)
{
    struct packet packet = header(0, 1, 0, 1, 0);
    put_question(&packet, TYPE_IXFR);
    put_record(&packet, "\xc0\x0c", 2, TYPE_SOA, CLASS_IN, 0, "soa", 3);
    return packet;
}

static struct packet make_authority_record(void)
{
    struct packet packet = header(0, 1, 0, 1, 0);
    put_question(&packet, TYPE_A);
    put_record(&packet, "\xc0\x0c", 2, TYPE_SOA, CLASS_IN, 0, "soa", 3);
    return packet;
}

static struct packet make_ixfr_two(void)
{
    struct packet packet = make_ixfr();
    put_u16(packet.bytes + AT_NSCOUNT, 2);
    put_record(&packet, "\xc0\x0c", 2, TYPE_SOA, CLASS_IN, 0, "soa", 3);
    return packet;
}

static struct packet make_ixfr_with_opt(void)
{
    struct packet packet = header(0, 1, 0, 1, 0);
    put_question(&packet, TYPE_IXFR);
    put_opt(&packet, 1400, 0, "", 0);
    return packet;
}

static struct packet make_answer_record(void)
{
    struct packet packet = header(0, 1, 1, 0, 0);
    put_question(&packet, TYPE_A);
    put_record(&packet, "\xc0\x0c", 2, TYPE_A, CLASS_IN, 0, "1234", 4);
    return packet;
}

static struct packet make_two_questions(void)
{
    struct packet packet = header(0, 2, 0, 0, 0);
    put_question(&packet, TYPE_A);
    put_question(&packet, TYPE_AAAA);
    return packet;
}

static struct packet make_no_question(void)
{
    return header(0, 0, 0, 0, 0);
}

static struct packet make_compressed_question(void)
{
    struct packet packet = header(0, 1, 0, 0, 0);
    put(&packet, "\xc0\x0c\0\1\0\1", 6);
    return packet;
}

static struct packet make_long_name(void)
{
    struct packet packet = header(0, 1, 0, 0, 0);
    for (int i = 0; i < 128; i++) { // 257 octets with the root
        put(&packet, "\1a", 2);
    }
    put(&packet, "\0\0\1\0\1", 5);
    return packet;
}

static struct packet make_longest_name(void)
{
    struct packet packet = header(0, 1, 0, 0, 0);
    for (int i = 0; i < 127; i++) { // 255 octets with the root
        put(&packet, "\1a", 2);
    }
    put(&packet, "\0\0\1\0\1", 5);
    return packet;
}

static struct packet make_garbage_behind(void)
{
    struct packet packet = question(0);
    put(&packet, "", 1);
    return packet;
}

static struct packet make_garbage_behind_opt(void)
{
    struct packet packet = with_opt(1232, 0, "", 0);
    put(&packet, "garbage", 7);
    return packet;
}

static struct packet make_response(void)
{
    return question(FLAG_QR);
}

static struct packet make_malformed_response(void)
{
    struct packet packet = header(FLAG_QR | 0x7800, 9, 9, 9, 9);
    return packet;
}

static struct packet make_notify(void)
{
    return question(OPCODE_NOTIFY << 11);
}

static struct packet make_opcode_15(void)
{
    return question(15U << 11);
}

// As servers send it: the new SOA as an answer (RFC 1996, 3.7).
static struct packet make_notify_with_opt(void)
{
    struct packet packet = header(OPCODE_NOTIFY << 11, 1, 1, 0, 1);
    put_question(&packet, TYPE_SOA);
    put_record(&packet, "\xc0\x0c", 2, TYPE_SOA, CLASS_IN, 0, "soa", 3);
    put_opt(&packet, 1400, 0x8000, "", 0);
    return packet;
}

// Prerequisite, changes (RFC 2136, 2), and a signature behind OPT.
static struct packet make_update_with_opt(void)
{
    struct packet packet = header(5U << 11, 1, 1, 3, 2);
    put_question(&packet, TYPE_SOA);
    for (unsigned i = 0; i < 4; i++) {
        put_record(&packet, "\xc0\x0c", 2, TYPE_A, CLASS_IN, 0, "1234", 4);
    }
    put_opt(&packet, 1400, 0, "", 0);
    put_record(&packet, "\3key", 5, TYPE_TSIG, CLASS_ANY, 0, "whatever", 8);
    return packet;
}

static struct packet make_long_update(void)
{
    struct packet packet = header(5U << 11, 1, 0, 5, 1);
    put_question(&packet, TYPE_SOA);
    for (unsigned i = 0; i < 5; i++) {
        put_record(&packet, "\xc0\x0c", 2, TYPE_A, CLASS_IN, 0, "1234", 4);
    }
    put_opt(&packet, 1400, 0x8000, "", 0);
    return packet;
}

static struct packet make_opcode_without_question(void)
{
    struct packet packet = header(6U << 11, 0, 0, 0, 1);
    put_opt(&packet, 1400, 0x00010000, "not options at all", 18);
    return packet;
}

static struct packet make_opcode_with_two_opts(void)
{
    struct packet packet = header(15U << 11, 0, 0, 0, 2);
    put_opt(&packet, 1400, 0x8000, "", 0);
    put_opt(&packet, 1400, 0x8000, "", 0);
    return packet;
}

static struct packet make_opcode_with_five_additional(void)
{
    struct packet packet = header(15U << 11, 0, 0, 0, 5);
    put_opt(&packet, 1400, 0x8000, "", 0);
    for (unsigned i = 0; i < 4; i++) {
        put_record(&packet, "", 1, TYPE_A, CLASS_IN, 0, "1234", 4);
    }
    return packet;
}

static struct packet make_opcode_with_two_questions(void)
{
    struct packet packet = header(15U << 11, 2, 0, 0, 1);
    put_question(&packet, TYPE_A);
    put_opt(&packet, 1400, 0x8000, "", 0);
    return packet;
}

static struct packet make_opcode_and_garbage(void)
{
    struct packet packet = make_opcode_without_question();
    put(&packet, "", 1);
    return packet;
}

static struct packet make_opcode_with_opt_as_answer(void)
{
    struct packet packet = header(15U << 11, 0, 1, 0, 1);
    put_opt(&packet, 1400, 0x8000, "", 0);
    put_opt(&packet, 1400, 0x8000, "", 0);
    return packet;
}

// What a client sends that wants a cookie and nothing else (RFC 7873, 5.4).
static struct packet cookie_query(uint32_t ttl)
{
    struct packet packet = header(0, 0, 0, 0, 1);
    put_opt(&packet, 1400, ttl, "\0\12\0\10cookies!", 12);
    return packet;
}

static struct packet make_cookie(void)
{
    return cookie_query(0);
}

static struct packet make_cookie_and_garbage(void)
{
    struct packet packet = cookie_query(0);
    put(&packet, "", 1);
    return packet;
}

static struct packet make_cookie_of_version_1(void)
{
    return cookie_query(0x00010000);
}

static struct packet make_cookie_and_answer(void)
{
    struct packet packet = cookie_query(0);
    put_u16(packet.bytes + AT_ANCOUNT, 1);
    return packet;
}

static struct packet make_cookie_and_authority(void)
{
    struct packet packet = cookie_query(0);
    put_u16(packet.bytes + AT_NSCOUNT, 1);
    return packet;
}

static struct packet make_version_1(void)
{
    return with_opt(1232, 0x00010000, "not options at all", 18);
}

static struct packet make_version_255(void)
{
    return with_opt(1232, 0x00ff8000, "", 0);
}

static struct packet make_extended_rcode(void)
{
    return with_opt(1232, 0xff000000, "", 0);
}

static struct packet make_small_payload(void)
{
    return with_opt(100, 0, "", 0);
}

static struct packet make_empty_option(void)
{
    return with_opt(1232, 0, "\0\3\0\0", 4);
}

static struct packet make_cut_option(void)
{
    return with_opt(1232, 0, "\0\3\0\1", 4);
}

static struct packet make_option_head_cut(void)
{
    return with_opt(1232, 0, "\0\3\0", 3);
}

static const char options_17[17 * 4] = "\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0\0"
                                       "\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0\0"
                                       "\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0\0\0\3\0";

static struct packet make_16_options(void)
{
    return with_opt(1232, 0, options_17, sizeof(options_17) - 4);
}

static struct packet make_17_options(void)
{
    return with_opt(1232, 0, options_17, sizeof(options_17));
}

static struct packet make_two_subnets(void)
{
    return with_opt(1232, 0, "\0\10\0\5\0\1\10\0\12\0\10\0\5\0\1\10\0\12", 18);
}

static const struct {
    const char *what;
    struct packet (*make)(void);
    enum query_verdict verdict;
    bool named, edns, dnssec_ok;
    unsigned payload; // 0: not looked at
} table[] = {
    {"plain", make_plain, QUERY_GOOD, true, false, false, 512},
    {"two OPT", make_two_opts, QUERY_FORMERR, true, true, false, 0},
    {"OPT not at the root", make_opt_below_root, QUERY_FORMERR, true, false, false, 0},
    {"OPT at a pointer", make_opt_at_pointer, QUERY_FORMERR, true, false, false, 0},
    {"OPT between others", make_opt_after_others, QUERY_GOOD, true, true, true, 4096},
    {"five additional", make_many_additional, QUERY_FORMERR, true, false, false, 0},
    {"IXFR with its SOA", make_ixfr, QUERY_GOOD, true, false, false, 512},
    {"IXFR with two", make_ixfr_two, QUERY_FORMERR, true, false, false, 0},
    {"IXFR with OPT as its SOA", make_ixfr_with_opt, QUERY_FORMERR, true, false, false, 0},
    {"authority record", make_authority_record, QUERY_FORMERR, true, false, false, 0},
    {"answer record", make_answer_record, QUERY_FORMERR, true, false, false, 0},
    {"two questions", make_two_questions, QUERY_FORMERR, false, false, false, 0},
    {"no question", make_no_question, QUERY_FORMERR, false, false, false, 0},
    {"compressed question", make_compressed_question, QUERY_FORMERR, false, false, false, 0},
    {"name of 257", make_long_name, QUERY_FORMERR, false, false, false, 0},
    {"name of 255", make_longest_name, QUERY_GOOD, true, false, false, 512},
    {"garbage behind", make_garbage_behind, QUERY_FORMERR, true, false, false, 0},
    {"garbage behind OPT", make_garbage_behind_opt, QUERY_FORMERR, true, true, false, 0},
    {"response", make_response, QUERY_SILENCE, false, false, false, 0},
    {"malformed response", make_malformed_response, QUERY_SILENCE, false, false, false, 0},
    {"NOTIFY", make_notify, QUERY_NOTIMP, false, false, false, 0},
    {"opcode 15", make_opcode_15, QUERY_NOTIMP, false, false, false, 0},
    {"NOTIFY with OPT", make_notify_with_opt, QUERY_NOTIMP, false, true, true, 1400},
    {"UPDATE with OPT", make_update_with_opt, QUERY_NOTIMP, false, true, false, 1400},
    {"long UPDATE", make_long_update, QUERY_NOTIMP, false, false, false, 512},
    {"opcode 6, no question", make_opcode_without_question, QUERY_NOTIMP, false, true, false, 1400},
    {"opcode 15, two OPT", make_opcode_with_two_opts, QUERY_NOTIMP, false, false, false, 512},
    {"opcode 15, five additional", make_opcode_with_five_additional, QUERY_NOTIMP, false, false,
     false, 512},
    {"opcode 15, two questions", make_opcode_with_two_questions, QUERY_NOTIMP, false, false, false,
     512},
    {"opcode 6 and garbage", make_opcode_and_garbage, QUERY_NOTIMP, false, false, false, 512},
    {"opcode 15, OPT as answer too", make_opcode_with_opt_as_answer, QUERY_NOTIMP, false, false,
     false, 512},
    {"cookie", make_cookie, QUERY_COOKIE, false, true, false, 1400},
    {"cookie and garbage", make_cookie_and_garbage, QUERY_FORMERR, false, true, false, 0},
    {"cookie of version 1", make_cookie_of_version_1, QUERY_BADVERS, false, true, false, 1400},
    {"cookie and answer", make_cookie_and_answer, QUERY_FORMERR, false, false, false, 0},
    {"cookie and authority", make_cookie_and_authority, QUERY_FORMERR, false, false, false, 0},
    {"EDNS version 1", make_version_1, QUERY_BADVERS, true, true, false, 1232},
    {"EDNS version 255", make_version_255, QUERY_BADVERS, true, true, true, 1232},
    {"extended rcode set", make_extended_rcode, QUERY_GOOD, true, true, false, 1232},
    {"payload below 512", make_small_payload, QUERY_GOOD, true, true, false, 100},
    {"empty option", make_empty_option, QUERY_GOOD, true, true, false, 1232},
    {"option cut", make_cut_option, QUERY_FORMERR, true, true, false, 0},
    {"option head cut", make_option_head_cut, QUERY_FORMERR, true, true, false, 0},
    {"16 options", make_16_options, QUERY_GOOD, true, true, false, 1232},
    {"17 options", make_17_options, QUERY_FORMERR, true, true, false, 0},
    {"two subnets", make_two_subnets, QUERY_FORMERR, true, true, false, 0},
};
