// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of record types: names as IANA registers them, and where domain names stand in rdata.
//
// Parser, writer, readers and the additional section all go by this one table. Read-only; any
// thread.
#include "dns/types.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct rr_type_info type_table[] = {
    // type, name, fixed bytes before the names, names, compressible, wants additional
    {TYPE_A, "A", 0, 0, false, false},
    {TYPE_NS, "NS", 0, 1, true, true},
    {3, "MD", 0, 1, true, false},
    {4, "MF", 0, 1, true, false},
    {TYPE_CNAME, "CNAME", 0, 1, true, false},
    {TYPE_SOA, "SOA", 0, 2, true, false},
    {7, "MB", 0, 1, true, false},
    {8, "MG", 0, 1, true, false},
    {9, "MR", 0, 1, true, false},
    {10, "NULL", 0, 0, false, false},
    {11, "WKS", 0, 0, false, false},
    {TYPE_PTR, "PTR", 0, 1, true, false},
    {TYPE_HINFO, "HINFO", 0, 0, false, false},
    {14, "MINFO", 0, 2, true, false},
    {TYPE_MX, "MX", 2, 1, true, true},
    {TYPE_TXT, "TXT", 0, 0, false, false},
    {TYPE_RP, "RP", 0, 2, false, false},
    {TYPE_AFSDB, "AFSDB", 2, 1, false, false},
    {19, "X25", 0, 0, false, false},
    {20, "ISDN", 0, 0, false, false},
    {TYPE_RT, "RT", 2, 1, false, false},
    {TYPE_SIG, "SIG", 18, 1, false, false},
    {25, "KEY", 0, 0, false, false},
    {26, "PX", 2, 2, false, false},
    {TYPE_AAAA, "AAAA", 0, 0, false, false},
    {TYPE_LOC, "LOC", 0, 0, false, false},
    {30, "NXT", 0, 1, false, false},
    {TYPE_SRV, "SRV", 6, 1, false, true},
    {TYPE_NAPTR, "NAPTR", 0, 0, false, false},
    {TYPE_KX, "KX", 2, 1, false, false},
    {37, "CERT", 0, 0, false, false},
    {TYPE_DNAME, "DNAME", 0, 1, false, false},
    {TYPE_OPT, "OPT", 0, 0, false, false},
    {42, "APL", 0, 0, false, false},
    {TYPE_DS, "DS", 0, 0, false, false},
    {TYPE_SSHFP, "SSHFP", 0, 0, false, false},
    {45, "IPSECKEY", 0, 0, false, false},
    {TYPE_RRSIG, "RRSIG", 18, 1, false, false},
    {TYPE_NSEC, "NSEC", 0, 1, false, false},
    {TYPE_DNSKEY, "DNSKEY", 0, 0, false, false},
    {49, "DHCID", 0, 0, false, false},
    {50, "NSEC3", 0, 0, false, false},
    {51, "NSEC3PARAM", 0, 0, false, false},
    {TYPE_TLSA, "TLSA", 0, 0, false, false},
    {53, "SMIMEA", 0, 0, false, false},
    {55, "HIP", 0, 0, false, false},
    {59, "CDS", 0, 0, false, false},
    {60, "CDNSKEY", 0, 0, false, false},
    {TYPE_OPENPGPKEY, "OPENPGPKEY", 0, 0, false, false},
    {62, "CSYNC", 0, 0, false, false},
    {63, "ZONEMD", 0, 0, false, false},
    {TYPE_SVCB, "SVCB", 2, 1, false, true},
    {TYPE_HTTPS, "HTTPS", 2, 1, false, true},
    {TYPE_SPF, "SPF", 0, 0, false, false},
    {104, "NID", 0, 0, false, false},
    {105, "L32", 0, 0, false, false},
    {106, "L64", 0, 0, false, false},
    {107, "LP", 2, 1, false, false},
    {108, "EUI48", 0, 0, false, false},
    {109, "EUI64", 0, 0, false, false},
    {249, "TKEY", 0, 0, false, false},
    {TYPE_TSIG, "TSIG", 0, 0, false, false},
    {TYPE_IXFR, "IXFR", 0, 0, false, false},
    {TYPE_AXFR, "AXFR", 0, 0, false, false},
    {TYPE_MAILB, "MAILB", 0, 0, false, false},
    {TYPE_MAILA, "MAILA", 0, 0, false, false},
    {TYPE_ANY, "ANY", 0, 0, false, false},
    {TYPE_URI, "URI", 0, 0, false, false},
    {TYPE_CAA, "CAA", 0, 0, false, false},
    {TYPE_ALIAS, "ALIAS", 0, 1, false, false},
};

const struct rr_type_info *rr_type_find(uint16_t type)
{
    size_t low = 0, high = ARRAY_SIZE(type_table);
    while (low < high) { // the table is ascending by type; a unit test holds it to that
        size_t middle = (low + high) / 2;
        if (type_table[middle].type < type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ARRAY_SIZE(type_table) && type_table[low].type == type ? &type_table[low] : NULL;
}

const char *rr_type_format(uint16_t type, char text[RR_TYPE_TEXT_MAX])
{
    const struct rr_type_info *info = rr_type_find(type);
    if (info) {
        snprintf(text, RR_TYPE_TEXT_MAX, "%s", info->name);
    } else {
        snprintf(text, RR_TYPE_TEXT_MAX, "TYPE%u", type);
    }
    return text;
}

static bool parse_generic(const char *text, uint16_t *type)
{
    if (strncasecmp(text, "TYPE", 4) != 0 || text[4] == '\0') {
        return false;
    }
    unsigned value = 0;
    for (const char *digit = text + 4; *digit; digit++) {
        if (*digit < '0' || *digit > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(*digit - '0');
        if (value > UINT16_MAX) {
            return false;
        }
    }
    *type = (uint16_t)value;
    return true;
}

bool rr_type_parse(const char *text, uint16_t *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(type_table); i++) {
        if (strcasecmp(type_table[i].name, text) == 0) {
            *type = type_table[i].type;
            return true;
        }
    }
    return parse_generic(text, type);
}
