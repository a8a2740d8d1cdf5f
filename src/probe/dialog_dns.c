// SPDX-License-Identifier: GPL-3.0-or-later
//
// dns: one query, one response (RFC 1035), over UDP or, with two octets of length before each
// message, over TCP. The answer section is walked with names decompressed as far as the types need
// it whose rdata holds names, so that the expected rdata is compared with what was meant.
#include "probe/dialog.h"

#include "base/hash.h"
#include "base/memory.h"
#include "dns/name.h"
#include "dns/types.h"
#include "dns/wire.h"

#include <string.h>

enum { MESSAGE_MAX = 65535, JUMPS_MAX = 64 };

struct dns {
    uint16_t id;
    size_t query_size;
    uint8_t query[HEADER_SIZE + 255 + 4];
};

static void dns_begin(struct dialog *dialog)
{
    const struct recipe *recipe = dialog->recipe;
    struct dns *dns = mem_alloc(sizeof(*dns));
    dialog->state = dns;
    dns->id = (uint16_t)random_seed();
    uint8_t *at = dns->query;
    put_u16(at, dns->id);
    at[2] = 0x01; // recursion desired: targets may be resolvers, others do not mind
    put_u16(at + 4, 1);
    memcpy(at + HEADER_SIZE, recipe->query, recipe->query_size);
    at += HEADER_SIZE + recipe->query_size;
    put_u16(at, recipe->query_type);
    put_u16(at + 2, CLASS_IN);
    dns->query_size = HEADER_SIZE + recipe->query_size + 4;
    dialog->out.limit = sizeof(dns->query) + 2;
    dialog->in.limit = MESSAGE_MAX + 2;
    if (!dialog->datagrams) {
        uint8_t size[2];
        put_u16(size, (uint16_t)dns->query_size);
        octets_put(&dialog->out, size, sizeof(size));
    }
    octets_put(&dialog->out, dns->query, dns->query_size);
}

// --- reading ---

struct message {
    const uint8_t *at;
    size_t size;
};

// The name at *place, uncompressed; *place moves behind it. 0 if it is none.
static size_t name_read(const struct message *message, size_t *place, uint8_t name[NAME_MAX_SIZE])
{
    size_t at = *place, size = 0, after = 0;
    for (unsigned jumps = 0;;) {
        if (at >= message->size) {
            return 0;
        }
        uint8_t length = message->at[at];
        if (length >= 0xc0) {
            if (at + 1 >= message->size || ++jumps > JUMPS_MAX) {
                return 0;
            }
            size_t to = (size_t)(length & 0x3f) << 8 | message->at[at + 1];
            if (to < HEADER_SIZE || to >= at) { // a name stands before its use, not in the header
                return 0;
            }
            after = after ? after : at + 2;
            at = to;
            continue;
        }
        if (length >= 0x40 || at + 1 + length > message->size ||
            size + 1 + length > NAME_MAX_SIZE) {
            return 0;
        }
        memcpy(name + size, message->at + at, 1U + length);
        size += 1U + length;
        at += 1U + length;
        if (length == 0) {
            *place = after ? after : at;
            return size;
        }
    }
}

// Octets of rdata before the names in it, how many names, octets behind them. -1: no names.
static int names_before(uint16_t type, unsigned *names)
{
    *names = 1;
    switch (type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
    case TYPE_DNAME:
        return 0;
    case TYPE_MX:
    case TYPE_AFSDB:
    case TYPE_RT:
    case TYPE_KX:
        return 2;
    case TYPE_SRV:
        return 6;
    case TYPE_SOA:
    case TYPE_RP:
        *names = 2;
        return 0;
    default:
        *names = 0;
        return -1;
    }
}

// The rdata at `place` with its names uncompressed; 0 when it is malformed or longer than wanted.
static size_t rdata_read(const struct message *message, uint16_t type, size_t place, size_t size,
                         uint8_t *rdata, size_t capacity)
{
    unsigned names;
    int before = names_before(type, &names);
    size_t end = place + size, used = 0;
    if (before > 0) {
        if (size < (size_t)before) {
            return 0;
        }
        memcpy(rdata, message->at + place, (size_t)before);
        used = (size_t)before;
        place += used;
    }
    for (; names > 0; names--) {
        uint8_t name[NAME_MAX_SIZE];
        size_t name_octets = name_read(message, &place, name);
        if (name_octets == 0 || place > end || used + name_octets > capacity) {
            return 0;
        }
        memcpy(rdata + used, name, name_octets);
        used += name_octets;
    }
    if (place > end || used + (end - place) > capacity) {
        return 0;
    }
    memcpy(rdata + used, message->at + place, end - place);
    return used + (end - place);
}

