#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signpost beside other servers, and beside the limit of the kernel, in one run.

Every server has one data thread on core 0; the load generator has core 1. Rounds are interleaved
and their order rotates, so whatever else the machine does falls on all alike; medians are printed.
bench/README.md says what each figure means.
"""

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

try:
    import dns.edns
    import dns.flags
    import dns.message
    import dns.query
    import dns.rcode
except ImportError:
    sys.exit('bench: python3-dnspython is needed to compare the answers (apt-get install it)')

ROOT = Path(__file__).resolve().parents[1]
SERVER_CORE, LOAD_CORE = '0', '1'
NAMES = 1000
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 10


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# --- what is served ------------------------------------------------------------------------------

def static_address(number: int) -> str:
    return f'192.0.2.{number % 250 + 1}'


def write_zones(folder: Path) -> None:
    """static.test for every server; steered.test for Signpost."""
    folder.mkdir(parents=True)
    head = ('$TTL 300\n'
            '@ IN SOA ns1.static.test. hostmaster.static.test. 1 3600 600 86400 60\n'
            '@ IN NS ns1.static.test.\n'
            'ns1 IN A 192.0.2.53\n')
    names = ''.join(f'n{i:04d} IN A {static_address(i)}\n' for i in range(NAMES))
    (folder / 'static.test.zone').write_text(head + names)
    steered = ''.join(f'''n{i:04d}:
  type: A
  ttl: 300
  records:
    - {{value: 192.0.2.{i % 250 + 1}, line: default, weight: 3}}
    - {{value: 192.0.2.251, line: default, weight: 1}}
    - {{value: 198.51.100.{i % 250 + 1}, line: cn-telecom, weight: 2}}
    - {{value: 198.51.100.251, line: cn-telecom, weight: 1}}
    - {{value: 203.0.113.{i % 250 + 1}, line: cn-unicom}}
  signpost: {{method: weighted}}
''' for i in range(NAMES))
    (folder / 'steered.test.yaml').write_text(steered)


def write_networks(path: Path) -> None:
    """Lines for about a third of the IPv4 unicast space, in networks of /16, from a fixed seed."""
    dice = random.Random(1)
    rows = ['cidr,country,region,asn,line,lat,lon']
    for first in range(1, 224):
        for second in range(256):
            draw = dice.random()
            if first not in (10, 127) and draw < 0.3:
                line = 'cn-telecom' if draw < 0.18 else 'cn-unicom'
                rows.append(f'{first}.{second}.0.0/16,CN,,,{line},,')
    path.write_text('\n'.join(rows) + '\n')


def write_queries(folder: Path) -> None:
    for zone in ('static', 'steered'):
        lines = ''.join(f'n{i:04d}.{zone}.test. A\n' for i in range(NAMES))
        (folder / f'{zone}.queries').write_text(lines)


def cached_geo() -> list[Path]:
    return sorted(path for path in (ROOT / 'build' / 'geo').glob('*') if path.exists())


def signpost_config(folder: Path, port: int, databases: list[Path], name: str) -> Path:
    geo = ''.join(f'    - {{path: {path}}}\n' for path in databases)
    path = folder / name
    path.write_text(f'listen: ["127.0.0.1:{port}"]\n'
                    'workers: 1\n'
                    'store: {driver: files, path: zones}\n'
                    'defaults: {ns: [ns1.static.test.], hostmaster: hostmaster.static.test.}\n'
                    'control: signpost.sock\n'
                    'geo:\n'
                    + (f'  databases:\n{geo}' if geo else '')
                    + '  networks: networks.csv\n')
    return path


# --- the servers ---------------------------------------------------------------------------------

class Server:
    """One process tree on the server's core."""

    def __init__(self, name: str, port: int, folder: Path):
        self.name, self.port, self.folder = name, port, folder
        self.process = None

    command: list[str] = []
    package = binary = None
    note = ''

    def prepare(self):
        pass

    def start(self):
        log = open(self.folder / f'{self.name}.log', 'wb')
        self.process = subprocess.Popen(['taskset', '-c', SERVER_CORE, *self.command],
                                        cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.alive():
            if self.process.poll() is not None or time.monotonic() > deadline:
                text = Path(log.name).read_text(errors='replace')
                raise RuntimeError(f'{self.name} does not answer; its log:\n{text[-2000:]}')
            time.sleep(0.1)

    def alive(self) -> bool:
        query = dns.message.make_query('n0000.static.test.', 'A')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect(('127.0.0.1', self.port))
            try:
                client.send(query.to_wire())
                return client.recv(2048)[:2] == query.to_wire()[:2]
            except OSError:
                return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def describe(self) -> str:
        version = 'of this tree'
        if self.package:
            asked = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', self.package],
                                   capture_output=True, text=True)
            version = f'Debian {asked.stdout}'
        batch = 'imports recvmmsg' if b'recvmmsg\0' in Path(self.binary).read_bytes() \
            else 'built WITHOUT recvmmsg: one system call a packet'
        return f'{version}; {batch}{"; " + self.note if self.note else ""}'

    def cpu_seconds(self) -> float:
        return sum(task_seconds(pid) for pid in process_tree(self.process.pid))


