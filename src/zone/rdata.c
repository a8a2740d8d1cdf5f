// SPDX-License-Identifier: GPL-3.0-or-later
//
// Record data between presentation and wire form.
//
// One table states the layout of each type; checking and formatting walk it. Parsing is
// libzscanner's work, fed with one composed line. The text comes from documents: a line break is
// refused before, and the scanner must find exactly one record and no comment, so a value can
// neither begin a second record nor lose its tail. Called by the readers (pool threads) and by
// explain (any thread).
#include "zone/rdata.h"

#include "base/address.h"
#include "base/memory.h"
#include "dns/svcb.h"
#include "zone/svcb_text.h"

#include <libzscanner/scanner.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 18 }; // 65,535 octets, each written as \DDD

// A layout is a string of fields: 1 2 4 an unsigned integer of so many octets; a A an IPv4 or IPv6
// address; n a name; s a character-string; c the same without quotes; t one or more s to the end;
// q the rest as one quoted text; x b the rest in hexadecimal or Base64; p parameters of a service;
// * the rest, of any form.
// A leading ! keeps to the RFC 3597 form on output.
static const struct layout {
    uint16_t type;
    const char *fields;
} layout_table[] = {
    {TYPE_A, "a"},
    {TYPE_NS, "n"},
    {3, "n"}, // MD
    {4, "n"}, // MF
    {TYPE_CNAME, "n"},
    {TYPE_SOA, "nn44444"},
    {7, "n"}, // MB
    {8, "n"}, // MG
    {9, "n"}, // MR
    {TYPE_PTR, "n"},
    {TYPE_HINFO, "ss"},
    {14, "nn"}, // MINFO
    {TYPE_MX, "2n"},
    {TYPE_TXT, "t"},
    {TYPE_RP, "nn"},
    {TYPE_AFSDB, "2n"},
    {19, "!s"}, // X25: the scanner knows no text form
    {20, "!t"}, // ISDN
    {TYPE_RT, "2n"},
    {TYPE_SIG, "!2114442n*"},
    {25, "211b"}, // KEY
    {26, "!2nn"}, // PX: nor
    {TYPE_AAAA, "A"},
    {TYPE_LOC, "!4444"},
    {30, "!n*"}, // NXT
    {TYPE_SRV, "222n"},
    {TYPE_NAPTR, "22sssn"},
    {TYPE_KX, "2n"},
    {37, "!221*"}, // CERT
    {TYPE_DNAME, "n"},
    {TYPE_DS, "211x"},
    {TYPE_SSHFP, "11x"},
    {TYPE_RRSIG, "!2114442n*"},
    {TYPE_NSEC, "!n*"},
    {TYPE_DNSKEY, "211b"},
    {49, "b"},       // DHCID
    {50, "!112ss*"}, // NSEC3
    {51, "!112s"},   // NSEC3PARAM
    {TYPE_TLSA, "111x"},
    {53, "111x"}, // SMIMEA
    {59, "211x"}, // CDS
    {60, "211b"}, // CDNSKEY
    {TYPE_OPENPGPKEY, "b"},
    {62, "!42*"},  // CSYNC
    {63, "!411*"}, // ZONEMD
    {TYPE_SVCB, "2np"},
    {TYPE_HTTPS, "2np"},
    {TYPE_SPF, "t"},
    {104, "!244"}, // NID
    {105, "!24"},  // L32
    {106, "!244"}, // L64
    {107, "2n"},   // LP
    {108, "!24"},  // EUI48
    {109, "!44"},  // EUI64
    {TYPE_URI, "22q"},
    {TYPE_CAA, "1cq"},
    {TYPE_ALIAS, "n"},
};

static const char *layout_find(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(layout_table); i++) {
        if (layout_table[i].type == type) {
            return layout_table[i].fields;
        }
    }
    return "!*";
}

bool rr_type_is_data(uint16_t type)
{
    return type != 0 && type != TYPE_OPT && (type < 249 || type > 255);
}

// Octets of the field at `at`, or -1 when it is not whole.
static long field_size(char field, const uint8_t *at, size_t left)
{
    size_t size = 0;
    switch (field) {
    case '1':
    case '2':
    case '4':
        size = (size_t)(field - '0');
        break;
    case 'a':
        size = 4;
        break;
    case 'A':
        size = 16;
        break;
    case 'n':
        size = name_check(at, left);
        return size ? (long)size : -1;
    case 's':
    case 'c':
        size = left ? at[0] + 1U : 1;
        return size > left || (field == 'c' && size == 1) ? -1 : (long)size;
    case 't':
        do {
            size += size < left ? at[size] + 1U : 1;
        } while (size < left);
        break;
    case 'p':
        return svcb_check(at, left) ? (long)left : -1;
    default: // to the end, whatever it is
        return (long)left;
    }
    return size <= left ? (long)size : -1;
}

