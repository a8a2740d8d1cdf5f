// SPDX-License-Identifier: GPL-3.0-or-later
//
// explain: one decision read out of the tables that answer, from the name that was asked for to the
// end of its aliases.
//
// Control thread. What stands in "answer", "query" and "response" is the work of answer() itself
// for this client, on the generation that is being served.
#include "engine/explain_parts.h"

#include "base/memory.h"
#include "dns/types.h"

#include <string.h>

json_t *found_json(const struct found_name *found)
{
    char zone[NAME_TEXT_MAX], owner[NAME_TEXT_MAX], encloser[NAME_TEXT_MAX];
    json_t *json = json_pack("{s:s, s:b}", "standing", name_standing_texts[found->standing],
                             "wildcard", found->wildcard);
    if (found->zone != NULL) {
        json_object_set_new(json, "zone", json_string(name_format(found->zone->apex, zone)));
    }
    if (found->owner != NULL) {
        json_object_set_new(json, "owner", json_string(name_format(found->owner->name, owner)));
    }
    if (found->encloser != NULL) {
        json_object_set_new(json, "encloser", json_string(name_format(found->encloser, encloser)));
    }
    return json;
}

static const struct plan *plan_of(const struct explained *x)
{
    const struct rrset *rrset = x->found.rrset;
    if (rrset == NULL || rrset->policy == NULL || x->found.standing == NAME_DELEGATED) {
        return NULL;
    }
    return generation_plan(publisher_current(x->engine->publisher), x->found.owner->name,
                           rrset->type);
}

// Adds name, type, zone, found and steered of the RRset that was found.
static void put_found(const struct explained *x, const uint8_t *name, uint16_t type, bool steered,
                      json_t *json)
{
    const struct found_name *found = &x->found;
    char text[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], type_text[RR_TYPE_TEXT_MAX];
    const uint8_t *owner = found->owner ? found->owner->name : name;
    json_object_set_new(json, "name", json_string(name_format(owner, text)));
    json_object_set_new(json, "zone", json_string(name_format(found->zone->apex, zone)));
    json_object_set_new(
        json, "type",
        json_string(rr_type_format(found->rrset ? found->rrset->type : type, type_text)));
    json_object_set_new(json, "steered", json_boolean(steered));
    json_object_set_new(json, "found", found_json(found));
}

static void explain_found(struct explained *x, const uint8_t *name, uint16_t type, json_t *json)
{
    const struct plan *plan = plan_of(x);
    if (plan != NULL) {
        explain_steered(x, plan);
    } else {
        explain_unsteered(x);
    }
    put_found(x, name, type, plan != NULL, json);
    json_object_set_new(json, "steps", x->steps);
}

// Where the name goes on: to the target of the CNAME in the answer (a steered one may have several,
// a DNAME makes one), of a CNAME that the answer leaves to the resolver, or of an ALIAS.
static bool next_name(const struct found_name *found, const struct explained_answer *answer,
                      const uint8_t *name, uint16_t type, uint8_t target[NAME_MAX_SIZE])
{
    if (explained_alias(answer, name, target)) {
        return type != TYPE_CNAME;
    }
    if (found->standing != NAME_ALIAS || type == TYPE_CNAME || found->rrset->record_count == 0) {
        return false;
    }
    memcpy(target, found->rrset->records[0].rdata, found->rrset->records[0].rdata_size);
    return true;
}

static json_t *explain_chain(const struct explained *first, const struct explained_answer *answer,
                             const uint8_t *name, uint16_t type)
{
    json_t *chain = json_array();
    struct found_name found = first->found;
    uint8_t at[NAME_MAX_SIZE], target[NAME_MAX_SIZE];
    memcpy(at, name, name_size(name));
    for (unsigned links = 0; links < CHAIN_MAX; links++) {
        if (!next_name(&found, answer, at, type, target)) {
            break;
        }
        memcpy(at, target, name_size(target));
        struct explained x = {.engine = first->engine,
                              .client = first->client,
                              .found = engine_find_name(first->engine, at, type)};
        if (x.found.zone == NULL) {
            char text[NAME_TEXT_MAX];
            json_array_append_new(chain, json_pack("{s:s, s:o}", "name", name_format(at, text),
                                                   "found", found_json(&x.found)));
            break;
        }
        json_t *json = json_object();
        x.steps = json_array();
        explain_found(&x, at, type, json);
        json_array_append_new(chain, json);
        found = x.found;
    }
    return chain;
}

json_t *engine_explain(struct engine *engine, const uint8_t *name, uint16_t type,
                       const struct address *client, const char **error)
{
    struct explained x = {.engine = engine, .client = client};
    engine_models_forget(engine);
    *error = engine->lines ? NULL : "nothing is loaded yet";
    if (*error == NULL) {
        x.found = engine_find_name(engine, name, type);
        *error = x.found.zone == NULL ? "no zone here holds this name" : NULL;
    }
    if (*error != NULL) {
        return NULL;
    }
    char text[ADDRESS_TEXT_MAX];
    json_t *json = json_object();
    x.steps = json_array();
    explain_who(&x);
    explain_found(&x, name, type, json);
    json_object_set_new(json, "client", json_string(address_format(client, text)));
    struct explained_answer answer = explain_ask(engine, name, type, client);
    json_object_set_new(json, "chain", explain_chain(&x, &answer, name, type));
    explain_put_answer(&answer, json);
    explained_answer_free(&answer);
    return json;
}