def process_tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / 'stat').read_text().rpartition(')')[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return tree


def task_seconds(pid: int) -> float:
    """Time on the core of all threads, user and system, soft interrupts included."""
    total = 0
    for task in Path(f'/proc/{pid}/task').glob('*/schedstat'):
        try:
            total += int(task.read_text().split()[0])
        except (OSError, IndexError):
            continue
    return total / 1e9


class Echo(Server):
    def __init__(self, port, folder, tools):
        super().__init__('echo', port, folder)
        self.binary = tools / 'bench-echo'
        self.command = [str(self.binary), f'127.0.0.1:{port}']
        self.note = 'sets one bit and sends the query back: the limit'


class Signpost(Server):
    def __init__(self, port, folder, binary, databases):
        super().__init__('signpost', port, folder)
        self.binary, self.databases = binary, databases
        config = folder / 'signpost.yaml'
        self.command = [str(binary), 'serve', '-c', str(config)]
        self.note = 'workers: 1'

    def prepare(self):
        signpost_config(self.folder, self.port, self.databases, 'signpost.yaml')


class Nsd(Server):
    package, binary = 'nsd', '/usr/sbin/nsd'
    note = 'server-count: 1, minimal-responses: yes, rrl off'

    def prepare(self):
        config = self.folder / 'nsd.conf'
        config.write_text(f'''server:
    ip-address: 127.0.0.1@{self.port}
    server-count: 1
    username: ""
    zonesdir: "{self.folder}/zones"
    database: ""
    pidfile: ""
    xfrdfile: "{self.folder}/nsd.xfrd"
    xfrdir: "{self.folder}"
    zonelistfile: "{self.folder}/nsd.zonelist"
    minimal-responses: yes
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    verbosity: 0
remote-control:
    control-enable: no
zone:
    name: static.test
    zonefile: static.test.zone
''')
        self.command = [self.binary, '-d', '-c', str(config)]


class Knot(Server):
    package, binary = 'knot', '/usr/sbin/knotd'
    note = 'udp-workers: 1, no modules'

    def prepare(self):
        storage = self.folder / 'knot'
        storage.mkdir()
        config = self.folder / 'knot.conf'
        config.write_text(f'''server:
    rundir: "{storage}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: "{storage}"
zone:
  - domain: static.test
    storage: "{self.folder}/zones"
    file: static.test.zone
    zonefile-sync: -1
    journal-content: none
''')
        self.command = [self.binary, '-c', str(config)]


class Gdnsd(Server):
    package, binary = 'gdnsd', '/usr/sbin/gdnsd'
    note = 'udp_threads: 1, tcp_threads: 1'

    def prepare(self):
        folder = self.folder / 'gdnsd'
        for name in ('zones', 'run', 'state'):
            (folder / name).mkdir(parents=True)
        shutil.copy(self.folder / 'zones' / 'static.test.zone', folder / 'zones' / 'static.test')
        (folder / 'config').write_text(f'''options => {{
    listen => {{ 127.0.0.1:{self.port} => {{ udp_threads => 1, tcp_threads => 1 }} }}
    run_dir => "{folder}/run"
    state_dir => "{folder}/state"
}}
''')
        self.command = [self.binary, '-c', str(folder), 'start']


PEERS = {'nsd': Nsd, 'knot': Knot, 'gdnsd': Gdnsd}


# --- comparing the answers -----------------------------------------------------------------------

def answer_of(port: int, name: str, client: str | None = None):
    options = [dns.edns.ECSOption(client, 24)] if client else []
    query = dns.message.make_query(name, 'A', use_edns=0, payload=1232, options=options)
    response = dns.query.udp(query, '127.0.0.1', port=port, timeout=2)
    records = {(str(rrset.name).lower(), rrset.rdtype, rrset.ttl, rdata.to_text())
               for rrset in response.answer for rdata in rrset}
    return dns.rcode.to_text(response.rcode()), bool(response.flags & dns.flags.AA), records


def compare_answers(servers: list[Server]) -> None:
    """All servers give the same answers to the same questions, or there is nothing to compare."""
    for number in range(0, NAMES, 7):
        name = f'n{number:04d}.static.test.'
        expected = ('NOERROR', True, {(name, 1, 300, static_address(number))})
        for server in servers:
            got = answer_of(server.port, name)
            if got != expected:
                raise RuntimeError(f'{server.name} answers {name} A with {got}, not {expected}')
    say(f'answers: {", ".join(server.name for server in servers)} agree on '
        f'{len(range(0, NAMES, 7))} questions')


def check_steering(signpost: Server) -> None:
    dice = random.Random(2)
    nets = {}
    for _ in range(2000):
        client = f'{dice.randrange(1, 224)}.{dice.randrange(256)}.{dice.randrange(256)}.0'
        number = dice.randrange(NAMES)
        rcode, _, records = answer_of(signpost.port, f'n{number:04d}.steered.test.', client)
        if rcode != 'NOERROR' or len(records) != 1:
            raise RuntimeError(f'steered answer to {client}: {rcode}, {records}')
        net = next(iter(records))[3].rpartition('.')[0]
        nets[net] = nets.get(net, 0) + 1
    names = {'192.0.2': 'default', '198.51.100': 'cn-telecom', '203.0.113': 'cn-unicom'}
    text = ', '.join(f'{names[net]} {count / 20:.1f} %' for net, count in sorted(nets.items()))
    say(f'steering: of 2000 random clients {text}')


# --- the load ------------------------------------------------------------------------------------

class Row:
    """One line of the table: a server asked one kind of question."""

    def __init__(self, name: str, server: Server, queries: Path, *flags: str):
        self.name, self.server, self.queries, self.flags = name, server, queries, flags
        self.samples: list[dict] = []

    def measure(self, options) -> None:
        command = ['taskset', '-c', LOAD_CORE, str(options.tools / 'bench-load'),
                   '--duration', str(options.seconds), '--window', str(options.window),
                   '--group', str(options.group), *self.flags,
                   f'127.0.0.1:{self.server.port}', str(self.queries)]
        cpu = self.server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=options.seconds + 60)
        if done.returncode != 0:
            raise RuntimeError(f'bench-load: {done.stderr}')
        sample = json.loads(done.stdout)
        cpu = self.server.cpu_seconds() - cpu
        if not cpu or not sample['answered']:
            raise RuntimeError(f'{self.name}: nothing was answered: {sample}')
        if self.server.name != 'echo' and sample['without_records'] + sample['other_rcode']:
            raise RuntimeError(f'{self.name}: answers without records: {sample}')
        sample['qps_per_core'] = sample['answered_in_all'] / cpu
        sample['core_busy'] = sample['qps'] / sample['qps_per_core']
        self.samples.append(sample)

    def median(self, key: str) -> float:
        return statistics.median(sample[key] for sample in self.samples)

    def summary(self) -> dict:
        lost = sum(sample['lost'] for sample in self.samples)
        sent = sum(sample['sent'] for sample in self.samples)
        return {'qps': self.median('qps'), 'qps_per_core': self.median('qps_per_core'),
                'core_busy': self.median('core_busy'), 'p50_us': self.median('p50_us'),
                'p99_us': self.median('p99_us'), 'loss': lost / sent if sent else 1,
                'query_bytes': self.median('query_bytes'),
                'answer_bytes': self.median('answer_bytes'), 'samples': self.samples}


