// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of the engine, for engine*.c. See engine.h for the picture.
#pragma once

#include "answer/samples.h"
#include "geo/geo.h"
#include "base/log.h"
#include "health/beats.h"
#include "health/health.h"
#include "health/manual.h"
#include "engine/check_states.h"
#include "engine/engine.h"
#include "engine/ramps.h"
#include "engine/zone_table.h"
#include "steer/simulate.h"
#include "steer/rtt.h"
#include "steer/territory.h"
#include "format/readers.h"

#include <sys/types.h>

// What tells one version of a file from another. All zero: the file is missing.
struct file_stamp {
    int64_t modified_ns, changed_ns, size;
    uint64_t inode;
};

// A steered RRset under a plan slot: what is needed to compile its plan again.
struct steered {
    uint32_t slot;
    const struct owner *owner;
    const struct rrset *rrset;
    struct territory *territory; // one user is ours; NULL: no rule looks at the client
    // Of `territory`, by what is answered now; one user is ours. NULL: none is needed, or not yet.
    struct territory *projection;
    bool is_refined_later; // its slot is in engine.refine
};

// A zone that is being served, or is about to be.
struct zone_state {
    const uint8_t *apex; // this and the path are in `texts`
    const char *path;
    struct file_stamp stamp;
    struct zone *zone; // in a load: NULL when the served version is still the newest
    struct steered **steered;
    size_t steered_count, steered_capacity;
    uint8_t texts[];
};

struct slot_list {
    uint32_t *slots;
    size_t count, capacity;
};

// Projections that a change under way replaces.
struct replaced_list {
    struct replaced {
        struct steered *steered;
        struct territory *projection; // the old one
    } * items;
    size_t count, capacity;
};

enum { RAMP_ID_MAX = NAME_TEXT_MAX + 256 };

// How soon a file that could not be written is tried again.
#define SAVE_RETRY_NS (5 * NS_PER_SECOND)

// A rule with a ramp, of a policy that is served.
struct ramp_use {
    char id[RAMP_ID_MAX]; // "www.example.com:pool"
    const struct steered *steered;
    const struct rule *rule;
};

struct engine {
    const struct config *config;
    const struct clock *clock;
    int64_t started_ns;
    struct health *health;
    void (*changed)(void *context); // engine_watch; NULL: nobody watches
    void *changed_context;
    struct engine_turns turns;
    struct publisher *publisher;
    struct territories *territories;
    struct plan_shares *shares;
    // Replaced by engine_apply only; engine_read looks at their stamps (the two never overlap).
    struct shared *shared;
    struct file_stamp shared_stamp, lines_stamp;
    struct lines *lines;
    struct geo *geo;
    struct lines *geo_lines; // that the geo data was read with; may be `lines`
    struct file_stamp *geo_stamps;
    struct zone_table zones;
    struct engine_models *models; // of zones that were released (engine_model.c)
    // Health: which plans follow from which check, and which wait to be compiled again.
    struct steered **steered; // by slot
    size_t steered_size;
    struct check_links {
        uint32_t first, count; // in check_slots: of the plans that follow from the check
        uint8_t seen;          // enum check_state that the log has told
    } * by_check;
    size_t by_check_size;
    uint32_t *check_slots;
    struct beats *beats;
    uint64_t state_changes, states_saved; // changes so far; at the last save
    uint64_t beats_saved;                 // beats_count at the last save
    int64_t beats_save_ns;                // not before this because of them alone
    struct measured {
        char *text; // as it stands in every file until it is made anew; NULL: never yet
        uint64_t reports, saved;
        int64_t save_ns; // not before this
    } measured;
    char *states_path;             // NULL: not saved
    struct check_states *recalled; // of before the restart, until the first load is applied
    struct events *events;
    struct manual *manual;
    char *manual_path;                // NULL: not saved
    int64_t manual_next_ns;           // when an entry begins or ends
    int64_t manual_save_ns;           // when the list is saved again; INT64_MAX: it is on disk
    struct query_samples *samples;    // who asks
    struct population populations[2]; // all addresses, of both families
    const struct geo *populations_of; // that they were made from; NULL: there are none
    struct slot_list dirty;
    bool *is_dirty; // by slot; steered_size entries
    struct ramps *ramps;
    struct ramp_use *ramp_uses;
    size_t ramp_use_count, ramp_use_capacity;
    char *ramps_path;      // NULL: not saved
    int64_t ramps_save_ns; // when they are saved again; INT64_MAX: they are on disk
    struct rtt *rtt;
    struct slot_list rtt_users; // slots of policies with method `fastest`
    uint64_t rtt_version;       // that their territories were built with
    int64_t rtt_next_ns;
    struct loads *loads;
    int64_t loads_next_ns; // the next look at them
    struct idle *idle;
    struct slot_list load_users; // slots of policies that look at loads
    struct replaced_list replaced;
    struct slot_list refine; // slots of plans that wait for a projection, or did in an older load
    int64_t refine_ns;       // not before this
};

// A reading of all documents, on its way into an engine. Parts that are NULL have not changed.
struct load {
    struct diags diags;
    struct shared *shared;
    struct file_stamp shared_stamp, lines_stamp;
    struct lines *lines;
    struct geo *geo;
    struct file_stamp *geo_stamps;
    struct cookie_secrets cookies; // count 0: none were read
    struct zone_table zones;       // every zone there is
};

