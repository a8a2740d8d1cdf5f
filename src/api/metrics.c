// SPDX-License-Identifier: GPL-3.0-or-later
//
// GET /metrics: the Prometheus text format, from the two metric tables (API_METRICS and
// WORKER_COUNTERS). Sums over all workers and the counters of each worker are families of their
// own, so that a sum over labels counts nothing twice. Control thread.
#include "api/call.h"
#include "base/memory.h"

#include <stdio.h>

static void print_head(FILE *out, const char *name, const char *suffix, const char *type,
                       const char *help)
{
    fprintf(out, "# HELP signpost_%s%s %s\n# TYPE signpost_%s%s %s\n", name, suffix, help, name,
            suffix, type);
}

static void print_metrics(FILE *out, const struct api_metrics *metrics)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } rows[] = {
#define X(name, type, help) {#name, type, help, offsetof(struct api_metrics, name)},
        API_METRICS(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *suffix = rows[i].type[0] == 'c' ? "_total" : "";
        const char *at = (const char *)metrics + rows[i].offset;
        print_head(out, rows[i].name, suffix, rows[i].type, rows[i].help);
        fprintf(out, "signpost_%s%s %llu\n", rows[i].name, suffix,
                (unsigned long long)*(const uint64_t *)(const void *)at);
    }
}

static uint64_t counter_read(const struct worker_counters *counters, size_t offset)
{
    const char *at = (const char *)counters + offset;
    return atomic_load_explicit((const _Atomic uint64_t *)(const void *)at, memory_order_relaxed);
}

static void print_workers(FILE *out, const struct api_backend *backend)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
#define X(name, help) {#name, help, offsetof(struct worker_counters, name)},
        WORKER_COUNTERS(X)
#undef X
    };
    unsigned count = backend->worker_count(backend->state);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t sum = 0;
        fprintf(out, "# HELP signpost_worker_%s_total %s, by worker\n", rows[i].name, rows[i].help);
        fprintf(out, "# TYPE signpost_worker_%s_total counter\n", rows[i].name);
        for (unsigned worker = 0; worker < count; worker++) {
            uint64_t value = counter_read(backend->worker(backend->state, worker), rows[i].offset);
            fprintf(out, "signpost_worker_%s_total{worker=\"%u\"} %llu\n", rows[i].name, worker,
                    (unsigned long long)value);
            sum += value;
        }
        print_head(out, rows[i].name, "_total", "counter", rows[i].help);
        fprintf(out, "signpost_%s_total %llu\n", rows[i].name, (unsigned long long)sum);
    }
}

static void print_certificates(FILE *out, const struct api_backend *backend)
{
    struct api_certificate *rows = mem_alloc_array(API_CERTIFICATES_MAX, sizeof(*rows));
    size_t count = backend->certificates(backend->state, rows, API_CERTIFICATES_MAX);
    print_head(out, "certificate_days", "", "gauge",
               "Days until the certificate that a check sees ends; the first to end have a row");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "signpost_certificate_days{check=\"%d\",target=\"%s\"} %d\n", rows[i].check,
                rows[i].target, (int)rows[i].days);
    }
    free(rows);
}

void handle_metrics(struct api_call *call)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    SP_ASSERT(out != NULL); // only memory could be missing
    struct api_metrics metrics = {0};
    call->backend->metrics(call->backend->state, &metrics);
    print_head(out, "build_info", "", "gauge", "The version that runs");
    fprintf(out, "signpost_build_info{version=\"%s\"} 1\n", SIGNPOST_VERSION);
    print_metrics(out, &metrics);
    print_certificates(out, call->backend);
    print_workers(out, call->backend);
    int failed = fclose(out);
    SP_ASSERT(failed == 0);
    call_text(call, "text/plain; version=0.0.4; charset=utf-8", text, size);
}
