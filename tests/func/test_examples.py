# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/ as committed, on ports of the kernel's choice: what its comments promise holds."""

import collections
import contextlib
import fcntl
import random
import re
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
import yaml

import wire
from harness import ROOT, Folder, chance_bound, cli, ecs_of, eventually, make_query, ttl, values
from targets import Target

ADDRESSES = {'A': ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
             'AAAA': ['2001:db8::1', '2001:db8::2', '2001:db8::3']}

# On built-in networks alone: no databases.
LINES = {'202.96.209.133': '203.0.113.1', '240e::1': '203.0.113.1', '10.8.1.1': '203.0.113.1',
         '10.9.1.1': '203.0.113.1', '210.22.84.3': '203.0.113.2',
         '2408:8000::1': '203.0.113.2',
         '203.0.113.129': '203.0.113.2', '8.8.8.8': '198.51.100.1',
         '203.0.113.1': '198.51.100.1', '2001:4860:4860::8888': '198.51.100.1'}


class Examples(Folder):
    """A copy, with another port and no geo databases."""

    def __init__(self, **options):
        super().__init__()
        shutil.copytree(ROOT / 'examples', self.path, dirs_exist_ok=True)
        self.options = yaml.safe_load((self.path / 'signpost.yaml').read_text())
        assert self.options['listen'] == ['127.0.0.1:5300', '[::1]:5300']
        self.options['listen'] = ['127.0.0.1:0', '[::1]:0']
        assert self.options['control'] == '../run/signpost.sock'
        self.options['control'] = 'run/signpost.sock'
        assert self.options['health'].pop('state') == '../run'
        self.options.update(options)
        self.write_config()


@pytest.fixture(scope='module')
def server(module_daemon):
    folder = Examples()
    try:
        yield module_daemon(folder=folder)
    finally:
        folder.remove()


@pytest.mark.sanitizer
def test_starts_without_geo_data_and_says_so(server):
    line = server.log.wait('geo-off')
    assert line.fields['asns'] == 'off' and line.fields['countries_and_regions'] == 'off'
    missing = [line.fields['file'] for line in server.log.since() if line.event == 'input-warning']
    assert len(missing) == 4
    status = server.get('/v1/status')
    assert status['zones'] == 2 and not status['geo']['asns']


@pytest.mark.parametrize('kind', ['A', 'AAAA'])
@pytest.mark.parametrize('tcp', [False, True], ids=['udp', 'tcp'])
def test_www_takes_turns_evenly(server, kind, tcp):
    count = 30000
    question = make_query('www.example.com', kind).to_wire()
    with server.client(tcp=tcp) as client:
        replies = client.ask_many([question] * count)
    firsts = collections.Counter()
    for reply in replies:
        found = wire.texts(reply)
        assert sorted(found) == ADDRESSES[kind]
        firsts[found[0]] += 1
    for address in ADDRESSES[kind]:
        assert abs(firsts[address] / count - 1 / 3) < 0.01, firsts


@pytest.mark.sanitizer
def test_www_goes_round_in_order(server):
    first = server.values('www.example.com')
    for turn in range(1, 7):
        assert server.values('www.example.com') == first[turn % 3:] + first[:turn % 3]


def test_www_takes_turns_on_many_workers(daemon):
    folder = Examples(workers=3)
    try:
        server = daemon(folder=folder)
        question = make_query('www.example.com').to_wire()
        firsts = collections.Counter()
        for _ in range(60):  # each socket is one worker's; together they meet all
            with server.client() as client:
                firsts.update(wire.texts(reply)[0] for reply in client.ask_many([question] * 300))
        assert all(abs(count / 18000 - 1 / 3) < 0.01 for count in firsts.values()), firsts
        busy = [int(count) for count in re.findall(
            r'^signpost_worker_queries_udp_total\{worker="\d"\} (\d+)$',
            server.api('GET', '/metrics')[1], re.M)]
        assert len(busy) == 3 and all(busy) and sum(busy) == 18000
        server.stop()
    finally:
        folder.remove()


@pytest.mark.sanitizer
@pytest.mark.parametrize('tcp', [False, True], ids=['udp', 'tcp'])
@pytest.mark.parametrize('client', LINES)
def test_lines_by_client_subnet(server, client, tcp):
    for family in (socket.AF_INET, socket.AF_INET6):
        reply = server.ask('lines.example.com', ecs=client, tcp=tcp, family=family)
        assert values(reply) == [LINES[client]] and ttl(reply) == 60
        option = ecs_of(reply)
        assert option.address == client
        assert option.srclen == (128 if ':' in client else 32) and option.scopelen > 0


