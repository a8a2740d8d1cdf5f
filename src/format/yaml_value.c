// SPDX-License-Identifier: GPL-3.0-or-later
//
// Values of every record type, as octoDNS writes them, to rdata.
//
// A mapping is turned into presentation form by the table of its type's fields, each checked by its
// kind, and then parsed like any other text; so there is one path to rdata and no value can say
// more than its fields. Types without a row take presentation text. Called by the YAML zone reader.
#include "zone/rdata.h"
#include "format/yaml_zone.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { FIELDS_MAX = 12 };

// How a field is written and checked.
enum field_kind {
    FIELD_END,
    FIELD_U8,
    FIELD_U16,
    FIELD_U32,
    FIELD_NAME,    // with its final dot
    FIELD_WORD,    // letters and digits
    FIELD_DATA,    // hexadecimal or Base64; blanks are dropped
    FIELD_QUOTED,  // any text, may be empty
    FIELD_DECIMAL, // degrees and seconds
    FIELD_METRES,
    FIELD_TIME,   // a number, or 1h and the like
    FIELD_PARAMS, // SVCB parameters: a mapping
};

static const struct value_form {
    uint16_t type;
    struct value_field {
        const char *key, *other_key; // octoDNS's name and its older one
        enum field_kind kind;
        const char *fallback; // NULL: must be given
    } fields[FIELDS_MAX + 1];
} value_forms[] = {
    {TYPE_MX,
     {{"preference", "priority", FIELD_U16, NULL}, {"exchange", "value", FIELD_NAME, NULL}}},
    {TYPE_SRV,
     {{"priority", NULL, FIELD_U16, NULL},
      {"weight", NULL, FIELD_U16, NULL},
      {"port", NULL, FIELD_U16, NULL},
      {"target", NULL, FIELD_NAME, NULL}}},
    {TYPE_CAA,
     {{"flags", NULL, FIELD_U8, "0"},
      {"tag", NULL, FIELD_WORD, NULL},
      {"value", NULL, FIELD_QUOTED, NULL}}},
    {TYPE_SSHFP,
     {{"algorithm", NULL, FIELD_U8, NULL},
      {"fingerprint_type", NULL, FIELD_U8, NULL},
      {"fingerprint", NULL, FIELD_DATA, NULL}}},
    {TYPE_TLSA,
     {{"certificate_usage", NULL, FIELD_U8, NULL},
      {"selector", NULL, FIELD_U8, NULL},
      {"matching_type", NULL, FIELD_U8, NULL},
      {"certificate_association_data", NULL, FIELD_DATA, NULL}}},
    {TYPE_NAPTR,
     {{"order", NULL, FIELD_U16, NULL},
      {"preference", NULL, FIELD_U16, NULL},
      {"flags", NULL, FIELD_QUOTED, ""},
      {"service", NULL, FIELD_QUOTED, ""},
      {"regexp", NULL, FIELD_QUOTED, ""},
      {"replacement", NULL, FIELD_NAME, NULL}}},
    {TYPE_LOC,
     {{"lat_degrees", NULL, FIELD_DECIMAL, NULL},
      {"lat_minutes", NULL, FIELD_DECIMAL, "0"},
      {"lat_seconds", NULL, FIELD_DECIMAL, "0"},
      {"lat_direction", NULL, FIELD_WORD, NULL},
      {"long_degrees", NULL, FIELD_DECIMAL, NULL},
      {"long_minutes", NULL, FIELD_DECIMAL, "0"},
      {"long_seconds", NULL, FIELD_DECIMAL, "0"},
      {"long_direction", NULL, FIELD_WORD, NULL},
      {"altitude", NULL, FIELD_METRES, NULL},
      {"size", NULL, FIELD_METRES, "1"},
      {"precision_horz", NULL, FIELD_METRES, "10000"},
      {"precision_vert", NULL, FIELD_METRES, "10"}}},
    {TYPE_DS,
     {{"key_tag", NULL, FIELD_U16, NULL},
      {"algorithm", NULL, FIELD_U8, NULL},
      {"digest_type", NULL, FIELD_U8, NULL},
      {"digest", NULL, FIELD_DATA, NULL}}},
    {TYPE_URI,
     {{"priority", NULL, FIELD_U16, NULL},
      {"weight", NULL, FIELD_U16, NULL},
      {"target", NULL, FIELD_QUOTED, NULL}}},
    {TYPE_SVCB,
     {{"svcpriority", NULL, FIELD_U16, NULL},
      {"targetname", NULL, FIELD_NAME, NULL},
      {"svcparams", NULL, FIELD_PARAMS, ""}}},
    {TYPE_HTTPS,
     {{"svcpriority", NULL, FIELD_U16, NULL},
      {"targetname", NULL, FIELD_NAME, NULL},
      {"svcparams", NULL, FIELD_PARAMS, ""}}},
    {TYPE_SOA,
     {{"mname", "nameserver", FIELD_NAME, NULL},
      {"rname", "hostmaster", FIELD_NAME, NULL},
      {"serial", NULL, FIELD_U32, NULL},
      {"refresh", NULL, FIELD_TIME, NULL},
      {"retry", NULL, FIELD_TIME, NULL},
      {"expire", NULL, FIELD_TIME, NULL},
      {"minimum", NULL, FIELD_TIME, NULL}}},
};

