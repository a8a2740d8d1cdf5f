# SPDX-License-Identifier: GPL-3.0-or-later
"""The probing process: what it may not have, and what happens when it dies or hangs."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

import certificates
from harness import eventually
from targets import targets
from test_health import INTERVAL, addresses, answers, record
from test_health_events import Stream
from test_health_operator import zone_of

pytestmark = pytest.mark.sanitizer


def own(**more):
    return {'allow': ['127.0.0.0/8'], 'process': 'own', **more}


def child_of(server) -> int:
    children = Path(f'/proc/{server.process.pid}/task/{server.process.pid}/children').read_text()
    return int(children.split()[0])


@pytest.mark.parametrize('kind,off', [('tcp', 'off'), ('http', 503)])
def test_probes_from_a_process_of_its_own(daemon, kind, off):
    with targets(3, 200) as members:
        server = daemon({'example.org.yaml': {'www': record(members, kind=kind)}}, health=own())
        members[0].switch(off)
        eventually(lambda: answers(server) == addresses(members[1:]))
        members[0].switch(200)
        eventually(lambda: answers(server) == addresses(members))
        assert server.metric('prober_alive') == 1
        # A check that ends and another definition reach it too.
        server.folder.zone('example.org.yaml', {'www': record(
            members[1:], kind=kind, check={'interval': 0.2})})
        server.reload()
        members[1].switch('off')
        eventually(lambda: answers(server) == [members[2].address])


def test_paths_are_those_of_the_server(daemon, folder):
    """Also when all of them are relative, to a folder in which the process does not work."""
    with targets(1, 'open') as members:
        made = folder()
        certificates.make(made.path)
        made.config = made.config.relative_to(made.path)
        zone = zone_of(members, ca='../certificate.pem')
        zone['example.org.yaml']['www']['signpost']['check']['kind'] = 'tls'
        server = daemon(zone, folder=made, health=own())
        check = server.checks()[members[0].endpoint]
        assert check['last_result'].startswith('L6'), check


def test_it_has_nothing_of_the_server(daemon):
    with targets(1, 'open') as members:
        server = daemon(zone_of(members), health=own())
        child = child_of(server)
        links = []
        for link in Path(f'/proc/{child}/fd').iterdir():
            with contextlib.suppress(FileNotFoundError):  # a probe that has just ended
                links.append(os.readlink(link))
        assert not [link for link in links if 'zones' in link or 'run/' in link]
        sockets = [link for link in links if link.startswith('socket:')]
        assert len(sockets) <= 2  # the pair, and a probe that may be under way
        status = Path(f'/proc/{child}/status').read_text()
        assert 'NoNewPrivs:\t1' in status
        environment = Path(f'/proc/{child}/environ')
        if os.access(environment, os.R_OK):
            assert b'HOME' not in environment.read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason='changing users takes root')
def test_it_has_a_user_of_its_own(daemon):
    with targets(2, 'open') as members:
        server = daemon(zone_of(members), health=own(user='nobody'))
        status = Path(f'/proc/{child_of(server)}/status').read_text()
        assert 'Uid:\t65534\t65534\t65534\t65534' in status
        assert 'CapEff:\t0000000000000000' in status
        members[0].switch('off')
        eventually(lambda: answers(server) == [members[1].address])


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP])
def test_states_stay_when_it_dies_or_hangs(daemon, number):
    with targets(3, 'open') as members:
        server = daemon(zone_of(members), health=own())
        members[0].switch('off')
        eventually(lambda: answers(server) == addresses(members[1:]))
        child = child_of(server)
        stream = Stream(server)
        os.kill(child, number)
        server.log.wait('prober-ended')
        assert answers(server) == addresses(members[1:])  # nothing is blamed on the targets
        eventually(lambda: server.metric('prober_alive') == 1 and child_of(server) != child)
        told = [stream.next() for _ in range(2)]
        assert [(event['type'], event['alive']) for event in told] == [('prober', False),
                                                                       ('prober', True)]
        members[1].switch('off')
        eventually(lambda: answers(server) == [members[2].address])
        assert server.metric('prober_starts_total') == 2
        checks = server.checks()
        assert checks[members[2].endpoint]['changes'] == 1


def test_it_ends_with_the_server(daemon):
    with targets(1, 'open') as members:
        server = daemon(zone_of(members), health=own(), ready=False).wait_ready()
        child = child_of(server)
        server.process.kill()
        eventually(lambda: not Path(f'/proc/{child}').exists() or
                   ' Z ' in Path(f'/proc/{child}/stat').read_text())
        server.process.wait()


def test_a_user_that_is_not_there_stops_the_start(daemon):
    server = daemon({}, ready=False, health=own(user='nobody-at-all'))
    assert server.wait_exit() == 1
    assert 'health.user' in server.log.text()
