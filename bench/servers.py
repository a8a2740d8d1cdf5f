# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the benchmark: how each is configured for a workload, started, watched, ended.

Each has one data thread on the server's core. A setting that would be unfair to a peer is a bug.
"""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import dns.message

ROOT = Path(__file__).resolve().parents[1]
SERVER_CORE, LOAD_CORE = '0', '1'
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 10


class Server:
    """One process tree on the server's core, serving one workload."""

    name = ''
    package = binary = None
    note = ''

    def __init__(self, port: int, folder: Path, workload, options):
        self.port, self.folder, self.workload, self.options = port, folder, workload, options
        self.process = None
        self.command: list[str] = []
        self.zone_file = folder / 'zones' / f'{workload.zone}.zone'

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
            time.sleep(0.02)

    def alive(self) -> bool:
        """It answers with authority; some servers refuse while they still load."""
        query = dns.message.make_query(f'{self.workload.zone}.', 'SOA').to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect(('127.0.0.1', self.port))
            try:
                client.send(query)
                answer = client.recv(2048)
            except OSError:
                return False
        return answer[:2] == query[:2] and (self.name == 'echo' or answer[3] & 15 == 0)

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
            version = f'Debian {asked.stdout}' if self.binary == type(self).binary else self.binary
        batch = 'imports recvmmsg' if b'recvmmsg\0' in Path(self.binary).read_bytes() \
            else 'built WITHOUT recvmmsg: one system call a packet'
        return f'{version}; {batch}{"; " + self.note if self.note else ""}'

    def cpu_seconds(self) -> float:
        return sum(task_seconds(pid) for pid in process_tree(self.process.pid))

    def resident_bytes(self) -> int:
        """Of all its processes, each page that they share counted once (PSS)."""
        return sum(proportional_bytes(pid) for pid in process_tree(self.process.pid))


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


def proportional_bytes(pid: int) -> int:
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) << 10
    return 0


class Echo(Server):
    name = 'echo'
    note = 'sets one bit and sends the query back: the limit'

    def prepare(self):
        self.binary = str(self.options.tools / 'bench-echo')
        self.command = [self.binary, f'127.0.0.1:{self.port}']


class Signpost(Server):
    name = 'signpost'
    note = 'workers: 1'

    def prepare(self):
        self.binary = str(self.options.binary)
        networks = self.folder / 'networks.csv'
        geo = ''
        if self.workload.geo:
            databases = ''.join(f'    - {{path: {path}}}\n' for path in self.options.databases)
            geo = 'geo:\n' + (f'  databases:\n{databases}' if databases else '')
            geo += f'  networks: {networks}\n'
        config = self.folder / 'signpost.yaml'
        config.write_text(f'listen: ["127.0.0.1:{self.port}"]\n'
                          'workers: 1\n'
                          'store: {driver: files, path: zones}\n'
                          f'defaults: {{ns: [ns1.{self.workload.zone}.], '
                          f'hostmaster: hostmaster.{self.workload.zone}.}}\n'
                          'health: {allow: [127.0.0.0/8]}\n'
                          'control: signpost.sock\n' + geo)
        self.command = [self.binary, 'serve', '-c', str(config)]


class Nsd(Server):
    name = package = 'nsd'
    binary = '/usr/sbin/nsd'
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
    name: {self.workload.zone}
    zonefile: {self.zone_file.name}
''')
        self.command = [self.binary, '-d', '-c', str(config)]


class Knot(Server):
    """Steered: module geoip by country, from the same database; it has no weights within one."""

    name = package = 'knot'
    binary = '/usr/sbin/knotd'
    note = 'udp-workers: 1'

    def steering(self) -> tuple[str, str]:
        """The module's section, and the line that gives it to the zone."""
        if self.workload.name != 'steered':
            return '', ''
        database = next(path for path in self.options.databases if path.suffix == '.mmdb')
        rows = self.folder / 'knot-geo.conf'
        rows.write_text(''.join(
            f'{name}.{self.workload.zone}:\n'
            + ''.join(f'  - geo: "{country}"\n    A: {self.workload.members(number)[place][1]}\n'
                      for country, place in (('CN', 2), ('US', 0), ('DE', 4), ('*', 1)))
            for number, name in enumerate(self.workload.names())))
        with open(self.zone_file, 'a', encoding='ascii') as zone:
            zone.writelines(f'{name} A {self.workload.members(number)[0][1]}\n'
                            for number, name in enumerate(self.workload.names()))
        self.note = 'udp-workers: 1, module geoip, mode geodb by country: no weights, no checks'
        return (f'mod-geoip:\n  - id: steer\n    config-file: "{rows}"\n    ttl: 300\n'
                f'    mode: geodb\n    geodb-file: "{database}"\n    geodb-key: country_code\n',
                '    module: mod-geoip/steer\n')

    def prepare(self):
        storage = self.folder / 'knot'
        storage.mkdir()
        config = self.folder / 'knot.conf'
        if not self.zone_file.exists():
            self.workload.write_zone(self.zone_file)
        module, use = self.steering()
        edns = '    edns-client-subnet: on\n' if module else ''
        config.write_text(f'''server:
    rundir: "{storage}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
{edns}log:
  - target: stderr
    any: error
