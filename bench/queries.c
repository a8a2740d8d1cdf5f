// SPDX-License-Identifier: GPL-3.0-or-later
#include "queries.h"

#include "base/address.h"
#include "base/hash.h"
#include "base/memory.h"
#include "dns/name.h"
#include "dns/types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EDNS_PAYLOAD = 1232, OPTION_ECS = 8, ECS_LENGTH_IPV4 = 24, ECS_LENGTH_IPV6 = 56 };

struct question {
    uint8_t name[NAME_MAX_SIZE];
    size_t name_size;
    uint16_t type;
    struct prefix client; // family FAMILY_NONE: none given
};

static uint8_t *put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

// An OPT record (RFC 6891), with a client subnet (RFC 7871) when there is one.
static uint8_t *put_opt(uint8_t *at, const struct prefix *client)
{
    *at++ = 0;
    at = put_u16(at, TYPE_OPT);
    at = put_u16(at, EDNS_PAYLOAD);
    memset(at, 0, 4);
    at += 4;
    if (client->address.family == FAMILY_NONE) {
        return put_u16(at, 0);
    }
    unsigned octets = (client->length + 7U) / 8;
    at = put_u16(at, 8 + octets);
    at = put_u16(at, OPTION_ECS);
    at = put_u16(at, 4 + octets);
    at = put_u16(at, client->address.family == FAMILY_IPV4 ? 1 : 2);
    *at++ = client->length;
    *at++ = 0;
    memcpy(at, client->address.bytes, octets);
    return at + octets;
}

static struct prefix random_client(uint64_t *random)
{
    // Unicast space, without loopback.
    uint8_t first;
    do {
        first = (uint8_t)(1 + random_below(random, 223));
    } while (first == 127);
    uint32_t rest = (uint32_t)random_next(random);
    return (struct prefix){
        .address = {.family = FAMILY_IPV4, .bytes = {first, (uint8_t)(rest >> 8), (uint8_t)rest}},
        .length = ECS_LENGTH_IPV4};
}

static size_t query_write(uint8_t packet[QUERY_SIZE_MAX], const struct question *question,
                          const struct query_options *options, uint64_t *random)
{
    struct prefix client = question->client;
    if (options->ecs_random && client.address.family == FAMILY_NONE) {
        client = random_client(random);
    }
    bool opt = options->edns || client.address.family != FAMILY_NONE;
    memset(packet, 0, 12);
    packet[5] = 1;
    packet[11] = opt;
    uint8_t *at = packet + 12;
    memcpy(at, question->name, question->name_size);
    at = put_u16(at + question->name_size, question->type);
    at = put_u16(at, CLASS_IN);
    at = opt ? put_opt(at, &client) : at;
    return (size_t)(at - packet);
}

static void set_add(struct query_set *set, const uint8_t *packet, size_t size)
{
    struct query_group *group = NULL;
    for (size_t i = 0; i < set->group_count; i++) {
        group = set->groups[i].size == size ? &set->groups[i] : group;
    }
    if (group == NULL) {
        MEM_GROW(set->groups, set->group_count, set->group_capacity);
        group = &set->groups[set->group_count++];
        *group = (struct query_group){.size = size};
    }
    if (group->count == group->capacity) {
        group->capacity = MAX(2 * group->capacity, (size_t)64);
        group->bytes = mem_resize(group->bytes, group->capacity, size);
    }
    memcpy(group->bytes + group->count++ * size, packet, size);
    set->count++;
}

static bool client_parse(const char *text, struct prefix *client)
{
    if (!prefix_parse(text, client, NULL)) {
        return false;
    }
    if (strchr(text, '/') == NULL) {
        client->length = client->address.family == FAMILY_IPV4 ? ECS_LENGTH_IPV4 : ECS_LENGTH_IPV6;
        address_mask(&client->address, client->length);
    }
    return true;
}

// True for a question; false with *fault NULL for a line that holds none.
static bool line_parse(char *line, struct question *question, const char **fault)
{
    *fault = NULL;
    line[strcspn(line, "#\r\n")] = '\0';
    char *rest = NULL;
    char *name = strtok_r(line, " \t", &rest);
    if (name == NULL) {
        return false;
    }
    char *type = strtok_r(NULL, " \t", &rest), *client = strtok_r(NULL, " \t", &rest);
    static const uint8_t root[] = {0};
    *question = (struct question){0};
    question->name_size = name_parse(name, root, question->name, fault);
    if (question->name_size == 0) {
        return false;
    }
    if (type == NULL || !rr_type_parse(type, &question->type)) {
        *fault = "expected a record type after the name";
    } else if (client && !client_parse(client, &question->client)) {
        *fault = "expected an address or a prefix as client subnet";
    }
    return *fault == NULL;
}

static struct question *questions_read(FILE *file, const char *path, size_t *count)
{
    struct question *questions = NULL;
    size_t capacity = 0;
    char line[1024];
    bool good = true;
    for (unsigned number = 1; good && fgets(line, sizeof(line), file); number++) {
        const char *fault;
        MEM_GROW(questions, *count, capacity);
        if (line_parse(line, &questions[*count], &fault)) {
            ++*count;
        } else if (fault) {
            fprintf(stderr, "%s:%u: %s\n", path, number, fault);
            good = false;
        }
    }
    if (good && *count == 0) {
        fprintf(stderr, "%s: no questions\n", path);
    }
    if (!good || *count == 0) {
        free(questions);
        return NULL;
    }
    return questions;
}

bool queries_read(struct query_set *set, const char *path, const struct query_options *options)
{
    *set = (struct query_set){0};
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t count = 0;
    struct question *questions = questions_read(file, path, &count);
    fclose(file);
    if (questions == NULL) {
        return false;
    }
    uint64_t random = options->seed;
    uint8_t packet[QUERY_SIZE_MAX];
    for (size_t i = 0; i < MAX(options->pool, count); i++) {
        // Every line once, then lines at random.
        const struct question *question =
            &questions[i < count ? i : random_below(&random, (uint32_t)count)];
        set_add(set, packet, query_write(packet, question, options, &random));
    }
    free(questions);
    return true;
}

void queries_free(struct query_set *set)
{
    for (size_t i = 0; i < set->group_count; i++) {
        free(set->groups[i].bytes);
    }
    free(set->groups);
    *set = (struct query_set){0};
}
