# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that bench/health.py compares: how each is told what to check, started, watched.

A setting that would be unfair to a peer is a bug.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from servers import STOP_TIMEOUT_S, process_tree, task_seconds

INTERVAL, TIMEOUT = 10, 2  # seconds
START_TIMEOUT_S = 90
WORKER_CORE, CHECKER_CORE = 0, 1
MEMBERS = 1000  # of an RRset, of a backend
TLS_NAME = 'www.bench.example'


def address(number: int) -> str:
    number += 1
    return f'127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}'


def free_port(kind=socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def anonymous_bytes(pid: int) -> int:
    text = Path(f'/proc/{pid}/smaps_rollup').read_text()
    return int(re.search(r'^Anonymous:\s+(\d+)', text, re.M)[1]) << 10


def embryonic_resets() -> int:
    """Connections that were reset before the last acknowledgement, on this machine."""
    names, values = (line.split() for line in Path('/proc/net/netstat').read_text().splitlines()
                     if line.startswith('TcpExt:'))
    return int(values[names.index('EmbryonicRsts')])


def go_ahead(pid: int):
    """What runs in this session goes before whatever else the machine does, as far as we may."""
    with contextlib.suppress(OSError):
        Path(f'/proc/{pid}/autogroup').write_text('-10')
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, -10)


class Program:
    """One process tree with a folder of its own; `cores` are those that it may use."""

    def __init__(self, name: str):
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix='signpost-bench-'))
        self.process = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self, cores: set[int]):
        with open(self.folder / 'log', 'wb') as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        go_ahead(self.process.pid)

    def check_alive(self):
        if self.process.poll() is not None:
            text = (self.folder / 'log').read_text(errors='replace')
            raise RuntimeError(f'{self.name} ended:\n{text[-2000:]}')

    def wait_for(self, done):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not done():
            self.check_alive()
            if time.monotonic() > deadline:
                raise RuntimeError(f'{self.name} is not ready after {START_TIMEOUT_S} s')
            time.sleep(0.1)

    def cpu(self) -> float:
        return sum(task_seconds(pid) for pid in process_tree(self.process.pid))

    def memory(self) -> int:
        """Pages of its own: what libraries share with whoever else runs does not count."""
        return sum(anonymous_bytes(pid) for pid in process_tree(self.process.pid))

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Signpost(Program):
    """`checks`: (name, definition, addresses) of each group; None: the members without checks."""

    def __init__(self, binary: Path, name: str, groups, process: str = 'inside',
                 checked: bool = True):
        super().__init__(name)
        self.binary, self.socket = binary, self.folder / 's.sock'
        (self.folder / 'zones').mkdir()
        lines = ['www: {type: A, ttl: 60, value: 192.0.2.1}']
        for label, definition, addresses in groups:
            check = f', check: {{{definition}}}' if checked else ''
            for first in range(0, len(addresses), MEMBERS):
                values = ', '.join(addresses[first:first + MEMBERS])
                lines.append(f'{label}{first}: {{type: A, ttl: 60, values: [{values}], '
                             f'signpost: {{answers: 4{check}}}}}')
        (self.folder / 'zones' / 'bench.example.yaml').write_text('\n'.join(lines) + '\n')
        (self.folder / 'signpost.yaml').write_text(
            f'listen: ["127.0.0.1:0"]\nworkers: 1\ncontrol: {self.socket}\n'
            'defaults: {ns: [ns.example.org.], hostmaster: a@example.org}\n'
            'health: {allow: [127.0.0.0/8], first_round: 60, '
            f'process: {process}, state: "{self.folder}/run"}}\n')

    def command(self):
        return [str(self.binary), 'serve', '-c', str(self.folder / 'signpost.yaml')]

    def start(self, cores):
        super().start(cores)
        self.wait_for(lambda: re.search(r' info ready ', self.log()))

    def log(self) -> str:
        return (self.folder / 'log').read_text(errors='replace')

    def port(self) -> int:
        return int(re.search(r'127\.0\.0\.1:(\d+)', self.log())[1])

    def spread_threads(self, worker: int, rest: int):
        """The data worker on one core, everything else on another."""
        for pid in process_tree(self.process.pid):
            for task in Path(f'/proc/{pid}/task').iterdir():
                name = (task / 'comm').read_text().strip()
                os.sched_setaffinity(int(task.name), {worker if 'worker' in name else rest})

    def probes(self) -> tuple[int, int]:
        """All that ended, and those that began later than 5 % of their interval."""
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.socket))
        client.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        text = b''
        while piece := client.recv(65536):
            text += piece
        client.close()
        return tuple(int(re.search(rf'^signpost_{name} (\d+)'.encode(), text, re.M)[1])
                     for name in ('probes', 'probes_late'))


