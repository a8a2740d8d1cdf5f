// SPDX-License-Identifier: GPL-3.0-or-later
//
// An answer made as small as it can be, with TC set. See answer.h.
#include "answer/answer.h"

#include "dns/types.h"
#include "dns/wire.h"

// Steps over a name of our own: labels, then the root or a pointer.
static size_t name_end(const uint8_t *message, size_t at)
{
    while (message[at] != 0 && message[at] < 0xc0) {
        at += message[at] + 1U;
    }
    return at + (message[at] == 0 ? 1 : 2);
}

size_t answer_truncate(uint8_t *message)
{
    size_t question_end = HEADER_SIZE;
    if (get_u16(message + AT_QDCOUNT) != 0) {
        question_end = name_end(message, HEADER_SIZE) + QUESTION_FIXED_SIZE;
    }
    unsigned left = get_u16(message + AT_ANCOUNT) + get_u16(message + AT_NSCOUNT) +
                    get_u16(message + AT_ARCOUNT);
    size_t end = question_end;
    for (size_t at = question_end; left > 0; left--) {
        size_t fixed = name_end(message, at);
        size_t next = fixed + RR_FIXED_SIZE + get_u16(message + fixed + 8);
        if (get_u16(message + fixed) == TYPE_OPT) {
            memmove(message + question_end, message + at, next - at);
            end += next - at;
            break;
        }
        at = next;
    }
    put_u16(message + AT_FLAGS, get_u16(message + AT_FLAGS) | FLAG_TC);
    put_u32(message + AT_ANCOUNT, 0);
    put_u16(message + AT_ARCOUNT, end > question_end);
    return end;
}
