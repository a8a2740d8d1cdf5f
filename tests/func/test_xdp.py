# SPDX-License-Identifier: GPL-3.0-or-later
"""XDP sockets over a veth pair: what they take, that they say the same as the kernel's sockets, and
that whatever they do not take is served all the same."""

import ctypes
import json
import mmap
import random
import signal
import socket
import struct
import subprocess
import threading

import pytest

import wire
from harness import eventually, make_query, values, with_flipped_bit
from namespaces import SERVER, enter, wire_between
from test_examples import LINES, Examples
from test_proxy import header

pytestmark = pytest.mark.sanitizer

CLIENTS = [client for client in LINES if client != '2001:4860:4860::8888']
MODES = ['native', 'generic']
QUEUES = 2
# linux/if_xdp.h
AF_XDP, SOL_XDP, XDP_RX_RING, XDP_UMEM_REG = 44, 283, 2, 4
XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING = 5, 6


def family_of(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


class World:
    def __init__(self, space, server):
        self.wire, self.server = space, server

    def ask(self, name, rdtype='A', **more):
        return self.wire.inside(lambda: self.server.ask(name, rdtype, **more))

    def taken(self) -> int:
        return self.server.metric('xdp_received_total')


def serve(space, module_daemon, xdp, **more):
    folder = Examples(listen=[f'{SERVER[4]}:0', f'[{SERVER[6]}]:0'], workers=2, xdp=xdp, **more)
    server = module_daemon(folder=folder, prefix=space.prefix, ready=False)
    return folder, World(space, server.wait_ready())


@pytest.fixture(scope='module', params=MODES)
def world(request, module_daemon):
    with wire_between(CLIENTS, QUEUES) as space:
        folder, made = serve(space, module_daemon, {'interfaces': ['wire'], 'mode': request.param})
        try:
            line = made.server.log.wait('xdp-serving')
            assert line.fields['mode'] == request.param
            assert line.fields['queues'] == str(QUEUES)
            yield made
            made.server.stop()
        finally:
            folder.remove()


@pytest.mark.parametrize('client', CLIENTS)
def test_lines_by_source_and_by_subnet(world, client):
    before = world.taken()
    family = family_of(client)
    reply = world.ask('lines.example.com', family=family, source=client)
    assert values(reply) == [LINES[client]]
    for other, value in LINES.items():
        reply = world.ask('lines.example.com', family=family, source=client, ecs=other)
        assert values(reply) == [value]
    assert world.taken() == before + 1 + len(LINES)


def test_tcp_stays_with_the_kernel(world):
    before = world.taken()
    for family in (socket.AF_INET, socket.AF_INET6):
        assert world.ask('lines.example.com', tcp=True, family=family).answer
    assert world.taken() == before


def questions(seed):
    """Names that are there and that are not, types, options; and messages that are none."""
    dice = random.Random(seed)
    names = ['www.example.com', 'example.com', 'nothing.example.com',
             'example.net', 'elsewhere.test', 'a.b.c.www.example.com']
    for number in range(300):
        query = make_query(dice.choice(names), dice.choice(['A', 'AAAA', 'SOA', 'TXT', 'ANY']),
                           edns=dice.random() < 0.7, do=dice.random() < 0.3,
                           ecs=dice.choice([None, '202.96.209.133/32', '2408:8000::/32']))
        query.id = number
        yield with_flipped_bit(query, dice) if dice.random() < 0.3 else query.to_wire()


def outcome(message):
    """An answer without the order of its records, which turns."""
    return message if message is None else (message[:12], len(message), sorted(message[12:]))


def test_the_same_as_over_sockets(world):
    """The kernel's sockets serve the loopback interface of the daemon's namespace."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')

    after = make_query('example.com', 'SOA')
    after.id = 0xffff  # no question of `questions` has it

    def exchange_all():
        """The answer to each, None where there is none: a later question is answered first then."""
        found = []
        with world.server.client(socket.AF_INET) as client:
            for message in questions(seed):
                client.send(message)
                client.send(after.to_wire())
                replies = [client.receive()]
                while replies[-1][:2] != b'\xff\xff':
                    replies.append(client.receive())
                found.append(outcome(replies[0] if len(replies) > 1 else None))
        return found

    # None of the names depends on who asks: the two clients have different addresses.
    before = world.taken()
    by_xdp = world.wire.inside(exchange_all)
    assert world.taken() >= before + 600
    world.wire.outside, kept = world.wire.server, world.wire.outside
    try:
        by_socket = world.wire.inside(exchange_all)
    finally:
        world.wire.outside = kept
    assert by_xdp == by_socket
    assert sum(result is not None for result in by_xdp) > 150


# --- frames of our own making


def raw(world, *frames):
    """Sends frames from the clients' end of the wire."""
    def send():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind(('wire', 0))
            for frame in frames:
                out.send(frame)
    world.wire.inside(send)


def mac(namespace):
    text = subprocess.run([*enter(namespace), 'ip', '-json', 'link', 'show', 'wire'], check=True,
                          capture_output=True, text=True).stdout
    return bytes.fromhex(json.loads(text)[0]['address'].replace(':', ''))


def frame_ipv4(world, *, source=None, to=None, port=None, fragment=0, version=0x45, options=b'',
               vlan=b'', udp_more=0, client_port=4000):
    payload = make_query('example.com', 'SOA').to_wire()
    to = to or SERVER[4]
    port = port if port is not None else world.server.address(socket.AF_INET)[1]
    udp = struct.pack('!HHHH', client_port, port, 8 + len(payload) + udp_more, 0) + payload
    head = struct.pack('!BBHHHBBH4s4s', version, 0, 20 + len(options) + len(udp), 7, fragment, 64,
                       17, 0, socket.inet_aton(source or CLIENTS[0]), socket.inet_aton(to))
    head += options
    words = sum(struct.unpack(f'!{len(head) // 2}H', head))
    words = (words & 0xffff) + (words >> 16)
    words = (words & 0xffff) + (words >> 16)
    head = head[:10] + struct.pack('!H', words ^ 0xffff) + head[12:]
    return (mac(world.wire.server) + mac(world.wire.outside) + vlan + b'\x08\x00' + head + udp)


def frame_ipv6(world, *, next_header=17, extension=b'', checksum=1):
    payload = make_query('example.com', 'SOA').to_wire()
    port = world.server.address(socket.AF_INET6)[1]
    source = next(client for client in CLIENTS if ':' in client)
    udp = struct.pack('!HHHH', 4000, port, 8 + len(payload), checksum) + payload
    head = struct.pack('!IHBB', 0x60000000, len(extension) + len(udp), next_header, 64)
    head += socket.inet_pton(socket.AF_INET6, source)
    head += socket.inet_pton(socket.AF_INET6, SERVER[6])
    return (mac(world.wire.server) + mac(world.wire.outside) + b'\x86\xdd' + head + extension + udp)


def settle(world):
    """Frames go one way in order: when a later one is answered, the earlier have been seen. Two
    queues may overtake each other, so a few more are asked."""
    for _ in range(8):
        assert world.ask('example.com', 'SOA').answer


def test_frames_that_the_kernel_keeps(world):
    kept = [
        frame_ipv4(world, vlan=b'\x81\x00\x00\x05'),
        frame_ipv4(world, fragment=0x2000),
        frame_ipv4(world, fragment=0x0003),
        frame_ipv4(world, version=0x46, options=b'\x01\x01\x01\x00'),
        frame_ipv4(world, to='198.18.0.99'),
        frame_ipv4(world, port=9),
        frame_ipv6(world, next_header=0, extension=bytes([17, 0, 1, 4, 0, 0, 0, 0])),
        bytes(14) + b'short',
    ]
    settle(world)
    before = world.taken()
    raw(world, *kept)
    settle(world)
    assert world.taken() == before + 8


def test_frames_that_nobody_can_be_answered_for(world):
    settle(world)
    before = world.server.metric('xdp_refused_total'), world.server.metric('xdp_sent_total')
    refused = [
        frame_ipv4(world, source='127.0.0.1'),
        frame_ipv4(world, source='0.0.0.0'),
        frame_ipv4(world, source='224.0.0.1'),
        frame_ipv4(world, source='255.255.255.255'),
        frame_ipv4(world, client_port=0),
        frame_ipv4(world, udp_more=1),
        frame_ipv4(world, udp_more=-30),
        frame_ipv6(world, checksum=0),
    ]
    raw(world, *refused)
    settle(world)

    def counted():
        return world.server.metric('xdp_refused_total'), world.server.metric('xdp_sent_total')
    # Each queue has its own thread, which may be late, and counts what it has sent.
    eventually(lambda: counted() >= (before[0] + len(refused), before[1] + 8))
    assert counted() == (before[0] + len(refused), before[1] + 8)


@pytest.mark.floods
def test_floods_leave_it_well(world):
    """More than all rings hold: what is lost is lost, and then it goes on."""
    one = frame_ipv4(world)
    raw(world, *[one] * 20000)
    for _ in range(16):  # by both queues
        eventually(lambda: world.wire.inside(lambda: world.server.answers_again('example.com')))
    settle(world)
    assert world.taken() > 0


# --- behind a proxy

PROXIES = {4: '10.9.1.1', 6: '240e::1'}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
QUESTION = make_query('lines.example.com', edns=True)
QUESTION.id = 1
ASK = QUESTION.to_wire()
QUESTION.id = 2
LAST = QUESTION.to_wire()


@pytest.fixture(scope='module', params=MODES)
def proxied(request, module_daemon):
    with wire_between(CLIENTS, QUEUES) as space:
        folder, made = serve(space, module_daemon,
                             {'interfaces': ['wire'], 'mode': request.param},
                             proxy={'from': list(PROXIES.values())})
        try:
            made.server.log.wait('xdp-serving')
            yield made
            made.server.stop()
        finally:
            folder.remove()


def through(world, messages, family=4):
    """The answers that the proxy gets to all of these, the last of which has one."""
    def exchange():
        with world.server.client(FAMILIES[family], source=PROXIES[family]) as proxy:
            for message in messages:
                proxy.send(message)
            answers = [proxy.receive()]
            while answers[-1][:2] != LAST[:2]:
                answers.append(proxy.receive())
            return answers
    return world.wire.inside(exchange)


@pytest.mark.parametrize('family', PROXIES)
def test_who_the_proxy_names(proxied, family):
    """The client is the one of the header, whatever stands behind its addresses; the answer goes to
    the proxy, without a header, by the frame that brought the query."""
    before = proxied.taken(), proxied.server.metric('proxied_total')
    count = 0
    for client, value in LINES.items():
        for tail in (b'', bytes(3), bytes(400)):
            answers = through(proxied, [header(client, tail=tail) + LAST], family)
            assert [wire.texts(answer) for answer in answers] == [[value]], (client, tail)
            count += 1
    # The proxy itself.
    for own in (header(None), header(None, command=0x20)):
        assert wire.texts(through(proxied, [own + LAST], family)[0]) == [LINES[PROXIES[family]]]
        count += 1
    # A client subnet in the query goes before the header.
    asked = make_query('lines.example.com', ecs='210.22.84.3/32')
    asked.id = 2
    answers = through(proxied, [header('8.8.8.8') + asked.to_wire()], family)
    assert wire.texts(answers[0]) == [LINES['210.22.84.3']]
    after = proxied.taken(), proxied.server.metric('proxied_total')
    assert after == (before[0] + count + 1, before[1] + count + 1)


def test_frames_without_a_good_header(proxied):
    """More of them than a socket has frames: each goes back to the kernel."""
    before = proxied.server.metric('proxy_refused_total')
    bad = [ASK, b'', b'\0', header()[:15], header()[:20], header(command=0x22) + ASK,
           header(tail=bytes(500)) + ASK]
    rounds = 1200  # x 7: more than the 4096 of each queue
    for _ in range(rounds):
        assert len(through(proxied, [*bad, header() + LAST])) == 1
    assert proxied.server.metric('proxy_refused_total') == before + rounds * len(bad)


def test_others_need_no_header(proxied):
    for client in CLIENTS:
        if client not in PROXIES.values():
            reply = proxied.ask('lines.example.com', family=family_of(client), source=client)
            assert values(reply) == [LINES[client]]


# --- when it cannot be


def warnings_of(server):
    return [line.text for line in server.log.since() if line.event == 'input-warning']


def test_no_such_interface(module_daemon):
    with wire_between(CLIENTS) as space:
        folder, world = serve(space, module_daemon, {'interfaces': ['nowhere']})
        try:
            assert any('nowhere is served without XDP sockets: cannot find the interface' in text
                       for text in warnings_of(world.server))
            assert world.ask('example.com', 'SOA').answer
            assert world.taken() == 0
        finally:
            world.server.stop()
            folder.remove()


def hold_queue():
    """An XDP socket of somebody else on queue 0 of the server's end of the wire."""
    held, libc = socket.socket(AF_XDP, socket.SOCK_RAW), ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, 4 * 4096)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    held.setsockopt(SOL_XDP, XDP_UMEM_REG, struct.pack('QQIIII', start, len(memory), 4096, 0, 0, 0))
    for ring in (XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING):
        held.setsockopt(SOL_XDP, ring, 4)
    where = struct.pack('HHIII', AF_XDP, 0, socket.if_nametoindex('wire'), 0, 0)
    assert libc.bind(held.fileno(), where, len(where)) == 0, ctypes.get_errno()
    return held


