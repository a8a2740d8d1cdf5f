# SPDX-License-Identifier: GPL-3.0-or-later
"""How long single queries take while something else goes on, servers taking turns.

One query at a time. It is timed from just before it is handed to the kernel until the kernel has
the answer (SO_TIMESTAMPNS), so the core of this process, which does other work too, adds nothing;
as root it runs ahead of that work.
"""

import contextlib
import gc
import os
import socket
import statistics
import struct
import time

SO_TIMESTAMPNS = 35
PAUSE_S = 0.0002
ANSWER_TIMEOUT_S = 2
# The header and the question www.bench.example A.
QUERY = (b'\x12\x34\0\0\0\1\0\0\0\0\0\0\3www\5bench\7example\0\0\1\0\1')


@contextlib.contextmanager
def undisturbed(core: int):
    """This thread on that core, before all others if it may, without the collector's pauses."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    gc.disable()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        gc.enable()
        os.sched_setaffinity(0, before)


class Pinger:
    def __init__(self, port: int):
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.client.settimeout(ANSWER_TIMEOUT_S)
        self.client.connect(('127.0.0.1', port))

    def ask(self, count: int) -> list[int]:
        """Nanoseconds of each of that many queries, sorted."""
        took = []
        for _ in range(count):
            began = time.clock_gettime_ns(time.CLOCK_REALTIME)
            self.client.send(QUERY)
            answer, ancillary, _, _ = self.client.recvmsg(512, 64)
            if answer[:2] != QUERY[:2] or answer[3] & 15:
                raise RuntimeError('a query of the benchmark was not answered')
            seconds, nanoseconds = struct.unpack('qq', ancillary[0][2])
            took.append(seconds * 10**9 + nanoseconds - began)
            time.sleep(PAUSE_S)
        return sorted(took)

    def close(self):
        self.client.close()


def compare(ports: list[int], rounds: int, queries: int, core: int) -> list[list[dict]]:
    """Rounds of p50 and p99 in microseconds, one list a port; turns rotate."""
    pingers = [Pinger(port) for port in ports]
    seen: list[list[dict]] = [[] for _ in ports]
    try:
        with undisturbed(core):
            for turn in range(rounds):
                order = list(range(len(ports)))
                for which in order[turn % len(order):] + order[:turn % len(order)]:
                    took = pingers[which].ask(queries)
                    seen[which].append({'p50_us': took[len(took) // 2] / 1e3,
                                        'p99_us': took[len(took) * 99 // 100] / 1e3})
    finally:
        for pinger in pingers:
            pinger.close()
    return seen


def ratio(busy: list[dict], idle: list[dict], key: str) -> float:
    """The median over the rounds of the ratio within one round."""
    return statistics.median(one[key] / other[key] for one, other in zip(busy, idle))
