# SPDX-License-Identifier: GPL-3.0-or-later
"""explain of whatever there is at a name, along aliases, and byte for byte what the wire gives."""

import collections
import json
import random

import dns.message
import pytest

from harness import Folder, chance_bound, eventually, values
from targets import targets

pytestmark = pytest.mark.sanitizer

NETWORKS = '''\
cidr,country,region,asn,line,lat,lon
10.1.0.0/16,CN,GD,64501,cn-telecom,23.13,113.26
10.2.0.0/16,CN,SH,64502,cn-unicom,31.2,121.4
10.3.0.0/16,DE,,64503,,50.11,8.68
2001:db8:1::/48,US,CA,64504,,,
'''

SITES = {'fra': {'lat': 50.1, 'lon': 8.7}, 'tyo': {'lat': 35.7, 'lon': 139.7}}


def many(method, count=5, **more):
    return {'type': 'A', 'ttl': 60, 'values': [f'192.0.2.{10 + host}' for host in range(count)],
            'signpost': {'method': method, **more}}


ZONE = {
    'ordered': many('ordered', answers=2), 'sticky': many('sticky', answers=2),
    'rotated': many('rotate', answers=2), 'random': many('random', answers=2),
    'one': many('ordered', 1),
    'weighted': {'type': 'A', 'ttl': 60, 'records': [
        {'value': f'192.0.2.{30 + host}', 'weight': host} for host in range(1, 4)]},
    'lines': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '203.0.113.1', 'line': 'cn-telecom'}, {'value': '203.0.113.2', 'line': 'cn'},
        {'value': '198.51.100.1', 'line': 'default'}]},
    'canary': {'type': 'A', 'ttl': 60, 'value': '192.0.2.51', 'dynamic': {
        'pools': {'new': {'values': [{'value': '192.0.2.52'}]},
                  'old': {'values': [{'value': '192.0.2.51'}]}},
        'rules': [{'share': '30%', 'geos': ['AS'], 'pool': 'new'}, {'share': '30%', 'pool': 'new'},
                  {'pool': 'old'}]}},
    'narrow': {'type': 'A', 'ttl': 60, 'records': [{'value': '192.0.2.61', 'line': 'de'}]},
    'near': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.71', 'site': 'fra'}, {'value': '192.0.2.72', 'site': 'tyo'}],
        'signpost': {'method': 'nearest', 'answers': 1}},
    '*.wild': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.81', 'line': 'cn'}, {'value': '192.0.2.82', 'line': 'default'}]},
    'a.ent': {'type': 'A', 'value': '192.0.2.83'},
    'sub': {'type': 'NS', 'values': ['ns1.sub.example.org.']},
    'ns1.sub': {'type': 'A', 'value': '192.0.2.84'},
    'old': {'type': 'DNAME', 'value': 'example.net.'},
    'plain': {'type': 'TXT', 'value': 'hello'},
    'alias': {'type': 'CNAME', 'value': 'lines.example.org.'},
    'deep': {'type': 'CNAME', 'value': 'alias.example.org.'},
    'across': {'type': 'CNAME', 'value': 'www.example.net.'},
    'away': {'type': 'CNAME', 'value': 'www.example.com.'},
    'steered-alias': {'type': 'CNAME', 'ttl': 60, 'value': 'alias.example.org.', 'dynamic': {
        'pools': {'cn': {'values': [{'value': 'lines.example.org.'}]},
                  'all': {'values': [{'value': 'one.example.org.'}]}},
        'rules': [{'geos': ['AS-CN'], 'pool': 'cn'}, {'pool': 'all'}]}},
}
OTHER = {'www': {'type': 'A', 'ttl': 60, 'records': [
    {'value': '192.0.2.91', 'line': 'cn'}, {'value': '192.0.2.92', 'line': 'default'}]}}

# Names whose answer is the same every time: its bytes, too.
FIXED = ['ordered', 'sticky', 'one', 'lines', 'canary', 'narrow', 'near', 'any.wild', 'a.ent',
         'ent', 'nothing', 'x.sub', 'sub', 'x.old', 'plain', 'alias', 'deep', 'across', 'away',
         'steered-alias', 'b.a.ent']


