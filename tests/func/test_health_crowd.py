# SPDX-License-Identifier: GPL-3.0-or-later
"""Many targets fail in the same moment: all of it is published at once."""

import contextlib
import os
import resource
import selectors
import socket
import threading
import time
from pathlib import Path

from harness import WAIT, eventually, make_query, measured

COUNT = 1000
# From the last state that turns to the last answer that is new, as a client sees it; this program
# takes its time to let so many die. What it and the daemon waited for a core (schedstat) is taken
# off; where that leaves little to be judged by, what the daemon uses of a core is judged anywhere.
PUBLISH_MAX = 0.1
BUSY_MAX = 1.0  # from the first state that turns, on any machine
INTERVAL = 4
BATCH = 50  # queries under way


class Crowd(threading.Thread):
    """An HTTP service on every address of 127.0.0.0/8, at one port.

    It answers, until `hold`; then it keeps what comes, until `drop` closes all of it and the port.
    """

    ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

    def __init__(self, port: int = 0, host: str = '0.0.0.0'):
        super().__init__(daemon=True)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.listener.bind((host, port))
        self.listener.listen(4096)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.held: dict[str, socket.socket] = {}  # by the address that was meant
        self.holds = self.ends = self.drops = False
        self.start()

    def run(self):
        while not self.ends:
            if self.drops:
                self._drop()
            for key, _ in self.selector.select(0.01):
                if key.fileobj is self.listener:
                    self._accept()
                else:
                    self._answer(key.fileobj)

    def _accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                connection = self.listener.accept()[0]
                connection.setblocking(False)
                self.selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection):
        with contextlib.suppress(OSError):
            if self.holds:
                self.selector.unregister(connection)
                self.held[connection.getsockname()[0]] = connection
                return
            if connection.recv(4096):
                connection.send(self.ANSWER)
        self.selector.unregister(connection)
        connection.close()

    def _drop(self):
        self.drops = False
        self.selector.unregister(self.listener)
        self.listener.close()
        for connection in self.held.values():
            connection.close()

    def close(self):
        self.ends = True
        self.join(WAIT)
        self.listener.close()
        self.selector.close()


class Cores:
    """What the threads of some processes got, and did not get, of the cores since it was made."""

    def __init__(self, *pids: int):
        self.pids = pids
        self.begin = {pid: self.read(pid) for pid in pids}

    @staticmethod
    def read(pid: int) -> tuple[float, float]:
        """Seconds on a core, and seconds of waiting for one, of all threads."""
        stats = [path.read_text().split() for path in Path(f'/proc/{pid}/task').glob('*/schedstat')]
        return tuple(sum(int(stat[i]) for stat in stats) / 1e9 for i in (0, 1))

    def used(self, pid: int) -> float:
        return self.read(pid)[0] - self.begin[pid][0]

    def waited(self) -> float:
        return sum(self.read(pid)[1] - self.begin[pid][1] for pid in self.pids)


def answered_without(server, victims: list[str]) -> float:
    """Asks for all names, again and again, until no answer holds its victim; when that was."""
    queries = [bytearray(make_query(f'n{n}.example.org').to_wire()) for n in range(len(victims))]
    for n, query in enumerate(queries):
        query[:2] = n.to_bytes(2, 'big')
    values = [socket.inet_aton(victim) for victim in victims]
    left = set(range(len(victims)))
    deadline = time.monotonic() + WAIT
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(server.address())
        client.settimeout(WAIT)
        while left:
            assert time.monotonic() < deadline, f'{len(left)} dead targets are still answered'
            names = sorted(left)
            for batch in (names[i:i + BATCH] for i in range(0, len(names), BATCH)):
                for n in batch:
                    client.send(queries[n])
                for _ in batch:
                    reply = client.recv(512)
                    n = int.from_bytes(reply[:2], 'big')
                    if reply[3] & 15 == 0 and values[n] not in reply:
                        left.discard(n)
    return time.monotonic()


@measured()
def test_a_thousand_failures_are_published_at_once(daemon):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    crowd = Crowd()
    survivor = Crowd(crowd.port, '127.200.0.1')
    victims = [f'127.1.{n // 250}.{n % 250 + 1}' for n in range(COUNT)]
    check = {'kind': 'http', 'port': crowd.port, 'interval': INTERVAL, 'timeout': INTERVAL,
             'fall': 1}
    try:
        server = daemon({'example.org.yaml': {
            f'n{n}': {'type': 'A', 'ttl': 60, 'values': [victim, '127.200.0.1'],
                      'signpost': {'check': check}} for n, victim in enumerate(victims)}},
            health={'allow': ['127.0.0.0/8'], 'doubt': {'share': 100}, 'process': 'inside'})
        assert sorted(server.values('n0.example.org')) == [victims[0], '127.200.0.1']
        crowd.holds = True
        eventually(lambda: len(crowd.held) >= COUNT, what='a probe of every target under way')
        generation = server.get('/v1/status')['generation']
        cores = Cores(server.process.pid, os.getpid())
        crowd.drops = True
        finished = answered_without(server, victims)
        used, waited = cores.used(server.process.pid), cores.waited()
        generations = server.get('/v1/status')['generation'] - generation
        checks = server.checks()
        failed = [checks[f'{victim}:{crowd.port}'] for victim in victims]
        assert {check['state'] for check in failed} == {'down'}
        first = max(failed, key=lambda check: check['since_seconds'])
        now = time.monotonic()  # before: the time that it takes to be told makes nothing better
        began = now - server.get(f'/v1/health/{first["check"]}')['since_seconds']
        took = finished - began
        spread = first['since_seconds'] - min(check['since_seconds'] for check in failed)
        print(f'{COUNT} failures are in the answers {took * 1e3:.0f} ms after the first, '
              f'of which {spread * 1e3:.0f} ms passed until the last one was seen and '
              f'{waited * 1e3:.0f} ms somebody waited for a core; {generations} generations, '
              f'{used * 1e3:.0f} ms of a core')
        assert took <= BUSY_MAX and took - spread - waited <= PUBLISH_MAX, f'{took:.3f} s'
        assert used <= PUBLISH_MAX, f'{used:.3f} s of a core'
    finally:
        crowd.close()
        survivor.close()