struct zone_state *zone_state_new(const uint8_t *apex, const char *path); // copied
void zone_state_free(struct zone_state *state); // with its model; its steered RRsets must be gone
// The served zone of this apex, or NULL.
struct zone_state *engine_zone_find(const struct engine *engine, const uint8_t *apex);
// Adds an error for each ALIAS of the zones as they will be that points to no name served here.
void engine_check_aliases(const struct engine *engine, struct load *load);
size_t engine_geo_file_count(const struct config *config);
// The path of one of these files: databases, then networks.csv.
const char *engine_geo_file(const struct config *config, size_t index);
// What tells the version of a file that is there now.
struct file_stamp file_stamp_of(const char *path);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);
// The geo data, if it changed or `force`d; engine_read_geo.c. `anew`: faults refuse the load even
// when older data could go on serving, and files are read whether they changed or not.
void engine_geo_read(const struct engine *engine, struct load *load, bool anew, bool force);

// How a zone document is read with the lines, sites and defaults that are being served.
struct zone_reader engine_zone_reader(const struct engine *engine, struct diags *diags);
// engine_population.c: how often was asked from which network. None yet; the engine's.
struct query_samples *query_samples_new(void);
void query_samples_free(struct query_samples *samples);
// The networks that were sampled, with the number of queries that they stand for; the caller's.
struct population engine_population_of_queries(const struct engine *engine, enum family family);
// All addresses as the geo data has them; the engine's, until the geo data changes.
const struct population *engine_population_of_addresses(struct engine *engine, enum family family);
void engine_populations_drop(struct engine *engine);

// Compiles the plan of a steered RRset from its policy, territory and the checks as they stand.
// `thoroughly`: takes the time to project large territories. Every one ends in engine_plans_settle.
struct plan *engine_compile(struct engine *engine, struct steered *steered, bool thoroughly);
// After the change that the compiled plans went into was published, or refused.
void engine_plans_settle(struct engine *engine, bool published);
// engine_ramps.c: the life of the timetables; binding before a policy is compiled, the list of uses
// after a load was applied, and the next moment at which a share moves.
void engine_ramps_open(struct engine *engine);
void engine_ramps_close(struct engine *engine);
void engine_ramps_bind(struct engine *engine, const struct owner *owner, const struct rrset *rrset);
void engine_ramps_index(struct engine *engine);
int64_t engine_ramps_tick(struct engine *engine);
// engine_loads.c: what a member has reported (`check`: its check, or NULL) into its view; the list
// of policies that look at loads, after a load of documents was applied; the next look.
void engine_load_view(const struct engine *engine, const struct member *member,
                      const struct check_view *check, struct member_view *view);
void engine_loads_index(struct engine *engine);
int64_t engine_loads_tick(struct engine *engine);
// engine_idle.c: the list of checks that may be probed less often, after a load was applied; the
// next look at what is asked for.
struct idle;
// An empty list; the engine's.
struct idle *idle_new(void);
void idle_free(struct idle *idle);
void engine_idle_index(struct engine *engine);
int64_t engine_idle_tick(struct engine *engine);
// engine_rtt.c: the list of policies that go by round trips, and the next look at them.
void engine_rtt_index(struct engine *engine);
int64_t engine_rtt_tick(struct engine *engine);
// Compiles and publishes what waits; when it wants to be called again.
int64_t engine_plans_tick(struct engine *engine);
// Makes `by_check` anew from the policies of all zones.
void engine_index_checks(struct engine *engine);
void engine_mark_dirty(struct engine *engine, uint32_t slot);
// Compiles and publishes what was marked: one generation.
void engine_publish_dirty(struct engine *engine);

// Owners of zones whose models were given back (engine_release_models). Operations that look at
// zones forget first what was made for the one before.
void engine_models_open(struct engine *engine);
void engine_models_close(struct engine *engine);
void engine_models_forget(const struct engine *engine);
// Whether the zones of a table, those of a load or those served, have so many names that models are
// given back.
bool engine_models_are_many(const struct engine *engine, const struct zone_table *zones);
// Gives back the models of zones of a load whose nodes are made, as far as they are small and not
// needed. The states move.
void engine_release_small(const struct engine *engine, struct zone_state **states, size_t count);

// Manual states: the list of before the restart; the states of the members of a new RRset; windows
// that begin or end.
void engine_manual_open(struct engine *engine);
void engine_manual_bind(struct engine *engine, const uint8_t *apex, const struct owner *owner,
                        const struct rrset *rrset);
// The entry that decides about a member now; NULL: none.
const struct manual_entry *engine_manual_entry(const struct engine *engine, const uint8_t *apex,
                                               const struct owner *owner, const struct rrset *rrset,
                                               const struct member *member);
int64_t engine_manual_tick(struct engine *engine); // when it wants to be called again

// States of checks over a restart.
void engine_states_open(struct engine *engine);
void engine_states_close(struct engine *engine); // after the first load: the rest is forgotten

// Loads and round trips over a restart: whether they are to be written, as lines; a line of them.
bool engine_measured_wait(const struct engine *engine, bool last);
const char *engine_measured_text(struct engine *engine, bool last); // until the next call
bool engine_measured_read(void *engine, const char *line, int64_t ahead_ns, int64_t now_ns);

// The event of a check that changed, a doubt that began or ended, a list that changed.
void engine_tell_check(struct engine *engine, int check, const struct check_view *view,
                       enum check_state before);
void engine_tell_doubt(struct engine *engine);
// `entry`: the one that was made; NULL: none.
void engine_tell_manual(struct engine *engine, const char *what, const char *pattern,
                        const struct manual_entry *entry);

// One line: the event with the first fault.
void engine_log_fault(enum log_event event, const char *path, const struct diags *diags);

// How member health is seen by the compiler (steer/plan.h).
struct member_view engine_member_view(void *engine, const struct member *member);

// The ids of those lines whose place in `taken` is set, from strong to weak.
json_t *engine_lines_json(const struct lines *lines, const bool *taken);
