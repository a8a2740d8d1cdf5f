// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/cookie_file.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/text_file.h"

#include <string.h>

enum { FILE_SIZE_MAX_MIB = 1 };

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool secret_parse(const char *text, uint8_t secret[COOKIE_SECRET_SIZE])
{
    for (unsigned i = 0; i < COOKIE_SECRET_SIZE; i++) {
        int high = digit_value(text[2 * i]);
        int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        secret[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * COOKIE_SECRET_SIZE] == '\0';
}

// Cuts off a comment and the blanks at both ends.
static char *line_trim(char *line)
{
    static const char blanks[] = " \t\r";
    line += strspn(line, blanks);
    size_t size = strcspn(line, "#");
    while (size > 0 && strchr(blanks, line[size - 1]) != NULL) {
        size--;
    }
    line[size] = '\0';
    return line;
}

// The line itself stays out of the message: it may be a secret with a slip of the pen.
static void line_read(const char *line, struct place place, struct cookie_secrets *secrets,
                      struct diags *diags)
{
    if (line[0] == '\0') {
        return;
    }
    if (secrets->count == COOKIE_SECRETS_MAX) {
        diags_error(diags, place, NULL, "more than %d secrets", COOKIE_SECRETS_MAX);
    } else if (secret_parse(line, secrets->secrets[secrets->count])) {
        secrets->count++;
    } else {
        diags_error(diags, place, NULL, "expected a secret of 32 hexadecimal digits");
    }
}

bool cookie_file_read(const char *path, struct cookie_secrets *secrets, struct diags *diags)
{
    size_t size, errors_before = diags->error_count;
    char *text = text_file_read(path, FILE_SIZE_MAX_MIB, false, diags, &size);
    if (text == NULL) {
        return false;
    }
    *secrets = (struct cookie_secrets){0};
    struct place place = {.file = path, .line = 0, .column = 1};
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        place.line++;
        line_read(line_trim(line), place, secrets, diags);
    }
    if (secrets->count == 0 && diags->error_count == errors_before) {
        diags_error(diags, (struct place){.file = path}, NULL, "there is no secret in the file");
    }
    explicit_bzero(text, size);
    free(text);
    return diags->error_count == errors_before;
}

void cookie_secrets_random(struct cookie_secrets *secrets)
{
    secrets->count = 1;
    for (unsigned i = 0; i < COOKIE_SECRET_SIZE; i += 8) {
        uint64_t word = random_seed();
        memcpy(secrets->secrets[0] + i, &word, sizeof(word));
    }
}
