# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd, new and broken messages: RFC 8906's list and more, and what deserves silence."""

import contextlib
import random
import select
import socket
import struct
import time

import dns.edns
import dns.flags
import dns.message
import pytest

from harness import PLAIN_ZONE, SLOW, WAIT, has_flag, make_query, rcode

pytestmark = pytest.mark.sanitizer

ZONE = PLAIN_ZONE + 'big  TXT ' + 6 * f' "{250 * "x"}"' + '\n'

NAME = 'test.example'
QUESTION = make_query('www.test.example').to_wire()


@pytest.fixture(scope='module')
def server(module_daemon):
    return module_daemon({'test.example.zone': ZONE}, answer={'nsid': 'ns1.test'})


# --- EDNS pieces by hand: dnspython would not write what is wrong

def opt(options=b'', version=0, flags=0, payload=1232, owner=b'\0', extended=0):
    return owner + struct.pack('!HHBBHH', 41, payload, extended, version, flags, len(options)) \
        + options


def option(code, data=b'', size=None):
    return struct.pack('!HH', code, len(data) if size is None else size) + data


def name_wire(text):
    return b''.join(bytes([len(label)]) + label.encode() for label in text.split('.') if label) \
        + b'\0'


def message(name=NAME, kind=6, rdclass=1, *, flags=0, extra=b'', counts=(1, 0, 0, 0), number=0x5a5a,
            question=None, tail=b''):
    if question is None:
        question = name_wire(name) + struct.pack('!HH', kind, rdclass)
    return struct.pack('!HH4H', number, flags, *counts) + question + extra + tail


def with_opt(*pieces, **more):
    return message(extra=b''.join(pieces), counts=(1, 0, 0, len(pieces)), **more)


# --- probes: what is sent, and what must hold for the answer

def has_soa(reply):
    return rcode(reply) == 'NOERROR' and len(reply.answer) == 1 and reply.answer[0].rdtype == 6 \
        and has_flag(reply, 'AA')


def plain(reply):
    return has_soa(reply) and reply.edns == -1


def edns(reply):
    return has_soa(reply) and reply.edns == 0 and reply.payload == 1232 and not reply.options


def tells(options):
    """Exactly these options."""
    return lambda reply: {int(one.otype): one.to_wire() for one in reply.options} == options \
        and len(reply.options) == len(options)


def keeps_alive(reply) -> bool:
    """Over UDP, where the option is ignored (RFC 7828, 3.3.1), nothing; over TCP a time."""
    return has_soa(reply) and \
        [(int(option.otype), len(option.to_wire())) for option in reply.options] in ([], [(11, 2)])


def gives_cookie(reply):
    """The client's cookie, and 16 octets that RFC 9018 makes: version 1, the time, a hash."""
    if [int(one.otype) for one in reply.options] != [10]:
        return False
    cookie = reply.options[0].to_wire()
    made = int.from_bytes(cookie[12:16], 'big')
    return cookie[:8] == b'12345678' and cookie[8:12] == b'\1\0\0\0' and len(cookie) == 24 and \
        abs(time.time() - made) < 60 * SLOW


def nodata(reply):
    return rcode(reply) == 'NOERROR' and not reply.answer and reply.authority[0].rdtype == 6


def badvers(reply):
    return rcode(reply) == 'BADVERS' and reply.edns == 0 and not reply.answer and \
        not reply.options and not reply.authority


def formerr(reply):
    return rcode(reply) == 'FORMERR' and not reply.answer and not reply.authority


def refused(reply):
    return rcode(reply) == 'REFUSED' and not reply.answer and not reply.authority


def mbz_is_clear(reply):
    return reply.ednsflags & 0x7fff == 0


def header_is(mask, value):
    return lambda reply: reply.flags & mask == value


ECS = option(8, b'\0\1\x18\0\xc6\x33\x64')
COOKIE = option(10, b'12345678')

