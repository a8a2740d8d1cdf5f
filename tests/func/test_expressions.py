# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that are made of others or pushed: expressions, heartbeats; and one probe on request."""

import json

import pytest

import services
from harness import UnixConnection, eventually
from services import Service, ends, http
from targets import targets

pytestmark = pytest.mark.sanitizer

FAST = {'interval': 0.2, 'timeout': 0.2, 'rise': 1, 'fall': 1}


def record(check, values=('127.0.0.1', '127.0.0.2')):
    return {'type': 'A', 'ttl': 60, 'values': list(values), 'signpost': {'check': check}}


def tcp(port, **more):
    return {'kind': 'tcp', 'port': port, 'target': '127.0.0.1', **FAST, **more}


def states(server):
    """Of the expressions and heartbeats, by kind."""
    return {check['kind']: check['state'] for check in server.get('/v1/health')['checks']
            if check['kind'] in ('all', 'any', 'at_least', 'not', 'heartbeat')}


def test_expressions_follow_their_operands(daemon):
    with targets(3, 'open') as members:
        one, two, three = ({**tcp(member.port), 'target': member.address} for member in members)
        most = {'kind': 'at_least', 'least': 2, 'of': ['one', 'two', 'three']}
        shared = {'checks': {'most': most, 'one': one, 'two': two, 'three': three}}
        zone = {'all': record({'kind': 'all', 'of': ['one', 'two']}),
                'any': record({'kind': 'any', 'of': ['one', 'two']}),
                'most': record('most'),
                'not': record({'kind': 'not', 'of': ['most']}),
                'text': {'type': 'TXT', 'ttl': 60, 'values': ['a', 'b'],
                         'signpost': {'check': 'most', 'all_down': 'none'}}}
        server = daemon({'example.org.yaml': zone, 'shared.yaml': shared})
        checks = [check for check in server.get('/v1/health')['checks'] if check['kind'] == 'tcp']
        assert len(checks) == 3, 'one probe a target, however many use it'

        def expect(everything, something, most, negated):
            want = {'all': everything, 'any': something, 'at_least': most}
            eventually(lambda: {kind: state for kind, state in states(server).items()
                                if kind in want} == want, what=str(want))
            eventually(lambda: sorted(
                check['state'] for check in server.get('/v1/health')['checks']
                if check['kind'] == 'not') == [negated, negated], what=negated)
        expect('up', 'up', 'up', 'down')
        members[0].switch('off')
        expect('down', 'up', 'up', 'down')
        members[1].switch('off')
        expect('down', 'down', 'down', 'up')
        eventually(lambda: server.values('text.example.org', 'TXT') == [], what='no TXT')
        members[0].switch('open')
        expect('down', 'up', 'up', 'down')
        server.reload()
        expect('down', 'up', 'up', 'down')


def test_faults_of_expressions(folder):
    shared = {'checks': {'a': {'kind': 'not', 'of': ['b']}, 'b': {'kind': 'any', 'of': ['a']},
                         'c': {'kind': 'not', 'of': ['a', 'b']}, 'd': {'kind': 'all', 'of': []},
                         'e': {'kind': 'at_least', 'least': 3, 'of': [tcp(80), tcp(81)]},
                         'fine': tcp(80)}}
    made = folder()
    made.zone('shared.yaml', shared)
    made.zone('example.org.yaml', {'www': record('fien'), 'w': record({'use': 'fine', 'port': 0})})
    said = made.cli('check').stdout
    for text in ('the check "a" comes back to itself', 'expected exactly 1 check, found 2',
                 'expected 1 to 32 checks, found 0', '"least" must be from 1 to the number',
                 'there is no check "fien" in shared.yaml; did you mean "fine"?',
                 'expected a whole number from 1 to 65535, found "0"'):
        assert text in said, said


def beat(server, **body):
    return server.api('POST', '/v1/health/beat', body)


