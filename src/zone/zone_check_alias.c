// SPDX-License-Identifier: GPL-3.0-or-later
#include "zone/zone_check_alias.h"

#include "dns/svcb.h"
#include "dns/wire.h"

void zone_check_alias(const struct owner *owner, struct diags *diags)
{
    const struct rrset *alias = owner_rrset(owner, TYPE_ALIAS);
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    if (alias == NULL) {
        return;
    }
    for (const struct rrset *rrset = owner->rrsets; rrset != NULL; rrset = rrset->next) {
        if (rrset->type == TYPE_A || rrset->type == TYPE_AAAA) {
            diags_error(diags, alias->place, name_format(owner->name, name),
                        "an ALIAS stands for the addresses of the name, so it cannot stand beside "
                        "%s records",
                        rr_type_format(rrset->type, type));
        }
    }
    if (alias->record_count > 0 && name_equal(alias->records[0].rdata, owner->name)) {
        diags_error(diags, alias->place, name_format(owner->name, name),
                    "the ALIAS points to itself");
    }
}

// RFC 9460, 8: what `mandatory` lists must be there, but a hint that follows may have nothing.
static bool must_have_hints(const uint8_t *rdata, size_t size)
{
    const uint8_t *at = svcb_params(rdata), *end = rdata + size;
    struct svcb_param param;
    bool must = false;
    while (svcb_next(&at, end, &param)) {
        for (unsigned i = 0; param.key == SVCB_MANDATORY && i + 1 < param.size; i += 2) {
            unsigned key = get_u16(param.data + i);
            must |= key == SVCB_IPV4HINT || key == SVCB_IPV6HINT;
        }
    }
    return must;
}

static void check_service(const struct owner *owner, const uint8_t *rdata, size_t size,
                          struct place place, struct diags *diags)
{
    char name[NAME_TEXT_MAX];
    if (!svcb_follows(rdata, size)) {
        return;
    }
    if (size > SVCB_FOLLOWING_MAX_SIZE) {
        diags_error(diags, place, name_format(owner->name, name),
                    "a record whose hints follow may have %d bytes at most",
                    SVCB_FOLLOWING_MAX_SIZE);
    }
    if (must_have_hints(rdata, size)) {
        diags_error(diags, place, name_format(owner->name, name),
                    "hints that follow may be none at all, so \"mandatory\" cannot list them");
    }
}

// Records that go out together.
static void check_services_together(const struct owner *owner, const struct rrset *rrset,
                                    size_t following, struct diags *diags)
{
    const struct policy *policy = rrset->policy;
    char name[NAME_TEXT_MAX];
    size_t answers = following;
    if (policy != NULL && (policy->answers > 0 || method_answers_one(policy->method))) {
        answers = MIN(answers, MAX(policy->answers, 1U));
    }
    if (answers > SVCB_FOLLOWING_MAX) {
        diags_error(diags, rrset->place, name_format(owner->name, name),
                    "an answer may have %d records whose hints follow at most, and this one %zu",
                    SVCB_FOLLOWING_MAX, answers);
    }
}

void zone_check_services(const struct owner *owner, struct diags *diags)
{
    for (const struct rrset *rrset = owner->rrsets; rrset != NULL; rrset = rrset->next) {
        const struct policy *policy = rrset->policy;
        size_t following = 0;
        if (!type_is_service(rrset->type)) {
            continue;
        }
        for (size_t i = 0; policy == NULL && i < rrset->record_count; i++) {
            const struct record *record = &rrset->records[i];
            check_service(owner, record->rdata, record->rdata_size, rrset->place, diags);
            following += svcb_follows(record->rdata, record->rdata_size);
        }
        for (size_t i = 0; policy != NULL && i < policy->pool_count; i++) {
            for (size_t k = 0; k < policy->pools[i].member_count; k++) {
                const struct member *member = &policy->pools[i].members[k];
                if (member->pool == NULL) { // the members of a pool in a pool stand in that
                    check_service(owner, member->rdata, member->rdata_size, member->place, diags);
                    following += svcb_follows(member->rdata, member->rdata_size);
                }
            }
        }
        check_services_together(owner, rrset, following, diags);
    }
}