# RFC 8906, section 8, by its own numbers; then cases of RFC 1035, 6891, 7871, 9619.
PROBES = {
    '8.1.1 SOA': (message(), plain),
    '8.1.2 unknown type': (message(kind=1000), nodata),
    '8.1.2 type 65535': (message(kind=65535), nodata),
    '8.1.3.1 CD': (message(flags=0x0010), plain),
    '8.1.3.1 AD': (message(flags=0x0020), plain),
    '8.1.3.2 reserved bit': (message(flags=0x0040),
                             lambda r: plain(r) and header_is(0x0040, 0)(r)),
    '8.1.3.3 RD': (message(flags=0x0100),
                   lambda r: plain(r) and header_is(0x0180, 0x0100)(r)),
    '8.1.3 AA, TC, RA, code in a query': (message(flags=0x0680 | 5), plain),
    '8.2.1 EDNS': (with_opt(opt()), edns),
    '8.2.2 EDNS version 1': (with_opt(opt(version=1)), badvers),
    '8.2.2 EDNS version 255': (with_opt(opt(version=255)), badvers),
    '8.2.3 unknown option': (with_opt(opt(option(100, b'abc'))), edns),
    '8.2.3 unknown option, empty': (with_opt(opt(option(65001))), edns),
    '8.2.4 unknown flag': (with_opt(opt(flags=0x0040)), lambda r: edns(r) and mbz_is_clear(r)),
    '8.2.4 all flags': (with_opt(opt(flags=0xffff)), lambda r: edns(r) and mbz_is_clear(r)),
    '8.2.5 version 1, flag': (with_opt(opt(version=1, flags=0x0040)),
                              lambda r: badvers(r) and mbz_is_clear(r)),
    '8.2.6 version 1, option': (with_opt(opt(option(100), version=1)), badvers),
    '8.2.6 version 1, broken option': (with_opt(opt(b'\0', version=1)), badvers),
    '8.2.7 truncated with OPT': (with_opt(opt(payload=512), name='big.test.example', kind=16),
                                 lambda r: has_flag(r, 'TC') and r.edns == 0),
    '8.2.8 DO': (with_opt(opt(flags=0x8000)),
                 lambda r: edns(r) and bool(r.ednsflags & dns.flags.DO)),
    '8.2.8 no DO': (with_opt(opt()), lambda r: edns(r) and not r.ednsflags & dns.flags.DO),
    '8.2.9 version 1, DO': (with_opt(opt(version=1, flags=0x8000)), badvers),
    '8.2.10 NSID, COOKIE, EXPIRE, ECS': (
        with_opt(opt(option(3) + COOKIE + option(9) + ECS)),
        lambda r: has_soa(r) and {int(o.otype) for o in r.options} == {3, 8, 10}),
    'NSID with data': (with_opt(opt(option(3, b'abc'))), tells({3: b'ns1.test'})),
    'NSID thrice': (with_opt(opt(3 * option(3))), tells({3: b'ns1.test'})),
    'COOKIE': (with_opt(opt(COOKIE)), gives_cookie),
    'two COOKIE': (with_opt(opt(COOKIE + option(10, b'abcdefgh'))), gives_cookie),
    'COOKIE of somebody else': (with_opt(opt(option(10, b'12345678' + bytes(16)))), gives_cookie),
    'COOKIE of 40 octets': (with_opt(opt(option(10, b'12345678' + bytes(32)))), gives_cookie),
    'COOKIE without a question': (message(question=b'', extra=opt(COOKIE), counts=(0, 0, 0, 1)),
                                  lambda r: rcode(r) == 'NOERROR' and gives_cookie(r)),
    'COOKIE of 7 octets': (with_opt(opt(option(10, b'1234567'))), formerr),
    'COOKIE of 9 octets': (with_opt(opt(option(10, b'123456789'))), formerr),
    'COOKIE of 15 octets': (with_opt(opt(option(10, b'x' * 15))), formerr),
    'COOKIE of 41 octets': (with_opt(opt(option(10, b'x' * 41))), formerr),
    'COOKIE without a question, wrong server part': (
        message(question=b'', extra=opt(option(10, bytes(24))), counts=(0, 0, 0, 1)),
        lambda r: rcode(r) == 'BADCOOKIE' and len(r.options[0].to_wire()) == 24),
    'COOKIE without a question, version 1': (
        message(question=b'', extra=opt(COOKIE, version=1), counts=(0, 0, 0, 1)), badvers),
    'keepalive with a timeout': (with_opt(opt(option(11, b'\0\1'))), keeps_alive),
    '16 options': (with_opt(opt(16 * option(100))), edns),
    '17 options': (with_opt(opt(17 * option(100))), formerr),
    'EDE in a query': (with_opt(opt(option(15, b'\0\0'))), edns),
    'payload 0': (with_opt(opt(payload=0)), edns),
    'payload 65535': (with_opt(opt(payload=65535)), edns),
    'padding': (with_opt(opt(option(12, bytes(400)))), edns),
    'keepalive': (with_opt(opt(option(11))), keeps_alive),
    'class ANY': (message(rdclass=255), refused),
    'class NONE': (message(rdclass=254), refused),
    'class HS': (message(rdclass=4), refused),
    'class 0': (message(rdclass=0), refused),
    'not our zone, EDNS': (with_opt(opt(), name='other.example'),
                           lambda r: refused(r) and tells({15: b'\0\x14'})(r)),
    'class ANY, EDNS': (with_opt(opt(), rdclass=255),
                        lambda r: refused(r) and tells({15: b'\0\x14'})(r)),
    'type 0': (message(kind=0), lambda r: rcode(r) in ('NOERROR', 'FORMERR', 'NOTIMP')),
    'type OPT in the question': (message(kind=41),
                                 lambda r: rcode(r) in ('NOERROR', 'FORMERR', 'NOTIMP')),
    # broken
    'no question': (message(question=b'', counts=(0, 0, 0, 0)), formerr),
    'no question, EDNS': (message(question=b'', extra=opt(), counts=(0, 0, 0, 1)), formerr),
    'two questions': (message(tail=name_wire(NAME) + b'\0\1\0\1', counts=(2, 0, 0, 0)), formerr),
    'question cut': (message(question=name_wire(NAME) + b'\0'), formerr),
    'name cut': (message(question=b'\4test\7exam'), formerr),
    'name with a pointer to itself': (message(question=b'\xc0\x0c\0\6\0\1'), formerr),
    'name with a pointer ahead': (message(question=b'\xc0\x20\0\6\0\1'), formerr),
    'label type 01': (message(question=b'\x41a\0\0\6\0\1'), formerr),
    'name of 256 octets': (message(question=(b'\x3f' + b'a' * 63) * 4 + b'\0\0\6\0\1'), formerr),
    'bytes behind the end': (message(tail=b'\0'), formerr),
    'options, and bytes behind the end': (  # they may be what was malformed
        with_opt(opt(option(3) + COOKIE + ECS), tail=b'\0'),
        lambda r: formerr(r) and r.edns == 0 and not r.options),
    'an answer record in a query': (message(counts=(1, 1, 0, 0),
                                            tail=b'\0\0\1\0\1\0\0\0\0\0\4abcd'), formerr),
    'counts too high': (message(counts=(1, 0, 0, 1)), formerr),
    'counts of 65535': (message(counts=(1, 65535, 65535, 65535)), formerr),
    'two OPT': (with_opt(opt(), opt()), formerr),
    'OPT not at the root': (with_opt(opt(owner=b'\1a\0')), formerr),
    'OPT cut': (message(extra=opt()[:-1], counts=(1, 0, 0, 1)), formerr),
    'option longer than OPT': (with_opt(opt(option(3, b'', 10))), formerr),
    'option header cut': (with_opt(opt(b'\0\3\0')), formerr),
    'ECS of family 3': (with_opt(opt(option(8, b'\0\3\x08\0\x0a'))), formerr),
    'ECS of 33 bits': (with_opt(opt(option(8, b'\0\1\x21\0\1\2\3\4\x80'))), formerr),
    'ECS of 129 bits': (with_opt(opt(option(8, b'\0\2\x81\0' + bytes(17)))), formerr),
    'ECS with a scope': (with_opt(opt(option(8, b'\0\1\x18\x18\xc6\x33\x64'))), formerr),
    'ECS too short': (with_opt(opt(option(8, b'\0\1\x18\0\xc6\x33'))), formerr),
    'ECS too long': (with_opt(opt(option(8, b'\0\1\x18\0\xc6\x33\x64\0'))), formerr),
    'ECS with bits past its length': (with_opt(opt(option(8, b'\0\1\x14\0\xc6\x33\x6f'))), formerr),
    'ECS header cut': (with_opt(opt(option(8, b'\0\1'))), formerr),
    'two ECS': (with_opt(opt(ECS + ECS)), formerr),
}


