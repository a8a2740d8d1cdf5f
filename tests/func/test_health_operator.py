# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators see of health and say over it: manual states, doubt, restarts."""

import datetime
import json
import time

import pytest

from harness import eventually
from targets import targets
from test_health import INTERVAL, TIMEOUT, addresses, answers, record

pytestmark = pytest.mark.sanitizer


def zone_of(members, **check):
    return {'example.org.yaml': {'www': record(members, kind='tcp', check=check)}}


def instant(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def manual(server, **body):
    return server.api('POST', '/v1/health/manual', body)


def clear(server, pattern):
    return server.folder.cli('health', 'clear', pattern)


def test_manual_states_over_checks(daemon):
    """up, down and drain win over the check, the last one wins, clearing gives the check back."""
    with targets(3, 'open') as members:
        server = daemon(zone_of(members))
        first = f'value:{members[0].address}'
        result = server.folder.cli('health', 'set', first, 'down', '--why', 'disk', '--who', 'ann')
        assert result.returncode == 0 and 'holds 1 member\n' in result.stdout, result.stderr
        assert answers(server) == addresses(members[1:])
        entry = server.get('/v1/health/manual')['entries'][0]
        assert (entry['state'], entry['who'], entry['why']) == ('down', 'ann', 'disk')
        assert entry['in_force'] and entry['until'] is None and entry['members'] == 1
        line = server.log.wait('manual-set')
        assert line.fields['why'] == 'disk' and line.fields['pattern'] == first
        assert server.checks()[members[0].endpoint]['state'] == 'up'  # the check is not touched

        members[1].switch('off')
        eventually(lambda: answers(server) == [members[2].address])
        assert manual(server, pattern='example.org/www.*/A', state='up')[0] == 201
        assert answers(server) == addresses(members)
        assert server.metric('manual_entries') == 2
        assert clear(server, 'example.org/www.*/A').returncode == 0
        assert answers(server) == [members[2].address]
        assert clear(server, first).returncode == 0
        assert answers(server) == sorted([members[0].address, members[2].address])
        assert clear(server, first).returncode == 1
        assert 'nothing is set' in server.folder.cli('health', 'manual').stdout


def test_drain_prefers_others_but_not_an_empty_answer(daemon):
    with targets(2, 'open') as members:
        server = daemon(zone_of(members))
        assert server.folder.cli('drain', f'value:{members[0].address}').returncode == 0
        assert answers(server) == [members[1].address]
        members[1].switch('off')  # one that works is better than a dead one
        eventually(lambda: answers(server) == [members[0].address])
        members[1].switch('open')
        eventually(lambda: answers(server) == [members[1].address])
        assert server.folder.cli('drain', 'pool:*').returncode == 0
        assert answers(server) == addresses(members)


def test_a_window_begins_and_ends(daemon):
    with targets(2, 'open') as members:
        server = daemon(zone_of(members))
        status, body = manual(server, pattern='pool:default', state='up', **{'for': 3600})
        assert status == 201 and json.loads(body)['members'] == 2, body
        status, body = manual(server, pattern=f'value:{members[0].address}', state='down',
                              **{'for': 4})
        assert status == 201, body
        assert answers(server) == [members[1].address]
        line = server.log.wait('manual-ended')
        assert line.fields['reason'] == 'until'
        eventually(lambda: answers(server) == addresses(members))
        assert [entry['state'] for entry in server.get('/v1/health/manual')['entries']] == ['up']


def test_refusals_name_the_member(daemon):
    server = daemon({'example.org.yaml': {'www': {'type': 'A', 'values': ['192.0.2.1']}}})
    good = {'pattern': 'example.org/', 'state': 'up'}
    for more, status, key in (
            ({'state': 'sideways'}, 422, 'state'), ({'pattern': 'example.org'}, 422, 'pattern'),
            ({'until': 'soon'}, 422, 'until'), ({'for': 0}, 422, 'for'),
            ({'from': '2262-04-01T00:00:00Z', 'for': 3600 * 24 * 3660}, 422, 'for'),
            ({'until': '2001-01-01T00:00:00Z'}, 422, 'until'),
            ({'weekly': True}, 422, 'weekly'), ({'until': '2099-01-01T00:00:00Z', 'for': 9}, 422,
                                                'for'),
            ({'colour': 'red'}, 400, 'colour'), ({'for': 'an hour'}, 400, 'for'),
            ({'pattern': 7}, 400, 'pattern')):
        got, body = manual(server, **{**good, **more})
        assert got == status, body
        assert [error['key'] for error in json.loads(body)['errors']] == [key]
    assert server.get('/v1/health/manual')['entries'] == []
    assert server.api('POST', '/v1/health/trust')[0] == 409
    assert server.api('GET', '/v1/health/0')[0] == 404
    assert server.folder.cli('health', 'set', 'example.org/', 'up', '--for', 'ever').returncode == 2
    assert server.folder.cli('health', 'shout').returncode == 2


def test_states_and_manual_states_outlive_a_restart(daemon, folder):
    """Also a kill: what was acknowledged is on disk; states are as old as the last save."""
    with targets(3, 'open') as members:
        made = folder()
        server = daemon(zone_of(members), folder=made, ready=False).wait_ready()
        members[0].switch('off')
        eventually(lambda: members[0].address not in answers(server))
        changed = server.checks()[members[0].endpoint]['since']
        assert manual(server, pattern=f'value:{members[1].address}', state='down')[0] == 201
        eventually(lambda: (made.path / 'run/health.states').exists() and
                   ' down ' in (made.path / 'run/health.states').read_text(), what='the save')
        server.kill()
        for member in members:
            member.switch('hang')  # tcp connects: up, but rise is 2: one result is not enough
        server = daemon(folder=made)
        assert server.log.wait('states-recalled').fields['checks'] == '3'
        check = server.checks()[members[0].endpoint]
        assert check['state'] == 'up' or abs(instant(check['since']) - instant(changed)) <= 2
        eventually(lambda: answers(server) == sorted([members[0].address, members[2].address]))
        server.stop()
        (made.path / 'run/health.states').write_text('damaged')
        server = daemon(folder=made)
        assert 'damaged' in server.log.wait('state-damaged').fields['error']


def test_what_cannot_be_saved_is_not_said_to_be_done(daemon):
    """A full disk, as a folder in the place of the file to come."""
    with targets(2, 'open') as members:
        server = daemon(zone_of(members))
        first = f'value:{members[0].address}'
        assert manual(server, pattern=first, state='down')[0] == 201
        in_the_way = server.folder.path / 'run/health.manual.new'
        in_the_way.mkdir()
        assert manual(server, pattern='pool:*', state='up')[0] == 422
        assert answers(server) == [members[1].address]
        result = clear(server, first)
        assert result.returncode == 1 and 'not on disk yet' in result.stderr
        assert answers(server) == addresses(members)
        in_the_way.rmdir()
        saved = server.folder.path / 'run/health.manual'
        eventually(lambda: json.loads(saved.read_text())['entries'] == [], what='the save')


def test_states_that_could_not_be_saved_are_saved_later(daemon):
    with targets(2, 'open') as members:
        server = daemon(zone_of(members))
        in_the_way = server.folder.path / 'run/health.states.new'
        in_the_way.mkdir(parents=True)
        members[0].switch('off')
        eventually(lambda: answers(server) == [members[1].address])
        server.log.wait('state-not-saved', since=server.log.mark())
        in_the_way.rmdir()
        saved = server.folder.path / 'run/health.states'
        eventually(lambda: saved.exists() and ' down ' in saved.read_text(), what='the save')


def test_manual_failback(daemon):
    with targets(2, 'open') as members:
        server = daemon(zone_of(members, failback_manual=True))
        members[0].switch('off')
        eventually(lambda: answers(server) == [members[1].address])
        members[0].switch('open')
        eventually(lambda: server.checks()[members[0].endpoint]['waits_for'] == 'operator')
        assert answers(server) == [members[1].address]
        assert server.metric('checks_held') == 1
        result = server.folder.cli('health', 'release', f'value:{members[0].address}')
        assert 'released: 1' in result.stdout
        eventually(lambda: answers(server) == addresses(members))


def test_doubt_by_share(daemon):
    """Most targets die at once: answers stay; the operator may believe it, or it passes."""
    with targets(12, 'open') as members:
        server = daemon(zone_of(members, fast_interval=INTERVAL / 3))
        with server.paused():
            for member in members[:10]:
                member.switch('off')
        line = server.log.wait('doubt-began')
        assert line.fields['cause'] == 'most targets fail'
        assert server.metric('checks_suspect') == 1
        doubt = eventually(lambda: [doubt for doubt in [server.get('/v1/health')['doubt']]
                                    if doubt['failing'] >= 8])[0]
        assert doubt['frozen'] and doubt['up'] == 12
        assert 'IN DOUBT' in server.folder.cli('health').stdout
        time.sleep(4 * INTERVAL)  # long enough for every state to have fallen
        assert answers(server) == addresses(members)
        for member in members[:5]:
            member.switch('open')
        server.log.wait('doubt-ended')
        eventually(lambda: answers(server) == addresses(members[:5] + members[10:]))


def test_the_operator_ends_doubt(daemon):
    with targets(12, 'open') as members:
        server = daemon(zone_of(members))
        with server.paused():
            for member in members[:10]:
                member.switch('off')
        server.log.wait('doubt-began')
        assert server.folder.cli('health', 'trust').returncode == 0
        assert server.log.wait('doubt-ended').fields['by'] == 'operator'
        eventually(lambda: answers(server) == addresses(members[10:]))


def test_doubt_by_anchors(daemon):
    with targets(3, 'open') as members:
        anchor, *checked = members
        server = daemon(zone_of(checked), health={'allow': ['127.0.0.0/8'],
                                                  'anchors': [anchor.endpoint]})
        anchor.switch('off')
        line = server.log.wait('doubt-began')
        assert line.fields['cause'] == 'no anchor answers'
        checked[0].switch('off')
        time.sleep(4 * (INTERVAL + TIMEOUT))
        assert answers(server) == addresses(checked)
        anchor.switch('open')
        server.log.wait('doubt-ended')
        eventually(lambda: answers(server) == [checked[1].address])


def test_one_check_in_full(daemon):
    with targets(2, 'open') as members:
        server = daemon(zone_of(members))
        members[0].switch('off')
        eventually(lambda: answers(server) == [members[1].address])
        number = server.checks()[members[0].endpoint]['check']
        check = server.get(f'/v1/health/{number}')
        results = [result['result'] for result in check['results']]
        assert results[0] == 'L4CON' and results[-1] == 'OK' and len(results) <= 100
        assert results == sorted(results)  # L4CON after OK
        assert sum(bar['count'] for bar in check['histogram']) == results.count('OK')
        assert check['names'] == ['www.example.org. A'] and check['fall'] == 3
        counts, _, heads, *rows = server.folder.cli('health').stdout.splitlines()
        assert counts == '1 down, 0 unknown, 1 up'
        assert heads.split() == ['CHECK', 'STATE', 'SINCE', 'REASON', 'LATENCY', 'KIND', 'TARGET',
                                 'NAME']
        assert rows[0].split()[:2] == [str(number), 'down'] and members[0].endpoint in rows[0]
        assert 'L4CON' in rows[0] and rows[1].split()[1] == 'up' and len(rows) == 2
        assert (server.metric('check_falls_total'), server.metric('check_rises_total')) == (1, 0)
        assert 'L4CON' in server.folder.cli('health', 'test', rows[0].split()[0]).stdout
        assert json.loads(server.folder.cli('health', '--json').stdout)['checks']