def run_rounds(rows: list[Row], options) -> None:
    for number in range(options.rounds):
        turn = number % len(rows)
        for row in rows[turn:] + rows[:turn]:
            row.measure(options)
        done = ', '.join(f'{row.name} {row.samples[-1]["qps"] / 1000:.0f}k' for row in rows)
        say(f'round {number + 1} of {options.rounds}: {done}')


def print_table(summaries: dict[str, dict]) -> None:
    echo = summaries.get('echo')
    print(f'{"":18}{"queries/s":>11}{"/s of core":>12}{"of echo":>9}{"busy":>7}'
          f'{"lost":>8}{"p50 us":>8}{"p99 us":>8}{"bytes":>9}')
    for name, row in summaries.items():
        of_echo = paired_ratio(row, echo) if echo else float('nan')
        size = f'{row["query_bytes"]:.0f}/{row["answer_bytes"]:.0f}'
        print(f'{name:18}{row["qps"]:11,.0f}{row["qps_per_core"]:12,.0f}{of_echo:9.3f}'
              f'{row["core_busy"]:7.0%}{row["loss"]:8.3%}{row["p50_us"]:8.0f}'
              f'{row["p99_us"]:8.0f}{size:>9}')


def paired_ratio(ours: dict, theirs: dict) -> float:
    """Median over the rounds of the ratio within a round: what a round has in common drops out."""
    return statistics.median(a['qps_per_core'] / b['qps_per_core']
                             for a, b in zip(ours['samples'], theirs['samples']))


