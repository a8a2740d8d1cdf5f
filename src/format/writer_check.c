// SPDX-License-Identifier: GPL-3.0-or-later
//
// Check definitions and values, for the YAML writer.
//
// A definition is written by the table of options: what differs from what the reader begins with.
// In octoDNS's dialect the part that octoDNS knows stands under `octodns.healthcheck` and the rest
// under `signpost.check`, which changes it. Values are mappings with octoDNS's keys where it has
// them (yaml_value.c), else presentation text.
#include "zone/rdata.h"
#include "format/zone_writer.h"

#include "base/memory.h"
#include "format/yaml_out.h"
#include "format/yaml_zone.h"

#include <string.h>

static const void *field_of(const struct check_spec *spec, const struct check_option *option)
{
    return (const char *)spec + option->offset;
}

static bool is_healthcheck_kind(enum check_kind kind)
{
    return kind >= CHECK_TCP && kind <= CHECK_UDP;
}

// What a reader has before it looks at the keys of `signpost.check`.
static struct check_spec base_of(const struct check_spec *spec, bool after_healthcheck)
{
    struct check_spec base;
    check_spec_begin(&base, spec->kind);
    if (spec->kind == CHECK_HTTP || spec->kind == CHECK_HTTPS) {
        base.path = "/";
    }
    if (after_healthcheck) {
        base.host = spec->host;
        base.path = spec->path;
        base.port = spec->port;
    }
    return base;
}

static bool is_host(const struct check_option *option)
{
    return strcmp(option->name, "host") == 0;
}

static bool option_differs(const struct check_option *option, const struct check_spec *spec,
                           const struct check_spec *base, bool after_healthcheck)
{
    if (!(option->kinds >> spec->kind & 1)) {
        return false;
    }
    if (is_host(option)) {
        return !after_healthcheck; // its default depends on the owner: always said
    }
    const void *value = field_of(spec, option), *usual = field_of(base, option);
    switch (option->type) {
    case CHECK_OPTION_NUMBER:
        return *(const uint32_t *)value != *(const uint32_t *)usual;
    case CHECK_OPTION_BOOL:
        return *(const bool *)value != *(const bool *)usual;
    case CHECK_OPTION_DURATION:
        return *(const int64_t *)value != *(const int64_t *)usual;
    case CHECK_OPTION_TEXT:
        break;
    }
    const char *text = *(const char *const *)value, *other = *(const char *const *)usual;
    return text != NULL && (other == NULL || strcmp(text, other) != 0);
}

// "Name: value\n" lines as a mapping.
static void headers_write(FILE *out, const char *headers)
{
    const char *between = "";
    fputc('{', out);
    while (*headers) {
        char name[4096], value[4096];
        size_t size = strcspn(headers, ":"), end = strcspn(headers, "\n");
        SP_ASSERT(size < sizeof(name) && end > size + 1 && end < sizeof(value));
        memcpy(name, headers, size);
        name[size] = '\0';
        size_t value_size = end - size - 2;
        memcpy(value, headers + size + 2, value_size);
        value[value_size] = '\0';
        fputs(between, out);
        yaml_out_text(out, name);
        fputs(": ", out);
        yaml_out_text(out, value);
        between = ", ";
        headers += end + (headers[end] == '\n');
    }
    fputc('}', out);
}

static void option_write(FILE *out, const struct check_option *option,
                         const struct check_spec *spec)
{
    const void *value = field_of(spec, option);
    fprintf(out, "%s: ", option->name);
    switch (option->type) {
    case CHECK_OPTION_NUMBER:
        fprintf(out, "%u", *(const uint32_t *)value);
        return;
    case CHECK_OPTION_BOOL:
        fputs(*(const bool *)value ? "true" : "false", out);
        return;
    case CHECK_OPTION_DURATION:
        yaml_out_duration(out, *(const int64_t *)value);
        return;
    case CHECK_OPTION_TEXT:
        break;
    }
    const char *text = *(const char *const *)value;
    if (text == NULL) {
        fputs("null", out);
    } else if (strcmp(option->name, "headers") == 0) {
        headers_write(out, text);
    } else {
        yaml_out_text(out, text);
    }
}

