# SPDX-License-Identifier: GPL-3.0-or-later
"""NSD, Knot and BIND on loopback, all with the same zones. Packages that are not installed are
unpacked into the cache: installing them would start servers on port 53."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import wire
from harness import WAIT, Log, eventually, make_query


def cache() -> Path:
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(os.environ.get('SIGNPOST_CACHE') or Path(home) / 'signpost') / 'peers'


def unpack(package: str, into: Path):
    """The package and what it needs, without installing it."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        (Path(scratch) / 'partial').mkdir()
        subprocess.run(['apt-get', 'install', '-y', '--no-install-recommends', '--reinstall',
                        '--download-only', '-o', f'Dir::Cache::archives={scratch}',
                        '-o', 'Debug::NoLocking=1', package],
                       check=True, capture_output=True, timeout=300, stdin=subprocess.DEVNULL)
        root = Path(scratch) / 'root'
        for archive in Path(scratch).glob('*.deb'):
            subprocess.run(['dpkg-deb', '-x', str(archive), str(root)], check=True)
        root.rename(into)


def find(package: str, binary: str) -> tuple[str, dict[str, str]]:
    """The binary and the environment that it needs."""
    installed = shutil.which(binary, path=f'{os.environ.get("PATH", "")}:/usr/sbin')
    if installed:
        return installed, {}
    root = cache() / package
    try:
        if not root.exists():
            unpack(package, root)
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, 'stderr', None) or b''
        pytest.skip(f'{package} is neither installed nor to be had: {error} {detail.decode()}')
    libraries = ':'.join(str(path) for path in (root / 'usr/lib').glob('*-linux-*'))
    return str(next(root.glob(f'usr/*bin/{binary}'))), {'LD_LIBRARY_PATH': libraries}


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(('127.0.0.1', 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


class Peer:
    """A server of somebody else, which answers from zone files: apex -> text."""

    def __init__(self, zones: dict[str, str]):
        self.folder = Path(tempfile.mkdtemp(prefix='signpost-peer-'))
        self.zones, self.port = zones, free_port()
        for apex, text in zones.items():
            (self.folder / f'{apex}.zone').write_text(text)
        binary, environment = find(self.package, self.binary)
        self.process = subprocess.Popen(
            [binary, *self.arguments()], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **environment})
        self.log = Log(self.process.stderr)

    def client(self, tcp: bool = True) -> wire.Client:
        return wire.Client(('127.0.0.1', self.port), socket.AF_INET, tcp, None, WAIT)

    def wait_ready(self):
        questions = [make_query(apex, 'SOA').to_wire() for apex in self.zones]

        def answers() -> bool:
            assert self.process.poll() is None, f'{self.package} ended:\n{self.log.text()}'
            try:
                with self.client() as client:
                    return all(client.exchange(question)[3] & 15 == 0 for question in questions)
            except (OSError, wire.Closed):
                return False

        eventually(answers, what=f'{self.package} answers:\n{self.log.text()}')

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nsd(Peer):
    package = binary = 'nsd'

    def arguments(self) -> list[str]:
        zones = ''.join(f'zone:\n    name: {apex}\n    zonefile: {apex}.zone\n'
                        for apex in self.zones)
        (self.folder / 'nsd.conf').write_text(f'''server:
    ip-address: 127.0.0.1@{self.port}
    server-count: 1
    tcp-count: 100
    tcp-query-count: 0
    username: ""
    zonesdir: "{self.folder}"
    database: ""
    pidfile: ""
    xfrdfile: "{self.folder}/xfrd"
    xfrdir: "{self.folder}"
    zonelistfile: "{self.folder}/zonelist"
    minimal-responses: yes
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
{zones}''')
        return ['-d', '-c', str(self.folder / 'nsd.conf')]


class Knot(Peer):
    package, binary = 'knot', 'knotd'

    def arguments(self) -> list[str]:
        zones = ''.join(f'''  - domain: {apex}
    storage: "{self.folder}"
    file: {apex}.zone
    zonefile-sync: -1
    journal-content: none
''' for apex in self.zones)
        (self.folder / 'knot.conf').write_text(f'''server:
    rundir: "{self.folder}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-io-timeout: 0
log:
  - target: stderr
    any: warning
database:
    storage: "{self.folder}"
zone:
{zones}''')
        return ['-c', str(self.folder / 'knot.conf')]


class Bind(Peer):
    package, binary = 'bind9', 'named'

    def arguments(self) -> list[str]:
        # The checks look for what people do not mean; the zones under test mean it.
        zones = ''.join(f'''zone "{apex}" {{
    type primary;
    file "{self.folder}/{apex}.zone";
}};
''' for apex in self.zones)
        (self.folder / 'named.conf').write_text(f'''options {{
    directory "{self.folder}";
    listen-on port {self.port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    allow-query {{ any; }};
    allow-transfer {{ none; }};
    notify no;
    pid-file none;
    session-keyfile none;
    empty-zones-enable no;
    minimal-responses yes;
    zero-no-soa-ttl no;
    tcp-idle-timeout 600;
    max-udp-size 1232;
    masterfile-format text;
    check-names primary ignore;
    check-mx ignore;
    check-mx-cname ignore;
    check-srv-cname ignore;
    check-integrity no;
    check-sibling no;
    check-wildcard no;
}};
controls {{ }};
{zones}''')
        return ['-g', '-n', '1', '-c', str(self.folder / 'named.conf')]
