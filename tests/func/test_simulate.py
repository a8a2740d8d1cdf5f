# SPDX-License-Identifier: GPL-3.0-or-later
"""simulate: shares of pools, sites and members, what-ifs, and what clients really get."""

import collections
import json
import random

import dns.message
import pytest

from harness import Folder, chance_bound, eventually, make_query, values
from targets import targets

pytestmark = pytest.mark.sanitizer

NETWORKS = '''\
cidr,country,region,asn,line,lat,lon
20.0.0.0/8,CN,GD,64501,cn-telecom,,
30.0.0.0/8,CN,SH,64502,cn-unicom,,
40.0.0.0/8,DE,,64503,,,
2a00::/16,DE,,64504,,,
2a01:1::/32,US,CA,64505,,,
2a02::/32,FR,,,,,
'''

SITES = {'fra': {'lat': 50.1, 'lon': 8.7}, 'nyc': {'lat': 40.7, 'lon': -74}}

ZONE = {
    'lines': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '203.0.113.1', 'line': 'cn-telecom', 'site': 'fra', 'weight': 3},
        {'value': '203.0.113.2', 'line': 'cn-telecom', 'site': 'nyc'},
        {'value': '203.0.113.3', 'line': 'cn-unicom', 'site': 'fra'},
        {'value': '198.51.100.1', 'line': 'default'}]},
    'pools': {'type': 'A', 'ttl': 60, 'value': '192.0.2.9', 'dynamic': {
        'pools': {'near': {'fallback': 'far', 'values': [{'value': '192.0.2.1', 'weight': 5},
                                                         {'value': '192.0.2.2', 'weight': 2},
                                                         {'value': '192.0.2.3', 'weight': 1}]},
                  'far': {'values': [{'value': '198.51.100.2'}]},
                  'new': {'values': [{'value': '192.0.2.7'}]}},
        'rules': [{'share': '20%', 'pool': 'new'}, {'geos': ['EU'], 'pool': 'far'},
                  {'pool': 'near'}]},
        'signpost': {'answers': 2}},
    'narrow': {'type': 'A', 'ttl': 60, 'records': [{'value': '192.0.2.61', 'line': 'de'}]},
    'plain': {'type': 'A', 'value': '192.0.2.81'},
}


@pytest.fixture(scope='module')
def server(module_daemon):
    folder = Folder(geo={'networks': 'networks.csv'})
    try:
        folder.write('networks.csv', NETWORKS)
        yield module_daemon({'example.org.yaml': ZONE, 'shared.yaml': {'sites': SITES}},
                            folder=folder)
    finally:
        folder.remove()


def simulate(server, name, *more):
    result = server.folder.cli('simulate', f'{name}.example.org', '--json', *more)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def shares(family, table='members', of='share'):
    return {row[table[:-1]]: row[of] for row in family[table]}


def near(found, expected):
    assert set(found) == set(expected), found
    for name, share in expected.items():
        assert abs(found[name] - share) < 2e-6, (name, found[name], share)


def test_weighed_by_addresses(server):
    told = simulate(server, 'lines')
    ipv4, ipv6 = told['families']
    assert (ipv4['family'], ipv4['unit'], ipv4['clients']) == ('ipv4', 'addresses', 3702390784)
    # Built-in networks of the ISPs count, too: what is theirs is told by the groups.
    groups = {group['group']: group for group in simulate(server, 'lines', '--by', 'line')
              ['families'][0]['groups']}
    telecom, unicom = groups['cn-telecom']['clients'], groups['cn-unicom']['clients']
    assert telecom > 2 ** 24 and unicom > 2 ** 24
    all_clients = ipv4['clients']
    near(shares(ipv4, 'pools'), {'cn-telecom': telecom / all_clients,
                                 'cn-unicom': unicom / all_clients,
                                 'default': 1 - (telecom + unicom) / all_clients})
    near(shares(ipv4), {'203.0.113.1': telecom * .75 / all_clients,
                        '203.0.113.2': telecom * .25 / all_clients,
                        '203.0.113.3': unicom / all_clients,
                        '198.51.100.1': 1 - (telecom + unicom) / all_clients})
    near(shares(ipv4, 'sites'), {'fra': (telecom * .75 + unicom) / all_clients,
                                 'nyc': telecom * .25 / all_clients,
                                 '(none)': 1 - (telecom + unicom) / all_clients})
    assert not told['changed'] and 'change' not in ipv4['members'][0]
    # A country alone does not make a network that is there, where ASNs are known.
    assert (ipv6['unit'], ipv6['clients']) == ('/48 networks', 2 ** 32 + 2 ** 16)


