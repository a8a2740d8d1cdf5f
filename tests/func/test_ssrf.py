# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that is said over the API aims a probe: no route takes a target that is then probed.

The document of a what-if is the only definition that the API takes, and it is not served; a probe
on request takes the number of a check that is. Thousands of attempts (SIGNPOST_SCALE=5: 10,000) go
to the routes of health, loads and what-ifs, with every spelling of an address. Canaries listen on
addresses of all kinds that are inside, in a namespace, and must never be met; and what is told of
an address must be the same whether somebody listens there or not.
"""

import contextlib
import json
import random
import re
import select
import socket
import urllib.parse

from harness import SCALE, SLOW, WAIT, UnixConnection
from namespaces import ip_in, wire_between

ATTEMPTS = int((2000 if SLOW == 1.0 else 400) * SCALE)
INSIDE = ['10.0.0.1', '169.254.169.254', 'fd12::1']  # beside loopback
SPELLINGS = ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0x7f.0.0.1', '0',
             '0.0.0.0', '::1', '[::1]', '::ffff:127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::',
             '::', 'fe80::1%lo', '169.254.169.254', '10.0.0.1', 'localhost', '127.0.0.1%00',
             '127.0.0.1\r\nHost: x', '\uff11\uff12\uff17.0.0.1', '127\u30020\u30020\u30021',
             '//127.0.0.1', '127.0.0.1#@x']
SERVED = {'type': 'A', 'values': ['192.0.2.1'], 'signpost': {'answers': 1}}
ROUTES = ('/v1/health/test', '/v1/health/beat', '/v1/health/manual', '/v1/health/release',
          '/v1/loads', '/v1/rtt', '/v1/simulate')


class Canaries:
    """Listeners on all addresses of the namespace, TCP and UDP, at one port; and a port at which
    nobody listens."""

    def __init__(self):
        self.sockets = []
        self.port = self._listen(socket.AF_INET, '0.0.0.0', 0)
        self._listen(socket.AF_INET6, '::', self.port)
        with socket.create_server(('0.0.0.0', 0)) as unused:
            self.closed = unused.getsockname()[1]

    def _listen(self, family, host: str, port: int) -> int:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            canary = socket.socket(family, kind)
            self.sockets.append(canary)
            if family == socket.AF_INET6:
                canary.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            canary.bind((host, port))
            port = canary.getsockname()[1]
            if kind == socket.SOCK_STREAM:
                canary.listen()
        return port

    def met(self, timeout: float) -> list:
        return select.select(self.sockets, [], [], timeout)[0]

    def close(self):
        for canary in self.sockets:
            canary.close()


def document(target: str, port: int, kind: str, **more) -> str:
    """As JSON, which is YAML: any text is a value."""
    return json.dumps({'www': {'type': 'A', 'values': ['192.0.2.1', '127.0.0.1'], 'signpost': {
        'answers': 1, 'check': {'kind': kind, 'port': port, 'target': target, **more}}}})


def attempt(numbers: random.Random, port: int) -> tuple[str, str, dict | None]:
    where = numbers.choice(SPELLINGS)
    target = numbers.choice([where, f'{where}:{port}', f'[{where}]:{port}',
                             f'http://{where}:{port}/'])
    kind = numbers.choice(['tcp', 'http', 'https', 'tls', 'udp', 'dns', 'smtp', 'grpc'])
    path = numbers.choice(ROUTES)
    bent = {key: numbers.choice([target, f'/{target}', f'a\r\nHost: {target}',
                                 f'/x\r\nX: {target}'])
            for key in ('host', 'path') if numbers.random() < 0.2}
    extra = {key: target for key in ('target', 'url', 'host', 'address')
             if numbers.random() < 0.2}
    body = {
        '/v1/health/test': {'check': numbers.choice([target, -1, 1 << 40, 10**6, 0.5])},
        '/v1/health/beat': {'name': target, 'detail': target},
        '/v1/health/manual': {'pattern': f'value:{target}', 'state': 'drain', 'for': 1},
        '/v1/health/release': {'pattern': f'value:{target}'},
        '/v1/loads': {'loads': [{'value': target, 'load': 1}]},
        '/v1/rtt': {'samples': [{'client': '192.0.2.7', 'value': target, 'ms': 3}]},
        '/v1/simulate': {'name': numbers.choice(['www.example.org', target]),
                         'document': document(target, port, kind, **bent)},
    }[path]
    if numbers.random() < 0.1:
        return 'GET', f'/v1/health/{urllib.parse.quote(target, safe="")}', None
    return 'POST', path, {**body, **extra}


@contextlib.contextmanager
def canaries_inside():
    """A namespace that has addresses of its own inside, and canaries on them."""
    with wire_between(['192.0.2.1']) as wire:
        for address in INSIDE:
            ip_in(wire.server, 'addr', 'add', address, 'dev', 'lo',
                  *(['nodad'] if ':' in address else []))
        canaries = wire.inside(Canaries, wire.server)
        with contextlib.closing(canaries):
            yield wire, canaries


def say(connection, method: str, path: str, body: dict | None) -> tuple[int, str]:
    connection.request(method, path, body and json.dumps(body),
                       {'Content-Type': 'application/json'} if body else {})
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_no_probe_is_aimed_over_the_api(daemon):
    seed = random.randrange(1 << 32)
    print(f'{ATTEMPTS} attempts, seed {seed}')
    numbers = random.Random(seed)
    with canaries_inside() as (wire, canaries), contextlib.ExitStack() as exits:
        # Probing these addresses is allowed here: only the API stands between.
        server = daemon({'example.org.yaml': {'www': SERVED}}, prefix=wire.prefix, health={
            'allow': ['0.0.0.0/0', '::/0']})
        connection = UnixConnection(str(server.folder.path / 'run/signpost.sock'))
        exits.callback(connection.close)
        statuses: dict[str, set[int]] = {}
        for _ in range(ATTEMPTS):
            method, path, body = attempt(numbers, canaries.port)
            status, _ = say(connection, method, path, body)
            statuses.setdefault(path if body else 'GET', set()).add(status)
        print(statuses)
        assert all(status < 500 for found in statuses.values() for status in found), statuses
        # What-ifs were really made, and what was refused was refused as such.
        assert 200 in statuses['/v1/simulate'] and statuses['/v1/health/test'] <= {400, 404, 422}
        assert server.get('/v1/health')['checks'] == []
        assert canaries.met(0.5) == [], 'a canary was met'
        # The canary can be met: the same target in a document that is served.
        for address in (*INSIDE, '127.0.0.1', '::1'):
            target = f'[{address}]' if ':' in address else address
            server.folder.zone('example.org.yaml',
                               document(f'{target}:{canaries.port}', canaries.port, 'tcp'))
            server.reload()
            met = canaries.met(WAIT)
            assert len(met) == 1 and met[0].type == socket.SOCK_STREAM, address
            met[0].accept()[0].close()


def words(body: str) -> str:
    """Without numbers: ports, identifiers, moments."""
    return re.sub(r'[0-9]+', 'N', body)


def test_answers_do_not_tell_what_listens(daemon):
    """The same attempt at a port with a canary and at one without: the same words, also about
    checks that are served, and the canary is not met."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    numbers = random.Random(seed)
    with canaries_inside() as (wire, canaries), contextlib.ExitStack() as exits:
        ports = {'open': canaries.port, 'closed': canaries.closed}
        zone = {}
        for number, address in enumerate((*INSIDE, '127.0.0.1', '127.9.9.9', '::1')):
            for word, port in ports.items():
                for kind in ('tcp', 'http', 'https', 'tls', 'dns', 'smtp', 'grpc'):
                    zone[f'{word}{number}{kind}'] = {
                        'type': 'AAAA' if ':' in address else 'A', 'values': [address],
                        'signpost': {'check': {'kind': kind, 'port': port, 'interval': 60}}}
        server = daemon({'example.org.yaml': zone}, prefix=wire.prefix,
                        health={'allow': [], 'first_round': 60})
        connection = UnixConnection(str(server.folder.path / 'run/signpost.sock'))
        exits.callback(connection.close)
        found = server.get('/v1/health')['checks']
        assert len(found) == len(zone)
        assert {(check['last_result'], check['detail']) for check in found} == {
            ('DENIED', 'address is not allowed by health.allow')}
        # A probe on request says no more than the schedule's.
        told = {word: {words(say(connection, 'POST', '/v1/health/test',
                                 {'check': check['check']})[1])
                       for check in found if check['target'].endswith(f':{port}')}
                for word, port in ports.items()}
        assert told['open'] == told['closed'], told
        assert all('DENIED' in body for body in told['open']) and told['open'], told
        for _ in range(ATTEMPTS // 10):
            state = numbers.getstate()
            answers = []
            for port in ports.values():
                numbers.setstate(state)
                status, body = say(connection, *attempt(numbers, port))
                answers.append((status, words(body)))
            assert answers[0] == answers[1]
        assert canaries.met(0.5) == [], 'a canary was met'
