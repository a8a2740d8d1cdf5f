# SPDX-License-Identifier: GPL-3.0-or-later
"""ALIAS at the apex and hints that follow: as octoDNS writes them, across zones, across reloads."""

import pytest

from harness import ecs_of, values

pytestmark = pytest.mark.sanitizer

COM = {
    '': [{'type': 'ALIAS', 'ttl': 300, 'value': 'www.example.net.'},
         {'type': 'HTTPS', 'ttl': 300,
          'value': {'svcpriority': 1, 'targetname': '.',
                    'svcparams': {'alpn': ['h2'], 'ipv4hint': 'auto', 'ipv6hint': 'auto'}}}],
    'a': {'type': 'A', 'ttl': 60, 'value': '192.0.2.9'},
}
NET = {
    'www': [{'type': 'A', 'ttl': 40, 'records': [
        {'value': '192.0.2.1', 'line': 'default'}, {'value': '192.0.2.2', 'line': 'office'}]},
        {'type': 'AAAA', 'ttl': 50, 'value': '2001:db8::1'}],
}
SHARED = {'lines': {'office': {'networks': ['198.51.100.0/24']}}}


def hints(reply) -> dict[str, str]:
    params = reply.answer[0][0].params
    return {key: ','.join(params[number].addresses) for key, number in (('4', 4), ('6', 6))
            if number in params}


def zones(**changed) -> dict:
    return {'shared.yaml': SHARED, 'example.com.yaml': COM, 'example.net.yaml': NET, **changed}


def test_the_apex_follows_another_zone(daemon):
    server = daemon(zones())
    for client, address, scope in (('203.0.113.0/24', '192.0.2.1', None),
                                   ('198.51.100.0/25', '192.0.2.2', 24)):
        reply = server.ask('example.com', 'A', ecs=client)
        assert values(reply) == [address] and reply.answer[0].ttl == 40
        assert reply.answer[0].name.to_text() == 'example.com.'
        target = server.ask('www.example.net', 'A', ecs=client)
        assert ecs_of(reply).scopelen == ecs_of(target).scopelen
        assert scope is None or ecs_of(reply).scopelen == scope
        reply = server.ask('example.com', 'HTTPS', ecs=client)
        assert hints(reply) == {'4': address, '6': '2001:db8::1'}
        assert reply.answer[0].ttl == 40
        assert ecs_of(reply).scopelen == ecs_of(target).scopelen
    assert server.values('example.com', 'AAAA') == ['2001:db8::1']
    assert not server.ask('example.com', 'TXT').answer
    assert not server.ask('example.com', 'TYPE65401').answer
    reply = server.get('/v1/explain?name=example.com&type=A&client=198.51.100.1')
    assert 'www.example.net.' in str(reply) and reply['answer'][0]['value'] == '192.0.2.2'
    # The target changes, in its own zone only.
    server.folder.zone('example.net.yaml', {'www': {'type': 'A', 'value': '192.0.2.77'}})
    server.reload()
    assert server.values('example.com') == ['192.0.2.77']
    assert hints(server.ask('example.com', 'HTTPS')) == {'4': '192.0.2.77'}
    assert not server.ask('example.com', 'AAAA').answer


FAULTS = {
    'outside': ({'': {'type': 'ALIAS', 'value': 'www.example.org.'}}, 'in no zone of this server'),
    'circle': ({'x': {'type': 'ALIAS', 'value': 'y.example.com.'},
                'y': {'type': 'CNAME', 'value': 'x.example.com.'}}, 'in a circle'),
    'delegated': ({'x': {'type': 'ALIAS', 'value': 'w.sub.example.com.'},
                   'sub': {'type': 'NS', 'value': 'ns.example.org.'}}, 'delegated'),
    'beside': ({'': [{'type': 'ALIAS', 'value': 'www.example.net.'},
                     {'type': 'A', 'value': '192.0.2.1'}]}, 'cannot stand beside A'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_faults(folder, name):
    zone, fault = FAULTS[name]
    where = folder()
    for file, content in zones(**{'example.com.yaml': zone}).items():
        where.zone(file, content)
    result = where.cli('check')
    assert result.returncode == 1 and fault in result.stdout, result.stdout
    assert 'example.com.yaml:' in result.stdout


def test_a_target_does_not_go_away_unnoticed(daemon):
    server = daemon(zones())
    (server.folder.zones / 'example.net.yaml').unlink()
    line = server.hang_up()
    assert line.event == 'reload-refused'
    assert 'in no zone of this server' in server.log.text()
    assert server.values('example.com') == ['192.0.2.1']
    assert server.values('www.example.net') == ['192.0.2.1']
