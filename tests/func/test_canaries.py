# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe can never be aimed inside: canaries on every address that is not public, and everything
that a zone can say or a target can answer to reach them."""

import contextlib
import itertools
import socket
import threading

import pytest

from namespaces import ip_in, wire_between

INSIDE4 = ['127.0.0.1', '127.255.1.2', '10.0.0.1', '169.254.169.254', '172.16.0.1', '192.168.0.1',
           '100.64.0.1', '192.0.0.1', '198.18.0.1', '0.0.0.0', '240.0.0.1', '255.255.255.255',
           '224.0.0.1']
INSIDE6 = ['::1', '::', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::127.0.0.1', '::ffff:0:7f00:1',
           '64:ff9b::127.0.0.1', '64:ff9b:1::7f00:1', '2002:7f00:1::1', '2001:0:7f00:1::1',
           'fe80::1', 'fec0::1', 'fc00::1', 'fd12::1', 'ff02::1']
ON_LOOPBACK = ['10.0.0.1', '169.254.169.254', '172.16.0.1', '192.168.0.1', '100.64.0.1',
               '192.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::7f00:1', '2002:7f00:1::1',
               '2001:0:7f00:1::1', 'fec0::1', 'fc00::1', 'fd12::1', '::ffff:0:7f00:1']
PORTS = [80, 443, 8080]
KINDS = [
    {'kind': 'tcp', 'port': 80}, {'kind': 'http'}, {'kind': 'https'}, {'kind': 'tls'},
    {'kind': 'smtp', 'port': 8080}, {'kind': 'grpc', 'port': 80}, {'kind': 'icmp'},
    {'kind': 'udp', 'port': 80, 'send': 'x'}, {'kind': 'dns', 'port': 80},
    {'kind': 'dns', 'port': 80, 'tcp': True},
    {'kind': 'exec', 'port': 80, 'command': 'reach'},
]


class Canaries:
    """Listeners on every address of the namespace in which they are made."""

    def __init__(self):
        self.heard: list[str] = []
        self.sockets = []
        for family, any_address in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
            for port in PORTS:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    canary = socket.socket(family, kind)
                    if family == socket.AF_INET6:
                        canary.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    canary.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    canary.bind((any_address, port))
                    self.sockets.append(canary)
                    if kind == socket.SOCK_STREAM:
                        canary.listen(64)
                    threading.Thread(target=self._listen, args=(canary, kind), daemon=True).start()
        for family, protocol in ((socket.AF_INET, socket.IPPROTO_ICMP),
                                 (socket.AF_INET6, socket.IPPROTO_ICMPV6)):
            canary = socket.socket(family, socket.SOCK_RAW, protocol)
            self.sockets.append(canary)
            threading.Thread(target=self._echo, args=(canary,), daemon=True).start()

    def _listen(self, canary, kind):
        with contextlib.suppress(OSError):
            while True:
                if kind == socket.SOCK_STREAM:
                    connection, peer = canary.accept()
                    connection.close()
                else:
                    _, peer = canary.recvfrom(2048)
                    if not peer:
                        return
                self.heard.append(f'{canary.getsockname()} {peer}')

    def _echo(self, canary):
        requests = {socket.AF_INET: 8, socket.AF_INET6: 128}
        with contextlib.suppress(OSError):
            while True:
                packet, peer = canary.recvfrom(2048)
                head = packet[20:] if canary.family == socket.AF_INET else packet
                if head and head[0] == requests[canary.family]:
                    self.heard.append(f'echo {peer}')

    def close(self):
        for canary in self.sockets:
            with contextlib.suppress(OSError):
                canary.shutdown(socket.SHUT_RDWR)
            canary.close()


class Redirector:
    """At 192.0.2.1:80 in the world: /N leads to locations[N]."""

    def __init__(self, locations):
        self.locations, self.count = locations, 0
        self.listener = socket.create_server(('192.0.2.1', 80))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, ValueError, IndexError):
                request = connection.recv(4096).decode().split(' ')[1]
                if not request[1:].isdigit():  # it was sent back to us
                    connection.sendall(b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
                    continue
                location = self.locations[int(request[1:])]
                self.count += 1
                connection.sendall(b'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: '
                                   + location.encode() + b'\r\n\r\n')

    def close(self):
        self.listener.close()


def encodings(a, b, c, d):
    """What some library or other takes for an IPv4 address."""
    number = (a << 24) + (b << 16) + (c << 8) + d
    yield from (f'{number}', f'0x{number:x}', f'0{number:o}', f'{a}.{b}.{(c << 8) + d}',
                f'{a}.{(b << 16) + (c << 8) + d}', f'0{a:o}.0{b:o}.0{c:o}.0{d:o}',
                f'0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}', f'{a:03}.{b:03}.{c:03}.{d:03}',
                f'{a}.{b}.{c}.{d}.', f' {a}.{b}.{c}.{d}', f'{a}.{b}.{c}.{d} ',
                f'{a + 256}.{b}.{c}.{d}', f'{a}.{b}.{c}.{d}%lo', f'{a}.{b}.{c}.{d}/32',
                f'{a}.{b}.{c}.{d}:80:80', f'{a}.{b}.{c}.{d}\r\nX: y', f'{a}.{b}.{c}.{d}\0',
                f'[{a}.{b}.{c}.{d}]', f'::ffff:{a}.{b}.{c}.{d}%lo', f'fe80::{a}%lo', 'localhost',
                f'{a}.{b}.{c}.{d}.nip.example', f'\uff11{a}.{b}.{c}.{d}', f'@{a}.{b}.{c}.{d}',
                f'x@{a}.{b}.{c}.{d}:80', f'http://{a}.{b}.{c}.{d}/')


def record(check, values, family='A'):
    return {'type': family, 'ttl': 60, 'values': values, 'signpost': {'check': {
        'interval': 60, 'timeout': 1, **check}}}


def locations():
    for address in INSIDE4:
        yield from (f'http://{address}/', f'http://{address}:8080/', f'//{address}/')
        yield from (f'http://{text}/' for text in encodings(*map(int, address.split('.'))))
    for address in INSIDE6:
        yield from (f'http://[{address}]/', f'http://[{address}%25lo]/', f'http://{address}/')
    yield from ('http://localhost/', 'http://192.0.2.1@127.0.0.1/', 'http://127.0.0.1#@192.0.2.1/',
                'http://192.0.2.1:80@127.0.0.1:80/', 'gopher://127.0.0.1/', 'file:///etc/passwd',
                'http:\\\\127.0.0.1/', 'http:/127.0.0.1/', 'http:127.0.0.1/', '\\\\127.0.0.1\\',
                '/@127.0.0.1/', 'http://192.0.2.1\t@127.0.0.1/', 'http://192.0.2.1%00127.0.0.1/')


def test_nothing_inside_is_reached(daemon, folder):
    with wire_between(['192.0.2.1', '10.0.0.2', '192.168.0.2']) as wire, \
            contextlib.ExitStack() as exits:
        for address in ON_LOOPBACK:
            ip_in(wire.server, 'addr', 'add', address, 'dev', 'lo',
                  *(['nodad'] if ':' in address else []))
        canaries = wire.inside(Canaries, wire.server)
        exits.callback(canaries.close)
        outside = wire.inside(Canaries2)
        exits.callback(outside.close)
        places = list(locations())
        redirector = wire.inside(lambda: Redirector(places))
        exits.callback(redirector.close)
        zone = {}
        for number, (check, address) in enumerate(itertools.product(KINDS, INSIDE4)):
            zone[f'a{number}'] = record(check, [address])
            zone[f't{number}'] = record({**check, 'target': address}, ['192.0.2.9'])
        for number, (check, address) in enumerate(itertools.product(KINDS, INSIDE6)):
            zone[f'b{number}'] = record(check, [address], 'AAAA')
        direct = len(zone)
        for number in range(len(places)):
            zone[f'r{number}'] = record({'kind': 'http', 'path': f'/{number}', 'redirects': 5,
                                         'status': '200', 'timeout': 30}, ['192.0.2.1'])
        server = daemon({'example.org.yaml': zone}, prefix=wire.prefix, control='run/signpost.sock',
                        listen=['127.0.0.1:5300'],
                        health={'allow': [], 'commands': ['reach=/bin/true'], 'first_round': 60})
        checks = server.get('/v1/health')['checks']
        assert canaries.heard == [] and outside.heard == []
        denied = [check for check in checks if check['last_result'] == 'DENIED']
        assert {check['detail'] for check in denied} == {'address is not allowed by health.allow'}
        other = [check for check in checks if check['last_result'] != 'DENIED']
        # A target that is also a value is one check, unless the definition holds the owner name.
        named = sum(check['kind'] in ('http', 'https', 'tls', 'grpc', 'dns') for check in KINDS)
        assert len(denied) == direct - (len(KINDS) - named) * len(INSIDE4)
        assert {check['target'] for check in other} == {'192.0.2.1:80'}
        assert {check['last_result'] for check in other} == {'L7STS'}, other
        assert redirector.count >= len(places)


class Canaries2(Canaries):
    """Among the clients; port 80 of 192.0.2.1 is the redirector's."""

    def __init__(self):
        PORTS.remove(80)
        try:
            super().__init__()
        finally:
            PORTS.insert(0, 80)


