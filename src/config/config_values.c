// SPDX-License-Identifier: GPL-3.0-or-later
//
// Values of signpost.yaml: one setter an option type. Called by config.c for each key that it met,
// and for the default of each that it did not, so that defaults pass the same checks.
//
// A setter stores only sound values; every fault is reported at the scalar that has it, with what
// was expected. Bytes of the file reach no assertion.
#include "config/config_options.h"

#include "answer/generation.h"
#include "base/clock.h"
#include "base/hash.h"
#include "dns/name.h"
#include "lint/lint.h"

#include <errno.h>
#include <math.h>
#include <net/if.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// What a setter works with. `element` points to the field of a plain option, or to one element of a
// list; the setter writes there.
struct value {
    const struct config_reader *reader;
    const struct option *option;
    const char *text;
    struct place place;
    void *element;
};

static bool PRINTF_LIKE(2, 3) refuse(const struct value *value, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    diags_error(value->reader->diags, value->place, value->option->info.name, "%s", message);
    return false;
}

static bool parse_endpoint(const struct value *value)
{
    struct endpoint *endpoint = value->element;
    bool any_port = value->option->info.min == 0; // the kernel's choice
    if (!endpoint_parse(value->text, any_port, &endpoint->address, &endpoint->port)) {
        return refuse(value,
                      "\"%s\" is no endpoint: expected address:port, like \"127.0.0.1:53\" or "
                      "\"[::1]:53\"",
                      value->text);
    }
    return true;
}

static bool parse_count(const struct value *value)
{
    const struct option_info *info = &value->option->info;
    char *end;
    errno = 0;
    long long number = strtoll(value->text, &end, 10);
    if (*value->text == '\0' || *end != '\0' || strchr(" \t\n+", *value->text) != NULL) {
        return refuse(value, "expected a whole number of %s, not \"%s\"", info->unit, value->text);
    }
    if (errno == ERANGE || number < info->min || number > info->max) {
        return refuse(value, "%s is out of range: expected %lld..%lld %s", value->text,
                      (long long)info->min, (long long)info->max, info->unit);
    }
    *(uint32_t *)value->element = (uint32_t)number;
    return true;
}

static unsigned core_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    return (unsigned)MAX(CPU_COUNT(&set), 1);
}

static bool parse_count_or_auto(const struct value *value)
{
    if (strcmp(value->text, "auto") != 0) {
        return parse_count(value);
    }
    *(uint32_t *)value->element = (uint32_t)MIN(core_count(), (unsigned)value->option->info.max);
    return true;
}

static bool parse_duration(const struct value *value)
{
    const struct option_info *info = &value->option->info;
    char *end;
    errno = 0;
    double seconds = strtod(value->text, &end);
    // Only digits and a point: strtod also takes "inf", "0x10" and leading space.
    if (*value->text == '\0' || *end != '\0' ||
        strspn(value->text, "-0123456789.") != strlen(value->text)) {
        return refuse(value, "expected a number of %s, not \"%s\"", info->unit, value->text);
    }
    if (!isfinite(seconds) || seconds < (double)info->min || seconds > (double)info->max) {
        return refuse(value, "%s is out of range: expected %lld..%lld %s", value->text,
                      (long long)info->min, (long long)info->max, info->unit);
    }
    *(int64_t *)value->element = llround(seconds * (double)NS_PER_SECOND);
    return true;
}

static bool parse_path(const struct value *value)
{
    if (*value->text == '\0') {
        return refuse(value, "expected a path, not an empty text");
    }
    const char *folder = *value->text == '/' ? "" : value->reader->folder;
    *(const char **)value->element =
        arena_printf(value->reader->config->arena, "%s%s", folder, value->text);
    return true;
}

static bool is_off(const char *text)
{
    return strcmp(text, "off") == 0 || strcmp(text, "false") == 0;
}

static bool parse_path_or_off(const struct value *value)
{
    if (!is_off(value->text)) {
        return parse_path(value);
    }
    *(const char **)value->element = NULL;
    return true;
}

