// SPDX-License-Identifier: GPL-3.0-or-later
//
// Definitions made ready, and the store of compiled expressions. Called by prober_uv.c when an
// attempt begins and ends, on the prober's thread. A definition that the reader of documents would
// have refused becomes a fault that the probe reports, never something that is sent.
#include "probe/recipe.h"

#include "base/hash.h"
#include "base/memory.h"
#include "dns/name.h"
#include "dns/types.h"
#include "zone/rdata.h"

#include <ctype.h>
#include <string.h>

// --- expressions ---

enum { BUCKET_COUNT = 64, UNUSED_MAX = 256 };

struct regex_entry {
    struct regex_entry *next;
    size_t users;
    regex_t compiled;
    char text[];
};

struct regexes {
    struct regex_entry *buckets[BUCKET_COUNT];
    size_t count;
};

struct regexes *regexes_new(void)
{
    return mem_alloc(sizeof(struct regexes));
}

// Ends all that nobody uses.
static void regexes_sweep(struct regexes *regexes)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        struct regex_entry **link = &regexes->buckets[i];
        while (*link) {
            struct regex_entry *entry = *link;
            if (entry->users > 0) {
                link = &entry->next;
                continue;
            }
            *link = entry->next;
            regfree(&entry->compiled);
            free(entry);
            regexes->count--;
        }
    }
}

void regexes_free(struct regexes *regexes)
{
    if (regexes) {
        regexes_sweep(regexes);
        SP_ASSERT(regexes->count == 0);
        free(regexes);
    }
}

// NULL when it does not compile.
static struct regex_entry *regex_use(struct regexes *regexes, const char *text)
{
    size_t size = strlen(text) + 1;
    struct regex_entry **bucket = &regexes->buckets[hash_bytes(0, text, size) % BUCKET_COUNT];
    for (struct regex_entry *entry = *bucket; entry; entry = entry->next) {
        if (strcmp(entry->text, text) == 0) {
            entry->users++;
            return entry;
        }
    }
    if (regexes->count >= UNUSED_MAX) {
        regexes_sweep(regexes);
    }
    struct regex_entry *entry = mem_alloc(sizeof(*entry) + size);
    memcpy(entry->text, text, size);
    if (regcomp(&entry->compiled, text, REG_EXTENDED | REG_NEWLINE) != 0) {
        free(entry);
        return NULL;
    }
    entry->users = 1;
    entry->next = *bucket;
    *bucket = entry;
    regexes->count++;
    return entry;
}

// --- definitions ---

// A text that should be good, because the reader of documents let it pass; when it is not (a
// definition that came another way), the probe says so instead of sending it.
static void require(struct recipe *recipe, bool good, const char *fault)
{
    if (!good && recipe->fault == NULL) {
        recipe->fault = fault;
    }
}

static void octets_ready(struct recipe *recipe, const char *text, struct octets *octets)
{
    const char *reason = NULL;
    if (text) {
        octets->at = mem_alloc(strlen(text) + 1);
        require(recipe, check_octets(text, octets->at, &octets->count, &reason), reason);
    }
}

static void matches_ready(struct recipe *recipe)
{
    const struct check_spec *spec = recipe->spec;
    const char *regex = spec->expect_regex ? spec->expect_regex : spec->body_regex;
    const char *reason = NULL;
    octets_ready(recipe, spec->send, &recipe->send);
    octets_ready(recipe, spec->expect, &recipe->expect);
    if (spec->body) {
        octets_free(&recipe->expect);
        recipe->expect.at = mem_copy(spec->body, strlen(spec->body));
        recipe->expect.count = strlen(spec->body);
    }
    if (regex == NULL) {
        return;
    }
    require(recipe, check_regex_text(regex, &reason), reason);
    recipe->regex = recipe->fault ? NULL : regex_use(recipe->regexes, regex);
    require(recipe, recipe->regex != NULL, "the expression cannot be read");
}

static void request_ready(struct recipe *recipe)
{
    const struct check_spec *spec = recipe->spec;
    const char *reason = "host or path cannot be sent over HTTP";
    const char *unused;
    require(recipe, spec->host == NULL || check_host(spec->host, &unused), reason);
    require(recipe, spec->path == NULL || check_path(spec->path, &unused), reason);
    require(recipe, spec->method == NULL || check_method(spec->method, &unused), reason);
    require(recipe, spec->headers == NULL || check_headers(spec->headers, &unused), reason);
    require(recipe,
            check_statuses(spec->status ? spec->status : "200-399", &recipe->statuses, &unused),
            "the statuses cannot be read");
    if (spec->load_header) {
        char *name = mem_strdup(spec->load_header);
        for (char *at = name; *at; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        recipe->wanted_header = name;
    }
}

static void question_ready(struct recipe *recipe)
{
    const struct check_spec *spec = recipe->spec;
    const char *reason = "the question cannot be read";
    const char *type = spec->query_type ? spec->query_type : "A";
    recipe->query = mem_alloc(NAME_MAX_SIZE);
    recipe->query_size = name_parse(spec->query ? spec->query : ".", NULL, recipe->query, NULL);
    require(recipe, recipe->query_size > 0 && rr_type_parse(type, &recipe->query_type), reason);
    require(recipe, check_rcodes(spec->rcode ? spec->rcode : "NOERROR", &recipe->rcodes, &reason),
            reason);
    if (spec->answer && recipe->query_size > 0) {
        recipe->answer = mem_alloc(RECIPE_ANSWER_MAX);
        recipe->answer_size = rdata_parse(recipe->query_type, spec->answer, (const uint8_t *)"",
                                          recipe->answer, RECIPE_ANSWER_MAX, &reason);
        require(recipe, recipe->answer_size > 0, reason);
    }
}

void recipe_open(struct recipe *recipe, const struct check_spec *spec, struct regexes *regexes)
{
    *recipe = (struct recipe){.spec = spec, .regexes = regexes};
    matches_ready(recipe);
    if (spec->kind == CHECK_DNS) {
        question_ready(recipe);
    } else {
        request_ready(recipe);
    }
}

void recipe_close(struct recipe *recipe)
{
    if (recipe->regex) {
        recipe->regex->users--; // its end is a matter of regexes_sweep
    }
    octets_free(&recipe->send);
    octets_free(&recipe->expect);
    free(recipe->wanted_header);
    free(recipe->answer);
    free(recipe->query);
    *recipe = (struct recipe){0};
}

bool recipe_expects(const struct recipe *recipe)
{
    return recipe->expect.count > 0 || recipe->regex != NULL;
}

bool recipe_matches(const struct recipe *recipe, const char *octets, size_t count)
{
    if (recipe->expect.count > 0 &&
        (count == 0 || memmem(octets, count, recipe->expect.at, recipe->expect.count) == NULL)) {
        return false;
    }
    if (recipe->regex) {
        regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)count};
        return regexec(&recipe->regex->compiled, octets ? octets : "", 1, &range, REG_STARTEND) ==
               0;
    }
    return true;
}
