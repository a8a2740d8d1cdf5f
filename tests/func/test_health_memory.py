# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check costs in memory, in the server and in the process that probes."""

import resource
import socket
import threading
from pathlib import Path

import pytest

from harness import is_instrumented

COUNT = 20000
PER_NAME = 50
# Octets a check. The entry with its 100 results takes 768, its places in the tables some 60,
# a slot for a prober elsewhere 24 to 48. The rest, 100 to 250, is heap that loading and the first
# round have left; it differs from build to build by a megabyte or two in all.
MOST = {'inside': (1200,), 'own': (1300, 1024)}


class Door(threading.Thread):
    """A TCP service on every address of 127.0.0.0/8 that takes connections and closes them."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.socket()
        self.listener.bind(('0.0.0.0', 0))
        self.listener.listen(4096)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                self.listener.accept()[0].close()
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self.listener.close()


def anonymous(pid: int) -> int:
    status = Path(f'/proc/{pid}/status').read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines()
                if line.startswith('RssAnon:'))


def values(name: int) -> list[str]:
    numbers = range(name * PER_NAME, (name + 1) * PER_NAME)
    return [f'127.{1 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}' for n in numbers]


@pytest.mark.skipif(is_instrumented(), reason='sanitizers take memory of their own')
def test_a_check_takes_about_a_kilobyte(daemon):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    door = Door()
    check = {'kind': 'tcp', 'port': door.port, 'interval': 300, 'timeout': 30}
    try:
        sizes = {}
        for process, more in (('own', {}), ('own', {'check': check}), ('inside', {'check': check})):
            zone = {f'n{n}': {'type': 'A', 'ttl': 60, 'values': values(n),
                              'signpost': {'method': 'random', 'answers': PER_NAME, **more}}
                    for n in range(COUNT // PER_NAME)}
            server = daemon({'example.org.yaml': zone}, ready=False, health={
                'allow': ['127.0.0.0/8'], 'process': process, 'state': 'off', 'first_round': 300})
            server.wait_ready(300)
            pid = server.process.pid
            children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
            assert server.metric('checks_up') == (COUNT if more else 0)
            sizes[process if more else None] = [anonymous(one) for one in (pid, *children)]
            server.stop()
    finally:
        door.close()
    for process, most in MOST.items():
        each = [(after - before) / COUNT for after, before in zip(sizes[process], sizes[None])]
        print(f'{COUNT} checks, {process}: '
              f'{", ".join(f"{one:.0f}" for one in each)} octets each in each process')
        assert len(each) == len(most) and all(a <= b for a, b in zip(each, most)), each
