// SPDX-License-Identifier: GPL-3.0-or-later
//
// RFC 1035 master files, over libzscanner.
//
// The scanner turns text into records; this file owns what is around it: reading the files (into
// memory: a mapped file that is cut short while it is read would kill the process), $INCLUDE with
// its limits, TTLs that are left out, relative $ORIGIN and $INCLUDE origins, which the scanner does
// not know, and going on behind faults that the scanner calls fatal. Runs on a pool thread. Two
// million records take a few seconds.
#include "base/file.h"
#include "dns/svcb.h"
#include "zone/rdata.h"
#include "format/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <libzscanner/scanner.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INCLUDE_DEPTH_MAX = 16, INCLUDE_COUNT_MAX = 1000 };

static const uint64_t file_size_max = 4ULL << 30;

// The scanner's default TTL until $TTL is seen: no TTL of a record can be that.
static const uint32_t ttl_left_out = UINT32_MAX;

struct file_reader {
    const struct zone_reader *reader;
    struct zone *zone;
    unsigned include_count;
    bool ttl_stated; // some record before had a TTL written
    uint32_t last_ttl;
    bool ttl_warned;
};

// One open file, and those that include it.
struct source {
    struct file_reader *reader;
    struct source *parent;
    const char *path; // in the zone's arena: places point to it
    unsigned depth;
    dev_t device;
    ino_t inode;
    char *text;
    size_t size;
    zs_scanner_t *scanner;
    // The origin after the last record; a bad $ORIGIN leaves the scanner's own half overwritten.
    uint8_t origin[NAME_MAX_SIZE];
};

static struct place source_place(const struct source *source)
{
    return (struct place){source->path, (unsigned)source->scanner->line_counter, 0};
}

static struct diags *source_diags(const struct source *source)
{
    return source->reader->reader->diags;
}

// "\r\n" to "\n" in place; the scanner refuses the first.
static size_t newlines_normalise(char *text, size_t size)
{
    char *from = memchr(text, '\r', size), *end = text + size;
    if (from == NULL) {
        return size;
    }
    char *to = from;
    for (; from < end; from++) {
        if (!(*from == '\r' && from + 1 < end && from[1] == '\n')) {
            *to++ = *from;
        }
    }
    return (size_t)(to - text);
}

static const char *descriptor_read(struct source *source, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return strerror(errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return "not a regular file";
    }
    if ((uint64_t)status.st_size > file_size_max) {
        return "the file is larger than 4 GiB";
    }
    source->device = status.st_dev;
    source->inode = status.st_ino;
    size_t size = (size_t)status.st_size;
    source->text = mem_resize(NULL, size + 1, 1);
    bool good = file_read_all(fd, source->text, size);
    int error = errno;
    if (!file_is_unchanged(fd, &status)) { // half of a zone may be a zone
        return FILE_CHANGED_TEXT;
    }
    if (!good) {
        return strerror(error);
    }
    if (memchr(source->text, '\0', size) != NULL) { // a line of them would keep the scanner long
        return "a NUL; expected text";
    }
    source->size = newlines_normalise(source->text, size);
    return NULL;
}

// NULL, or why the file cannot be read.
static const char *source_load(struct source *source)
{
    int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return strerror(errno);
    }
    const char *fault = descriptor_read(source, fd);
    close(fd);
    if (fault) {
        return fault;
    }
    for (const struct source *above = source->parent; above; above = above->parent) {
        if (above->device == source->device && above->inode == source->inode) {
            return "the file includes itself, directly or through others";
        }
    }
    return NULL;
}

// A scanner at the beginning of `text`, with origin and default TTL as they stand.
static bool scanner_start(struct source *source, const uint8_t *origin, uint32_t ttl,
                          const char *text, uint64_t line)
{
    zs_scanner_t *scanner = source->scanner;
    if (zs_init(scanner, ".", CLASS_IN, ttl) != 0) {
        return false;
    }
    size_t size = name_size(origin);
    memmove(source->origin, origin, size);
    memcpy(scanner->zone_origin, origin, size);
    scanner->zone_origin_length = (uint32_t)size;
    scanner->line_counter = line;
    return zs_set_input_string(scanner, text, (size_t)(source->text + source->size - text)) == 0;
}

