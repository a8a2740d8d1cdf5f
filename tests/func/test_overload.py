# SPDX-License-Identifier: GPL-3.0-or-later
"""Twice as many queries as the server can answer: it goes on answering nearly as many as at its
best, and its control side, which shares the one core with it here, stays prompt (R12).

The whole server has core 0, the generator core 1. What was answered is counted by the server, and
put against the time that its worker had on the core. Best and overload are measured in one run;
with SIGNPOST_SCALE above 1 it is longer and the bars are those of the promise, else they leave room
for a machine with other work.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import PLAIN_ZONE, SCALE, SLOW, eventually, make_query, measured
from targets import targets

GROUP = 32  # datagrams of one call (UDP GSO)
SOCKETS = 16
UDP_SEGMENT = 103


def generate(host: str, port: int, rate: float, seconds: float):
    """Sends at that rate, whatever comes back; what cannot be sent in time is left out."""
    query = make_query('www.test.example', edns=True).to_wire()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for one in sockets:
        one.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(query))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # answers are not read
        one.connect((host, port))
    begin, sent = time.monotonic(), 0
    while (now := time.monotonic() - begin) < seconds:
        due = int(now * rate / GROUP)
        if sent >= due:
            time.sleep(0.0002)
            continue
        with contextlib.suppress(OSError):
            sockets[sent % SOCKETS].send(query * GROUP)
        sent += 1
        if due - sent > rate / GROUP / 10:
            sent = due  # behind by a tenth of a second: this machine cannot send more
    print(sent * GROUP / seconds)


def core_time(server) -> float:
    """Seconds that the data worker has had on its core."""
    tasks = Path(f'/proc/{server.process.pid}/task')
    worker = next(task for task in tasks.iterdir()
                  if (task / 'comm').read_text() == 'data-worker\n')
    return int((worker / 'schedstat').read_text().split()[0]) / 1e9


class Offer:
    """So many queries a second for so long, and what became of them."""

    def __init__(self, server, rate: float, seconds: float, meanwhile=None):
        host, port = server.address()
        before, core = server.metric('noerror_total'), core_time(server)
        with subprocess.Popen(
                ['taskset', '-c', '1', sys.executable, __file__, host, str(port), str(rate),
                 str(seconds)], stdout=subprocess.PIPE, text=True,
                env={**os.environ, 'PYTHONPATH': os.path.dirname(__file__)}) as process:
            while meanwhile is not None and process.poll() is None:
                meanwhile()
            self.offered = float(process.stdout.read())
        answered = server.metric('noerror_total') - before
        self.answered = answered / seconds
        # Of a second of the core: other work on the machine takes the core away.
        self.of_core = answered / (core_time(server) - core)


def best_offer(server, seconds: float) -> tuple[float, float]:
    """(highest rate of answers, the same of a second of the core), from few queries to far too
    many."""
    rate, answered, of_core = 60_000.0, 0.0, 0.0
    while True:
        offer = Offer(server, rate, seconds)
        answered, of_core = max(answered, offer.answered), max(of_core, offer.of_core)
        if offer.answered < 0.7 * offer.offered or offer.offered < 0.7 * rate:
            return answered, of_core
        rate *= 1.5


@pytest.mark.skipif(SLOW > 1, reason='rates are those of the release binary')
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason='needs two cores')
@pytest.mark.floods
@measured()
def test_twice_the_best_rate(daemon):
    with targets(1, 'open') as members:
        measure(daemon, members[0])


def measure(daemon, member):
    check = {'kind': 'tcp', 'port': member.port, 'interval': 1, 'timeout': 0.9}
    checked = {'www': {'type': 'A', 'ttl': 60, 'values': [member.address],
                       'signpost': {'check': check}}}
    server = daemon({'test.example.zone': PLAIN_ZONE, 'checked.example.yaml': checked},
                    listen=['127.0.0.1:0'], workers=1, prefix=['taskset', '-c', '0'])
    best, best_of_core = best_offer(server, 0.3 if SCALE == 1 else 2)
    took = []

    def ask_the_api():
        begin = time.monotonic()
        server.get('/v1/status')
        took.append(time.monotonic() - begin)
        time.sleep(0.01)

    probes = server.metric('probes')
    seconds = 3 * SCALE
    overload = Offer(server, 2 * best, seconds, ask_the_api)
    probes = server.metric('probes') - probes
    took.sort()
    p99 = took[len(took) * 99 // 100]
    print(f'best {best:.0f}/s, {best_of_core:.0f} of a second of the core; '
          f'at {overload.offered / best:.2f} x {overload.of_core / best_of_core:.3f} of it; '
          f'API p99 {p99 * 1000:.1f} ms of {len(took)}; {probes} probes in {seconds:.0f} s')
    assert overload.of_core >= (0.9 if SCALE > 1 else 0.7) * best_of_core
    assert p99 <= 0.25
    assert probes >= seconds - 1
    assert server.metric('probe_failures') == 0
    eventually(lambda: server.answers_again('www.test.example'))
    assert server.values('www.test.example') == ['192.0.2.1']


def core_time_of_each(server, questions: list[bytes]) -> float:
    """Seconds of the core for one answer; all must be answered."""
    with server.client() as client:
        before = core_time(server)
        assert len(client.ask_many(questions)) == len(questions)
        return (core_time(server) - before) / len(questions)


def resident(server) -> int:
    pages = Path(f'/proc/{server.process.pid}/statm').read_text().split()[1]
    return int(pages) * os.sysconf('SC_PAGE_SIZE')


@pytest.mark.skipif(SLOW > 1, reason='memory and time are those of the release binary')
@measured()
def test_random_names(daemon):
    """R9, water torture: names that nobody asked before and that are not there. They cost hardly
    more than a hit, leave nothing behind, and are not logged."""
    server = daemon({'test.example.zone': PLAIN_ZONE}, listen=['127.0.0.1:0'], workers=1)
    hit = make_query('www.test.example', edns=True).to_wire()
    count = 64 * int(500 * SCALE)
    hit_time = min(core_time_of_each(server, [hit] * (count // 4)) for _ in range(2))
    mark, before = server.log.mark(), resident(server)
    miss_time = min(core_time_of_each(server, random_names(hit, count // 4)) for _ in range(4))
    print(f'{count} random names: {miss_time / hit_time:.2f} x a hit of {hit_time * 1e6:.2f} us, '
          f'{resident(server) - before} octets more')
    assert server.metric('nxdomain_total') == count // 4 * 4
    assert resident(server) - before <= 1 << 20
    assert server.log.since(mark) == []
    assert miss_time <= 1.5 * hit_time


def random_names(hit: bytes, count: int) -> list[bytes]:
    """The question with a random first label of 16 octets, each another."""
    return [hit[:12] + b'\x10' + os.urandom(8).hex().encode() + hit[16:] for _ in range(count)]


if __name__ == '__main__':
    generate(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
