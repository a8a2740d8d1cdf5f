# SPDX-License-Identifier: GPL-3.0-or-later
"""explain says what the wire says, and why; the other commands of the control socket."""

import json
import random

import pytest

from harness import Folder, ecs_of, make_query, ttl, values
from targets import targets

pytestmark = pytest.mark.sanitizer

TITLES = ['Who', 'Which rule', 'Which members', 'Which order, how many', 'TTL']

NETWORKS = '''\
cidr,country,region,asn,line,lat,lon
10.1.0.0/16,CN,GD,64501,cn-telecom,23.13,113.26
10.2.0.0/16,CN,SH,64502,cn-unicom,,
10.3.0.0/16,DE,,64503,,50.11,8.68
2001:db8:1::/48,US,CA,64504,,,
'''

ZONE = {
    '': {'type': 'MX', 'values': [{'preference': 10, 'exchange': 'static.example.org.'}]},
    'lines': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '203.0.113.1', 'line': 'cn-telecom'}, {'value': '203.0.113.2', 'line': 'cn'},
        {'value': '203.0.113.3', 'line': 'office'}, {'value': '198.51.100.1', 'line': 'default'}]},
    'rules': {'type': 'A', 'ttl': 300, 'value': '192.0.2.1', 'dynamic': {
        'pools': {'a': {'values': [{'value': '192.0.2.11'}, {'value': '192.0.2.12'}]},
                  'b': {'fallback': 'a', 'values': [{'value': '192.0.2.21', 'status': 'down'}]},
                  'c': {'values': [{'value': '192.0.2.31'}]}},
        'rules': [{'subnets': ['10.3.7.0/24'], 'pool': 'c'}, {'geos': ['AS-CN'], 'pool': 'b'},
                  {'asns': [64503], 'pool': 'a'}, {'pool': 'c'}]},
        'signpost': {'method': 'rotate'}},
    'sticky': {'type': 'A', 'ttl': 60, 'values': [f'192.0.2.{host}' for host in range(40, 50)],
               'signpost': {'method': 'sticky'}},
    'canary': {'type': 'A', 'ttl': 60, 'value': '192.0.2.51', 'dynamic': {
        'pools': {'new': {'values': [{'value': '192.0.2.52'}]},
                  'old': {'values': [{'value': '192.0.2.51'}]}},
        'rules': [{'share': '30%', 'pool': 'new'}, {'pool': 'old'}]}},
    'narrow': {'type': 'A', 'ttl': 60, 'records': [{'value': '192.0.2.61', 'line': 'de'}]},
    '*.wild': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.71', 'line': 'cn'}, {'value': '192.0.2.72', 'line': 'default'}]},
    'a.ent.wild': {'type': 'A', 'value': '192.0.2.73'},
    'plain': {'type': 'TXT', 'value': 'hello'},
    'static': {'type': 'A', 'values': ['192.0.2.81', '192.0.2.82']},
    'alias': {'type': 'CNAME', 'value': 'static.example.org.'},
    'six': {'type': 'AAAA', 'ttl': 60, 'records': [
        {'value': '2001:db8::1', 'line': 'us-ca'}, {'value': '2001:db8::2', 'line': 'default'}]},
}


@pytest.fixture(scope='module')
def server(module_daemon):
    folder = Folder(geo={'networks': 'networks.csv'})
    try:
        folder.write('networks.csv', NETWORKS)
        yield module_daemon({'example.org.yaml': ZONE, 'shared.yaml': {
            'lines': {'office': {'networks': ['10.9.0.0/16']}}}}, folder=folder)
    finally:
        folder.remove()


def explain(server, name, kind, client, *more):
    return server.folder.cli('explain', name, kind, '--client', client, *more)


def explained(server, name, kind, client):
    result = explain(server, name, kind, client, '--json')
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_five_steps(server):
    found = explained(server, 'lines.example.org', 'A', '10.1.2.3')
    assert [step['step'] for step in found['steps']] == [1, 2, 3, 4, 5]
    assert [step['title'] for step in found['steps']] == TITLES
    assert all(step['summary'] for step in found['steps'])
    who, rule, members, order, last = [step['details'] for step in found['steps']]
    assert (found['name'], found['type'], found['zone'], found['client'], found['steered']) == \
        ('lines.example.org.', 'A', 'example.org.', '10.1.2.3', True)
    assert (who['country'], who['region'], who['isp'], who['asn'], who['network']) == \
        ('CN', 'GD', 'cn-telecom', 64501, '10.1.0.0/16')
    assert {'default', 'cn', 'cn-telecom', 'cn-gd', 'cn-telecom-gd', 'asia'} <= set(who['lines'])
    assert abs(who['latitude'] - 23.13) < 0.01 and abs(who['longitude'] - 113.26) < 0.01
    verdicts = {item['pool']: item['verdict'] for item in rule['rules']}
    assert verdicts['cn-telecom'] == 'decides' and verdicts['office'] == 'does not hold the client'
    assert [pool['pool'] for pool in members['pools']] == ['cn-telecom']
    assert members['pools'][0]['members'][0]['value'] == '203.0.113.1'
    assert order['method'] == 'rotate' and order['answers'] == 1
    assert (last['ttl'], last['scope']) == (found['ttl'], found['scope']) == (60, 16)
    assert found['answer'] == [{'type': 'A', 'ttl': 60, 'value': '203.0.113.1'}]