static bool parse_text(const struct value *value, size_t size_max)
{
    if (strlen(value->text) > size_max) {
        return refuse(value, "is too long: expected %zu bytes at most", size_max);
    }
    *(const char **)value->element = is_off(value->text) ? NULL : value->text;
    return true;
}

static bool parse_text_or_off(const struct value *value)
{
    return parse_text(value, 255); // one character-string of a TXT record
}

static bool parse_id_or_off(const struct value *value)
{
    if (*value->text == '\0') {
        return refuse(value, "is empty: expected a text or off");
    }
    return parse_text(value, NSID_MAX_SIZE);
}

static bool parse_prefix(const struct value *value)
{
    bool host_bits = false;
    if (prefix_parse(value->text, value->element, &host_bits)) {
        return true;
    }
    if (host_bits) {
        return refuse(value, "\"%s\" has bits set past its length: expected the first address",
                      value->text);
    }
    return refuse(value, "\"%s\" is no network: expected CIDR, like 192.0.2.0/24 or 2001:db8::/32",
                  value->text);
}

static bool parse_name(const struct value *value)
{
    uint8_t wire[NAME_MAX_SIZE];
    const char *reason = NULL;
    if (name_parse(value->text, NULL, wire, &reason) == 0) {
        return refuse(value, "\"%s\" is no domain name: %s", value->text, reason);
    }
    char text[NAME_TEXT_MAX];
    *(const char **)value->element =
        arena_strdup(value->reader->config->arena, name_format(wire, text));
    return true;
}

static bool parse_mailbox(const struct value *value)
{
    uint8_t wire[NAME_MAX_SIZE];
    const char *reason = "the part before @ is empty or too long";
    const char *at = strchr(value->text, '@');
    size_t local = at == NULL ? 1 : (size_t)(at - value->text);
    if (local < 1 || local > LABEL_MAX_SIZE ||
        name_parse(at == NULL ? value->text : at + 1, NULL, wire, &reason) == 0) {
        return refuse(value, "\"%s\" is no mailbox: %s", value->text, reason);
    }
    *(const char **)value->element = value->text;
    return true;
}

static bool parse_bool(const struct value *value)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcasecmp(value->text, words[i]) == 0) {
            *(bool *)value->element = i % 2 == 1;
            return true;
        }
    }
    return refuse(value, "expected true or false, not \"%s\"", value->text);
}

static bool parse_enum(const struct value *value)
{
    const struct option_info *info = &value->option->info;
    for (unsigned i = 0; info->choices[i] != NULL; i++) {
        if (strcmp(value->text, info->choices[i]) == 0) {
            memcpy(value->element, &i, sizeof(i));
            return true;
        }
    }
    char range[128];
    return refuse(value, "\"%s\" is unknown: expected %s", value->text,
                  option_range(info, range, sizeof(range)));
}

static bool parse_lint(const struct value *value)
{
    if (lint_rule_find(value->text) < 0) {
        return refuse(value, "there is no lint rule \"%s\"; `signpost check --lint-list` shows all",
                      value->text);
    }
    *(const char **)value->element = value->text;
    return true;
}

static bool parse_key(const struct value *value)
{
    *(uint64_t *)value->element = hash_bytes(0, value->text, strlen(value->text));
    return true;
}

static bool parse_interface(const struct value *value)
{
    size_t size = strlen(value->text);
    if (size == 0 || size >= IF_NAMESIZE || strpbrk(value->text, "/ \t\n") != NULL) {
        return refuse(value, "\"%s\" is no name of a network interface: expected one like \"eth0\"",
                      value->text);
    }
    *(const char **)value->element = arena_strdup(value->reader->config->arena, value->text);
    return true;
}

