# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of real services: out after `fall` probes, back after `rise`, never empty."""

import collections
import time

import pytest

import wire
from asker import Asker
from harness import SLOW, WAIT, eventually, ttl, values
from targets import targets

pytestmark = pytest.mark.sanitizer

INTERVAL, TIMEOUT, RISE, FALL = 0.3, 0.2, 2, 3
# Targets are threads of this process, so a probe may fail because we are late. States are waited
# for, and times have this much room: how many probes it takes is counted exactly below, and how
# long exactly is for test_health_wire.py.
SLACK = 10 * SLOW


def record(members, *, kind='http', ttl=60, form='values', **signpost):
    """An RRset over the members, which are checked on their port."""
    check = {'kind': kind, 'port': members[0].port, 'interval': INTERVAL, 'timeout': TIMEOUT,
             'rise': RISE, 'fall': FALL}
    check.update(signpost.pop('check', {}))
    if kind == 'tcp':
        check.pop('path', None)
    return {'type': 'AAAA' if ':' in members[0].address else 'A', 'ttl': ttl,
            form: [member.address for member in members],
            'signpost': {'check': check, **signpost}}


def addresses(members):
    return sorted(member.address for member in members)


def answers(server, name='www.example.org', kind='A'):
    return sorted(server.values(name, kind))


def settles(server, members, name='www.example.org', kind='A'):
    """The answer becomes these members, and all of them."""
    eventually(lambda: answers(server, name, kind) == addresses(members),
               what=f'{addresses(members)} as the answer')


def change_of(server, member, state, since=0):
    """The line of the log that says so, when it comes."""
    def found():
        return [line for line in server.log.since(since) if line.event == 'check-changed' and
                (line.fields['target'], line.fields['state']) == (member.endpoint, state)]
    return eventually(found, what=f'{member.endpoint} {state}')[-1]


def out_and_back(server, members, name, off, on, fall=FALL, rise=RISE):
    """Takes the first member out and brings it back; both within their time."""
    everybody = addresses(members)
    rest = addresses(members[1:])
    settles(server, members, name)
    members[0].switch(off)
    begin = time.monotonic()
    eventually(lambda: answers(server, name) == rest, what=f'{off}: the address leaves')
    took = time.monotonic() - begin
    assert took <= fall * INTERVAL + TIMEOUT + SLACK, f'{took:.2f} s to leave'
    members[0].switch(on)
    begin = time.monotonic()
    eventually(lambda: answers(server, name) == everybody, what=f'{on}: the address is back')
    took = time.monotonic() - begin
    assert took <= rise * INTERVAL + TIMEOUT + SLACK, f'{took:.2f} s to come back'


def test_tcp(daemon):
    with targets(3, 'open') as members:
        server = daemon({'example.org.yaml': {'www': record(members, kind='tcp')}})
        out_and_back(server, members, 'www.example.org', 'off', 'open')
        server.stop()  # then the log is complete
        states = [(line.fields['target'], line.fields['state']) for line in server.log.since()
                  if line.event == 'check-changed']
        assert states == [(members[0].endpoint, 'down'), (members[0].endpoint, 'up')]


@pytest.mark.parametrize('off', ['off', 'hang', 'garbage', 'open', 503, 404])
def test_http(daemon, off):
    with targets(3, 200) as members:
        zone = {'www': record(members, check={'path': '/healthz'})}
        server = daemon({'example.org.yaml': zone})
        out_and_back(server, members, 'www.example.org', off, 200)
        result = {'off': 'L4CON', 'hang': 'L7TOUT', 'garbage': 'L7RSP', 'open': 'L7CLOSE'}

        def told():
            return [line.fields for line in server.log.since() if line.event == 'check-changed' and
                    line.fields['target'] == members[0].endpoint and
                    line.fields['result'] == result.get(off, 'L7STS')]
        for _ in range(5):  # the last of the failures may have been one of time, for we were late
            if told():
                break
            out_and_back(server, members, 'www.example.org', off, 200)
        assert told()[0]['state'] == 'down'
        assert str(off) in told()[0]['detail'] or isinstance(off, str)
        request = members[1].seen[0][1]
        assert request.startswith('GET /healthz HTTP/1.1\r\n')
        assert '\r\nhost: www.example.org' in request.lower()


