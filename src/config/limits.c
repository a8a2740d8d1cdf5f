// SPDX-License-Identifier: GPL-3.0-or-later
//
// One row a limit. Values are the constants themselves, so a row cannot be out of date; whoever
// adds a bound to a loop or a buffer that outsiders can reach adds a row.
#include "config/limits.h"

#include "answer/follow.h"
#include "answer/generation.h"
#include "answer/respond.h"
#include "dns/cookie.h"
#include "dns/edns.h"
#include "dns/query.h"
#include "dns/svcb.h"
#include "dns/writer.h"
#include "net/connection.h"
#include "net/proxy.h"
#include "net/tls.h"
#include "config/config.h"
#include "steer/plan.h"
#include "format/document.h"
#include "zone/policy.h"
#include "zone/rdata.h"

#define CONSTANT(limit, unit_text) .value = (limit), .unit = (unit_text)
#define OPTION(name)               .option = (name)

// clang-format off
static const struct limit limits[] = {
    {LIMIT_QUERY, "questions of a query", CONSTANT(1, ""), .then = "FORMERR",
     .reason = "nobody serves more (RFC 9619)"},
    {LIMIT_QUERY, "additional records of a query", CONSTANT(QUERY_ADDITIONAL_MAX, ""),
     .then = "FORMERR", .reason = "OPT, TSIG, SIG(0) and one to spare; a long packet of records "
     "costs no more than a short one"},
    {LIMIT_QUERY, "EDNS options of a query", CONSTANT(EDNS_OPTIONS_MAX, ""), .then = "FORMERR",
     .reason = "more are no use to anybody, and each takes time"},
    {LIMIT_QUERY, "age of a server cookie", CONSTANT(COOKIE_PAST_MAX_S, "seconds"),
     .then = "it is not valid", .reason = "RFC 9018, 4.3"},
    {LIMIT_QUERY, "secrets that cookies are checked with", CONSTANT(COOKIE_SECRETS_MAX, ""),
     .then = "refused when the file is read", .reason = "each costs a hash a query with a cookie"},
    {LIMIT_QUERY, "PROXY header over UDP", CONSTANT(PROXY_HEADER_UDP_MAX, "bytes"),
     .then = "dropped", .reason = "the answer is written behind it, in the same buffer"},
    {LIMIT_QUERY, "PROXY header over TCP and TLS", CONSTANT(PROXY_HEADER_MAX, "bytes"),
     .then = "closed", .reason = "what load balancers send is far below"},
    {LIMIT_ANSWER, "answer over UDP", OPTION("answer.udp_payload_max"), .then = "TC",
     .reason = "passes every network in one piece (DNS flag day 2020), and bounds what a forged "
     "query makes us send"},
    {LIMIT_ANSWER, "answer over TCP and TLS", CONSTANT(ANSWER_TCP_MAX, "bytes"),
     .then = "TC", .reason = "the length has two bytes (RFC 1035, 4.2.2)"},
    {LIMIT_ANSWER, "links of a chain of aliases", CONSTANT(CHAIN_MAX, ""),
     .then = "the chain so far", .reason = "a resolver asks on from there; no question costs many "
     "(a DNAME counts as two)"},
    {LIMIT_ANSWER, "names whose addresses are added", CONSTANT(ANSWER_ADDITIONAL_NAMES_MAX, ""),
     .then = "the others are left out",
     .reason = "as many as the root has name servers; additional records are a courtesy"},
    {LIMIT_ANSWER, "look-ups for names behind an ALIAS and hints", CONSTANT(FOLLOWED_MAX, ""),
     .then = "the hints of later records are left out, the ALIAS is answered with SERVFAIL",
     .reason = "both families of sixteen records without aliases (a name that is there counts as "
     "three, one that a wildcard stands for as some more), or eight links by way of wildcards"},
    {LIMIT_ANSWER, "addresses of a family in hints that follow", CONSTANT(SVCB_HINTS_MAX, ""),
     .then = "the others are left out",
     .reason = "a hint saves a question, it does not replace the answer"},
    {LIMIT_ANSWER, "name server identifier (NSID)", CONSTANT(NSID_MAX_SIZE, "bytes"),
     .then = "refused when the configuration is read",
     .reason = "with the longest question and all other options it fits 512 bytes"},
    {LIMIT_ANSWER, "names that later names are compressed to",
     CONSTANT(COMPRESSION_TARGETS_MAX, ""), .then = "later names are written out",
     .reason = "looking further would cost more time than bytes"},
    {LIMIT_ANSWER, "names that are compressed", CONSTANT(COMPRESSED_NAMES_MAX, ""),
     .then = "later names are written out", .reason = "what one question may cost"},
    {LIMIT_ANSWER, "records of a steered answer", CONSTANT(PLAN_ANSWERS_MAX, ""),
     .then = "refused when the zone is read", .reason = "more fit no answer over UDP"},
    {LIMIT_ANSWER, "records of a sticky answer, of more than 2,400 members",
     CONSTANT(STICKY_MANY_ANSWERS, ""), .then = "the first of them are answered",
     .reason = "what one question may cost"},
    {LIMIT_ANSWER, "records of an answer through pools with methods of their own",
     CONSTANT(TREE_ANSWERS_MAX, ""), .then = "the first of them are answered",
     .reason = "what one question may cost"},
    {LIMIT_ANSWER, "times that values stand in such pools more than once",
     CONSTANT(TREE_TWINS_MAX, ""), .then = "one record is answered",
     .reason = "each may be drawn in vain"},
    {LIMIT_ANSWER, "members that the policies behind one answer weigh, after the first policy",
     CONSTANT(RESPONSE_EFFORT_MAX, ""),
     .then = "additional addresses and hints are left out, a chain is asked on for",
     .reason = "what one question may cost"},
    {LIMIT_ANSWER, "members that the policies behind an ALIAS weigh, its links and its end",
     CONSTANT(ANSWER_EFFORT_MAX, ""),
     .then = "SERVFAIL, or the chain is asked on for that has led to it",
     .reason = "the dearest policy and a few names on the way to it: what one question may cost"},
    {LIMIT_ANSWER, "answers a second to one source over UDP", OPTION("rrl.rate"),
     .then = "dropped or TC", .reason = "a victim of forged queries gets no more"},
    {LIMIT_ANSWER, "networks that the rate limit remembers", OPTION("rrl.table_size"),
     .then = "the smallest load is forgotten", .reason = "no memory grows with the sources seen"},
    {LIMIT_STREAM, "connections of one worker", OPTION("limits.tcp_clients"),
     .then = "the longest idle is closed", .reason = "descriptors and memory"},
    {LIMIT_STREAM, "connections of one client", OPTION("limits.tcp_clients_per_address"),
     .then = "its longest idle is closed", .reason = "one address cannot take all places"},
    {LIMIT_STREAM, "time without a query", OPTION("limits.tcp_idle"), .then = "closed",
     .reason = "RFC 9210, 4.5"},
    {LIMIT_STREAM, "time for a query to be complete, and for answers to be taken",
     OPTION("limits.tcp_message"), .then = "closed", .reason = "slow peers hold places and memory"},
    {LIMIT_STREAM, "answers that gather before they are sent",
     CONSTANT(TCP_FLUSH_SIZE + TCP_PREFIX_SIZE + ANSWER_TCP_MAX, "bytes"),
     .then = "nothing more is read", .reason = "a peer that does not read is not read from"},
    {LIMIT_STREAM, "input that waits while answers do", CONSTANT(TCP_READ_SIZE, "bytes"),
     .then = "the peer's window closes", .reason = "back-pressure, whatever the pipelining"},
    {LIMIT_STREAM, "octets that the kernel holds of a connection and has not sent",
     CONSTANT(TCP_UNSENT_MAX, "bytes"), .then = "it takes no more",
     .reason = "what it has can no longer be passed by a small answer"},
    {LIMIT_STREAM, "answers that pass larger ones while a peer is behind with reading",
     CONSTANT(TCP_PASSING_MAX, "bytes"), .then = "the question is put off",
     .reason = "what resolvers took over UDP at most; RFC 7766, 6.2.1.1"},
    {LIMIT_STREAM, "small answers that pass each one that is put off",
     CONSTANT(TCP_FLUSH_SIZE, "bytes"), .then = "it has its turn", .reason = "none starves"},
    {LIMIT_STREAM, "questions of a connection that are put off", CONSTANT(TCP_LATER_MAX, "bytes"),
     .then = "those behind them wait",
     .reason = "at most 107 of the shortest; each is answered twice, once to see how large it is"},
    {LIMIT_STREAM, "memory of all connections of a worker", CONSTANT(TCP_HELD_MAX, "bytes"),
     .then = "the longest large holder is closed", .reason = "what all slow peers hold together"},
    {LIMIT_STREAM, "TCP Fast Open requests that wait", OPTION("limits.tcp_fast_open"),
     .then = "the ordinary handshake",
     .reason = "a forged source can fill no more (RFC 7413, 5.1)"},
    {LIMIT_STREAM, "TLS handshakes under way", OPTION("limits.tls_handshakes"),
     .then = "the oldest is closed", .reason = "the dearest thing that a stranger can ask for"},
    {LIMIT_STREAM, "time for a TLS handshake", OPTION("limits.tls_handshake"), .then = "closed",
     .reason = "as for slow peers"},
    {LIMIT_STREAM, "life of a key of TLS session tickets",
     CONSTANT(TLS_TICKET_KEY_LIFE_S, "seconds"), .then = "a new key; tickets of the old one are "
     "good for as long again", .reason = "a stolen key opens little"},
    {LIMIT_DATA, "rdata of a record", CONSTANT(RDATA_MAX_SIZE, "bytes"), .then = "refused",
     .reason = "the length has two bytes (RFC 1035, 3.2.1)"},
    {LIMIT_DATA, "records of an RRset", CONSTANT(RRSET_MEMBERS_MAX, ""), .then = "refused",
     .reason = "what one question may cost"},
    {LIMIT_DATA, "rdata of a record whose hints follow", CONSTANT(SVCB_FOLLOWING_MAX_SIZE, "bytes"),
     .then = "refused", .reason = "it is filled in on the stack, for each answer"},
    {LIMIT_DATA, "records of an answer whose hints follow", CONSTANT(SVCB_FOLLOWING_MAX, ""),
     .then = "refused", .reason = "each is filled in anew for each answer"},
    {LIMIT_DATA, "members of a policy", CONSTANT(RRSET_MEMBERS_MAX, ""), .then = "refused",
     .reason = "what is picked from is scanned as bits"},
    {LIMIT_DATA, "pools of a policy", CONSTANT(POOLS_MAX, ""), .then = "refused",
     .reason = "a chain of fallbacks ends soon"},
    {LIMIT_DATA, "pools with a method that stand in each other", CONSTANT(METHOD_LEVELS_MAX, ""),
     .then = "refused", .reason = "a question may go through all of them"},
    {LIMIT_DATA, "rules of a policy", CONSTANT(RULES_MAX, ""), .then = "refused",
     .reason = "the work of compiling follows them"},
    {LIMIT_DATA, "size of a YAML document", CONSTANT(DOCUMENT_SIZE_MAX_MIB, "MiB"),
     .then = "refused", .reason = "the owner of one zone cannot take all memory"},
    {LIMIT_DATA, "depth of a YAML document", CONSTANT(DOCUMENT_DEPTH_MAX, "levels"),
     .then = "refused", .reason = "its reader is recursive"},
    {LIMIT_DATA, "size of signpost.yaml", CONSTANT(CONFIG_SIZE_MAX_MIB, "MiB"), .then = "refused",
     .reason = "a file put there by mistake"},
};
// clang-format on

size_t limit_count(void)
{
    return ARRAY_SIZE(limits);
}

const struct limit *limit_at(size_t index)
{
    SP_ASSERT(index < ARRAY_SIZE(limits));
    return &limits[index];
}

const char *limit_group_title(enum limit_group group)
{
    static const char *const titles[LIMIT_GROUP_COUNT] = {
        [LIMIT_QUERY] = "Queries",
        [LIMIT_ANSWER] = "Answers",
        [LIMIT_STREAM] = "Connections",
        [LIMIT_DATA] = "Documents",
    };
    SP_ASSERT(group < LIMIT_GROUP_COUNT);
    return titles[group];
}
