// SPDX-License-Identifier: GPL-3.0-or-later
//
// The parameters of SVCB and HTTPS records (RFC 9460, 2.2): key, length and value, ascending by
// key.
//
// In our zones a hint of no octets, which the RFC forbids, means that the hint follows: when the
// record goes out it holds the addresses that the same client gets for the target. Pure.
#pragma once

#include "dns/types.h"

enum { SVCB_MANDATORY = 0, SVCB_IPV4HINT = 4, SVCB_IPV6HINT = 6, SVCB_PARAM_HEAD_SIZE = 4 };

// Record data whose hints follow, as it stands in the zone; how many such records an answer may
// have; and how many addresses of a family one tells: a hint saves a question, it does not replace
// the answer.
enum { SVCB_FOLLOWING_MAX_SIZE = 1024, SVCB_FOLLOWING_MAX = 16, SVCB_HINTS_MAX = 8 };

static inline bool type_is_service(uint16_t type)
{
    return type == TYPE_SVCB || type == TYPE_HTTPS;
}

struct svcb_param {
    uint16_t key, size;
    const uint8_t *data;
};

// The parameter at *at, which moves behind it; false at the end, or where none is whole.
bool svcb_next(const uint8_t **at, const uint8_t *end, struct svcb_param *param);
// Whether these are whole parameters in ascending order.
bool svcb_check(const uint8_t *params, size_t size);
// Where the parameters of well-formed record data begin.
const uint8_t *svcb_params(const uint8_t *rdata);
// Whether a hint of well-formed record data follows.
bool svcb_follows(const uint8_t *rdata, size_t rdata_size);
