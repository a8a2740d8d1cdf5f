// SPDX-License-Identifier: GPL-3.0-or-later
#include "answer/service.h"

#include "answer/follow.h"

#include <string.h>

// The addresses of an RRset that is not steered, from the one whose turn it is.
static size_t put_static(struct response *response, const struct followed *found, size_t size,
                         uint8_t *out)
{
    const struct node_rrset *rrset = found->rrset;
    const uint8_t *first = node_records(found->node, rrset), *at = first;
    if (rrset->turn != 0) {
        at += response_rotation_once(response, rrset);
    }
    size_t count = MIN((size_t)rrset->count, (size_t)SVCB_HINTS_MAX);
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * size, at + 12, size);
        at += 12 + size;
        at = at == first + rrset->size ? first : at;
    }
    return count;
}

static size_t put_steered(const struct pick *pick, size_t size, uint8_t *out)
{
    size_t count = MIN(pick->count, (size_t)SVCB_HINTS_MAX);
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * size, pick->records[i] + 12, size);
    }
    return count;
}

// Writes addresses of one family behind each other; returns their bytes.
static size_t put_addresses(struct response *response, const uint8_t *target, uint16_t type,
                            uint8_t *out, uint32_t *ttl)
{
    struct followed found;
    size_t size = type == TYPE_A ? 4 : 16;
    if (response_follow(response, target, type, NEED_EXTRA, &found) != FOLLOWED_FOUND) {
        return 0;
    }
    if (found.rrset->plan == 0) {
        *ttl = MIN(*ttl, MIN(found.ttl_max, get_u32(node_records(found.node, found.rrset) + 6)));
        return put_static(response, &found, size, out) * size;
    }
    if (!response_may_pick(response, found.rrset, NEED_EXTRA)) {
        return 0; // a service is found without hints, too
    }
    const struct pick *pick = response_pick_once(response, found.rrset);
    *ttl = MIN(*ttl, MIN(found.ttl_max, pick->ttl));
    return put_steered(pick, size, out) * size;
}

size_t response_service(struct response *response, const uint8_t *owner, const uint8_t *rdata,
                        size_t rdata_size, uint8_t filled[SERVICE_RDATA_MAX], uint32_t *ttl)
{
    const uint8_t *at = svcb_params(rdata), *end = rdata + rdata_size;
    const uint8_t *target = name_is_root(rdata + 2) ? owner : rdata + 2;
    size_t size = (size_t)(at - rdata);
    struct svcb_param param;
    SP_ASSERT(rdata_size <= SVCB_FOLLOWING_MAX_SIZE); // zone_finish saw to it
    memcpy(filled, rdata, size);
    while (svcb_next(&at, end, &param)) {
        uint8_t *data = filled + size + SVCB_PARAM_HEAD_SIZE;
        bool follows =
            param.size == 0 && (param.key == SVCB_IPV4HINT || param.key == SVCB_IPV6HINT);
        size_t data_size = param.size;
        if (follows) {
            uint16_t type = param.key == SVCB_IPV4HINT ? TYPE_A : TYPE_AAAA;
            data_size = put_addresses(response, target, type, data, ttl);
        } else {
            memcpy(data, param.data, data_size);
        }
        if (!follows || data_size > 0) {
            put_u16(filled + size, param.key);
            put_u16(filled + size + 2, (unsigned)data_size);
            size += SVCB_PARAM_HEAD_SIZE + data_size;
        }
    }
    return size;
}
