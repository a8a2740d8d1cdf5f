#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks cost: Signpost, HAProxy and gdnsd in one run, and what queries notice of it.

Targets are addresses of 127.0.0.0/8. Each program runs alone, is given time to settle, and then its
processor time is read for the same number of seconds; how many probes were made in them is counted
by the target. The program has one core, the target the other. bench/README.md says what each figure
means. Ends with a failure when a bar does not hold.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pinger
from checkers import (CHECKER_CORE, INTERVAL, TIMEOUT, TLS_NAME, WORKER_CORE, Gdnsd, Haproxy, Nginx,
                      Signpost, Target, address, embryonic_resets, installed)
from report import print_verdicts
from rounds import say
from servers import ROOT

LATE_SHARE_MAX = 0.01   # of the probes later than 5 % of the interval: p99 is below that
CORE_MAX, TLS_CORE_MAX = 0.35, 1.0
BYTES_MAX = 1024
QUERY_RATIO_MAX = 1.05
FILES_OTHER = 1000      # that a program has beside those of checks
SETTLE_S = 2.2 * INTERVAL  # the first round comes close together, the second spreads
STEPS = ('tcp', 'own', 'holes', 'haproxy', 'gdnsd', 'tls', 'queries')


def definition(port: int, more: str = 'kind: tcp') -> str:
    return f'{more}, port: {port}, interval: {INTERVAL}, timeout: {TIMEOUT}'


def observe(program, count: int, options, counted, plain: int = 0) -> dict:
    """One row: what the program used and did during the time of the measurement."""
    own = program.probes if isinstance(program, Signpost) else None
    counted()
    before, cpu, began = own and own(), program.cpu(), time.monotonic()
    time.sleep(options.seconds)
    seen, cpu, after = counted(), program.cpu() - cpu, own and own()
    took = time.monotonic() - began
    program.check_alive()
    row = {'name': program.name, 'checks': count, 'core': cpu / took,
           'bytes_per_check': (program.memory() - plain) / count, 'target': seen}
    probes = seen['taken'] if seen else 0
    if own:
        row['late'] = (after[1] - before[1]) / max(after[0] - before[0], 1)
        probes = probes if seen and seen['addresses'] == count else after[0] - before[0]
    if seen and seen.get('gap_p99_ms'):
        row['gap_p99_s'] = seen['gap_p99_ms'] / 1e3
    return {**row, 'rate': probes / took, 'us_per_probe': 1e6 * cpu / max(probes, 1)}


def print_head():
    print(f'\n{"":26}{"checks":>8}{"probes/s":>10}{"core":>8}{"us/probe":>10}{"bytes/check":>13}'
          f'{"late > 5 %":>12}{"gap p99 s":>11}')


def print_row(row: dict):
    late = f'{100 * row["late"]:.2f} %' if 'late' in row else '-'
    gap = f'{row["gap_p99_s"]:.2f}' if 'gap_p99_s' in row else '-'
    print(f'{row["name"]:26}{row["checks"]:8}{row["rate"]:10.0f}{100 * row["core"]:6.1f} %'
          f'{row["us_per_probe"]:10.1f}{row["bytes_per_check"]:13.0f}{late:>12}{gap:>11}',
          flush=True)


