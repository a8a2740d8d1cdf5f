#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""XDP sockets beside the kernel's own, and beside Knot's, over one veth pair, in one run.

Two network namespaces, a wire between them; the server has core 0, the generator (kxdpgun, of
Debian's knot-dnsutils) core 1. kxdpgun sends at a given rate and counts the answers, so each server
is asked at several rates and its best rate of answers counts. Rounds are interleaved, their order
rotates, and ratios are taken within a round. bench/README.md says what else to know.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVER_CORE, LOAD_CORE = '0', '1'
SERVER, CLIENT, PORT = '198.18.0.1', '198.18.0.2', 5300
NAMES = 1000
SPACES = {side: f'signpost-bench-{side}-{os.getpid()}' for side in ('server', 'client')}

ZONE = ('$TTL 300\n'
        '@ IN SOA ns1.static.test. hostmaster.static.test. 1 3600 600 86400 60\n'
        '@ IN NS ns1.static.test.\n'
        'ns1 IN A 192.0.2.53\n'
        + ''.join(f'n{i:04d} IN A 192.0.2.{i % 250 + 1}\n' for i in range(NAMES)))

SIGNPOST = '''listen: ["{server}:{port}"]
workers: 1
store: {{path: zones}}
control: signpost.sock
xdp: {{interfaces: [{interfaces}], mode: {mode}}}
'''
KNOT = '''server:
    rundir: "{folder}"
    listen: {server}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
{xdp}
log:
  - target: stderr
    any: warning
database:
    storage: "{folder}/db"
zone:
  - domain: static.test
    file: "{folder}/zones/static.test.zone"
    zonefile-load: whole
    journal-content: none
'''
KNOT_XDP = 'xdp:\n    listen: wire@{port}\n    udp: on\n'


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def inside(side: str) -> list[str]:
    return ['nsenter', f'--net=/run/netns/{SPACES[side]}']


@contextlib.contextmanager
def wire():
    try:
        for space in SPACES.values():
            run('ip', 'netns', 'add', space)
        run('ip', 'link', 'add', 'wire', 'netns', SPACES['server'], 'type', 'veth',
            'peer', 'name', 'wire', 'netns', SPACES['client'])
        for side, address in (('server', SERVER), ('client', CLIENT)):
            run(*inside(side), 'ip', 'link', 'set', 'lo', 'up')
            run(*inside(side), 'ip', 'link', 'set', 'wire', 'up')
            run(*inside(side), 'ip', 'address', 'add', f'{address}/24', 'dev', 'wire')
        yield
    finally:
        for space in SPACES.values():
            subprocess.run(['ip', 'netns', 'del', space], capture_output=True)


class Row:
    """One server in one way of serving."""

    def __init__(self, name: str, program: str, config: str, *arguments: str):
        self.name, self.program, self.config, self.arguments = name, program, config, arguments
        self.best: list[float] = []

    @contextlib.contextmanager
    def running(self, folder: Path):
        config = folder / 'server.conf'
        config.write_text(self.config)
        log = folder / 'server.log'
        with open(log, 'wb') as out:
            process = subprocess.Popen(
                [*inside('server'), 'taskset', '-c', SERVER_CORE, self.program, *self.arguments,
                 str(config)], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + 20
            while not ask():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f'{self.name} does not answer:\n{log.read_text()[-2000:]}')
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(20)


def ask(name: str = 'n0000.static.test') -> list[str]:
    result = subprocess.run(
        [*inside('client'), 'dig', '+short', '+tries=1', '+time=1', f'@{SERVER}', '-p', str(PORT),
         name, 'A'], capture_output=True, text=True, timeout=20)
    return sorted(line for line in result.stdout.splitlines() if not line.startswith(';'))


def answers_per_second(folder: Path, rate: int, seconds: float) -> float:
    text = run(*inside('client'), 'taskset', '-c', LOAD_CORE, 'kxdpgun', '-t', str(seconds),
               '-Q', str(rate), '-i', str(folder / 'queries'), '-p', str(PORT), '-I', 'wire',
               SERVER)
    found = re.search(r'total replies:\s+\d+ \((\d+) pps\)', text)
    if found is None:
        say(f'kxdpgun at {rate} queries/s counted nothing:\n{text}')
        return 0.0
    return float(found[1])


def rows(mode: str) -> list[Row]:
    common = {'server': SERVER, 'port': PORT}
    binary = str(ROOT / 'build' / 'signpost')
    made = [
        Row('signpost xdp', binary, SIGNPOST.format(interfaces='wire', mode=mode, **common),
            'serve', '-c'),
        Row('signpost sockets', binary, SIGNPOST.format(interfaces='', mode='auto', **common),
            'serve', '-c'),
    ]
    knot = shutil.which('knotd', path=f'/usr/sbin:{os.environ["PATH"]}')
    if knot:
        for name, xdp in (('knot xdp', KNOT_XDP.format(port=PORT)), ('knot sockets', '')):
            made.append(Row(name, knot, KNOT.replace('{xdp}', xdp), '-c'))
    return made


def measure(wanted: list[Row], folder: Path, options) -> None:
    answers = set()
    for number in range(options.rounds):
        shift = number % len(wanted)
        for row in wanted[shift:] + wanted[:shift]:
            if '{folder}' in row.config:
                row.config = row.config.format(folder=folder, server=SERVER, port=PORT)
            with row.running(folder):
                answers.add(tuple(ask(f'n{number:04d}.static.test')) if number == 0 else ())
                row.best.append(max(answers_per_second(folder, rate, options.seconds)
                                    for rate in options.rates))
        say(f'round {number + 1}: ' + ', '.join(f'{row.name} {row.best[-1]:.0f}' for row in wanted))
        if len(answers - {()}) != 1:
            sys.exit(f'bench: the servers do not answer alike: {answers}')


def ratio(a: Row, b: Row) -> float:
    return statistics.median(x / y for x, y in zip(a.best, b.best))


def report(wanted: list[Row], options) -> None:
    print(f'{options.mode} mode, {options.rounds} rounds, best of {options.rates} queries/s')
    print(f'{"":18} answers/s   spread')
    for row in wanted:
        print(f'{row.name:18} {statistics.median(row.best):9.0f}   '
              f'{min(row.best):.0f}..{max(row.best):.0f}')
    ratios = {f'signpost xdp / {row.name}': ratio(wanted[0], row) for row in wanted[1:]}
    for name, value in ratios.items():
        print(f'{name:34} {value:.2f}')
    path = ROOT / 'build' / 'bench-xdp.json'
    path.write_text(json.dumps({'options': vars(options), 'ratios': ratios,
                                'answers_per_second': {row.name: row.best for row in wanted}},
                               indent=1) + '\n')
    print(f'all samples: {path.relative_to(ROOT)}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--mode', choices=['native', 'generic'], default='native',
                        help='of our XDP sockets (Knot chooses its own)')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=2, help='for each rate')
    parser.add_argument('--rates', type=int, nargs='+', default=[150000, 300000, 500000])
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit('bench: network namespaces and XDP need root')
    if not shutil.which('kxdpgun', path=f'/usr/sbin:{os.environ["PATH"]}'):
        sys.exit('bench: kxdpgun is needed (apt-get install knot-dnsutils)')
    wanted = rows(options.mode)
    with tempfile.TemporaryDirectory(prefix='signpost-bench-') as name, wire():
        folder = Path(name)
        for part in ('zones', 'db'):
            (folder / part).mkdir()
        (folder / 'zones' / 'static.test.zone').write_text(ZONE)
        (folder / 'queries').write_text(''.join(f'n{i:04d}.static.test. A\n' for i in range(NAMES)))
        measure(wanted, folder, options)
    report(wanted, options)


if __name__ == '__main__':
    main()
