# SPDX-License-Identifier: GPL-3.0-or-later
"""Steering as clients see it: every type, sites, pools of pools."""

import json
import socket

import dns.rdatatype
import pytest

from harness import Folder, ecs_of, eventually
from targets import targets

NETWORKS = '''\
cidr,country,region,asn,line,lat,lon
10.1.0.0/16,DE,,,,50.11,8.68
10.2.0.0/16,US,,,,40.71,-74.01
10.3.0.0/16,JP,,,,35.68,139.69
'''

SHARED = {'sites': {'fra': {'lat': 50.11, 'lon': 8.68}, 'nyc': {'lat': 40.71, 'lon': -74.01},
                    'tyo': {'lat': 35.68, 'lon': 139.69}}}


def by_country(kind: str, value: str, german: str, other: str) -> dict:
    return {'type': kind, 'ttl': 60, 'value': value, 'dynamic': {
        'pools': {'de': {'values': [{'value': german}]}, 'other': {'values': [{'value': other}]}},
        'rules': [{'geos': ['EU-DE'], 'pool': 'de'}, {'pool': 'other'}]}}


# name, type: what Germans get, what others get
TYPES = {
    ('mx', 'MX'): ('10 de.mail.example.net.', '10 mail.example.net.'),
    ('_sip._tcp', 'SRV'): ('1 2 5060 de.example.net.', '1 2 5060 sip.example.net.'),
    ('txt', 'TXT'): ('"guten tag"', '"hello"'),
    ('web', 'HTTPS'): ('1 de.example.net. alpn="h3"', '1 . alpn="h2"'),
    ('cname', 'CNAME'): ('de.example.net.', 'www.example.net.'),
    ('caa', 'CAA'): ('0 issue "de.example.net"', '0 issue "example.net"'),
    ('a', 'A'): ('192.0.2.1', '192.0.2.2'),
    ('aaaa', 'AAAA'): ('2001:db8::1', '2001:db8::2'),
    ('*.wild', 'A'): ('192.0.2.3', '192.0.2.4'),
}


def near(*sites: str, **settings) -> dict:
    return {'type': 'A', 'ttl': 60, 'signpost': {'method': 'nearest', **settings},
            'records': [{'value': f'192.0.2.{10 + i}', 'site': site}
                        for i, site in enumerate(sites)]}


ZONE = {
    **{name: by_country(kind, other, german, other)
       for (name, kind), (german, other) in TYPES.items()},
    'near': near('fra', 'nyc', 'tyo'),
    'near-two': near('fra', 'nyc', 'tyo', answers=2),
    'tree': {'type': 'A', 'ttl': 60, 'value': '192.0.2.9', 'dynamic': {
        'pools': {'all': {'values': [{'pool': 'one', 'weight': 1}, {'pool': 'two', 'weight': 3}]},
                  'one': {'fallback': 'two', 'values': [{'value': '192.0.2.21', 'status': 'down'}]},
                  'two': {'values': [{'value': '192.0.2.22'}]}},
        'rules': [{'pool': 'all'}]}},
    'same': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.30', 'line': 'de'}, {'value': '192.0.2.30', 'line': 'us'},
        {'value': '192.0.2.31', 'line': 'jp'}, {'value': '192.0.2.30', 'line': 'default'}]},
}


@pytest.fixture(scope='module')
def server(module_daemon):
    folder = Folder(geo={'networks': 'networks.csv'})
    try:
        folder.write('networks.csv', NETWORKS)
        yield module_daemon({'example.org.yaml': ZONE, 'shared.yaml': SHARED}, folder=folder)
    finally:
        folder.remove()


@pytest.mark.parametrize('name, kind', TYPES)
def test_every_type(server, name, kind):
    german, other = TYPES[name, kind]
    asked = name.replace('*', 'any') + '.example.org.'
    for client, expected in (('10.1.2.0/24', german), ('10.3.2.0/24', other)):
        reply = server.ask(asked, kind, ecs=client)
        answers = [str(data) for record in reply.answer for data in record
                   if dns.rdatatype.to_text(record.rdtype) == kind]
        assert answers == [expected]
        assert ecs_of(reply).scopelen == (16 if expected == german else 15)


def test_nearest(server):
    for client, order in (('10.1.0.0/24', [10, 11, 12]), ('10.2.0.0/24', [11, 10, 12]),
                          ('10.3.0.0/24', [12, 10, 11])):
        first, second = (f'192.0.2.{host}' for host in order[:2])
        assert server.values('near.example.org.', ecs=client) == [first]
        assert server.values('near-two.example.org.', ecs=client) == [first, second]


def test_pools_of_pools(server):
    for _ in range(20):
        assert server.values('tree.example.org.') == ['192.0.2.22']