// The TTL of a record that has none written: RFC 1035, 5.1: the last one stated; before any, with
// no $TTL either, the SOA minimum (what such files meant before RFC 2308), then the default.
static uint32_t ttl_implied(struct source *source, uint16_t type)
{
    struct file_reader *reader = source->reader;
    const zs_scanner_t *scanner = source->scanner;
    if (!reader->ttl_warned) {
        reader->ttl_warned = true;
        diags_warning(source_diags(source), source_place(source), "$TTL",
                      "no $TTL before this record; %s",
                      reader->ttl_stated ? "the TTL stated last is used"
                                         : "the SOA minimum or the default is used");
    }
    if (reader->ttl_stated) {
        return reader->last_ttl;
    }
    const uint8_t *soa_rdata = NULL;
    size_t soa_size = 0;
    const struct owner *apex = zone_find(reader->zone, zone_apex(reader->zone));
    const struct rrset *soa = apex ? owner_rrset(apex, TYPE_SOA) : NULL;
    if (type == TYPE_SOA) {
        soa_rdata = scanner->r_data;
        soa_size = scanner->r_data_length;
    } else if (soa && soa->record_count > 0) {
        soa_rdata = soa->records[0].rdata;
        soa_size = soa->records[0].rdata_size;
    }
    if (soa_rdata && rdata_check(TYPE_SOA, soa_rdata, soa_size)) {
        const uint8_t *at = soa_rdata + soa_size - 4;
        return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    return reader->reader->defaults.ttl ? reader->reader->defaults.ttl : 3600;
}

// A record at the owner, with the TTL and class that the scanner has read.
static void record_add(struct source *source, uint16_t type, const uint8_t *rdata, size_t size)
{
    const zs_scanner_t *scanner = source->scanner;
    struct file_reader *reader = source->reader;
    uint32_t ttl = scanner->r_ttl;
    if (ttl == ttl_left_out) {
        ttl = ttl_implied(source, type);
    } else if (scanner->default_ttl == ttl_left_out) { // else it may be $TTL's
        reader->ttl_stated = true;
        reader->last_ttl = ttl;
    }
    if (scanner->r_class != CLASS_IN) {
        diags_error(source_diags(source), source_place(source), NULL, "class %u; only IN is served",
                    scanner->r_class);
        return;
    }
    const struct zone_record record = {scanner->r_owner,    type, ttl, rdata, size,
                                       source_place(source)};
    zone_add(reader->zone, &record, source_diags(source));
}

// Not zeroed: it is large, and zs_init does that.
static zs_scanner_t *scanner_alloc(void)
{
    return mem_scratch(sizeof(zs_scanner_t));
}

static void source_scan(struct source *source, const uint8_t *origin, uint32_t ttl);

static void source_release(struct source *source)
{
    if (source->scanner) {
        zs_deinit(source->scanner);
    }
    free(source->scanner);
    free(source->text);
}

// Relative to the folder of the file that includes. The scanner has put "./" before such names.
static const char *include_path(const struct source *source, const char *name)
{
    struct arena *arena = zone_arena(source->reader->zone);
    const char *slash = strrchr(source->path, '/');
    while (strncmp(name, "./", 2) == 0) {
        name += 2;
    }
    if (name[0] == '/' || slash == NULL) {
        return arena_strdup(arena, name);
    }
    return arena_printf(arena, "%.*s/%s", (int)(slash - source->path), source->path, name);
}

static void include_read(struct source *source, const uint8_t *origin)
{
    struct file_reader *reader = source->reader;
    const zs_scanner_t *scanner = source->scanner;
    zone_set_includes(reader->zone);
    struct source child = {
        .reader = reader,
        .parent = source,
        .path = include_path(source, scanner->include_filename),
        .depth = source->depth + 1,
    };
    const char *fault = NULL;
    if (child.depth > INCLUDE_DEPTH_MAX) {
        fault = "files include each other more than 16 deep";
    } else if (++reader->include_count > INCLUDE_COUNT_MAX) {
        fault = "more than 1000 files are included";
    } else {
        fault = source_load(&child);
    }
    if (fault) {
        diags_error(source_diags(source), source_place(source), "$INCLUDE", "%s: %s", child.path,
                    fault);
    } else {
        child.scanner = scanner_alloc();
        source_scan(&child, origin, scanner->default_ttl);
    }
    source_release(&child);
}

// The text of the line around `at`, NUL-terminated, without blanks at its ends.
static void line_copy(const struct source *source, const char *at, char *line, size_t size)
{
    const char *begin = at, *end = at, *last = source->text + source->size;
    while (begin > source->text && begin[-1] != '\n') {
        begin--;
    }
    while (end < last && *end != '\n') {
        end++;
    }
    while (begin < end && (*begin == ' ' || *begin == '\t')) {
        begin++;
    }
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    size_t length = MIN((size_t)(end - begin), size - 1);
    for (size_t i = 0; i < length; i++) {
        line[i] = (uint8_t)begin[i] < ' ' && begin[i] != '\t' ? '?' : begin[i];
    }
    line[length] = '\0';
}

static bool line_is(const char *line, const char *directive)
{
    size_t size = strlen(directive);
    return strncasecmp(line, directive, size) == 0 && (line[size] == ' ' || line[size] == '\t');
}

// The name that ends "$ORIGIN sub" or "$INCLUDE file sub ; comment", or NULL. Cuts the line.
static char *directive_name(char *line)
{
    bool include = line_is(line, "$INCLUDE");
    char *word = line + strcspn(line, " \t");
    word += strspn(word, " \t");
    if (include && *word == '"') {
        word += strcspn(word + 1, "\"") + 1;
        word += *word == '"';
    } else if (include) {
        word += strcspn(word, " \t");
    }
    word += strspn(word, " \t");
    word[strcspn(word, " \t;")] = '\0';
    return *word ? word : NULL;
}

// Between two records there are only comments and directives: applies every $ORIGIN from `from` to
// the line of `at`, which is left out.
static void origin_follow(struct source *source, const char *from, const char *at)
{
    char line[2048];
    const char *reason;
    uint8_t origin[NAME_MAX_SIZE];
    for (;;) {
        const char *newline = from < at ? memchr(from, '\n', (size_t)(at - from)) : NULL;
        if (newline == NULL) {
            return;
        }
        line_copy(source, from, line, sizeof(line));
        char *name = line_is(line, "$ORIGIN") ? directive_name(line) : NULL;
        if (name && name_text_parse(name, source->origin, origin, &reason)) {
            memcpy(source->origin, origin, name_size(origin));
        }
        from = newline + 1;
    }
}

// Relative names, which the scanner refuses in directives: below the origin as it stands.
static bool relative_origin(const struct source *source, const char *at,
                            uint8_t origin[NAME_MAX_SIZE])
{
    char line[2048];
    line_copy(source, at, line, sizeof(line));
    const char *reason, *name = directive_name(line);
    return name && name[strlen(name) - 1] != '.' &&
           name_text_parse(name, source->origin, origin, &reason) != 0;
}

// Where the scanner stands in the file's text; it changes to a buffer of its own at the end.
static const char *scanner_position(const struct source *source)
{
    const char *at = source->scanner->input.current, *end = source->text + source->size;
    return at >= source->text && at <= end ? at : end;
}

// Starts again behind the current line. False at the end of the file.
static bool scanner_resume(struct source *source, const char *at, const uint8_t *origin)
{
    zs_scanner_t *scanner = source->scanner;
    const char *end = source->text + source->size;
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if (newline == NULL) {
        return false;
    }
    uint8_t owner[sizeof(scanner->r_owner)];
    uint32_t ttl = scanner->default_ttl, owner_length = scanner->r_owner_length;
    uint64_t line = scanner->line_counter;
    memcpy(owner, scanner->r_owner, sizeof(owner));
    zs_deinit(scanner);
    if (!scanner_start(source, origin, ttl, newline + 1, line + 1)) {
        return false;
    }
    memcpy(scanner->r_owner, owner, sizeof(owner));
    scanner->r_owner_length = owner_length;
    return true;
}

static void scanner_fault(const struct source *source, const char *at)
{
    int code = source->scanner->error.code;
    const char *text = code == ZS_UNCOVERED_STATE ? "invalid syntax" : zs_strerror(code);
    char line[61];
    line_copy(source, at, line, sizeof(line));
    bool quote = code != ZS_UNCLOSED_MULTILINE && *line;
    diags_error(source_diags(source), source_place(source), NULL, "%s%s%s%s", text,
                quote ? ", in \"" : "", quote ? line : "", quote ? "\"" : "");
}

// Where the faulty line is. In a state that the scanner has no rule for it forgets its position,
// but not the number of its line.
static const char *fault_position(const struct source *source, const char *before,
                                  uint64_t line_before)
{
    if (source->scanner->error.code != ZS_UNCOVERED_STATE) {
        return scanner_position(source);
    }
    const char *end = source->text + source->size;
    for (uint64_t line = line_before; line < source->scanner->line_counter; line++) {
        const char *newline = memchr(before, '\n', (size_t)(end - before));
        if (newline == NULL) {
            return end;
        }
        before = newline + 1;
    }
    return before;
}

// --- what the scanner does not know: ALIAS, and hints that follow

// The word behind *at, cut off there; NULL at the end of the line or its comment.
static char *word_next(char **at)
{
    char *word = *at + strspn(*at, " \t");
    if (*word == '\0' || *word == ';') {
        return NULL;
    }
    *at = word + strcspn(word, " \t;");
    const bool more = **at == ' ' || **at == '\t'; // else the line or its comment ends it
    **at = '\0';
    *at += more;
    return word;
}

// The type stands behind the owner, which a line may leave out, TTL and class.
static const char *word_of_type(const struct source *source, const char *at, char **rest)
{
    const char *begin = at;
    while (begin > source->text && begin[-1] != '\n') {
        begin--;
    }
    if (*begin != ' ' && *begin != '\t') {
        word_next(rest);
    }
    const char *word = word_next(rest);
    while (word != NULL && ((*word >= '0' && *word <= '9') || strcasecmp(word, "IN") == 0)) {
        word = word_next(rest);
    }
    return word;
}

// "name [ttl] [class] ALIAS target", in one line. False when the line is something else.
static bool alias_read(struct source *source, const char *at)
{
    char line[2048], *rest = line;
    line_copy(source, at, line, sizeof(line));
    const char *type = word_of_type(source, at, &rest);
    if (type == NULL || strcasecmp(type, "ALIAS") != 0) {
        return false;
    }
    uint8_t target[NAME_MAX_SIZE];
    const char *name = word_next(&rest), *reason = "one name is expected";
    bool alone = name != NULL && word_next(&rest) == NULL;
    size_t size = alone ? name_text_parse(name, source->origin, target, &reason) : 0;
    if (size == 0) {
        diags_error(source_diags(source), source_place(source), NULL, "ALIAS: %s", reason);
    } else {
        record_add(source, TYPE_ALIAS, target, size);
    }
    return true;
}

// "name [ttl] [class] HTTPS 1 . ipv4hint=auto", in one line: zone/ reads the word. The scanner has
// read all that stands before the address. False when the line is something else.
static bool service_read(struct source *source, const char *at)
{
    char line[2048], *rest = line;
    line_copy(source, at, line, sizeof(line));
    const char *word = word_of_type(source, at, &rest);
    uint16_t type;
    rest[strcspn(rest, ";")] = '\0';
    if (word == NULL || !rr_type_parse(word, &type) || !type_is_service(type) ||
        strstr(rest, "hint=auto") == NULL) {
        return false;
    }
    uint8_t rdata[sizeof(line)];
    const char *reason = "a record with hints that follow is written without parentheses";
    size_t size = strpbrk(rest, "()") != NULL
                      ? 0
                      : rdata_parse(type, rest, source->origin, rdata, sizeof(rdata), &reason);
    if (size == 0) {
        diags_error(source_diags(source), source_place(source), NULL, "%s: %s", word, reason);
    } else {
        record_add(source, type, rdata, size);
    }
    return true;
}

// A record that only we can read.
static bool record_read(struct source *source, const char *at)
{
    switch (source->scanner->error.code) {
    case ZS_UNSUPPORTED_TYPE:
        return alias_read(source, at);
    case ZS_BAD_ADDRESS_CHAR:
        return service_read(source, at);
    default:
        return false;
    }
}

// After a fault; `before` is where the scanner stood before, in which line. False when nothing more
// can be read from the file.
static bool fault_handle(struct source *source, const char *before, uint64_t line_before)
{
    const zs_scanner_t *scanner = source->scanner;
    const char *at = fault_position(source, before, line_before);
    int code = scanner->error.code;
    uint8_t origin[NAME_MAX_SIZE];
    origin_follow(source, before, at);
    bool relative = (code == ZS_BAD_ORIGIN || code == ZS_BAD_INCLUDE_ORIGIN) &&
                    relative_origin(source, at, origin);
    if (relative && code == ZS_BAD_ORIGIN) {
        return scanner_resume(source, at, origin);
    }
    if (relative) {
        include_read(source, origin);
    } else if (!record_read(source, at)) {
        scanner_fault(source, at);
    }
    return !scanner->error.fatal || scanner_resume(source, at, source->origin);
}

static void origin_save(struct source *source)
{
    const zs_scanner_t *scanner = source->scanner;
    if (memcmp(source->origin, scanner->zone_origin, scanner->zone_origin_length) != 0) {
        memcpy(source->origin, scanner->zone_origin, scanner->zone_origin_length);
    }
}

// An $INCLUDE that the scanner understood: the origin is in its buffer, in presentation form. The
// scanner keeps a place on its call stack for each directive that it hands out (libzscanner 3.2;
// the seventeenth overruns it), so it starts anew behind the line. False at the end of the file.
static bool include_handle(struct source *source)
{
    uint8_t origin[NAME_MAX_SIZE];
    const char *reason, *at = scanner_position(source);
    if (name_parse((const char *)source->scanner->buffer, NULL, origin, &reason) == 0) {
        diags_error(source_diags(source), source_place(source), "$INCLUDE", "origin: %s", reason);
    } else {
        include_read(source, origin);
    }
    return scanner_resume(source, at, source->origin);
}

static void source_scan(struct source *source, const uint8_t *origin, uint32_t ttl)
{
    zs_scanner_t *scanner = source->scanner;
    if (!scanner_start(source, origin, ttl, source->text, 1)) {
        diags_error(source_diags(source), (struct place){source->path, 0, 0}, NULL,
                    "the scanner cannot start");
        return;
    }
    const struct source *parent = source->parent;
    if (parent) { // a file may begin with a record of the owner named last (RFC 1035, 5.1)
        memcpy(scanner->r_owner, parent->scanner->r_owner, sizeof(scanner->r_owner));
        scanner->r_owner_length = parent->scanner->r_owner_length;
    }
    bool more = source->size > 0;
    while (more) {
        const char *before = scanner_position(source);
        uint64_t line_before = scanner->line_counter;
        zs_parse_record(scanner); // the state says the same as the result, and more
        switch (scanner->state) {
        case ZS_STATE_DATA:
            origin_save(source);
            record_add(source, scanner->r_type, scanner->r_data, scanner->r_data_length);
            break;
        case ZS_STATE_ERROR:
            more = fault_handle(source, before, line_before);
            break;
        case ZS_STATE_INCLUDE:
            origin_save(source);
            more = include_handle(source);
            break;
        default:
            more = false;
        }
    }
}

struct zone *zone_file_read(const char *path, const uint8_t *apex, const struct zone_reader *reader)
{
    size_t errors_before = reader->diags->error_count;
    struct zone *zone = zone_new(apex);
    zone_set_path(zone, path);
    struct file_reader file = {.reader = reader, .zone = zone};
    struct source source = {.reader = &file, .path = zone_path(zone)};
    const char *fault = source_load(&source);
    if (fault) {
        diags_error(reader->diags, (struct place){source.path, 0, 0}, NULL, "%s", fault);
    } else {
        source.scanner = scanner_alloc();
        source_scan(&source, apex, ttl_left_out);
    }
    source_release(&source);
    if (reader->diags->error_count == errors_before) {
        zone_finish(zone, &reader->defaults, reader->diags);
    }
    if (reader->diags->error_count != errors_before) {
        zone_free(zone);
        return NULL;
    }
    return zone;
}
