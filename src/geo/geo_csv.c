// SPDX-License-Identifier: GPL-3.0-or-later
//
// CSV: the rows of any file, and databases of ranges.
//
//   1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."      start, end, ASN, organisation
//   16777216,16777471,AU,Queensland                 start, end, country, region; numbers or
//   addresses 1.0.0.0/24,AU                                   a network in place of start and end
//
// The field after the range tells which. Rows of both families may be mixed and need not be sorted.
// Ranges that overlap are a warning; the one that begins first wins. IPv6 is kept to the /64: a /64
// that several ranges share belongs to the first of them. Runs on the thread that loads.

#include "geo/geo_load.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// A file with this many wrong rows is not what it is taken for: the rest is not read.
enum { FAULTS_MAX = 20 };

// --- files

// The open file and what it was like then; -1 with an error in `diags`.
static int file_open(const char *path, struct stat *status, struct diags *diags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *reason = NULL;
    if (fd < 0 || fstat(fd, status) != 0) {
        reason = strerror(errno);
    } else if (!S_ISREG(status->st_mode)) {
        reason = "it is not a regular file";
    }
    if (reason != NULL) {
        diags_error(diags, (struct place){.file = path}, NULL, "cannot be read: %s", reason);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

// Whether nobody has written to the file since; closes it.
static bool file_close(const char *path, int fd, const struct stat *before, bool good,
                       struct diags *diags)
{
    int error = errno;
    bool same = file_is_unchanged(fd, before);
    close(fd);
    if (!same) {
        diags_error(diags, (struct place){.file = path}, NULL, FILE_CHANGED_TEXT);
    } else if (!good) {
        diags_error(diags, (struct place){.file = path}, NULL, "cannot be read: %s",
                    strerror(error));
    }
    return same && good;
}

char *file_read(const char *path, size_t *size, int64_t *changed_s, struct diags *diags)
{
    struct stat status;
    int fd = file_open(path, &status, diags);
    if (fd < 0) {
        return NULL;
    }
    *size = (size_t)status.st_size;
    *changed_s = status.st_mtim.tv_sec;
    char *text = mem_alloc(*size + 1);
    bool good = file_read_all(fd, text, *size);
    if (!file_close(path, fd, &status, good, diags)) {
        free(text);
        return NULL;
    }
    return text;
}

int file_copy(const char *path, struct diags *diags)
{
    enum { PIECE_SIZE = 1 << 20 };
    struct stat status;
    int fd = file_open(path, &status, diags);
    if (fd < 0) {
        return -1;
    }
    int copy = memfd_create("signpost-geo", MFD_CLOEXEC);
    char *piece = mem_alloc(PIECE_SIZE);
    bool good = copy >= 0;
    for (size_t left = (size_t)status.st_size; good && left > 0;) {
        size_t size = MIN(left, (size_t)PIECE_SIZE);
        good = file_read_all(fd, piece, size) && file_write_all(copy, piece, size);
        left -= size;
    }
    free(piece);
    if (!file_close(path, fd, &status, good, diags) && copy >= 0) {
        close(copy);
        return -1;
    }
    return copy;
}

// --- ranges

struct range {
    uint64_t first, last;
    uint32_t value;
    unsigned line;
};

struct ranges {
    struct range *items;
    size_t count, capacity;
    bool unsorted;
};

struct range_reader {
    const char *path;
    struct csv csv;
    size_t value; // field after the range: 2, or 1 behind a network
    bool is_asn;  // else that field is a country
    struct interner *interner;
    struct diags *diags;
    size_t faults;
    struct ranges ranges[FAMILIES];
};

// An address as text, or as a number in decimal. For numbers `family` stays FAMILY_NONE.
struct bound {
    enum family family;
    unsigned __int128 number;
};

static bool bound_parse(const char *text, struct bound *bound)
{
    struct address address;
    *bound = (struct bound){0};
    if (*text && strspn(text, "0123456789") == strlen(text)) {
        for (; *text; text++) {
            unsigned __int128 next = bound->number * 10 + (unsigned)(*text - '0');
            if (next / 10 != bound->number) {
                return false;
            }
            bound->number = next;
        }
        return true;
    }
    if (!address_parse(text, &address)) {
        return false;
    }
    bound->family = address.family;
    for (size_t i = 0; i < (address.family == FAMILY_IPV4 ? 4 : 16); i++) {
        bound->number = bound->number << 8 | address.bytes[i];
    }
    return true;
}

// Both bounds of a range. Numbers alone do not tell their family: IPv4 ends below 2^32.
static bool range_parse(const char *start, const char *end, enum family *family,
                        struct range *range)
{
    struct bound first, last;
    if (!bound_parse(start, &first) || !bound_parse(end, &last) || first.family != last.family ||
        first.number > last.number) {
        return false;
    }
    *family = last.family;
    if (*family == FAMILY_NONE) {
        *family = last.number <= UINT32_MAX ? FAMILY_IPV4 : FAMILY_IPV6;
    }
    if (*family == FAMILY_IPV4) {
        range->first = (uint64_t)first.number << 32;
        range->last = (uint64_t)last.number << 32 | UINT32_MAX;
    } else {
        range->first = (uint64_t)(first.number >> 64);
        range->last = (uint64_t)(last.number >> 64);
    }
    return true;
}

static bool network_parse(const char *text, enum family *family, struct range *range)
{
    struct prefix prefix;
    if (!prefix_parse(text, &prefix, NULL)) {
        return false;
    }
    *family = prefix.address.family;
    prefix_keys(&prefix, &range->first, &range->last);
    return true;
}

// The range of a row whose value is in that field.
static bool row_range(const struct csv *csv, size_t value, enum family *family, struct range *range)
{
    return value == 1 ? network_parse(csv->fields[0], family, range)
                      : range_parse(csv->fields[0], csv->fields[1], family, range);
}

// A wrong value is neither an ASN nor a country code.
static bool is_country_code(const char *text)
{
    return strlen(text) == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789-?") == 2;
}

static bool is_asn(const char *text)
{
    return asn_parse(text) != 0 || strcmp(text, "0") == 0;
}

// Where the value of a row is, if it is one of ranges or networks; else 0.
static size_t row_value(const struct csv *csv)
{
    enum family family;
    struct range range;
    size_t value = strchr(csv->fields[0], '/') ? 1 : 2;
    bool good = !csv->fault && csv->count > value && row_range(csv, value, &family, &range) &&
                (is_asn(csv->fields[value]) || is_country_code(csv->fields[value]));
    return good ? value : 0;
}

static bool row_is_header(const struct csv *csv)
{
    char c = csv->fields[0][0];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '#' || c == '_';
    return letter && !strchr(csv->fields[0], ':');
}

// Looks at the beginning, a copy of it: one line of headings, then a range, or a range at once.
static size_t ranges_probe(const char *text, size_t size, bool *with_header, bool *asns)
{
    char copy[4096];
    size = MIN(size, sizeof(copy) - 1);
    memcpy(copy, text, size);
    copy[size] = 0;
    struct csv csv = {.at = copy, .end = copy + size};
    bool more = csv_next(&csv);
    *with_header = more && row_is_header(&csv);
    if (*with_header) {
        more = csv_next(&csv);
    }
    size_t value = more ? row_value(&csv) : 0;
    *asns = value && is_asn(csv.fields[value]);
    return value;
}

bool ranges_recognise(const char *text, size_t size)
{
    bool with_header, asns;
    return ranges_probe(text, size, &with_header, &asns) != 0;
}

static void row_fault(struct range_reader *reader, size_t field, const char *text)
{
    struct place place = {reader->path, reader->csv.line, 1};
    if (field < reader->csv.count) {
        place.column = reader->csv.columns[field];
    }
    diags_error(reader->diags, place, NULL, "%s", text);
    reader->faults++;
}

static void row_read(struct range_reader *reader)
{
    struct csv *csv = &reader->csv;
    struct range range = {.line = csv->line};
    enum family family;
    if (csv->fault) {
        row_fault(reader, 0, csv->fault);
        return;
    }
    if (csv->count <= reader->value) {
        row_fault(reader, csv->count, "expected a range and an ASN or a country");
        return;
    }
    if (!row_range(csv, reader->value, &family, &range)) {
        row_fault(reader, 0,
                  reader->value == 1 ? "expected a network, as in the first row"
                                     : "expected the first and the last address of a range");
        return;
    }
    const char *value = csv->fields[reader->value];
    const char *next = csv->count > reader->value + 1 ? csv->fields[reader->value + 1] : "";
    if (*value && !(reader->is_asn ? is_asn(value) : is_country_code(value))) {
        row_fault(reader, reader->value,
                  reader->is_asn ? "expected an AS number, as in the first row"
                                 : "expected a country code, as in the first row");
        return;
    }
    if (reader->is_asn) {
        range.value = intern_asn(reader->interner, asn_parse(value), next);
    } else {
        char country[3];
        country_normalise(value, country);
        range.value = intern_place(reader->interner, country, region_normalise(country, next));
    }
    struct ranges *ranges = &reader->ranges[family_index(family)];
    ranges->unsorted |= ranges->count > 0 && range.first < ranges->items[ranges->count - 1].first;
    MEM_GROW(ranges->items, ranges->count, ranges->capacity);
    ranges->items[ranges->count++] = range;
}

static int range_compare(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->first != y->first) {
        return x->first < y->first ? -1 : 1;
    }
    return (x->line > y->line) - (x->line < y->line);
}

static void ranges_flatten(struct range_reader *reader, enum family family, struct runs *runs)
{
    struct ranges *ranges = &reader->ranges[family_index(family)];
    if (ranges->unsorted) {
        qsort(ranges->items, ranges->count, sizeof(*ranges->items), range_compare);
    }
    size_t overlaps = 0;
    const struct range *before = NULL; // of those so far, the one that reaches furthest
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->items[i];
        // IPv6 ranges may share a /64 without overlapping.
        if (before && (range->first < before->last ||
                       (range->first == before->last && family == FAMILY_IPV4))) {
            if (overlaps++ == 0) {
                diags_warning(reader->diags, (struct place){reader->path, range->line, 1}, NULL,
                              "this range overlaps that of line %u, which wins", before->line);
            }
        }
        runs_add(runs, range->first, range->last, range->value);
        before = !before || range->last > before->last ? range : before;
    }
    if (overlaps > 1) {
        diags_warning(reader->diags, (struct place){.file = reader->path}, NULL,
                      "%zu ranges overlap others", overlaps);
    }
    free(ranges->items);
}

void ranges_read(const char *path, char *text, size_t size, struct interner *interner,
                 struct layer *layer, struct diags *diags)
{
    struct range_reader reader = {
        .path = path,
        .csv = {.at = text, .end = text + size},
        .interner = interner,
        .diags = diags,
    };
    bool with_header;
    reader.value = ranges_probe(text, size, &with_header, &reader.is_asn);
    SP_ASSERT(reader.value != 0);
    while (reader.faults < FAULTS_MAX && csv_next(&reader.csv)) {
        if (!with_header) {
            row_read(&reader);
        }
        with_header = false;
    }
    if (reader.faults == FAULTS_MAX) {
        diags_error(diags, (struct place){path, reader.csv.line, 0}, NULL,
                    "too many faults: the rest of the file was not read");
    }
    struct runs *runs = reader.is_asn ? layer->asns : layer->places;
    ranges_flatten(&reader, FAMILY_IPV4, &runs[family_index(FAMILY_IPV4)]);
    ranges_flatten(&reader, FAMILY_IPV6, &runs[family_index(FAMILY_IPV6)]);
}
