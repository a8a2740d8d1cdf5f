// SPDX-License-Identifier: GPL-3.0-or-later
#include "server/saver.h"

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/memory.h"
#include "engine/engine_internal.h"

enum { PERIOD_MS = 5000 };

struct saver {
    struct engine *engine;
    uv_timer_t timer;
    uv_work_t work;
    bool running;
    char *text;
    size_t size;
    struct diags diags;
};

static void write_out(struct saver *saver)
{
    durable_state_write(engine_states_path(saver->engine), saver->text, saver->size, &saver->diags);
}

static void write_end(struct saver *saver)
{
    if (saver->diags.error_count > 0) {
        engine_states_lost(saver->engine);
        engine_log_fault(LOG_EVENT_STATE_NOT_SAVED, engine_states_path(saver->engine),
                         &saver->diags);
    }
    diags_clear(&saver->diags);
    free(saver->text);
    saver->text = NULL;
}

static void on_work(uv_work_t *work)
{
    write_out(work->data);
}

static void on_written(uv_work_t *work, int status)
{
    (void)status;
    struct saver *saver = work->data;
    saver->running = false;
    write_end(saver);
}

static void on_timer(uv_timer_t *timer)
{
    struct saver *saver = timer->data;
    if (saver->running) {
        return;
    }
    saver->text = engine_states_save(saver->engine, false, &saver->size);
    if (saver->text != NULL) {
        saver->running = true;
        uv_queue_work(timer->loop, &saver->work, on_work, on_written);
    }
}

struct saver *saver_new(uv_loop_t *loop, struct engine *engine)
{
    struct saver *saver = mem_alloc(sizeof(*saver));
    saver->engine = engine;
    saver->work.data = saver;
    uv_timer_init(loop, &saver->timer);
    saver->timer.data = saver;
    if (engine_states_path(engine) != NULL) {
        uv_timer_start(&saver->timer, on_timer, PERIOD_MS, PERIOD_MS);
    }
    return saver;
}

void saver_stop(struct saver *saver)
{
    if (saver != NULL) {
        uv_timer_stop(&saver->timer);
    }
}

bool saver_is_running(const struct saver *saver)
{
    return saver != NULL && saver->running;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void saver_free(struct saver *saver)
{
    if (saver == NULL) {
        return;
    }
    SP_ASSERT(!saver->running);
    saver->text = engine_states_save(saver->engine, true, &saver->size);
    if (saver->text != NULL) {
        write_out(saver);
        write_end(saver);
    }
    uv_close((uv_handle_t *)&saver->timer, on_closed);
}