@pytest.fixture(scope='module')
def server(module_daemon):
    folder = Folder(geo={'networks': 'networks.csv'})
    try:
        folder.write('networks.csv', NETWORKS)
        yield module_daemon({'example.org.yaml': ZONE, 'example.net.yaml': OTHER,
                             'shared.yaml': {'sites': SITES}}, folder=folder)
    finally:
        folder.remove()


def explained(server, name, client='8.8.8.8', kind='A'):
    name = name if name.endswith('.') else f'{name}.example.org.'
    status, body = server.api('GET', f'/v1/explain?name={name}&type={kind}&client={client}')
    assert status == 200, body
    return json.loads(body)


@pytest.mark.parametrize('name, kind, standing, outcome', [
    ('nothing', 'A', 'nothing', 'nxdomain'), ('b.a.ent', 'A', 'nothing', 'nxdomain'),
    ('ent', 'A', 'empty', 'nodata'), ('plain', 'A', 'no type', 'nodata'),
    ('x.sub', 'A', 'delegated', 'referral'), ('sub', 'NS', 'delegated', 'referral'),
    ('sub', 'DS', 'no type', 'nodata'), ('x.old', 'A', 'redirected', 'answer'),
    ('alias', 'A', 'alias', 'answer'), ('alias', 'CNAME', 'records', 'answer'),
    ('a.ent', 'A', 'records', 'answer'), ('any.wild', 'A', 'records', 'answer'),
    ('any.wild', 'MX', 'no type', 'nodata'), ('narrow', 'A', 'records', 'nodata'),
    ('example.org.', 'SOA', 'records', 'answer')])
def test_whatever_is_there(server, name, kind, standing, outcome):
    told = explained(server, name, kind=kind)
    assert (told['found']['standing'], told['outcome']) == (standing, outcome)
    assert told['found']['wildcard'] == ('wild' in name)
    assert all(step['summary'] for step in told['steps'])
    assert (outcome == 'answer') == bool(told['answer'])
    if not told['steered']:
        assert [step['title'] for step in told['steps']][:2] == ['Who', 'Which name']
    if standing == 'nothing':
        assert told['found']['encloser'] in ('example.org.', 'a.ent.example.org.')


def test_chains(server):
    told = explained(server, 'deep', '10.1.1.1')
    assert [(link['name'], link['type'], link['steered']) for link in told['chain']] == \
        [('alias.example.org.', 'CNAME', False), ('lines.example.org.', 'A', True)]
    assert [step['title'] for step in told['chain'][1]['steps']][0] == 'Which rule'
    assert told['answer'][-1]['value'] == '203.0.113.1'
    # Into another zone of ours the explanation goes on, whether the answer does or not.
    told = explained(server, 'across', '10.1.1.1')
    assert told['chain'][0]['zone'] == 'example.net.' and told['chain'][0]['steered']
    # Out of them it says so.
    told = explained(server, 'away')
    assert [link['found']['standing'] for link in told['chain']] == ['no zone']
    # A steered alias leads where this client goes.
    for client, target in (('10.2.1.1', 'lines'), ('10.3.1.1', 'one')):
        told = explained(server, 'steered-alias', client)
        assert told['steered'] and told['chain'][0]['name'] == f'{target}.example.org.'
    told = explained(server, 'www.old')
    assert told['chain'][0]['name'] == 'www.example.net.'
    assert explained(server, 'deep', kind='CNAME')['chain'] == []


def random_clients(dice, count):
    fixed = ['10.1.2.3', '10.2.2.3', '10.3.7.9', '8.8.8.8', '2001:db8:1::5', '2a00::5']
    return fixed + [f'{dice.choice((1, 20, 90, 150, 210))}.{dice.randrange(256)}.'
                    f'{dice.randrange(256)}.{dice.randrange(256)}' for _ in range(count)]


def test_bytes_are_those_of_the_wire(server):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    checked = 0
    with server.client(tcp=True) as client:
        for name in FIXED:
            for address in random_clients(dice, 5):
                told = explained(server, name, address, 'TXT' if name == 'plain' else 'A')
                response = client.exchange(bytes.fromhex(told['query']))
                assert response.hex() == told['response'], (name, address)
                message = dns.message.from_wire(response)
                assert [record['value'] for record in told['answer'] if record['type'] == 'A'] == \
                    [item.address for rrset in message.answer for item in rrset
                     if item.rdtype == 1], (name, address)
                checked += 1
    assert checked == len(FIXED) * 11


