// SPDX-License-Identifier: GPL-3.0-or-later
#include "probe/target.h"

#define V4(length, ...)                                                                            \
    {                                                                                              \
        {FAMILY_IPV4, {__VA_ARGS__}}, length                                                       \
    }
#define V6(length, ...)                                                                            \
    {                                                                                              \
        {FAMILY_IPV6, {__VA_ARGS__}}, length                                                       \
    }

// Networks that lead to this machine, to its surroundings, or through an embedded IPv4 address to
// either (IANA special-purpose registries, RFC 6890).
static const struct prefix denied_networks[] = {
    V4(8, 0),                             // this network, RFC 791
    V4(8, 10),                            // private, RFC 1918
    V4(10, 100, 64),                      // carrier-grade NAT, RFC 6598
    V4(8, 127),                           // loopback, RFC 1122
    V4(16, 169, 254),                     // link-local and cloud metadata, RFC 3927
    V4(12, 172, 16),                      // private, RFC 1918
    V4(24, 192, 0, 0),                    // protocol assignments, RFC 6890
    V4(16, 192, 168),                     // private, RFC 1918
    V4(15, 198, 18),                      // benchmarking, RFC 2544
    V4(4, 224),                           // multicast, RFC 5771
    V4(4, 240),                           // reserved and broadcast, RFC 1112
    V6(96, 0),                            // unspecified, loopback, IPv4-compatible, RFC 4291
    V6(96, [10] = 0xff, [11] = 0xff),     // IPv4-mapped, RFC 4291
    V6(96, [8] = 0xff, [9] = 0xff),       // IPv4-translated, RFC 2765
    V6(96, 0x00, 0x64, 0xff, 0x9b),       // NAT64, RFC 6052
    V6(48, 0x00, 0x64, 0xff, 0x9b, 0, 1), // local NAT64, RFC 8215
    V6(32, 0x20, 0x01, 0, 0),             // Teredo, RFC 4380
    V6(16, 0x20, 0x02),                   // 6to4, RFC 3056
    V6(7, 0xfc),                          // unique local, RFC 4193
    V6(10, 0xfe, 0x80),                   // link-local, RFC 4291
    V6(10, 0xfe, 0xc0),                   // site-local, RFC 3879
    V6(8, 0xff),                          // multicast, RFC 4291
};

static bool any_contains(const struct prefix *prefixes, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (prefix_contains(&prefixes[i], address)) {
            return true;
        }
    }
    return false;
}

bool target_denied(const struct address *address, const struct prefix *allow, size_t allow_count)
{
    return any_contains(denied_networks, ARRAY_SIZE(denied_networks), address) &&
           !any_contains(allow, allow_count, address);
}
