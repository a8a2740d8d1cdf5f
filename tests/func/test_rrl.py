# SPDX-License-Identifier: GPL-3.0-or-later
"""Response rate limiting: what a victim of forged queries gets, and what its neighbours lose.

Counts grow with SIGNPOST_SCALE. A flood is sent in chunks, each followed by a question from an
address that is not limited, whose answer says that the chunk has been read: nothing is lost for
want of a buffer, on however slow a machine.
"""

import contextlib
import socket
import time

import dns.edns
import dns.message
import pytest

import wire
from floods import QUESTIONS, ZONE
from harness import SCALE, WAIT, has_flag, make_query, values

pytestmark = pytest.mark.sanitizer

CHUNK = 100
VICTIM = '127.9.0.1'

WWW = make_query('www.test.example').to_wire()
WIRES = [make_query(name, kind, edns=True).to_wire() for name, kind in QUESTIONS]


def limited(module_daemon, **more):
    return module_daemon({'test.example.zone': ZONE}, listen=['127.0.0.1:0'],
                         rrl={'rate': 50, 'exempt': '127.8.0.0/16', **more})


@pytest.fixture(scope='module')
def server(module_daemon):
    return limited(module_daemon)


def udp(server, source):
    return wire.Client(server.address(), socket.AF_INET, False, source, WAIT)


class Flood:
    """Questions from one address; counts the bytes of both directions."""

    def __init__(self, server, source, exits):
        self.client = exits.enter_context(udp(server, source))
        self.marker = exits.enter_context(udp(server, '127.8.0.1'))
        self.sent = self.received = self.largest = self.truncated = self.answers = 0

    def chunk(self, questions, behind=lambda: None):
        """`behind` sends something in the same moment."""
        self.client.socket.settimeout(WAIT)
        for question in questions:
            self.client.socket.send(question)
            self.sent += len(question)
        behind()
        self.marker.exchange(WWW)
        self.client.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                answer = self.client.socket.recv(65535)
                self.received += len(answer)
                self.largest = max(self.largest, len(answer))
                self.truncated += bool(answer[2] & 2)
                self.answers += 1


