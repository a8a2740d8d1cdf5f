# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise on the wire: a dead target is out within fall x interval + timeout + 50 ms."""

import time

import dns.message
import pytest

from harness import SCALE, SLOW, make_query, measured, values
from targets import targets
from test_health import record

pytestmark = pytest.mark.sanitizer


@measured()
def test_out_in_time_on_the_wire(daemon):
    """From the death of a target to the first answer without it, for many names in one daemon."""
    runs = max(20, min(200, int(20 * SCALE)))
    interval, timeout, fall = 0.5, 0.3, 2
    check = {'interval': interval, 'timeout': timeout, 'fall': fall, 'flap_failures': 0}
    with targets(runs + 1, 'open') as members:
        zone = {f'n{i}': record([members[i], members[runs]], kind='tcp', check=check)
                for i in range(runs)}
        server = daemon({'example.org.yaml': zone}, health={
            'allow': ['127.0.0.0/8'], 'doubt': {'share': 100}})
        left = {}
        for i in range(runs):
            members[i].switch('off')
            left[i] = time.monotonic()
            time.sleep(0.011)  # not in step with anything
        slowest = 0.0
        with server.client() as client:
            while left:
                for i, died in list(left.items()):
                    query = make_query(f'n{i}.example.org')
                    began = time.monotonic()  # an answer that was asked for later counts for later
                    reply = dns.message.from_wire(client.exchange(query.to_wire()))
                    if members[i].address not in values(reply):
                        del left[i]
                        continue
                    slowest = max(slowest, began - died)
                    assert slowest <= fall * interval + timeout + 0.05 * SLOW, f'{slowest:.3f} s'
        print(f'{runs} deaths, the last answer with a dead target after {slowest:.3f} s of '
              f'{fall * interval + timeout:.3f} s')
