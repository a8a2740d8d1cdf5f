# SPDX-License-Identifier: GPL-3.0-or-later
"""PROXY protocol, version 2: who is the client when a load balancer stands before the server."""

import contextlib
import ipaddress
import random
import socket
import struct
import time

import pytest

import certificates
import wire
from harness import WAIT, make_query, values
import dns.message

pytestmark = pytest.mark.sanitizer

SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
PROXY = '127.0.5.1'  # listed
OTHER = '127.0.6.1'  # not listed
CLIENT = '198.51.100.7'
# A name whose answer says where the client is taken to be.
ZONE = {'test.example.yaml': {
    'who': {'type': 'A', 'records': [
        {'value': '192.0.2.1', 'line': 'office'}, {'value': '192.0.2.2', 'line': 'branch'},
        {'value': '192.0.2.9', 'line': 'default'}]}},
    'shared.yaml': {'lines': {'office': {'networks': ['198.51.100.0/24', '2001:db8:77::/48']},
                              'branch': {'networks': ['203.0.113.0/24']}}}}
WHO = make_query('who.test.example').to_wire()
OFFICE, BRANCH, ELSEWHERE = ['192.0.2.1'], ['192.0.2.2'], ['192.0.2.9']


def header(client: str | None = CLIENT, port: int = 4000, *, command: int = 0x21,
           stream: bool = False, tail: bytes = b'') -> bytes:
    if client is None:
        return SIGNATURE + struct.pack('!BBH', command, 0, len(tail)) + tail
    address = ipaddress.ip_address(client)
    local = ipaddress.ip_address('192.0.2.53' if address.version == 4 else '2001:db8::53')
    block = address.packed + local.packed + struct.pack('!HH', port, 53) + tail
    family = (0x10 if address.version == 4 else 0x20) | (1 if stream else 2)
    return SIGNATURE + struct.pack('!BBH', command, family, len(block)) + block


@pytest.fixture(scope='module')
def server(module_daemon):
    return module_daemon(ZONE, listen=['127.0.0.1:0', '[::1]:0'], proxy={'from': '127.0.5.0/24'},
                         rrl={'rate': 1000000, 'burst': 1000000})


def ask_udp(server, prefix: bytes, source: str = PROXY, query: bytes = WHO) -> list[str]:
    return wire.texts(server.exchange(prefix + query, source=source))


def ask_tcp(server, prefix: bytes, source: str = PROXY, query: bytes = WHO) -> list[str]:
    with server.client(tcp=True, source=source) as client:
        client.socket.sendall(prefix)
        return wire.texts(client.exchange(query))


@pytest.mark.parametrize('ask', [ask_udp, ask_tcp])
def test_client(server, ask):
    stream = ask is ask_tcp
    tlv = b'\x04\0\x05noise' + b'\xea\0\0'
    for client, expected in ((CLIENT, OFFICE), ('203.0.113.1', BRANCH), ('192.0.2.77', ELSEWHERE),
                             ('2001:db8:77::1', OFFICE), ('2001:db8:78::1', ELSEWHERE),
                             ('::ffff:198.51.100.7', OFFICE)):
        for tail in (b'', tlv, bytes(400)):
            assert ask(server, header(client, stream=stream, tail=tail)) == expected, client
    # LOCAL, and a client without an address: the proxy itself.
    assert ask(server, header(None, command=0x20)) == ELSEWHERE
    assert ask(server, header(CLIENT, command=0x20)) == ELSEWHERE
    assert ask(server, header(None)) == ELSEWHERE


def test_subnet_comes_first(server):
    """A client subnet within the query is the client, as without a proxy."""
    query = make_query('who.test.example', ecs='203.0.113.0/24').to_wire()
    assert ask_udp(server, header(), query=query) == BRANCH
    assert ask_tcp(server, header(stream=True), query=query) == BRANCH


def test_header_is_compulsory(server):
    refused = server.metric('proxy_refused_total')
    with server.client(source=PROXY) as client:
        for bad in (WHO, b'', b'\0', header()[:15], header()[:20], header(tail=bytes(500)) + WHO,
                    header(command=0x22) + WHO, SIGNATURE.lower() + header()[12:] + WHO):
            client.send(bad)
        assert wire.texts(client.exchange(header() + WHO)) == OFFICE  # the first answer that came
    assert server.metric('proxy_refused_total') == refused + 8
    for bad in (struct.pack('!H', len(WHO)) + WHO, header(command=0x22), b'\r\n\r\n\1',
                SIGNATURE + b'\x21\x11\xff\xff'):
        with server.client(tcp=True, source=PROXY) as client:
            client.socket.sendall(bad)
            with pytest.raises((wire.Closed, ConnectionResetError)):
                client.receive()
    assert server.metric('proxy_refused_total') == refused + 12


def test_header_from_others(server):
    """It is no header: over UDP a message of an unknown opcode, over TCP the length of one that
    never comes. In no case does it change who the client is."""
    assert ask_udp(server, b'', source=OTHER) == ask_tcp(server, b'', source=OTHER) == ELSEWHERE
    reply = server.exchange(header() + WHO, source=OTHER)
    assert len(reply) == 12 and reply[3] & 15 == 4
    with server.client(tcp=True, source=OTHER) as client:
        client.socket.settimeout(0.2)
        client.socket.sendall(header(stream=True) + struct.pack('!H', len(WHO)) + WHO)
        with pytest.raises((TimeoutError, wire.Closed)):
            client.receive()
    assert values(server.ask('who.test.example', family=socket.AF_INET6)) == ELSEWHERE


