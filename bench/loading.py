# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a server takes from its start to the first answer, and how much memory it then holds.

Two cases: one zone of a million names with two addresses each, for every server; and a million
zones of ten records, for Signpost. Loads are interleaved like the rounds of load; medians count.
The many zones are then asked, in rounds with the 1,000 names of one zone.
"""

import random
import statistics
import time
from pathlib import Path

from rounds import Row, paired_ratio, run_rounds, say
from servers import SERVERS
from workloads import ASKED_MAX, Million, Small, Workload

MANY_RECORDS = 10

# (what, ours, theirs, most). Records of the big zone; bytes are those past an empty server.
LOAD_BARS = [('seconds', 'signpost', 'nsd', 1.0), ('bytes_a_record', 'signpost', 'gdnsd', 0.9)]
# What a question may cost among many zones, as a multiple of one among 1,000 names.
MANY_SECONDS_MAX, MANY_BYTES_MAX, MANY_COST_MAX = 60, 2 << 30, 1.3


class Empty(Workload):
    """A zone without names: what a server holds before it holds anything."""

    name, zone = 'empty', 'million.test'

    def write_zone(self, path):
        path.write_text(self.head())

    def questions(self):
        return []


class Many(Workload):
    """Many small zones: SOA, two NS, MX, TXT, two A at the apex and three names below."""

    name, zone = 'many', 'zone0000000.test'

    def prepare(self, folder: Path) -> None:
        zones = folder / 'zones'
        zones.mkdir(parents=True)
        with open(folder / 'queries', 'w', encoding='ascii') as out:
            out.writelines(self.questions())
        text = ('$TTL 300\n@ SOA ns1.example. hostmaster.example. 1 3600 600 86400 60\n'
                '@ NS ns1.example.\n@ NS ns2.example.\n@ MX 10 mail\n@ TXT "v=spf1 mx -all"\n'
                '@ A 192.0.2.1\n@ A 192.0.2.2\nwww A 192.0.2.1\nmail A 192.0.2.3\n'
                'ftp CNAME www\n')
        for number in range(self.options.zones):
            (zones / f'zone{number:07d}.test.zone').write_text(text)

    def questions(self):
        """At random: every question finds its zone's memory cold, once the zones are many."""
        dice = random.Random(3)
        for number in dice.sample(range(self.options.zones), min(self.options.zones, ASKED_MAX)):
            yield f'www.zone{number:07d}.test. A\n'


def load_once(server_name: str, workload, folder: Path, options) -> dict:
    server = SERVERS[server_name](options.port, folder, workload, options)
    server.prepare()
    begin = time.monotonic()
    try:
        server.start()
        seconds = time.monotonic() - begin
        time.sleep(1)  # pages that are given back after the load
        return {'seconds': seconds, 'bytes': server.resident_bytes()}
    finally:
        server.stop()


def fresh(folder: Path, name: str, workload) -> Path:
    made = folder / name
    workload.prepare(made)
    return made


def measure_big(folder: Path, names: list[str], options) -> dict:
    """{server: {seconds, bytes, bytes_a_record}}, medians."""
    big, empty = Million(options), Empty(options)
    records = 2 * options.names
    samples: dict[str, list[dict]] = {name: [] for name in names}
    for turn in range(options.loads):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            base = load_once(name, empty, fresh(folder, f'empty-{name}-{turn}', empty), options)
            full = load_once(name, big, fresh(folder, f'big-{name}-{turn}', big), options)
            full['bytes_a_record'] = (full['bytes'] - base['bytes']) / records
            samples[name].append(full)
        say(f'load {turn + 1} of {options.loads}: ' + ', '.join(
            f'{name} {rows[-1]["seconds"]:.2f} s' for name, rows in samples.items()))
    return {name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
            for name, rows in samples.items()}


def measure_many(folder: Path, options) -> dict:
    """Time and memory of the load, and what a question costs as a multiple of the small case."""
    workload, small = Many(options), Small(options)
    server = SERVERS['signpost'](options.port, fresh(folder, 'many', workload), workload, options)
    other = SERVERS['signpost'](options.port + 1, fresh(folder, 'few', small), small, options)
    say(f'{options.zones} zones of {MANY_RECORDS} records are written')
    rows = [Row(server, workload, 'many zones'), Row(other, small, 'small')]
    server.prepare()
    other.prepare()
    begin = time.monotonic()
    try:
        server.start()
        loaded = {'seconds': time.monotonic() - begin}
        time.sleep(1)
        loaded['bytes'] = server.resident_bytes()
        other.start()
        run_rounds(rows, options)
    finally:
        server.stop()
        other.stop()
    many, few = (row.summary() for row in rows)
    return {**loaded, 'cost': paired_ratio(few, many), 'rows': {'many zones': many, 'small': few}}


def print_loading(big: dict, many: dict | None, options) -> list[dict]:
    """The table; the bars as [{text, value, bar, holds}]."""
    print(f'\n{2 * options.names:,} records in one zone, from start to first answer')
    for name, row in big.items():
        print(f'{name:12}{row["seconds"]:8.2f} s{row["bytes"] / (1 << 20):9.0f} MiB'
              f'{row["bytes_a_record"]:8.1f} bytes a record')
    bars = []
    for key, ours, theirs, most in LOAD_BARS:
        if ours in big and theirs in big:
            value = big[ours][key] / big[theirs][key]
            bars.append({'text': f'load: {key.replace("_", " ")}, {ours} / {theirs}',
                         'value': value, 'bar': f'<= {most}', 'holds': value <= most})
    if many:
        print(f'{options.zones:,} zones of {MANY_RECORDS} records: {many["seconds"]:.1f} s, '
              f'{many["bytes"] / (1 << 20):.0f} MiB')
        for name, row in many['rows'].items():
            print(f'{name:12}{row["qps_per_core"]:11,.0f} answers a second of the core')
        for key, most in (('seconds', MANY_SECONDS_MAX), ('bytes', MANY_BYTES_MAX),
                          ('cost', MANY_COST_MAX)):
            bars.append({'text': f'many zones: {key}', 'value': many[key], 'bar': f'<= {most:,}',
                         'holds': many[key] <= most})
    return bars
