# SPDX-License-Identifier: GPL-3.0-or-later
"""EDNS options that the configuration decides: who this server is, and cookies that several
servers share and whose secrets change under way."""

import contextlib
import random

import dns.message
import pytest

import test_tls
from harness import make_query, rcode
from test_wire import ZONE, message, option, opt, with_opt

pytestmark = pytest.mark.sanitizer

OLD, NEW = '00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100'
CLIENT = b'cookie-8'


def ask(server, *options: bytes, **more) -> dns.message.Message:
    return dns.message.from_wire(
        server.exchange(with_opt(opt(b''.join(options))), **more), raise_on_truncation=False)


def option_of(reply, code: int) -> bytes | None:
    found = [one.to_wire() for one in reply.options if int(one.otype) == code]
    assert len(found) <= 1
    return found[0] if found else None


def cookie(server, data: bytes, **more) -> bytes:
    return option_of(ask(server, option(10, data), **more), 10)


def is_taken(server, data: bytes, **more) -> bool:
    """Whether the server counts it as one of its own."""
    before = server.metric('cookies_valid_total')
    cookie(server, data, **more)
    return server.metric('cookies_valid_total') == before + 1


def test_who_am_i(daemon):
    server = daemon({'test.example.zone': ZONE},
                    answer={'nsid': 'ns1.fra', 'chaos_version': 'off', 'chaos_id': 'node-7'})
    assert option_of(ask(server, option(3)), 3) == b'ns1.fra'
    assert option_of(ask(server, option(100)), 3) is None
    for name, expected in (('id.server', 'node-7'), ('HOSTNAME.bind', 'node-7'),
                           ('version.bind', None), ('version.server', None)):
        query = make_query(name, 'TXT', rdclass='CH', edns=True)
        reply = dns.message.from_wire(server.exchange(query.to_wire()))
        if expected:
            assert reply.answer[0][0].strings == (expected.encode(),)
        else:
            assert rcode(reply) == 'REFUSED' and option_of(reply, 15) == b'\0\x12'


def test_everything_can_be_off(daemon):
    server = daemon({'test.example.zone': ZONE}, answer={'cookies': 'off'})
    reply = ask(server, option(3), option(10, CLIENT), option(11), option(12))
    assert rcode(reply) == 'NOERROR' and not reply.options


def test_servers_share_secrets(daemon, folder):
    where = folder(answer={'cookie_secrets': 'secrets'})
    where.write('secrets', f'# made in a test\n{OLD}\n')
    first = daemon({'test.example.zone': ZONE}, folder=where)
    other = folder(answer={'cookie_secrets': 'secrets'})
    other.write('secrets', f'{OLD.upper()}\n')
    second = daemon({'test.example.zone': ZONE}, folder=other)
    given = cookie(first, CLIENT)
    assert len(given) == 24
    assert cookie(second, given) == given and is_taken(second, given)
    assert is_taken(second, given, tcp=True)
    assert not is_taken(second, given, source='127.0.0.2')
    assert not is_taken(second, given[:-1] + bytes([given[-1] ^ 1]))


def test_a_change_of_secrets_loses_nobody(daemon, folder):
    where = folder(answer={'cookie_secrets': 'secrets'})
    where.write('secrets', OLD)
    server = daemon({'test.example.zone': ZONE}, folder=where)
    by_old = cookie(server, CLIENT)
    where.write('secrets', f'{NEW}\n{OLD}\n')
    assert server.hang_up().event == 'reloaded'
    assert is_taken(server, by_old)
    by_new = cookie(server, by_old)
    assert by_new != by_old and is_taken(server, by_new)
    where.write('secrets', f'{NEW}\n')
    assert server.hang_up().event == 'reloaded'
    assert is_taken(server, by_new) and not is_taken(server, by_old)
    # A file with a fault changes nothing, and the secret stays out of the log.
    where.write('secrets', f'{NEW[:-1]}\n')
    assert server.hang_up().event == 'reload-refused'
    assert is_taken(server, by_new)
    assert NEW[:-1] not in server.log.text()


