// SPDX-License-Identifier: GPL-3.0-or-later
//
// One check definition: a mapping whose keys are the rows of check_options, or the name of a check.
//
// Called by yaml_check.c for zones and by yaml_checks_shared.c for shared.yaml, on pool threads.
// What the table says of an option (type, range, kinds) is all that is known of it here, but for
// texts that have a meaning or a form of their own (text_forms).
#include "format/yaml_check.h"

#include "base/clock.h"
#include "dns/name.h"
#include "dns/types.h"
#include "zone/check_value.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char check_host_of_owner[] = "";

// Keys beside the options.
static const char *const other_keys[] = {"kind", "protocol", "use", "target", "of"};

static uint32_t bit(enum check_kind kind)
{
    return 1U << kind;
}

// --- texts ---

static bool octets_good(const char *text, const char **reason)
{
    uint8_t octets[4096];
    size_t size;
    return strlen(text) < sizeof(octets) && check_octets(text, octets, &size, reason);
}

static bool statuses_good(const char *text, const char **reason)
{
    struct check_statuses statuses;
    return check_statuses(text, &statuses, reason);
}

static bool rcodes_good(const char *text, const char **reason)
{
    uint32_t rcodes;
    return check_rcodes(text, &rcodes, reason);
}

static bool alpn_good(const char *text, const char **reason)
{
    uint8_t wire[CHECK_ALPN_MAX];
    size_t size;
    return check_alpn(text, wire, &size, reason);
}

static bool regex_good(const char *text, const char **reason)
{
    return check_regex(text, reason);
}

static bool query_good(const char *text, const char **reason)
{
    uint8_t wire[NAME_MAX_SIZE];
    return name_parse(text, NULL, wire, reason) > 0;
}

static bool type_good(const char *text, const char **reason)
{
    uint16_t type;
    *reason = "expected a record type such as A";
    return rr_type_parse(text, &type);
}

static bool word_good(const char *text, const char **reason)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    *reason = "expected letters, digits, \"-\", \".\" and \"_\"";
    return text[strspn(text, good)] == '\0';
}

static bool printable_good(const char *text, const char **reason)
{
    *reason = "expected printable ASCII";
    for (; *text; text++) {
        if (*text < ' ' || *text >= 0x7f) {
            return false;
        }
    }
    return true;
}

// --- options with a form of their own ---

// Null is the probed address itself, as in octoDNS.
static bool host_read(const struct check_reader *reader, const struct yaml *at, const char **host)
{
    const char *reason;
    if (at->node->kind == YAML_NULL) {
        *host = NULL;
        return true;
    }
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    if (!check_host(text, &reason)) {
        yaml_error(at, "expected a host name, found \"%.60s\"", text);
        return false;
    }
    *host = arena_strdup(reader->arena, text);
    return true;
}

// Relative to the folder of the document, like every path in it. Whoever opens it may work in
// another folder: it is kept as an absolute path.
static bool ca_read(const struct check_reader *reader, const struct yaml *at, const char **ca)
{
    const char *text = yaml_text(at);
    char here[PATH_MAX] = "";
    if (text == NULL) {
        return false;
    }
    const char *slash = strrchr(reader->path, '/');
    int folder = slash == NULL ? 0 : (int)(slash - reader->path) + 1;
    if (text[0] == '/') {
        *ca = arena_strdup(reader->arena, text);
    } else if (reader->path[0] == '/') {
        *ca = arena_printf(reader->arena, "%.*s%s", folder, reader->path, text);
    } else if (getcwd(here, sizeof(here)) == NULL) {
        yaml_error(at, "expected an absolute path: the working folder is not known");
        return false;
    } else {
        *ca = arena_printf(reader->arena, "%s/%.*s%s", here, folder, reader->path, text);
    }
    return true;
}

// {Accept: text/plain} to "Accept: text/plain\n".
static bool headers_read(const struct check_reader *reader, const struct yaml *at,
                         const char **headers)
{
    const char *lines = "", *reason = "no line ends";
    struct yaml child = {0};
    bool good = true;
    if (!yaml_is_map(at)) {
        return false;
    }
    while (yaml_next(at, &child)) {
        const char *value = yaml_text(&child);
        if (value == NULL) {
            good = false;
            continue;
        }
        const char *line = arena_printf(reader->arena, "%s: %s\n", child.node->key, value);
        if (strchr(value, '\n') || strchr(child.node->key, '\n') || !check_headers(line, &reason)) {
            yaml_error(&child, "%s", reason);
            good = false;
            continue;
        }
        lines = arena_printf(reader->arena, "%s%s", lines, line);
    }
    *headers = lines[0] ? lines : NULL;
    return good;
}

