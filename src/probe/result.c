// SPDX-License-Identifier: GPL-3.0-or-later
#include "probe/result.h"

#include <stdarg.h>
#include <stdio.h>

const char *const verdict_names[3] = {
    [VERDICT_BAD] = "bad", [VERDICT_GOOD] = "good", [VERDICT_NONE] = "nothing"};

const struct probe_reason_info probe_reasons[PROBE_REASON_COUNT] = {
    [PROBE_OK] = {"OK", VERDICT_GOOD, "all that was asked for was seen"},
    [PROBE_L3_TIMEOUT] = {"L3TOUT", VERDICT_BAD, "no echo request was answered in time"},
    [PROBE_L3_LOSS] = {"L3LOSS", VERDICT_BAD, "too many echo requests were lost"},
    [PROBE_L3_SLOW] = {"L3RTT", VERDICT_BAD, "the mean round trip is over the limit"},
    [PROBE_L4_TIMEOUT] = {"L4TOUT", VERDICT_BAD, "no connection in time"},
    [PROBE_L4_REFUSED] = {"L4CON", VERDICT_BAD, "connection refused or reset"},
    [PROBE_L4_UNREACHABLE] = {"L4UNR", VERDICT_BAD, "no route, or an ICMP error says unreachable"},
    [PROBE_L4_ERROR] = {"L4ERR", VERDICT_BAD, "another error of the connection"},
    [PROBE_L6_TIMEOUT] = {"L6TOUT", VERDICT_BAD, "connected, no TLS handshake in time"},
    [PROBE_L6_HANDSHAKE] = {"L6HAND", VERDICT_BAD, "the TLS handshake failed"},
    [PROBE_L6_CERTIFICATE] = {"L6CERT", VERDICT_BAD, "the certificate chain is not trusted"},
    [PROBE_L6_NAME] = {"L6NAME", VERDICT_BAD, "the certificate does not cover the name"},
    [PROBE_L6_EXPIRED] = {"L6EXP", VERDICT_BAD,
                          "the certificate has ended, has not begun or ends too soon"},
    [PROBE_L6_ALPN] = {"L6ALPN", VERDICT_BAD, "the server chose none of the wanted protocols"},
    [PROBE_L7_TIMEOUT] = {"L7TOUT", VERDICT_BAD, "connected, no complete answer in time"},
    [PROBE_L7_INVALID] = {"L7RSP", VERDICT_BAD, "the answer is not of the protocol"},
    [PROBE_L7_STATUS] = {"L7STS", VERDICT_BAD, "the status or response code is not a good one"},
    [PROBE_L7_CONTENT] = {"L7MATCH", VERDICT_BAD, "the answer does not hold what is expected"},
    [PROBE_L7_CLOSED] = {"L7CLOSE", VERDICT_BAD,
                         "the connection ended before the answer was complete"},
    [PROBE_EXEC_TIMEOUT] = {"PROCTOUT", VERDICT_BAD, "the command was killed at its deadline"},
    [PROBE_EXEC_STATUS] = {"PROCERR", VERDICT_BAD, "the command ended with a status that is not 0"},
    [PROBE_EXEC_SIGNAL] = {"PROCSIG", VERDICT_BAD, "the command was ended by a signal"},
    [PROBE_BEAT_LATE] = {"BEATTOUT", VERDICT_BAD, "no heartbeat for longer than its time to live"},
    [PROBE_BEAT_BAD] = {"BEATDOWN", VERDICT_BAD, "the heartbeat says down"},
    [PROBE_EXPRESSION] = {"EXPR", VERDICT_BAD, "the expression over other checks is false"},
    [PROBE_LOCAL_ERROR] = {"SOCKERR", VERDICT_NONE,
                           "the probe could not be made here; it says nothing about the target"},
    [PROBE_DENIED] = {"DENIED", VERDICT_NONE, "the address may not be probed (`health.allow`)"},
};

void probe_result_set(struct probe_result *result, enum probe_reason reason, const char *format,
                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    result->reason = reason;
    vsnprintf(result->detail, sizeof(result->detail), format, arguments);
    va_end(arguments);
}