@pytest.mark.parametrize('family', [socket.AF_INET, socket.AF_INET6], ids=['ipv4', 'ipv6'])
@pytest.mark.parametrize('tcp', [False, True], ids=['udp', 'tcp'])
@pytest.mark.parametrize('name', PROBES)
def test_probe(server, name, tcp, family):
    query, holds = PROBES[name]
    if tcp and '8.2.7' in name:
        pytest.skip('nothing is truncated over TCP')
    wire = server.exchange(query, tcp=tcp, family=family)
    assert wire[:2] == query[:2]
    reply = dns.message.from_wire(wire, raise_on_truncation=False)
    assert has_flag(reply, 'QR') and not has_flag(reply, 'RA')
    assert holds(reply), reply


@pytest.mark.parametrize('tcp', [False, True], ids=['udp', 'tcp'])
@pytest.mark.parametrize('opcode', range(1, 16))
def test_opcode(server, opcode, tcp):
    """RFC 8906, 8.1.4: NOTIMP, whatever follows the header (dnspython does not know them all)."""
    for query in (message(flags=opcode << 11),
                  message(flags=opcode << 11, question=b'', counts=(0, 0, 0, 0)),
                  message(flags=opcode << 11, question=b'\xff' * 9, counts=(1, 2, 3, 4))):
        reply = server.exchange(query, tcp=tcp)
        assert reply == query[:2] + struct.pack('!H', 0x8000 | opcode << 11 | 4) + bytes(8)
    # RFC 6891, 6.1.1: an OPT for an OPT, whatever the opcode.
    reply = server.exchange(with_opt(opt(flags=0x8000), flags=opcode << 11), tcp=tcp)
    assert reply[2:] == struct.pack('!H4H', 0x8000 | opcode << 11 | 4, 0, 0, 0, 1) + \
        opt(flags=0x8000)


