# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged questions over a wire between two namespaces, at a rate: what a victim gets, counted by
its network interface, and what it and its neighbours lose (R10, R11).

With SIGNPOST_SCALE above 1 the floods are larger and longer and the bars are those of the promise;
without it a machine with other work must pass, whose full buffers drop some questions.
"""

import contextlib
import selectors
import socket
import time

import dns.edns
import dns.message
import pytest

import wire
from floods import QUESTIONS, ZONE, Flood
from harness import SCALE, WAIT, has_flag, make_query, values
from namespaces import SERVER, enter, ip_in, wire_between

VICTIM = '203.0.113.5'
CROWD = '10.20.0.0/16'  # all of it is local among the clients
EXEMPT = '10.20.255.9'
ETHERNET, HEADERS = 14, 28  # IPv4 and UDP
RATE, SECONDS = 50_000 if SCALE > 1 else 10_000, 1.5 * SCALE


class World:
    def __init__(self, space, server):
        self.space, self.server = space, server

    def flood(self, rate, seconds, sources, questions=tuple(QUESTIONS)):
        return Flood(enter(self.space.outside), self.server, rate, seconds, sources, questions)

    def arrived(self) -> tuple[int, int]:
        """(packets, octets from the IP header on) that came to the clients."""
        def read():
            with open('/proc/thread-self/net/dev', encoding='ascii') as table:
                fields = next(line for line in table if line.strip().startswith('wire:')).split()
                return int(fields[2]), int(fields[1]) - ETHERNET * int(fields[2])
        return self.space.inside(read)

    def client(self, source, tcp=False):
        return wire.Client(self.server.address(), socket.AF_INET, tcp, source, WAIT)


def serve(space, module_daemon, **more):
    return World(space, module_daemon({'test.example.zone': ZONE}, listen=[f'{SERVER[4]}:0'],
                                      workers=1, prefix=space.prefix, **more))


@pytest.fixture(scope='module')
def space():
    with wire_between([VICTIM]) as made:
        ip_in(made.outside, 'route', 'add', 'local', CROWD, 'dev', 'lo')
        yield made


@pytest.fixture(scope='module')
def limited(space, module_daemon):
    return serve(space, module_daemon, rrl={'rate': 50, 'exempt': f'{EXEMPT}/32'})


def test_answers_are_small(space, module_daemon):
    """Without a limit: the usual amplifiers are answered by less than three times as much."""
    world = serve(space, module_daemon)

    def ask():
        sent = received = largest = 0
        with world.client(VICTIM) as client:
            for name, rdtype in QUESTIONS * 20:
                question = make_query(name, rdtype, edns=True, payload=4096).to_wire()
                answer = client.exchange(question)
                sent, received = sent + len(question), received + len(answer)
                largest = max(largest, len(answer))
        return sent, received, largest
    _, before = world.arrived()
    sent, received, largest = space.inside(ask)
    octets = world.arrived()[1] - before
    sent += HEADERS * 20 * len(QUESTIONS)
    print(f'{octets / sent:.2f} times the octets on the wire, {received} of messages, '
          f'the largest {largest}')
    assert octets >= received
    assert octets <= 3 * sent and largest <= 1232


def test_above_the_limit(limited):
    """A fifth of the octets at most come back to whom the questions are forged from."""
    begin = time.monotonic()
    with limited.flood(RATE, 0.2, [VICTIM]) as flood:  # the burst is used up
        flood.finish()
    refused = limited.server.metric('rrl_dropped_total')
    packets, before = limited.arrived()
    with limited.flood(RATE, SECONDS, [VICTIM]) as flood:
        datagrams, sent = flood.finish()
    sent += datagrams * HEADERS
    elapsed = time.monotonic() - begin
    packets, octets = limited.arrived()[0] - packets, limited.arrived()[1] - before
    refused = limited.server.metric('rrl_dropped_total') - refused
    print(f'{datagrams / SECONDS:.0f} questions/s for {SECONDS:.0f} s: {octets / sent:.3f} of the '
          f'octets came back in {packets} packets, {refused} were not answered')
    assert refused > 0 and packets > 0
    # The rate itself is let through, however slowly this machine sends.
    assert octets - 50 * 1.1 * (elapsed + 1) * (1232 + HEADERS) <= 0.2 * sent
    if datagrams > 20_000 * SECONDS:
        assert octets <= 0.2 * sent


class Resolver:
    """Behind the victim's address: asks again when nothing comes, by TCP when told to; with a
    cookie or without (RFC 7873, 5.3)."""

    TRIES_MAX, PATIENCE = 500, 0.05

    def __init__(self, world, cookies):
        self.world, self.cookie = world, b'8 octets' if cookies else None
        self.tries, self.by_tcp = [], 0

    def knows_a_cookie(self) -> bool:
        return self.cookie is not None and len(self.cookie) > 8

    def ask(self, question) -> dns.message.Message:
        patience = 1 if self.knows_a_cookie() else self.PATIENCE
        with self.world.client(VICTIM) as client:
            client.socket.settimeout(patience)
            for number in range(self.TRIES_MAX):
                client.send(question)
                with contextlib.suppress(TimeoutError):
                    answer = client.receive()
                    self.tries.append(number + 1)
                    return dns.message.from_wire(answer, raise_on_truncation=False)
        raise AssertionError(f'no answer to {self.TRIES_MAX} tries')

    def resolve(self, name) -> list[str]:
        options = [dns.edns.GenericOption(10, self.cookie)] if self.cookie else []
        question = make_query(name, edns=True, options=options).to_wire()
        reply = self.ask(question)
        if self.cookie:
            self.cookie = next(option.data for option in reply.options if option.otype == 10)
        if has_flag(reply, 'TC'):
            self.by_tcp += 1
            with self.world.client(VICTIM, tcp=True) as client:
                reply = dns.message.from_wire(client.exchange(question))
        return values(reply)


@pytest.mark.parametrize('cookies', [False, True], ids=['tcp', 'cookie'])
def test_the_victim_resolves(limited, cookies):
    """Everything, while the flood goes on: a truncated answer comes before long and TCP is not
    limited; with a cookie it needs that once."""
    resolver, found, count = Resolver(limited, cookies), [], 10 if SCALE <= 1 else 100
    dropped = limited.server.metric('rrl_dropped_total')
    with limited.flood(RATE, WAIT * 3, [VICTIM]) as flood:
        def resolve():
            while limited.server.metric('rrl_dropped_total') == dropped:
                time.sleep(0.01)
            for _ in range(count):
                found.append(resolver.resolve('www.test.example'))
        limited.space.inside(resolve)
        assert not flood.is_over()
    print(f'{count} names, {sum(resolver.tries) / count:.1f} tries each, at most '
          f'{max(resolver.tries)}; {resolver.by_tcp} by TCP')
    assert found == [['192.0.2.1']] * count
    if cookies:
        assert resolver.knows_a_cookie() and resolver.by_tcp <= 1
        # One try each, but for what a full buffer drops.
        assert SCALE <= 1 or sum(resolver.tries[1:]) <= 2 * count
    else:
        assert resolver.by_tcp > 0


class Crowd:
    """500 others, in turn, at a steady rate; what came back, and how fast."""

    COUNT, RATE = 500, 1000

    def __init__(self, world):
        self.world = world
        self.sockets = []
        self.selector = selectors.DefaultSelector()
        for number in range(self.COUNT):
            one = world.client(f'10.20.{number // 2}.{number % 2 * 128 + 5}').socket
            one.setblocking(False)
            self.sockets.append(one)
            self.selector.register(one, selectors.EVENT_READ)
        self.question = make_query('www.test.example', edns=True).to_wire()[2:]

    def close(self):
        self.selector.close()
        for one in self.sockets:
            one.close()

    def read(self, asked, took, timeout):
        for key, _ in self.selector.select(timeout):
            with contextlib.suppress(BlockingIOError):
                answer, now = key.fileobj.recv(2048), time.monotonic()
                begin = asked.pop(answer[:2], None)
                if begin is not None and answer[3] & 15 == 0 and answer[7] == 1:
                    took.append(now - begin)

    def ask(self, seconds) -> tuple[int, list[float]]:
        """(questions, the time of each that was answered)."""
        asked, took, count = {}, [], int(seconds * self.RATE)
        begin = time.monotonic()
        for number in range(count):
            while (wait := begin + number / self.RATE - time.monotonic()) > 0:
                self.read(asked, took, wait)
            message = number.to_bytes(4, 'big')[2:]
            asked[message] = time.monotonic()
            self.sockets[number % self.COUNT].send(message + self.question)
        deadline = time.monotonic() + WAIT
        while asked and time.monotonic() < deadline:
            self.read(asked, took, 0.1)
        return count, sorted(took)


def flood_rate(world) -> float:
    """Half of what the server answers at most; without SIGNPOST_SCALE what it answers beside
    other work, too."""
    if SCALE <= 1:
        return 5000
    answered = -world.server.metric('noerror_total')
    with world.flood(1_000_000, 2, [EXEMPT], (('www.test.example', 'A'),)) as flood:
        flood.finish()
    return (answered + world.server.metric('noerror_total')) / 2 / 2


def p99(times) -> float:
    return times[len(times) * 99 // 100]


def test_the_crowd_is_served(limited):
    """A /24 floods (with half of what the server can answer); 500 others ask as ever."""
    rate = flood_rate(limited)
    sources = [f'10.20.254.{host}' for host in range(1, 65)]

    def run():
        crowd = Crowd(limited)
        try:
            crowd.ask(0.2)
            idle = crowd.ask(SECONDS)
            with limited.flood(rate, SECONDS + WAIT, sources,
                               (('www.test.example', 'A'),)) as flood:
                dropped = limited.server.metric('rrl_dropped_total')
                while limited.server.metric('rrl_dropped_total') == dropped:
                    time.sleep(0.01)
                flooded = crowd.ask(SECONDS)
                assert not flood.is_over()
            return idle, flooded
        finally:
            crowd.close()
    (idle_count, idle), (count, took) = limited.space.inside(run)
    print(f'flood of {rate:.0f}/s; answered {len(took)} of {count}, p99 '
          f'{p99(took) * 1e3:.2f} ms; idle {len(idle)} of {idle_count}, p99 '
          f'{p99(idle) * 1e3:.2f} ms')
    assert len(took) >= (0.999 if SCALE > 1 else 0.98) * count
    if SCALE > 1:
        assert p99(took) <= 3 * p99(idle)
