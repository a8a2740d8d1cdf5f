// SPDX-License-Identifier: GPL-3.0-or-later
//
// tcp and udp: send octets, expect octets.
#include "probe/dialog.h"

static void expect_begin(struct dialog *dialog)
{
    const struct recipe *recipe = dialog->recipe;
    dialog->out.limit = recipe->send.count;
    octets_put(&dialog->out, recipe->send.at, recipe->send.count);
    dialog->in.limit = recipe->spec->limit ? recipe->spec->limit : CHECK_LIMIT_DEFAULT;
    if (!recipe_expects(recipe) && !dialog->datagrams) {
        dialog_end(dialog, PROBE_OK, recipe->send.count ? "sent" : "connected");
    }
}

static void expect_feed(struct dialog *dialog, const uint8_t *octets, size_t count)
{
    if (dialog->datagrams) {
        dialog->in.count = 0; // each is an answer of its own
    }
    octets_put(&dialog->in, octets, count);
    if (recipe_matches(dialog->recipe, (const char *)dialog->in.at, dialog->in.count)) {
        dialog_end(dialog, PROBE_OK, recipe_expects(dialog->recipe) ? "as expected" : "answered");
    } else if (dialog->datagrams || octets_full(&dialog->in)) {
        dialog_end(dialog, PROBE_L7_CONTENT, "not the expected answer (%zu octets)",
                   dialog->in.count);
    }
}

static void expect_closed(struct dialog *dialog)
{
    if (dialog->in.count == 0) {
        dialog_end(dialog, PROBE_L7_CLOSED, "closed without an answer");
    } else {
        dialog_end(dialog, PROBE_L7_CONTENT, "closed after %zu octets without the expected answer",
                   dialog->in.count);
    }
}

const struct dialog_kind dialog_expect = {
    .missing = "expected answer",
    .begin = expect_begin,
    .feed = expect_feed,
    .closed = expect_closed,
};