def test_cut_anywhere(server):
    """Over TCP the header may come in pieces, and the query with it."""
    stream = header(stream=True, tail=bytes(30)) + struct.pack('!H', len(WHO)) + WHO
    for cut in range(1, len(stream)):
        with server.client(tcp=True, source=PROXY) as client:
            client.socket.sendall(stream[:cut])
            client.socket.sendall(stream[cut:])
            assert wire.texts(client.receive()) == OFFICE
    with server.client(tcp=True, source=PROXY) as client:
        for byte in stream:
            client.socket.sendall(bytes([byte]))
        assert wire.texts(client.receive()) == OFFICE
        assert wire.texts(client.exchange(WHO)) == OFFICE  # one header a connection


def test_limits_count_the_client(daemon):
    """One proxy speaks for many: its connections are its clients'."""
    server = daemon(ZONE, listen=['127.0.0.1:0'], proxy={'from': ['127.0.5.0/24']},
                    limits={'tcp_clients_per_address': 2},
                    rrl={'rate': 1, 'burst': 5, 'slip': 0})
    with contextlib.ExitStack() as exits:
        clients = []
        for number in range(6):
            client = exits.enter_context(server.client(tcp=True, source=PROXY))
            client.socket.sendall(header(f'203.0.113.{number // 2}', stream=True))
            assert wire.texts(client.exchange(WHO)) == BRANCH
            clients.append(client)
        assert all(wire.texts(client.exchange(WHO)) == BRANCH for client in clients)
        newcomer = exits.enter_context(server.client(tcp=True, source=PROXY))
        newcomer.socket.sendall(header('203.0.113.1', stream=True))
        assert wire.texts(newcomer.exchange(WHO)) == BRANCH
        with pytest.raises((wire.Closed, ConnectionResetError, BrokenPipeError)):
            clients[2].exchange(WHO)  # the longest idle of the same client
        assert all(wire.texts(clients[i].exchange(WHO)) == BRANCH for i in (0, 1, 3, 4, 5))
        # Of IPv6 a client is a /64.
        for number in range(3):
            clients.append(exits.enter_context(server.client(tcp=True, source=PROXY)))
            clients[-1].socket.sendall(header(f'2001:db8:77::{number + 1}', stream=True))
            assert wire.texts(clients[-1].exchange(WHO)) == OFFICE
        with pytest.raises((wire.Closed, ConnectionResetError, BrokenPipeError)):
            clients[6].exchange(WHO)
        clients.append(exits.enter_context(server.client(tcp=True, source=PROXY)))
        clients[-1].socket.sendall(header('2001:db8:77:1::1', stream=True))
        assert all(wire.texts(client.exchange(WHO)) == OFFICE for client in clients[7:])
        # The rate limit too: one client is at its limit, another is not.
        with server.client(source=PROXY) as proxy:
            begin, answers = time.monotonic(), []
            for _ in range(20):
                proxy.send(header(CLIENT) + WHO)
            for number in range(5):
                proxy.send(header(f'203.0.113.{10 + number}') + WHO)
            while answers.count(BRANCH) < 5:
                answers.append(wire.texts(proxy.receive()))
            more = time.monotonic() - begin  # one a second
    limited = answers.count(OFFICE)
    assert 5 <= limited <= 5 + more and len(answers) == limited + 5
    assert server.metric('rrl_dropped_total') == 20 - limited


def test_before_tls(daemon, folder):
    made = folder(listen=['127.0.0.1:0'], listen_tls=['127.0.0.1:0'],
                  tls={'certificate': 'certificate.pem', 'key': 'key.pem'},
                  proxy={'from': '127.0.5.0/24'})
    certificate, _ = certificates.make(made.path)
    server = daemon(ZONE, folder=made)
    host, port = server.log.wait('ready').fields['listen_tls'].rsplit(':', 1)
    with wire.Client((host, int(port)), socket.AF_INET, True, PROXY, WAIT) as client:
        client.socket.sendall(header(stream=True))
        client.socket = certificates.context(certificate).wrap_socket(
            client.socket, server_hostname='dns.example')
        assert wire.texts(client.exchange(WHO)) == OFFICE


def test_rubbish(server):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    with server.client(source=PROXY) as client:
        for number in range(500):
            message = bytearray(header(tail=dice.randbytes(dice.randrange(40))) + WHO)
            for _ in range(dice.randrange(1, 4)):
                message[dice.randrange(len(message))] = dice.randrange(256)
            client.send(bytes(message))
            query = make_query('who.test.example')
            query.id = number
            client.send(header() + query.to_wire())
            while True:
                reply = client.receive()
                if reply[:2] == query.to_wire()[:2] and wire.texts(reply) == OFFICE:
                    break
    assert dns.message.from_wire(server.exchange(WHO)).rcode() == 0
