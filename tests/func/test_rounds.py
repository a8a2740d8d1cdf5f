# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that are behind with reading: small answers pass large ones (RFC 7766, 6.2.1.1 and 7),
and every question has its answer, over TCP and over TLS."""

import contextlib
import random
import socket
import struct

import pytest

import test_tls
import wire
from harness import PLAIN_ZONE, make_query

pytestmark = pytest.mark.sanitizer

SIZES = {'large': 60_000, 'middle': 9_000, 'passing': 3_500}  # octets of the answers, about


def texts(name: str, octets: int) -> str:
    return ''.join(f'{name} TXT "{number:03} {"x" * 240}"\n' for number in range(octets // 256))


@pytest.fixture(scope='module')
def server(module_daemon):
    with contextlib.ExitStack() as exits:
        folder = test_tls.secure_folder(exits)
        folder.zone('test.example.zone',
                    PLAIN_ZONE + ''.join(texts(name, octets) for name, octets in SIZES.items()))
        yield module_daemon(folder=folder)


def query(name: str) -> bytes:
    return make_query(f'{name}.test.example', 'TXT' if name in SIZES else 'A').to_wire()


QUERIES = {name: query(name) for name in ['www', *SIZES]}
NAMES = list(QUERIES)
transports = pytest.mark.parametrize('tls', [False, True], ids=['tcp', 'tls'])


def connect(server, tls: bool):
    return test_tls.Client(server, narrow=True) if tls else server.client(tcp=True, narrow=True)


def ask(client, names: list[str]):
    """All at once; the id is the place in the list."""
    client.socket.sendall(b''.join(
        struct.pack('!HH', len(QUERIES[name]), number) + QUERIES[name][2:]
        for number, name in enumerate(names)))


def alone(server) -> dict[str, bytes]:
    """Each answer without its id."""
    with server.client(tcp=True) as client:
        return {name: client.exchange(question)[2:] for name, question in QUERIES.items()}


def read(client, count: int) -> list[tuple[int, bytes]]:
    """Ids and answers in the order in which they come."""
    return [(struct.unpack('!H', answer[:2])[0], answer[2:])
            for answer in (client.receive() for _ in range(count))]


@transports
def test_small_behind_large(server, tls):
    names = ['large'] * 40 + ['www']
    expected, before = alone(server), server.metric('tcp_put_off_total')
    with connect(server, tls) as client:
        ask(client, names)
        answers = read(client, len(names))
    place = [number for number, _ in answers].index(40)
    print(f'{place} of 40 large answers before the small one')
    assert place <= 10  # what the kernels hold between the two
    assert [number for number, _ in answers if number < 40] == list(range(40))
    assert all(answer == expected[names[number]] for number, answer in answers)
    assert server.metric('tcp_put_off_total') > before


@transports
def test_every_question_has_its_answer(server, tls):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    expected = alone(server)
    counted = 'queries_tls_total' if tls else 'queries_tcp_total'
    for _ in range(5):
        names = dice.choices(NAMES, [20, 1, 3, 5], k=300)
        before = server.metric(counted)
        with connect(server, tls) as client:
            ask(client, names)
            answers = read(client, len(names))
            assert sorted(number for number, _ in answers) == list(range(len(names)))
            assert all(answer == expected[names[number]] for number, answer in answers)
        assert server.metric(counted) == before + len(names)  # though some were made twice


@transports
def test_what_ends_it_ends_nobody_else(server, tls):
    """A runt costs no answer; bytes that are no TLS cost that connection its rest."""
    expected = alone(server)
    with connect(server, tls) as client:
        ask(client, ['large'] * 20)
        client.socket.sendall(b'\0\2ab')
        answers = read(client, 20)
        assert [number for number, _ in answers] == list(range(20))
        assert all(answer == expected['large'] for _, answer in answers)
        with pytest.raises(wire.Closed):
            client.receive()
    with connect(server, tls) as client:
        ask(client, ['large', 'www'] * 20)
        if tls:
            assert socket.socket.send(client.socket, bytes(100)) == 100  # past its own TLS
            with contextlib.suppress(wire.Closed, OSError):
                while True:
                    client.receive()
    for _ in range(3):
        with connect(server, tls) as client:
            assert client.exchange(QUERIES['www'])[:2] == QUERIES['www'][:2]