bool rdata_check(uint16_t type, const uint8_t *rdata, size_t rdata_size)
{
    if (rdata_size > RDATA_MAX_SIZE) {
        return false;
    }
    const char *fields = layout_find(type);
    size_t at = 0;
    for (fields += *fields == '!'; *fields; fields++) {
        long size = field_size(*fields, rdata + at, rdata_size - at);
        if (size < 0) {
            return false;
        }
        at += (size_t)size;
    }
    return at == rdata_size;
}

bool rdata_equal(uint16_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    if (a_size != b_size) {
        return false;
    }
    if (memcmp(a, b, a_size) == 0) {
        return true;
    }
    const struct rr_type_info *info = rr_type_find(type);
    if (info == NULL || info->name_count == 0 || memcmp(a, b, info->name_offset) != 0) {
        return false;
    }
    size_t at = info->name_offset;
    for (unsigned i = 0; i < info->name_count; i++) {
        if (!name_equal(a + at, b + at)) {
            return false;
        }
        at += name_size(a + at);
    }
    return memcmp(a + at, b + at, a_size - at) == 0;
}

// Output that stops at its capacity; the text always ends in a NUL.
struct writer {
    char *text;
    size_t used, capacity;
};

static void put(struct writer *out, char c)
{
    if (out->used + 1 < out->capacity) {
        out->text[out->used++] = c;
        out->text[out->used] = '\0';
    }
}

static void put_text(struct writer *out, const char *text)
{
    while (*text) {
        put(out, *text++);
    }
}

static void put_hex(struct writer *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        put(out, "0123456789abcdef"[bytes[i] >> 4]);
        put(out, "0123456789abcdef"[bytes[i] & 15]);
    }
}

static void put_base64(struct writer *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < size ? bytes[i + 2] : 0;
        put(out, digits[group >> 18]);
        put(out, digits[group >> 12 & 63]);
        put(out, i + 1 < size ? digits[group >> 6 & 63] : '=');
        put(out, i + 2 < size ? digits[group & 63] : '=');
    }
}

static bool name_character(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           c == '_' || c == '*' || c == '/';
}

static void put_decimal(struct writer *out, uint8_t c)
{
    char escape[5];
    snprintf(escape, sizeof(escape), "\\%03u", c);
    put_text(out, escape);
}

static void put_name(struct writer *out, const uint8_t *name)
{
    if (*name == 0) {
        put(out, '.');
    }
    for (; *name != 0; name += *name + 1) {
        for (unsigned i = 1; i <= *name; i++) {
            if (name_character(name[i])) {
                put(out, (char)name[i]);
            } else {
                put_decimal(out, name[i]);
            }
        }
        put(out, '.');
    }
}

static void put_quoted(struct writer *out, const uint8_t *bytes, size_t size)
{
    put(out, '"');
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < ' ' || bytes[i] >= 0x7f) {
            put_decimal(out, bytes[i]);
            continue;
        }
        if (bytes[i] == '"' || bytes[i] == '\\') {
            put(out, '\\');
        }
        put(out, (char)bytes[i]);
    }
    put(out, '"');
}

static void put_number(struct writer *out, const uint8_t *bytes, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | bytes[i];
    }
    char digits[12];
    snprintf(digits, sizeof(digits), "%u", value);
    put_text(out, digits);
}

static void put_address(struct writer *out, enum family family, const uint8_t *bytes)
{
    struct address address = {.family = (uint8_t)family};
    memcpy(address.bytes, bytes, family_bits(family) / 8);
    char text[ADDRESS_TEXT_MAX];
    put_text(out, address_format(&address, text));
}

static void put_strings(struct writer *out, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += bytes[at] + 1U) {
        if (at > 0) {
            put(out, ' ');
        }
        put_quoted(out, bytes + at + 1, bytes[at]);
    }
}

static void put_params(struct writer *out, const uint8_t *params, size_t size)
{
    const uint8_t *at = params;
    struct svcb_param param;
    while (svcb_next(&at, params + size, &param)) {
        char text[SVCB_PARAM_TEXT_MAX];
        put_text(out, svcb_param_format(&param, text));
    }
}