def print_ratios(summaries: dict[str, dict]) -> dict[str, float]:
    """Of queries per second of the server's core, which the rest of the machine disturbs least."""
    ratios = {}
    pairs = [('signpost static', peer) for peer in ('gdnsd', 'knot', 'nsd')]
    pairs.append(('signpost steered', 'signpost static'))
    for ours, theirs in pairs:
        if ours in summaries and theirs in summaries:
            ratio = paired_ratio(summaries[ours], summaries[theirs])
            ratios[f'{ours} / {theirs}'] = ratio
            print(f'{ours} / {theirs}: {ratio:.3f}')
    for name, least in (('signpost static / gdnsd', 0.95),
                        ('signpost steered / signpost static', 0.9)):
        if name in ratios:
            verdict = 'holds' if ratios[name] >= least else 'DOES NOT HOLD'
            print(f'the bar {name} >= {least} {verdict}')
    return ratios


# --- instructions --------------------------------------------------------------------------------

COUNTS = (2000, 12000)


def count_instructions(folder: Path, tools: Path, config: Path, zone: str, *flags) -> float:
    collected = []
    for count in COUNTS:
        done = subprocess.run(
            ['valgrind', '--tool=callgrind', '--toggle-collect=answer_batch',
             f'--callgrind-out-file={folder}/callgrind.{zone}.{count}',
             str(tools / 'bench-instructions'), str(config), str(folder / f'{zone}.queries'),
             str(count), *flags], capture_output=True, text=True, timeout=600)
        lines = [line for line in done.stderr.splitlines() if 'Collected' in line]
        if done.returncode != 0 or not lines:
            raise RuntimeError(f'callgrind: {done.stdout}{done.stderr[-2000:]}')
        collected.append(int(lines[-1].split(':')[1].split()[0]))
    return (collected[1] - collected[0]) / (COUNTS[1] - COUNTS[0])


def measure_instructions(folder: Path, tools: Path) -> dict[str, float]:
    if not shutil.which('valgrind'):
        say('instructions: skipped, valgrind is not installed (apt-get install valgrind)')
        return {}
    config = signpost_config(folder, 1, [], 'instructions.yaml')
    return {'static': count_instructions(folder, tools, config, 'static'),
            'steered': count_instructions(folder, tools, config, 'steered', 'ecs')}


# --- the run -------------------------------------------------------------------------------------

