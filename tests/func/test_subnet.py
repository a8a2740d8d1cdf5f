# SPDX-License-Identifier: GPL-3.0-or-later
"""Client subnets (RFC 7871): the scope of an answer holds, and is no longer than it must be.

The oracle knows nothing of the server's inside. Answers change with the client only where a network
of the documents begins or ends, so asking at these borders shows the whole map of a name."""

import ipaddress
import random
import socket

import pytest

import wire
from harness import Folder, ecs_of, make_query, rcode, values

pytestmark = pytest.mark.sanitizer

SPACE = {4: ipaddress.ip_network('20.0.0.0/8'), 6: ipaddress.ip_network('2001:db8::/32')}
LENGTHS = {4: range(9, 31), 6: range(33, 61)}
COUNTRIES = ['DE', 'FR', 'JP']
HASHED = {4: 24, 6: 56}


def some_networks(dice, version, count, lengths=None):
    """Distinct networks, many of them one within the other or side by side."""
    made = set()
    while len(made) < count:
        length = dice.choice(lengths or LENGTHS[version])
        if made and dice.random() < 0.5:
            near = dice.choice(sorted(made))
            base = int(near.network_address) + dice.choice([-1, 0, 1]) * near.num_addresses
        else:
            base = int(SPACE[version].network_address) + dice.getrandbits(
                SPACE[version].max_prefixlen - SPACE[version].prefixlen)
        bits = SPACE[version].max_prefixlen
        network = ipaddress.ip_network((base >> (bits - length) << (bits - length), length)) \
            if 0 <= base < 1 << bits else None
        if network and network.subnet_of(SPACE[version]):
            made.add(network)
    return sorted(made)


def widest(networks):
    """Without those that lie within others."""
    return [str(network) for network in networks if not any(
        network != other and network.version == other.version and network.subnet_of(other)
        for other in networks)]


class World:
    """Random documents, their borders, and what the server says of a client."""

    def __init__(self, daemon, folder, seed):
        dice = self.dice = random.Random(seed)
        networks = {version: some_networks(dice, version, 120) for version in (4, 6)}
        self.borders = {version: self._borders(networks[version]) for version in (4, 6)}
        everything = networks[4] + networks[6]
        dice.shuffle(everything)
        custom, targets, table = everything[:60], everything[60:100], everything[100:]
        folder.write('networks.csv', 'cidr,country,region,asn,line,lat,lon\n' + ''.join(
            f'{network},{dice.choice(COUNTRIES + [""])},,{dice.choice([64501, 64502, ""])},,,\n'
            for network in table))
        lines = {f'line{number}': {'networks': [str(network) for network in custom[number::6]]}
                 for number in range(6)}
        # Narrow networks first: the others would hide them, which is refused.
        targets.sort(key=lambda network: -network.prefixlen / network.max_prefixlen)
        rules = [{'subnets': widest(targets[number * 10:number * 10 + 10]), 'pool': f'p{number}'}
                 for number in range(4)]
        self.server = daemon({'shared.yaml': {'lines': lines},
                              'example.org.yaml': self._zone(rules)}, folder=folder)
        self.client = self.server.client(tcp=True)

    @staticmethod
    def _borders(networks):
        return sorted({address for network in networks for address in
                       (int(network.network_address), int(network.broadcast_address) + 1)})

    @staticmethod
    def _zone(rules):
        # Each line has a value of its own: the oracle tells answers apart by what is in them.
        rows = [{'value': f'192.0.2.{number}', 'line': f'line{number}'} for number in range(6)]
        rows += [{'value': '192.0.2.10', 'line': 'de'}, {'value': '192.0.2.11', 'line': 'fr'},
                 {'value': '192.0.2.12', 'line': 'jp'}]
        pools = {f'p{number}': {'values': [{'value': f'192.0.2.{20 + number}'}]}
                 for number in range(4)}
        rest = {'rest': {'values': [{'value': f'192.0.2.{host}'} for host in (30, 31)]}}
        three = {name: pool for name, pool in pools.items() if name != 'p3'}
        members = [f'192.0.2.{host}' for host in range(40, 48)]
        return {
            'lines': {'type': 'A', 'records': rows + [{'value': '192.0.2.9', 'line': 'default'}]},
            'some': {'type': 'A', 'records': rows},
            'rules': {'type': 'A', 'value': '192.0.2.1', 'dynamic': {
                'pools': {**pools, **rest}, 'rules': rules + [{'pool': 'rest'}]},
                'signpost': {'method': 'rotate'}},
            'asns': {'type': 'A', 'value': '192.0.2.1', 'dynamic': {
                'pools': three, 'rules': [
                    {'asns': [64501], 'pool': 'p0'}, {'asns': [64502], 'pool': 'p1'},
                    {'lines': ['line2'], 'pool': 'p2'}, {'pool': 'p0'}]},
                'signpost': {'method': 'rotate'}},
            'sticky': {'type': 'A', 'values': members, 'signpost': {
                'method': 'sticky', 'answers': 2}},
            'share': {'type': 'A', 'value': '192.0.2.1', 'dynamic': {
                'pools': three, 'rules': [{'lines': ['line1', 'de'], 'share': '50%', 'pool': 'p0'},
                                          {'asns': [64501], 'pool': 'p1'}, {'pool': 'p2'}]},
                'signpost': {'method': 'rotate'}},
            'both': {'type': 'A', 'records': [
                {'value': value, 'line': line} for value in members[:3]
                for line in ('line0', 'line3')] + [{'value': members[4], 'line': 'default'}],
                'signpost': {'method': 'sticky'}},
            'alias': {'type': 'CNAME', 'value': 'lines.example.org.'},
            'static': {'type': 'A', 'values': members},
        }

    def ask(self, name, addresses, version):
        """(rcode, set of answers) and scope for each address."""
        family = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
        replies = self.client.ask_many([
            make_query(f'{name}.example.org', ecs=str(family(address))).to_wire()
            for address in addresses])
        return [((reply[3] & 15, frozenset(wire.texts(reply))), wire.scope(reply))
                for reply in replies]

    def some_clients(self, version, count):
        """Near the borders and anywhere in the space."""
        space, dice = SPACE[version], self.dice
        first, last = int(space.network_address), int(space.broadcast_address)
        return [min(max(dice.choice(self.borders[version]) + dice.choice([-1, 0, 1]), first), last)
                if dice.random() < 0.7 else dice.randint(first, last) for _ in range(count)]