SILENT = {
    'nothing': b'',
    'one byte': b'\0',
    'eleven bytes': message()[:11],
    'a response': message(flags=0x8000),
    'our own answer': None,  # filled in by the test
    'a response with an error': message(flags=0x8005),
    'a response of opcode 15': message(flags=0x8000 | 15 << 11),
    'a broken response': message(flags=0x8000, question=b'\xff'),
}


@pytest.mark.parametrize('tcp', [False, True], ids=['udp', 'tcp'])
@pytest.mark.parametrize('name', SILENT)
def test_silence(server, name, tcp):
    wire = SILENT[name] if SILENT[name] is not None else server.exchange(message())
    with server.client(tcp=tcp) as client:
        assert client.is_silent(wire, QUESTION)
    assert server.values('www.test.example', tcp=tcp) == ['192.0.2.1']


def test_silence_for_services_that_answer_anything(server):
    """A forged question from the port of `echo` or `chargen`: two servers would talk for ever."""
    for port in (7, 19):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forged:
            try:
                forged.bind(('127.0.0.1', port))
            except PermissionError:
                pytest.skip('low ports need root')
            dropped = server.metric('dropped_total')
            forged.sendto(QUESTION, server.address())
            with server.client() as client:  # what came later has been answered
                client.exchange(QUESTION)
            assert server.metric('dropped_total') == dropped + 1


