# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines by source address: packets that really come from the addresses of the ISPs."""

import socket

import pytest

from harness import ecs_of, values
from namespaces import SERVER, wire_between
from test_examples import LINES, Examples

pytestmark = pytest.mark.sanitizer

CLIENTS = {client: value for client, value in LINES.items() if client != '2001:4860:4860::8888'}


def family_of(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


@pytest.fixture(scope='module')
def world(module_daemon):
    """The wire and the daemon at its other end."""
    with wire_between(list(CLIENTS)) as wire:
        folder = Examples(listen=[f'{SERVER[4]}:0', f'[{SERVER[6]}]:0'], workers=2)
        try:
            server = module_daemon(folder=folder, prefix=wire.prefix)
            yield wire, server
            server.stop()
        finally:
            folder.remove()


@pytest.mark.parametrize('tcp', [False, True], ids=['udp', 'tcp'])
@pytest.mark.parametrize('client', CLIENTS)
def test_line_of_the_source(world, client, tcp):
    wire, server = world

    def ask(name, **more):
        return wire.inside(lambda: server.ask(name, family=family_of(client), source=client,
                                              tcp=tcp, **more))

    reply = ask('lines.example.com')
    assert values(reply) == [CLIENTS[client]] and reply.options == ()
    # The client subnet, where there is one, says more than the source.
    for other, value in CLIENTS.items():
        reply = ask('lines.example.com', ecs=other)
        assert values(reply) == [value] and ecs_of(reply).scopelen > 0
    # A subnet of length 0 asks not to be located by it: the source counts (RFC 7871, 7.1.2).
    reply = ask('lines.example.com', ecs='0.0.0.0/0')
    assert values(reply) == [CLIENTS[client]]
    assert (ecs_of(reply).srclen, ecs_of(reply).scopelen) == (0, 0)


def test_operators_networks_and_canaries_by_source(world):
    wire, server = world
    assert wire.inside(lambda: server.values('intra.example.com', source='10.8.1.1')) == \
        ['192.0.2.1']
    for client in CLIENTS:
        by_source = wire.inside(lambda: server.values(
            'canary.example.com', source=client, family=family_of(client)))
        by_subnet = wire.inside(lambda: server.values('canary.example.com', ecs=client))
        assert by_source == by_subnet, client