class Haproxy(Program):
    """Its checks hold back the last acknowledgement and send a reset in its place: the target's
    kernel has no connection to hand out, so those are counted instead."""

    binary = 'haproxy'

    def __init__(self, port: int, addresses: list[str]):
        super().__init__('haproxy')
        lines = ['global', '  nbthread 1', '  spread-checks 10', 'defaults', '  mode tcp',
                 f'  timeout check {TIMEOUT}s', '  timeout connect 2s', '  timeout client 2s',
                 '  timeout server 2s', 'frontend nobody',
                 f'  bind 127.0.0.1:{free_port(socket.SOCK_STREAM)}', '  default_backend b0']
        for number, one in enumerate(addresses):
            if number % MEMBERS == 0:
                lines.append(f'backend b{number}')
            lines.append(f'  server s{number} {one}:{port} check inter {INTERVAL}s')
        (self.folder / 'haproxy.cfg').write_text('\n'.join(lines) + '\n')

    def command(self):
        return ['haproxy', '-db', '-q', '-f', str(self.folder / 'haproxy.cfg')]


class Gdnsd(Program):
    binary = 'gdnsd'

    def __init__(self, port: int, addresses: list[str]):
        super().__init__('gdnsd')
        for name in ('zones', 'run', 'state'):
            (self.folder / name).mkdir()
        groups = []
        for first in range(0, len(addresses), 60):
            values = ', '.join(f'a{first + number} => {one}'
                               for number, one in enumerate(addresses[first:first + 60]))
            groups.append(f'g{first} => {{ service_types => good, {values} }}')
        everything = '\n'.join(groups)
        (self.folder / 'config').write_text(
            f'options => {{ listen => 127.0.0.1, dns_port => {free_port()}, '
            f'run_dir => {self.folder}/run, state_dir => {self.folder}/state, '
            'udp_threads => 1, tcp_threads => 1 }\n'
            f'service_types => {{ good => {{ plugin => tcp_connect, port => {port}, '
            f'interval => {INTERVAL}, timeout => {TIMEOUT} }} }}\n'
            f'plugins => {{ multifo => {{ {everything} }} }}\n')

    def command(self):
        return ['gdnsd', '-c', str(self.folder), 'start']


class Nginx(Program):
    """A server with TLS on every address of 127.0.0.0/8, that writes down which handshakes were
    resumed: one octet and a newline each."""

    binary = 'nginx'

    def __init__(self):
        super().__init__('nginx')
        self.port = free_port(socket.SOCK_STREAM)
        self.certificate = self.folder / 'certificate.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj',
                        f'/CN={TLS_NAME}', '-addext', f'subjectAltName=DNS:{TLS_NAME}', '-keyout',
                        str(self.folder / 'key.pem'), '-out', str(self.certificate)],
                       check=True, capture_output=True)
        paths = ' '.join(f'{name}_temp_path {self.folder}/{name};' for name in
                         ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        (self.folder / 'nginx.conf').write_text(
            f'daemon off; master_process off; pid {self.folder}/pid; error_log stderr crit;\n'
            'events { worker_connections 16384; }\n'
            f"http {{ {paths} log_format reused '$ssl_session_reused';\n"
            f'server {{ listen 0.0.0.0:{self.port} ssl backlog=511; '
            f'access_log {self.folder}/reused reused; keepalive_timeout 0; '
            f'ssl_certificate {self.certificate}; ssl_certificate_key {self.folder}/key.pem; '
            'location / { return 200 "ok\\n"; } } }\n')

    def command(self):
        return [shutil.which('nginx') or '/usr/sbin/nginx', '-p', str(self.folder), '-c',
                str(self.folder / 'nginx.conf'), '-e', 'stderr']

    def requests(self) -> tuple[int, int]:
        """All, and those over a resumed session."""
        path = self.folder / 'reused'
        text = path.read_text() if path.exists() else ''
        return text.count('\n'), text.count('r')


class Target:
    """bench-target: see bench/target.c."""

    def __init__(self, tool: Path, core: int):
        self.process = subprocess.Popen([str(tool)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, start_new_session=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        go_ahead(self.process.pid)
        self.good, self.hole = (int(port) for port in self.process.stdout.readline().split())

    def tell(self) -> str:
        """What came since the last time, as JSON."""
        self.process.stdin.write('?')
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(STOP_TIMEOUT_S)


def installed(kind) -> bool:
    return bool(shutil.which(kind.binary) or shutil.which(kind.binary, path='/usr/sbin'))