def test_groups(server):
    groups = {group['group']: group for group in simulate(
        server, 'pools', '--by', 'country', '--clients', '20.0.0.0/8,40.0.0.0/9,50.0.0.0/8')
        ['families'][0]['groups']}
    assert {name: group['clients'] for name, group in groups.items()} == \
        {'CN': 2 ** 24, 'DE': 2 ** 23, '(none)': 2 ** 24}
    near(shares(groups['DE'], 'pools'), {'new': .2, 'far': .8})
    near(shares(groups['CN'], 'pools'), {'new': .2, 'near': .8})
    lines = simulate(server, 'lines', '--line', 'cn,jp', '--clients', '20.0.0.0/8,40.0.0.0/8')
    assert [group['group'] for group in lines['families'][0]['groups']] == ['cn', '(none)']


def test_draws_of_two(server):
    one = simulate(server, 'pools', '--clients', '20.0.0.0/8')['families'][0]
    near(shares(one), {'192.0.2.1': .5, '192.0.2.2': .2, '192.0.2.3': .1, '198.51.100.2': 0,
                       '192.0.2.7': .2, '192.0.2.9': 0})
    # 5 of 8 first, or second after 2 of 8 or 1 of 8.
    appears = 5 / 8 + 2 / 8 * 5 / 6 + 1 / 8 * 5 / 7
    assert abs(shares(one, of='appears')['192.0.2.1'] - .8 * appears) < 2e-6


def test_what_if(server):
    clients = ('--clients', '20.0.0.0/8')
    told = simulate(server, 'pools', '--down', 'near', *clients)
    assert told['changed'] and told['what_if'] == [{'down': 'near', 'members': 3, 'unnoticed': 3}]
    rows = {row['member']: (row['before'], row['share'], row['change'])
            for row in told['families'][0]['members']}
    assert rows['198.51.100.2'] == (0, .8, .8) and rows['192.0.2.1'] == (.5, 0, -.5)
    told = simulate(server, 'pools', '--weight', '192.0.2.3=5,192.0.2.2=0', *clients)
    near(shares(told['families'][0]), {'192.0.2.1': .4, '192.0.2.2': 0, '192.0.2.3': .4,
                                       '198.51.100.2': 0, '192.0.2.7': .2, '192.0.2.9': 0})
    told = simulate(server, 'lines', '--down', 'fra', *clients)
    near(shares(told['families'][0], 'sites'), {'nyc': 1, 'fra': 0})
    # The server itself goes on as before.
    assert not simulate(server, 'pools')['changed']


def test_rule_file(server):
    changed = {**ZONE, 'pools': {**ZONE['pools'], 'dynamic': {
        **ZONE['pools']['dynamic'], 'rules': [
            {'share': '50%', 'pool': 'new'}, {'geos': ['EU'], 'pool': 'near'}, {'pool': 'far'}]}}}
    path = server.folder.write('changed.yaml', changed)
    told = simulate(server, 'pools', '--rule-file', str(path), '--clients', '20.0.0.0/8')
    rows = {row['pool']: (row['before'], row['share']) for row in told['families'][0]['pools']
            if row['before'] or row['share']}
    assert rows == {'new': (.2, .5), 'far': (0, .5), 'near': (.8, 0)}
    # With a what-if on top.
    told = simulate(server, 'pools', '--rule-file', str(path), '--weight', '192.0.2.7=0',
                    '--clients', '20.0.0.0/8')
    assert shares(told['families'][0], 'pools')['new'] == .5  # it is all there is
    server.folder.write('broken.yaml', 'pools: {type: A, value: x}\n')
    result = server.folder.cli('simulate', 'pools.example.org', '--rule-file',
                               str(server.folder.path / 'broken.yaml'))
    assert result.returncode == 1 and 'broken.yaml:1:' in result.stderr, result.stderr


