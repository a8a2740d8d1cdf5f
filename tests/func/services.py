# SPDX-License-Identifier: GPL-3.0-or-later
"""What probes meet: scripted TCP and UDP services, a gRPC health server, nginx and HAProxy."""

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

import h2.config
import h2.connection
import h2.events

from harness import WAIT

RESET = struct.pack('ii', 1, 0)


held_ports: list[socket.socket] = []


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens, and which nobody else is given until the
    tests end. A program that sets SO_REUSEADDR, as servers do, can bind it by its number."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(('127.0.0.1', 0))
    held_ports.append(holder)
    return holder.getsockname()[1]


def free_datagram_port() -> int:
    """The same for UDP: who is connected to somebody hears nobody else, so the kernel refuses."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(('127.0.0.1', 0))
    holder.connect(('127.0.0.1', 9))
    held_ports.append(holder)
    return holder.getsockname()[1]


class Service:
    """Each connection is handed to `talk(connection)` in a thread of its own and then closed."""

    def __init__(self, talk, backlog: int = 64, context: ssl.SSLContext | None = None):
        self.talk, self.context = talk, context
        self.count = 0
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket):
        connection.settimeout(WAIT)
        with contextlib.suppress(OSError, ValueError):
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            self.talk(connection)
        with contextlib.suppress(OSError):
            connection.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Datagrams:
    """Answers each datagram with what `talk(datagram)` gives: bytes, or None for nothing."""

    def __init__(self, talk):
        self.talk = talk
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                datagram, peer = self.socket.recvfrom(65536)
                answer = self.talk(datagram) if peer else None  # closed: no peer
                if answer is not None:
                    self.socket.sendto(answer, peer)
            except OSError:
                return

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


# --- ways to talk

def hold(connection):
    while connection.recv(4096):
        pass


def close_at_once(_connection):
    pass


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def says(text: bytes, hear: bool = True, then=hold):
    """Hears something, says `text`, and goes on holding the connection or whatever `then` is."""
    def talk(connection):
        if hear:
            connection.recv(4096)
        connection.sendall(text)
        then(connection)
    return talk


def ends(text: bytes):
    return says(text, then=close_at_once)


def drips(text: bytes, hear: bool = True):
    """One octet each 50 ms, a slow loris."""
    def talk(connection):
        if hear:
            connection.recv(4096)
        for octet in text:
            connection.sendall(bytes([octet]))
            time.sleep(0.05)
        hold(connection)
    return talk


def endless(head: bytes, piece: bytes):
    def talk(connection):
        connection.recv(4096)
        connection.sendall(head)
        while True:
            connection.sendall(piece)
    return talk


def dialog(*lines: tuple[bytes, bytes], then=hold):
    """(what is heard must begin with, what is said); the first is said without hearing."""
    def talk(connection):
        reader = connection.makefile('rb')
        for heard, said in lines:
            if heard and not reader.readline().startswith(heard):
                return
            connection.sendall(said)
        then(connection)
    return talk


def http(status: int, body: bytes = b'', *headers: str) -> bytes:
    lines = [f'HTTP/1.1 {status} Text', f'Content-Length: {len(body)}', *headers, '', '']
    return '\r\n'.join(lines).encode() + body


def grpc(status: int | None, *, grpc_status: int = 0, http_status: str = '200'):
    """grpc.health.v1 over HTTP/2: answers with this serving status (None: no message)."""
    def talk(connection):
        session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        session.initiate_connection()
        connection.sendall(session.data_to_send())
        while octets := connection.recv(65536):
            for event in session.receive_data(octets):
                if isinstance(event, h2.events.RequestReceived):
                    headers = dict(event.headers)
                    assert headers[b':path' if b':path' in headers else ':path'] in (
                        b'/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Check')
                if isinstance(event, h2.events.StreamEnded):
                    session.send_headers(event.stream_id, [
                        (':status', http_status), ('content-type', 'application/grpc')])
                    if status is not None:
                        message = b'\x08' + bytes([status]) if status else b''
                        session.send_data(event.stream_id,
                                          b'\0' + struct.pack('>I', len(message)) + message)
                    session.send_headers(event.stream_id, [('grpc-status', str(grpc_status))],
                                         end_stream=True)
            connection.sendall(session.data_to_send())
    return talk


# --- programs

class Program:
    def __init__(self, arguments: list[str], folder: Path, port: int):
        self.process = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        limit = time.monotonic() + WAIT
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                raise AssertionError(self.process.stdout.read().decode())
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
                return
            time.sleep(0.02)
        raise AssertionError(f'{arguments[0]} does not listen')

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def nginx(folder: Path, servers: str, port: int) -> Program:
    """nginx in the foreground with these server blocks; `port` is one that they listen on."""
    for name in ('body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'):
        (folder / name).mkdir(exist_ok=True)
    paths = '\n'.join(f'{name}_path {folder}/{where};' for name, where in (
        ('client_body_temp', 'body'), ('proxy_temp', 'proxy'), ('fastcgi_temp', 'fastcgi'),
        ('uwsgi_temp', 'uwsgi'), ('scgi_temp', 'scgi')))
    (folder / 'nginx.conf').write_text(
        f'daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n'
        f'events {{}}\nhttp {{ access_log off;\n{paths}\n{servers}\n}}\n')
    return Program([program('nginx'), '-p', str(folder), '-c', str(folder / 'nginx.conf'), '-e',
                    'stderr'], folder, port)


def haproxy(folder: Path, config: str, port: int) -> Program:
    (folder / 'haproxy.cfg').write_text(config)
    return Program([program('haproxy'), '-db', '-f', str(folder / 'haproxy.cfg')], folder, port)


def program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path='/usr/sbin')
    assert path, f'{name} is not installed (scripts/packages-test.txt)'
    return path