class Bench:
    def __init__(self, options):
        self.options, self.rows, self.bars = options, [], []
        self.target = Target(options.build / 'bench' / 'bench-target', WORKER_CORE)
        self.addresses = [address(number) for number in range(options.checks)]
        self.good = [('good', definition(self.target.good), self.addresses)]
        self.plain = 0  # octets of a server with the members but without checks
        self.queries: dict = {}

    def bar(self, text: str, value: float, most: float):
        self.bars.append({'text': text, 'value': value, 'bar': f'<= {most:,}',
                          'holds': value <= most})

    def judge(self, row: dict, core: float, memory: bool = True):
        name, count = row['name'], row['checks']
        self.bar(f'{name}: share late', row['late'], LATE_SHARE_MAX)
        self.bar(f'{name}: of a core', row['core'], core)
        if memory:
            self.bar(f'{name}: bytes a check', row['bytes_per_check'], BYTES_MAX)
        # Each is probed, on time: gaps shrink by up to a tenth, and never grow.
        self.bar(f'{name}: nominal / real rate', count / INTERVAL / row['rate'], 1.0)

    def counted(self) -> dict:
        return json.loads(self.target.tell())

    def add(self, row: dict):
        self.rows.append(row)
        print_row(row)

    def signpost(self, name: str, groups, process: str = 'inside', checked: bool = True):
        return Signpost(self.options.binary, name, groups, process, checked)

    def run_without(self):
        """What the same members take without checks."""
        program = self.signpost('without checks', self.good, checked=False)
        try:
            program.start({CHECKER_CORE})
            time.sleep(2)
            self.plain = program.memory()
        finally:
            program.stop()

    def run_tcp(self, name: str, groups, process: str) -> None:
        program = self.signpost(name, groups, process)
        try:
            program.start({CHECKER_CORE})
            time.sleep(SETTLE_S)
            row = observe(program, self.options.checks, self.options, self.counted, self.plain)
        finally:
            program.stop()
        self.add(row)
        self.judge(row, CORE_MAX, memory=process == 'inside')

    def run_peer(self, kind):
        if not installed(kind):
            say(f'{kind.__name__}: not installed, left out')
            return
        # HAProxy wants a descriptor for each server, at once.
        room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_OTHER
        addresses = self.addresses[:room] if kind is Haproxy else self.addresses
        program = kind(self.target.good, addresses)
        last = embryonic_resets()

        def counted() -> dict:
            nonlocal last
            seen, before, last = self.counted(), last, embryonic_resets()
            if kind is not Haproxy:
                return seen
            return {'taken': seen['taken'] + last - before, 'addresses': len(addresses)}
        try:
            program.start({CHECKER_CORE})
            program.wait_for(lambda: counted()['taken'] > len(addresses) / 1000)  # in 0.1 s
            time.sleep(SETTLE_S)
            self.add(observe(program, len(addresses), self.options, counted))
        finally:
            program.stop()

    def run_tls(self):
        if not installed(Nginx):
            say('nginx: not installed, HTTPS is left out')
            return
        count = self.options.tls_checks
        nginx = Nginx()
        more = f'kind: https, host: {TLS_NAME}, ca: {nginx.certificate}'
        groups = [('tls', definition(nginx.port, more), self.addresses[:count])]
        program = self.signpost('https', groups)
        last = [0, 0]

        def counted() -> dict:
            now = nginx.requests()
            seen = {'taken': now[0] - last[0], 'resumed': now[1] - last[1], 'addresses': count}
            last[:] = now
            return seen
        try:
            nginx.start({WORKER_CORE})
            program.start({CHECKER_CORE})
            time.sleep(SETTLE_S)
            row = observe(program, count, self.options, counted)
        finally:
            program.stop()
            nginx.stop()
        self.add(row)
        self.judge(row, TLS_CORE_MAX, memory=False)
        full = 1 - row['target']['resumed'] / max(row['target']['taken'], 1)
        self.bar('https: share of full handshakes', full, 0.05)

    def run_queries(self):
        """Queries to a server that probes and to one that does not, in turns."""
        idle = self.signpost('without checks', self.good, checked=False)
        busy = self.signpost('with checks', self.good)
        try:
            for program in (idle, busy):
                program.start({WORKER_CORE, CHECKER_CORE})
                program.spread_threads(WORKER_CORE, CHECKER_CORE)
            time.sleep(SETTLE_S)
            self.counted()
            began = time.monotonic()
            seen = pinger.compare([idle.port(), busy.port()], self.options.rounds,
                                  self.options.queries, CHECKER_CORE)
            rate = self.counted()['taken'] / (time.monotonic() - began)
        finally:
            busy.stop()
            idle.stop()
        self.queries = {'without': seen[0], 'with': seen[1], 'probes_per_s': rate}
        for key in ('p50_us', 'p99_us'):
            values = [sorted(one[key] for one in rounds)[len(rounds) // 2] for rounds in seen]
            self.queries[key] = pinger.ratio(seen[1], seen[0], key)
            print(f'queries, {key[:3]}: {values[0]:.1f} us without checks, {values[1]:.1f} us '
                  f'beside {rate:.0f} probes a second, ratio {self.queries[key]:.3f}', flush=True)
        self.bar('queries: p99 with / without checks', self.queries['p99_us'], QUERY_RATIO_MAX)

    def steps(self) -> dict:
        holes = [('good', definition(self.target.good), self.addresses[::2]),
                 ('hole', definition(self.target.hole), self.addresses[1::2])]
        return {
            'tcp': lambda: self.run_tcp('tcp', self.good, 'inside'),
            'own': lambda: self.run_tcp('tcp, process of its own', self.good, 'own'),
            'holes': lambda: self.run_tcp('tcp, half black holes', holes, 'inside'),
            'haproxy': lambda: self.run_peer(Haproxy),
            'gdnsd': lambda: self.run_peer(Gdnsd),
            'tls': self.run_tls,
            'queries': self.run_queries,
        }

    def run(self):
        print_head()
        self.run_without()
        for name, step in self.steps().items():
            if name in self.options.only:
                step()
        costs = {row['name']: row['us_per_probe'] for row in self.rows}
        for peer in ('haproxy', 'gdnsd'):
            if peer in costs and 'tcp' in costs:
                print(f'time a probe, signpost / {peer}: {costs["tcp"] / costs[peer]:.3f}')


def build_tools(build: Path):
    for command in (['meson', 'configure', str(build), '-Dbench=true'],
                    ['ninja', '-C', str(build), 'signpost', 'bench/bench-target']):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f'bench: {" ".join(command)} failed:\n{done.stdout}{done.stderr}')


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--build', type=Path, default=ROOT / 'build', help='meson build directory (build)')
    add('--checks', type=int, default=50_000, help='TCP checks (50,000)')
    add('--tls-checks', type=int, default=5_000, help='HTTPS checks (5,000)')
    add('--seconds', type=float, default=15, help='seconds of each measurement (15)')
    add('--rounds', type=int, default=101, help='rounds of queries (101)')
    add('--queries', type=int, default=1500, help='queries a server and round (1,500)')
    add('--only', default=','.join(STEPS), help='which steps, with commas (all of them)')
    add('--output', type=Path, default=ROOT / 'build' / 'bench-health.json',
        help='where the figures go (build/bench-health.json)')
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.binary = options.build / 'signpost'
    options.only = options.only.split(',')
    for name in options.only:
        if name not in STEPS:
            sys.exit(f'bench: there is no step "{name}": {", ".join(STEPS)}')
    return options


def main():
    options = parse_arguments()
    if not {WORKER_CORE, CHECKER_CORE} <= os.sched_getaffinity(0):
        sys.exit('bench: cores 0 and 1 are needed')
    build_tools(options.build)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = max(hard, options.checks + 2 * FILES_OTHER)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        hard = wanted
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = os.getloadavg()[0]
    print(f'{options.checks} TCP checks, {options.tls_checks} HTTPS checks, every {INTERVAL} s, '
          f'timeout {TIMEOUT} s; load before {load:.2f}, at most {hard} files')
    bench = Bench(options)
    try:
        bench.run()
    finally:
        bench.target.stop()
    print_verdicts(bench.bars)
    options.output.write_text(json.dumps({'load': load, 'rows': bench.rows, 'bars': bench.bars,
                                          'queries': bench.queries}, indent=1) + '\n')
    say(f'written: {options.output}')
    sys.exit(0 if all(bar['holds'] for bar in bench.bars) else 1)


if __name__ == '__main__':
    try:
        main()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.exit(f'bench: {error}')
    except KeyboardInterrupt:
        sys.exit(130)