@pytest.mark.parametrize('status', [200, 204, 301, 399])
def test_good_statuses(daemon, status):
    with targets(2, status) as members:
        server = daemon({'example.org.yaml': {'www': record(members)}})
        for member in members:
            member.wait_seen(FALL + 1)
        settles(server, members)
        eventually(lambda: {check['state'] for check in server.checks().values()} == {'up'})


def test_exactly_fall_and_rise_probes(daemon):
    """One bad answer less than `fall` changes nothing, one good less than `rise` neither."""
    with targets(2, 200) as members:
        check = {'flap_failures': 0}  # else it would lose trust from fall to fall
        server = daemon({'example.org.yaml': {'www': record(members, check=check)}})
        flaky = members[0]

        def failures():
            return server.checks()[flaky.endpoint]['failures']

        def counted(good):
            """(probes that failed, that did not), right after one of the wanted kind: none of the
            other kind stands before what comes."""
            def found():
                check = server.checks()[flaky.endpoint]
                return (check['last_result'] == 'OK') == good and \
                    (check['failures'], check['probes'] - check['failures'])
            return eventually(found)

        for _ in range(2):
            before = counted(True)[0]
            flaky.switch(503)
            eventually(lambda: failures() >= before + FALL - 1, what='all but one failure')
            flaky.switch(200)
            if failures() == before + FALL - 1:  # else the test was too slow to switch in time
                eventually(lambda: server.checks()[flaky.endpoint]['last_result'] == 'OK')
                if failures() == before + FALL - 1:
                    assert server.checks()[flaky.endpoint]['state'] == 'up'
                    assert flaky.address in answers(server)
            eventually(lambda: flaky.address in answers(server))
        falls, rises = [], []
        # When we are late another probe has ended before the count is asked for: tried again.
        while len(falls) < 20 and (FALL, RISE) not in zip(falls, rises):
            before = counted(True)[0]
            flaky.switch(503)
            eventually(lambda: flaky.address not in answers(server), what='the fall')
            falls.append(failures() - before)
            before = counted(False)[1]
            flaky.switch(200)
            eventually(lambda: flaky.address in answers(server), what='the rise')
            rises.append(counted(True)[1] - before)
        assert min(falls) == FALL and min(rises) == RISE, (falls, rises)
        assert (FALL, RISE) in zip(falls, rises), (falls, rises)


def test_slow_target(daemon):
    """Slow but in time is up; slower than the timeout is down."""
    with targets(2, 0.1) as (slow, quick):
        quick.switch(200)
        check = {'interval': 0.6, 'timeout': 0.5, 'fall': 2}
        server = daemon({'example.org.yaml': {'www': record([slow, quick], check=check)}})
        slow.wait_seen(4)
        settles(server, [slow, quick])
        mark = server.log.mark()
        slow.switch(0.8)
        assert change_of(server, slow, 'down', mark).fields['result'] == 'L7TOUT'
        eventually(lambda: answers(server) == [quick.address])


def test_all_down_are_all_answered(daemon):
    with targets(3, 200) as members:
        server = daemon({'example.org.yaml': {'www': record(members)}})
        for member in members:
            member.switch(503)
        # On the way down there is never a moment without an answer.
        seen = collections.Counter()
        deadline = time.monotonic() + WAIT
        while {check['state'] for check in server.checks().values()} != {'down'}:
            found = answers(server)
            assert found
            seen[len(found)] += 1
            assert time.monotonic() < deadline
        eventually(lambda: answers(server) == addresses(members))
        members[1].switch(200)
        eventually(lambda: answers(server) == [members[1].address])


def extended_errors(reply) -> list[tuple[int, str]]:
    """RFC 8914: what the answer says about itself."""
    data = [option.to_wire() for option in reply.options if option.otype == 15]
    return [(int.from_bytes(option[:2], 'big'), option[2:].decode()) for option in data]


