// SPDX-License-Identifier: GPL-3.0-or-later
//
// The last check before a generation is shown: every RRset that changed is asked for, through the
// same answer() that will serve it, and the response is looked at. Control thread.
#include "answer/respond.h"

#include <stdio.h>
#include <string.h>

static size_t make_query(uint8_t *message, const uint8_t *name, size_t size, uint16_t type)
{
    memset(message, 0, HEADER_SIZE);
    put_u16(message + AT_QDCOUNT, 1);
    memcpy(message + HEADER_SIZE, name, size);
    put_u16(message + HEADER_SIZE + size, type);
    put_u16(message + HEADER_SIZE + size + 2, CLASS_IN);
    return HEADER_SIZE + size + QUESTION_FIXED_SIZE;
}

// What is wrong with the response, or NULL.
static const char *fault_of(const uint8_t *message, size_t size, const struct node *node,
                            const struct node_rrset *rrset)
{
    if (size < HEADER_SIZE) {
        return "no response";
    }
    unsigned flags = get_u16(message + AT_FLAGS), answers = get_u16(message + AT_ANCOUNT);
    if (flags & FLAG_TC) {
        return "more than a message can hold";
    }
    if (node->flags & NODE_CUT && rrset->type != TYPE_DS) {
        bool refers = (flags & 15) == RCODE_NOERROR && get_u16(message + AT_NSCOUNT) > 0;
        return refers ? NULL : "no referral";
    }
    if (rrset->plan != 0 && answers == 0) {
        return NULL; // all_down: none or servfail; the compiler guarantees the rest
    }
    if ((flags & 15) != RCODE_NOERROR || !(flags & FLAG_AA)) {
        return "not an authoritative answer";
    }
    return answers == 0 ? "an empty answer" : NULL;
}

bool self_query_node(const struct generation *generation, struct worker *worker,
                     const struct node *node, struct diags *diags)
{
    static uint8_t message[ANSWER_TCP_MAX]; // one control thread
    if (node->flags & NODE_OCCLUDED ||
        generation_node(generation, node_name(node), node->name_size) != node) {
        return true; // a child zone that is served here too answers for the name
    }
    struct query_source source = {.address = {.family = FAMILY_IPV4, .bytes = {192, 0, 2, 1}},
                                  .port = 53000,
                                  .transport = TRANSPORT_TCP};
    for (unsigned i = 0; i < node->rrset_count; i++) {
        if (node->flags & NODE_APEX && node->rrsets[i].type == TYPE_DS) {
            continue; // the parent's to answer
        }
        if (node->rrsets[i].type == TYPE_ALIAS) {
            continue; // no question gets it; its target may be part of a later change
        }
        size_t size = make_query(message, node_name(node), node->name_size, node->rrsets[i].type);
        size = answer(generation, worker, message, size, &source, message);
        const char *fault = fault_of(message, size, node, &node->rrsets[i]);
        if (fault != NULL) {
            char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
            diags_error(diags, (struct place){0}, name_format(node_name(node), name),
                        "self-query for %s gave %s; nothing was published",
                        rr_type_format(node->rrsets[i].type, type), fault);
            return false;
        }
    }
    return true;
}
