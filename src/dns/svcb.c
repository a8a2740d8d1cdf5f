// SPDX-License-Identifier: GPL-3.0-or-later
#include "dns/svcb.h"

#include "dns/name.h"
#include "dns/wire.h"

bool svcb_next(const uint8_t **at, const uint8_t *end, struct svcb_param *param)
{
    size_t left = (size_t)(end - *at);
    if (left < SVCB_PARAM_HEAD_SIZE) {
        return false;
    }
    *param = (struct svcb_param){get_u16(*at), get_u16(*at + 2), *at + SVCB_PARAM_HEAD_SIZE};
    if (left - SVCB_PARAM_HEAD_SIZE < param->size) {
        return false;
    }
    *at += SVCB_PARAM_HEAD_SIZE + param->size;
    return true;
}

bool svcb_check(const uint8_t *params, size_t size)
{
    const uint8_t *at = params, *end = params + size;
    struct svcb_param param;
    int before = -1;
    while (svcb_next(&at, end, &param)) {
        if (param.key <= before) {
            return false;
        }
        before = param.key;
    }
    return at == end;
}

const uint8_t *svcb_params(const uint8_t *rdata)
{
    return rdata + 2 + name_size(rdata + 2);
}

bool svcb_follows(const uint8_t *rdata, size_t rdata_size)
{
    const uint8_t *at = svcb_params(rdata), *end = rdata + rdata_size;
    struct svcb_param param;
    bool follows = false;
    while (svcb_next(&at, end, &param)) {
        follows |= (param.key == SVCB_IPV4HINT || param.key == SVCB_IPV6HINT) && param.size == 0;
    }
    return follows;
}
