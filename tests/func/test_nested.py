# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools with methods of their own in pools with others, as clients see them."""

import collections
import json

import pytest
import yaml

from harness import Folder, chance_bound, ecs_of, eventually

pytestmark = pytest.mark.sanitizer

NETWORKS = '''\
cidr,country,region,asn,line,lat,lon
10.1.0.0/16,DE,,,,50.11,8.68
10.2.0.0/16,US,,,,40.71,-74.01
'''

SHARED = {'sites': {'fra': {'lat': 50.11, 'lon': 8.68}, 'ams': {'lat': 52.37, 'lon': 4.9},
                    'nyc': {'lat': 40.71, 'lon': -74.01}}}

# The nearest region, by weights within it.
NEAR = '''
near:
  type: A
  ttl: 60
  value: 192.0.2.9
  dynamic:
    pools:
      world: {values: [{pool: eu}, {pool: us}]}
      eu:
        method: weighted
        fallback: us
        values:
          - {value: 192.0.2.11, site: fra, weight: 3}
          - {value: 192.0.2.12, site: ams}
      us: {method: weighted, values: [{value: 192.0.2.21, site: nyc}]}
    rules: [{pool: world}]
  signpost: {method: nearest}
'''

# A tenth of the clients' resolvers try the new region; a client stays with its server in each.
CANARY = '''
canary:
  type: A
  ttl: 60
  value: 192.0.2.9
  dynamic:
    pools:
      all: {values: [{pool: stable, weight: 9}, {pool: new}]}
      stable: {method: sticky, values: [192.0.2.31, 192.0.2.32, 192.0.2.33]}
      new: {method: sticky, values: [192.0.2.41, 192.0.2.42]}
    rules: [{pool: all}]
'''

# Data centres in turn, in each the first server that is up; another provider when both are gone.
TURNS = '''
turns:
  type: A
  ttl: 60
  value: 192.0.2.9
  dynamic:
    pools:
      all: {method: ordered, values: [{pool: ours}, {pool: theirs}]}
      ours: {method: rotate, values: [{pool: dc1}, {pool: dc2}]}
      dc1: {method: ordered, values: [192.0.2.51, 192.0.2.52]}
      dc2: {method: ordered, values: [192.0.2.61, 192.0.2.62]}
      theirs: {method: weighted, values: [{value: 192.0.2.71, weight: 3}, 192.0.2.72]}
    rules: [{pool: all}]
  signpost: {answers: 1}
'''


@pytest.fixture(scope='module')
def server(module_daemon):
    folder = Folder(geo={'networks': 'networks.csv'})
    try:
        folder.write('networks.csv', NETWORKS)
        yield module_daemon({'example.org.yaml': NEAR + CANARY + TURNS, 'shared.yaml': SHARED},
                            folder=folder)
    finally:
        folder.remove()


@pytest.fixture
def down(server):
    """Takes members down by their last octet; all are up again afterwards."""
    patterns = []

    def take(*octets):
        for octet in octets:
            patterns.append(f'value:192.0.2.{octet}')
            result = server.folder.cli('health', 'set', patterns[-1], 'down', '--why', 'test')
            assert result.returncode == 0, result.stderr
    yield take
    for pattern in patterns:
        assert server.folder.cli('health', 'clear', pattern).returncode == 0


def octets(server, name, **more):
    return [int(value.rsplit('.', 1)[1]) for value in server.values(f'{name}.example.org.', **more)]


def counted(server, name, count=400, **more):
    return collections.Counter(
        octet for _ in range(count) for octet in octets(server, name, **more))


def in_proportion(found, weights):
    count, total = found.total(), sum(weights.values())
    assert set(found) <= set(weights)
    for octet, weight in weights.items():
        share = weight / total
        assert abs(found[octet] - share * count) <= chance_bound(share, count), found


def test_nearest_region_then_weights(server, down):
    in_proportion(counted(server, 'near', ecs='10.1.2.0/24'), {11: 3, 12: 1})
    assert set(counted(server, 'near', 50, ecs='10.2.2.0/24')) == {21}
    # The scope is that of the place (nobody knows where 10.0/16 is, which gets the order as
    # written): the weights are drawn for each question.
    assert ecs_of(server.ask('near.example.org.', ecs='10.1.2.0/24')).scopelen == 15
    assert ecs_of(server.ask('near.example.org.', ecs='10.2.2.0/24')).scopelen == 16
    down(11)
    assert set(counted(server, 'near', 50, ecs='10.1.2.0/24')) == {12}
    down(12)  # the region's fallback stands in for it
    assert set(counted(server, 'near', 50, ecs='10.1.2.0/24')) == {21}