def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--build', type=Path, default=ROOT / 'build', help='meson build directory (build)')
    add('--binary', type=Path, help='the server (signpost in the build directory)')
    add('--servers', default='echo,signpost,nsd,knot,gdnsd', help='which ones, with commas')
    add('--rounds', type=int, default=15, help='rounds (15)')
    add('--seconds', type=float, default=1, help='seconds a server and round (1)')
    add('--window', type=int, default=128, help='unanswered queries at any time (128)')
    add('--group', type=int, default=16, help='queries a send, by UDP GSO (16)')
    add('--port', type=int, default=15310, help='first of the ports on 127.0.0.1 (15310)')
    add('--no-geo', action='store_true', help='leave the cached geo data out')
    add('--no-load', action='store_true', help='only count instructions')
    add('--no-instructions', action='store_true', help='do not count instructions')
    add('--install', action='store_true', help='apt-get install the peers and valgrind first')
    add('--output', type=Path, default=ROOT / 'build' / 'bench.json',
        help='where all samples go (build/bench.json)')
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.tools = options.build / 'bench'
    options.binary = (options.binary or options.build / 'signpost').resolve()
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
    packages = [peer.package for peer in PEERS.values()] + ['valgrind', 'python3-dnspython']
    subprocess.run(['apt-get', 'install', '-y', '--no-install-recommends', *packages], check=True,
                   env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'})


def make_servers(options, folder: Path, databases: list[Path]) -> list[Server]:
    servers: list[Server] = []
    for name in options.servers.split(','):
        port = options.port + len(servers)
        if name == 'echo':
            servers.append(Echo(port, folder, options.tools))
        elif name == 'signpost':
            servers.append(Signpost(port, folder, options.binary, databases))
        elif name not in PEERS:
            sys.exit(f'bench: there is no server "{name}"')
        elif not Path(PEERS[name].binary).exists():
            say(f'{name}: skipped, not installed (apt-get install {PEERS[name].package}, '
                'or bench/run.py --install)')
        else:
            servers.append(PEERS[name](name, port, folder))
    return servers


def make_rows(servers: list[Server], folder: Path) -> list[Row]:
    rows = []
    for server in servers:
        static = folder / 'static.queries'
        if server.name == 'signpost':
            rows.append(Row('signpost static', server, static, '--edns'))
            rows.append(Row('signpost steered', server, folder / 'steered.queries', '--edns',
                            '--ecs-random'))
        else:
            rows.append(Row(server.name, server, static, '--edns'))
    return rows


def machine() -> dict[str, str]:
    model = next((line.split(':')[1].strip() for line in Path('/proc/cpuinfo').open()
                  if line.startswith('model name')), 'unknown')
    return {'cpu': model, 'cores': str(os.cpu_count()), 'kernel': os.uname().release,
            'load': ' '.join(f'{value:.2f}' for value in os.getloadavg())}


def measure(options, folder: Path) -> dict:
    databases = [] if options.no_geo else cached_geo()
    say('geo data: ' + (', '.join(path.name for path in databases) or 'networks.csv only '
                        '(./dev geo fetches more)'))
    servers = make_servers(options, folder, databases)
    rows = make_rows(servers, folder)
    try:
        for server in servers:
            server.prepare()
            server.start()
        dns_servers = [server for server in servers if server.name != 'echo']
        compare_answers(dns_servers)
        for server in dns_servers:
            if server.name == 'signpost':
                check_steering(server)
        run_rounds(rows, options)
    finally:
        for server in servers:
            server.stop()
    summaries = {row.name: row.summary() for row in rows}
    notes = {server.name: server.describe() for server in servers}
    print_table(summaries)
    ratios = print_ratios(summaries)
    for name, note in notes.items():
        print(f'{name}: {note}')
    return {'rows': summaries, 'ratios': ratios, 'servers': notes,
            'geo': [path.name for path in databases]}


def measure_publishing(tools: Path) -> list[str]:
    """What a change of one name costs beside few names and beside many."""
    return [subprocess.check_output([str(tools / 'bench-publish'), names], text=True, timeout=120)
            for names in ('1000', '1000000')]


def main():
    options = parse_arguments()
    if not {0, 1} <= os.sched_getaffinity(0):
        sys.exit('bench: cores 0 and 1 are needed, one for the server and one for the load')
    if options.install:
        install_peers()
    build_tools(options)
    folder = options.build / 'bench-run'
    shutil.rmtree(folder, ignore_errors=True)
    write_zones(folder / 'zones')
    write_networks(folder / 'networks.csv')
    write_queries(folder)
    here = machine()
    print(f'{here["cpu"]}, {here["cores"]} cores, Linux {here["kernel"]}, load {here["load"]}; '
          f'{options.rounds} rounds of {options.seconds:g} s, medians')
    result = {'machine': here, 'options': {key: str(value) for key, value in vars(options).items()}}
    if not options.no_load:
        result.update(measure(options, folder))
    if not options.no_instructions:
        result['instructions'] = measure_instructions(folder, options.tools)
        for kind, value in result['instructions'].items():
            print(f'user-space instructions a query inside answer_batch(), {kind}: {value:.0f}')
    print(*(result.setdefault('publish', measure_publishing(options.tools))), sep='', end='')
    options.output.write_text(json.dumps(result, indent=1) + '\n')
    say(f'written: {options.output}')


if __name__ == '__main__':
    try:
        main()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.exit(f'bench: {error}')
    except KeyboardInterrupt:
        sys.exit(130)
