// SPDX-License-Identifier: GPL-3.0-or-later
//
// From the rows of a dump to rows that are understood: names, types, lines, values, states.
//
// Each fault is reported with its row and leaves it out; what the provider has and DNS has not is a
// warning. Values are rdata from here on, so that import_write.c and the reader of what it writes
// agree. Called by the command import, on its thread.
#include "format/import.h"

#include "base/text_file.h"
#include "format/import_parts.h"
#include "zone/rdata.h"
#include "format/readers.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

enum { DUMP_SIZE_MAX_MIB = 256, TTL_MAX = INT32_MAX };

const char *const dump_provider_names[DUMP_PROVIDER_COUNT] = {"dnspod", "alidns", "huawei", "rows"};

enum dump_field dump_field_find(const char *name)
{
    static const struct {
        const char *name;
        enum dump_field field;
    } names[] = {
        {"name", DUMP_NAME},
        {"rr", DUMP_NAME},
        {"host", DUMP_NAME},
        {"hostname", DUMP_NAME},
        {"subdomain", DUMP_NAME},
        {"sub_domain", DUMP_NAME},
        {"主机记录", DUMP_NAME},
        {"type", DUMP_TYPE},
        {"record_type", DUMP_TYPE},
        {"recordtype", DUMP_TYPE},
        {"记录类型", DUMP_TYPE},
        {"value", DUMP_VALUE},
        {"record_value", DUMP_VALUE},
        {"data", DUMP_VALUE},
        {"records", DUMP_VALUE},
        {"记录值", DUMP_VALUE},
        {"line", DUMP_LINE},
        {"record_line", DUMP_LINE},
        {"recordline", DUMP_LINE},
        {"线路", DUMP_LINE},
        {"线路类型", DUMP_LINE},
        {"解析线路", DUMP_LINE},
        {"lineid", DUMP_LINE_ID},
        {"line_id", DUMP_LINE_ID},
        {"recordlineid", DUMP_LINE_ID},
        {"record_line_id", DUMP_LINE_ID},
        {"ttl", DUMP_TTL},
        {"ttl值", DUMP_TTL},
        {"weight", DUMP_WEIGHT},
        {"权重", DUMP_WEIGHT},
        {"status", DUMP_STATUS},
        {"enabled", DUMP_STATUS},
        {"状态", DUMP_STATUS},
        {"记录状态", DUMP_STATUS},
        {"解析状态", DUMP_STATUS},
        {"mx", DUMP_MX},
        {"priority", DUMP_MX},
        {"mx优先级", DUMP_MX},
        {"优先级", DUMP_MX},
        {"remark", DUMP_REMARK},
        {"备注", DUMP_REMARK},
        {"description", DUMP_REMARK},
    };
    // Explanations in parentheses, narrow or wide, are no part of the name: "TTL(秒)".
    static const char wide_parenthesis[] = "\xef\xbc\x88";
    name += strspn(name, " ");
    size_t size = strcspn(name, " (");
    const char *wide = strstr(name, wide_parenthesis);
    size = wide != NULL ? MIN(size, (size_t)(wide - name)) : size;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strlen(names[i].name) == size && strncasecmp(names[i].name, name, size) == 0) {
            return names[i].field;
        }
    }
    return DUMP_FIELD_COUNT;
}

struct dump_row *dump_row_add(struct dump *dump)
{
    MEM_GROW(dump->rows, dump->count, dump->capacity);
    struct dump_row *row = &dump->rows[dump->count++];
    *row = (struct dump_row){0};
    for (size_t i = 0; i < DUMP_FIELD_COUNT; i++) {
        row->fields[i] = "";
    }
    return row;
}

// --- one row

static bool fault(const struct import_rows *rows, const struct dump_row *row, const char *format,
                  ...) PRINTF_LIKE(3, 4);

static bool fault(const struct import_rows *rows, const struct dump_row *row, const char *format,
                  ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    diags_error(rows->diags, row->place, *row->key ? row->key : NULL, "%s", text);
    return false;
}

static void left_out(const struct import_rows *rows, const struct dump_row *row, const char *why)
{
    diags_warning(rows->diags, row->place, *row->key ? row->key : NULL, "%s %s: left out; %s",
                  row->fields[DUMP_NAME], row->fields[DUMP_TYPE], why);
}

