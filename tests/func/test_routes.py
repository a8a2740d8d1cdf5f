# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: answers over UDP leave by the route to the client, not by where the query came in,
and nobody who forges ICMP makes a path narrow."""

import contextlib
import socket
import struct
import subprocess

import pytest

import wire
from harness import WAIT, eventually, make_query
from namespaces import SERVER, enter, ip, ip_in, wire_between

ZONE = {'test.example.zone': '''\
$ORIGIN test.example.
$TTL 600
@    SOA  ns1.example.net. hostmaster ( 7 3600 600 86400 300 )
     NS   ns1.example.net.
www  A    192.0.2.1
'''}
CLIENT = {4: '192.0.2.200', 6: '2001:db8:aa::1'}  # can be reached over both wires
NEIGHBOUR = {4: '192.0.2.203', 6: '2001:db8:aa::4'}
VICTIM = {4: '192.0.2.201', 6: '2001:db8:aa::2'}  # of forged ICMP about the daemon's packets
PROOF = {4: '192.0.2.202', 6: '2001:db8:aa::3'}  # about those of a socket as the kernel makes it
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
QUERY = make_query('www.test.example').to_wire()
NARROW = {4: 600, 6: 1280}  # what the forged ICMP claims


@pytest.fixture(scope='module')
def space():
    """Queries come by the first wire. The route to one client prefers a second one; the first is
    as good where somebody insists on it."""
    with wire_between([*NEIGHBOUR.values(), *VICTIM.values(), *PROOF.values()]) as made:
        ip('link', 'add', 'back', 'netns', made.server,
           'type', 'veth', 'peer', 'name', 'back', 'netns', made.outside)
        for namespace, link_local in ((made.server, 'fe80::3'), (made.outside, 'fe80::4')):
            subprocess.run([*enter(namespace), 'sh', '-c',
                            'for each in all wire back; do '
                            'echo 0 >/proc/sys/net/ipv4/conf/$each/rp_filter; done'],
                           check=True, capture_output=True)
            ip_in(namespace, 'link', 'set', 'back', 'addrgenmode', 'none')
            ip_in(namespace, 'link', 'set', 'back', 'up')
            ip_in(namespace, 'addr', 'add', f'{link_local}/64', 'dev', 'back', 'nodad')
        made.add(made.outside, *CLIENT.values())
        ip_in(made.outside, 'addr', 'add', f'{CLIENT[6]}/128', 'dev', 'back', 'nodad')
        for family, bits in ((4, 32), (6, 128)):
            for way in ('back', 'wire'):
                ip_in(made.server, f'-{family}', 'route', 'append', f'{CLIENT[family]}/{bits}',
                      'dev', way)
        yield made


@pytest.fixture(scope='module')
def server(space, module_daemon):
    return module_daemon(ZONE, listen=['0.0.0.0:53', '[::]:53'], prefix=space.prefix)


def arrival(client: socket.socket) -> tuple[str, list[str]]:
    """The interface by which the next answer comes, and what it says."""
    answer, controls, _, _ = client.recvmsg(65535, 256)
    [data] = [data for _, _, data in controls]
    # struct in_pktinfo begins with the index, struct in6_pktinfo ends with it.
    index = data[:4] if client.family == socket.AF_INET else data[16:20]
    return socket.if_indextoname(struct.unpack('i', index)[0]), wire.texts(answer)


def asker(family: int, source: str) -> socket.socket:
    client = socket.socket(FAMILY[family], socket.SOCK_DGRAM)
    client.settimeout(WAIT)
    level, option = {4: (socket.IPPROTO_IP, 8),  # IP_PKTINFO
                     6: (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)}[family]
    client.setsockopt(level, option, 1)
    client.bind((source, 0))
    return client


@pytest.mark.parametrize('family', [4, 6])
def test_an_answer_takes_the_route(space, server, family):
    """What a wildcard socket learns of a query binds its answer to the address, not to the
    interface."""
    def ask():
        with asker(family, CLIENT[family]) as client:
            client.connect((SERVER[family], 53))
            client.send(QUERY)
            return arrival(client)

    assert space.inside(ask) == ('back', ['192.0.2.1'])


def test_an_answer_from_a_link_local_address_stays_on_its_link(space, server):
    """Such an address is one of an interface, and without that the kernel sends nothing."""
    def ask():
        with asker(6, NEIGHBOUR[6]) as client:
            client.connect(('fe80::1', 53, 0, socket.if_nametoindex('wire')))
            client.send(QUERY)
            return arrival(client)

    assert space.inside(ask) == ('wire', ['192.0.2.1'])


def datagram_head(family: int, to: str, port: int) -> bytes:
    """The beginning of a datagram from the server, as ICMP quotes it."""
    source, target = (socket.inet_pton(FAMILY[family], each) for each in (SERVER[family], to))
    udp = struct.pack('!HHHH', port, 5353, 1208, 0)
    if family == 4:
        return struct.pack('!BBHHHBBH', 0x45, 0, 1228, 0, 0, 64, 17, 0) + source + target + udp
    return struct.pack('!IHBB', 6 << 28, 1208, 17, 64) + source + target + udp


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def forge(family: int, to: str, port: int):
    """Says that what goes from the server's port to `to` must be smaller."""
    quoted = datagram_head(family, to, port)
    if family == 4:  # fragmentation needed; the checksum of ICMPv6 is the kernel's to make
        body = struct.pack('!BBHHH', 3, 4, 0, 0, NARROW[4]) + quoted
        body = body[:2] + struct.pack('!H', checksum(body)) + body[4:]
        protocol = socket.IPPROTO_ICMP
    else:  # packet too big
        body = struct.pack('!BBHI', 2, 0, 0, NARROW[6]) + quoted
        protocol = socket.IPPROTO_ICMPV6
    with socket.socket(FAMILY[family], socket.SOCK_RAW, protocol) as raw:
        raw.bind((NEIGHBOUR[family], 0))
        raw.sendto(body, (SERVER[family], 0))


def route_to(namespace: str, address: str) -> str:
    return subprocess.run([*enter(namespace), 'ip', 'route', 'get', address], check=True,
                          capture_output=True, text=True).stdout


@pytest.mark.parametrize('family', [4, 6])
def test_forged_icmp_makes_no_path_narrow(space, server, family):
    """Who could would have answers cut into fragments, and put fragments of his own among them.
    That the forgery is believed where a socket listens to such is shown beside it."""
    def believer():
        plain = socket.socket(FAMILY[family], socket.SOCK_DGRAM)
        plain.bind((SERVER[family], 0))
        return plain

    with contextlib.closing(space.inside(believer, space.server)) as plain:
        for address, port in ((VICTIM[family], 53), (PROOF[family], plain.getsockname()[1])):
            space.inside(lambda to=address, of=port: forge(family, to, of))
        narrow = f'mtu {NARROW[family]}'
        eventually(lambda: narrow in route_to(space.server, PROOF[family]),
                   what='that a forged ICMP is believed')
    assert 'mtu' not in route_to(space.server, VICTIM[family])
