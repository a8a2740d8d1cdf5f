#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad TCP peers, in a process of their own: attackers.py HOST PORT COUNT SECONDS.

Keeps COUNT connections of five kinds up, from 250 loopback addresses, connecting anew when it is
closed on; prints `up` once all have been tried, and at the end, which comes when its standard input
closes or after SECONDS, how many connections it made.
"""

import errno
import selectors
import socket
import struct
import sys
import time

ADDRESSES = 250
QUERY = bytes.fromhex('123400000001000000000000036269670474657374076578616d706c650000100001')
FRAMED = struct.pack('!H', len(QUERY)) + QUERY
CONNECTS_A_ROUND = 40
ROUND = 0.02


class Peer:
    """One place of an attacker: connects, does its worst, and comes again when it is shut out."""

    def __init__(self, number: int, target: tuple[str, int], selector):
        self.source = f'127.100.{number % ADDRESSES // 16}.{number % ADDRESSES % 16 + 1}'
        self.target = target
        self.selector = selector
        self.kind = (silent, drip, never_read, half_close, reset)[number % 5]
        self.socket = None
        self.made = 0
        self.next = 0.0

    def connect(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.bind((self.source, 0))
        code = self.socket.connect_ex(self.target)
        if code not in (0, errno.EINPROGRESS):
            self.close()
            return
        self.made += 1
        self.selector.register(self.socket, selectors.EVENT_WRITE, self)

    def close(self):
        if self.socket is not None:
            if self.socket.fileno() >= 0:
                try:
                    self.selector.unregister(self.socket)
                except KeyError:
                    pass
            self.socket.close()
            self.socket = None

    def event(self, now: float):
        try:
            self.kind(self, now)
        except OSError:
            self.close()


def wait_end(peer: Peer):
    """From now on only the server's end is of interest."""
    peer.selector.modify(peer.socket, selectors.EVENT_READ, peer)


def silent(peer: Peer, _now: float):
    if peer.selector.get_key(peer.socket).events == selectors.EVENT_WRITE:
        wait_end(peer)
    elif not peer.socket.recv(1024):
        peer.close()


def drip(peer: Peer, now: float):
    """A byte a second of a query that is never complete."""
    if peer.selector.get_key(peer.socket).events == selectors.EVENT_WRITE:
        peer.socket.send(b'\xff')
        peer.next = now + 1
        wait_end(peer)
    elif not peer.socket.recv(1024):
        peer.close()


def never_read(peer: Peer, _now: float):
    peer.socket.send(FRAMED * 200)
    peer.selector.unregister(peer.socket)


def half_close(peer: Peer, _now: float):
    peer.socket.send(FRAMED * 3)
    peer.socket.shutdown(socket.SHUT_WR)
    peer.selector.unregister(peer.socket)


def reset(peer: Peer, _now: float):
    peer.socket.send(FRAMED[:9])
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    peer.close()


def is_over(peer: Peer) -> bool:
    """Whether a connection that nobody listens to has been ended by the server."""
    state = peer.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state in (7, 8)  # CLOSE, CLOSE_WAIT


def main():
    target, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
    deadline = time.monotonic() + float(sys.argv[4])
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    peers = [Peer(number, target, selector) for number in range(count)]
    at, tried = 0, 0
    while time.monotonic() < deadline:
        now = time.monotonic()
        connected = looked = 0
        while connected < CONNECTS_A_ROUND and looked < 500:
            peer = peers[at % count]
            if peer.socket is not None and peer.kind in (never_read, half_close) and \
                    is_over(peer):
                peer.close()
            if peer.socket is None:
                peer.connect()
                connected += 1
            elif peer.kind is drip and 0 < peer.next <= now:
                try:
                    peer.socket.send(b'\xff')
                    peer.next = now + 1
                except OSError:
                    peer.close()
            at += 1
            looked += 1
            if at == count and not tried:
                tried = 1
                print('up', flush=True)
        for key, _ in selector.select(ROUND):
            if key.data is None:
                deadline = 0
            elif key.data.socket is not None:
                key.data.event(now)
        time.sleep(max(0.0, now + ROUND - time.monotonic()))
    print(sum(peer.made for peer in peers), flush=True)


if __name__ == '__main__':
    main()