def test_rubbish_does_no_harm(server):
    """Mutations of good questions: each gets one answer or none, and the server goes on."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    good = [query for query, _ in PROBES.values()]
    with server.client() as client:
        for number in range(4000):
            wire = bytearray(dice.choice(good))
            for _ in range(dice.randint(1, 6)):
                at = dice.randrange(2, len(wire) + 1)
                action = dice.randrange(3)
                if action == 0 and at < len(wire):
                    wire[at] = dice.randrange(256)
                elif action == 1:
                    wire[at:at] = dice.randbytes(dice.randint(1, 8))
                else:
                    del wire[at:at + dice.randint(1, 8)]
            client.send(bytes(wire))
            if number % 16 == 15:  # a good one must get its answer; what came before may have
                client.send(QUESTION)
                while (reply := client.receive())[:2] != QUESTION[:2]:
                    assert reply[2] & 0x80
                assert reply[3] & 15 == 0
    assert server.values('www.test.example') == ['192.0.2.1']
    assert server.values('www.test.example', tcp=True) == ['192.0.2.1']


def is_closed(client) -> bool:
    client.socket.settimeout(WAIT)
    try:
        return client.socket.recv(1) == b''
    except ConnectionResetError:
        return True


def test_idle_tcp_clients_are_sent_away(daemon):
    server = daemon({'test.example.zone': ZONE}, limits={'tcp_idle': 3})
    begin = time.monotonic()
    with server.client(tcp=True) as idle, server.client(tcp=True) as busy:
        while not select.select([idle.socket], [], [], 0.2)[0]:
            assert busy.exchange(QUESTION)[:2] == QUESTION[:2]
        assert is_closed(idle) and 2.9 < time.monotonic() - begin < 8 * SLOW
        assert busy.exchange(QUESTION)[:2] == QUESTION[:2]


def test_newcomers_displace_the_longest_idle(daemon):
    server = daemon({'test.example.zone': ZONE},
                    limits={'tcp_clients': 4, 'tcp_clients_per_address': 3, 'tcp_idle': 300})
    with contextlib.ExitStack() as exits:
        def connect(source):
            client = exits.enter_context(server.client(tcp=True, source=source))
            assert client.exchange(QUESTION)[:2] == QUESTION[:2]
            return client

        first = [connect('127.0.0.2') for _ in range(3)]
        assert first[0].exchange(QUESTION)[:2] == QUESTION[:2]  # now the second is the idlest
        first.append(connect('127.0.0.2'))  # an address has its share
        assert is_closed(first[1])
        other = connect('127.0.0.3')
        assert first[2].exchange(QUESTION)[:2] == QUESTION[:2]
        last = connect('127.0.0.4')  # all places are taken
        assert is_closed(first[0])
        for client in (first[2], first[3], other, last):
            assert client.exchange(QUESTION)[:2] == QUESTION[:2]


def test_slow_and_idle_tcp_clients_do_not_stand_in_the_way(server):
    with server.client(tcp=True) as idle, server.client(tcp=True) as slow:
        slow.socket.sendall(b'\0')
        assert server.values('www.test.example', tcp=True) == ['192.0.2.1']
        slow.socket.sendall(len(QUESTION).to_bytes(2, 'big')[1:] + QUESTION)
        assert slow.receive()[:2] == QUESTION[:2]
        assert idle.exchange(QUESTION)[:2] == QUESTION[:2]
