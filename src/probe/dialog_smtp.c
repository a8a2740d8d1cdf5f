// SPDX-License-Identifier: GPL-3.0-or-later
//
// smtp: the greeting, and on request EHLO with its list of extensions (RFC 5321).
#include "probe/dialog.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { REPLY_MAX = 4096 };
enum step { GREETING, EHLO };

struct smtp {
    enum step step;
    bool starttls; // offered
};

static void smtp_begin(struct dialog *dialog)
{
    dialog->state = mem_alloc(sizeof(struct smtp));
    dialog->in.limit = REPLY_MAX;
    dialog->out.limit = REPLY_MAX;
}

static bool is_digit(uint8_t octet)
{
    return octet >= '0' && octet <= '9';
}

// One line without its end: "250-SIZE 1000", "250 OK", "250". The code, or 0 if it is none; *last
// when no line follows.
static unsigned reply_code(const uint8_t *line, size_t size, bool *last)
{
    if (size < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) ||
        (size > 3 && line[3] != ' ' && line[3] != '-')) {
        return 0;
    }
    *last = size == 3 || line[3] == ' ';
    return (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 +
           (unsigned)(line[2] - '0');
}

static void quit(struct dialog *dialog)
{
    static const char words[] = "QUIT\r\n";
    octets_put(&dialog->out, words, sizeof(words) - 1);
}

static void greeted(struct dialog *dialog)
{
    struct smtp *smtp = dialog->state;
    const struct check_spec *spec = dialog->recipe->spec;
    if (spec->ehlo == NULL && !spec->starttls) {
        quit(dialog);
        dialog_end(dialog, PROBE_OK, "greeted with 220");
        return;
    }
    char words[300];
    int size = snprintf(words, sizeof(words), "EHLO %s\r\n", spec->ehlo ? spec->ehlo : "localhost");
    octets_put(&dialog->out, words, (size_t)size);
    smtp->step = EHLO;
}

static void known(struct dialog *dialog)
{
    struct smtp *smtp = dialog->state;
    quit(dialog);
    if (dialog->recipe->spec->starttls && !smtp->starttls) {
        dialog_end(dialog, PROBE_L7_CONTENT, "STARTTLS is not offered");
    } else {
        dialog_end(dialog, PROBE_OK, "EHLO answered with 250%s",
                   smtp->starttls ? ", STARTTLS is offered" : "");
    }
}

static void line_take(struct dialog *dialog, const uint8_t *line, size_t size)
{
    struct smtp *smtp = dialog->state;
    static const char word[] = "STARTTLS";
    bool last = false;
    unsigned code = reply_code(line, size, &last);
    unsigned good = smtp->step == GREETING ? 220 : 250;
    if (code == 0) {
        dialog_end(dialog, PROBE_L7_INVALID, "not an SMTP reply");
    } else if (code != good) {
        quit(dialog);
        dialog_end(dialog, PROBE_L7_STATUS, "SMTP %u", code);
    } else {
        smtp->starttls |= smtp->step == EHLO && size == 4 + sizeof(word) - 1 &&
                          strncasecmp((const char *)line + 4, word, sizeof(word) - 1) == 0;
        if (last) {
            (smtp->step == GREETING ? greeted : known)(dialog);
        }
    }
}

static void smtp_feed(struct dialog *dialog, const uint8_t *octets, size_t count)
{
    size_t taken = octets_put(&dialog->in, octets, count);
    const uint8_t *end;
    size_t begin = 0;
    while (!dialog->ended &&
           (end = memchr(dialog->in.at + begin, '\n', dialog->in.count - begin))) {
        size_t size = (size_t)(end - (dialog->in.at + begin));
        size_t bare = size > 0 && end[-1] == '\r' ? size - 1 : size;
        line_take(dialog, dialog->in.at + begin, bare);
        begin += size + 1;
    }
    memmove(dialog->in.at, dialog->in.at + begin, dialog->in.count - begin);
    dialog->in.count -= begin;
    dialog->in.limit -= begin; // so all replies together have one limit
    if (!dialog->ended && (taken < count || octets_full(&dialog->in))) {
        dialog_end(dialog, PROBE_L7_INVALID, "the SMTP replies are too long");
    }
}

static void smtp_closed(struct dialog *dialog)
{
    dialog_end(dialog, PROBE_L7_CLOSED, "closed before the SMTP reply was complete");
}

const struct dialog_kind dialog_smtp = {
    .missing = "complete SMTP reply",
    .begin = smtp_begin,
    .feed = smtp_feed,
    .closed = smtp_closed,
};
