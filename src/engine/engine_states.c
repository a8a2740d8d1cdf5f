// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/engine_internal.h"

#include "base/memory.h"
#include "base/text_file.h"

enum { SIZE_MAX_MIB = 1024 };

static char *states_path(const struct engine *engine)
{
    return mem_printf("%s/health.states", engine->config->health_state);
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
        const char *reason;
        engine->recalled = check_states_parse(text, size, engine->clock,
                                              engine->config->health_state_age_ns, &reason);
        if (engine->recalled == NULL) {
            diags_error(&diags, (struct place){.file = path}, NULL, "%s", reason);
        }
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

char *engine_states_save(struct engine *engine, size_t *size)
{
    if (engine->states_path == NULL || engine->state_changes == engine->states_saved) {
        return NULL;
    }
    engine->states_saved = engine->state_changes;
    return check_states_format(engine->health, engine->clock, size);
}

const char *engine_states_path(const struct engine *engine)
{
    return engine->states_path;
}

bool engine_health_trust(struct engine *engine)
{
    return health_trust(engine->health);
}