def test_rows_of_equal_values_share_a_scope(server):
    """10.2/15 holds us (10.2) and jp (10.3); de and us answer alike, so only jp is cut out."""
    reply = server.ask('same.example.org.', ecs='10.1.2.0/24')
    assert ecs_of(reply).scopelen == 15  # 10.0/15: de and everybody
    reply = server.ask('same.example.org.', ecs='10.3.2.0/24')
    assert ecs_of(reply).scopelen == 16


# --- ramps

def canary(port: int) -> dict:
    return {'type': 'A', 'ttl': 60, 'value': '127.0.0.2',
            'octodns': {'healthcheck': {'protocol': 'TCP', 'port': port}},
            'signpost': {'check': {'interval': 0.1, 'timeout': 0.1, 'fall': 2, 'rise': 1}},
            'dynamic': {'pools': {'new': {'values': [{'value': '127.0.0.1'}]},
                                  'old': {'values': [{'value': '127.0.0.2', 'status': 'up'}]}},
                        'rules': [{'pool': 'new', 'ramp': {'abort_below': '100%', 'steps': [
                            {'share': '30%', 'for': '1h'}, {'share': '100%'}]}}, {'pool': 'old'}]}}


def networks_in(server, count: int = 200) -> set:
    return {i for i in range(count)
            if server.values('canary.example.org.', ecs=f'10.7.{i}.0/24') == ['127.0.0.1']}


def ramp(server) -> dict:
    return server.get('/v1/ramps')['ramps'][0]


def test_ramp(daemon):
    with targets(1, 'open', '127.0.0.1') as (target,):
        server = daemon({'example.org.yaml': {'canary': canary(target.port)}},
                        health={'allow': ['127.0.0.0/8']})
        assert ramp(server)['mode'] == 'running' and 3500 < ramp(server)['next_step_in_seconds']
        first = networks_in(server)
        assert 30 < len(first) < 90
        name = 'ramp=canary.example.org:new'
        assert server.api('POST', f'/v1/ramps/hold?{name}')[0] == 200
        assert ramp(server)['mode'] == 'held' and networks_in(server) == first
        server.reload()
        assert ramp(server)['mode'] == 'held' and networks_in(server) == first
        told = server.folder.cli('ramps', 'abort', 'canary.example.org:new')
        assert (told.returncode, 'aborted' in told.stdout) == (0, True), told
        assert networks_in(server) == set()
        told = server.folder.cli('ramps', 'resume', 'canary.example.org:new')
        assert (told.returncode, 'running' in told.stdout) == (0, True), told
        assert networks_in(server) == first
        assert 'canary.example.org:new' in server.folder.cli('ramps').stdout
        assert server.folder.cli('ramps', 'abort', 'nobody').returncode == 1
        assert server.folder.cli('ramps', 'abort').returncode == 2
        assert server.api('POST', '/v1/ramps/hold?ramp=nobody')[0] == 404
    eventually(lambda: ramp(server)['mode'] == 'aborted', what='the abort by health')
    assert networks_in(server) == set()
    server.reload()
    assert ramp(server)['mode'] == 'aborted' and ramp(server)['share'] == 0


def test_ramps_outlive_a_restart_and_a_full_disk(daemon):
    """A full disk, as a folder in the place of the file to come."""
    with targets(1, 'open', '127.0.0.1') as (target,):
        server = daemon({'example.org.yaml': {'canary': canary(target.port)}},
                        health={'allow': ['127.0.0.0/8']}, ready=False).wait_ready()
        run = server.folder.path / 'run'
        (run / 'ramps.json.new').mkdir()
        status, body = server.api('POST', '/v1/ramps/hold?ramp=canary.example.org:new')
        assert status == 500 and 'not on disk yet' in body
        assert ramp(server)['mode'] == 'held'
        (run / 'ramps.json.new').rmdir()
        saved = run / 'ramps.json'
        eventually(lambda: saved.exists() and '"held"' in saved.read_text(), what='the save')
        server.kill()
        server = daemon(folder=server.folder)
        assert ramp(server)['mode'] == 'held'
        server.stop()
        saved.write_text('{')
        server = daemon(folder=server.folder)
        assert 'no list of ramps' in server.log.wait('state-damaged').fields['error']


# --- loads

def counts(server, name: str, queries: int = 400) -> dict:
    seen = {}
    for _ in range(queries):
        value = server.values(f'{name}.example.org.', ecs='10.1.0.0/24')[0]
        seen[value] = seen.get(value, 0) + 1
    return seen


def report(server, **load):
    assert server.api('POST', '/v1/loads', {'loads': [load]})[0] == 200