database:
    storage: "{storage}"
{module}zone:
  - domain: {self.workload.zone}
    storage: "{self.folder}/zones"
    file: {self.zone_file.name}
    zonefile-sync: -1
    journal-content: none
{use}''')
        self.command = [self.binary, '-c', str(config)]


class Gdnsd(Server):
    """Steered: plugin geoip with the same networks, over weighted resources with TCP checks."""

    name = package = 'gdnsd'
    binary = '/usr/sbin/gdnsd'
    note = 'udp_threads: 1, tcp_threads: 1'

    def steering(self) -> str:
        if self.workload.name != 'steered':
            return ''
        nets = ''.join(f'        {network} => [{line}]\n'
                       for network, line in self.workload.networks())
        weighted, geo = [], []
        for number, name in enumerate(self.workload.names()):
            lines: dict[str, list[str]] = {}
            for line, value, weight in self.workload.members(number):
                members = lines.setdefault(line, [])
                members.append(f'm{len(members)} = [{value}, {weight}]')
            for line, members in lines.items():
                weighted.append(f'      {name}-{line} => {{ {", ".join(members)} }}\n')
            places = ', '.join(f'{line} => %weighted!{name}-{line}' for line in lines)
            geo.append(f'      {name} => {{ map => lines, dcmap => {{ {places} }} }}\n')
        port = self.options.target_port
        self.note += ', plugins geoip (nets) and weighted, tcp_connect checks'
        return f'''service_types => {{
  probe => {{ plugin => tcp_connect, port => {port}, interval => 30 }}
}}
plugins => {{
  weighted => {{
    service_types => probe
    multi => false
{"".join(weighted)}  }}
  geoip => {{
    maps => {{
      lines => {{
        datacenters => [default, cn-telecom, cn-unicom]
        nets => {{
{nets}        }}
      }}
    }}
    resources => {{
{"".join(geo)}    }}
  }}
}}
'''

    def prepare(self):
        folder = self.folder / 'gdnsd'
        for name in ('zones', 'run', 'state'):
            (folder / name).mkdir(parents=True)
        steering = self.steering()
        target = folder / 'zones' / self.workload.zone
        if steering:
            target.write_text(self.workload.head() + ''.join(
                f'{name} 300 DYNA geoip!{name}\n' for name in self.workload.names()))
        else:
            shutil.copy(self.zone_file, target)
        (folder / 'config').write_text(f'''options => {{
    listen => {{ 127.0.0.1:{self.port} => {{ udp_threads => 1, tcp_threads => 1 }} }}
    run_dir => "{folder}/run"
    state_dir => "{folder}/state"
}}
{steering}''')
        self.command = [self.binary, '-c', str(folder), 'start']


class PowerDns(Server):
    """Steered: Lua records that look at the client's network and draw by weight."""

    name, package, binary = 'powerdns', 'pdns-server', '/usr/sbin/pdns_server'
    note = 'receiver-threads: 1, distributor-threads: 1, Lua records with 16 networks, no checks'

    def prepare(self):
        folder = self.folder / 'powerdns'
        folder.mkdir()
        telecom = [network for network, line in self.workload.networks()
                   if line == 'cn-telecom'][:16]
        networks = ', '.join(f"'{network}'" for network in telecom)
        zone = folder / f'{self.workload.zone}.zone'
        lines = []
        for number, name in enumerate(self.workload.names()):
            members = [f"{{{weight}, '{value}'}}"
                       for _, value, weight in self.workload.members(number)]
            lines.append(f'{name} 300 IN LUA A ";if netmask({{{networks}}}) then return '
                         f'pickwrandom({{{", ".join(members[2:4])}}}) else return '
                         f'pickwrandom({{{", ".join(members[:2])}}}) end"\n')
        zone.write_text(self.workload.head() + ''.join(lines))
        (folder / 'named.conf').write_text(
            f'zone "{self.workload.zone}" {{ type master; file "{zone}"; }};\n')
        (folder / 'pdns.conf').write_text(f'''launch=bind
bind-config={folder}/named.conf
local-address=127.0.0.1
local-port={self.port}
socket-dir={folder}
receiver-threads=1
distributor-threads=1
enable-lua-records=yes
edns-subnet-processing=yes
api=no
webserver=no
loglevel=3
security-poll-suffix=
''')
        self.command = [self.binary, f'--config-dir={folder}', '--daemon=no', '--guardian=no',
                        '--disable-syslog', '--write-pid=no']


SERVERS = {server.name: server for server in (Echo, Signpost, Gdnsd, Knot, Nsd, PowerDns)}
