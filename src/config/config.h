// SPDX-License-Identifier: GPL-3.0-or-later
//
// signpost.yaml: one option table (config_options.c) from which the parser, `signpost check`, the
// reference page and the manual page come.
//
// Read once at the start, by the control thread; read-only afterwards, any thread.
#pragma once

#include "base/address.h"
#include "base/diag.h"
#include "base/log.h"
#include "base/memory.h"
#include "geo/geo.h"
#include "geo/lines.h"
#include "net/xdp.h"

enum store_driver { STORE_FILES };
enum cookie_mode { COOKIES_OFF, COOKIES_ON, COOKIES_REQUIRE };

// One of geo.databases.
struct database {
    const char *path;
    struct geo_fields fields;
};

// A command that `exec` checks may run by name.
struct config_command {
    const char *name;
    const char **argv; // ends with NULL
};

// Where events are sent (server/webhook.h).
enum webhook_format { WEBHOOK_JSON, WEBHOOK_SLACK, WEBHOOK_DINGTALK, WEBHOOK_PAGERDUTY };
extern const char *const webhook_format_names[]; // in enum order, then NULL

struct webhook {
    const char *url;
    const char *secret; // NULL: not signed
    enum webhook_format format;
    unsigned types; // bit set of enum event_type
    int64_t gap_ns; // between two requests
};

// All strings live in the arena. Paths are absolute or relative to the working directory:
// relative paths in the file are taken from the folder of the file.
struct config {
    struct arena *arena;
    const char *path;
    int64_t changed_ns; // of the file, when it was read
    struct endpoint *listen;
    size_t listen_count;
    struct endpoint *listen_tls;
    size_t listen_tls_count;
    const char *tls_certificate, *tls_key; // both when there is a listen_tls
    struct prefix *proxies;
    size_t proxy_count;
    unsigned workers;
    enum store_driver store_driver;
    const char *store_path;
    struct database *geo_databases;
    size_t geo_database_count;
    int64_t geo_watch_ns;     // 0: files are not watched
    const char *geo_networks; // NULL: none
    const char *geo_lines;    // NULL: none
    const char *control_path; // NULL: no control socket
    struct prefix *health_allow;
    size_t health_allow_count;
    struct config_command *health_commands;
    size_t health_command_count;
    const char *health_commands_user; // NULL: the server's own
    const char **default_nameservers; // absolute, with the final dot
    size_t default_nameserver_count;
    const char *default_hostmaster; // NULL: none given
    uint32_t default_ttl;
    enum line_precedence precedence;
    unsigned udp_payload_max;
    bool ecs;
    const char *chaos_version, *chaos_id; // NULL: refused
    const char *nsid;                     // NULL: not told
    enum cookie_mode cookies;
    const char *cookie_secrets_path; // NULL: a secret of this process alone
    uint64_t sticky_key;
    unsigned health_doubt_share, health_doubt_targets;
    int64_t health_idle_after_ns;
    unsigned health_idle_factor;
    struct endpoint *health_anchors;
    size_t health_anchor_count;
    struct webhook *webhooks;
    size_t webhook_count;
    enum health_process { HEALTH_INSIDE, HEALTH_OWN } health_process;
    const char *health_user;  // of the probing process; NULL: the server's
    const char *health_state; // folder of saved states; NULL: nothing is saved
    int64_t health_state_age_ns;
    int64_t first_round_ns; // how long the first round of checks may hold back `ready`
    unsigned tcp_clients_max, tcp_clients_per_address_max; // of one worker
    unsigned tcp_fast_open_max, tls_handshakes_max;
    int64_t tcp_idle_ns, tcp_message_ns, tls_handshake_ns;
    uint32_t rrl_rate, rrl_burst, rrl_slip, rrl_table_size; // rate 0: no limit
    struct prefix *rrl_exempt;
    size_t rrl_exempt_count;
    const char **xdp_interfaces;
    size_t xdp_interface_count;
    enum xdp_wish xdp_wish;
    int64_t max_failover_ns;  // 0: no budget
    unsigned checked_ttl_max; // seconds
    const char **lint_ignore;
    size_t lint_ignore_count;
    enum log_level log_level;
};

// The largest configuration that is read.
enum { CONFIG_SIZE_MAX_MIB = 1 };

// Reads and checks the file; all faults go to `diags` with place and key. NULL when there was
// an error.
struct config *config_read(const char *path, struct diags *diags);
void config_free(struct config *config); // NULL allowed

// A warning when the file is no longer the one that was read. Control thread.
void config_compare(const struct config *config, struct diags *diags);

enum option_type {
    OPTION_ENDPOINTS,
    OPTION_ENDPOINTS_OR_NONE,
    OPTION_COUNT,
    OPTION_COUNT_OR_AUTO, // "auto": one a core
    OPTION_PATH,
    OPTION_PATH_OR_OFF,
    OPTION_DATABASES,
    OPTION_PREFIXES,
    OPTION_NAMES,
    OPTION_MAILBOX,
    OPTION_BOOL,
    OPTION_ENUM,
    OPTION_DURATION,
    OPTION_TEXT_OR_OFF,
    OPTION_ID_OR_OFF, // a short text that stands in every answer that asks for it
    OPTION_INTERFACES,
    OPTION_KEY, // any text, hashed
    OPTION_WEBHOOKS,
    OPTION_LINTS,
    OPTION_COMMANDS,
    OPTION_USER,
    OPTION_TYPE_COUNT
};

struct option_info {
    const char *name; // "geo.networks"
    enum option_type type;
    int64_t min, max;           // OPTION_COUNT and OPTION_DURATION, in `unit`
    const char *const *choices; // OPTION_ENUM: ends with NULL; the index is the value
    const char *fallback;       // the default as written in the file; NULL: none
    const char *unit, *help;
};

// The table itself, for the pages that are made from it.
size_t config_option_count(void);
const struct option_info *config_option(size_t index);
// There must be one of that name.
const struct option_info *config_option_named(const char *name);
// "list of address:port", what a value of this type looks like.
const char *option_type_text(enum option_type type);
// "1..256", "error | warning | info | debug", or "" when there is no range. Returns `text`.
const char *option_range(const struct option_info *option, char *text, size_t size);