static const struct value_field *form_find(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(value_forms); i++) {
        if (value_forms[i].type == type) {
            return value_forms[i].fields;
        }
    }
    return NULL;
}

size_t yaml_value_keys(uint16_t type, const char **keys, size_t capacity)
{
    const struct value_field *fields = form_find(type);
    size_t count = 0;
    for (; fields != NULL && fields[count].kind != FIELD_END; count++) {
        if (fields[count].kind == FIELD_PARAMS || fields[count].kind == FIELD_METRES) {
            return 0;
        }
        if (count < capacity) {
            keys[count] = fields[count].key;
        }
    }
    return count;
}

// Presentation text being composed; lives for one value.
struct buffer {
    char *text;
    size_t used, capacity;
};

static void buffer_put(struct buffer *out, char c)
{
    if (out->used + 1 >= out->capacity) {
        out->capacity = out->capacity ? out->capacity * 2 : 256;
        out->text = mem_resize(out->text, out->capacity, 1);
    }
    out->text[out->used++] = c;
    out->text[out->used] = '\0';
}

static void buffer_append(struct buffer *out, const char *text)
{
    while (*text) {
        buffer_put(out, *text++);
    }
}

static void buffer_quote(struct buffer *out, const char *text)
{
    buffer_put(out, '"');
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        if (c < ' ' || c >= 0x7f) {
            char escape[5];
            snprintf(escape, sizeof(escape), "\\%03u", c);
            buffer_append(out, escape);
            continue;
        }
        if (c == '"' || c == '\\') {
            buffer_put(out, '\\');
        }
        buffer_put(out, (char)c);
    }
    buffer_put(out, '"');
}

static bool name_check_text(const struct yaml *at, const char *text)
{
    uint8_t wire[NAME_MAX_SIZE];
    const char *reason;
    size_t length = strlen(text);
    if (name_text_parse(text, NULL, wire, &reason) == 0) {
        yaml_error(at, "expected a domain name, found \"%.80s\": %s", text, reason);
        return false;
    }
    bool escaped = false; // whether the last character is taken by a backslash
    for (size_t i = 0; i + 1 < length; i++) {
        escaped = !escaped && text[i] == '\\';
    }
    if (text[length - 1] != '.' || escaped) {
        yaml_error(at,
                   "expected a whole name with its final dot, found \"%.80s\"; write \"%.80s.\"",
                   text, text);
        return false;
    }
    return true;
}

static bool put_name_field(struct buffer *out, const struct yaml *at)
{
    const char *text = yaml_text(at);
    if (text == NULL || !name_check_text(at, text)) {
        return false;
    }
    buffer_append(out, text);
    return true;
}

static bool put_number_field(struct buffer *out, const struct yaml *at, uint32_t most)
{
    uint32_t number;
    if (!yaml_number(at, 0, most, &number)) {
        return false;
    }
    char digits[12];
    snprintf(digits, sizeof(digits), "%u", number);
    buffer_append(out, digits);
    return true;
}