// "NAME=/path ARGUMENT ...", split at blanks.
static bool parse_command(const struct value *value)
{
    struct arena *arena = value->reader->config->arena;
    struct config_command *command = value->element;
    char *text = arena_strdup(arena, value->text), *state = NULL;
    char *equals = strchr(text, '=');
    size_t words = 0;
    if (equals == NULL || equals == text || strcspn(text, " \t\n") < (size_t)(equals - text) ||
        equals[1] != '/') {
        return refuse(value, "expected NAME=/path/to/command ARGUMENT ..., not \"%s\"",
                      value->text);
    }
    *equals = '\0';
    command->name = text;
    command->argv = arena_alloc(arena, (strlen(equals + 1) + 2) * sizeof(*command->argv));
    for (char *word = strtok_r(equals + 1, " \t\n", &state); word;
         word = strtok_r(NULL, " \t\n", &state)) {
        command->argv[words++] = word;
    }
    return true;
}

static bool parse_user(const struct value *value)
{
    if (!is_off(value->text) && getpwnam(value->text) == NULL) {
        return refuse(value, "there is no user \"%s\"", value->text);
    }
    *(const char **)value->element = is_off(value->text) ? NULL : value->text;
    return true;
}

_Static_assert(offsetof(struct database, path) == 0, "parse_path writes the path");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "parse_enum writes an unsigned");
_Static_assert(sizeof(enum line_precedence) == sizeof(unsigned), "parse_enum writes an unsigned");
_Static_assert(sizeof(enum cookie_mode) == sizeof(unsigned), "parse_enum writes an unsigned");
_Static_assert(sizeof(enum xdp_wish) == sizeof(unsigned), "parse_enum writes an unsigned");
_Static_assert(sizeof(enum store_driver) == sizeof(unsigned), "parse_enum writes an unsigned");
_Static_assert(sizeof(enum health_process) == sizeof(unsigned), "parse_enum writes an unsigned");

static bool parse_mapping_only(const struct value *value)
{
    return refuse(value, "expected a %s", option_type_text(value->option->info.type));
}

// Two sockets on one endpoint would fail only later, with a less clear message.
static bool endpoint_is_new(const struct value *value, const void *elements, size_t count)
{
    const struct endpoint *endpoint = value->element, *others = elements;
    for (size_t i = 0; i < count; i++) {
        if (endpoint->port != 0 && endpoint->port == others[i].port &&
            address_equal(&endpoint->address, &others[i].address)) {
            return refuse(value, "\"%s\" is given twice", value->text);
        }
    }
    return true;
}

// Which of two commands of one name runs would be anybody's guess.
static bool command_is_new(const struct value *value, const void *elements, size_t count)
{
    const struct config_command *command = value->element, *others = elements;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(command->name, others[i].name) == 0) {
            return refuse(value, "the command \"%s\" is given twice", command->name);
        }
    }
    return true;
}

// How a type is parsed; for lists the size of an element (0: no list), and what must not stand in
// one twice (NULL: anything may).
static const struct {
    bool (*parse)(const struct value *value);
    size_t element_size;
    bool (*is_new)(const struct value *value, const void *elements, size_t count);
} setters[OPTION_TYPE_COUNT] = {
    [OPTION_ENDPOINTS] = {parse_endpoint, sizeof(struct endpoint), endpoint_is_new},
    [OPTION_ENDPOINTS_OR_NONE] = {parse_endpoint, sizeof(struct endpoint), endpoint_is_new},
    [OPTION_COUNT] = {parse_count, 0, NULL},
    [OPTION_COUNT_OR_AUTO] = {parse_count_or_auto, 0, NULL},
    [OPTION_PATH] = {parse_path, 0, NULL},
    [OPTION_PATH_OR_OFF] = {parse_path_or_off, 0, NULL},
    [OPTION_DATABASES] = {parse_path, sizeof(struct database), NULL},
    [OPTION_PREFIXES] = {parse_prefix, sizeof(struct prefix), NULL},
    [OPTION_NAMES] = {parse_name, sizeof(const char *), NULL},
    [OPTION_MAILBOX] = {parse_mailbox, 0, NULL},
    [OPTION_BOOL] = {parse_bool, 0, NULL},
    [OPTION_ENUM] = {parse_enum, 0, NULL},
    [OPTION_DURATION] = {parse_duration, 0, NULL},
    [OPTION_TEXT_OR_OFF] = {parse_text_or_off, 0, NULL},
    [OPTION_ID_OR_OFF] = {parse_id_or_off, 0, NULL},
    [OPTION_INTERFACES] = {parse_interface, sizeof(const char *), NULL},
    [OPTION_KEY] = {parse_key, 0, NULL},
    [OPTION_WEBHOOKS] = {parse_mapping_only, sizeof(struct webhook), NULL},
    [OPTION_LINTS] = {parse_lint, sizeof(const char *), NULL},
    [OPTION_COMMANDS] = {parse_command, sizeof(struct config_command), command_is_new},
    [OPTION_USER] = {parse_user, 0, NULL},
};

