// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct recipe: a check definition made ready for one probe: texts decoded, sets parsed. What is
// dear to make, compiled expressions, is shared by all probes (struct regexes). Thread of the
// prober.
#pragma once

#include "probe/octets.h"
#include "zone/check.h"
#include "zone/check_value.h"

#include <regex.h>

// Compiled expressions by their text.
struct regexes;
// An empty set; the caller's.
struct regexes *regexes_new(void);
void regexes_free(struct regexes *regexes); // none may be in use; NULL allowed

struct regex_entry;

struct recipe {
    const struct check_spec *spec; // borrowed: outlives the probe
    const char *fault;             // why it cannot be probed; NULL: it can
    struct regexes *regexes;
    struct regex_entry *regex; // of expect_regex or body_regex; NULL: none
    struct octets send, expect;
    struct check_statuses statuses;
    uint32_t rcodes;
    uint8_t *query; // dns: name in wire form
    size_t query_size;
    uint16_t query_type;
    uint8_t *answer; // dns: rdata in wire form
    size_t answer_size;
    char *wanted_header; // lower case name of load_header
};

// The largest rdata that a dns check may expect.
enum { RECIPE_ANSWER_MAX = 1024 };

// Reads everything; `fault` is set when something cannot be read. recipe_close in any case.
void recipe_open(struct recipe *recipe, const struct check_spec *spec, struct regexes *regexes);
void recipe_close(struct recipe *recipe);

// Whether the octets hold what the recipe expects: the text and the expression, as far as given.
bool recipe_matches(const struct recipe *recipe, const char *octets, size_t count);
// Whether it expects anything.
bool recipe_expects(const struct recipe *recipe);