def test_heartbeats(daemon):
    check = {'kind': 'heartbeat', 'name': 'writer', 'ttl': '2s'}
    zone = {'www': record(check, ['192.0.2.1']), 'other': record(
        {'kind': 'any', 'of': [check, {'kind': 'heartbeat', 'name': 'second', 'ttl': '1s'}]},
        ['192.0.2.1'])}
    server = daemon({'example.org.yaml': zone}, ready=False)

    def seen():
        return next(check for check in server.get('/v1/health')['checks']
                    if check['check'] == number)

    def is_open():
        try:
            return server.get('/v1/health')
        except (FileNotFoundError, ConnectionRefusedError):  # not yet bound, or not yet listening
            return None
    eventually(is_open, what='the control socket')
    eventually(lambda: len(server.get('/v1/health')['checks']) == 3, what='the checks')
    number = next(check['check'] for check in server.get('/v1/health')['checks']
                  if check['kind'] == 'heartbeat')
    assert beat(server, name='writer', load=2.5, detail='42 rows')[0] == 200
    eventually(lambda: seen()['state'] == 'up', what='up by a heartbeat')
    assert seen()['load'] == 2.5 and seen()['detail'] == '42 rows'
    assert beat(server, name='writer', state='down', detail='read only')[0] == 200
    eventually(lambda: (seen()['state'], seen()['last_result']) == ('down', 'BEATDOWN'))
    assert beat(server, name='writer')[0] == 200
    eventually(lambda: seen()['state'] == 'up')
    eventually(lambda: (seen()['state'], seen()['last_result']) == ('down', 'BEATTOUT'),
               what='late')
    assert beat(server, name='nobody')[0] == 404
    assert beat(server, name='writer', state='sideways')[0] == 422
    status, problem = beat(server, name='writer', ttl=86401, load=-1, detail='\x07')
    assert status == 422
    assert [error['key'] for error in json.loads(problem)['errors']] == ['ttl', 'load', 'detail']
    assert beat(server, name='writer', ttl=0)[0] == 422
    server.stop()


def test_one_probe_now(daemon):
    service = Service(ends(http(200, b'{"load": 3}')))
    port = service.port
    check = {'kind': 'http', 'port': port, 'interval': 60, 'load_json': 'load'}
    server = daemon({'example.org.yaml': {'www': record(check, ['127.0.0.1'])}})
    before = server.checks()[f'127.0.0.1:{port}']
    said = server.folder.cli('health', 'test', str(before['check']))
    assert said.returncode == 0, said.stderr
    for text in ('connected', 'first octet', 'in all', 'load           3',
                 'result         OK: HTTP 200', 'counts as good'):
        assert text in said.stdout, said.stdout
    told = json.loads(server.folder.cli('health', 'test', str(before['check']), '--json').stdout)
    assert told['result'] == 'OK' and told['connect_ms'] > 0 and 'tls_ms' not in told
    assert service.count == 3
    service.close()
    told = json.loads(server.folder.cli('health', 'test', str(before['check']), '--json').stdout)
    assert told['result'] == 'L4CON' and told['counts_as'] == 'bad'
    after = server.checks()[f'127.0.0.1:{port}']
    assert (after['probes'], after['state']) == (before['probes'], 'up'), 'the registry heard of it'
    assert server.folder.cli('health', 'test', '77').returncode != 0
    # A client that has left, and a server that stops, while a probe is under way.
    mute = Service(services.hold)
    server.folder.zone('example.org.yaml', {'www': record(
        {'kind': 'tcp', 'port': mute.port, 'interval': 60, 'timeout': 30, 'expect': 'x'},
        ['127.0.0.1'])})
    server.reload()
    number = server.checks()[f'127.0.0.1:{mute.port}']['check']
    connection = UnixConnection(str(server.folder.path / 'run/signpost.sock'))
    connection.request('POST', '/v1/health/test', json.dumps({'check': number}),
                       {'Content-Type': 'application/json'})
    eventually(lambda: mute.count == 2, what='the probe')
    connection.close()
    connection = UnixConnection(str(server.folder.path / 'run/signpost.sock'))
    connection.request('POST', '/v1/health/test', json.dumps({'check': number}),
                       {'Content-Type': 'application/json'})
    eventually(lambda: mute.count == 3, what='the second probe')
    server.stop()
    connection.close()
    mute.close()
