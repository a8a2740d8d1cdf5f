// SPDX-License-Identifier: GPL-3.0-or-later
//
// Encoding and decoding of the messages of probe_wire.h.
//
// Used by prober_remote.c in the server and prober_child.c in the probing process, each on its only
// loop. Definitions travel option by option, as the table check_options has them, so a new option
// needs nothing here; both sides are one binary, so no versions are needed either.
#include "probe/probe_wire.h"

#include "base/memory.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT_NONE = 0xffff };

// --- writing

static void put(struct wire_out *out, const void *bytes, size_t size)
{
    if (out->size + size > out->capacity) {
        out->capacity = MAX(2 * out->capacity, out->size + size + 4096);
        out->bytes = mem_resize(out->bytes, out->capacity, 1);
    }
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

static void put_u8(struct wire_out *out, uint8_t value)
{
    put(out, &value, sizeof(value));
}

static void put_u16(struct wire_out *out, uint16_t value)
{
    put(out, &value, sizeof(value));
}

static void put_u32(struct wire_out *out, uint32_t value)
{
    put(out, &value, sizeof(value));
}

static void put_u64(struct wire_out *out, uint64_t value)
{
    put(out, &value, sizeof(value));
}

static void put_text(struct wire_out *out, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);
    SP_ASSERT(size < TEXT_NONE);
    put_u16(out, text == NULL ? TEXT_NONE : (uint16_t)size);
    if (text != NULL) {
        put(out, text, size + 1);
    }
}

static void put_address(struct wire_out *out, const struct address *address)
{
    put_u8(out, (uint8_t)address->family);
    put(out, address->bytes, sizeof(address->bytes));
}

// A message begins with its size, which end() fills in.
static size_t begin(struct wire_out *out, enum wire_type type)
{
    size_t at = out->size;
    put_u32(out, 0);
    put_u8(out, (uint8_t)type);
    return at;
}

static void end(struct wire_out *out, size_t at)
{
    uint32_t size = (uint32_t)(out->size - at - WIRE_HEAD_SIZE);
    SP_ASSERT(size <= WIRE_MESSAGE_MAX);
    memcpy(out->bytes + at, &size, sizeof(size));
}

static void put_spec(struct wire_out *out, const struct check_spec *spec)
{
    put_u8(out, (uint8_t)spec->kind);
    put_address(out, &spec->target);
    for (size_t i = 0; i < check_option_count; i++) {
        const void *field = (const char *)spec + check_options[i].offset;
        switch (check_options[i].type) {
        case CHECK_OPTION_TEXT:
            put_text(out, *(const char *const *)field);
            break;
        case CHECK_OPTION_NUMBER:
            put_u32(out, *(const uint32_t *)field);
            break;
        case CHECK_OPTION_BOOL:
            put_u8(out, *(const bool *)field);
            break;
        case CHECK_OPTION_DURATION:
            put_u64(out, (uint64_t) * (const int64_t *)field);
            break;
        }
    }
}

void wire_append(struct wire_out *out, const struct wire_out *more)
{
    put(out, more->bytes, more->size);
}

void wire_put_hello(struct wire_out *out, const struct prober_options *options)
{
    size_t at = begin(out, WIRE_HELLO);
    put_u16(out, (uint16_t)options->allow_count);
    for (size_t i = 0; i < options->allow_count; i++) {
        put_address(out, &options->allow[i].address);
        put_u8(out, (uint8_t)options->allow[i].length);
    }
    put_u16(out, (uint16_t)options->own_count);
    for (size_t i = 0; i < options->own_count; i++) {
        put_address(out, &options->own[i].address);
        put_u16(out, options->own[i].port);
    }
    put_u16(out, (uint16_t)options->command_count);
    for (size_t i = 0; i < options->command_count; i++) {
        const struct probe_command *command = &options->commands[i];
        uint16_t argc = 0;
        while (command->argv[argc] != NULL) {
            argc++;
        }
        put_text(out, command->name);
        put_u32(out, (uint32_t)command->uid);
        put_u32(out, (uint32_t)command->gid);
        put_u16(out, argc);
        for (uint16_t k = 0; k < argc; k++) {
            put_text(out, command->argv[k]);
        }
    }
    end(out, at);
}

void wire_put_start(struct wire_out *out, const struct wire_start *start)
{
    size_t at = begin(out, WIRE_START);
    put_u32(out, start->id);
    put_u32(out, start->turn);
    put_u8(out, start->spec != NULL);
    if (start->spec != NULL) {
        put_address(out, &start->target);
        put_spec(out, start->spec);
    }
    end(out, at);
}

void wire_put_id(struct wire_out *out, enum wire_type type, uint32_t id)
{
    size_t at = begin(out, type);
    put_u32(out, id);
    end(out, at);
}

