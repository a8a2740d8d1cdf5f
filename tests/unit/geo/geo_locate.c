// SPDX-License-Identifier: GPL-3.0-or-later
//
// geo-locate [--networks FILE] [--quiet] DATABASE...
//
// Reads addresses on standard input, one a line, and prints what the databases and the catalogue
// say: "address country region asn isp length", "-" for unknown. Says on standard error what was
// loaded, how long it took and how much memory it holds. For tests/interop/geo_oracle.py, and for a
// look at a database by hand.
#include "base/clock.h"
#include "geo/geo.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

static void count_run(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    (void)first, (void)last, (void)value;
    ++*(size_t *)context;
}

static double ms_since(int64_t start_ns)
{
    return (double)(clock_monotonic_ns(clock_system()) - start_ns) / 1e6;
}

static void report(const struct geo *geo, double load_ms)
{
    struct geo_summary summary = geo_summary(geo);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr,
            "loaded in %.0f ms: %zu locations, %zu IPv4 and %zu IPv6 networks, %zu ASN networks, "
            "%.1f MB held, %.1f MB at most resident\n",
            load_ms, summary.location_count, summary.network_count_ipv4, summary.network_count_ipv6,
            summary.asn_network_count, (double)summary.memory_size / 1e6,
            (double)usage.ru_maxrss * 1024 / 1e6);
    static const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        size_t locations = 0, asns = 0;
        int64_t start_ns = clock_monotonic_ns(clock_system());
        geo_walk_locations(geo, families[i], count_run, &locations);
        double locations_ms = ms_since(start_ns);
        start_ns = clock_monotonic_ns(clock_system());
        geo_walk_asns(geo, families[i], count_run, &asns);
        fprintf(stderr, "IPv%d: walked %zu locations in %.1f ms, %zu ASNs in %.1f ms\n",
                (int)families[i], locations, locations_ms, asns, ms_since(start_ns));
    }
}

static bool locate_line(const struct geo *geo, const struct lines *lines, const char *text)
{
    struct address address;
    if (!address_parse(text, &address)) {
        fprintf(stderr, "\"%s\" is no address\n", text);
        return false;
    }
    struct geo_match match = geo_locate(geo, &address);
    const struct location *location = geo_location(geo, match.location);
    printf("%s %s %s %u %s %u\n", text, or_dash(location->country), or_dash(location->region),
           match.asn, or_dash(lines_isp_name(lines, location->isp)), match.length);
    return true;
}

int main(int argc, char **argv)
{
    struct geo_config config = {0};
    bool quiet = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--quiet") == 0) {
            quiet = true;
        } else if (strcmp(argv[at], "--networks") == 0 && at + 1 < argc) {
            config.networks_path = argv[++at];
        } else {
            fprintf(stderr, "usage: geo-locate [--networks FILE] [--quiet] DATABASE...\n");
            return 2;
        }
    }
    config.database_paths = (const char *const *)argv + at;
    config.database_count = (size_t)(argc - at);

    struct diags diags = {0};
    struct lines *lines = lines_new(NULL, 0, &diags);
    int64_t start_ns = clock_monotonic_ns(clock_system());
    struct geo *geo = geo_load(&config, lines, &diags);
    if (!quiet) {
        report(geo, ms_since(start_ns));
    }
    int status = diags.error_count ? 1 : 0;
    for (size_t i = 0; i < diags.count; i++) {
        char text[512];
        fprintf(stderr, "%s\n", diag_format(&diags.items[i], text, sizeof(text)));
    }
    char text[256];
    while (fgets(text, sizeof(text), stdin)) {
        text[strcspn(text, "\n")] = 0;
        if (!locate_line(geo, lines, text)) {
            status = 1;
        }
    }
    geo_free(geo);
    lines_free(lines);
    diags_clear(&diags);
    return status;
}
