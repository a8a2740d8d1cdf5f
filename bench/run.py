#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signpost beside other servers, and beside the limit of the kernel, in one run.

Every server has one data thread on core 0; the load generator has core 1. Workloads come one after
the other; within one, rounds are interleaved and their order rotates, so whatever else the machine
does falls on all alike; medians are printed. bench/README.md says what each figure means.
"""

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

try:
    import dns.edns
    import dns.flags
    import dns.message
    import dns.query
    import dns.rcode
except ImportError:
    sys.exit('bench: python3-dnspython is needed to compare the answers (apt-get install it)')

import counting
import loading
import report
from rounds import Row, run_rounds, say, shares
from servers import ROOT, SERVERS, Server
from workloads import WORKLOADS, Small


# --- comparing the answers -----------------------------------------------------------------------

def answer_of(port: int, name: str, rdtype: str, client: str | None = None):
    options = [dns.edns.ECSOption(client, 24)] if client else []
    query = dns.message.make_query(name, rdtype, use_edns=0, payload=1232, options=options)
    response = dns.query.udp(query, '127.0.0.1', port=port, timeout=2)
    records = {rdata.to_text() for rrset in response.answer for rdata in rrset}
    return dns.rcode.to_text(response.rcode()), bool(response.flags & dns.flags.AA), records


def compare_answers(workload, servers: list[Server]) -> None:
    """All servers give the expected answers, or there is nothing to compare."""
    count = 0
    for name, rdtype, values in workload.expected():
        expected = ('NXDOMAIN', True, set()) if values is None else ('NOERROR', True, values)
        count += 1
        for server in servers:
            got = answer_of(server.port, name, rdtype)
            if got != expected:
                raise RuntimeError(f'{server.name} answers {name} {rdtype} with {got}, '
                                   f'not {expected}')
    say(f'answers: {", ".join(server.name for server in servers)} agree on {count} questions')


def check_steering(workload, server: Server) -> None:
    """The lines of 2,000 random clients, told from the addresses that they get."""
    dice = random.Random(2)
    line_of = {value: line for number in range(len(workload.names()))
               for line, value, _ in workload.members(number)}
    seen: dict[str, int] = {}
    for _ in range(2000):
        client = f'{dice.randrange(1, 224)}.{dice.randrange(256)}.{dice.randrange(256)}.0'
        name = dice.choice(workload.names())
        rcode, _, records = answer_of(server.port, f'{name}.{workload.zone}.', 'A', client)
        if rcode != 'NOERROR' or len(records) != 1:
            raise RuntimeError(f'{server.name}: steered answer to {client}: {rcode}, {records}')
        line = line_of[next(iter(records))]
        seen[line] = seen.get(line, 0) + 1
    text = ', '.join(f'{line} {count / 20:.1f} %' for line, count in sorted(seen.items()))
    say(f'{server.name}: of 2000 random clients {text}')


class Targets:
    """What the checks of the steered names find: a listener on every loopback address."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(('0.0.0.0', 0))
        self.socket.listen(1024)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return


# --- the run -------------------------------------------------------------------------------------

def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--build', type=Path, default=ROOT / 'build', help='meson build directory (build)')
    add('--binary', type=Path, help='the server (signpost in the build directory)')
    add('--workloads', default=','.join(WORKLOADS), help='which ones, with commas')
    add('--servers', default=','.join(SERVERS), help='which ones, with commas')
    add('--peer', action='append', default=[], metavar='NAME=BINARY',
        help='another binary of a peer, such as one built from its newest source')
    add('--rounds', type=int, default=15, help='rounds (15)')
    add('--starts', type=int, default=5, help='times that the servers are started anew (5)')
    add('--seconds', type=float, default=1, help='seconds a server and round (1)')
    add('--window', type=int, default=128, help='unanswered queries at any time (128)')
    add('--group', type=int, default=16, help='queries a send, by UDP GSO (16)')
    add('--names', type=int, default=1_000_000, help='names of the big zone (1,000,000)')
    add('--loads', type=int, default=3, help='times that the big zone is loaded (3)')
    add('--zones', type=int, default=0, help='zones of ten records to load (0: leave that out)')
    add('--port', type=int, default=15310, help='first of the ports on 127.0.0.1 (15310)')
    add('--no-load', action='store_true', help='only count instructions')
    add('--no-loading', action='store_true', help='do not measure how long zones take to load')
    add('--no-instructions', action='store_true', help='do not count instructions')
    add('--install', action='store_true', help='apt-get install the peers and valgrind first')
    add('--output', type=Path, default=ROOT / 'build' / 'bench.json',
        help='where all samples go (build/bench.json); the plot beside it')
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.tools = options.build / 'bench'
    options.binary = (options.binary or options.build / 'signpost').resolve()
    options.workloads = options.workloads.split(',')
    options.servers = options.servers.split(',')
    for name in options.workloads:
        if name not in WORKLOADS:
            sys.exit(f'bench: there is no workload "{name}": {", ".join(WORKLOADS)}')
    options.databases = sorted(path for path in (ROOT / 'build' / 'geo').glob('*')
                               if path.exists())
    return options


def build_tools(options) -> None:
    targets = [f'bench/bench-{name}' for name in ('load', 'echo', 'instructions', 'publish')]
    for command in (['meson', 'configure', str(options.build), '-Dbench=true'],
                    ['ninja', '-C', str(options.build), *targets]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f'bench: {" ".join(command)} failed:\n{done.stdout}{done.stderr}')


