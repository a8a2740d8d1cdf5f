// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/engine_internal.h"

#include "base/memory.h"
#include "base/text_file.h"

enum { SIZE_MAX_MIB = 1024 };
// They come all the time: a killed server forgets what came within this time.
#define BEATS_SAVE_NS (20 * NS_PER_SECOND)

static char *states_path(const struct engine *engine)
{
    return mem_printf("%s/health.states", engine->config->health_state);
}

static void take_in(struct engine *engine, const char *path, const char *text, size_t size,
                    struct diags *diags)
{
    enum check_states_fault fault;
    int64_t age_ns;
    const struct state_lines others = {engine, engine_measured_read};
    engine->recalled =
        check_states_parse(text, size, engine->clock, engine->config->health_state_age_ns,
                           engine->beats, &others, &fault, &age_ns);
    if (fault == CHECK_STATES_TOO_OLD) {
        log_event(LOG_EVENT_STATES_TOO_OLD, "file=%s age_seconds=%lld", path,
                  (long long)(age_ns / NS_PER_SECOND));
    } else if (fault != CHECK_STATES_GOOD) {
        diags_error(diags, (struct place){.file = path}, NULL, "%s",
                    check_states_fault_texts[fault]);
    }
}

void engine_states_open(struct engine *engine)
{
    struct diags diags = {0};
    size_t size;
    if (engine->config->health_state == NULL) {
        return;
    }
    char *path = states_path(engine);
    char *text = text_file_read(path, SIZE_MAX_MIB, true, &diags, &size);
    if (text != NULL && size > 0) {
        take_in(engine, path, text, size, &diags);
    }
    if (diags.error_count > 0) {
        engine_log_fault(LOG_EVENT_STATE_DAMAGED, path, &diags);
    }
    diags_clear(&diags);
    free(text);
    engine->states_path = path;
}

void engine_states_close(struct engine *engine)
{
    if (engine->recalled == NULL) {
        return;
    }
    size_t known = 0;
    for (int i = 0; i < health_count(engine->health); i++) {
        struct check_view view;
        known += health_view(engine->health, i, &view) && view.state != CHECK_UNKNOWN;
    }
    log_event(LOG_EVENT_STATES_RECALLED, "checks=%zu saved=%zu", known,
              check_states_count(engine->recalled));
    check_states_free(engine->recalled);
    engine->recalled = NULL;
}

char *engine_states_save(struct engine *engine, bool last, size_t *size)
{
    int64_t now_ns = clock_monotonic_ns(engine->clock);
    uint64_t beats = beats_count(engine->beats);
    bool beats_wait = beats != engine->beats_saved && (last || now_ns >= engine->beats_save_ns);
    if (engine->states_path == NULL || (engine->state_changes == engine->states_saved &&
                                        !beats_wait && !engine_measured_wait(engine, last))) {
        return NULL;
    }
    engine->states_saved = engine->state_changes;
    engine->beats_saved = beats;
    engine->beats_save_ns = now_ns + BEATS_SAVE_NS;
    return check_states_format(engine->health, engine->beats, engine_measured_text(engine, last),
                               engine->clock, size);
}

void engine_states_lost(struct engine *engine)
{
    engine->states_saved = UINT64_MAX;
}

const char *engine_states_path(const struct engine *engine)
{
    return engine->states_path;
}

bool engine_health_trust(struct engine *engine)
{
    return health_trust(engine->health);
}