def test_no_answer(server):
    told = simulate(server, 'narrow', '--clients', '40.0.0.0/8,50.0.0.0/8')['families'][0]
    near(shares(told), {'192.0.2.61': .5, '(no answer)': .5})


# What random clients get over the wire, against the shares.
def test_shares_are_what_the_wire_gives(server):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    count = 3000
    for name in ('lines', 'pools'):
        told = simulate(server, name, '--clients', '20.0.0.0/8,40.0.0.0/8')['families'][0]
        questions = []
        for _ in range(count):
            client = f'{dice.choice((20, 40))}.{dice.randrange(256)}.{dice.randrange(256)}.1'
            questions.append(make_query(f'{name}.example.org', ecs=client))
        first = collections.Counter()
        with server.client() as client:
            for reply in client.ask_many([question.to_wire() for question in questions]):
                first[values(dns.message.from_wire(reply))[0]] += 1
        for member, share in shares(told).items():
            assert abs(first[member] - count * share) <= chance_bound(share, count), \
                (name, member, first[member], share)


def test_weighed_by_queries(server):
    assert server.folder.cli('simulate', 'lines.example.org', '--queries').returncode == 0
    # Three of four come from Telecom's network.
    with server.client() as client:
        client.ask_many([make_query('lines.example.org', ecs=ecs).to_wire() for ecs in
                         ('20.1.0.0', '20.2.0.0', '40.1.0.0', '20.3.0.0') * 1000])
    told = simulate(server, 'lines', '--queries')['families']
    assert [family['unit'] for family in told] == ['queries']
    assert told[0]['clients'] >= 2000 and told[0]['clients'] % 64 == 0
    telecom = shares(told[0], 'pools')['cn-telecom']
    assert .4 < telecom < .98  # of some sixty samples, and of the tests before


def test_follows_health(daemon):
    with targets(2, 200) as members:
        zone = {'www': {'type': 'A', 'ttl': 60, 'records': [
            {'value': member.address, 'weight': weight} for member, weight in zip(members, (1, 3))],
            'signpost': {'check': {'kind': 'http', 'port': members[0].port, 'interval': 0.3,
                                   'timeout': 0.2, 'rise': 1, 'fall': 1}}}}
        server = daemon({'example.org.yaml': zone})
        down = eventually(lambda: [
            down for down in [simulate(server, 'www', '--down', members[0].address)]
            if [row['before'] for row in down['families'][0]['members']] == [.25, .75]])[0]
        assert down['what_if'][0]['unnoticed'] == 0
        assert [row['share'] for row in down['families'][0]['members']] == [0, 1]
        members[1].switch(503)
        eventually(lambda: [row['share'] for row in
                            simulate(server, 'www')['families'][0]['members']] == [1, 0])


@pytest.mark.parametrize('arguments, code, text', [
    (('plain.example.org',), 1, 'steers'), (('none.example.org',), 1, 'no records'),
    (('www.example.com',), 1, 'no zone'), (('pools.example.org', '--down', 'x'), 1, 'matches no'),
    (('pools.example.org', '--down', '*1*2*3*4*5'), 1, '4 stars'),
    (('pools.example.org', '--weight', '192.0.2.1'), 2, 'MEMBER=N'),
    (('pools.example.org', '--weight', '192.0.2.1=-1'), 1, 'from 0 to'),
    (('pools.example.org', '--weight', 'near=1'), 1, 'matches no member'),
    (('pools.example.org', '--by', 'colour'), 1, 'country'),
    (('pools.example.org', '--clients', '10.0.0.1/8'), 1, 'CIDR'),
    (('pools.example.org', '--line', 'nope'), 1, 'no line'),
    (('pools.example.org', 'AAB'), 1, 'type')])
def test_refused(server, arguments, code, text):
    result = server.folder.cli('simulate', *arguments)
    assert result.returncode == code and text in result.stderr, result.stderr
    assert result.stdout == ''


def test_text(server):
    result = server.folder.cli('simulate', 'pools.example.org', '--down', '192.0.2.1', '--by',
                               'continent', '--clients', '20.0.0.0/8')
    assert result.returncode == 0
    for word in ('What if', '192.0.2.1', 'BEFORE', 'CHANGE', 'ipv4: 16777216 addresses', 'AS: '):
        assert word in result.stdout, result.stdout