def test_weighted_regions_then_sticky(server, down):
    drawn = [octets(server, 'canary', ecs=f'10.{i % 200}.{i // 200}.0/24')[0] for i in range(600)]
    new = sum(octet >= 40 for octet in drawn)
    assert abs(new - 60) <= chance_bound(0.1, 600)
    kept = {}
    for network in range(8):
        asked = f'10.9.{network}.0/24'
        reply = server.ask('canary.example.org.', ecs=asked)
        assert ecs_of(reply).scopelen == 24
        found = set(counted(server, 'canary', 80, ecs=asked))
        assert len({octet for octet in found if octet < 40}) == 1  # of those in `stable`
        assert len({octet for octet in found if octet >= 40}) <= 1
        kept[asked] = min(found)
    gone = kept['10.9.0.0/24']
    down(gone)
    for asked, octet in kept.items():
        now = {octet for octet in counted(server, 'canary', 60, ecs=asked) if octet < 40}
        assert len(now) == 1 and (now == {octet}) == (octet != gone)


def test_turns_over_data_centres(server, down):
    first = [octets(server, 'turns')[0] for _ in range(10)]
    assert sorted(first[:2]) == [51, 61] and first == first[:2] * 5
    down(51)
    assert counted(server, 'turns', 40) == {52: 20, 61: 20}
    down(61, 62)
    assert counted(server, 'turns', 40) == {52: 40}
    down(52)
    in_proportion(counted(server, 'turns'), {71: 3, 72: 1})


def explain(server, name, client='10.1.2.3'):
    result = server.folder.cli('explain', f'{name}.example.org', '--client', client, '--json')
    assert result.returncode == 0, result.stderr
    steps = {step['title']: step for step in json.loads(result.stdout)['steps']}
    return steps['Which members']['details'], steps['Which order, how many']


def test_explain_tells_each_level(server, down):
    _, order = explain(server, 'turns')
    details = order['details']
    assert [(level['inside'], level['pool'], level['method']) for level in details['levels']] == [
        ('all', 'ours', 'rotate'), ('ours', 'dc1', 'ordered'), ('ours', 'dc2', 'ordered')]
    assert details['method'] == 'ordered'
    assert 'then by the methods of pools within' in order['summary']
    told = [(member['value'], member['pool'], member['first']) for member in details['members']]
    assert told == [('192.0.2.51', 'dc1', 0.5), ('192.0.2.61', 'dc2', 0.5)]
    members, order = explain(server, 'canary')
    assert [pool.get('method') for pool in members['pools']] == [None, 'sticky', 'sticky']
    shares = {member['value']: round(member['first'], 6) for member in order['details']['members']}
    assert shares == {'192.0.2.31': 0.3, '192.0.2.32': 0.3, '192.0.2.33': 0.3,
                      '192.0.2.41': 0.05, '192.0.2.42': 0.05}
    down(11, 12)
    _, order = explain(server, 'near')
    assert [(level['pool'], level['method']) for level in order['details']['levels']] == [
        ('us', 'weighted')]


def test_simulate_counts_through_pools(server):
    result = server.folder.cli('simulate', 'canary.example.org', '--json', '--down', '192.0.2.41')
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    shares = {row['member']: row['share'] for row in told['families'][0]['members']}
    for octet, share in {31: 0.3, 32: 0.3, 33: 0.3, 42: 0.1}.items():
        assert abs(shares[f'192.0.2.{octet}'] - share) < 1e-5


def test_export_and_back(server):
    """What is written is what was read."""
    result = server.folder.cli('export', 'example.org', '--to', 'yaml')
    assert result.returncode == 0, result.stderr
    written = yaml.safe_load(result.stdout)
    for name, document in yaml.safe_load(NEAR + CANARY + TURNS).items():
        record = written[name][0] if isinstance(written[name], list) else written[name]
        pools = record['dynamic']['pools']
        assert {pool: one.get('method') for pool, one in pools.items()} == \
            {pool: one.get('method') for pool, one in document['dynamic']['pools'].items()}


def test_method_of_a_pool_changes_with_a_reload(module_daemon):
    folder = Folder()
    try:
        server = module_daemon({'example.org.yaml': TURNS}, folder=folder)
        assert len(set(octets(server, 'turns')[0] for _ in range(4))) == 2
        folder.zone('example.org.yaml', TURNS.replace('method: rotate', 'method: ordered'))
        server.reload()
        assert eventually(lambda: set(octets(server, 'turns')[0] for _ in range(4)) == {51})
        folder.zone('example.org.yaml', TURNS.replace('method: rotate', 'method: rotating'))
        result = folder.cli('check')
        assert result.returncode == 1
        assert ':9:22: ' in result.stdout and 'expected one of rotate, random' in result.stdout
    finally:
        folder.remove()
