// SPDX-License-Identifier: GPL-3.0-or-later
//
// signpost.yaml: one option table from which the parser, `signpost check`, the reference page and
// the sample configuration come (config_options.c).
#pragma once

#include "base/address.h"
#include "base/diag.h"
#include "base/memory.h"
#include "geo/lines.h"

struct endpoint {
    struct address address;
    uint16_t port;
};

// All strings live in the arena. Paths are absolute or relative to the working directory: relative
// paths in the file are taken from the folder of the file.
struct config {
    struct arena *arena;
    const char *path;
    struct endpoint *listen;
    size_t listen_count;
    unsigned workers;
    const char *store_driver, *store_path;
    const char **geo_databases;
    size_t geo_database_count;
    const char *geo_networks; // NULL: none
    const char *control_path; // NULL: no control socket
    struct prefix *health_allow;
    size_t health_allow_count;
    const char **default_nameservers;
    size_t default_nameserver_count;
    const char *default_hostmaster;
    uint32_t default_ttl;
    enum line_precedence precedence;
    uint16_t udp_payload_max;
    bool ecs;
    const char *chaos_version, *chaos_id; // NULL: refused
    uint64_t sticky_key;
    int64_t first_round_ns; // how long the first round of checks may hold back `ready`
    unsigned tcp_clients_max;
    int64_t tcp_idle_ns;
    const char *log_level;
};

// Reads and checks the file; all faults go to `diags` with place and key. NULL when there was an error.
struct config *config_read(const char *path, struct diags *diags);
void config_free(struct config *config); // NULL allowed

// The option table itself, for the reference generator and the sample.
enum option_type { OPTION_ENDPOINTS, OPTION_COUNT, OPTION_STRING, OPTION_PATH, OPTION_PATHS, OPTION_PREFIXES, OPTION_NAMES, OPTION_BOOL, OPTION_ENUM, OPTION_DURATION, OPTION_TEXT_OR_OFF };
struct option_info {
    const char *name; // "geo.networks"
    enum option_type type;
    const char *range;   // "1..256", "isp-first | province-first"; NULL: none
    const char *fallback; // the default as written in the file; NULL: required or none
    const char *unit, *help;
};
size_t config_option_count(void);
struct option_info config_option(size_t index);
