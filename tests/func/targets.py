# SPDX-License-Identifier: GPL-3.0-or-later
"""What health checks look at: TCP and HTTP services on loopback that can be switched."""

import contextlib
import random
import socket
import threading

from harness import WAIT


class Target:
    """A service at an address and port of its own. `mode` is what a client meets:

    an int     an HTTP answer with this status
    a float    an HTTP answer with status 200, after so many seconds
    'open'     the connection is taken and closed
    'hang'     the connection is taken and nothing is said
    'garbage'  something that is not HTTP is said
    'off'      nobody listens
    """

    def __init__(self, address: str, port: int, mode):
        self.address, self.port = address, port
        self.changed = threading.Condition()
        self.seen: list[tuple] = []  # (mode, request) of each connection
        self.mode = 'off'
        self.listener: socket.socket | None = None
        self.held: list[socket.socket] = []
        self._listen()  # an address and port of its own, even when it begins switched off
        self.switch(mode)

    @property
    def endpoint(self) -> str:
        return f'[{self.address}]:{self.port}' if ':' in self.address else \
            f'{self.address}:{self.port}'

    def switch(self, mode):
        with self.changed:
            self.mode = mode
        if mode == 'off':
            self._close()
        elif self.listener is None:
            self._listen()

    def count(self) -> int:
        with self.changed:
            return len(self.seen)

    def wait_seen(self, count: int):
        """Until that many connections came in all."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.seen) >= count, WAIT), \
                f'{self.endpoint} saw {len(self.seen)} of {count} probes'

    def close(self):
        self.switch('off')
        for connection in self.held:
            connection.close()

    def _listen(self):
        family = socket.AF_INET6 if ':' in self.address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.address, self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self.listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _close(self):
        if self.listener is not None:
            # close() alone would leave the port open as long as the thread is in accept().
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None

    def _serve(self, listener: socket.socket):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._talk(connection)

    def _talk(self, connection: socket.socket):
        with self.changed:
            mode = self.mode
        request = b''
        connection.settimeout(WAIT)
        if isinstance(mode, (int, float)) or mode == 'garbage':
            while b'\r\n\r\n' not in request:
                part = connection.recv(4096)
                if not part:
                    break
                request += part
        with self.changed:
            self.seen.append((mode, request.decode('latin-1')))
            self.changed.notify_all()
        if mode == 'hang':
            self.held.append(connection)
            return
        if mode == 'garbage':
            connection.sendall(b'220 mail.example.com ESMTP\r\n')
        elif isinstance(mode, float):
            self.held.append(connection)
            threading.Timer(mode, self._say, (connection, 200)).start()
            return
        elif isinstance(mode, int):
            self._say(connection, mode)
        connection.close()

    @staticmethod
    def _say(connection: socket.socket, status: int):
        with contextlib.suppress(OSError):
            connection.sendall(f'HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\n'
                               'Connection: close\r\n\r\nok'.encode())
            connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def targets(count: int, mode, address: str | None = None):
    """Targets with one port and addresses 127.x.y.1, .2, ... that nobody else uses."""
    made: list[Target] = []
    try:
        net = f'127.{random.randint(1, 254)}.{random.randint(0, 255)}'
        for number in range(count):
            made.append(Target(address or f'{net}.{number + 1}',
                               made[0].port if made else 0, mode))
        yield made
    finally:
        for target in made:
            target.close()