def install_peers() -> None:
    """Only on request: Debian's packages start their daemons where there is an init system."""
    packages = [server.package for server in SERVERS.values() if server.package]
    packages += ['pdns-backend-bind', 'valgrind', 'python3-dnspython']
    subprocess.run(['apt-get', 'install', '-y', '--no-install-recommends', *packages], check=True,
                   env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'})


def choose_servers(options) -> list[str]:
    for choice in options.peer:
        name, _, binary = choice.partition('=')
        if name not in SERVERS or not Path(binary).exists():
            sys.exit(f'bench: --peer {choice}: expected NAME=BINARY of {", ".join(SERVERS)}')
        SERVERS[name].binary = binary
    chosen = []
    for name in options.servers:
        if name not in SERVERS:
            sys.exit(f'bench: there is no server "{name}": {", ".join(SERVERS)}')
        kind = SERVERS[name]
        if kind.binary and not Path(kind.binary).exists():
            say(f'{name}: skipped, not installed (apt-get install {kind.package}, or --install)')
        elif kind.name == 'knot' and not options.databases:
            say('knot: left out of `steered`, it needs the data of ./dev geo')
            chosen.append(name)
        else:
            chosen.append(name)
    return chosen


def make_rows(workload, folder: Path, chosen: list[str], options) -> list[Row]:
    rows: list[Row] = []
    for name in workload.servers:
        skipped = name == 'knot' and workload.geo and not options.databases
        if name in chosen and not skipped:
            home = folder / name
            workload.prepare(home)
            rows.append(Row(SERVERS[name](options.port + len(rows), home, workload, options),
                            workload))
    if workload.geo and 'signpost' in chosen:  # its own static row, for the ratio
        static = Small(options)
        home = folder / 'own-static'
        static.prepare(home)
        rows.append(Row(SERVERS['signpost'](options.port + len(rows), home, static, options),
                        static, 'own static'))
    return rows


def compare_all(workload, rows: list[Row]) -> None:
    servers = [row.server for row in rows
               if row.server.name != 'echo' and row.workload is workload]
    compare_answers(workload, servers)
    if workload.geo:
        for server in servers:
            check_steering(workload, server)


def measure(workload, folder: Path, chosen: list[str], options) -> tuple[dict, dict]:
    """Summaries by row, and how each server was built."""
    rows = make_rows(workload, folder, chosen, options)
    for row in rows:
        row.server.prepare()
    for numbers in shares(options.rounds, options.starts):
        try:
            for row in rows:
                row.server.start()
            compare_all(workload, rows)
            run_rounds(rows, options, numbers)
        finally:
            for row in rows:
                row.server.stop()
    summaries = {row.name: row.summary() for row in rows}
    report.print_table(workload.name, summaries)
    return summaries, {row.server.name: row.server.describe() for row in rows}


def machine() -> dict[str, str]:
    model = next((line.split(':')[1].strip() for line in Path('/proc/cpuinfo').open()
                  if line.startswith('model name')), 'unknown')
    return {'cpu': model, 'cores': str(os.cpu_count()), 'kernel': os.uname().release,
            'load': ' '.join(f'{value:.2f}' for value in os.getloadavg())}


def measure_publishing(tools: Path) -> list[str]:
    """What a change of one name costs beside few names and beside many."""
    return [subprocess.check_output([str(tools / 'bench-publish'), names], text=True, timeout=120)
            for names in ('1000', '1000000')]


def run(options, folder: Path) -> dict:
    chosen = choose_servers(options)
    result: dict = {'workloads': {}, 'servers': {}}
    bars = []
    if not options.no_load:
        for name in options.workloads:
            say(f'== {name}')
            summaries, notes = measure(WORKLOADS[name](options), folder / name, chosen, options)
            result['workloads'][name] = summaries
            result['servers'][name] = notes
            shutil.rmtree(folder / name)
        bars += report.verdicts(result['workloads'])
    if not options.no_loading and not options.no_load:
        peers = [name for name in ('signpost', 'nsd', 'gdnsd', 'knot') if name in chosen]
        result['loading'] = loading.measure_big(folder / 'loading', peers, options)
        result['many'] = loading.measure_many(folder, options) if options.zones else None
        bars += loading.print_loading(result['loading'], result['many'], options)
    if not options.no_instructions:
        result['instructions'] = counting.measure_instructions(folder, options)
        bars += counting.instruction_verdicts(result['instructions'])
    report.print_verdicts(bars)
    result['bars'] = bars
    for name, notes in result['servers'].items():
        for server, note in notes.items():
            print(f'{name}, {server}: {note}')
    return result


def main():
    options = parse_arguments()
    if not {0, 1} <= os.sched_getaffinity(0):
        sys.exit('bench: cores 0 and 1 are needed, one for the server and one for the load')
    if options.install:
        install_peers()
    build_tools(options)
    folder = options.build / 'bench-run'
    shutil.rmtree(folder, ignore_errors=True)
    targets = Targets()
    options.target_port = targets.port
    here = machine()
    print(f'{here["cpu"]}, {here["cores"]} cores, Linux {here["kernel"]}, load {here["load"]}; '
          f'{options.rounds} rounds of {options.seconds:g} s over {options.starts} starts, medians')
    result = {'machine': here, 'options': {key: str(value) for key, value in vars(options).items()},
              **run(options, folder)}
    print(*(result.setdefault('publish', measure_publishing(options.tools))), sep='', end='')
    options.output.write_text(json.dumps(result, indent=1) + '\n')
    if result['workloads']:
        options.output.with_suffix('.svg').write_text(report.plot(result['workloads']))
    shutil.rmtree(folder, ignore_errors=True)
    say(f'written: {options.output}, and the plot beside it')
    sys.exit(0 if all(bar['holds'] for bar in result['bars']) else 1)


if __name__ == '__main__':
    try:
        main()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.exit(f'bench: {error}')
    except KeyboardInterrupt:
        sys.exit(130)
