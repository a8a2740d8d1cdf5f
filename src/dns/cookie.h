// SPDX-License-Identifier: GPL-3.0-or-later
//
// Server cookies that all servers with the same secret make alike (RFC 9018): version, three
// octets of nothing, the time, SipHash-2-4 of all that, the client's cookie and its address.
//
// Time comes in as a value: seconds since 1970 as a 32-bit number that goes round, compared in
// serial arithmetic (RFC 1982), so that 2038 and 2106 are days like others. Pure; any thread.
#pragma once

#include "base/address.h"
#include "dns/edns.h"

enum { COOKIE_SERVER_SIZE = 16, COOKIE_SECRET_SIZE = 16 };

// How old a cookie may be, how far ahead its maker's clock, and from when on the client is given a
// new one (RFC 9018, 4.3).
enum { COOKIE_PAST_MAX_S = 3600, COOKIE_FUTURE_MAX_S = 300, COOKIE_RENEW_S = 1800 };

// The first secret makes cookies; all of them are good to check with: the one before during a
// change of secrets, or the next one that other servers use already (RFC 9018, 5).
enum { COOKIE_SECRETS_MAX = 4 };
struct cookie_secrets {
    uint8_t count;
    uint8_t secrets[COOKIE_SECRETS_MAX][COOKIE_SECRET_SIZE];
};

// The keyed hash of Aumasson and Bernstein; its octets are those of the number, the lowest first.
uint64_t siphash_2_4(const uint8_t key[16], const uint8_t *bytes, size_t size);

// The server cookie for a client cookie (8 octets) and the address that it comes from.
void cookie_make(const uint8_t secret[COOKIE_SECRET_SIZE], const uint8_t *client_cookie,
                 const struct address *client, uint32_t now_s,
                 uint8_t server_cookie[COOKIE_SERVER_SIZE]);

// The cookie of a request as it was judged.
enum cookie_verdict {
    COOKIE_WRONG, // no server cookie, not ours, too old, or of the future
    COOKIE_VALID,
    COOKIE_STALE, // valid, but the client is due a new one
};
// Takes equal time for every wrong cookie of the right size.
enum cookie_verdict cookie_check(const struct cookie_secrets *secrets,
                                 const struct edns_request *request, const struct address *client,
                                 uint32_t now_s);