def test_waits_for_the_queue_of_its_predecessor(module_daemon):
    """As after a restart: the kernel gives a queue back a little after its holder has gone."""
    with wire_between(CLIENTS) as space, space.inside(hold_queue, space.server) as held:
        leaving = threading.Timer(0.3, held.close)
        leaving.start()
        folder, world = serve(space, module_daemon, {'interfaces': ['wire']})
        try:
            leaving.join()
            world.server.log.wait('xdp-serving')
            assert world.ask('example.com', 'SOA').answer
            assert world.taken() > 0
        finally:
            world.server.stop()
            folder.remove()


def test_a_queue_that_stays_taken(module_daemon):
    with wire_between(CLIENTS) as space, space.inside(hold_queue, space.server):
        folder, world = serve(space, module_daemon, {'interfaces': ['wire']})
        try:
            assert any('wire is served without XDP sockets: cannot open a socket' in text
                       for text in warnings_of(world.server))
            assert world.ask('example.com', 'SOA').answer
            assert world.taken() == 0
        finally:
            world.server.stop()
            folder.remove()


def test_nothing_stays_behind_when_killed(module_daemon):
    """The kernel takes the filter off; the next server finds the interface free."""
    with wire_between(CLIENTS) as space:
        for _ in range(2):
            folder, world = serve(space, module_daemon, {'interfaces': ['wire']})
            world.server.log.wait('xdp-serving')
            assert world.ask('example.com', 'SOA').answer
            world.server.process.send_signal(signal.SIGKILL)
            world.server.wait_exit()
            folder.remove()
        shown = [*enter(space.server), 'ip', '-details', 'link', 'show', 'wire']
        eventually(lambda: 'xdp' not in subprocess.run(
            shown, check=True, capture_output=True, text=True).stdout, what='a free interface')


def test_bad_interface_names(folder):
    for name in ('', 'a/b', 'much-too-long-for-a-name', 'a b'):
        made = folder(xdp={'interfaces': [name]})
        result = made.cli('check')
        assert result.returncode == 1
        assert 'is no name of a network interface' in result.stdout + result.stderr