def test_rules_and_fallback(server):
    found = explained(server, 'rules.example.org', 'A', '10.1.2.3')
    assert found['steps'][1]['details']['rules'][1]['targets'] == ['geo AS-CN']
    pools = found['steps'][2]['details']['pools']
    assert [(pool['pool'], pool['answers']) for pool in pools] == [('b', False), ('a', True)]
    assert pools[0]['members'][0]['status'] == 'down'
    verdicts = [[item['verdict'] for item in explained(
        server, 'rules.example.org', 'A', client)['steps'][1]['details']['rules']]
        for client in ('10.3.7.9', '10.3.8.9', '8.8.8.8')]
    assert [row.index('decides') for row in verdicts] == [0, 2, 3]
    assert verdicts[0][2] == 'not reached'


def test_share(server):
    seen = set()
    for host in range(40):
        found = explained(server, 'canary.example.org', 'A', f'10.5.{host}.1')
        rule = found['steps'][1]['details']['rules'][0]
        assert rule['share'] == 0.3
        inside = rule['client_place'] < 0.3
        assert found['answer'][0]['value'] == ('192.0.2.52' if inside else '192.0.2.51')
        assert rule['verdict'] == ('decides' if inside else 'holds the client, outside its share')
        assert found['scope'] == 24
        seen.add(inside)
    assert seen == {True, False}


def test_same_answer_as_the_wire(server):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    clients = ['10.1.2.3', '10.2.2.3', '10.3.7.9', '10.3.8.9', '10.9.1.1', '8.8.8.8',
               '202.96.209.133', '2001:db8:1::5', '240e::1', '2001:db8:2::5']
    clients += [f'{dice.randrange(1, 223) | 1}.{dice.randrange(256)}.{dice.randrange(256)}.7'
                for _ in range(8)]
    clients = [client for client in clients if not client.startswith(('127.', '169.'))]
    names = [(name, 'A') for name in ('lines', 'rules', 'sticky', 'canary', 'any.wild', 'static')]
    names += [('six', 'AAAA'), ('plain', 'TXT')]
    for name, kind in names:
        name = f'{name}.example.org'
        for client in clients:
            told = json.loads(server.api(
                'GET', f'/v1/explain?name={name}&type={kind}&client={client}')[1])
            reply = server.ask(name, kind, ecs=client)
            assert sorted(values(reply, kind)) == \
                sorted(record['value'] for record in told['answer']), (name, client)
            assert ttl(reply) == told['ttl'] and {record['ttl'] for record in told['answer']} == \
                {told['ttl']}
            assert ecs_of(reply).scopelen == told.get('scope', 0), (name, client)


def test_empty_answer_is_explained(server):
    found = explained(server, 'narrow.example.org', 'A', '8.8.8.8')
    assert found['answer'] == [] and len(found['steps']) == 5
    reply = server.ask('narrow.example.org', ecs='8.8.8.8')
    assert not reply.answer and ecs_of(reply).scopelen == found['scope']
    assert explained(server, 'narrow.example.org', 'A', '10.3.1.1')['answer'] != []


def test_static_names_and_aliases(server):
    found = explained(server, 'plain.example.org', 'TXT', '8.8.8.8')
    assert not found['steered'] and found['answer'][0]['value'] == '"hello"'
    for kind, value in (('SOA', 'ns1.example.com. hostmaster.example.com. '),
                        ('NS', 'ns1.example.com.'), ('MX', '10 static.example.org.')):
        records = explained(server, 'example.org', kind, '8.8.8.8')['answer']
        assert records[0]['type'] == kind and records[0]['value'].startswith(value), records
    found = explained(server, 'alias.example.org', 'A', '8.8.8.8')
    assert found['type'] == 'CNAME'
    assert found['answer'][0] == {'type': 'CNAME', 'ttl': 3600, 'value': 'static.example.org.'}
    found = explained(server, 'deep.any.wild.example.org', 'A', '10.1.1.1')
    assert found['name'] == '*.wild.example.org.'


