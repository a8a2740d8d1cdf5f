# SPDX-License-Identifier: GPL-3.0-or-later
"""What outlives a restart, and what is too old to."""

import pytest

from harness import eventually
from targets import targets
from test_health import record
from test_steer import NETWORKS, SHARED, near

BEAT = {'kind': 'heartbeat', 'name': 'writer', 'ttl': '60s'}


def beats(server) -> list[dict]:
    return [check for check in server.get('/v1/health')['checks'] if check['kind'] == 'heartbeat']


@pytest.mark.sanitizer
def test_heartbeats_outlive_a_restart(daemon, folder):
    made = folder()
    zone = {'example.org.yaml': {'www': {'type': 'A', 'ttl': 60, 'value': '192.0.2.1',
                                         'signpost': {'check': BEAT}}}}
    made.options['health']['first_round'] = 0
    made.write_config()
    server = daemon(zone, folder=made)
    eventually(lambda: server.api('POST', '/v1/health/beat', {
        'name': 'writer', 'load': 2.5, 'detail': '42 rows, "all" good'})[0] == 200)
    eventually(lambda: beats(server)[0]['state'] == 'up', what='up')
    server.stop()
    made.options['health']['first_round'] = 300
    made.write_config()
    server = daemon(folder=made)  # ready after its first result, for which nobody has to beat
    check = beats(server)[0]
    assert (check['state'], check['last_result'], check['load']) == ('up', 'OK', 2.5)
    assert check['detail'] == '42 rows, "all" good'


def test_states_that_are_too_old_are_no_fault(daemon, folder):
    made = folder()
    with targets(1, 'open') as members:
        made.options['health']['state_age'] = 0
        made.write_config()
        server = daemon({'example.org.yaml': {'www': record(members, kind='tcp')}}, folder=made)
        server.stop()
        assert (made.path / 'run/health.states').exists()
        server = daemon(folder=made)
        line = server.log.wait('states-too-old')
        assert line.level == 'info' and float(line.fields['age_seconds']) >= 0
        assert {'state-damaged', 'states-recalled'}.isdisjoint(
            line.event for line in server.log.since())


def test_loads_and_round_trips_outlive_a_restart(daemon, folder):
    made = folder(geo={'networks': 'networks.csv'})
    made.write('networks.csv', NETWORKS)
    fast = near('fra', 'nyc', load={'target': 0.5, 'limit': 1, 'age': 3600})
    fast['signpost']['method'] = 'fastest'
    zones = {'shared.yaml': SHARED, 'example.org.yaml': {'fast': fast}}

    def answer(network):
        return server.values('fast.example.org.', ecs=f'10.1.{network}.0/24')

    def loads():
        return {(entry.get('value') or entry['site'], entry['load'])
                for entry in server.get('/v1/loads')['loads']}

    server = daemon(zones, folder=made)
    samples = [{'client': f'10.1.{network}.9', 'site': site, 'ms': ms, 'count': 10}
               for network in (7, 8) for site, ms in (('fra', 90), ('nyc', 20))]
    assert server.api('POST', '/v1/rtt', {'samples': samples})[0] == 200
    reports = [{'value': '192.0.2.11', 'load': 0.1}, {'site': 'fra', 'load': 12.5}]
    assert server.api('POST', '/v1/loads', {'loads': reports})[0] == 200
    eventually(lambda: answer(7) == ['192.0.2.11'], what='the faster site')
    known = loads()
    server.stop()
    for _ in range(2):  # what was taken up is saved again, though nothing was reported since
        server = daemon(folder=made)
        assert answer(7) == answer(8) == ['192.0.2.11']  # with the first answer
        assert answer(9) == ['192.0.2.10']
        assert server.get('/v1/rtt')['networks'] == 2
        assert loads() == known
        server.stop()