def test_reflection_is_bounded(server):
    """R10: the usual amplifiers from one forged address. Until the limit is met an answer may be
    larger than its question; beyond it less than a fifth of the bytes go out."""
    with contextlib.ExitStack() as exits:
        flood = Flood(server, VICTIM, exits)
        flood.chunk(WIRES * 5)
        assert flood.answers == 25 and flood.truncated == 0
        assert flood.received <= 3 * flood.sent
        assert flood.largest <= 1232
        while flood.truncated == 0:  # the burst is used up
            begin = time.monotonic()
            flood.chunk(WIRES * (CHUNK // 5))
        dropped, slipped = (server.metric(f'rrl_{kind}_total') for kind in ('dropped', 'slipped'))
        sent, received, answers = flood.sent, flood.received, flood.answers
        for _ in range(int(100 * SCALE)):
            flood.chunk(WIRES * (CHUNK // 5))
        count = int(100 * SCALE) * CHUNK
        passed = count - (server.metric('rrl_dropped_total') - dropped) - \
            (server.metric('rrl_slipped_total') - slipped)
        # The rate for as long as it took: a slow machine sends slowly. The largest is 1232 octets.
        elapsed = time.monotonic() - begin
        assert passed <= 50 * elapsed * 1.1 + 10
        assert flood.answers - answers == passed + server.metric('rrl_slipped_total') - slipped
        assert flood.received - received - passed * 1232 <= 0.2 * (flood.sent - sent)
        if count / elapsed > 20_000:  # fast enough that the rate itself is nothing
            assert flood.received - received <= 0.2 * (flood.sent - sent)


def test_victim_still_resolves(server):
    """A resolver behind the address that is forged: it gets a truncated answer before long, and
    comes over TCP, which is never limited."""
    with contextlib.ExitStack() as exits:
        flood = Flood(server, VICTIM, exits)
        while flood.truncated == 0:
            flood.chunk([WWW] * CHUNK)
        for number in range(20):
            query = make_query('www.test.example', edns=True)
            client = exits.enter_context(udp(server, VICTIM))
            for _ in range(200):
                flood.chunk([WWW] * 20)
                client.send(query.to_wire())
                flood.marker.exchange(WWW)  # what was to be answered has been
                client.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    reply = dns.message.from_wire(client.receive(), raise_on_truncation=False)
                    break
            assert query.is_response(reply)
            if has_flag(reply, 'TC'):
                assert not reply.answer and reply.edns == 0
                reply = dns.message.from_wire(
                    server.exchange(query.to_wire(), tcp=True, source=VICTIM))
            assert values(reply) == ['192.0.2.1'], number


def test_bystanders_lose_nothing(server):
    """R11: a flood from one /24, and 500 others who ask a few times each."""
    with contextlib.ExitStack() as exits:
        floods = [Flood(server, f'127.7.0.{host}', exits) for host in range(1, 9)]
        others = [exits.enter_context(udp(server, f'127.{64 + number // 4}.{number % 4 * 64}.53'))
                  for number in range(500)]
        dropped = server.metric('rrl_dropped_total')
        for turn in range(int(1500 * SCALE)):
            floods[turn % len(floods)].chunk([WWW] * 10)
            assert wire.texts(others[turn % len(others)].exchange(WWW)) == ['192.0.2.1']
        assert server.metric('rrl_dropped_total') > dropped


def test_valid_cookies_are_exempt(server):
    """Beyond the limit a client comes by a cookie (even with a truncated answer), and is no longer
    limited; a cookie of its own making helps nobody."""
    client_part = b'8 octets'
    with contextlib.ExitStack() as exits:
        flood = Flood(server, '127.9.0.2', exits)
        while flood.truncated == 0:
            flood.chunk([WWW] * CHUNK)
        forged = make_query('www.test.example', options=[
            dns.edns.GenericOption(10, client_part + bytes(16))])
        client = exits.enter_context(udp(server, '127.9.0.2'))
        passed, reply = 0, None
        for _ in range(60):
            # However much time has passed, the address is beyond its limit.
            flood.chunk([WWW] * CHUNK, lambda: client.send(forged.to_wire()))
            client.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                reply = dns.message.from_wire(client.receive(), raise_on_truncation=False)
                passed += not has_flag(reply, 'TC')
        assert passed < 30
        cookie = next(option.data for option in reply.options if option.otype == 10)
        assert cookie.startswith(client_part) and len(cookie) == 24
        client.socket.settimeout(WAIT)
        known = make_query('www.test.example', options=[dns.edns.GenericOption(10, cookie)])
        for _ in range(500):
            assert wire.texts(client.exchange(known.to_wire())) == ['192.0.2.1']


def test_source_is_limited_whatever_subnet_it_names(server):
    with contextlib.ExitStack() as exits:
        flood = Flood(server, '127.9.0.3', exits)
        dropped, sent = server.metric('rrl_dropped_total'), 0
        questions = [make_query('www.test.example', ecs=f'198.51.{number}.0/24').to_wire()
                     for number in range(200)]
        while server.metric('rrl_dropped_total') == dropped:
            flood.chunk(questions)
            sent += len(questions)
            assert sent <= 50 * len(questions)
        assert flood.answers < sent


def test_off_by_default(daemon):
    server = daemon({'test.example.zone': ZONE}, listen=['127.0.0.1:0'])
    with contextlib.ExitStack() as exits:
        flood = Flood(server, VICTIM, exits)
        for _ in range(5):
            flood.chunk([WWW] * CHUNK)
        assert flood.answers == 5 * CHUNK and flood.truncated == 0
    assert server.metric('rrl_dropped_total') == server.metric('rrl_slipped_total') == 0
