// SPDX-License-Identifier: GPL-3.0-or-later
//
// The list behind every "file:line:column: error" that Signpost prints.
//
// Readers of all documents append to it, on whatever thread they are on; one thread at a time. What
// came out of a file may hold anything: whatever is printed here is one line of text.
#include "base/diag.h"

#include "base/memory.h"

#include <stdarg.h>
#include <string.h>

const char *const severity_names[] = {"error", "warning", "note"};

static void count(struct diags *diags, enum severity severity)
{
    diags->error_count += severity == SEVERITY_ERROR;
    diags->warning_count += severity == SEVERITY_WARNING;
    diags->note_count += severity == SEVERITY_NOTE;
}

static void diag_release(struct diag *diag)
{
    free(diag->file);
    free(diag->key);
    free(diag->message);
}

// Takes the last entry that is no error out; false when there is none.
static bool make_way(struct diags *diags)
{
    if (diags->listed_errors == diags->count) {
        return false;
    }
    SP_ASSERT(diags->items != NULL);
    size_t at = diags->count - 1;
    while (diags->items[at].severity == SEVERITY_ERROR) {
        at--;
    }
    diag_release(&diags->items[at]);
    diags->count--;
    memmove(&diags->items[at], &diags->items[at + 1],
            (diags->count - at) * sizeof(diags->items[0]));
    return true;
}

// A place at the end of the list; NULL when it is full.
static struct diag *place_new(struct diags *diags, enum severity severity)
{
    const bool is_error = severity == SEVERITY_ERROR;
    if (diags->count >= DIAGS_MAX && !(is_error && make_way(diags))) {
        return NULL;
    }
    MEM_GROW(diags->items, diags->count, diags->capacity);
    diags->listed_errors += is_error;
    return &diags->items[diags->count++];
}

// The new entry, or NULL when the list is full.
static struct diag *append(struct diags *diags, enum severity severity, struct place place,
                           const char *key, const char *format, va_list args)
{
    count(diags, severity);
    struct diag *diag = place_new(diags, severity);
    if (diag == NULL) {
        return NULL;
    }
    char message[512];
    vsnprintf(message, sizeof(message), format, args);
    *diag = (struct diag){
        .severity = severity,
        .file = place.file ? mem_strdup(place.file) : NULL,
        .line = place.line,
        .column = place.column,
        .key = key && *key ? mem_strdup(key) : NULL,
        .message = mem_strdup(message),
    };
    return diag;
}

void diags_error(struct diags *diags, struct place place, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(diags, SEVERITY_ERROR, place, key, format, args);
    va_end(args);
}

void diags_warning(struct diags *diags, struct place place, const char *key, const char *format,
                   ...)
{
    va_list args;
    va_start(args, format);
    append(diags, SEVERITY_WARNING, place, key, format, args);
    va_end(args);
}

void diags_finding(struct diags *diags, enum severity severity, const char *id, const char *fix,
                   struct place place, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct diag *diag = append(diags, severity, place, key, format, args);
    va_end(args);
    if (diag != NULL) {
        diag->id = id;
        diag->fix = fix;
    }
}

void diags_clear(struct diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        diag_release(&diags->items[i]);
    }
    free(diags->items);
    *diags = (struct diags){0};
}

void diags_move(struct diags *into, struct diags *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct diag *diag = place_new(into, from->items[i].severity);
        if (diag != NULL) {
            *diag = from->items[i];
        } else {
            diag_release(&from->items[i]);
        }
    }
    into->error_count += from->error_count;
    into->warning_count += from->warning_count;
    into->note_count += from->note_count;
    free(from->items);
    *from = (struct diags){0};
}

// C0, DEL, and C1 as UTF-8 has it.
static void controls_hide(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];
        if (c < ' ' || c == 0x7f) {
            text[0] = '?';
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            text[0] = text[1] = '?';
        }
    }
}

// Released with free().
static char *diag_text(const struct diag *diag)
{
    char line[16] = "", column[16] = "", id[64] = "";
    if (diag->file && diag->line) {
        snprintf(line, sizeof(line), ":%u", diag->line);
    }
    if (*line && diag->column) {
        snprintf(column, sizeof(column), ":%u", diag->column);
    }
    if (diag->id) {
        snprintf(id, sizeof(id), "[%s] ", diag->id);
    }
    char *text = mem_printf("%s%s%s%s%s: %s%s%s%s%s%s", diag->file ? diag->file : "", line, column,
                            diag->file ? ": " : "", severity_names[diag->severity], id,
                            diag->key ? diag->key : "", diag->key ? ": " : "", diag->message,
                            diag->fix ? "; " : "", diag->fix ? diag->fix : "");
    controls_hide(text);
    return text;
}

const char *diag_format(const struct diag *diag, char *text, size_t size)
{
    char *whole = diag_text(diag);
    snprintf(text, size, "%s", whole);
    free(whole);
    return text;
}

void diag_print(FILE *out, const struct diag *diag)
{
    char *text = diag_text(diag);
    fprintf(out, "%s\n", text);
    free(text);
}

void diags_print(FILE *out, const struct diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        diag_print(out, &diags->items[i]);
    }
    size_t all = diags->error_count + diags->warning_count + diags->note_count;
    if (all > diags->count) {
        fprintf(out, "and %zu more that are not shown\n", all - diags->count);
    }
}
