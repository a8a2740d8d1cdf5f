# SPDX-License-Identifier: GPL-3.0-or-later
"""The same answer by every road (RFC 7720), and from the address that was asked."""

import contextlib
import os
import random
import re
import socket
import struct
import subprocess
from pathlib import Path

import dns.edns
import dns.message
import pytest

import certificates
import namespaces
import wire
from harness import SCALE, SLOW, WAIT, Folder, make_query, values, with_flipped_bit

COUNT = int(os.environ.get('SIGNPOST_PARITY', 20_000 * SCALE / (10 if SLOW > 1 else 1)))
TYPES = ['A', 'AAAA', 'NS', 'SOA', 'MX', 'TXT', 'CNAME', 'SRV', 'CAA', 'DS', 'DNAME', 'ANY',
         'TYPE1', 'TYPE65280', 'NAPTR', 'HTTPS']
ZONE = '''\
$ORIGIN test.example.
$TTL 600
@       SOA   ns1 hostmaster ( 7 3600 600 86400 300 )
        NS    ns1
        NS    ns2
        MX    10 mail
        TXT   "v=spf1 -all"
ns1     A     192.0.2.53
ns2     AAAA  2001:db8::53
www     A     192.0.2.1
        AAAA  2001:db8::1
mail    A     192.0.2.25
alias   CNAME www
chain   CNAME alias
lost    CNAME nowhere
out     CNAME www.elsewhere.example.
*.wild  TXT   "wild"
        A     192.0.2.99
a.b.ent A     192.0.2.3
cut     NS    ns.cut
        NS    ns.elsewhere.example.
ns.cut  A     192.0.2.4
below   DNAME www
_s._tcp SRV   1 2 53 www
''' + ''.join(f'many MX {number} mail{number}\n' for number in range(60)) \
    + ''.join(f'text TXT "{number:02} {"y" * 120}"\n' for number in range(12))
STEERED = {
    'fixed': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.11', 'line': 'office'}, {'value': '192.0.2.12', 'line': 'default'}]},
    'sticky': {'type': 'A', 'ttl': 60, 'value': '192.0.2.9', 'dynamic': {
        'pools': {'p': {'values': [{'value': f'192.0.2.{i}'} for i in range(20, 30)]}},
        'rules': [{'pool': 'p'}]}, 'signpost': {'method': 'sticky'}},
}
SHARED = {'lines': {'office': {'networks': ['198.51.100.0/24', '2001:db8:77::/48']}}}
NAMES = ['test.example', 'www', 'mail', 'ns1', 'alias', 'chain', 'lost', 'out', 'x.wild', 'wild',
         '*.wild', 'a.x.wild', 'ent', 'b.ent', 'a.b.ent', 'z.ent', 'cut', 'x.cut', 'ns.cut',
         'below', 'x.below', 'many', 'text', '_s._tcp', 'nowhere', 'x.y.nowhere', 'WwW',
         'fixed.steered', 'sticky.steered', 'x.fixed.steered']
OUTSIDE = ['example', 'elsewhere.example', '.', 'test.example.com', 'xtest.example']
SUBNETS = ['198.51.100.0/24', '203.0.113.0/24', '203.0.114.7/32', '2001:db8:77::/56',
           '2001:db8:99::/48', '0.0.0.0/0']


def question(dice: random.Random) -> bytes:
    name = dice.choice(OUTSIDE) if dice.random() < 0.05 else dice.choice(NAMES)
    if name not in OUTSIDE and name != 'test.example':
        name = f'{name}.test.example'
    rdclass = dice.choice(['IN'] * 30 + ['CH', 'ANY', 'NONE'])
    options = []
    subnet = dice.choice(SUBNETS) if dice.random() < 0.3 else None
    if 'sticky' in name and subnet in (None, '0.0.0.0/0'):
        subnet = SUBNETS[0]  # else the source is what it sticks to
    if dice.random() < 0.1:
        options.append(dns.edns.GenericOption(dice.choice([3, 65001]), b''))
    query = make_query(name, dice.choice(TYPES), rdclass=rdclass, ecs=subnet,
                       do=dice.random() < 0.2, edns=dice.random() < 0.5 or None,
                       payload=dice.choice([512, 900, 1232, 4096]), options=options)
    query.flags |= dice.choice([0, 0x0100, 0x0010, 0x0020, 0x0130])
    wired = bytearray(query.to_wire())
    if dice.random() < 0.03:
        wired = bytearray(with_flipped_bit(query, dice, 4))
    if dice.random() < 0.01:
        wired[2] = wired[2] & 0x87 | dice.randrange(1, 16) << 3  # another opcode
    return bytes(wired)


