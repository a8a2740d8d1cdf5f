// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a probe may go. Whoever may write a zone may choose a member's address; only the operator's
// configuration file may open networks that are not public. Pure; any thread.
#pragma once

#include "base/address.h"

// Whether probes of `address` are forbidden: it is in a special-purpose network and in none of the
// prefixes of `allow`. The networks of documentation (192.0.2.0/24 and so on) are not special here:
// nobody answers there.
bool target_denied(const struct address *address, const struct prefix *allow, size_t allow_count);