def test_loads(daemon):
    folder = Folder(geo={'networks': 'networks.csv'})
    folder.write('networks.csv', NETWORKS)
    sites = {'sites': {'fra': {'lat': 50.11, 'lon': 8.68, 'capacity': 100},
                       'nyc': {'lat': 40.71, 'lon': -74.01}}}
    server = daemon({'shared.yaml': sites, 'example.org.yaml': {
        'weighted': {'type': 'A', 'ttl': 60, 'values': ['192.0.2.1', '192.0.2.2'],
                     'signpost': {'method': 'weighted', 'load': {'target': 0.5, 'limit': 1}}},
        'near': near('fra', 'nyc')}}, folder=folder)
    try:
        assert 120 < counts(server, 'weighted')['192.0.2.1'] < 280
        report(server, value='192.0.2.1', load=0.9)
        eventually(lambda: counts(server, 'weighted').get('192.0.2.1', 0) < 110, what='shedding')
        report(server, value='192.0.2.1', load=2)
        eventually(lambda: counts(server, 'weighted', 50) == {'192.0.2.2': 50}, what='all shed')
        report(server, value='192.0.2.1', load=0.1)
        eventually(lambda: counts(server, 'weighted').get('192.0.2.1', 0) > 120, what='recovery')
        # A site over its capacity leaves its clients to the next.
        assert counts(server, 'near', 20) == {'192.0.2.10': 20}
        # From 80 % of it on it leaves them a part of their networks at a time.
        def nearest():
            return {n: server.values('near.example.org.', ecs=f'10.1.{n}.0/24')[0]
                    for n in range(64)}

        def moved(networks):
            return {n for n, value in networks.items() if value == '192.0.2.11'}

        shed = {}
        for load in (85, 90, 95):
            report(server, site='fra', load=load)
            before = moved(shed)
            shed = eventually(lambda: moved(now := nearest()) > before and now == nearest() and now,
                              what=f'some networks at {load}')
            assert len(moved(shed)) < 64
        for n in (min(moved(shed)), min(set(range(64)) - moved(shed))):
            told = server.get(f'/v1/explain?name=near.example.org&type=A&client=10.1.{n}.1')
            assert ('this network too' in str(told)) == (n in moved(shed))
            assert shed[n] in str(told['answer']) and told['scope'] == 24
        report(server, site='fra', load=120)
        eventually(lambda: counts(server, 'near', 20) == {'192.0.2.11': 20}, what='the next site')
        report(server, site='fra', load=10)
        eventually(lambda: counts(server, 'near', 20) == {'192.0.2.10': 20}, what='the way back')
        listed = {entry.get('value') or entry['site']: entry['load']
                  for entry in server.get('/v1/loads')['loads']}
        assert listed == {'192.0.2.1': 0.1, 'fra': 10}
        status, text = server.api('POST', '/v1/loads', {'loads': [{'value': 'x', 'site': 'y'}]})
        assert status == 422 and 'loads[0]' in text
    finally:
        folder.remove()


def test_fastest(daemon):
    folder = Folder(geo={'networks': 'networks.csv'})
    folder.write('networks.csv', NETWORKS)
    fast = near('fra', 'nyc')
    fast['signpost']['method'] = 'fastest'
    try:
        server = daemon({'shared.yaml': SHARED, 'example.org.yaml': {'fast': fast}}, folder=folder)
        assert server.values('fast.example.org.', ecs='10.1.7.0/24') == ['192.0.2.10']
        samples = [{'client': '10.1.7.9', 'site': site, 'ms': ms, 'count': 10}
                   for site, ms in (('fra', 90), ('nyc', 20))]
        assert server.api('POST', '/v1/rtt', {'samples': samples})[0] == 200
        eventually(lambda: server.values('fast.example.org.', ecs='10.1.7.0/24') == ['192.0.2.11'],
                   what='the faster site')
        assert server.values('fast.example.org.', ecs='10.1.8.0/24') == ['192.0.2.10']
        reply = server.ask('fast.example.org.', ecs='10.1.7.0/24')
        assert ecs_of(reply).scopelen == 24
        assert server.get('/v1/rtt')['networks'] == 1
        refused = [({'client': 'x', 'site': 'a', 'ms': 1}, 'client: '),
                   ({'client': '192.0.2.1', 'ms': 1}, 'either a site or a value'),
                   ({'client': '192.0.2.1', 'site': 'a', 'ms': 0}, 'ms: '),
                   ({'client': '192.0.2.1', 'site': 'a', 'ms': 1, 'count': 0}, 'count: ')]
        status, body = server.api('POST', '/v1/rtt', {'samples': [bad for bad, _ in refused]})
        assert status == 422
        for i, (error, (_, says)) in enumerate(zip(json.loads(body)['errors'], refused)):
            assert error['key'] == f'samples[{i}]' and says in error['message'], error
    finally:
        folder.remove()