void wire_put_result(struct wire_out *out, const struct wire_result *message)
{
    const struct probe_result *result = &message->result;
    size_t at = begin(out, WIRE_RESULT);
    uint64_t load;
    memcpy(&load, &result->load, sizeof(load));
    put_u32(out, message->id);
    put_u32(out, message->turn);
    put_u8(out, (uint8_t)result->reason);
    put_u8(out, (uint8_t)(result->warning | result->has_certificate << 1 | result->has_load << 2 |
                          result->resumed << 3));
    put_u32(out, (uint32_t)result->certificate_days);
    put_u64(out, load);
    put_u64(out, (uint64_t)result->connect_ns);
    put_u64(out, (uint64_t)result->tls_ns);
    put_u64(out, (uint64_t)result->first_byte_ns);
    put_u64(out, (uint64_t)result->total_ns);
    put_text(out, result->detail);
    end(out, at);
}

bool wire_flush(struct wire_out *out, int fd)
{
    while (out->sent < out->size) {
        ssize_t wrote =
            send(fd, out->bytes + out->sent, out->size - out->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (wrote < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        out->sent += (size_t)wrote;
    }
    out->size = out->sent = 0;
    return true;
}

// --- octets in

bool wire_fill(struct wire_in *in, int fd)
{
    enum { CAPACITY = 4 * WIRE_MESSAGE_MAX };
    if (in->bytes == NULL) {
        in->bytes = mem_alloc(CAPACITY);
    }
    if (in->begin > 0) {
        in->size -= in->begin;
        memmove(in->bytes, in->bytes + in->begin, in->size);
        in->begin = 0;
    }
    if (in->size == CAPACITY) {
        return true; // taken first
    }
    ssize_t got = recv(fd, in->bytes + in->size, CAPACITY - in->size, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    in->size += (size_t)got;
    return true;
}

ssize_t wire_message(const struct wire_in *in, const uint8_t **message)
{
    uint32_t size;
    if (in->size - in->begin < WIRE_HEAD_SIZE) {
        return 0;
    }
    memcpy(&size, in->bytes + in->begin, sizeof(size));
    if (size == 0 || size > WIRE_MESSAGE_MAX) {
        return -1;
    }
    *message = in->bytes + in->begin + WIRE_HEAD_SIZE;
    return in->size - in->begin >= WIRE_HEAD_SIZE + size ? (ssize_t)size : 0;
}

void wire_drop(struct wire_in *in, size_t size)
{
    SP_ASSERT(WIRE_HEAD_SIZE + size <= in->size - in->begin);
    in->begin += WIRE_HEAD_SIZE + size;
}

// --- reading: after a fault everything is zero, and the end is not reached

struct cursor {
    const uint8_t *at, *end;
    bool failed;
};

static struct cursor open_message(const uint8_t *message, size_t size)
{
    return (struct cursor){message + 1, message + size, size < 1};
}

static const void *take(struct cursor *cursor, size_t size)
{
    if (cursor->failed || (size_t)(cursor->end - cursor->at) < size) {
        cursor->failed = true;
        return NULL;
    }
    const void *bytes = cursor->at;
    cursor->at += size;
    return bytes;
}

static uint64_t take_number(struct cursor *cursor, size_t size)
{
    uint64_t value = 0;
    const void *bytes = take(cursor, size);
    if (bytes != NULL) {
        memcpy(&value, bytes, size); // the least octets: both sides are this machine
    }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value >>= 8 * (sizeof(value) - size);
#endif
    return value;
}

static const char *take_text(struct cursor *cursor)
{
    size_t size = (size_t)take_number(cursor, 2);
    if (cursor->failed || size == TEXT_NONE) {
        return NULL;
    }
    const char *text = take(cursor, size + 1);
    if (text != NULL && strnlen(text, size + 1) != size) {
        cursor->failed = true;
    }
    return cursor->failed ? NULL : text;
}

static struct address take_address(struct cursor *cursor)
{
    struct address address = {.family = FAMILY_NONE};
    uint64_t family = take_number(cursor, 1);
    const void *bytes = take(cursor, sizeof(address.bytes));
    if (family > FAMILY_IPV6) {
        cursor->failed = true;
    } else if (bytes != NULL) {
        address.family = (uint8_t)family;
        memcpy(address.bytes, bytes, sizeof(address.bytes));
    }
    return address;
}

static bool is_done(const struct cursor *cursor)
{
    return !cursor->failed && cursor->at == cursor->end;
}

static void take_spec(struct cursor *cursor, struct check_spec *spec)
{
    uint64_t kind = take_number(cursor, 1);
    *spec = (struct check_spec){.target = take_address(cursor)};
    for (size_t i = 0; i < check_option_count; i++) {
        void *field = (char *)spec + check_options[i].offset;
        switch (check_options[i].type) {
        case CHECK_OPTION_TEXT:
            *(const char **)field = take_text(cursor);
            break;
        case CHECK_OPTION_NUMBER:
            *(uint32_t *)field = (uint32_t)take_number(cursor, 4);
            break;
        case CHECK_OPTION_BOOL:
            *(bool *)field = take_number(cursor, 1) != 0;
            break;
        case CHECK_OPTION_DURATION:
            *(int64_t *)field = (int64_t)take_number(cursor, 8);
            break;
        }
    }
    cursor->failed |= kind >= CHECK_KIND_COUNT || !check_kinds[kind].probed ||
                      spec->interval_ns <= 0 || spec->timeout_ns <= 0 || spec->port > UINT16_MAX;
    spec->kind = cursor->failed ? CHECK_NONE : (enum check_kind)kind;
}

static void take_command(struct cursor *cursor, struct probe_command *command, const char **argv,
                         size_t *argc)
{
    command->name = take_text(cursor);
    command->uid = (uid_t)take_number(cursor, 4);
    command->gid = (gid_t)take_number(cursor, 4);
    size_t count = (size_t)take_number(cursor, 2);
    command->argv = argv + *argc;
    cursor->failed |= command->name == NULL || count == 0 ||
                      *argc + count + 1 > ARRAY_SIZE(((struct wire_scratch *)NULL)->argv);
    for (size_t i = 0; i < count && !cursor->failed; i++) {
        argv[*argc] = take_text(cursor);
        cursor->failed |= argv[*argc] == NULL;
        (*argc)++;
    }
    if (!cursor->failed) {
        argv[(*argc)++] = NULL;
    }
}

static size_t take_count(struct cursor *cursor, size_t max)
{
    size_t count = (size_t)take_number(cursor, 2);
    cursor->failed |= count > max;
    return cursor->failed ? 0 : count;
}

bool wire_get_hello(const uint8_t *message, size_t size, struct wire_scratch *scratch,
                    struct prober_options *options)
{
    struct cursor cursor = open_message(message, size);
    size_t argc = 0;
    *options = (struct prober_options){
        .allow = scratch->allow, .own = scratch->own, .commands = scratch->commands};
    options->allow_count = take_count(&cursor, ARRAY_SIZE(scratch->allow));
    for (size_t i = 0; i < options->allow_count; i++) {
        struct prefix *prefix = &scratch->allow[i];
        prefix->address = take_address(&cursor);
        prefix->length = (uint8_t)take_number(&cursor, 1);
        cursor.failed |= prefix->length > (prefix->address.family == FAMILY_IPV4 ? 32 : 128);
    }
    options->own_count = take_count(&cursor, ARRAY_SIZE(scratch->own));
    for (size_t i = 0; i < options->own_count; i++) {
        scratch->own[i].address = take_address(&cursor);
        scratch->own[i].port = (uint16_t)take_number(&cursor, 2);
    }
    options->command_count = take_count(&cursor, ARRAY_SIZE(scratch->commands));
    for (size_t i = 0; i < options->command_count && !cursor.failed; i++) {
        take_command(&cursor, &scratch->commands[i], scratch->argv, &argc);
    }
    return is_done(&cursor);
}

bool wire_get_start(const uint8_t *message, size_t size, struct wire_scratch *scratch,
                    struct wire_start *start)
{
    struct cursor cursor = open_message(message, size);
    *start = (struct wire_start){.id = (uint32_t)take_number(&cursor, 4)};
    start->turn = (uint32_t)take_number(&cursor, 4);
    if (take_number(&cursor, 1) != 0) {
        start->target = take_address(&cursor);
        take_spec(&cursor, &scratch->spec);
        start->spec = &scratch->spec;
        cursor.failed |= start->target.family == FAMILY_NONE;
    }
    return is_done(&cursor);
}

bool wire_get_id(const uint8_t *message, size_t size, uint32_t *id)
{
    struct cursor cursor = open_message(message, size);
    *id = (uint32_t)take_number(&cursor, 4);
    return is_done(&cursor);
}

// A line in our own words, which others print and put into JSON as it is.
static const char *take_detail(struct cursor *cursor)
{
    const char *text = take_text(cursor);
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        cursor->failed |= *at < ' ' || *at >= 0x7f;
    }
    cursor->failed |= text == NULL;
    return text;
}

static int64_t take_time(struct cursor *cursor)
{
    int64_t ns = (int64_t)take_number(cursor, 8);
    cursor->failed |= ns < 0;
    return ns;
}

bool wire_get_result(const uint8_t *message, size_t size, struct wire_result *into)
{
    struct cursor cursor = open_message(message, size);
    struct probe_result *result = &into->result;
    *into = (struct wire_result){.id = (uint32_t)take_number(&cursor, 4)};
    into->turn = (uint32_t)take_number(&cursor, 4);
    uint64_t reason = take_number(&cursor, 1), flags = take_number(&cursor, 1);
    result->warning = flags & 1;
    result->has_certificate = flags >> 1 & 1;
    result->has_load = flags >> 2 & 1;
    result->resumed = flags >> 3 & 1;
    result->certificate_days = (int32_t)take_number(&cursor, 4);
    uint64_t load = take_number(&cursor, 8);
    memcpy(&result->load, &load, sizeof(load));
    result->connect_ns = take_time(&cursor);
    result->tls_ns = take_time(&cursor);
    result->first_byte_ns = take_time(&cursor);
    result->total_ns = take_time(&cursor);
    const char *detail = take_detail(&cursor);
    cursor.failed |= reason >= PROBE_REASON_COUNT || !isfinite(result->load) || result->load < 0;
    if (!is_done(&cursor)) {
        return false;
    }
    result->reason = (enum probe_reason)reason;
    memcpy(result->detail, detail, MIN(strlen(detail), sizeof(result->detail) - 1));
    return true;
}