// A text, or a list of texts that are joined with commas.
static const char *list_text(const struct check_reader *reader, const struct yaml *at)
{
    const char *joined = NULL;
    struct yaml child = {0};
    if (at->node->kind != YAML_LIST) {
        return yaml_text(at);
    }
    while (yaml_next(at, &child)) {
        const char *text = yaml_text(&child);
        if (text == NULL) {
            return NULL;
        }
        joined = joined ? arena_printf(reader->arena, "%s,%s", joined, text)
                        : arena_strdup(reader->arena, text);
    }
    if (joined == NULL) {
        yaml_error(at, "expected at least one entry");
    }
    return joined;
}

// What is known of a text option beside its row of check_options: what makes the text good, or how
// it is read where it is no plain text, and whether it may be a list. Options without a row take
// any text.
static const struct text_form {
    const char *option;
    bool (*good)(const char *text, const char **reason);
    bool (*read)(const struct check_reader *reader, const struct yaml *at, const char **field);
    bool list;
} text_forms[] = {
    {"send", octets_good, NULL, false},
    {"expect", octets_good, NULL, false},
    {"status", statuses_good, NULL, true},
    {"rcode", rcodes_good, NULL, true},
    {"alpn", alpn_good, NULL, true},
    {"expect_regex", regex_good, NULL, false},
    {"body_regex", regex_good, NULL, false},
    {"method", check_method, NULL, false},
    {"path", check_path, NULL, false},
    {"load_header", check_header_name, NULL, false},
    {"query", query_good, NULL, false},
    {"type", type_good, NULL, false},
    {"ehlo", word_good, NULL, false},
    {"command", word_good, NULL, false},
    {"name", word_good, NULL, false},
    {"service", printable_good, NULL, false},
    {"load_json", printable_good, NULL, false},
    {"host", NULL, host_read, false},
    {"ca", NULL, ca_read, false},
    {"headers", NULL, headers_read, false},
};

static const struct text_form *text_form_of(const struct check_option *option)
{
    static const struct text_form any = {0};
    for (size_t i = 0; i < ARRAY_SIZE(text_forms); i++) {
        if (strcmp(text_forms[i].option, option->name) == 0) {
            return &text_forms[i];
        }
    }
    return &any;
}

static bool text_check(const struct yaml *at, const struct check_option *option,
                       const struct text_form *form, const char *text)
{
    const char *reason = NULL;
    if ((int64_t)strlen(text) > option->most) {
        yaml_error(at, "at most %lld characters", (long long)option->most);
        return false;
    }
    if (form->good != NULL && !form->good(text, &reason)) {
        yaml_error(at, "%s, found \"%.60s\"", reason, text);
        return false;
    }
    return true;
}

static bool text_read(const struct check_reader *reader, const struct yaml *at,
                      const struct check_option *option, const char **field)
{
    const struct text_form *form = text_form_of(option);
    if (form->read != NULL) {
        return form->read(reader, at, field) &&
               (*field == NULL || text_check(at, option, form, *field));
    }
    if (at->node->kind == YAML_NULL) {
        return true;
    }
    const char *text = form->list ? list_text(reader, at) : yaml_text(at);
    if (text == NULL || !text_check(at, option, form, text)) {
        return false;
    }
    *field = arena_strdup(reader->arena, text);
    return true;
}

static bool option_read(const struct check_reader *reader, const struct yaml *at,
                        const struct check_option *option, struct check_spec *check)
{
    void *field = (char *)check + option->offset;
    switch (option->type) {
    case CHECK_OPTION_NUMBER:
        return yaml_number(at, (uint32_t)option->least, (uint32_t)option->most, field);
    case CHECK_OPTION_BOOL:
        return yaml_bool(at, field);
    case CHECK_OPTION_DURATION:
        return yaml_duration(at, option->least, option->most, field);
    case CHECK_OPTION_TEXT:
        return text_read(reader, at, option, field);
    }
    return false;
}

bool check_reader_change(const struct check_reader *reader, const struct yaml *at,
                         struct check_spec *check)
{
    bool good = true;
    for (size_t i = 0; i < check_option_count; i++) {
        const struct check_option *option = &check_options[i];
        struct yaml child;
        if ((option->kinds & bit(check->kind)) && yaml_get(at, option->name, &child)) {
            good &= option_read(reader, &child, option, check);
        }
    }
    return good;
}

