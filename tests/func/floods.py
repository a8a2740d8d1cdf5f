# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that sends questions at a given rate from given addresses and reads no answers:
python3 floods.py HOST PORT RATE SECONDS SOURCE,... NAME/TYPE,...

The sources must be local where it runs. It prints how many datagrams and how many octets of
messages it sent."""

import contextlib
import itertools
import socket
import subprocess
import sys
import time

from harness import PLAIN_ZONE, make_query

# What forgers ask for, and where: the most octets of answer for one of the question.
ZONE = PLAIN_ZONE + '''\
@    TXT  "{0}"
cut  NS   ns.cut
ns.cut A  192.0.2.7
'''.format('x' * 200)
QUESTIONS = [('test.example', 'ANY'), ('test.example', 'DNSKEY'), ('test.example', 'TXT'),
             ('nothing.test.example', 'A'), ('below.cut.test.example', 'A')]

GROUP = 32  # datagrams of one call (UDP GSO)
PORT = 4053
UDP_SEGMENT = 103


class Flood:
    """The process, in a network namespace that `prefix` enters."""

    def __init__(self, prefix, server, rate, seconds, sources, questions):
        host, port = server.address()
        self.process = subprocess.Popen(
            [*prefix, sys.executable, __file__, host, str(port), str(rate), str(seconds),
             ','.join(sources), ','.join('/'.join(question) for question in questions)],
            stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdout.close()
        self.process.wait()

    def is_over(self) -> bool:
        return self.process.poll() is not None

    def finish(self) -> tuple[int, int]:
        """(datagrams, octets) sent."""
        datagrams, octets = self.process.communicate()[0].split()
        return int(datagrams), int(octets)


def main(host, port, rate, seconds, sources, questions):
    rate, seconds = float(rate), float(seconds)
    queries = [make_query(*question.split('/'), edns=True).to_wire()
               for question in questions.split(',')]
    sockets = []
    for source in sources.split(','):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # answers are not read
        one.bind((source, PORT))
        one.connect((host, int(port)))
        sockets.append(one)
    turns = itertools.cycle(itertools.product(queries, sockets))
    begin, sent, octets, due = time.monotonic(), 0, 0, 0
    while (now := time.monotonic() - begin) < seconds:
        due = now * rate / GROUP
        if sent >= due:
            time.sleep(0.0002)
            continue
        query, one = next(turns)
        one.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(query))
        with contextlib.suppress(OSError):
            one.send(query * GROUP)
            octets += GROUP * len(query)
        sent += 1
    print(sent * GROUP, octets)


if __name__ == '__main__':
    main(*sys.argv[1:])