// Nothing, or one of YAML's words for it.
static bool is_nothing(struct fy_node *node)
{
    static const char *const words[] = {"~", "null", "Null", "NULL"};
    size_t size = 0;
    const char *text = fy_node_is_scalar(node) && fy_node_get_style(node) == FYNS_PLAIN
                           ? fy_node_get_scalar(node, &size)
                           : NULL;
    bool found = fy_node_is_null(node);
    for (size_t i = 0; text != NULL && i < ARRAY_SIZE(words); i++) {
        found |= strlen(words[i]) == size && memcmp(words[i], text, size) == 0;
    }
    return found;
}

static const char *node_kind(struct fy_node *node)
{
    if (is_nothing(node)) {
        return "nothing";
    }
    if (fy_node_is_alias(node)) {
        return "an alias";
    }
    switch (fy_node_get_type(node)) {
    case FYNT_SEQUENCE:
        return "a list";
    case FYNT_MAPPING:
        return "a mapping";
    default:
        return "a text";
    }
}

static bool refuse_kind(const struct value *value, struct fy_node *node)
{
    return refuse(value, "expected a %s, not %s", option_type_text(value->option->info.type),
                  node_kind(node));
}

static bool set_scalar(struct value *value, struct fy_node *node)
{
    value->place = node_place(value->reader, node, value->place);
    value->text = is_nothing(node) ? NULL : node_text(value->reader, node);
    if (value->text == NULL) {
        return refuse_kind(value, node);
    }
    return setters[value->option->info.type].parse(value);
}

// One path of `fields`, into the member that has its name.
static bool set_field(struct value *value, const char *key, struct fy_node *node,
                      struct geo_fields *fields)
{
    const struct {
        const char *key, **field;
    } known[] = {{"country", &fields->country},   {"region", &fields->region},
                 {"latitude", &fields->latitude}, {"longitude", &fields->longitude},
                 {"asn", &fields->asn},           {"organisation", &fields->organisation}};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(known[i].key, key) == 0) {
            const char *path = fy_node_is_scalar(node) ? node_text(value->reader, node) : NULL;
            size_t steps = 1;
            for (const char *at = path; at != NULL && (at = strchr(at, '.')) != NULL; at++) {
                steps++;
            }
            if (path == NULL || *path == 0 || steps > GEO_FIELD_STEPS_MAX) {
                return refuse(value, "expected a path of 1 to %d keys, as country.iso_code",
                              GEO_FIELD_STEPS_MAX);
            }
            if (*known[i].field != NULL) {
                return refuse(value, "\"%s\" is given twice", key);
            }
            *known[i].field = path;
            return true;
        }
    }
    return refuse(value,
                  "unknown field \"%s\": expected country, region, latitude, longitude, asn or "
                  "organisation",
                  key);
}

static bool set_fields(struct value *value, struct fy_node *node)
{
    struct database *database = value->element;
    struct fy_node_pair *pair;
    void *cursor = NULL;
    bool sound = true;
    if (!fy_node_is_mapping(node)) {
        return refuse(value, "expected fields: {country: ..., ...}, not %s", node_kind(node));
    }
    while ((pair = fy_node_mapping_iterate(node, &cursor)) != NULL) {
        const char *key = node_text(value->reader, fy_node_pair_key(pair));
        struct value at = *value;
        at.place = node_place(value->reader, fy_node_pair_key(pair), value->place);
        sound &= set_field(&at, key ? key : "", fy_node_pair_value(pair), &database->fields);
    }
    const struct geo_fields *fields = &database->fields;
    bool half = !fields->country && (fields->region || fields->latitude || fields->longitude);
    if (sound && (half || (!fields->asn && fields->organisation))) {
        return refuse(value, "a path to the %s is missing", half ? "country" : "asn");
    }
    return sound;
}

