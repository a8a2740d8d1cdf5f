#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""XDP sockets beside the kernel's own, and beside Knot's, over one veth pair, in one run.

Two network namespaces, a wire between them; the server has core 0, the generator (bench/flood.c)
core 1. Its loop is closed, so the server is always busy and nothing is lost to full queues. Rounds
are interleaved, their order rotates, and ratios are taken within a round. bench/README.md says what
else to know.
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

try:
    from report import print_verdicts
    from rounds import say
    from servers import LOAD_CORE, ROOT, SERVER_CORE, process_tree, task_seconds
except ImportError:
    sys.exit('bench: python3-dnspython is needed (apt-get install it)')

SERVER, CLIENT, PORT = '198.18.0.1', '198.18.0.2', 5300
NAMES = 1000
FLOOD = ROOT / 'build' / 'bench' / 'bench-flood'
CLONE_NEWNET, SIOCETHTOOL, ETHTOOL_SGRO = 0x40000000, 0x8946, 0x2c
# Of answers a second of the server's core.
BARS = [('knot xdp', 1.2), ('signpost sockets', 1.7)]
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


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def inside(side: str) -> list[str]:
    return ['nsenter', f'--net=/run/netns/{SPACES[side]}']


def within(side: str, function):
    """What function() gives when its sockets are made on that side of the wire."""
    result = []

    def work():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f'/run/netns/{SPACES[side]}', encoding='ascii') as space:
            if libc.setns(space.fileno(), CLONE_NEWNET) == 0:
                result.append(function())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if not result:
        raise RuntimeError(f'bench: nothing came of {function.__name__} on the {side}\'s side')
    return result[0]


def receive_by_polls() -> bool:
    """A veth device takes frames that have no socket buffer yet when it receives by polls (NAPI),
    as it does while an XDP program is there, and otherwise when GRO is on."""
    value = (ctypes.c_uint32 * 2)(ETHTOOL_SGRO, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack('16sP16x', b'wire',
                                                         ctypes.addressof(value)))
    return True


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
        within('server', receive_by_polls)
        yield
    finally:
        for space in SPACES.values():
            subprocess.run(['ip', 'netns', 'del', space], capture_output=True)


def server_link() -> dict:
    return json.loads(run(*inside('server'), 'ip', '-details', '-json', 'link', 'show', 'wire'))[0]


def clear_link() -> None:
    """Knot leaves its program on the interface when it ends."""
    for kind in ('xdpdrv', 'xdpgeneric'):
        run(*inside('server'), 'ip', 'link', 'set', 'dev', 'wire', kind, 'off')


# --- asking --------------------------------------------------------------------------------------

def query(number: int) -> bytes:
    """As the generator makes it: A, with EDNS."""
    labels = (f'n{number:04d}'.encode(), b'static', b'test', b'')
    name = b''.join(bytes([len(label)]) + label for label in labels)
    return (struct.pack('!6H', number, 0, 1, 0, 0, 1) + name + struct.pack('!2H', 1, 1)
            + struct.pack('!BHHIH', 0, 41, 1232, 0, 0))