// A key of a definition: an option, or one of those beside the table.
struct check_key {
    const char *name;
    const struct check_option *option; // NULL: kind, of, target
};

enum { CHECK_KEYS_MAX = 96 };

static int check_key_compare(const void *a, const void *b)
{
    return yaml_out_order(((const struct check_key *)a)->name, ((const struct check_key *)b)->name);
}

static size_t keys_of(const struct check_spec *spec, bool after_healthcheck,
                      struct check_key keys[CHECK_KEYS_MAX])
{
    struct check_spec base = base_of(spec, after_healthcheck);
    size_t count = 0;
    SP_ASSERT(check_option_count + 3 <= CHECK_KEYS_MAX);
    if (!after_healthcheck) {
        keys[count++].name = "kind";
    }
    if (spec->target.family != FAMILY_NONE) {
        keys[count++].name = "target";
    }
    if (spec->operand_count > 0) {
        keys[count++].name = "of";
    }
    for (size_t i = 0; i < check_option_count; i++) {
        if (option_differs(&check_options[i], spec, &base, after_healthcheck)) {
            keys[count++] = (struct check_key){check_options[i].name, &check_options[i]};
        }
    }
    qsort(keys, count, sizeof(*keys), check_key_compare);
    return count;
}

static void spec_write(const struct record_out *record, const struct check_spec *spec,
                       bool after_healthcheck);

static void other_key_write(const struct record_out *record, const struct check_spec *spec,
                            const char *name)
{
    FILE *out = record->writer->out;
    char text[ADDRESS_TEXT_MAX];
    if (strcmp(name, "kind") == 0) {
        fprintf(out, "kind: %s", check_kinds[spec->kind].name);
    } else if (strcmp(name, "target") == 0) {
        fprintf(out, "target: \"%s\"", address_format(&spec->target, text));
    } else {
        fputs("of: [", out);
        for (size_t i = 0; i < spec->operand_count; i++) {
            fputs(i > 0 ? ", " : "", out);
            spec_write(record, spec->operands[i], false);
        }
        fputc(']', out);
    }
}

// {...} of what differs, in the order of keys; `kind` unless a healthcheck said it.
static void spec_write(const struct record_out *record, const struct check_spec *spec,
                       bool after_healthcheck)
{
    FILE *out = record->writer->out;
    struct check_key keys[CHECK_KEYS_MAX] = {0};
    size_t count = keys_of(spec, after_healthcheck, keys);
    fputc('{', out);
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : "", out);
        if (keys[i].option) {
            option_write(out, keys[i].option, spec);
        } else {
            other_key_write(record, spec, keys[i].name);
        }
    }
    fputc('}', out);
}

bool record_healthcheck_needed(const struct record_out *record)
{
    return record->dialect == DIALECT_OCTODNS &&
           is_healthcheck_kind(record->rrset->policy->check.kind);
}

void record_healthcheck_write(const struct record_out *record, const char *indent)
{
    static const char *const protocols[] = {[CHECK_TCP] = "TCP",
                                            [CHECK_HTTP] = "HTTP",
                                            [CHECK_HTTPS] = "HTTPS",
                                            [CHECK_ICMP] = "ICMP",
                                            [CHECK_UDP] = "UDP"};
    const struct check_spec *spec = &record->rrset->policy->check;
    bool http = spec->kind == CHECK_HTTP || spec->kind == CHECK_HTTPS;
    FILE *out = record->writer->out;
    fprintf(out, "%shealthcheck:\n", indent);
    if (http) {
        fprintf(out, "%s  host: ", indent);
        spec->host ? yaml_out_text(out, spec->host) : (void)fputs("null", out);
        fprintf(out, "\n%s  path: ", indent);
        yaml_out_text(out, spec->path);
        fputc('\n', out);
    }
    if (check_kinds[spec->kind].has_port) {
        fprintf(out, "%s  port: %u\n", indent, spec->port);
    }
    fprintf(out, "%s  protocol: %s\n", indent, protocols[spec->kind]);
}

bool record_check_needed(const struct record_out *record)
{
    const struct check_spec *spec = &record->rrset->policy->check;
    struct check_key keys[CHECK_KEYS_MAX] = {0};
    return record_healthcheck_needed(record) ? keys_of(spec, true, keys) > 0
                                             : spec->kind != CHECK_NONE;
}