// Every key is an option of the kind, or is warned of.
static void keys_compare(const struct yaml *at, enum check_kind kind)
{
    const char *known[ARRAY_SIZE(other_keys) + 128];
    size_t count = 0;
    for (; count < ARRAY_SIZE(other_keys); count++) {
        known[count] = other_keys[count];
    }
    SP_ASSERT(check_option_count <= 128);
    for (size_t i = 0; i < check_option_count; i++) {
        struct yaml child;
        bool meant = false; // by a row of another kind with the same name
        known[count++] = check_options[i].name;
        for (size_t k = 0; k < check_option_count; k++) {
            meant |= strcmp(check_options[i].name, check_options[k].name) == 0 &&
                     (check_options[k].kinds & bit(kind));
        }
        if (!meant && yaml_get(at, check_options[i].name, &child)) {
            yaml_warning(&child, "checks of kind %s have no such option: left out of account",
                         check_kinds[kind].name);
        }
    }
    yaml_known_keys(at, known, count);
}

// --- target, operands, kind ---

static bool target_read(const struct yaml *at, struct check_spec *check)
{
    const char *text = yaml_text(at);
    struct address address;
    uint16_t port;
    if (text == NULL) {
        return false;
    }
    if (address_parse(text, &address)) {
        check->target = address;
        return true;
    }
    if (endpoint_parse(text, false, &address, &port) && check_kinds[check->kind].has_port) {
        check->target = address;
        check->port = port;
        return true;
    }
    yaml_error(at, "expected an address, or one with a port, found \"%.60s\"", text);
    return false;
}

static bool operands_read(const struct check_reader *reader, const struct yaml *at,
                          struct check_spec *check)
{
    struct check_reader inner = *reader;
    struct yaml list, child = {0};
    inner.depth++;
    if (!yaml_get(at, "of", &list)) {
        yaml_error(at, "missing \"of\": the checks that \"%s\" is about",
                   check_kinds[check->kind].name);
        return false;
    }
    if (!yaml_is_list(&list)) {
        return false;
    }
    size_t count = list.node->child_count;
    if (count == 0 || count > CHECK_OPERANDS_MAX || (check->kind == CHECK_NOT && count != 1)) {
        yaml_error(&list, "expected %s, found %zu",
                   check->kind == CHECK_NOT ? "exactly 1 check" : "1 to 32 checks", count);
        return false;
    }
    const struct check_spec **operands = arena_alloc(reader->arena, count * sizeof(*operands));
    bool good = true;
    for (size_t i = 0; yaml_next(&list, &child); i++) {
        struct check_spec *operand = arena_alloc(reader->arena, sizeof(*operand));
        good &= check_reader_read(&inner, &child, operand);
        operands[i] = operand;
    }
    check->operands = operands;
    check->operand_count = count;
    return good;
}

static bool kind_read(const struct yaml *at, enum check_kind *kind)
{
    const char *names[CHECK_KIND_COUNT - 1];
    const char *capitals[CHECK_KIND_COUNT - 1] = {"TCP", "HTTP", "HTTPS", "ICMP", "UDP"};
    struct yaml child;
    unsigned choice;
    if (!yaml_get(at, "kind", &child) && !yaml_get(at, "protocol", &child)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        names[i] = check_kinds[i + 1].name;
    }
    const char *text = yaml_text(&child);
    bool octodns = text && *text >= 'A' && *text <= 'Z';
    if (!yaml_choice(&child, octodns ? capitals : names, octodns ? 5 : ARRAY_SIZE(names),
                     &choice)) {
        return false;
    }
    *kind = (enum check_kind)(choice + 1);
    return true;
}

void check_reader_begin(const struct check_reader *reader, enum check_kind kind,
                        struct check_spec *check)
{
    check_spec_begin(check, kind);
    if (kind == CHECK_HTTP || kind == CHECK_HTTPS || kind == CHECK_TLS || kind == CHECK_GRPC) {
        check->host = reader->owner;
    }
    if (kind == CHECK_DNS) {
        check->query = reader->owner;
    }
    if (kind == CHECK_HTTP || kind == CHECK_HTTPS) {
        check->path = "/";
    }
}

// --- a whole definition ---

static bool use_read(const struct check_reader *reader, const struct yaml *at,
                     struct check_spec *check)
{
    struct yaml use;
    if (!yaml_get(at, "use", &use)) {
        return true;
    }
    const char *name = yaml_text(&use);
    const struct check_spec *named = name ? reader->named(reader, &use, name) : NULL;
    if (named) {
        *check = *named;
    }
    return named != NULL;
}

