# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes on sockets: one client, many questions in flight, and answers read without a library."""

import contextlib
import random
import socket
import struct

WINDOW = 64  # questions in flight: fits the receive buffers on both sides


class Closed(Exception):
    """The server has closed the connection."""


class Client:
    """A UDP or TCP client with an address of its own."""

    def __init__(self, server: tuple[str, int], family: int, tcp: bool, source: str | None,
                 timeout: float, narrow: bool = False):
        self.tcp = tcp
        self.socket = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        try:
            self.socket.settimeout(timeout)
            if narrow:  # lets little come that it has not read
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(server)
            if tcp:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, message: bytes):
        self.socket.sendall(struct.pack('!H', len(message)) + message if self.tcp else message)

    def receive(self) -> bytes:
        if not self.tcp:
            return self.socket.recv(65535)
        return self._read(struct.unpack('!H', self._read(2))[0])

    def _read(self, size: int) -> bytes:
        parts = []
        while size > 0:
            part = self.socket.recv(size)
            if not part:
                raise Closed
            parts.append(part)
            size -= len(part)
        return b''.join(parts)

    def exchange(self, message: bytes) -> bytes:
        self.send(message)
        return self.receive()

    def is_silent(self, message: bytes, question: bytes) -> bool:
        """Whether the message gets no answer: what comes next answers a later question, or, over
        TCP, is the end of the connection."""
        self.send(message)
        try:
            self.send(question)
            reply = self.receive()
        except (Closed, ConnectionResetError, BrokenPipeError):
            return self.tcp
        return reply[:2] == question[:2] and reply[2] & 0x80 != 0 and \
            reply[12:20] == question[12:20]

    def ask_many(self, questions: list[bytes]) -> list[bytes]:
        """The answers in the order of the questions, whose ids are replaced."""
        answers: list[bytes] = []
        for begin in range(0, len(questions), WINDOW):
            chunk = questions[begin:begin + WINDOW]
            answers += self._ask_tcp(chunk) if self.tcp else self._ask_udp(chunk)
        return answers

    def _ask_tcp(self, chunk: list[bytes]) -> list[bytes]:
        self.socket.sendall(b''.join(
            struct.pack('!HH', len(question), number) + question[2:]
            for number, question in enumerate(chunk)))
        answers: dict[int, bytes] = {}
        for _ in chunk:  # in any order, as RFC 7766, 7 has it
            answer = self.receive()
            number = struct.unpack('!H', answer[:2])[0]
            assert number < len(chunk) and number not in answers
            answers[number] = answer
        return [answers[number] for number in range(len(chunk))]

    def _ask_udp(self, chunk: list[bytes]) -> list[bytes]:
        base = random.randrange(0xffff - WINDOW)
        for number, question in enumerate(chunk):
            self.socket.send(struct.pack('!H', base + number) + question[2:])
        answers: dict[int, bytes] = {}
        while len(answers) < len(chunk):
            answer = self.socket.recv(65535)
            number = struct.unpack('!H', answer[:2])[0] - base
            assert 0 <= number < len(chunk) and number not in answers
            answers[number] = answer
        return [answers[number] for number in range(len(chunk))]


def skip_name(message: bytes, at: int) -> int:
    while True:
        length = message[at]
        if length == 0:
            return at + 1
        if length >= 0xc0:
            return at + 2
        at += length + 1


def records(message: bytes, count: int, at: int) -> tuple[list[tuple[int, int, bytes]], int]:
    """(type, ttl, rdata) of that many records, and where they end."""
    found = []
    for _ in range(count):
        at = skip_name(message, at)
        kind, _, ttl, size = struct.unpack_from('!HHIH', message, at)
        at += 10
        found.append((kind, ttl, message[at:at + size]))
        at += size
    return found, at


def answers(message: bytes) -> list[tuple[int, int, bytes]]:
    """(type, ttl, rdata) of the answer section of a response to one question."""
    return records(message, struct.unpack_from('!H', message, 6)[0],
                   skip_name(message, 12) + 4)[0]


def scope(message: bytes) -> int | None:
    """The scope of the client subnet option, if there is one."""
    an, ns, ar = struct.unpack_from('!HHH', message, 6)
    _, at = records(message, an + ns, skip_name(message, 12) + 4)
    for kind, _, rdata in records(message, ar, at)[0]:
        while kind == 41 and len(rdata) >= 4:
            code, size = struct.unpack_from('!HH', rdata)
            if code == 8:
                return rdata[7]
            rdata = rdata[4 + size:]
    return None


def texts(message: bytes) -> list[str]:
    """The addresses of the answer section, in their order."""
    return [socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, rdata)
            for kind, _, rdata in answers(message) if kind in (1, 28)]


@contextlib.contextmanager
def taken_port(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM):
    """A loopback port that somebody else listens on."""
    with socket.socket(family, kind) as taken:
        taken.bind(('::1' if family == socket.AF_INET6 else '127.0.0.1', 0))
        if kind == socket.SOCK_STREAM:
            taken.listen(1)
        yield taken.getsockname()[1]