// {path: city.mmdb, fields: {...}}: an element of geo.databases in its long form.
static bool set_database(struct value *value, struct fy_node *node)
{
    struct fy_node *path = NULL;
    struct fy_node_pair *pair;
    void *cursor = NULL;
    bool sound = true, has_fields = false;
    value->place = node_place(value->reader, node, value->place);
    while ((pair = fy_node_mapping_iterate(node, &cursor)) != NULL) {
        const char *key = node_text(value->reader, fy_node_pair_key(pair));
        struct value at = *value;
        at.place = node_place(value->reader, fy_node_pair_key(pair), value->place);
        if (key != NULL && strcmp(key, "fields") == 0) {
            sound &= has_fields ? refuse(&at, "fields is given twice")
                                : set_fields(&at, fy_node_pair_value(pair));
            has_fields = true;
        } else if (key == NULL || strcmp(key, "path") != 0) {
            sound = refuse(&at, "unknown key \"%s\": expected path or fields", key ? key : "");
        } else if (path != NULL) {
            sound = refuse(&at, "path is given twice");
        } else {
            path = fy_node_pair_value(pair);
        }
    }
    if (path == NULL) {
        return sound && refuse(value, "expected {path: ...}");
    }
    return set_scalar(value, path) && sound;
}

static bool set_element(struct value *value, struct fy_node *node)
{
    if (value->option->info.type == OPTION_WEBHOOKS && fy_node_is_mapping(node)) {
        value->place = node_place(value->reader, node, value->place);
        return webhook_set(value->reader, value->option->info.name, node, value->place,
                           value->element);
    }
    if (value->option->info.type == OPTION_DATABASES && fy_node_is_mapping(node)) {
        return set_database(value, node);
    }
    return set_scalar(value, node);
}

static void set_list(struct value *value, struct fy_node *node)
{
    const struct option *option = value->option;
    struct config *config = value->reader->config;
    size_t size = setters[option->info.type].element_size;
    bool (*is_new)(const struct value *value, const void *elements, size_t count) =
        setters[option->info.type].is_new;
    bool sequence = fy_node_is_sequence(node);
    // One element may stand without its list.
    if (!sequence && (fy_node_is_null(node) || !fy_node_is_scalar(node))) {
        refuse_kind(value, node);
        return;
    }
    size_t capacity = sequence ? (size_t)fy_node_sequence_item_count(node) : 1;
    char *elements = arena_alloc(config->arena, capacity * size);
    size_t count = 0;
    void *cursor = NULL;
    struct fy_node *item = sequence ? fy_node_sequence_iterate(node, &cursor) : node;
    for (; item != NULL; item = sequence ? fy_node_sequence_iterate(node, &cursor) : NULL) {
        struct value one = *value;
        one.element = elements + count * size;
        if (set_element(&one, item) && (is_new == NULL || is_new(&one, elements, count))) {
            count++;
        }
    }
    if (capacity == 0 && option->info.type == OPTION_ENDPOINTS) {
        refuse(value, "is empty: expected at least one address:port");
    }
    memcpy((char *)config + option->offset, &elements, sizeof(elements));
    memcpy((char *)config + option->count_offset, &count, sizeof(count));
}

void option_set(const struct config_reader *reader, const struct option *option,
                struct fy_node *node, struct place place)
{
    struct value value = {
        .reader = reader,
        .option = option,
        .place = place,
        .element = (char *)reader->config + option->offset,
    };
    SP_ASSERT(setters[option->info.type].parse != NULL);
    if (setters[option->info.type].element_size > 0) {
        value.place = node_place(reader, node, place);
        set_list(&value, node);
    } else {
        set_scalar(&value, node);
    }
}
