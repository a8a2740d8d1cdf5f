# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers and one forged packet between them: nothing goes back and forth."""

import socket
import struct

import pytest

from test_wire import QUESTION, ZONE, message


def forge(source: tuple[str, int], target: tuple[str, int], payload: bytes):
    """Sends a UDP packet over loopback as if it came from `source`."""
    udp = struct.pack('!HHHH', source[1], target[1], 8 + len(payload), 0) + payload
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                     socket.inet_aton(source[0]), socket.inet_aton(target[0]))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(ip + udp, (target[0], 0))
    except PermissionError:
        pytest.skip('forging packets needs root')


@pytest.fixture(scope='module')
def pair(module_daemon):
    return [module_daemon({'test.example.zone': ZONE}) for _ in range(2)]


def seen(server) -> tuple[int, int]:
    """Queries and dropped packets so far, after all that came before has been looked at."""
    server.exchange(QUESTION)
    return server.metric('queries_udp_total'), server.metric('dropped_total')


PACKETS = {
    'a question': (QUESTION, True),
    'a broken question': (message(question=b'\xff'), True),
    'an opcode of nobody': (message(flags=15 << 11), True),
    'an empty answer': (message(flags=0x8000), False),
    'a FORMERR': (message(flags=0x8001), False),
    'a REFUSED': (message(flags=0x8005), False),
    'a NOTIMP of opcode 15': (message(flags=0x8004 | 15 << 11), False),
    'rubbish': (b'\0' * 11, False),
}


@pytest.mark.parametrize('name', PACKETS)
def test_one_packet_and_no_more(pair, name):
    payload, is_answered = PACKETS[name]
    first, second = pair
    before = [seen(server) for server in pair]
    forge(second.address(), first.address(), payload)
    for _ in range(3):  # each round sees what the one before has made
        after = [seen(server) for server in pair]
    questions = [after[i][0] - before[i][0] - 3 for i in range(2)]
    dropped = [after[i][1] - before[i][1] for i in range(2)]
    if is_answered:  # one query at the first; its answer is dropped by the second
        assert questions == [1, 0] and dropped == [0, 1]
    else:
        assert questions == [0, 0] and dropped == [1, 0]


@pytest.mark.parametrize('port', [0, 7, 13, 17, 19, 37, 464])
def test_services_that_answer_anything(pair, port):
    server = pair[0]
    before = seen(server)
    forge(('127.0.0.9', port), server.address(), QUESTION)
    forge(('127.0.0.9', port), server.address(), message(question=b'\xff'))
    after = seen(server)
    assert after[0] - before[0] == 1 and after[1] - before[1] == 2