def test_require(daemon):
    server = daemon({'test.example.zone': ZONE}, answer={'cookies': 'require'})
    reply = ask(server, option(10, CLIENT))
    assert rcode(reply) == 'BADCOOKIE' and not reply.answer
    given = option_of(reply, 10)
    assert rcode(ask(server, option(10, given))) == 'NOERROR'
    assert rcode(ask(server, option(10, CLIENT), tcp=True)) == 'NOERROR'
    assert rcode(ask(server)) == 'NOERROR'


@pytest.mark.parametrize('text, fault', [
    ('', 'no secret'), ('abc\n', '32 hexadecimal digits'), (f'{OLD}0\n', '32 hexadecimal digits'),
    (f'{OLD}\n' * 5, 'more than 4'), (None, 'No such file')])
def test_bad_secrets(folder, text, fault):
    where = folder(answer={'cookie_secrets': 'secrets'})
    if text is not None:
        where.write('secrets', text)
    where.zone('test.example.zone', ZONE)
    result = where.cli('check')
    assert result.returncode == 1 and fault in result.stdout, result


def test_padding_and_keepalive_over_tls(daemon):
    """RFC 8467: whole blocks of 468 bytes, for a large and a small answer; nothing over TCP."""
    with contextlib.ExitStack() as exits:
        server = daemon(folder=test_tls.secure_folder(exits, limits={'tcp_idle': 12}))
        with test_tls.Client(server) as client:
            for name, kind in (('www.test.example', 1), ('large.test.example', 16),
                               ('x.test.example', 1)):
                wire = client.exchange(with_opt(opt(option(12) + option(11)), name=name, kind=kind))
                reply = dns.message.from_wire(wire)
                assert len(wire) % 468 == 0 and option_of(reply, 12).strip(b'\0') == b''
                assert option_of(reply, 11) == (120).to_bytes(2, 'big')
            wire = client.exchange(with_opt(opt()))
            assert not dns.message.from_wire(wire).options and len(wire) < 468
        reply = ask(server, option(12), option(11), tcp=True)
        assert option_of(reply, 12) is None and option_of(reply, 11) == (120).to_bytes(2, 'big')


def test_cookies_are_exempt_from_rate_limits(daemon):
    """Who shows a good cookie is answered while forgeries from the same address are not."""
    server = daemon({'test.example.zone': ZONE}, rrl={'rate': 5, 'slip': 0})
    given = cookie(server, CLIENT)
    forged = with_opt(opt(option(10, given[:-8] + b'forgedxx')))
    good = with_opt(opt(option(10, given)))
    with server.client() as client:
        for _ in range(30):
            for _ in range(40):
                client.send(forged)
            # Forged ones are answered or not; the good one always is, with its own id.
            client.send(b'\x77\x77' + good[2:])
            while client.receive()[:2] != b'\x77\x77':
                pass
    assert server.metric('rrl_dropped_total') > 600


def test_oddities_over_sockets(daemon):
    """A sample of what the unit tests ask exhaustively: each gets its answer from a real socket."""
    server = daemon({'test.example.zone': ZONE})
    dice = random.Random(4)
    types = [message(kind=kind, rdclass=rdclass) for rdclass in (0, 1, 3, 254, 255)
             for kind in (*range(0, 300, 7), *dice.sample(range(65536), 60))]
    headers = [message(flags=opcode << 11 | flags, counts=tuple(counts))
               for opcode in range(16) for flags in (0, 0x07f0, dice.randrange(0x800) & 0x7f0)
               for counts in ((1, 0, 0, 0), [dice.randrange(4) for _ in range(4)])]
    for tcp in (False, True):
        with server.client(tcp=tcp) as client:
            replies = client.ask_many(types + headers)
    assert all(reply[2] & 0x80 for reply in replies)
    assert {reply[3] & 15 for reply in replies} == {0, 1, 4, 5}
