# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything dies while clients ask: no answer is empty, none is an error, and it is told."""

import socket
import time

from harness import SCALE, WAIT, eventually, make_query
from targets import targets
from test_health import record

COUNT = int(10000 * SCALE)  # queries while all members die and when they are dead; 100,000 with 10
BATCH = 50
TOLD_MAX = 15.0


class Stream:
    """Asks for all names by turns and looks at every answer."""

    def __init__(self, server, names: list[str]):
        self.queries = [bytearray(make_query(name).to_wire()) for name in names]
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(server.address())
        self.client.settimeout(WAIT)
        self.count, self.bad = 0, []

    def turn(self):
        for i in range(BATCH):
            query = self.queries[i % len(self.queries)]
            query[:2] = i.to_bytes(2, 'big')
            self.client.send(query)
        for _ in range(BATCH):
            reply = self.client.recv(1232)
            rcode, answers = reply[3] & 15, int.from_bytes(reply[6:8], 'big')
            if rcode != 0 or answers == 0:
                self.bad.append((rcode, answers, reply[12:40]))
            self.count += 1

    def until(self, condition):
        deadline = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < deadline
            self.turn()


def test_nothing_is_empty_when_all_die(daemon):
    with targets(6, 'open') as members:
        pools = {'first': {'values': [{'value': member.address} for member in members[:3]],
                           'fallback': 'second'},
                 'second': {'values': [{'value': member.address} for member in members[3:]]}}
        chain = {'type': 'A', 'ttl': 60, 'values': [members[0].address],
                 'dynamic': {'pools': pools, 'rules': [{'pool': 'first'}]},
                 'signpost': record(members, kind='tcp')['signpost']}
        lines = record(members[:2], kind='tcp')
        lines['records'] = [{'value': member.address, 'line': line}
                            for member, line in zip(members[:2], ('default', 'overseas'))]
        lines['value'] = lines.pop('values')[0]
        server = daemon({'example.org.yaml': {
            'plain': record(members[:3], kind='tcp'), 'chain': chain, 'lines': lines}})
        eventually(lambda: server.metric('checks_up') == len(server.checks()))
        count = len(server.checks())
        stream = Stream(server, ['plain.example.org', 'chain.example.org', 'lines.example.org'])
        stream.until(lambda: stream.count >= COUNT / 10)
        for member in members:
            member.switch('off')
        stream.until(lambda: server.metric('checks_down') == count)
        began = time.monotonic()
        eventually(lambda: len({line.fields['check'] for line in server.log.since()
                                if line.event == 'check-changed'}) == count, what='the log')
        assert time.monotonic() - began <= TOLD_MAX
        stream.until(lambda: stream.count >= COUNT)
        stream.client.close()
        assert stream.bad == []
        print(f'{stream.count} answers while {count} checks went down: none empty, no error')