def without_transport(rdata: bytes) -> bytes:
    """OPT without keepalive and padding, which are about the transport."""
    kept, at = b'', 0
    while at < len(rdata):
        code, size = struct.unpack_from('!HH', rdata, at)
        kept += b'' if code in (11, 12) else rdata[at:at + 4 + size]
        at += 4 + size
    return kept


def sections(message: bytes) -> tuple:
    """What a message says, without the order of the records of a section."""
    at = 12
    for _ in range(struct.unpack_from('!H', message, 4)[0]):
        at = wire.skip_name(message, at) + 4
    parts = [message[2:4], message[12:at]]
    for count in struct.unpack_from('!HHH', message, 6):
        found, at = wire.records(message, count, at)
        parts.append(tuple(sorted(
            (kind, ttl, without_transport(rdata) if kind == 41 else rdata)
            for kind, ttl, rdata in found)))
    return tuple(parts)


def is_cut(message: bytes) -> bool:
    return bool(message[2] & 2)


@pytest.fixture(scope='module')
def server(module_daemon):
    with contextlib.ExitStack() as exits:
        folder = Folder(listen_tls=['127.0.0.1:0', '[::1]:0'],
                        tls={'certificate': 'certificate.pem', 'key': 'key.pem'})
        exits.callback(folder.remove)
        certificates.make(folder.path)
        yield module_daemon({'test.example.zone': ZONE, 'steered.test.example.yaml': STEERED,
                             'shared.yaml': SHARED}, folder=folder)


def secure_client(server, family: int, endpoint: tuple[str, int] | None = None,
                  source: str | None = None) -> wire.Client:
    if endpoint is None:
        for text in server.log.wait('ready').fields['listen_tls'].split(','):
            host, port = text.rsplit(':', 1)
            if host.startswith('[') == (family == socket.AF_INET6):
                endpoint = host.strip('[]'), int(port)
    client = wire.Client(endpoint, family, True, source, WAIT)
    context = certificates.context(server.folder.path / 'certificate.pem')
    client.socket = context.wrap_socket(client.socket, server_hostname='dns.example')
    return client


@pytest.mark.sanitizer
def test_parity(server):
    """R7: one corpus over IPv4 and IPv6, UDP, TCP and TLS. The answers are equal, but for TC and
    what it stands for. SIGNPOST_PARITY is the number of questions, SIGNPOST_SEED repeats a run."""
    seed = int(os.environ.get('SIGNPOST_SEED', random.randrange(1 << 32)))
    print(f'SIGNPOST_SEED={seed}')
    dice = random.Random(seed)
    large = make_query('many.test.example', 'MX').to_wire()  # is cut over UDP for certain
    kinds = [large] + [question(dice) for _ in range(min(COUNT, 5000) - 1)]
    corpus = kinds + [dice.choice(kinds) for _ in range(COUNT - len(kinds))]
    answers: dict[str, list[bytes]] = {}
    for family, version in ((socket.AF_INET, 'v4'), (socket.AF_INET6, 'v6')):
        for transport in ('UDP', 'TCP', 'TLS'):
            with secure_client(server, family) if transport == 'TLS' else \
                    server.client(family, tcp=transport == 'TCP') as client:
                answers[f'{transport} {version}'] = client.ask_many(corpus)
    reference, cut = answers['TCP v4'], 0
    for road, replies in answers.items():
        for query, reply, expected in zip(corpus, replies, reference, strict=True):
            if reply[2:] == expected[2:]:
                continue
            if road.startswith('UDP') and is_cut(reply):
                assert len(expected) > len(reply) and reply[12:16] == expected[12:16]
                assert reply[2] & 0xfd == expected[2] and reply[3] == expected[3]
                cut += 1
                continue
            assert sections(reply) == sections(expected), (road, query.hex())
    assert cut >= 2
    rcodes = {reply[3] & 15 for reply in reference}
    assert rcodes >= {0, 1, 3, 4, 5}, rcodes


ADDRESSES = ['198.18.0.1', '198.18.7.1', '198.18.7.2', '2001:2::1', '2001:2::7', '2001:2:1::1']
CLIENTS = ['192.0.2.200', '2001:db8:aa::1']


@pytest.fixture(scope='module')
def wired():
    with namespaces.wire_between(CLIENTS) as made:
        made.add(made.server, *(address for address in ADDRESSES
                                if address not in namespaces.SERVER.values()))
        yield made