def answers(numbers) -> list[bytes]:
    """The answer to each question; nothing for one that has none."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect((SERVER, PORT))
        for number in numbers:
            try:
                client.send(query(number))
                found.append(client.recv(2048))
            except OSError:
                found.append(b'')
    return found


# --- the servers ---------------------------------------------------------------------------------

class Row:
    """One server in one way of serving."""

    def __init__(self, name: str, program: str, config: str, *arguments: str):
        self.name, self.program, self.config, self.arguments = name, program, config, arguments
        self.samples: list[dict] = []
        self.answers: list[bytes] = []

    @contextlib.contextmanager
    def running(self, folder: Path):
        clear_link()
        config = folder / 'server.conf'
        config.write_text(self.config.format(folder=folder, server=SERVER, port=PORT))
        log = folder / 'server.log'
        with open(log, 'wb') as out:
            process = subprocess.Popen(
                [*inside('server'), 'taskset', '-c', SERVER_CORE, self.program, *self.arguments,
                 str(config)], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + 20
            while not within('client', lambda: answers([0]))[0]:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f'{self.name} does not answer:\n{log.read_text()[-2000:]}')
                time.sleep(0.1)
            if ('xdp' in server_link()) != (' xdp' in self.name):
                raise RuntimeError(f'{self.name} is not what serves:\n{log.read_text()[-2000:]}')
            yield process.pid
        finally:
            process.terminate()
            process.wait(20)

    def measure(self, folder: Path, options) -> None:
        with self.running(folder) as pid:
            if not self.answers:
                self.answers = within('client', lambda: answers(range(NAMES)))
            cpu = -cpu_seconds(pid)
            sample = json.loads(run(
                *inside('client'), 'taskset', '-c', LOAD_CORE, str(FLOOD), '--edns',
                '--mac', server_link()['address'], '--from', CLIENT,
                '--duration', str(options.seconds), '--window', str(options.window),
                f'{SERVER}:{PORT}', str(folder / 'queries')))
            cpu += cpu_seconds(pid)
        if sample['wrong'] or not sample['answered']:
            raise RuntimeError(f'{self.name}: unexpected answers: {sample}')
        sample['qps_per_core'] = sample['answered_in_all'] / cpu
        sample['core_busy'] = sample['qps'] / sample['qps_per_core']
        self.samples.append(sample)

    def median(self, key: str) -> float:
        return statistics.median(sample[key] for sample in self.samples)


def cpu_seconds(pid: int) -> float:
    return sum(task_seconds(one) for one in process_tree(pid))


def make_rows(options) -> list[Row]:
    binary = str(options.build / 'signpost')
    made = [
        Row('signpost xdp', binary,
            SIGNPOST.replace('{interfaces}', 'wire').replace('{mode}', options.mode),
            'serve', '-c'),
        Row('signpost sockets', binary,
            SIGNPOST.replace('{interfaces}', '').replace('{mode}', 'auto'), 'serve', '-c'),
    ]
    knot = shutil.which('knotd', path=f'/usr/sbin:{os.environ["PATH"]}')
    if knot:
        made.append(Row('knot xdp', knot, KNOT.replace('{xdp}', KNOT_XDP), '-c'))
        made.append(Row('knot sockets', knot, KNOT.replace('{xdp}', ''), '-c'))
    else:
        say('knot: skipped, not installed (apt-get install knot)')
    return made


def compare_answers(rows: list[Row]) -> None:
    """Octet by octet: speed of different answers is not compared."""
    for row in rows:
        for number, (got, expected) in enumerate(zip(row.answers, rows[0].answers, strict=True)):
            if got != expected or not got:
                raise RuntimeError(f'n{number:04d}: {rows[0].name} answers {expected.hex()}, '
                                   f'{row.name} answers {got.hex()}')
    say(f'answers: {", ".join(row.name for row in rows)} agree on all octets of {NAMES}')


# --- the report ----------------------------------------------------------------------------------

def ratio(a: Row, b: Row) -> float:
    return statistics.median(x['qps_per_core'] / y['qps_per_core']
                             for x, y in zip(a.samples, b.samples, strict=True))


def verdicts(rows: list[Row]) -> list[dict]:
    by_name = {row.name: row for row in rows}
    found = []
    for other, least in BARS:
        if other in by_name:
            value = ratio(by_name['signpost xdp'], by_name[other])
            found.append({'text': f'xdp: signpost xdp / {other}', 'value': value,
                          'bar': f'>= {least}', 'holds': value >= least})
    return found


def print_table(rows: list[Row]) -> None:
    print(f'\n{"xdp":18}{"queries/s":>11}{"/s of core":>12}{"busy":>7}{"lost":>9}{"bytes":>9}'
          f'{"of core, spread":>22}')
    for row in rows:
        of_core = [sample['qps_per_core'] for sample in row.samples]
        lost = sum(sample['lost'] for sample in row.samples)
        sent = sum(sample['sent_in_all'] for sample in row.samples)
        size = f'{row.median("query_bytes"):.0f}/{row.median("answer_bytes"):.0f}'
        print(f'{row.name:18}{row.median("qps"):11,.0f}{row.median("qps_per_core"):12,.0f}'
              f'{row.median("core_busy"):7.0%}{lost / sent:9.3%}{size:>9}'
              f'{min(of_core):12,.0f}..{max(of_core):,.0f}')


def build(options) -> None:
    for command in (['meson', 'configure', str(options.build), '-Dbench=true'],
                    ['ninja', '-C', str(options.build), 'signpost', 'bench/bench-flood']):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f'bench: {" ".join(command)} failed:\n{done.stdout}{done.stderr}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--mode', choices=['native', 'generic'], default='native',
                        help='of our XDP sockets (Knot chooses its own)')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--seconds', type=float, default=1, help='a server and round')
    parser.add_argument('--window', type=int, default=256, help='unanswered queries at any time')
    options = parser.parse_args()
    options.build = ROOT / 'build'
    if os.geteuid() != 0:
        sys.exit('bench: network namespaces and XDP need root')
    build(options)
    rows = make_rows(options)
    with tempfile.TemporaryDirectory(prefix='signpost-bench-') as name, wire():
        folder = Path(name)
        for part in ('zones', 'db'):
            (folder / part).mkdir()
        (folder / 'zones' / 'static.test.zone').write_text(ZONE)
        (folder / 'queries').write_text(''.join(f'n{i:04d}.static.test A\n' for i in range(NAMES)))
        for number in range(options.rounds):
            shift = number % len(rows)
            for row in rows[shift:] + rows[:shift]:
                row.measure(folder, options)
            if number == 0:
                compare_answers(rows)
            done = ', '.join(f'{row.name} {row.samples[-1]["qps"] / 1000:.0f}k' for row in rows)
            say(f'round {number + 1} of {options.rounds}: {done}')
    print(f'{options.mode} mode, {options.rounds} rounds of {options.seconds:g} s, medians')
    print_table(rows)
    bars = verdicts(rows)
    print_verdicts(bars)
    path = options.build / 'bench-xdp.json'
    path.write_text(json.dumps(
        {'options': {key: str(value) for key, value in vars(options).items()},
         'rows': {row.name: row.samples for row in rows}, 'bars': bars}, indent=1) + '\n')
    say(f'written: {path.relative_to(ROOT)}')
    sys.exit(0 if all(bar['holds'] for bar in bars) else 1)


def run_main(program) -> None:
    try:
        program()
    except (RuntimeError, subprocess.SubprocessError) as error:
        sys.exit(f'bench: {error}')
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == '__main__':
    run_main(main)
