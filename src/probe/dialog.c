// SPDX-License-Identifier: GPL-3.0-or-later
#include "probe/dialog.h"

#include <stdarg.h>
#include <stdio.h>

const struct dialog_kind *dialog_kind_of(const struct check_spec *spec)
{
    static const struct dialog_kind *const kinds[CHECK_KIND_COUNT] = {
        [CHECK_TCP] = &dialog_expect, [CHECK_UDP] = &dialog_expect, [CHECK_HTTP] = &dialog_http,
        [CHECK_HTTPS] = &dialog_http, [CHECK_SMTP] = &dialog_smtp,  [CHECK_DNS] = &dialog_dns,
        [CHECK_GRPC] = &dialog_grpc,
    };
    return kinds[spec->kind];
}

void dialog_begin(struct dialog *dialog)
{
    dialog->kind->begin(dialog);
}

void dialog_feed(struct dialog *dialog, const uint8_t *octets, size_t count)
{
    if (!dialog->ended && count > 0) {
        dialog->kind->feed(dialog, octets, count);
    }
}

void dialog_closed(struct dialog *dialog)
{
    if (!dialog->ended) {
        dialog->kind->closed(dialog);
    }
}

void dialog_forget(struct dialog *dialog)
{
    if (dialog->kind && dialog->kind->forget) {
        dialog->kind->forget(dialog);
    } else {
        free(dialog->state);
    }
    dialog->state = NULL;
    octets_free(&dialog->in);
    octets_free(&dialog->out);
}

void dialog_end(struct dialog *dialog, enum probe_reason reason, const char *format, ...)
{
    struct probe_result *result = dialog->result;
    va_list arguments;
    va_start(arguments, format);
    result->reason = reason;
    vsnprintf(result->detail, sizeof(result->detail), format, arguments);
    va_end(arguments);
    dialog->ended = true;
}