// Types with names are compared without regard to case; the other octets of such rdata are small
// numbers, which a wrong fold could only confuse with a letter in a priority.
static bool rdata_equal(uint16_t type, const uint8_t *a, const uint8_t *b, size_t size)
{
    unsigned names;
    int before = names_before(type, &names);
    if (before < 0) {
        return memcmp(a, b, size) == 0;
    }
    if (memcmp(a, b, (size_t)before) != 0) {
        return false;
    }
    for (size_t i = (size_t)before; i < size; i++) {
        if (octet_fold(a[i]) != octet_fold(b[i])) {
            return false;
        }
    }
    return true;
}

enum found { FOUND_NOT, FOUND, FOUND_FAULT };

static enum found answers_search(const struct recipe *recipe, const struct message *message,
                                 size_t place)
{
    uint8_t name[NAME_MAX_SIZE], rdata[RECIPE_ANSWER_MAX];
    unsigned count = get_u16(message->at + 6);
    for (; count > 0; count--) {
        if (name_read(message, &place, name) == 0 || place + 10 > message->size) {
            return FOUND_FAULT;
        }
        uint16_t type = get_u16(message->at + place);
        size_t size = get_u16(message->at + place + 8);
        place += 10;
        if (place + size > message->size) {
            return FOUND_FAULT;
        }
        if (type == recipe->query_type && recipe->answer_size > 0) {
            size_t used = rdata_read(message, type, place, size, rdata, sizeof(rdata));
            if (used == recipe->answer_size && rdata_equal(type, rdata, recipe->answer, used)) {
                return FOUND;
            }
        }
        place += size;
    }
    return FOUND_NOT;
}

// Whether the message answers our question at all: a datagram that does not is not from our target.
static bool is_ours(const struct dialog *dialog, const struct message *message, size_t *place)
{
    const struct dns *dns = dialog->state;
    const struct recipe *recipe = dialog->recipe;
    uint8_t name[NAME_MAX_SIZE];
    if (message->size < HEADER_SIZE || get_u16(message->at) != dns->id ||
        !(message->at[2] & 0x80)) {
        return false;
    }
    *place = HEADER_SIZE;
    if (get_u16(message->at + 4) == 0) {
        return true; // some servers leave the question out of an error
    }
    return get_u16(message->at + 4) == 1 && name_read(message, place, name) > 0 &&
           *place + 4 <= message->size && name_equal(name, recipe->query) &&
           get_u16(message->at + *place) == recipe->query_type;
}

static void judge(struct dialog *dialog, const struct message *message, size_t place)
{
    const struct recipe *recipe = dialog->recipe;
    char text[16];
    unsigned rcode = message->at[3] & 0x0f;
    bool truncated = message->at[2] & 0x02;
    const char *rcode_text = check_rcode_name(rcode, text);
    if (!(recipe->rcodes >> rcode & 1)) {
        dialog_end(dialog, PROBE_L7_STATUS, "%s", rcode_text);
        return;
    }
    if (recipe->answer_size == 0) {
        dialog_end(dialog, PROBE_OK, "%s", rcode_text);
        return;
    }
    place += get_u16(message->at + 4) ? 4 : 0; // type and class of the question
    switch (answers_search(recipe, message, place)) {
    case FOUND:
        dialog_end(dialog, PROBE_OK, "%s with the expected answer", rcode_text);
        break;
    case FOUND_NOT:
        dialog_end(dialog, PROBE_L7_CONTENT, "%s without the expected answer%s", rcode_text,
                   truncated ? ", truncated: ask over TCP" : "");
        break;
    case FOUND_FAULT:
        if (truncated) {
            dialog_end(dialog, PROBE_L7_CONTENT, "truncated: ask over TCP");
        } else {
            dialog_end(dialog, PROBE_L7_INVALID, "the answer section cannot be read");
        }
        break;
    }
}

static void message_take(struct dialog *dialog, const uint8_t *octets, size_t count)
{
    struct message message = {octets, count};
    size_t place = 0;
    if (is_ours(dialog, &message, &place)) {
        judge(dialog, &message, place);
    } else if (!dialog->datagrams) { // a stray datagram says nothing, the right one may follow
        dialog_end(dialog, PROBE_L7_INVALID, "not an answer to the question");
    }
}

static void dns_feed(struct dialog *dialog, const uint8_t *octets, size_t count)
{
    if (dialog->datagrams) {
        message_take(dialog, octets, count);
        return;
    }
    octets_put(&dialog->in, octets, count);
    if (dialog->in.count < 2) {
        return;
    }
    size_t size = get_u16(dialog->in.at);
    if (dialog->in.count >= 2 + size) {
        message_take(dialog, dialog->in.at + 2, size);
    }
}

static void dns_closed(struct dialog *dialog)
{
    dialog_end(dialog, PROBE_L7_CLOSED, "closed before the answer was complete");
}

const struct dialog_kind dialog_dns = {
    .missing = "answer",
    .begin = dns_begin,
    .feed = dns_feed,
    .closed = dns_closed,
};
