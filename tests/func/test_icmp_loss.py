# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests of which some are lost, in a namespace: exactly every n-th, so nothing is chance.

The kernel there answers none; a responder of ours does, with a socket for each address.
"""

import contextlib
import socket
import struct
import subprocess
import threading

import pytest

from harness import SLOW, eventually, measured
from namespaces import enter, wire_between

pytestmark = pytest.mark.sanitizer

COUNT = 4
LATE = 0.05
# (number of the address, which of each four requests are answered, delay, options, reason, detail)
CASES = [
    (1, {0, 2}, 0, {'loss': 49}, 'L3LOSS', '2 of 4 echo requests lost'),
    (2, {0, 2}, 0, {'loss': 50}, 'OK', '2 of 4 answered'),
    (3, {1, 2, 3}, 0, {'loss': 0}, 'L3LOSS', '1 of 4 echo requests lost'),
    (4, {3}, 0, {'loss': 75}, 'OK', '1 of 4 answered'),
    (5, {0, 1, 2, 3}, 0, {'loss': 0}, 'OK', '4 of 4 answered'),
    (6, set(), 0, {'loss': 99}, 'L3TOUT', 'none of 4 echo requests answered'),
    (7, {0, 1, 2, 3}, LATE, {'rtt': LATE / 2}, 'L3RTT', 'mean round trip'),
    (8, {0, 3}, LATE, {'loss': 49, 'rtt': LATE / 2}, 'L3LOSS', '2 of 4 echo requests lost'),
]


def checksum(octets: bytes) -> int:
    total = sum(struct.unpack(f'!{len(octets) // 2}H', octets[:len(octets) & ~1]))
    total += octets[-1] << 8 if len(octets) % 2 else 0
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class Responder:
    """Answers the requests to one address whose place among each COUNT is in `answered`."""

    def __init__(self, address: str, answered: set[int], delay: float):
        self.six = ':' in address
        self.answered, self.delay, self.count = answered, delay, 0
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) \
            if self.six else socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.bind((address, 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                packet, peer = self.socket.recvfrom(65536)
                message = packet if self.six else packet[(packet[0] & 15) * 4:]
                if message[:1] != (b'\x80' if self.six else b'\x08'):
                    continue
                place, self.count = self.count % COUNT, self.count + 1
                if place in self.answered:
                    threading.Timer(self.delay, self._answer, (message, peer)).start()

    def _answer(self, message: bytes, peer):
        reply = (b'\x81\0' if self.six else b'\0\0') + b'\0\0' + message[4:]
        if not self.six:  # the kernel makes that of ICMPv6
            reply = reply[:2] + struct.pack('!H', checksum(reply)) + reply[4:]
        with contextlib.suppress(OSError):
            self.socket.sendto(reply, peer)

    def close(self):
        self.socket.close()


def silence(namespace: str):
    """The kernel there answers no echo requests."""
    for path in ('ipv4/icmp_echo_ignore_all', 'ipv6/icmp/echo_ignore_all'):
        done = subprocess.run([*enter(namespace), 'sh', '-c', f'echo 1 > /proc/sys/net/{path}'],
                              capture_output=True)
        if done.returncode != 0:
            pytest.skip('the settings of namespaces cannot be written here')


@measured()
def test_lost_echoes(daemon):
    addresses = {number: (f'192.0.2.{number}', f'2001:db8::{number}') for number, *_ in CASES}
    with wire_between([one for both in addresses.values() for one in both]) as wire, \
            contextlib.ExitStack() as exits:
        silence(wire.outside)
        zone, expected, responders = {}, {}, {}
        for number, answered, delay, options, reason, detail in CASES:
            for family, address in zip(('A', 'AAAA'), addresses[number]):
                responders[address] = wire.inside(
                    lambda address=address, answered=answered, delay=delay:
                    Responder(address, answered, delay))
                exits.callback(responders[address].close)
                zone[f'{family.lower()}{number}'] = {
                    'type': family, 'ttl': 60, 'values': [address], 'signpost': {'check': {
                        'kind': 'icmp', 'count': COUNT, 'interval': 300, 'timeout': 1 * SLOW,
                        **options}}}
                expected[address] = (reason, detail)
        server = daemon({'example.org.yaml': zone}, prefix=wire.prefix, health={'first_round': 60})
        found = server.checks()
        wrong = [f'{address}: expected {reason} ({detail}), got {found[address]["last_result"]} '
                 f'({found[address]["detail"]})' for address, (reason, detail) in expected.items()
                 if found[address]['last_result'] != reason
                 or detail not in found[address]['detail']]
        assert not wrong, '\n'.join(wrong)
        # Nothing was sent twice, and nothing was left out.
        eventually(lambda: {one.count for one in responders.values()} == {COUNT},
                   what='as many echo requests as were told to be sent')
