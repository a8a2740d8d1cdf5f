# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall clock jumps under the whole daemon: no state moves, no answer changes."""

import datetime
import os
import signal
import time
from pathlib import Path

import pytest

from harness import eventually, is_instrumented, values
from targets import targets
from test_health import addresses, record

# One after the other in the same daemon, so most of them jump both ways.
JUMPS = {'a second back': '-1', 'an hour ahead': '+1h', 'an hour back': '-1h',
         'ten years ahead': '+10y', 'the end of signed 32 bits': '@2038-01-19 03:14:07',
         'the end of unsigned 32 bits': '@2106-02-07 06:28:15', 'home': '+0'}
PROBES = 3


def library() -> str:
    found = sorted(Path('/usr/lib').glob('*/faketime/libfaketimeMT.so.1'))
    assert found, 'libfaketime is not installed (scripts/packages-test.txt)'
    return str(found[0])


def ahead_of(jump: str) -> float:
    """What a jump puts between the daemon's wall clock and ours, in seconds."""
    if jump.startswith('@'):
        moment = datetime.datetime.fromisoformat(jump[1:]).replace(tzinfo=datetime.UTC)
        return moment.timestamp() - time.time()
    unit = {'h': 3600, 'y': 365 * 86400}.get(jump[-1], 1)
    return int(jump.rstrip('hy')) * unit


@pytest.mark.skipif(is_instrumented(), reason='a preloaded library comes before the sanitizer')
def test_jumps_change_nothing(daemon, folder, tmp_path):
    jump_file = tmp_path / 'jump'
    jump_file.write_text('+0\n')
    environment = {'LD_PRELOAD': library(), 'FAKETIME_TIMESTAMP_FILE': str(jump_file),
                   'FAKETIME_NO_CACHE': '1', 'FAKETIME_DONT_FAKE_MONOTONIC': '1',
                   'DONT_FAKE_MONOTONIC': '1', 'FAKETIME_DONT_RESET': '1', 'TZ': 'UTC'}
    with targets(4, 'open') as members, targets(2, 200) as pages:
        members[0].switch('off')
        check = {'interval': 0.4, 'timeout': 0.4, 'fall': 5, 'flap_failures': 0}
        server = daemon(
            {'example.org.yaml': {'www': record(members, kind='tcp', check=check),
                                  'web': record(pages, check=check)}},
            folder=folder(health={'allow': ['127.0.0.0/8'], 'process': 'inside'}),
            environment=environment)
        expected = {'www.example.org': addresses(members[1:]), 'web.example.org': addresses(pages)}
        eventually(lambda: {check['state'] for check in server.checks().values()
                            if check['target'] != members[0].endpoint} == {'up'})
        eventually(lambda: server.checks()[members[0].endpoint]['state'] == 'down')

        def look():
            """Asks every name once: the answers are what they were."""
            for name, wanted in expected.items():
                reply = server.ask(name)
                assert reply.rcode() == 0 and sorted(values(reply)) == wanted, reply

        def since():
            text = server.checks()[members[1].endpoint]['since']
            return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()
        look()
        true_since, mark = since(), server.log.mark()
        changes = {target: check['changes'] for target, check in server.checks().items()}
        for what, jump in JUMPS.items():
            fresh = tmp_path / 'fresh'
            fresh.write_text(f'{jump}\n')
            fresh.rename(jump_file)
            shift = ahead_of(jump)
            assert abs(since() - true_since - shift) < 10, f'{what}: the clock did not jump'
            before = {target: check['probes'] for target, check in server.checks().items()}
            begin = time.monotonic()
            while any(check['probes'] < before[target] + PROBES
                      for target, check in server.checks().items()):
                look()
                assert time.monotonic() - begin < 20, f'{what}: probes came to a stop'
            assert changes == {target: check['changes']
                               for target, check in server.checks().items()}, what
        assert [line.text for line in server.log.since(mark)
                if line.event in ('check-changed', 'doubt-began')] == []


def test_a_stopped_process_blames_nobody(daemon):
    """As after a suspend: probes ran out meanwhile, heartbeats were not heard."""
    beat = {'kind': 'heartbeat', 'name': 'writer', 'ttl': '4s'}
    with targets(3, 'open') as members:
        server = daemon({'example.org.yaml': {
            'www': record(members, kind='tcp', check={'interval': 0.5, 'fall': 1}),
            'beat': {'type': 'A', 'value': '192.0.2.1', 'signpost': {'check': beat}}}},
            health={'allow': ['127.0.0.0/8'], 'first_round': 0})

        def push():
            return server.api('POST', '/v1/health/beat', {'name': 'writer'})[0] == 200

        def checks():
            return server.get('/v1/health')['checks']
        eventually(push)
        eventually(lambda: {check['state'] for check in checks()} == {'up'})
        assert push()
        mark = server.log.mark()
        os.kill(server.process.pid, signal.SIGSTOP)
        time.sleep(5)  # that is what happens
        os.kill(server.process.pid, signal.SIGCONT)
        before = {check['check']: check['probes'] for check in checks()}
        eventually(lambda: push() and all(check['probes'] > before[check['check']]
                                          for check in checks()), what='a probe of each')
        assert {check['state'] for check in checks()} == {'up'}
        assert [line.text for line in server.log.since(mark)
                if line.event in ('check-changed', 'doubt-began')] == []
