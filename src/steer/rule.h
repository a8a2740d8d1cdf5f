// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether a rule holds a client, asked one client at a time. The territory builder asks it for
// locations; explain asks it for the client at hand; the tests hold territories against it.
// Pure; any thread; far too slow for the query path.
#pragma once

#include "geo/geo.h"
#include "geo/lines.h"
#include "zone/policy.h"

// A rule without targets, or with the default line among them, holds everybody.
bool rule_is_for_all(const struct rule *rule, const struct lines *lines);
// By the facts of the location alone: lines, countries and regions.
bool rule_holds_location(const struct rule *rule, const struct lines *lines,
                         const struct location *location);
// By everything: location, ASN, networks. (Shares are not looked at.)
bool rule_holds_client(const struct rule *rule, const struct lines *lines, const struct geo *geo,
                       const struct address *client);
// Whether no rule after this one can ever decide for a client that it holds: one without a share.
// In the flat form none is, since all members of a line may go down or be drained.
bool rule_is_final(const struct policy *policy, const struct rule *rule);
// Whether the rule's pool has a member that no check takes down (members must be bound:
// member.check), only an operator.
bool rule_is_sure(const struct policy *policy, const struct rule *rule);