@pytest.mark.parametrize('all_down', ['all', 'values', 'none', 'servfail', 'last_good'])
def test_all_down_policies(daemon, all_down):
    with targets(2, 200) as members:
        www = record(members, all_down=all_down)
        del www['values']
        www['value'] = '192.0.2.99'
        www['records'] = [{'value': member.address, 'line': 'default'} for member in members]
        server = daemon({'example.org.yaml': {'www': www}})
        settles(server, members)
        members[1].switch('off')
        eventually(lambda: answers(server) == [members[0].address])
        members[0].switch('off')
        eventually(lambda: [check['state'] for check in server.checks().values()] == ['down'] * 2)
        expected = {'all': addresses(members), 'values': ['192.0.2.99'], 'none': [],
                    'servfail': [], 'last_good': [members[0].address]}[all_down]
        eventually(lambda: answers(server) == expected)
        reply = server.ask('www.example.org', edns=True)
        assert reply.rcode() == (2 if all_down == 'servfail' else 0)
        assert bool(reply.authority) == (all_down == 'none')
        text = 'no member is up' if all_down in ('none', 'servfail') else 'no member is usable'
        assert extended_errors(reply) == [(3 if all_down == 'last_good' else 0, text)]
        members[0].switch(200)
        eventually(lambda: extended_errors(server.ask('www.example.org', edns=True)) == [])
        settles(server, members[:1])


def test_ready_waits_for_the_first_round(daemon):
    """Who is down from the start is in no answer, not even the first; one result decides."""
    with targets(3, 200) as members:
        members[0].switch('hang')
        check = {'interval': 3, 'timeout': 3}  # time enough for those who answer
        server = daemon({'example.org.yaml': {'www': record(members, check=check)}}, ready=False)
        server.wait_ready()
        assert members[0].count() >= 1
        assert answers(server) == addresses(members[1:])
        server.stop()


def test_ready_does_not_wait_for_ever(daemon):
    with targets(2, 'hang') as members:
        zone = {'www': record(members, check={'interval': 300, 'timeout': 20 * SLOW})}
        begin = time.monotonic()
        server = daemon({'example.org.yaml': zone},
                        health={'allow': ['127.0.0.0/8'], 'first_round': 0.4})
        took = time.monotonic() - begin
        assert 0.4 <= took < 15  # of the 20 that the probes take
        assert answers(server) == addresses(members)
        assert {check['state'] for check in server.checks().values()} == {'unknown'}


def test_networks_that_are_not_allowed_are_not_probed(daemon):
    with targets(2, 503) as members:
        server = daemon({'example.org.yaml': {'www': record(members)}}, health={'allow': []})
        eventually(lambda: all(check['probes'] >= 3 for check in server.checks().values()))
        assert {check['last_result'] for check in server.checks().values()} == {'DENIED'}
        assert answers(server) == addresses(members)
        assert [member.count() for member in members] == [0, 0]


def test_one_check_for_all_names_of_a_member(daemon):
    with targets(1, 'open') as members:
        zone = {name: record(members, kind='tcp') for name in ('a', 'b', 'c')}
        begin = time.monotonic()
        server = daemon({'example.org.yaml': zone, 'example.net.yaml': zone})
        assert list(server.checks()) == [members[0].endpoint]
        assert len(server.get('/v1/health')['checks']) == 1
        members[0].wait_seen(9)

        def probes():
            return server.checks()[members[0].endpoint]['probes']
        eventually(lambda: abs(probes() - members[0].count()) <= 1)
        # Its own jitter apart, it is probed once an interval and not once a name.
        count = probes()
        assert count <= (time.monotonic() - begin) / (INTERVAL * 0.8) + 2, count


def test_ipv6(daemon):
    with targets(1, 'open', address='::1') as members:
        www = record(members, kind='tcp')
        www['values'].append('2001:db8::1')
        www['records'] = [{'value': '::1', 'line': 'default'},
                          {'value': '2001:db8::1', 'line': 'default', 'status': 'up'}]
        del www['values']
        server = daemon({'example.org.yaml': {'www': www}})
        eventually(lambda: answers(server, kind='AAAA') == ['2001:db8::1', '::1'])
        members[0].switch('off')
        eventually(lambda: answers(server, kind='AAAA') == ['2001:db8::1'])


def test_status_overrides_the_check(daemon):
    with targets(4, 'off') as members:
        statuses = ['obey', 'up', 'down', 'paused']
        www = record(members)
        del www['values']
        www['records'] = [{'value': member.address, 'line': 'default', 'status': status}
                          for member, status in zip(members, statuses)]
        server = daemon({'example.org.yaml': {'www': www}})
        assert answers(server) == [members[1].address]
        assert list(server.checks()) == [members[0].endpoint]