static bool number_read(const char *text, uint32_t most, uint32_t *number)
{
    uint64_t value = 0;
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10) {
        return false;
    }
    for (; *text; text++) {
        value = value * 10 + (unsigned)(*text - '0');
    }
    *number = (uint32_t)value;
    return value <= most;
}

static bool owner_read(const struct import_rows *rows, const struct dump_row *from,
                       struct import_row *row)
{
    uint8_t owner[NAME_MAX_SIZE];
    const char *text = *from->fields[DUMP_NAME] ? from->fields[DUMP_NAME] : "@", *reason;
    size_t size = name_text_parse(text, rows->import->apex, owner, &reason);
    if (size == 0) {
        return fault(rows, from, "\"%.80s\" is no name: %s", text, reason);
    }
    if (!name_within(owner, rows->import->apex)) {
        return fault(rows, from, "\"%.80s\" is outside the zone", text);
    }
    row->owner = arena_bytes(rows->dump->arena, owner, size);
    return true;
}

// Names in values are absolute, whether the console writes the final dot or not.
static const char *with_dot(struct arena *arena, const char *text)
{
    size_t size = strlen(text);
    return size > 0 && text[size - 1] == '.' ? text : arena_printf(arena, "%s.", text);
}

// Unquoted text of any length, as consoles have it, to character-strings.
static size_t text_rdata(const char *text, uint8_t *rdata)
{
    size_t used = 0, left = strlen(text);
    if (left > RDATA_MAX_SIZE / 2) {
        return 0;
    }
    do {
        size_t size = MIN(left, (size_t)255);
        rdata[used++] = (uint8_t)size;
        memcpy(rdata + used, text, size);
        used += size;
        text += size;
        left -= size;
    } while (left > 0);
    return used;
}

// The value in presentation form.
static const char *value_text(const struct import_rows *rows, const struct dump_row *from,
                              uint16_t type)
{
    struct arena *arena = rows->dump->arena;
    const char *value = from->fields[DUMP_VALUE];
    switch (type) {
    case TYPE_CNAME:
    case TYPE_DNAME:
    case TYPE_NS:
    case TYPE_PTR:
    case TYPE_SRV:
        return with_dot(arena, value);
    case TYPE_MX:
        if (strchr(value, ' ')) { // with its preference
            return with_dot(arena, value);
        }
        return arena_printf(arena, "%s %s", *from->fields[DUMP_MX] ? from->fields[DUMP_MX] : "10",
                            with_dot(arena, value));
    default:
        return value;
    }
}

static bool value_read(const struct import_rows *rows, const struct dump_row *from,
                       struct import_row *row)
{
    uint8_t *rdata = mem_scratch(RDATA_MAX_SIZE);
    const char *value = from->fields[DUMP_VALUE], *reason = "the text is too long";
    bool text = (row->type == TYPE_TXT || row->type == TYPE_SPF) && *value != '"';
    size_t size = text ? text_rdata(value, rdata)
                       : rdata_parse(row->type, value_text(rows, from, row->type),
                                     rows->import->apex, rdata, RDATA_MAX_SIZE, &reason);
    row->rdata = size > 0 ? arena_bytes(rows->dump->arena, rdata, size) : NULL;
    row->rdata_size = (uint16_t)size;
    free(rdata);
    if (size == 0) {
        return fault(rows, from, "\"%.120s\" is no value of type %s: %s", value,
                     from->fields[DUMP_TYPE], reason);
    }
    return true;
}

