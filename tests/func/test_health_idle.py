# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that nobody asks for are probed less often, if an option says so."""

import time

import pytest

from harness import eventually
from targets import targets
from test_health import record

INTERVAL = 1
# Between a probe's start and what a loaded machine sees of it; at rest it would be an hour.
SLACK = 60.0


def is_idle(server, target) -> bool:
    return server.checks()[target.endpoint]['idle']


def probes(server, target) -> int:
    return server.checks()[target.endpoint]['probes']


def asks_until(server, name: str, condition):
    def asked():
        server.values(name)
        return condition()
    eventually(asked)


@pytest.mark.sanitizer
def test_idle_names_are_probed_less_often(daemon):
    """Whatever way leads to the records: their own name, a wildcard, an alias."""
    check = {'interval': INTERVAL, 'idle_after': 2, 'idle_interval': 3600}
    with targets(4, 'open') as members:
        direct, wild, alias, other = members
        names = {'direct.example.org': direct, 'a.wild.example.org': wild,
                 'to-alias.example.org': alias}
        server = daemon({'example.org.yaml': {
            'direct': record([direct], kind='tcp', check=check),
            '*.wild': record([wild], kind='tcp', check=check),
            'alias': record([alias], kind='tcp', check=check),
            'to-alias': {'type': 'CNAME', 'ttl': 60, 'value': 'alias.example.org.'},
            'other': record([other], kind='tcp', check=check)}})
        # At first all are probed as usual, and one that is asked for stays so.
        asks_until(server, 'direct.example.org', lambda: is_idle(server, other))
        assert not is_idle(server, direct)
        asks_until(server, 'direct.example.org', lambda: probes(server, direct) >= 2)
        eventually(lambda: all(is_idle(server, member) for member in members), what='rest')
        for _ in range(3):  # a probe may have been under way
            before = [probes(server, member) for member in members]
            time.sleep(2 * INTERVAL)  # for what does not happen
            after = [probes(server, member) for member in members]
            if after == before:
                break
        assert after == before
        # The first query brings a target back within an interval, and it alone.
        for name, member in names.items():
            before = probes(server, member)
            began = time.monotonic()
            assert server.values(name) == [member.address]
            eventually(lambda: probes(server, member) > before, what='a probe')
            assert time.monotonic() - began <= INTERVAL + SLACK
            assert is_idle(server, other)


def test_a_death_in_rest_is_found_after_the_first_query(daemon):
    """The option of the configuration: so many intervals; a check may say otherwise."""
    with targets(3, 'open') as (first, second, steady):
        server = daemon({'example.org.yaml': {
            'www': record([first, second], kind='tcp', check={'interval': INTERVAL, 'fall': 1}),
            'steady': record([steady], kind='tcp',
                             check={'interval': INTERVAL, 'idle_interval': INTERVAL})}},
            health={'allow': ['127.0.0.0/8'], 'idle_after': 1, 'idle_factor': 1000})
        eventually(lambda: is_idle(server, first) and is_idle(server, second), what='rest')
        assert not is_idle(server, steady)
        first.switch('off')
        before = probes(server, steady)
        eventually(lambda: probes(server, steady) >= before + 2)
        assert server.checks()[first.endpoint]['state'] == 'up'  # nobody has looked
        began = time.monotonic()
        asks_until(server, 'www.example.org',
                   lambda: server.values('www.example.org') == [second.address])
        assert time.monotonic() - began <= INTERVAL + SLACK


def test_an_operand_is_never_idle(daemon):
    """Its other users cannot be seen by queries for the names that it is on alone."""
    check = {'interval': INTERVAL, 'idle_after': 1, 'idle_interval': 3600}
    with targets(1, 'open') as (target,):
        plain = {'kind': 'tcp', 'port': target.port, **check}
        server = daemon({'example.org.yaml': {
            'plain': {'type': 'A', 'ttl': 60, 'value': target.address,
                      'signpost': {'check': plain}},
            'whole': {'type': 'A', 'ttl': 60, 'value': target.address,
                      'signpost': {'check': {'kind': 'all', 'of': [plain]}}}}})
        target.wait_seen(5)
        tcp = [c for c in server.get('/v1/health')['checks'] if c['kind'] == 'tcp']
        assert len(tcp) == 1 and not tcp[0]['idle']
