// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between engine_explain.c (names and chains), explain_steps.c (the five steps) and
// explain_answer.c (the message). Internal to engine/; control thread.
#pragma once

#include "engine/engine_find.h"

// One RRset on the way of one client.
struct explained {
    struct engine *engine;
    const struct address *client;
    struct found_name found;
    json_t *steps; // grows
};

// Appends a step; takes `details`, an object. The summary may have been cut within a character.
void explain_add_step(struct explained *x, const char *title, const char *summary, json_t *details);
// What was found of a name, as JSON.
json_t *found_json(const struct found_name *found);
// 1.
void explain_who(struct explained *x);
// 2. to 5. of a steered RRset, or what there is to say of another name.
void explain_steered(struct explained *x, const struct plan *plan);
void explain_unsteered(struct explained *x);

// What answer() itself says to this client.
struct explained_answer {
    uint8_t *query, *response;
    size_t query_size, response_size;
};
// `client` asks over TCP, with its address as the client subnet if subnets are accepted.
struct explained_answer explain_ask(const struct engine *engine, const uint8_t *name, uint16_t type,
                                    const struct address *client);
void explained_answer_free(struct explained_answer *answer);
// Adds rcode, outcome, answer, ttl, scope, query and response.
void explain_put_answer(const struct explained_answer *answer, json_t *json);
// The target of the answer's CNAME record at this name, into `target`; false: there is none.
bool explained_alias(const struct explained_answer *answer, const uint8_t *name,
                     uint8_t target[NAME_MAX_SIZE]);
