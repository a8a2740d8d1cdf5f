# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that flow while something happens."""

import threading

import wire
from harness import WAIT, make_query


class Asker:
    """Asks one question after the other and judges each answer."""

    def __init__(self, server, name, tcp, judge):
        self.end, self.count, self.faults = threading.Event(), 0, []
        self.question = make_query(name).to_wire()
        self.judge = judge
        self.thread = threading.Thread(target=self.run, args=(server, tcp))
        self.thread.start()

    def run(self, server, tcp):
        with server.client(tcp=tcp) as client:
            while not self.end.is_set() and len(self.faults) < 5:
                try:
                    reply = client.exchange(self.question)
                except (OSError, wire.Closed) as error:
                    self.faults.append(repr(error))
                    return
                if not self.judge(reply):
                    self.faults.append(wire.texts(reply) or reply)
                self.count += 1

    def finish(self):
        self.end.set()
        self.thread.join(WAIT * 2)
        assert not self.faults, self.faults
