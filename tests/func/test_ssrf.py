# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that is said over the API aims a probe: no route takes a target that is then probed.

The document of a what-if is the only definition that the API takes, and it is not served; a probe
on request takes the number of a check that is. Ten thousand attempts go to the routes of health,
loads and what-ifs, with every spelling of an address; a canary listens on all IPv4 addresses that
are ours and on ::1, and must never be met.
"""

import contextlib
import json
import random
import select
import socket
import urllib.parse

from harness import SLOW, WAIT, UnixConnection

ATTEMPTS = 10000 if SLOW == 1.0 else 1500
SPELLINGS = ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0x7f.0.0.1', '0',
             '0.0.0.0', '::1', '[::1]', '::ffff:127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::',
             '::', 'fe80::1%lo', '169.254.169.254', '10.0.0.1', 'localhost', '127.0.0.1%00',
             '127.0.0.1\r\nHost: x', '\uff11\uff12\uff17.0.0.1', '127\u30020\u30020\u30021',
             '//127.0.0.1', '127.0.0.1#@x']
SERVED = {'type': 'A', 'values': ['192.0.2.1'], 'signpost': {'answers': 1}}
ROUTES = ('/v1/health/test', '/v1/health/beat', '/v1/health/manual', '/v1/health/release',
          '/v1/loads', '/v1/rtt', '/v1/simulate')


def canaries():
    first = socket.create_server(('0.0.0.0', 0))
    port = first.getsockname()[1]
    second = socket.socket(socket.AF_INET6)
    second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    second.bind(('::1', port))
    second.listen()
    third = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    third.bind(('0.0.0.0', port))
    return [first, second, third], port


def document(target: str, port: int, kind: str) -> str:
    """As JSON, which is YAML: any text is a value."""
    return json.dumps({'www': {'type': 'A', 'values': ['192.0.2.1', '127.0.0.1'], 'signpost': {
        'answers': 1, 'check': {'kind': kind, 'port': port, 'target': target}}}})


def attempt(numbers: random.Random, port: int) -> tuple[str, str, dict | None]:
    where = numbers.choice(SPELLINGS)
    target = numbers.choice([where, f'{where}:{port}', f'[{where}]:{port}',
                             f'http://{where}:{port}/'])
    kind = numbers.choice(['tcp', 'http', 'https', 'tls', 'udp', 'dns', 'smtp', 'grpc'])
    path = numbers.choice(ROUTES)
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
                         'document': document(target, port, kind)},
    }[path]
    if numbers.random() < 0.1:
        return 'GET', f'/v1/health/{urllib.parse.quote(target, safe="")}', None
    return 'POST', path, {**body, **extra}


def test_no_probe_is_aimed_over_the_api(daemon):
    sockets, port = canaries()
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    numbers = random.Random(seed)
    with contextlib.ExitStack() as exits:
        for one in sockets:
            exits.callback(one.close)
        # Probing these addresses is allowed here: only the API stands between.
        server = daemon({'example.org.yaml': {'www': SERVED}}, health={
            'allow': ['0.0.0.0/0', '::/0']})
        connection = UnixConnection(str(server.folder.path / 'run/signpost.sock'))
        exits.callback(connection.close)
        statuses: dict[str, set[int]] = {}
        for _ in range(ATTEMPTS):
            method, path, body = attempt(numbers, port)
            connection.request(method, path, body and json.dumps(body),
                               {'Content-Type': 'application/json'} if body else {})
            response = connection.getresponse()
            response.read()
            statuses.setdefault(path if body else 'GET', set()).add(response.status)
        print(statuses)
        assert all(status < 500 for found in statuses.values() for status in found), statuses
        # What-ifs were really made, and what was refused was refused as such.
        assert 200 in statuses['/v1/simulate'] and statuses['/v1/health/test'] <= {400, 404, 422}
        assert server.get('/v1/health')['checks'] == []
        assert server.values('www.example.org') == [SERVED['values'][0]]
        assert select.select(sockets, [], [], 0.5)[0] == [], 'a canary was met'
        # The canary can be met: the same target in a document that is served.
        server.folder.zone('example.org.yaml', document(f'127.0.0.1:{port}', port, 'tcp'))
        server.reload()
        assert select.select(sockets, [], [], WAIT)[0] == sockets[:1]
