# SPDX-License-Identifier: GPL-3.0-or-later
"""What outlives a restart, and what is too old to."""

import pytest

from harness import eventually
from targets import targets
from test_health import record

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
