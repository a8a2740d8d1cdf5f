// SPDX-License-Identifier: GPL-3.0-or-later
//
// The option table: every key of signpost.yaml, once. The parser, the checks, `signpost reference
// options` and the manual page follow from it. Immutable; any thread.
#include "config/config_options.h"

#include <stdio.h>
#include <string.h>

#define FIELD(member)       .offset = offsetof(struct config, member)
#define LIST(member, count) FIELD(member), .count_offset = offsetof(struct config, count)

static const char *const store_drivers[] = {"files", NULL};
static const char *const precedences[] = {"isp-first", "province-first", NULL};
static const char *const cookie_modes[] = {"off", "on", "require", NULL};
static const char *const xdp_wishes[] = {"auto", "native", "generic", NULL};
static const char *const health_processes[] = {"inside", "own", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

// clang-format off
static const struct option options[] = {
    {{.name = "listen", .type = OPTION_ENDPOINTS, .fallback = "[\"0.0.0.0:53\", \"[::]:53\"]",
      .help = "Where queries are answered, over UDP and TCP. Port 0 lets the kernel choose one."},
     LIST(listen, listen_count)},
    {{.name = "listen_tls", .type = OPTION_ENDPOINTS_OR_NONE, .fallback = "[]",
      .help = "Where queries are answered over TLS (RFC 7858), usually port 853. Needs "
              "`tls.certificate` and `tls.key`."},
     LIST(listen_tls, listen_tls_count)},
    {{.name = "tls.certificate", .type = OPTION_PATH,
      .help = "The certificate for `listen_tls`, PEM, with the chain behind it. Read again at each "
              "reload."},
     FIELD(tls_certificate)},
    {{.name = "tls.key", .type = OPTION_PATH,
      .help = "The private key of the certificate, PEM, without a pass phrase. Read again at each "
              "reload."},
     FIELD(tls_key)},
    {{.name = "proxy.from", .type = OPTION_PREFIXES, .fallback = "[]",
      .help = "Networks of load balancers that speak for their clients by the PROXY protocol, "
              "version 2, over UDP, TCP and TLS. Their header is compulsory, and the client that "
              "it names is the client for steering and all limits. From elsewhere no header is "
              "looked for."},
     LIST(proxies, proxy_count)},
    {{.name = "workers", .type = OPTION_COUNT_OR_AUTO, .min = 1, .max = 256, .fallback = "auto",
      .unit = "threads",
      .help = "Threads that answer queries, each with its own sockets. `auto` is one a core."},
     FIELD(workers)},
    {{.name = "store.driver", .type = OPTION_ENUM, .choices = store_drivers, .fallback = "files",
      .help = "Where zones come from: a folder of files."},
     FIELD(store_driver)},
    {{.name = "store.path", .type = OPTION_PATH, .fallback = "zones",
      .help = "The folder of zones: `*.zone` (RFC 1035) and `*.yaml`, named after their zone, and "
              "`shared.yaml` with what zones have in common."},
     FIELD(store_path)},
    {{.name = "geo.databases", .type = OPTION_DATABASES, .fallback = "[]",
      .help = "Databases of places and ASNs: MMDB or CSV, recognised by their content. Without "
              "them only built-in and own networks decide lines. `fields` says where the fields "
              "of an MMDB are: `country`, `region`, `latitude`, `longitude`, `asn`, "
              "`organisation`, each a path such as `country.iso_code`."},
     LIST(geo_databases, geo_database_count)},
    {{.name = "geo.watch", .type = OPTION_DURATION, .min = 0, .max = 86400, .fallback = "10",
      .unit = "seconds",
      .help = "How often the files of geo data are looked at; one that has changed and then stayed "
              "as it is for as long is taken. 0 looks only at a reload."},
     FIELD(geo_watch_ns)},
    {{.name = "geo.networks", .type = OPTION_PATH,
      .help = "Own table of networks, which overrides the databases cell by cell: a CSV file with "
              "the header `cidr,country,region,asn,line,lat,lon`."},
     FIELD(geo_networks)},
    {{.name = "geo.lines", .type = OPTION_PATH,
      .help = "Own rows for the catalogue of lines: ISPs, clouds, areas, search engines, ASNs, "
              "networks, aliases; in the format of `src/geo/lines.tsv` and `isps.tsv`."},
     FIELD(geo_lines)},
    {{.name = "control", .type = OPTION_PATH_OR_OFF, .fallback = "run/signpost.sock",
      .help = "Unix socket of the HTTP API that the other commands talk to."},
     FIELD(control_path)},
    {{.name = "health.allow", .type = OPTION_PREFIXES, .fallback = "[]",
      .help = "Networks that probes may reach although they are private, loopback or link-local."},
     LIST(health_allow, health_allow_count)},
    {{.name = "health.commands", .type = OPTION_COMMANDS, .fallback = "[]",
      .help = "Commands that checks of kind `exec` may run, each as `NAME=/path/to/command "
              "ARGUMENT ...`, split at blanks; no shell is involved. They get `SIGNPOST_ADDRESS`, "
              "`SIGNPOST_PORT` and `SIGNPOST_TIMEOUT_MS` in their environment and nothing else but "
              "`PATH` and `LANG`. Documents and the API can name commands, never make them."},
     LIST(health_commands, health_command_count)},
    {{.name = "health.commands_user", .type = OPTION_USER, .fallback = "off",
      .help = "The user that commands of checks run as, if the server may change users. `off` is "
              "the server's own."},
     FIELD(health_commands_user)},
    {{.name = "health.process", .type = OPTION_ENUM, .choices = health_processes,
      .fallback = "inside",
      .help = "Where probes are made: inside the server, or in a process of its own that has none "
              "of the server's files and secrets; if it ends, states stay and it is started anew."},
     FIELD(health_process)},
    {{.name = "health.user", .type = OPTION_USER, .fallback = "off",
      .help = "The user of that process, if the server may change users. `off` is the server's "
              "own."},
     FIELD(health_user)},
    {{.name = "health.first_round", .type = OPTION_DURATION, .min = 0, .max = 300, .fallback = "5",
      .unit = "seconds",
      .help = "How long the first round of checks may hold back the first answer."},
     FIELD(first_round_ns)},
    {{.name = "health.idle_after", .type = OPTION_DURATION, .min = 1, .max = 86400,
      .fallback = "600", .unit = "seconds",
      .help = "Names that were not asked for that long are idle."},
     FIELD(health_idle_after_ns)},
    {{.name = "health.idle_factor", .type = OPTION_COUNT, .min = 1, .max = 1000, .fallback = "1",
      .unit = "intervals",
      .help = "How many intervals pass between two probes of a target whose names are all idle. "
              "With the first query it is probed each interval again. 1: nobody rests."},
     FIELD(health_idle_factor)},
    {{.name = "health.doubt.share", .type = OPTION_COUNT, .min = 50, .max = 100, .fallback = "70",
      .unit = "per cent",
      .help = "When more than this share of all targets that are up fails at once, the checker "
              "doubts itself and freezes all states. 100: never."},
     FIELD(health_doubt_share)},
    {{.name = "health.doubt.targets", .type = OPTION_COUNT, .min = 2, .max = 1000000,
      .fallback = "10", .unit = "targets",
      .help = "With fewer targets up, a share of them says nothing."},
     FIELD(health_doubt_targets)},
    {{.name = "health.anchors", .type = OPTION_ENDPOINTS_OR_NONE, .min = 1, .fallback = "[]",
      .help = "TCP endpoints that show whether this server's own network works: when none of them "
              "accepts connections, states are frozen. Special networks must be in "
              "`health.allow`."},
     LIST(health_anchors, health_anchor_count)},
    {{.name = "health.state", .type = OPTION_PATH_OR_OFF, .fallback = "run",
      .help = "Folder of the files `health.states` (states of checks, taken up again after a "
              "restart), `health.manual` (what operators have set) and `ramps.json` (how far ramps "
              "have come)."},
     FIELD(health_state)},
    {{.name = "health.state_age", .type = OPTION_DURATION, .min = 0, .max = 86400,
      .fallback = "600", .unit = "seconds",
      .help = "States that are older than this after a restart are unknown instead."},
     FIELD(health_state_age_ns)},
    {{.name = "webhooks", .type = OPTION_WEBHOOKS, .fallback = "[]",
      .help = "Where events are sent as JSON over HTTPS: `url`, `secret` or `secret_file` (signs "
              "with HMAC-SHA256; the routing key for pagerduty), `format` (json, slack, dingtalk, "
              "pagerduty), `events` (check, doubt, prober by default), `gap` (seconds from one "
              "request to the next; what happens in between goes together; 5, but 0.5 for "
              "pagerduty, whose requests hold one event)."},
     LIST(webhooks, webhook_count)},
    {{.name = "defaults.ns", .type = OPTION_NAMES, .fallback = "[]",
      .help = "Name servers of zones whose document has no NS records."},
     LIST(default_nameservers, default_nameserver_count)},
    {{.name = "defaults.hostmaster", .type = OPTION_MAILBOX,
      .help = "Mailbox in the SOA of zones whose document has none: `hostmaster@example.com` or "
              "`hostmaster.example.com.`."},
     FIELD(default_hostmaster)},
    {{.name = "defaults.ttl", .type = OPTION_COUNT, .min = 0, .max = 2147483647,
      .fallback = "3600", .unit = "seconds",
      .help = "TTL of records whose document gives none."},
     FIELD(default_ttl)},
    {{.name = "answer.ecs", .type = OPTION_BOOL, .fallback = "true",
      .help = "Whether the client subnet of a query (RFC 7871) is taken as the client."},
     FIELD(ecs)},
    {{.name = "answer.udp_payload_max", .type = OPTION_COUNT, .min = 512, .max = 1232,
      .fallback = "1232", .unit = "bytes",
      .help = "Largest answer over UDP; a client that offers more gets this much."},
     FIELD(udp_payload_max)},
    {{.name = "answer.chaos_version", .type = OPTION_TEXT_OR_OFF, .fallback = "signpost",
      .help = "Answer to `version.bind` and `version.server` in class CH; `off` refuses."},
     FIELD(chaos_version)},
    {{.name = "answer.chaos_id", .type = OPTION_TEXT_OR_OFF, .fallback = "off",
      .help = "Answer to `id.server` and `hostname.bind` in class CH; `off` refuses."},
     FIELD(chaos_id)},
    {{.name = "answer.nsid", .type = OPTION_ID_OR_OFF, .fallback = "off",
      .help = "Name of this server for clients that ask for it with NSID (RFC 5001); `off` tells "
              "none."},
     FIELD(nsid)},
    {{.name = "answer.cookies", .type = OPTION_ENUM, .choices = cookie_modes, .fallback = "on",
      .help = "DNS cookies (RFC 7873): `on` gives them and exempts clients that show one from rate "
              "limits; `require` also answers BADCOOKIE, over UDP, to a client that sends a cookie "
              "without a good server's part, until it comes back with it."},
     FIELD(cookies)},
    {{.name = "answer.cookie_secrets", .type = OPTION_PATH,
      .help = "File of secrets that servers of one address share: 32 hexadecimal digits a line, "
              "at most 4 lines. The first makes cookies (RFC 9018), all are accepted; read again "
              "at each reload. Without it each start makes a secret of its own."},
     FIELD(cookie_secrets_path)},
    {{.name = "steering.precedence", .type = OPTION_ENUM, .choices = precedences,
      .fallback = "isp-first",
      .help = "Which line wins in the flat form when an ISP's and a province's both hold a "
              "client."},
     FIELD(precedence)},
    {{.name = "steering.sticky_key", .type = OPTION_KEY, .fallback = "signpost",
      .help = "Text that keys the hash behind `sticky` and `share`: the same on every server of "
              "one service; another text deals clients out anew."},
     FIELD(sticky_key)},
    {{.name = "limits.tcp_clients", .type = OPTION_COUNT, .min = 1, .max = 65536,
      .fallback = "1024", .unit = "connections",
      .help = "TCP connections that one worker holds, and TLS connections in all; the longest idle "
              "makes room."},
     FIELD(tcp_clients_max)},
    {{.name = "limits.tcp_clients_per_address", .type = OPTION_COUNT, .min = 1, .max = 65536,
      .fallback = "128", .unit = "connections",
      .help = "Of these, how many one IPv4 address or one IPv6 /64 may hold; its own longest idle "
              "makes room."},
     FIELD(tcp_clients_per_address_max)},
    {{.name = "limits.tcp_idle", .type = OPTION_DURATION, .min = 1, .max = 3600, .fallback = "10",
      .unit = "seconds",
      .help = "A TCP or TLS connection without a query for this long is closed; a client that asks "
              "(RFC 7828) is told. A quarter of it counts, and 0 is told, while more than half of "
              "the places are taken."},
     FIELD(tcp_idle_ns)},
    {{.name = "limits.tcp_message", .type = OPTION_DURATION, .min = 1, .max = 3600,
      .fallback = "5", .unit = "seconds",
      .help = "A connection is closed when a query that has begun is not complete after this long, "
              "or when answers that wait have not been taken."},
     FIELD(tcp_message_ns)},
    {{.name = "limits.tcp_fast_open", .type = OPTION_COUNT, .min = 0, .max = 65535,
      .fallback = "64", .unit = "connections",
      .help = "TCP Fast Open (RFC 7413): connections that may wait with a query in their first "
              "packet; 0 switches it off. The kernel must allow it too: net.ipv4.tcp_fastopen with "
              "bit 2."},
     FIELD(tcp_fast_open_max)},
    {{.name = "limits.tls_handshake", .type = OPTION_DURATION, .min = 1, .max = 60,
      .fallback = "5", .unit = "seconds",
      .help = "A TLS handshake that is not complete after this long is given up."},
     FIELD(tls_handshake_ns)},
    {{.name = "limits.tls_handshakes", .type = OPTION_COUNT, .min = 1, .max = 65536,
      .fallback = "256", .unit = "handshakes",
      .help = "TLS handshakes under way at once; the oldest makes room."},
     FIELD(tls_handshakes_max)},
    {{.name = "rrl.rate", .type = OPTION_COUNT, .min = 0, .max = 1000000, .fallback = "0",
      .unit = "answers a second",
      .help = "Response rate limiting: answers over UDP that one address may get for ever, from "
              "each worker; the networks around it may get multiples (/24: 32, /20: 256, /18: 768; "
              "/64: 2, /56: 3, /48: 4, /32: 64). 0 switches it off; 50 is a good value. Queries "
              "over TCP or TLS, or with a valid cookie, are exempt."},
     FIELD(rrl_rate)},
    {{.name = "rrl.burst", .type = OPTION_COUNT, .min = 1, .max = 1000000, .fallback = "125",
      .unit = "answers",
      .help = "Answers that one address may get at one instant after a time of silence."},
     FIELD(rrl_burst)},
    {{.name = "rrl.slip", .type = OPTION_COUNT, .min = 0, .max = 100, .fallback = "6",
      .unit = "answers",
      .help = "Every so many withheld answers one is sent truncated, so that an honest client "
              "comes again over TCP: 1 is all, 0 none. With 6, a victim gets less than a fifth of "
              "the bytes that were sent in its name."},
     FIELD(rrl_slip)},
    {{.name = "rrl.table_size", .type = OPTION_COUNT, .min = 1024, .max = 16777216,
      .fallback = "131072", .unit = "networks",
      .help = "Networks that one worker remembers, at 16 bytes each."},
     FIELD(rrl_table_size)},
    {{.name = "rrl.exempt", .type = OPTION_PREFIXES, .fallback = "[]",
      .help = "Networks whose answers are never limited."},
     LIST(rrl_exempt, rrl_exempt_count)},
    {{.name = "xdp.interfaces", .type = OPTION_INTERFACES, .fallback = "[]",
      .help = "Network interfaces whose UDP queries go through XDP sockets, past the kernel's "
              "network stack and its firewall. What cannot be served so is served by sockets."},
     LIST(xdp_interfaces, xdp_interface_count)},
    {{.name = "xdp.mode", .type = OPTION_ENUM, .choices = xdp_wishes, .fallback = "auto",
      .help = "Where the filter of these interfaces runs: in the driver (`native`), behind it "
              "(`generic`), or where it can (`auto`)."},
     FIELD(xdp_wish)},
    {{.name = "lint.max_failover", .type = OPTION_DURATION, .min = 0, .max = 86400,
      .fallback = "0", .unit = "seconds",
      .help = "Budget for the worst-case failover time of a checked name, which `signpost check` "
              "holds it against; 0 is none. `signpost.max_failover` of a record comes before it."},
     FIELD(max_failover_ns)},
    {{.name = "lint.checked_ttl_max", .type = OPTION_COUNT, .min = 1, .max = 2147483647,
      .fallback = "300", .unit = "seconds",
      .help = "The longest TTL of a checked name that `signpost check` says nothing about."},
     FIELD(checked_ttl_max)},
    {{.name = "lint.ignore", .type = OPTION_LINTS, .fallback = "[]",
      .help = "Lint rules that are switched off (docs/reference/lint.md). `signpost.lint_ignore` "
              "of a record does it for that record."},
     LIST(lint_ignore, lint_ignore_count)},
    {{.name = "log.level", .type = OPTION_ENUM, .choices = log_levels, .fallback = "info",
      .help = "The least urgent log lines that are written."},
     FIELD(log_level)},
};
// clang-format on

static const char *const type_texts[OPTION_TYPE_COUNT] = {
    [OPTION_ENDPOINTS] = "list of address:port",
    [OPTION_ENDPOINTS_OR_NONE] = "list of address:port",
    [OPTION_COUNT] = "whole number",
    [OPTION_COUNT_OR_AUTO] = "whole number or auto",
    [OPTION_PATH] = "path",
    [OPTION_PATH_OR_OFF] = "path or off",
    [OPTION_DATABASES] = "list of {path: ..., fields: ...}",
    [OPTION_PREFIXES] = "list of networks (CIDR)",
    [OPTION_NAMES] = "list of domain names",
    [OPTION_MAILBOX] = "mailbox",
    [OPTION_BOOL] = "truth value: true or false",
    [OPTION_ENUM] = "word",
    [OPTION_DURATION] = "number",
    [OPTION_TEXT_OR_OFF] = "text or off",
    [OPTION_ID_OR_OFF] = "text of 1 to 128 bytes or off",
    [OPTION_INTERFACES] = "list of interface names",
    [OPTION_KEY] = "text",
    [OPTION_WEBHOOKS] = "list of {url: ...}",
    [OPTION_LINTS] = "list of lint rules",
    [OPTION_COMMANDS] = "list of commands",
    [OPTION_USER] = "user name or off",
};

size_t config_option_count(void)
{
    return ARRAY_SIZE(options);
}

const struct option *option_at(size_t index)
{
    SP_ASSERT(index < ARRAY_SIZE(options));
    return &options[index];
}

const struct option_info *config_option(size_t index)
{
    return &option_at(index)->info;
}

const struct option_info *config_option_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (strcmp(options[i].info.name, name) == 0) {
            return &options[i].info;
        }
    }
    SP_ASSERT(false);
}

const char *option_type_text(enum option_type type)
{
    SP_ASSERT(type < OPTION_TYPE_COUNT);
    return type_texts[type];
}

const char *option_range(const struct option_info *option, char *text, size_t size)
{
    text[0] = '\0';
    if (option->choices == NULL) {
        if (option->max > 0) {
            snprintf(text, size, "%lld..%lld", (long long)option->min, (long long)option->max);
        }
        return text;
    }
    size_t used = 0;
    for (const char *const *choice = option->choices; *choice != NULL && used < size; choice++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? " | " : "", *choice);
    }
    return text;
}
