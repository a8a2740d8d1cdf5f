// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/health_table.h"

#include "base/memory.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

static double number_of(const json_t *check, const char *key)
{
    return json_number_value(json_object_get(check, key));
}

// "12s", "3m05s", "2h10m", "9d04h".
static void format_length(double seconds, char *text, size_t size)
{
    unsigned long long s = seconds > 0 ? (unsigned long long)seconds : 0;
    if (s < 60) {
        snprintf(text, size, "%llus", s);
    } else if (s < 3600) {
        snprintf(text, size, "%llum%02llus", s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(text, size, "%lluh%02llum", s / 3600, s % 3600 / 60);
    } else {
        snprintf(text, size, "%llud%02lluh", s / 86400, s % 86400 / 3600);
    }
}

static int urgency(const json_t *check)
{
    const char *state = text_of(check, "state");
    return strcmp(state, "down") == 0 ? 0 : strcmp(state, "unknown") == 0 ? 1 : 2;
}

static int by_urgency(const void *a, const void *b)
{
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    int order = urgency(x) - urgency(y);
    if (order == 0) {
        order = strcmp(text_of(x, "name"), text_of(y, "name"));
    }
    if (order == 0) {
        order = strcmp(text_of(x, "target"), text_of(y, "target"));
    }
    return order;
}

// Of the first RRset that uses the check; operands and anchors have none.
static void format_name(const json_t *check, char *name, size_t size)
{
    long long users = (long long)number_of(check, "users");
    if (users > 1) {
        snprintf(name, size, "%s and %lld more", text_of(check, "name"), users - 1);
    } else if (users == 1) {
        snprintf(name, size, "%s", text_of(check, "name"));
    } else {
        snprintf(name, size, "(%s)",
                 json_is_true(json_object_get(check, "anchor")) ? "anchor" : "operand");
    }
}

static void print_check(const json_t *check)
{
    char since[24], latency[24], name[400], plain[TEXT_PLAIN_MAX];
    const char *waits = text_of(check, "waits_for"), *detail = text_of(check, "detail");
    bool fails = strcmp(text_of(check, "last_result"), "OK") != 0;
    format_length(number_of(check, "since_seconds"), since, sizeof(since));
    snprintf(latency, sizeof(latency), "%.1f ms", number_of(check, "latency_ms"));
    format_name(check, name, sizeof(name));
    bool none = number_of(check, "probes") == 0; // the first result is yet to come
    printf("%5lld %-8s %-8s %-9s %11s  %-9s %-22s %s", (long long)number_of(check, "check"),
           text_of(check, "state"), since, none ? "-" : text_of(check, "last_result"), latency,
           text_of(check, "kind"), text_of(check, "target"), name);
    if (*waits != '\0') {
        printf("  (good, waits for: %s)", text_plain(waits, plain));
    } else if ((urgency(check) != 2 || fails) && *detail != '\0') {
        printf("  (%s)", text_plain(detail, plain));
    }
    putchar('\n');
}

static void print_doubt(const json_t *doubt)
{
    if (json_is_true(json_object_get(doubt, "frozen"))) {
        char cause[TEXT_PLAIN_MAX];
        printf("IN DOUBT since %s: %s. States are frozen; if it is true: signpost health trust\n\n",
               text_of(doubt, "since"), text_plain(text_of(doubt, "cause"), cause));
    }
}

static void print_counts(const json_t **checks, size_t count)
{
    size_t counts[3] = {0};
    for (size_t i = 0; i < count; i++) {
        counts[urgency(checks[i])]++;
    }
    printf("%zu down, %zu unknown, %zu up\n\n", counts[0], counts[1], counts[2]);
}

void health_table_print(const json_t *answer, size_t rows_max)
{
    const json_t *checks = json_object_get(answer, "checks");
    size_t count = json_array_size(checks);
    print_doubt(json_object_get(answer, "doubt"));
    if (count == 0) {
        printf("no checks\n");
        return;
    }
    const json_t **sorted = mem_alloc_array(count, sizeof(const json_t *));
    for (size_t i = 0; i < count; i++) {
        sorted[i] = json_array_get(checks, i);
    }
    qsort(sorted, count, sizeof(const json_t *), by_urgency);
    print_counts(sorted, count);
    printf("%5s %-8s %-8s %-9s %11s  %-9s %-22s %s\n", "CHECK", "STATE", "SINCE", "REASON",
           "LATENCY", "KIND", "TARGET", "NAME");
    size_t rows = rows_max == 0 ? count : MIN(count, rows_max);
    for (size_t i = 0; i < rows; i++) {
        print_check(sorted[i]);
    }
    if (rows < count) {
        printf("and %zu more\n", count - rows);
    }
    free(sorted);
}
