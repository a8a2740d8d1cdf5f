// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/manual_file.h"

#include "base/durable_file.h"
#include "base/memory.h"
#include "base/text_file.h"
#include "base/time_text.h"

#include <string.h>

enum { VERSION = 1, SIZE_MAX_MIB = 4 };

json_t *manual_entry_json(const struct manual_entry *entry)
{
    char set[TIME_TEXT_MAX], from[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
    json_t *json =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", (json_int_t)entry->id, "state",
                  manual_state_names[entry->state], "pattern", entry->pattern, "who", entry->who,
                  "why", entry->why, "set", time_text_format(entry->set_ns, set), "from",
                  time_text_format(entry->from_ns, from), "weekly", (int)entry->weekly);
    SP_ASSERT(json != NULL); // texts are UTF-8: they came as JSON
    json_object_set_new(
        json, "until",
        entry->until_ns == 0 ? json_null() : json_string(time_text_format(entry->until_ns, until)));
    return json;
}

bool manual_file_write(const char *path, const struct manual *manual, struct diags *diags)
{
    json_t *list = json_array();
    for (size_t i = 0; i < manual_count(manual); i++) {
        json_array_append_new(list, manual_entry_json(manual_entry(manual, i)));
    }
    json_t *json = json_pack("{s:i, s:o}", "version", VERSION, "entries", list);
    char *text = json_dumps(json, JSON_INDENT(1));
    SP_ASSERT(text != NULL); // only memory could be missing
    json_decref(json);
    bool written = durable_state_write(path, text, strlen(text), diags);
    free(text);
    return written;
}

static bool entry_read(json_t *json, struct manual_entry *entry)
{
    const char *state, *set, *from;
    json_t *until;
    json_int_t id;
    int weekly;
    *entry = (struct manual_entry){.state = MANUAL_NONE};
    if (json_unpack(json, "{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b !}", "id", &id, "state",
                    &state, "pattern", &entry->pattern, "who", &entry->who, "why", &entry->why,
                    "set", &set, "from", &from, "until", &until, "weekly", &weekly) != 0) {
        return false;
    }
    for (int i = MANUAL_UP; i < MANUAL_STATE_COUNT; i++) {
        entry->state =
            strcmp(state, manual_state_names[i]) == 0 ? (enum manual_state)i : entry->state;
    }
    entry->id = (uint64_t)id;
    entry->weekly = weekly != 0;
    return entry->state != MANUAL_NONE && id > 0 && time_text_parse(set, &entry->set_ns) &&
           time_text_parse(from, &entry->from_ns) &&
           (json_is_null(until) ||
            (json_is_string(until) && time_text_parse(json_string_value(until), &entry->until_ns)));
}

static bool entries_read(json_t *list, struct manual *manual, struct diags *diags)
{
    size_t index;
    json_t *json;
    json_array_foreach(list, index, json)
    {
        struct manual_entry entry;
        if (!entry_read(json, &entry) || !manual_entry_check(&entry, entry.set_ns - 1, diags) ||
            manual_add(manual, &entry) == NULL) {
            return false;
        }
    }
    return json_is_array(list);
}

bool manual_file_read(const char *path, struct manual *manual, struct diags *diags)
{
    size_t size, faults = diags->error_count, before = manual_count(manual);
    json_error_t error;
    char *text = text_file_read(path, SIZE_MAX_MIB, true, diags, &size);
    if (text == NULL) {
        return false;
    }
    if (size == 0) { // there is none
        free(text);
        return true;
    }
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    json_t *list = json_object_get(json, "entries");
    bool good = json_integer_value(json_object_get(json, "version")) == VERSION &&
                entries_read(list, manual, diags);
    if (!good && diags->error_count == faults) {
        diags_error(diags, (struct place){.file = path}, NULL,
                    "it is no list of manual states of version %d", VERSION);
    }
    while (!good && manual_count(manual) > before) {
        manual_drop_last(manual);
    }
    json_decref(json);
    free(text);
    return good;
}