# --- random policies

TARGETS = [{'geos': ['AS-CN']}, {'geos': ['EU']}, {'lines': ['cn-telecom']}, {'lines': ['us-ca']},
           {'subnets': ['10.1.0.0/17']}, {'asns': [64502, 64503]}, {'subnets': ['10.0.0.0/8']}]


def random_rules(dice, pools):
    rules, plain = [], set()
    for pool in dice.sample(pools, dice.randint(1, len(pools))):
        rule = {'pool': pool, **dice.choice(TARGETS[2:4] + TARGETS[5:6])}
        if dice.random() < .4:
            rule = {'pool': pool, 'share': f'{dice.randint(5, 70)}%', **dice.choice(TARGETS + [{}])}
        elif dice.random() < .4 and not plain:
            rule = {'pool': pool, **dice.choice(TARGETS[:2])}
            plain.add(pool)
        rules.append(rule)
    return rules + [{'pool': dice.choice(pools)}]


def random_policy(dice, number):
    def value(pool, index):
        member = {'value': f'10.{number}.{pool}.{index}', 'weight': dice.choice((0, 1, 1, 3, 9))}
        if dice.random() < .3:
            member['status'] = dice.choice(('up', 'down'))
        return member
    names = ['a', 'b', 'c']
    pools = {name: {'values': [value(at, index) for index in range(1, dice.randint(2, 5))]}
             for at, name in enumerate(names)}
    for name, after in (('a', 'b'), ('b', 'c')):
        if dice.random() < .6:
            pools[name]['fallback'] = after
        pools[name]['min_up'] = dice.choice(('1', '60%', '100%'))
    rules = random_rules(dice, names)
    used = {rule['pool'] for rule in rules}
    for name in names[:-1]:  # what is used may fall back, and every pool must be used
        if name in used and 'fallback' in pools[name]:
            used.add(pools[name]['fallback'])
    rules[-1:-1] = [{'pool': name, 'share': '1%'} for name in names if name not in used]
    return {'type': 'A', 'ttl': dice.choice((5, 60, 300)), 'value': f'10.{number}.9.9',
            'dynamic': {'pools': pools, 'rules': rules},
            'signpost': {'method': dice.choice(('ordered', 'sticky', 'weighted', 'rotate')),
                         'answers': dice.choice(('all', 1, 2)),
                         'all_down': dice.choice(('all', 'values', 'none', 'servfail'))}}


def test_random_policies(module_daemon):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    zone = {f'n{number}': random_policy(dice, number) for number in range(40)}
    folder = Folder(geo={'networks': 'networks.csv'})
    folder.write('networks.csv', NETWORKS)
    server = module_daemon({'example.org.yaml': zone}, folder=folder)
    outcomes = collections.Counter()
    with server.client(tcp=True) as client:
        for name, record in zone.items():
            for address in random_clients(dice, 4):
                told = explained(server, name, address)
                response = client.exchange(bytes.fromhex(told['query']))
                message = dns.message.from_wire(response)
                outcomes[told['outcome']] += 1
                if record['signpost']['method'] in ('ordered', 'sticky'):
                    assert response.hex() == told['response'], (name, address)
                order = told['steps'][3]['details']
                candidates = {row['value'] for row in order['members']}
                drawn = values(message) if message.answer else []
                assert set(drawn) <= candidates, (name, address)
                assert len(drawn) == (order['answers'] if told['outcome'] == 'answer' else 0)
                verdicts = [rule['verdict'] for rule in told['steps'][1]['details']['rules']]
                assert verdicts.count('decides') == 1
                usable = {row['value'] for pool in told['steps'][2]['details']['pools']
                          if pool['answers'] for row in pool['members'] if row['usable']}
                if not told['steps'][2]['details']['all_down']:
                    assert candidates <= usable, (name, address)
    folder.remove()
    assert outcomes['answer'] > 200, outcomes