def test_health_is_explained(daemon):
    with targets(2, 200) as members:
        members[0].switch(503)
        zone = {'www': {'type': 'A', 'ttl': 60, 'values': [member.address for member in members],
                        'signpost': {'check': {'kind': 'http', 'port': members[0].port,
                                               'interval': 5, 'timeout': 5}}}}
        server = daemon({'example.org.yaml': zone})
        found = explained(server, 'www.example.org', 'A', '8.8.8.8')
        down, up = found['steps'][2]['details']['pools'][0]['members']
        assert (down['health'], down['last_result']) == ('down', 'L7STS')
        assert '503' in down['detail']
        assert (up['health'], up['last_result']) == ('up', 'OK')
        assert [record['value'] for record in found['answer']] == [members[1].address]
        table = server.folder.cli('health')
        assert table.returncode == 0 and members[0].endpoint in table.stdout
        assert 'L7STS' in table.stdout and len(table.stdout.splitlines()) == 5
        raw = json.loads(server.folder.cli('health', '--json').stdout)
        assert {check['target']: check['state'] for check in raw['checks']} == \
            {members[0].endpoint: 'down', members[1].endpoint: 'up'}


def test_text(server):
    result = explain(server, 'lines.example.org', 'A', '10.1.2.3')
    assert result.returncode == 0 and result.stderr == ''
    at = [result.stdout.index(f'{number}. {title}: ') for number, title in enumerate(TITLES, 1)]
    assert at == sorted(at)
    assert result.stdout.index('Answer') > at[-1]
    for word in ('10.1.2.3', 'cn-telecom', '203.0.113.1', 'rotate', '10.1.0.0/16'):
        assert word in result.stdout, word
    # TYPE is A by default.
    short = server.folder.cli('explain', 'lines.example.org', '--client', '10.1.2.3')
    assert short.stdout == result.stdout


@pytest.mark.parametrize('name, kind, client, text', [
    ('www.example.com', 'A', '8.8.8.8', 'zone'), ('lines.example.org', 'AAB', '8.8.8.8', 'type'),
    ('lines.example.org', 'A', '8.8.8', 'client'), ('lines.example.org', 'A', 'x', 'client'),
    ('a..b', 'A', '8.8.8.8', 'name'), ('x' * 300, 'A', '8.8.8.8', 'name')])
def test_nothing_to_explain(server, name, kind, client, text):
    result = explain(server, name, kind, client)
    assert result.returncode == 1 and result.stdout == '' and text in result.stderr
    result = explain(server, name, kind, client, '--json')
    assert result.returncode == 1 and json.loads(result.stdout)['status'] in (400, 404)


def test_status(server):
    text = server.folder.cli('status')
    assert text.returncode == 0 and 'uptime_seconds' in text.stdout
    raw = json.loads(server.folder.cli('status', '--json').stdout)
    assert raw['zones'] == 1 and raw['steered_rrsets'] >= 7
    zones = server.get('/v1/zones')['zones']
    assert [one['name'] for one in zones] == ['example.org.']
    assert server.get('/v1/zones/example.org') == zones[0]
    assert server.folder.cli('health').stdout == 'no checks\n'


def test_api_refuses_what_is_wrong(server):
    for method, path, status in (('GET', '/v1/nothing', 404), ('GET', '/v1/reload', 405),
                                 ('POST', '/v1/status', 405), ('GET', '/v1/explain', 400),
                                 ('GET', '/v1/zones/example.com', 404), ('GET', '/', 404)):
        got, body = server.api(method, path)
        assert (got, json.loads(body)['status']) == (status, status), path
    too_long = server.folder.cli('explain', 'x' * 100000, '--client', '::1')
    assert too_long.returncode == 1 and 'refused the request (HTTP 414)' in too_long.stderr
    routes = server.get('/v1/routes')['routes']
    assert {'/v1/status', '/v1/explain', '/v1/reload', '/metrics'} <= \
        {route['path'] for route in routes}


def test_metrics_count_what_was_asked(server):
    before = {name: server.metric(f'{name}_total') for name in
              ('queries_udp', 'queries_tcp', 'nxdomain', 'refused', 'ecs', 'steered', 'formerr')}
    question = make_query('lines.example.org', ecs='10.1.2.3').to_wire()
    with server.client() as client:
        client.ask_many([question] * 100)
        client.exchange(question + b'x')
    server.ask('nothing.example.org', tcp=True)
    server.ask('example.com', tcp=True)
    after = {name: server.metric(f'{name}_total') - count for name, count in before.items()}
    assert after == {'queries_udp': 101, 'queries_tcp': 2, 'nxdomain': 1, 'refused': 1,
                     'ecs': 101, 'steered': 100, 'formerr': 1}, after
