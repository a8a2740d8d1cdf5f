// SPDX-License-Identifier: GPL-3.0-or-later
//
// Class CHAOS: version and identity, each switched by the configuration (RFC 4892).
#include "answer/options.h"

#include <string.h>

static bool is_asked(const struct query *query, const char *text)
{
    uint8_t name[NAME_MAX_SIZE];
    size_t size = name_parse(text, NULL, name, NULL);
    return size == query->name_size && memcmp(name, query->folded, size) == 0;
}

static const char *text_of(const struct response *response)
{
    const struct answer_options *options = &response->generation->options;
    const struct {
        const char *name, *text;
    } table[] = {
        {"version.bind.", options->chaos_version},
        {"version.server.", options->chaos_version},
        {"id.server.", options->chaos_id},
        {"hostname.bind.", options->chaos_id},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (is_asked(response->query, table[i].name)) {
            return table[i].text;
        }
    }
    return NULL;
}

size_t response_chaos(struct response *response)
{
    const struct query *query = response->query;
    const char *text = text_of(response);
    if (text == NULL) {
        response->rcode = RCODE_REFUSED;
        response_error(response, EDE_PROHIBITED, NULL);
        counter_add(&response->worker->counters.refused);
        return response->question_end;
    }
    struct writer writer;
    writer_begin(&writer, response->message, response->question_end, response->limit);
    response->flags = FLAG_AA;
    struct writer_owner owner = {.name = query->name};
    uint8_t rdata[256];
    size_t length = MIN(strlen(text), sizeof(rdata) - 1);
    rdata[0] = (uint8_t)length;
    memcpy(rdata + 1, text, length);
    if ((query->type == TYPE_TXT || query->type == TYPE_ANY) &&
        writer_put(&writer, &owner, TYPE_TXT, CLASS_CH, 0, rdata, length + 1)) {
        response->answer_count = 1;
    }
    counter_add(response->answer_count ? &response->worker->counters.noerror
                                       : &response->worker->counters.nodata);
    return writer.size;
}
