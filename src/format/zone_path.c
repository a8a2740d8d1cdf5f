// SPDX-License-Identifier: GPL-3.0-or-later
#include "format/readers.h"

#include <string.h>

bool zone_path_is_hidden(const char *name)
{
    return name[0] == '.' && strcmp(name, "..zone") != 0 && strcmp(name, "..yaml") != 0;
}

bool zone_path_apex(const char *path, uint8_t apex[NAME_MAX_SIZE], enum zone_format *format)
{
    static const struct {
        const char *suffix;
        enum zone_format format;
    } suffixes[] = {
        {".zone", ZONE_FORMAT_MASTER},
        {".yaml", ZONE_FORMAT_YAML},
        {".yml", ZONE_FORMAT_YAML},
    };
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        size_t suffix = strlen(suffixes[i].suffix);
        if (length <= suffix || strcmp(name + length - suffix, suffixes[i].suffix) != 0) {
            continue;
        }
        char text[NAME_TEXT_MAX];
        size_t size = length - suffix;
        if (size >= sizeof(text)) {
            return false;
        }
        memcpy(text, name, size);
        text[size] = '\0';
        *format = suffixes[i].format;
        return strcmp(text, "@") != 0 && name_parse(text, NULL, apex, NULL) != 0;
    }
    return false;
}
