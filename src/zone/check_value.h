// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the texts of a check definition mean: octets with escapes, sets of statuses and response
// codes, request headers, regular expressions, protocol lists. The reader of documents asks here
// whether a text is good, the probers ask for its value. Every function is total: a bad text gives
// false and a static reason. Pure; any thread.
#pragma once

#include "base/base.h"

// Octets written with the escapes \r \n \t \0 \\ \" and \xNN. `octets` has room for strlen(text).
bool check_octets(const char *text, uint8_t *octets, size_t *size, const char **reason);

// "200-299,301". Statuses are 100..599.
struct check_statuses {
    uint64_t bits[10];
};
bool check_statuses(const char *text, struct check_statuses *statuses, const char **reason);
static inline bool check_statuses_hold(const struct check_statuses *statuses, unsigned status)
{
    return status < 640 && (statuses->bits[status / 64] >> (status % 64) & 1);
}

// "NOERROR,NXDOMAIN" or numbers up to 23: a bit each.
bool check_rcodes(const char *text, uint32_t *rcodes, const char **reason);
// "NOERROR", or "RCODE9" for those without a name. `text` has room for 16.
const char *check_rcode_name(unsigned rcode, char text[16]);

// "h2,http/1.1" to the wire form of RFC 7301: a length octet before each.
enum { CHECK_ALPN_MAX = 80 };
bool check_alpn(const char *text, uint8_t wire[CHECK_ALPN_MAX], size_t *size, const char **reason);

// POSIX extended, but no back-references and repetitions of at most 255 whose product is at most
// 1000: so that neither compiling nor matching takes time or memory out of proportion.
bool check_regex(const char *text, const char **reason);
// The same without compiling it: the limits alone.
bool check_regex_text(const char *text, const char **reason);

// A method: GET, HEAD, OPTIONS, POST.
bool check_method(const char *text, const char **reason);
// A host for Host, SNI and :authority: a name or an address literal without brackets.
bool check_host(const char *text, const char **reason);
// A path: '/' and printable ASCII without blanks.
bool check_path(const char *text, const char **reason);
// "Name: value\n" lines: tokens and printable ASCII. Names that would change what the request is
// (Host, Connection, Content-Length, Transfer-Encoding, Upgrade, TE, Expect) are refused.
bool check_headers(const char *text, const char **reason);
bool check_header_name(const char *text, const char **reason);