static void put_field(struct writer *out, char field, const uint8_t *bytes, size_t size)
{
    switch (field) {
    case 'a':
        put_address(out, FAMILY_IPV4, bytes);
        break;
    case 'A':
        put_address(out, FAMILY_IPV6, bytes);
        break;
    case 'n':
        put_name(out, bytes);
        break;
    case 'c':
        for (size_t i = 1; i < size; i++) {
            put(out, (char)bytes[i]);
        }
        break;
    case 's':
    case 't':
        put_strings(out, bytes, size);
        break;
    case 'q':
        put_quoted(out, bytes, size);
        break;
    case 'x':
        put_hex(out, bytes, size);
        break;
    case 'b':
        put_base64(out, bytes, size);
        break;
    case 'p':
        put_params(out, bytes, size);
        break;
    default:
        put_number(out, bytes, size);
    }
}

// Whether the layout's text form can say these bytes: an empty rest has no text, a CAA tag is
// letters and digits, and parameters of a service must be plain.
static bool layout_fits(const char *fields, uint16_t type, const uint8_t *rdata, size_t rdata_size)
{
    if (*fields == '!' || !rdata_check(type, rdata, rdata_size)) {
        return false;
    }
    size_t at = 0;
    for (; *fields; fields++) {
        long size = field_size(*fields, rdata + at, rdata_size - at);
        if (size == 0 && strchr("xbq", *fields)) {
            return false;
        }
        if (*fields == 'p' && !svcb_has_text(rdata + at, (size_t)size)) {
            return false;
        }
        for (long i = 1; *fields == 'c' && i < size; i++) {
            uint8_t c = rdata[at + (size_t)i];
            if (!name_character(c) || strchr("-_*/", c)) {
                return false;
            }
        }
        at += (size_t)size;
    }
    return true;
}

const char *rdata_format(uint16_t type, const uint8_t *rdata, size_t rdata_size, char *text,
                         size_t capacity)
{
    SP_ASSERT(capacity > 0);
    struct writer out = {.text = text, .capacity = capacity};
    *text = '\0';
    const char *fields = layout_find(type);
    if (!layout_fits(fields, type, rdata, rdata_size)) {
        put_text(&out, "\\# ");
        char digits[24];
        snprintf(digits, sizeof(digits), rdata_size ? "%zu " : "%zu", rdata_size);
        put_text(&out, digits);
        put_hex(&out, rdata, rdata_size);
        return text;
    }
    for (size_t at = 0; *fields; fields++) {
        size_t size = (size_t)field_size(*fields, rdata + at, rdata_size - at);
        if (at > 0 && *fields != 'p') { // each parameter brings its own
            put(&out, ' ');
        }
        put_field(&out, *fields, rdata + at, size);
        at += size;
    }
    return text;
}

size_t name_text_parse(const char *text, const uint8_t *origin, uint8_t wire[NAME_MAX_SIZE],
                       const char **reason)
{
    for (const char *at = text; *at; at++) {
        if ((uint8_t)*at >= 0x80) {
            *reason = "a character outside ASCII; write the name in its xn-- form";
            return 0;
        }
        if (*at == '\\' && at[1]) {
            at++; // name_parse judges the escape
        } else if (!name_character((uint8_t)*at) && *at != '.' && strcmp(text, "@") != 0) {
            *reason = "a character that is not usual in names; write it as \\DDD if it is meant";
            return 0;
        }
    }
    return name_parse(text, origin, wire, reason);
}

struct rdata_scanner {
    zs_scanner_t *zs; // NULL: not made yet, or spoilt by an error
    char *line;
    size_t line_capacity;
};

struct rdata_scanner *rdata_scanner_new(void)
{
    return mem_alloc(sizeof(struct rdata_scanner));
}

static void scanner_reset(struct rdata_scanner *scanner)
{
    if (scanner->zs) {
        zs_deinit(scanner->zs);
        free(scanner->zs);
        scanner->zs = NULL;
    }
}

void rdata_scanner_free(struct rdata_scanner *scanner)
{
    if (scanner) {
        scanner_reset(scanner);
        free(scanner->line);
        free(scanner);
    }
}

static bool scanner_begin(struct rdata_scanner *scanner, const uint8_t *origin)
{
    if (scanner->zs == NULL) {
        scanner->zs = mem_alloc(sizeof(*scanner->zs));
        if (zs_init(scanner->zs, ".", CLASS_IN, 0) != 0) {
            scanner_reset(scanner);
            return false;
        }
    }
    size_t size = name_size(origin);
    memcpy(scanner->zs->zone_origin, origin, size);
    scanner->zs->zone_origin_length = (uint32_t)size;
    return true;
}

