// SPDX-License-Identifier: GPL-3.0-or-later
//
// File times are polled (libuv does it on its pool), because that also sees a new file renamed over
// the old one, and files on network file systems.
#include "server/geo_watch.h"

#include "base/clock.h"
#include "base/memory.h"
#include "engine/engine_internal.h"

struct geo_watch {
    struct reload *reload;
    uint64_t interval_ms;
    uv_timer_t quiet; // runs while a change may go on
    uv_fs_poll_t *files;
    size_t file_count;
    size_t open; // handles that are not closed yet
};

static void on_quiet(uv_timer_t *timer)
{
    struct geo_watch *watch = timer->data;
    reload_request(watch->reload, RELOAD_GEO, NULL, NULL);
}

// A file that is gone is waited for: the old data serves.
static void on_change(uv_fs_poll_t *file, int status, const uv_stat_t *before, const uv_stat_t *now)
{
    struct geo_watch *watch = file->data;
    (void)before;
    (void)now;
    if (status == 0) {
        uv_timer_start(&watch->quiet, on_quiet, watch->interval_ms, 0);
    }
}

struct geo_watch *geo_watch_new(uv_loop_t *loop, const struct config *config, struct reload *reload)
{
    size_t count = engine_geo_file_count(config);
    if (config->geo_watch_ns == 0 || count == 0) {
        return NULL;
    }
    struct geo_watch *watch = mem_alloc(sizeof(*watch));
    watch->reload = reload;
    watch->interval_ms = (uint64_t)(config->geo_watch_ns / NS_PER_MS);
    watch->files = mem_alloc_array(count, sizeof(*watch->files));
    watch->file_count = count;
    watch->open = count + 1;
    uv_timer_init(loop, &watch->quiet);
    watch->quiet.data = watch;
    for (size_t i = 0; i < count; i++) {
        uv_fs_poll_init(loop, &watch->files[i]);
        watch->files[i].data = watch;
        int failed = uv_fs_poll_start(&watch->files[i], on_change, engine_geo_file(config, i),
                                      (unsigned)watch->interval_ms);
        SP_ASSERT(failed == 0); // it fails only for want of memory
    }
    return watch;
}

static void on_closed(uv_handle_t *handle)
{
    struct geo_watch *watch = handle->data;
    if (--watch->open == 0) {
        free(watch->files);
        free(watch);
    }
}

void geo_watch_free(struct geo_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    for (size_t i = 0; i < watch->file_count; i++) {
        uv_close((uv_handle_t *)&watch->files[i], on_closed);
    }
    uv_close((uv_handle_t *)&watch->quiet, on_closed);
}