def test_fallback_pools(daemon):
    with targets(4, 200) as members:
        www = record(members)
        del www['values']
        www['value'] = '192.0.2.99'
        www['signpost']['method'] = 'rotate'
        www['dynamic'] = {
            'pools': {'first': {'fallback': 'second', 'min_up': 2, 'values': [
                          {'value': member.address} for member in members[:3]]},
                      'second': {'values': [{'value': members[3].address}]}},
            'rules': [{'pool': 'first'}]}
        server = daemon({'example.org.yaml': {'www': www}})
        settles(server, members[:3])
        members[0].switch('off')
        eventually(lambda: answers(server) == addresses(members[1:3]))
        members[1].switch('off')
        eventually(lambda: answers(server) == [members[3].address])
        members[0].switch(200)
        eventually(lambda: answers(server) == addresses([members[0], members[2]]))


def test_line_whose_rows_are_all_down_falls_through(daemon):
    with targets(2, 200) as members:
        www = record(members)
        del www['values']
        www['records'] = [{'value': members[0].address, 'line': 'office'},
                          {'value': members[1].address, 'line': 'default'}]
        server = daemon({'example.org.yaml': {'www': www},
                         'shared.yaml': {'lines': {'office': {'networks': ['10.0.0.0/8']}}}})

        def office():
            return server.values('www.example.org', ecs='10.1.2.3')

        eventually(lambda: office() == [members[0].address])
        settles(server, members[1:])
        members[0].switch('off')
        eventually(lambda: office() == [members[1].address])
        members[0].switch(200)
        eventually(lambda: office() == [members[0].address])


def test_ttl_follows_a_wobbling_check(daemon):
    """Steady: the RRset's own. On the way to a change: lowered, never below min_ttl."""
    with targets(2, 200) as members:
        check = {'interval': 0.5, 'timeout': 0.4, 'fall': 20}
        server = daemon({'example.org.yaml': {
            'www': record(members, ttl=300, min_ttl=7, check=check)}})
        def lowered():
            found = ttl(server.ask('www.example.org'))
            return found if found != 300 else None
        eventually(lambda: not lowered())
        members[0].switch(503)
        assert 7 <= eventually(lowered) <= 11
        assert answers(server) == addresses(members)
        members[0].switch(200)
        eventually(lambda: ttl(server.ask('www.example.org')) == 300)


def test_no_answer_is_lost_or_empty_while_members_come_and_go(daemon):
    with targets(4, 200) as members:
        known = set(addresses(members))
        check = {'interval': 0.1, 'timeout': 0.1, 'rise': 1, 'fall': 1, 'flap_failures': 0}
        server = daemon({'example.org.yaml': {'www': record(members, check=check)}}, workers=2)
        judge = (lambda reply: wire.texts(reply) and set(wire.texts(reply)) <= known)
        askers = [Asker(server, 'www.example.org', tcp, judge) for tcp in (False, True, False)]
        try:
            for turn in range(12):
                member = members[turn % 4]
                mode = 200 if member.mode == 503 else 503
                mark = server.log.mark()
                member.switch(mode)
                server.log.wait('check-changed', since=mark)
            eventually(lambda: any(asker.faults for asker in askers) or
                       min(asker.count for asker in askers) > 12)
        finally:
            for asker in askers:
                asker.finish()


def test_octodns_healthcheck_on_every_form(daemon):
    with targets(2, 'open') as members:
        rows = {
            'plain': {'values': addresses(members)},
            'flat': {'records': [{'value': member.address, 'line': 'default'}
                                 for member in members]},
            'dynamic': {'value': '192.0.2.99', 'dynamic': {
                'pools': {'all': {'values': [{'value': member.address} for member in members]}},
                'rules': [{'pool': 'all'}]}},
        }
        zone = {name: {'type': 'A', 'ttl': 60, **row,
                       'octodns': {'healthcheck': {'protocol': 'TCP', 'port': members[0].port}},
                       'signpost': {'answers': 'all', 'method': 'rotate', 'check': {
                           'interval': INTERVAL, 'timeout': TIMEOUT, 'rise': RISE, 'fall': FALL}}}
                for name, row in rows.items()}
        server = daemon({'example.org.yaml': zone})
        assert len(server.checks()) == 2
        members[0].switch('off')
        for name in rows:
            eventually(lambda: answers(server, f'{name}.example.org') == [members[1].address],
                       what=name)
        reply = server.ask('plain.example.org')
        assert values(reply) == [members[1].address]