// Scans "@ TYPEn text". The owner and the type stand before the text, so it can change neither.
static const char *scan_text(struct rdata_scanner *scanner, uint16_t type, const char *text)
{
    size_t need = strlen(text) + 32;
    if (need > scanner->line_capacity) {
        scanner->line = mem_resize(scanner->line, need, 1);
        scanner->line_capacity = need;
    }
    int length = snprintf(scanner->line, need, "@ TYPE%u %s\n", type, text);
    zs_scanner_t *zs = scanner->zs;
    zs->error.code = ZS_OK;
    if (zs_set_input_string(zs, scanner->line, (size_t)length) != 0 || zs_parse_record(zs) != 0 ||
        zs->state != ZS_STATE_DATA) {
        return zs->error.code != ZS_OK ? zs_strerror(zs->error.code) : "no record data";
    }
    if (zs->buffer_length > 0) {
        return "an unquoted ';' would begin a comment; write \\; or quote the text";
    }
    // One record was found; what follows must be nothing (parentheses closed, quotes closed).
    uint32_t size = zs->r_data_length;
    if (zs_parse_record(zs) != 0 || zs->state != ZS_STATE_EOF || zs->r_data_length != size) {
        return zs->error.code != ZS_OK ? zs_strerror(zs->error.code) : "more than one record";
    }
    return NULL;
}

static size_t scan_any(struct rdata_scanner *scanner, uint16_t type, const char *text,
                       const uint8_t *origin, uint8_t *rdata, size_t capacity, const char **reason)
{
    if (strpbrk(text, "\n\r")) {
        *reason = "a line break";
        return 0;
    }
    if (strlen(text) > TEXT_MAX) {
        *reason = "longer than any record";
        return 0;
    }
    if (!scanner_begin(scanner, origin)) {
        *reason = "the scanner cannot start";
        return 0;
    }
    const char *fault = scan_text(scanner, type, text);
    size_t size = scanner->zs->r_data_length;
    if (fault == NULL && size == 0) {
        fault = "empty record data"; // 0 is how faults are told
    } else if (fault == NULL && size > capacity) {
        fault = "too long";
    } else if (fault == NULL && !rdata_check(type, scanner->zs->r_data, size)) {
        fault = "not the form of this record type";
    }
    if (fault) {
        *reason = fault;
        scanner_reset(scanner);
        return 0;
    }
    memcpy(rdata, scanner->zs->r_data, size);
    return size;
}

static size_t address_scan(uint16_t type, const char *text, uint8_t *rdata, const char **reason)
{
    struct address address;
    uint8_t family = type == TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;
    if (!address_parse(text, &address) || address.family != family) {
        *reason = type == TYPE_A ? "not an IPv4 address" : "not an IPv6 address";
        return 0;
    }
    size_t size = family_bits(address.family) / 8;
    memcpy(rdata, address.bytes, size);
    return size;
}

size_t rdata_scan(struct rdata_scanner *scanner, uint16_t type, const char *text,
                  const uint8_t *origin, uint8_t *rdata, size_t capacity, const char **reason)
{
    if (!rr_type_is_data(type)) {
        *reason = "no zone holds records of this type";
        return 0;
    }
    bool generic = strncmp(text, "\\#", 2) == 0;
    if (!generic && (type == TYPE_A || type == TYPE_AAAA) && capacity >= 16) {
        return address_scan(type, text, rdata, reason);
    }
    if (!generic && strcmp(layout_find(type), "n") == 0 && capacity >= NAME_MAX_SIZE) {
        return name_text_parse(text, origin, rdata, reason);
    }
    struct svcb_text service = {0};
    if (!generic && type_is_service(type) && svcb_text_read(text, &service)) {
        size_t size = scan_any(scanner, type, service.text, origin, rdata, capacity, reason);
        free(service.text);
        return size > 0 ? svcb_text_mark(&service, rdata, size) : 0;
    }
    return scan_any(scanner, type, text, origin, rdata, capacity, reason);
}

size_t rdata_parse(uint16_t type, const char *text, const uint8_t *origin, uint8_t *rdata,
                   size_t capacity, const char **reason)
{
    struct rdata_scanner *scanner = rdata_scanner_new();
    size_t size = rdata_scan(scanner, type, text, origin, rdata, capacity, reason);
    rdata_scanner_free(scanner);
    return size;
}