@pytest.mark.parametrize('name', ['rotated', 'random', 'weighted'])
def test_draws_are_among_the_candidates(server, name):
    told = explained(server, name)
    candidates = {row['value']: row for row in told['steps'][3]['details']['members']}
    assert {record['value'] for record in told['answer']} <= set(candidates)
    first, appears, count = collections.Counter(), collections.Counter(), 600
    query = bytes.fromhex(told['query'])
    with server.client() as client:
        for response in client.ask_many([query] * count):
            drawn = values(dns.message.from_wire(response))
            first[drawn[0]] += 1
            appears.update(drawn)
    assert set(appears) == set(candidates)
    for value, row in candidates.items():
        for found, share in ((first[value], row['first']), (appears[value], row['appears'])):
            assert abs(found - share * count) <= chance_bound(share, count)


def test_costs_of_sticky(server):
    for host in range(12):
        told = explained(server, 'sticky', f'10.7.{host}.1')
        rows = sorted(told['steps'][3]['details']['members'], key=lambda row: row['cost'])
        assert [row['value'] for row in rows[:2]] == \
            [record['value'] for record in told['answer']]


def test_distances(server):
    for client, nearest in (('10.3.1.1', '192.0.2.71'), ('10.2.1.1', '192.0.2.72')):
        told = explained(server, 'near', client)
        assert told['answer'][0]['value'] == nearest
        first = told['steps'][3]['details']['members'][0]
        assert first['value'] == nearest and first['distance_km'] < 2500


def test_targets_that_hold(server):
    rules = explained(server, 'canary', '10.1.1.1')['steps'][1]['details']['rules']
    assert [rule['held_by'] for rule in rules] == [['geo AS'], [], []]
    places = [rule.get('client_place') for rule in rules]
    assert places[0] >= 0 and (rules[0]['verdict'] == 'decides' or
                               abs(places[1] - (places[0] - .3)) < 1e-9)


def test_why_members_are_out(daemon):
    with targets(3, 200) as members:
        def row(index, **more):
            return {'value': members[index].address, **more}
        zone = {'www': {'type': 'A', 'ttl': 300, 'value': '127.0.0.99', 'dynamic': {
            'pools': {'main': {'fallback': 'spare', 'min_up': 2,
                               'values': [row(0), row(1), {'value': '127.0.0.98',
                                                           'status': 'down'}]},
                      'spare': {'values': [row(2)]}},
            'rules': [{'pool': 'main'}]},
            'signpost': {'check': {'kind': 'http', 'port': members[0].port, 'interval': 1,
                                   'timeout': 1, 'rise': 1, 'fall': 1}, 'min_ttl': 1}}}
        server = daemon({'example.org.yaml': zone})
        steps = eventually(lambda: [
            steps for steps in [explained(server, 'www')['steps']]
            if steps[2]['details']['pools'][0]['verdict'] == 'answers'])[0]
        assert steps[4]['details']['turning'] == []
        members[0].switch(503)
        eventually(lambda: explained(server, 'www')['answer'][0]['value'] == members[2].address)
        main, spare = explained(server, 'www')['steps'][2]['details']['pools']
        assert main['verdict'] == 'too few are usable: its fallback is taken'
        assert (main['usable'], main['wanted'], main['answers']) == (1, 2, False)
        assert spare['answers'] and spare['verdict'] == 'answers'
        down, up, said = main['members']
        assert down['why'].startswith(f'down by its check http {members[0].endpoint} for ')
        assert 'L7STS' in down['why'] and '503' in down['why'] and not down['usable']
        assert up['usable'] and up['why'] == ''
        assert said['why'] == 'its document says that it is down'
        # Drained: out, with who and why.
        assert server.folder.cli('drain', f'value:{members[2].address}', '--why',
                                 'new disks').returncode == 0
        pools = explained(server, 'www')['steps'][2]['details']['pools']
        assert 'new disks' in pools[1]['members'][0]['why']
        assert 'drained' in pools[1]['members'][0]['why']
        assert pools[0]['verdict'] == 'too few are usable, but nothing behind it is better: answers'
        assert pools[0]['answers']


def test_text_of_a_chain(server):
    result = server.folder.cli('explain', 'deep.example.org', '--client', '10.1.1.1')
    assert result.returncode == 0
    for text in ('Which name: it is an alias', 'which leads to alias.example.org. CNAME',
                 'which leads to lines.example.org. A', 'outcome', '203.0.113.1'):
        assert text in result.stdout, result.stdout
    assert 'response' not in result.stdout
    result = server.folder.cli('explain', 'nothing.example.org', '--client', '10.1.1.1')
    assert result.returncode == 0 and 'nxdomain' in result.stdout