def test_answers_come_from_the_address_that_was_asked(daemon, wired):
    """Wildcard sockets on a machine of several addresses: each answers as itself. The client's
    sockets are connected and take nothing from elsewhere."""
    with contextlib.ExitStack() as exits:
        folder = Folder(listen=['0.0.0.0:53', '[::]:53'], listen_tls=['0.0.0.0:853', '[::]:853'],
                        tls={'certificate': 'certificate.pem', 'key': 'key.pem'}, workers=2)
        exits.callback(folder.remove)
        certificates.make(folder.path)
        server = daemon({'test.example.zone': ZONE}, folder=folder, prefix=wired.prefix)
        query = make_query('www.test.example').to_wire()

        def ask_all() -> list[tuple]:
            found = []
            for address in ADDRESSES:
                family = socket.AF_INET6 if ':' in address else socket.AF_INET
                source = CLIENTS[1] if ':' in address else CLIENTS[0]
                for tcp in (False, True):
                    for _ in range(8):  # ports are dealt out to workers
                        with wire.Client((address, 53), family, tcp, source, WAIT) as client:
                            found.append((address, wire.texts(client.exchange(query))))
                with secure_client(server, family, (address, 853), source) as client:
                    found.append((address, wire.texts(client.exchange(query))))
            return found

        found = wired.inside(ask_all)
        assert found and all(answer == ['192.0.2.1'] for _, answer in found), found


def target(process: Path, number: str) -> str:
    """What a descriptor stands for; it may be closed meanwhile."""
    try:
        return os.readlink(process / 'fd' / number)
    except FileNotFoundError:
        return 'closed'


def watched(process: Path) -> set[str]:
    """What the epolls of a process watch, by the names that /proc gives it."""
    epolls = [number for number in os.listdir(process / 'fd')
              if target(process, number) == 'anon_inode:[eventpoll]']
    return {target(process, number) for name in epolls
            for number in re.findall(r'^tfd: *(\d+)',
                                     (process / 'fdinfo' / name).read_text(), re.MULTILINE)}


def inodes(process: Path, transport: str, port: int) -> set[str]:
    """The sockets of a port, by the same names."""
    rows = [line.split() for line in (process / 'net' / transport).read_text().splitlines()[1:]]
    return {f'socket:[{row[9]}]' for row in rows if int(row[1].split(':')[1], 16) == port}


def test_no_epoll_watches_a_udp_socket_in_use(server):
    """It would be called for each datagram that leaves, which costs 4 % of a query. One that nobody
    uses is watched by it, which saves a system call for each query over TCP."""
    process, port = Path('/proc') / str(server.process.pid), server.address()[1]
    query = make_query('www.test.example').to_wire()
    for _ in range(3):
        server.exchange(query)
        assert not inodes(process, 'udp', port) & watched(process)
        assert inodes(process, 'tcp', port) & watched(process)  # so the names are comparable
        with server.client(tcp=True) as client:
            for _ in range(100):
                client.exchange(query)
        assert inodes(process, 'udp', port) & watched(process)


def counter(namespace: str, name: str) -> int:
    text = subprocess.run([*namespaces.enter(namespace), 'cat', '/proc/net/netstat'], check=True,
                          capture_output=True, text=True).stdout
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith('TcpExt:')]
    return int(dict(zip(*lines, strict=True))[name])


@pytest.mark.parametrize('allowed', [True, False])
def test_fast_open(daemon, wired, allowed):
    """RFC 7413: with the cookie of the first connection, the query of the second is answered before
    the handshake is complete. Switched off by the option, it works the ordinary way."""
    try:
        for namespace in (wired.server, wired.outside):
            subprocess.run([*namespaces.enter(namespace), 'sh', '-c',
                            'echo 3 >/proc/sys/net/ipv4/tcp_fastopen'], check=True,
                           capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip('net.ipv4.tcp_fastopen cannot be set in a namespace here')
    server = daemon({'test.example.zone': ZONE}, listen=['198.18.7.1:53'], prefix=wired.prefix,
                    limits={'tcp_fast_open': 16 if allowed else 0})
    query = make_query('www.test.example').to_wire()
    before = counter(wired.server, 'TCPFastOpenPassive')

    def ask() -> list[str]:
        with socket.socket() as client:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # it blocks, not forever
                client.setsockopt(socket.SOL_SOCKET, option, struct.pack('ll', int(WAIT), 0))
            client.bind((CLIENTS[0], 0))
            client.sendto(struct.pack('!H', len(query)) + query, socket.MSG_FASTOPEN,
                          ('198.18.7.1', 53))
            size = struct.unpack('!H', client.recv(2, socket.MSG_WAITALL))[0]
            return wire.texts(client.recv(size, socket.MSG_WAITALL))

    assert all(wired.inside(ask) == ['192.0.2.1'] for _ in range(3))
    assert (counter(wired.server, 'TCPFastOpenPassive') > before) == allowed
    assert values(dns.message.from_wire(wired.inside(
        lambda: server.exchange(query, tcp=True, source=CLIENTS[0])))) == ['192.0.2.1']