@pytest.fixture(scope='module')
def world(module_daemon):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    folder = Folder(geo={'networks': 'networks.csv'})
    try:
        made = World(module_daemon, folder, seed)
        with made.client:
            yield made
    finally:
        folder.remove()


NAMES = ['lines', 'some', 'rules', 'asns', 'sticky', 'share', 'both', 'alias', 'static']


@pytest.mark.parametrize('version', [4, 6])
@pytest.mark.parametrize('name', NAMES)
def test_two_clients_in_one_scope_get_the_same(world, name, version):
    bits, dice = SPACE[version].max_prefixlen, world.dice
    clients = world.some_clients(version, 400)
    answers = world.ask(name, clients, version)
    others, expected = [], []
    for client, (answer, scope) in zip(clients, answers):
        assert 0 <= scope <= (32 if version == 4 else 64)
        first = client >> (bits - scope) << (bits - scope)
        size = 1 << (bits - scope)
        # Not the networks that say nothing about a client: for them the source counts.
        inside = [address for address in (first, first + size - 1, first + dice.randrange(size))
                  if ipaddress.ip_address(address).is_global or address in SPACE_SET[version]]
        others += inside
        expected += [(client, answer, scope)] * len(inside)
    for other, (client, answer, scope), found in zip(
            others, expected, world.ask(name, others, version)):
        assert found == (answer, scope), \
            f'{ipaddress.ip_address(client)} and {ipaddress.ip_address(other)} /{scope}'
    if name == 'static':
        assert {scope for _, scope in answers} == {0}
    elif name in ('sticky', 'share', 'both'):
        # Hashed clients are never wider than their hash.
        hashed = {scope for _, scope in answers if name == 'sticky' or scope >= HASHED[version]}
        assert hashed and min(hashed) >= HASHED[version]
    else:
        assert len({answer for answer, _ in answers}) >= 2


class Space:
    def __init__(self, network):
        self.first, self.last = int(network.network_address), int(network.broadcast_address)

    def __contains__(self, address):
        return self.first <= address <= self.last


SPACE_SET = {version: Space(network) for version, network in SPACE.items()}