static bool put_word_field(struct buffer *out, const struct yaml *at, bool data)
{
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    for (; *text; text++) {
        if (data && (*text == ' ' || *text == '\n' || *text == '\t')) {
            continue;
        }
        if (!((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
              (*text >= 'A' && *text <= 'Z') || (data && strchr("+/=", *text)))) {
            yaml_error(at, "the character '%c' does not belong here", *text);
            return false;
        }
        buffer_put(out, *text);
    }
    return true;
}

static bool put_decimal_field(struct buffer *out, const struct yaml *at, bool metres)
{
    const char *text = yaml_text(at), *rest;
    int64_t billionths;
    if (text == NULL) {
        return false;
    }
    if (!decimal_parse(text + (metres && *text == '-'), &billionths, &rest) ||
        (*rest != '\0' && !(metres && strcmp(rest, "m") == 0))) {
        yaml_error(at, "expected a number, found \"%.40s\"", text);
        return false;
    }
    for (const char *c = text; c < rest; c++) {
        buffer_put(out, *c);
    }
    buffer_append(out, metres ? "m" : "");
    return true;
}

// The value of one SVCB parameter: the text, or the items of a list with commas between them.
static bool put_param_value(struct buffer *out, const struct yaml *at)
{
    struct buffer value = {0};
    bool good = true;
    buffer_append(&value, "");
    if (at->node->kind == YAML_LIST) {
        struct yaml item = {0};
        while (yaml_next(at, &item)) {
            const char *text = yaml_text(&item);
            good = good && text != NULL;
            if (value.used > 0) {
                buffer_put(&value, ',');
            }
            buffer_append(&value, text ? text : "");
        }
    } else {
        const char *text = yaml_text(at);
        good = text != NULL;
        buffer_append(&value, text ? text : "");
    }
    buffer_quote(out, value.text ? value.text : "");
    free(value.text);
    return good;
}

static bool put_params_field(struct buffer *out, const struct yaml *at)
{
    if (at->node->kind == YAML_NULL) {
        return true;
    }
    if (!yaml_is_map(at)) {
        return false;
    }
    bool good = true;
    struct yaml param = {0};
    while (yaml_next(at, &param)) {
        const char *key = param.node->key;
        if (strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(key) || *key == '\0') {
            yaml_error(&param, "a parameter is named in small letters, digits and '-'");
            good = false;
            continue;
        }
        buffer_put(out, ' ');
        buffer_append(out, key);
        if (param.node->kind != YAML_NULL) {
            buffer_put(out, '=');
            good &= put_param_value(out, &param);
        }
    }
    return good;
}

static bool put_field(struct buffer *out, enum field_kind kind, const struct yaml *at)
{
    switch (kind) {
    case FIELD_U8:
        return put_number_field(out, at, UINT8_MAX);
    case FIELD_U16:
        return put_number_field(out, at, UINT16_MAX);
    case FIELD_U32:
        return put_number_field(out, at, UINT32_MAX);
    case FIELD_NAME:
        return put_name_field(out, at);
    case FIELD_WORD:
    case FIELD_TIME:
        return put_word_field(out, at, false);
    case FIELD_DATA:
        return put_word_field(out, at, true);
    case FIELD_QUOTED:
        if (at->node->kind != YAML_SCALAR && at->node->kind != YAML_NULL) {
            return yaml_text(at) != NULL;
        }
        buffer_quote(out, at->node->kind == YAML_SCALAR ? at->node->text : "");
        return true;
    case FIELD_DECIMAL:
        return put_decimal_field(out, at, false);
    case FIELD_METRES:
        return put_decimal_field(out, at, true);
    case FIELD_PARAMS:
        return put_params_field(out, at);
    case FIELD_END:
        break;
    }
    return false;
}

static void put_fallback(struct buffer *out, const struct value_field *field)
{
    if (field->kind == FIELD_QUOTED) {
        buffer_quote(out, field->fallback);
        return;
    }
    buffer_append(out, field->fallback);
    buffer_append(out, field->kind == FIELD_METRES ? "m" : "");
}

static void known_fields(const struct yaml *at, const struct value_field *fields)
{
    const char *keys[2 * FIELDS_MAX] = {0};
    size_t count = 0;
    for (; fields->kind != FIELD_END; fields++) {
        keys[count++] = fields->key;
        if (fields->other_key) {
            keys[count++] = fields->other_key;
        }
    }
    yaml_known_keys(at, keys, count);
}

// The mapping as one line of presentation form. False when a field has a fault.
static bool form_compose(const struct yaml *at, const struct value_field *fields,
                         struct buffer *out)
{
    bool good = true;
    for (const struct value_field *field = fields; field->kind != FIELD_END; field++) {
        struct yaml child;
        if (out->used > 0) {
            buffer_put(out, ' ');
        }
        if (yaml_get(at, field->key, &child) ||
            (field->other_key && yaml_get(at, field->other_key, &child))) {
            good &= put_field(out, field->kind, &child);
        } else if (field->fallback) {
            put_fallback(out, field);
        } else {
            yaml_error(at, "missing \"%s\"", field->key);
            good = false;
        }
    }
    known_fields(at, fields);
    return good;
}

static size_t text_scan(const struct yaml_record *record, const struct yaml *at, const char *text,
                        uint8_t *rdata)
{
    const char *reason;
    size_t size = rdata_scan(record->yz->scanner, record->type, text, zone_apex(record->yz->zone),
                             rdata, RDATA_MAX_SIZE, &reason);
    if (size == 0) {
        yaml_error(at, "expected %s record data, found \"%.80s\": %s", record->type_name,
                   at->node->kind == YAML_SCALAR ? text : "{...}", reason);
    }
    return size;
}

static bool type_is_one_name(uint16_t type)
{
    return type == TYPE_NS || type == TYPE_CNAME || type == TYPE_PTR || type == TYPE_DNAME ||
           type == TYPE_ALIAS;
}

size_t yaml_value_read(const struct yaml_record *record, const struct yaml *at,
                       uint8_t rdata[RDATA_MAX_SIZE])
{
    if (record->type == TYPE_TXT || record->type == TYPE_SPF) {
        return yaml_strings_read(at, rdata);
    }
    const struct value_field *fields = form_find(record->type);
    struct buffer buffer = {0};
    size_t size = 0;
    if (fields && at->node->kind == YAML_MAP) {
        if (form_compose(at, fields, &buffer)) {
            size = text_scan(record, at, buffer.text, rdata);
        }
        free(buffer.text);
        return size;
    }
    const char *text = yaml_text(at);
    if (text == NULL || (type_is_one_name(record->type) && strncmp(text, "\\#", 2) != 0 &&
                         !name_check_text(at, text))) {
        return 0;
    }
    if (record->type == TYPE_OPENPGPKEY && strncmp(text, "\\#", 2) != 0) {
        if (put_word_field(&buffer, at, true)) {
            size = text_scan(record, at, buffer.text ? buffer.text : "", rdata);
        }
        free(buffer.text);
        return size;
    }
    return text_scan(record, at, text, rdata);
}

static void member_make(const struct yaml_record *record, const struct yaml *at,
                        const uint8_t *rdata, size_t size, struct member *member)
{
    struct arena *arena = record->yz->arena;
    *member = (struct member){
        .rdata = arena_bytes(arena, rdata, size),
        .rdata_size = (uint16_t)size,
        .weight = 1,
        .status = STATUS_OBEY,
        .place = {record->yz->path, at->node->line, at->node->column},
        .check = -1,
    };
    if (at->node->kind == YAML_SCALAR) {
        member->text = arena_strdup(arena, at->node->text);
    } else {
        char text[512];
        member->text =
            arena_strdup(arena, rdata_format(record->type, rdata, size, text, sizeof(text)));
    }
}

bool yaml_member_read(const struct yaml_record *record, const struct yaml *at,
                      struct member *member)
{
    uint8_t *rdata = mem_scratch(RDATA_MAX_SIZE);
    const size_t size = yaml_value_read(record, at, rdata);
    if (size > 0) {
        member_make(record, at, rdata, size, member);
    }
    free(rdata);
    return size > 0;
}

struct yaml_values yaml_values_find(const struct yaml_record *record)
{
    struct yaml_values values = {0};
    struct yaml one, many;
    bool has_one = yaml_get(record->at, "value", &one);
    bool has_many = yaml_get(record->at, "values", &many);
    if (has_one && has_many) {
        yaml_warning(&one, "\"value\" beside \"values\" is left out of account");
    }
    if (!has_one && !has_many) {
        return values;
    }
    values.holder = has_many ? many : one;
    values.given = true;
    values.count = values.holder.node->kind == YAML_LIST ? values.holder.node->child_count : 1;
    if (values.count == 0) {
        yaml_error(&values.holder, "expected at least one value");
    } else if (values.count > RRSET_MEMBERS_MAX) {
        yaml_error(&values.holder, "more than %d values", RRSET_MEMBERS_MAX);
        values.count = 0;
    }
    return values;
}

bool yaml_values_next(const struct yaml_values *values, struct yaml *value)
{
    if (values->count == 0) {
        return false;
    }
    if (values->holder.node->kind == YAML_LIST) {
        return yaml_next(&values->holder, value);
    }
    if (value->node) {
        return false;
    }
    *value = values->holder;
    return true;
}

bool yaml_values_members(const struct yaml_record *record, const struct yaml_values *values,
                         struct member **members, size_t *count)
{
    *members = arena_alloc(record->yz->arena, values->count * sizeof(**members));
    *count = 0;
    bool good = values->count > 0;
    struct yaml value = {0};
    while (yaml_values_next(values, &value)) {
        if (yaml_member_read(record, &value, &(*members)[*count])) {
            (*count)++;
        } else {
            good = false;
        }
    }
    return good;
}
