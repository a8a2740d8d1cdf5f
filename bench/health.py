#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks cost: Signpost (inside, and with a process of its own), HAProxy and gdnsd in one run.

Targets are addresses of 127.0.0.0/8: one listener stands for all that answer, one whose queue is
full for all that are black holes. Each program runs alone for a while, is given time to settle, and
then its processor time is read for the same number of seconds. Printed: probes a second, processor
time of one core, time per probe, memory per check, and how many probes began late.
"""

import argparse
import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INTERVAL, TIMEOUT = 10, 2
MEMBERS = 1000  # of an RRset
TICK = os.sysconf('SC_CLK_TCK')


def address(number: int) -> str:
    number += 1
    return f'127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}'


class Targets:
    """A port on which every address answers, and one on which none does."""

    def __init__(self):
        self.good = socket.socket()
        self.good.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.good.bind(('0.0.0.0', 0))
        self.good.listen(4096)
        self.hole = socket.socket()
        self.hole.bind(('0.0.0.0', 0))
        self.hole.listen(0)
        self.fill = []
        for _ in range(4):  # connections that are never taken: what comes after them is dropped
            one = socket.socket()
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(('127.0.0.1', self.hole.getsockname()[1]))
            self.fill.append(one)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                self.good.accept()[0].close()
            except OSError:
                return

    @property
    def ports(self) -> tuple[int, int]:
        return self.good.getsockname()[1], self.hole.getsockname()[1]


def processes_of(pid: int) -> list[int]:
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return [pid] + [other for child in children for other in processes_of(int(child))]


def cpu_of(pid: int) -> float:
    total = 0
    for one in processes_of(pid):
        fields = Path(f'/proc/{one}/stat').read_text().rsplit(') ', 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_of(pid: int) -> int:
    return sum(int(re.search(r'VmRSS:\s+(\d+)', Path(f'/proc/{one}/status').read_text())[1]) << 10
               for one in processes_of(pid))


class Signpost:
    def __init__(self, folder: Path, process: str, checked: bool = True):
        self.folder, self.checked = folder, checked
        self.name = f'signpost ({process})' if checked else 'signpost without checks'
        self.process = process

    def write(self, targets, count, holes):
        zones = self.folder / 'zones'
        zones.mkdir()
        port, hole = targets.ports
        lines = []
        for first in range(0, count, MEMBERS):
            numbers = range(first, min(first + MEMBERS, count))
            for kind, chosen, at in (('good', [n for n in numbers if n % 2 or not holes], port),
                                     ('hole', [n for n in numbers if not n % 2 and holes], hole)):
                if not chosen:
                    continue
                check = f'kind: tcp, port: {at}, interval: {INTERVAL}, timeout: {TIMEOUT}'
                values = ', '.join(address(n) for n in chosen)
                lines.append(f'{kind}{first}: {{type: A, ttl: 60, values: [{values}], signpost: '
                             f'{{answers: 4, check: {{{check}}}}}}}' if self.checked else
                             f'{kind}{first}: {{type: A, ttl: 60, values: [{values}], signpost: '
                             '{answers: 4}}')
        (zones / 'example.org.yaml').write_text('\n'.join(lines) + '\n')
        (self.folder / 'signpost.yaml').write_text(
            f'listen: ["127.0.0.1:0"]\nworkers: 1\ncontrol: {self.folder}/s.sock\n'
            'defaults: {ns: [ns.example.org.], hostmaster: a@example.org}\n'
            'health: {allow: [127.0.0.0/8], first_round: 5, '
            f'process: {self.process}, state: "{self.folder}/run"}}\n')

    def start(self):
        return [str(ROOT / 'build/signpost'), 'serve', '-c', str(self.folder / 'signpost.yaml')]

    def metric(self, name: str) -> int:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.folder / 's.sock'))
        client.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        text = b''
        while piece := client.recv(65536):
            text += piece
        return int(re.search(rf'^signpost_{name} (\d+)'.encode(), text, re.M)[1])

    def probes(self):
        return self.metric('probes'), self.metric('probes_late')


class Haproxy:
    name = 'haproxy'

    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, targets, count, holes):
        port, hole = targets.ports
        lines = ['global', '  nbthread 1', '  spread-checks 10', 'defaults', '  mode tcp',
                 f'  timeout check {TIMEOUT}s', '  timeout connect 2s', '  timeout client 2s',
                 '  timeout server 2s', 'frontend nobody', f'  bind 127.0.0.1:{free_port(True)}',
                 '  default_backend all', 'backend all']
        for n in range(count):
            at = hole if holes and not n % 2 else port
            lines.append(f'  server s{n} {address(n)}:{at} check inter {INTERVAL}s')
        (self.folder / 'haproxy.cfg').write_text('\n'.join(lines) + '\n')

    def start(self):
        return ['haproxy', '-db', '-q', '-f', str(self.folder / 'haproxy.cfg')]

    def probes(self):
        return None


class Gdnsd:
    name = 'gdnsd'

    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, targets, count, holes):
        port, hole = targets.ports
        (self.folder / 'zones').mkdir()
        for name in ('run', 'state'):
            (self.folder / name).mkdir()
        services = ''.join(
            f'{name} => {{ plugin => tcp_connect, port => {at}, interval => {INTERVAL}, timeout => '
            f'{TIMEOUT} }}\n' for name, at in (('good', port), ('hole', hole)))
        groups = []
        for kind in ('good', 'hole') if holes else ('good',):
            chosen = [n for n in range(count) if not holes or (n % 2 == 1) == (kind == 'good')]
            for first in range(0, len(chosen), 60):
                values = ', '.join(f'a{n} => {address(n)}' for n in chosen[first:first + 60])
                groups.append(f'{kind}{first} => {{ service_types => {kind}, {values} }}')
        (self.folder / 'config').write_text(
            f'options => {{ listen => 127.0.0.1, dns_port => {free_port()}, '
            f'run_dir => {self.folder}/run, state_dir => {self.folder}/state, '
            f'udp_threads => 1, tcp_threads => 1 }}\n'
            f'service_types => {{ {services} }}\n'
            f'plugins => {{ multifo => {{ {chr(10).join(groups)} }} }}\n')

    def start(self):
        return ['gdnsd', '-c', str(self.folder), 'start']

    def probes(self):
        return None


def free_port(tcp: bool = False) -> int:
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def measure(program, targets, count, holes, settle, seconds):
    program.write(targets, count, holes)
    log = open(program.folder / 'log', 'wb')
    process = subprocess.Popen(program.start(), cwd=program.folder, stdin=subprocess.DEVNULL,
                               stdout=log, stderr=log)
    try:
        time.sleep(settle)
        if process.poll() is not None:
            sys.exit(f'{program.name} ended:\n{(program.folder / "log").read_text()[-2000:]}')
        before, cpu, begin = program.probes(), cpu_of(process.pid), time.monotonic()
        time.sleep(seconds)
        after, cpu = program.probes(), cpu_of(process.pid) - cpu
        took = time.monotonic() - begin
        memory = memory_of(process.pid)
    finally:
        process.terminate()
        process.wait(20)
    probes = after[0] - before[0] if before else count * took / INTERVAL
    late = f'{100 * (after[1] - before[1]) / max(probes, 1):5.2f} %' if before else '      -'
    return {'name': program.name, 'rate': probes / took, 'core': cpu / took,
            'us': 1e6 * cpu / max(probes, 1), 'memory': memory, 'late': late}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--checks', type=int, default=10000)
    parser.add_argument('--seconds', type=float, default=30)
    parser.add_argument('--settle', type=float, default=25)
    parser.add_argument('--holes', action='store_true', help='every second target is a black hole')
    parser.add_argument('--only', default='', help='part of the names of the programs to run')
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    targets = Targets()
    rows, plain = [], None
    print(f'{options.checks} TCP checks every {INTERVAL} s, timeout {TIMEOUT} s'
          f'{", every second target a black hole" if options.holes else ""}', flush=True)
    print(f'{"program":26} {"probes/s":>9} {"core":>8} {"us/probe":>9} {"RSS MB":>8} '
          f'{"bytes/check":>12} {"late > 5 %":>10}', flush=True)
    makers = [lambda folder: Signpost(folder, 'inside', checked=False),
              lambda folder: Signpost(folder, 'inside'), lambda folder: Signpost(folder, 'own')]
    makers += [maker for maker, program in ((Haproxy, 'haproxy'), (Gdnsd, 'gdnsd'))
               if shutil.which(program)]
    for maker in makers:
        folder = Path(tempfile.mkdtemp(prefix='signpost-bench-'))
        try:
            program = maker(folder)
            if options.only not in program.name:
                continue
            row = measure(program, targets, options.checks, options.holes, options.settle,
                          options.seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        plain = row['memory'] if 'without' in row['name'] else plain
        each = f'{(row["memory"] - plain) / options.checks:12.0f}' if plain and \
            'signpost' in row['name'] else f'{row["memory"] / options.checks:12.0f}'
        rows.append(row)
        print(f'{row["name"]:26} {row["rate"]:9.0f} {100 * row["core"]:6.1f} % {row["us"]:9.1f} '
              f'{row["memory"] / 1e6:8.1f} {each} {row["late"]:>10}', flush=True)


if __name__ == '__main__':
    main()