@pytest.mark.parametrize('version', [4, 6])
@pytest.mark.parametrize('name', ['lines', 'some', 'rules', 'asns', 'alias'])
def test_scope_is_no_longer_than_it_must_be(world, name, version):
    """Next to every scope there is a client that gets another answer: the sibling is searched at
    every border in it."""
    bits = SPACE[version].max_prefixlen
    clients = [client for client in world.some_clients(version, 150)]
    siblings, spans = [], []
    for client, (answer, scope) in zip(clients, world.ask(name, clients, version)):
        if scope <= SPACE[version].prefixlen:
            continue  # the rest of the world is not the documents'
        size = 1 << (bits - scope)
        first = (client // size ^ 1) * size
        inside = [first] + [border for border in world.borders[version]
                            if first < border < first + size]
        spans.append((client, answer, scope, len(siblings), len(siblings) + len(inside)))
        siblings += inside
    assert len(spans) > 100
    found = world.ask(name, siblings, version)
    for client, answer, scope, begin, end in spans:
        assert any(other != answer for other, _ in found[begin:end]), \
            f'{ipaddress.ip_address(client)} /{scope} could be /{scope - 1}'


def test_a_network_gets_what_its_first_address_gets(world):
    for version in (4, 6):
        bits = SPACE[version].max_prefixlen
        for client in world.some_clients(version, 60):
            length = world.dice.randint(SPACE[version].prefixlen, bits)
            network = ipaddress.ip_network(
                (client >> (bits - length) << (bits - length), length))
            whole = world.server.ask('lines.example.org', ecs=str(network), tcp=True)
            first = world.server.ask('lines.example.org', ecs=str(network.network_address),
                                     tcp=True)
            assert values(whole) == values(first)
            assert ecs_of(whole).srclen == length
            assert ecs_of(whole).scopelen == ecs_of(first).scopelen


# --- the option itself

def test_no_option_without_option(world):
    server = world.server
    for name in ('lines', 'static', 'nothing'):
        for edns in (False, True):
            assert server.ask(f'{name}.example.org', edns=edns).options == ()


@pytest.mark.parametrize('tcp', [False, True], ids=['udp', 'tcp'])
@pytest.mark.parametrize('ecs', ['20.1.2.3/32', '20.1.2.0/24', '20.0.0.0/7', '2001:db8::/48',
                                 '2001:db8::1/128', '0.0.0.0/0', '::/0'])
def test_option_is_returned_as_it_came(world, ecs, tcp):
    for family in (socket.AF_INET, socket.AF_INET6):
        option = ecs_of(world.server.ask('lines.example.org', ecs=ecs, tcp=tcp, family=family))
        address, length = ecs.split('/')
        assert (option.address, option.srclen) == (address, int(length))


@pytest.mark.parametrize('name, kind, code', [
    ('static', 'A', 'NOERROR'), ('static', 'AAAA', 'NOERROR'), ('nothing', 'A', 'NXDOMAIN'),
    ('', 'SOA', 'NOERROR'), ('', 'NS', 'NOERROR')])
def test_scope_is_zero_where_nothing_depends_on_the_client(world, name, kind, code):
    for ecs in ('20.1.2.3', '2001:db8::1', '20.0.0.0/8'):
        reply = world.server.ask(f'{name}.example.org'.lstrip('.'), kind, ecs=ecs)
        assert rcode(reply) == code and ecs_of(reply).scopelen == 0


@pytest.mark.parametrize('ecs', ['127.0.0.1', '0.1.2.3', '169.254.1.1', '224.0.0.1', '::1',
                                 'fe80::1', 'ff02::1', '0.0.0.0/0'])
def test_addresses_that_say_nothing(world, ecs):
    """The source counts instead, and what it gets must not be kept for others: scope 0 says that it
    is good for all that ask so."""
    reply = world.server.ask('lines.example.org', ecs=ecs)
    assert values(reply) == world.server.values('lines.example.org')
    assert ecs_of(reply).scopelen == 0


def test_switched_off(daemon):
    zone = {'lines': {'type': 'A', 'records': [
        {'value': '192.0.2.1', 'line': 'cn-telecom'}, {'value': '192.0.2.2', 'line': 'default'}]}}
    server = daemon({'example.org.yaml': zone}, answer={'ecs': False})
    reply = server.ask('lines.example.org', ecs='202.96.209.133')
    assert values(reply) == ['192.0.2.2'] and reply.edns == 0 and reply.options == ()


def test_refused_and_broken_questions_have_no_scope(world):
    reply = world.server.ask('other.example', ecs='20.1.2.3')
    assert rcode(reply) == 'REFUSED'
    assert ecs_of(reply) is None or ecs_of(reply).scopelen == 0
