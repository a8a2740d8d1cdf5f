// SPDX-License-Identifier: GPL-3.0-or-later
#include "server/faults.h"

#include "base/log.h"

#include <stdio.h>

// The place of a fault as fields: what is not known is left out.
static void format_place(const struct diag *diag, char *text, size_t size)
{
    char quoted[512];
    size_t used = 0;
    text[0] = '\0';
    if (diag->file != NULL) {
        used +=
            (size_t)snprintf(text, size, "file=%s ", log_quote(diag->file, quoted, sizeof(quoted)));
    }
    if (diag->line > 0) {
        used += (size_t)snprintf(text + used, size - used, "line=%u column=%u ", diag->line,
                                 diag->column);
    }
    if (diag->key != NULL) {
        snprintf(text + used, size - used, "key=%s ", log_quote(diag->key, quoted, sizeof(quoted)));
    }
}

void faults_log(const struct diags *diags)
{
    char place[1100], message[1100];
    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *diag = &diags->items[i];
        enum log_event event =
            diag->severity == SEVERITY_ERROR ? LOG_EVENT_INPUT_ERROR : LOG_EVENT_INPUT_WARNING;
        format_place(diag, place, sizeof(place));
        log_event(event, "%smessage=%s", place, log_quote(diag->message, message, sizeof(message)));
    }
}