static bool status_read(const struct import_rows *rows, const struct dump_row *from,
                        struct import_row *row)
{
    static const char *const on[] = {"",     "enable", "enabled", "1",  "active",  "normal",
                                     "启用", "正常",   "obey",    "up", "default", "true"};
    static const char *const off[] = {"disable", "disabled", "0",      "paused", "pause", "暂停",
                                      "已暂停",  "停用",     "freeze", "false",  "down"};
    const char *text = from->fields[DUMP_STATUS];
    bool fixed = strcmp(text, "up") == 0 || strcmp(text, "down") == 0;
    if (fixed && rows->import->provider == DUMP_ROWS) {
        row->state = text;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
        if (strcasecmp(on[i], text) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
        if (strcasecmp(off[i], text) == 0) {
            row->paused = true;
            return true;
        }
    }
    return fault(rows, from, "the status \"%.40s\" is not known", text);
}

// The id of a line outlives its name, so it is asked first.
static bool line_read(const struct import_rows *rows, const struct dump_row *from,
                      struct import_row *row)
{
    const struct lines *lines = rows->import->lines;
    const char *provider = dump_provider_names[rows->import->provider];
    const char *id = from->fields[DUMP_LINE_ID], *name = from->fields[DUMP_LINE];
    row->line = "default";
    if (!*id && !*name) {
        return true;
    }
    bool own = rows->import->provider == DUMP_ROWS;
    int line = *id ? lines_find_at(lines, provider, id) : -1;
    if (line < 0 && *name) {
        line = own ? lines_find(lines, name) : lines_find_at(lines, provider, name);
    }
    if (line >= 0 && lines_get(lines, (size_t)line)->kind != LINE_OPAQUE) {
        row->line = lines_get(lines, (size_t)line)->id;
        return true;
    }
    row->opaque = true;
    row->line = own ? name : arena_printf(rows->dump->arena, "%s:%s", provider, *id ? id : name);
    if (own && !lines_is_foreign(lines, name, &line)) {
        return fault(rows, from, "there is no line \"%.60s\"", name);
    }
    return true;
}

static bool numbers_read(const struct import_rows *rows, const struct dump_row *from,
                         struct import_row *row)
{
    const char *ttl = from->fields[DUMP_TTL], *weight = from->fields[DUMP_WEIGHT];
    row->has_ttl = *ttl != '\0';
    row->has_weight = *weight != '\0';
    if (row->has_ttl && !number_read(ttl, TTL_MAX, &row->ttl)) {
        return fault(rows, from, "the TTL \"%.40s\" is no number of seconds", ttl);
    }
    row->weight = 1;
    if (row->has_weight && !number_read(weight, WEIGHT_MAX, &row->weight)) {
        return fault(rows, from, "the weight \"%.40s\" is no number from 0 to %d", weight,
                     WEIGHT_MAX);
    }
    return true;
}

// Whether a zone of ours holds records of this type.
static bool type_read(const struct import_rows *rows, const struct dump_row *from,
                      struct import_row *row)
{
    if (!rr_type_parse(from->fields[DUMP_TYPE], &row->type) || !rr_type_is_data(row->type)) {
        left_out(rows, from, "the type is none of DNS");
        return false;
    }
    if (row->type == TYPE_SOA) {
        left_out(rows, from, "the zone gets a SOA record of its own");
        return false;
    }
    return true;
}

static void row_read(struct import_rows *rows, const struct dump_row *from)
{
    struct import_row row = {.from = from, .set = from->set, .remark = from->fields[DUMP_REMARK]};
    if (!owner_read(rows, from, &row) || !type_read(rows, from, &row)) {
        return;
    }
    if (row.type == TYPE_NS && name_equal(row.owner, rows->import->apex)) {
        left_out(rows, from, "the zone gets its name servers from the configuration");
        return;
    }
    bool good = value_read(rows, from, &row);
    good &= status_read(rows, from, &row);
    good &= line_read(rows, from, &row);
    good &= numbers_read(rows, from, &row);
    if (good) {
        MEM_GROW(rows->items, rows->count, rows->capacity);
        rows->items[rows->count++] = row;
    }
}

// --- the whole dump

static bool is_json(const char *text, size_t size)
{
    size_t at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    at += strspn(text + at, " \t\r\n");
    return text[at] == '{' || text[at] == '[';
}

bool import_dump(const struct import *import, FILE *out, struct diags *diags)
{
    size_t size, errors = diags->error_count;
    char *text = text_file_read(import->path, DUMP_SIZE_MAX_MIB, false, diags, &size);
    if (text == NULL) {
        return false;
    }
    struct dump dump = {.arena = arena_new()};
    if (is_json(text, size)) {
        dump_json_read(&dump, import->path, text, size, diags);
    } else {
        dump_csv_read(&dump, import->path, text, size, diags);
    }
    struct import_rows rows = {.import = import, .dump = &dump, .diags = diags};
    for (size_t i = 0; i < dump.count; i++) {
        row_read(&rows, &dump.rows[i]);
    }
    if (diags->error_count == errors) {
        import_rows_write(&rows, out);
    }
    free(rows.items);
    free(dump.rows);
    arena_free(dump.arena);
    free(text);
    return diags->error_count == errors;
}