@pytest.mark.parametrize('key', ['target', 'values', 'host', 'path', 'headers'])
def test_no_other_spelling_is_an_address(folder, key):
    """Each of them is a fault of the document, so none is ever probed."""
    texts = [text for address in INSIDE4 for text in encodings(*map(int, address.split('.')))
             if text != address]
    zone = {}
    for number, text in enumerate(texts):
        if key == 'values':
            zone[f'x{number}'] = record({'kind': 'tcp', 'port': 80}, [text])
        elif key == 'target':
            zone[f'x{number}'] = record({'kind': 'tcp', 'port': 80, 'target': text}, ['192.0.2.9'])
    bent = ['a\r\nX: y', 'a b', 'a\tb', 'a\0b', 'a\nb', '\x7f', '\xe4', 'a\r']
    if key in ('host', 'path', 'headers'):
        zone = {}
        for number, text in enumerate(bent):
            value = {'host': text, 'path': f'/{text}', 'headers': {'X': text}}[key]
            if key != 'headers' or text not in ('a b', 'a\tb'):
                zone[f'x{number}'] = record({'kind': 'http', key: value}, ['192.0.2.9'])
    made = folder()
    made.zone('example.org.yaml', zone)
    said = made.cli('check').stdout
    unsaid = [name for name in zone if f' {name}.' not in said]
    assert not unsaid, (unsaid, said[:3000])