@pytest.mark.sanitizer
def test_lines_without_client_subnet(server):
    for family in (socket.AF_INET, socket.AF_INET6):
        reply = server.ask('lines.example.com', family=family, edns=True)
        assert values(reply) == ['198.51.100.1'] and reply.options == ()


@pytest.mark.sanitizer
def test_operators_line(server):
    for client in ('10.1.2.3', '2001:db8:100::1', '10.1.0.0/16'):
        assert server.values('intra.example.com', ecs=client) == ['10.1.0.80'], client
    for client in ('10.2.0.1', '10.0.255.255', '2001:db8:101::', '8.8.8.8'):
        assert server.values('intra.example.com', ecs=client) == ['192.0.2.1'], client


@pytest.mark.sanitizer
def test_places(server):
    """Countries are known from networks.csv and, for the ISPs of China, built in."""
    for client, value in (('202.96.209.133', '203.0.113.10'), ('2001:db8:8000::1', '203.0.113.10'),
                          ('198.51.100.7', '203.0.113.20'), ('8.8.8.8', '203.0.113.30')):
        assert server.values('places.example.com', ecs=client) == [value], client


@pytest.mark.sanitizer
def test_clusters(server):
    assert sorted(server.values('api.example.com')) == ['192.0.2.31', '192.0.2.32']
    assert sorted(server.values('static.example.com')) == ['198.51.100.41', '198.51.100.42']
    reply = server.ask('assets.example.com')
    assert [rrset.name.to_text() for rrset in reply.answer] == \
        ['assets.example.com.', 'static.example.com.']
    assert sorted(values(reply)) == ['198.51.100.41', '198.51.100.42']
    assert server.values('some.thing.apps.example.com') == ['192.0.2.50']


@pytest.mark.sanitizer
def test_plain_zone_file(server):
    assert sorted(server.values('www.example.net')) == ADDRESSES['A']
    assert sorted(server.values('blog.example.net')) == ADDRESSES['A']
    assert server.values('any.users.example.net') == ['192.0.2.70']
    reply = server.ask('host.lab.example.net')
    assert reply.answer == [] and len(reply.additional) == 1


@pytest.mark.sanitizer
def test_zone_without_soa_gets_it_from_the_defaults(server):
    soa = server.ask('example.com', 'SOA').answer[0][0]
    assert soa.mname.to_text() == 'ns1.example.com.'
    assert soa.rname.to_text() == 'hostmaster.example.com.'
    changed = (server.folder.path / 'zones/example.com.yaml').stat().st_mtime
    assert soa.serial == int(changed)
    assert server.values('example.com', 'NS') == ['ns1.example.com.', 'ns2.example.com.']
    assert server.ask('nothing.example.com').authority[0][0].serial == soa.serial


def canary(server, networks, tcp=True):
    questions = [make_query('canary.example.com', ecs=f'{network}.0/24').to_wire()
                 for network in networks]
    with server.client(tcp=tcp) as client:
        replies = client.ask_many(questions)
    assert {wire.scope(reply) for reply in replies} == {24}
    found = {network: wire.texts(reply) for network, reply in zip(networks, replies)}
    assert {value for addresses in found.values() for value in addresses} == \
        {'192.0.2.20', '192.0.2.21'}
    return {network for network, addresses in found.items() if addresses == ['192.0.2.21']}