void record_check_write(const struct record_out *record)
{
    spec_write(record, &record->rrset->policy->check, record_healthcheck_needed(record));
}

// --- values

enum { TEXT_MAX = 4 * RDATA_MAX_SIZE + 16, WORDS_MAX = 16 };

// Cuts presentation text into words; quoted ones without their quotes, escapes as they are.
static size_t words_cut(char *text, char *words[WORDS_MAX])
{
    size_t count = 0;
    while (*text && count < WORDS_MAX) {
        bool quoted = *text == '"';
        text += quoted;
        words[count++] = text;
        while (*text && (quoted ? *text != '"' : *text != ' ')) {
            text += *text == '\\' && text[1] ? 2 : 1;
        }
        if (*text) {
            *text++ = '\0';
        }
        text += strspn(text, " ");
    }
    return count;
}

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text) &&
           (text[0] != '0' || text[1] == '\0') && strlen(text) < 10;
}

static bool mapping_write(const struct record_out *record, char *text)
{
    const char *keys[WORDS_MAX];
    char *words[WORDS_MAX];
    size_t count = yaml_value_keys(record->rrset->type, keys, WORDS_MAX);
    if (count == 0 || words_cut(text, words) != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strchr(words[i], '\\')) {
            return false; // an escape that a plain text has no need of, or cannot say
        }
    }
    FILE *out = record->writer->out;
    bool written[WORDS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        size_t least = WORDS_MAX;
        for (size_t k = 0; k < count; k++) {
            if (!written[k] && (least == WORDS_MAX || yaml_out_order(keys[k], keys[least]) < 0)) {
                least = k;
            }
        }
        written[least] = true;
        fprintf(out, "%s%s: ", i > 0 ? ", " : "{", keys[least]);
        is_number(words[least]) ? (void)fputs(words[least], out) : yaml_out_text(out, words[least]);
    }
    fputc('}', out);
    return true;
}

// octoDNS's form of a text: one piece without quotes, with ";" escaped.
static void plain_text_write(const struct record_out *record, const uint8_t *rdata,
                             size_t rdata_size)
{
    char *text = mem_scratch(TEXT_MAX);
    size_t used = 0;
    bool cut = false;
    for (size_t at = 0; at < rdata_size; at += 1U + rdata[at]) {
        cut |= rdata[at] < 255 && at + 1U + rdata[at] < rdata_size;
        for (size_t i = 1; i <= rdata[at]; i++) {
            uint8_t c = rdata[at + i];
            if (c == ';' || c == '\\' || c == '"') {
                text[used++] = '\\';
                text[used++] = (char)c;
            } else if (c < ' ' || c >= 0x7f) {
                used += (size_t)snprintf(text + used, 5, "\\%03u", c);
            } else {
                text[used++] = (char)c;
            }
        }
    }
    text[used] = '\0';
    if (cut) {
        record_loss(record, "octoDNS has no pieces of texts: they are joined");
    }
    yaml_out_text(record->writer->out, text);
    free(text);
}

static void any_value_write(const struct record_out *record, const char *text)
{
    char *copy = mem_strdup(text);
    const bool written = mapping_write(record, copy);
    free(copy);
    if (written) {
        return;
    }
    if (record->dialect == DIALECT_OCTODNS && yaml_value_keys(record->rrset->type, NULL, 0) > 0) {
        record_loss(record, "octoDNS wants a mapping for this value, and it is written as text");
    }
    yaml_out_text(record->writer->out, text);
}

void record_value_write(const struct record_out *record, const uint8_t *rdata, size_t rdata_size)
{
    bool is_text = record->rrset->type == TYPE_TXT || record->rrset->type == TYPE_SPF;
    if (is_text && record->dialect == DIALECT_OCTODNS && rdata_size > 1) {
        plain_text_write(record, rdata, rdata_size);
        return;
    }
    char *text = mem_scratch(TEXT_MAX);
    any_value_write(record, rdata_format(record->rrset->type, rdata, rdata_size, text, TEXT_MAX));
    free(text);
}
