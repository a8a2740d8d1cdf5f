# SPDX-License-Identifier: GPL-3.0-or-later
"""NSD and Knot on loopback, with one zone each. Packages that are not installed are unpacked into
the cache: installing them would start servers on port 53."""

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
    """A server of somebody else, which answers from one zone file."""

    def __init__(self, apex: str, zone: str):
        self.folder = Path(tempfile.mkdtemp(prefix='signpost-peer-'))
        self.apex, self.port = apex, free_port()
        (self.folder / 'zone').write_text(zone)
        binary, environment = find(self.package, self.binary)
        self.process = subprocess.Popen(
            [binary, *self.arguments()], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **environment})
        self.log = Log(self.process.stderr)

    def client(self, tcp: bool = True) -> wire.Client:
        return wire.Client(('127.0.0.1', self.port), socket.AF_INET, tcp, None, WAIT)

    def wait_ready(self):
        question = make_query(self.apex, 'SOA').to_wire()

        def answers() -> bool:
            assert self.process.poll() is None, f'{self.package} ended:\n{self.log.text()}'
            try:
                with self.client() as client:
                    return client.exchange(question)[3] & 15 == 0
            except (OSError, wire.Closed):
                return False

        eventually(answers, what=f'{self.package} answers')

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
zone:
    name: {self.apex}
    zonefile: zone
''')
        return ['-d', '-c', str(self.folder / 'nsd.conf')]


class Knot(Peer):
    package, binary = 'knot', 'knotd'

    def arguments(self) -> list[str]:
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
  - domain: {self.apex}
    storage: "{self.folder}"
    file: zone
    zonefile-sync: -1
    journal-content: none
''')
        return ['-c', str(self.folder / 'knot.conf')]