def test_canary(server):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    networks = set()
    while len(networks) < 20000:
        first = dice.choice([octet for octet in range(1, 224) if octet not in (127, 169)])
        networks.add(f'{first}.{dice.randrange(256)}.{dice.randrange(256)}')
    networks = sorted(networks)
    new = canary(server, networks)
    assert abs(len(new) - len(networks) * 0.05) <= chance_bound(0.05, len(networks))
    # The same networks again, in another order, over UDP, by single addresses, after a reload.
    some = dice.sample(sorted(new), 500) + dice.sample(sorted(set(networks) - new), 500)
    dice.shuffle(some)
    assert canary(server, some, tcp=False) == new & set(some)
    questions = [make_query('canary.example.com', ecs=f'{network}.{dice.randrange(256)}').to_wire()
                 for network in some]
    server.folder.write('zones/example.com.yaml',
                        (server.folder.zones / 'example.com.yaml').read_text() + '# changed\n')
    server.reload()
    with server.client() as client:
        for network, reply in zip(some, client.ask_many(questions)):
            assert wire.texts(reply) == ['192.0.2.21' if network in new else '192.0.2.20']
            assert wire.scope(reply) == 24
    # IPv6 clients are hashed by /56.
    reply = server.ask('canary.example.com', ecs='2001:db8:1:203::9')
    assert ecs_of(reply).scopelen == 56
    for host in range(20):
        again = server.ask('canary.example.com', ecs=f'2001:db8:1:2{dice.randrange(256):02x}::1')
        assert values(again) == values(reply), host


def test_weighted(server):
    question = make_query('weighted.example.com').to_wire()
    with server.client() as client:
        replies = client.ask_many([question] * 40000)
    drawn = collections.Counter(address for reply in replies for address in wire.texts(reply))
    assert sum(drawn.values()) == 40000
    assert abs(drawn['192.0.2.61'] - 30000) <= chance_bound(0.75, 40000)


@contextlib.contextmanager
def alone(name: str):
    """One at a time of all test runs on this machine: the ports of the examples are fixed."""
    with open(Path(tempfile.gettempdir()) / f'signpost-{name}.lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.sanitizer
def test_health_checked_names(daemon):
    """Both names have the two members; a port on one of them brings it alone into the answers."""
    folder = Examples()
    try:
        with alone('examples'):
            server = daemon(folder=folder)
            for name, port, good, bad in (('tcp', 8080, 'open', 'off'), ('http', 8081, 200, 503)):
                follow_targets(server, f'{name}.example.com', port, good, bad)
            server.stop()
    finally:
        folder.remove()


def follow_targets(server, name, port, good, bad):
    both = ['127.0.0.11', '127.0.0.12']
    assert sorted(server.values(name)) == both, 'a service of this machine is in the way'
    first, second = Target(both[0], port, good), Target(both[1], port, 'off')
    try:
        eventually(lambda: server.values(name) == both[:1], what='the first is up')
        second.switch(good)
        eventually(lambda: sorted(server.values(name)) == both, what='both are up')
        first.switch(bad)
        eventually(lambda: server.values(name) == both[1:], what='the first is down')
        second.switch('off')
        eventually(lambda: sorted(server.values(name)) == both, what='all are down: all')
    finally:
        first.close()
        second.close()


# --- what the README and the guides print

def dig_lines(text):
    """Questions of the form `dig @127.0.0.1 -p 5300 +short NAME [+subnet=X]` with their output."""
    for match in re.finditer(r'^\$ dig @127\.0\.0\.1 -p 5300 \+short (\S+)(?: \+subnet=(\S+))?.*\n'
                             r'((?:[\da-f.:]+\n)+)', text, re.M):
        yield match[1], match[2], match[3].split()


@pytest.mark.sanitizer
def test_readme(server):
    shown = list(dig_lines((ROOT / 'README.md').read_text()))
    assert len(shown) >= 5
    for name, subnet, output in shown:
        if name == 'tcp.example.com':
            continue  # needs a service; test_health_checked_names
        found = server.values(name, ecs=subnet)
        assert sorted(found) == sorted(output), (name, subnet)


@pytest.mark.sanitizer
def test_try_text(server):
    text = (ROOT / 'examples/try.txt').read_text()
    names = re.findall(r'^  dig @\S+ -p 5300 (\S+)', text, re.M)
    assert len(names) >= 6
    for name in names:
        assert server.values(name), name
    arguments = re.search(r'^  build/signpost (explain .*) -c examples/signpost.yaml$', text, re.M)
    result = cli(*arguments[1].split(), '-c', str(server.folder.config))
    assert result.returncode == 0 and '203.0.113.1' in result.stdout


def test_lint_has_no_warning(server):
    """Notes there are: one address family, one network. Without databases all places are empty."""
    result = server.folder.cli('check')
    told = result.stdout + result.stderr
    assert [line for line in told.splitlines() if 'warning: [' in line
            and '[rule-empty]' not in line and '[pool-unreachable]' not in line] == [], told
    assert 'note: [family-missing]' in told, told