// The options that both kinds know stay.
static void kind_change(const struct check_reader *reader, enum check_kind kind,
                        struct check_spec *check)
{
    struct check_spec old = *check;
    check_reader_begin(reader, kind, check);
    if (old.kind == CHECK_NONE) {
        return;
    }
    check_spec_carry(check, &old);
}

bool check_reader_finish(const struct yaml *at, const struct check_spec *check)
{
    const struct check_kind_info *info = &check_kinds[check->kind];
    const char *fault = NULL;
    if (info->has_port && check->port == 0) {
        fault = "missing \"port\"";
    } else if (info->probed && check->timeout_ns > check->interval_ns) {
        fault = "the timeout must not be longer than the interval";
    } else if (check->kind == CHECK_UDP && check->send == NULL) {
        fault = "missing \"send\": a udp check needs octets to send";
    } else if (check->kind == CHECK_EXEC && check->command == NULL) {
        fault = "missing \"command\"";
    } else if (check->kind == CHECK_HEARTBEAT && check->beat == NULL) {
        fault = "missing \"name\"";
    } else if (check->kind == CHECK_AT_LEAST &&
               (check->least == 0 || check->least > check->operand_count)) {
        fault = "\"least\" must be from 1 to the number of checks";
    } else if (check->load_header && check->load_json) {
        fault = "\"load_header\" and \"load_json\" exclude each other";
    } else if (check->method && strcmp(check->method, "HEAD") == 0 &&
               (check->body || check->body_regex || check->load_json)) {
        fault = "an answer to HEAD has no body to look at";
    }
    if (fault) {
        yaml_error(at, "%s", fault);
    }
    return fault == NULL;
}

static bool map_read(const struct check_reader *reader, const struct yaml *at,
                     struct check_spec *check)
{
    struct yaml child;
    bool good = use_read(reader, at, check);
    enum check_kind kind = check->kind;
    if (!good || !kind_read(at, &kind)) {
        return false;
    }
    if (kind == CHECK_NONE) {
        yaml_error(at, "missing \"kind\": say tcp, http or https (or write octodns.healthcheck)");
        return false;
    }
    if (kind != check->kind) {
        kind_change(reader, kind, check);
    }
    keys_compare(at, kind);
    good &= check_reader_change(reader, at, check);
    if (check_kinds[kind].probed && check->timeout_ns > check->interval_ns &&
        !yaml_has(at, "timeout")) {
        check->timeout_ns = check->interval_ns; // the default follows a short interval
    }
    if (yaml_get(at, "target", &child)) {
        good &= target_read(&child, check);
    }
    if (check_kind_is_expression(kind) && (yaml_has(at, "of") || check->operand_count == 0)) {
        good &= operands_read(reader, at, check);
    }
    return good && check_reader_finish(yaml_get(at, "timeout", &child) ? &child : at, check);
}

bool check_reader_read(const struct check_reader *reader, const struct yaml *at,
                       struct check_spec *check)
{
    if (reader->depth > CHECK_DEPTH_MAX) {
        yaml_error(at, "checks within checks, more than %d deep", CHECK_DEPTH_MAX);
        return false;
    }
    if (at->node->kind == YAML_SCALAR) {
        const char *name = yaml_text(at);
        const struct check_spec *named = name ? reader->named(reader, at, name) : NULL;
        if (named) {
            *check = *named;
        }
        return named != NULL;
    }
    return yaml_is_map(at) && map_read(reader, at, check);
}

// --- from shared.yaml to an owner ---

static void owner_bind(struct arena *arena, struct check_spec *spec, const char *owner)
{
    if (spec->host == check_host_of_owner) {
        spec->host = owner;
    }
    if (spec->query == check_host_of_owner) {
        spec->query = owner;
    }
    const struct check_spec **operands =
        arena_alloc(arena, spec->operand_count * sizeof(*operands));
    for (size_t i = 0; i < spec->operand_count; i++) {
        operands[i] = check_bind(arena, spec->operands[i], owner);
    }
    spec->operands = spec->operand_count ? operands : NULL;
}

const struct check_spec *check_bind(struct arena *arena, const struct check_spec *spec,
                                    const char *owner)
{
    struct check_spec *bound = arena_copy(arena, spec, sizeof(*spec));
    for (size_t i = 0; i < check_option_count; i++) {
        const char **field = (const char **)(void *)((char *)bound + check_options[i].offset);
        if (check_options[i].type == CHECK_OPTION_TEXT && *field && *field != check_host_of_owner) {
            *field = arena_strdup(arena, *field);
        }
    }
    owner_bind(arena, bound, owner);
    return bound;
}
