# SPDX-License-Identifier: GPL-3.0-or-later
"""What is served and what is asked: one class a workload.

A workload writes its zones, networks and queries into a folder, says which servers take part in
which form, and which answers it expects; run.py measures it. The figures that it is held to are the
rows of BARS.
"""

import random
from pathlib import Path

STATIC_NAMES, STEERED_NAMES = 1000, 1000
ASKED_MAX = 500_000
STEERED_LINES = ('default', 'cn-telecom', 'cn-unicom')


class Workload:
    name = ''
    zone = ''
    flags: tuple[str, ...] = ('--edns',)
    negative = False  # the answers are NXDOMAIN
    servers: tuple[str, ...] = ('echo', 'signpost', 'gdnsd', 'knot', 'nsd')
    geo = False  # Signpost serves it with the geo databases

    def __init__(self, options):
        self.options = options

    def write_zone(self, path: Path) -> None:
        """The zone as a master file, for every server that reads one."""
        raise NotImplementedError

    def questions(self):
        """Lines `name type` for bench-load."""
        raise NotImplementedError

    def expected(self):
        """Some (name, type, set of rdata texts, or None for NXDOMAIN)."""
        raise NotImplementedError

    def prepare(self, folder: Path) -> None:
        (folder / 'zones').mkdir(parents=True)
        self.write_zone(folder / 'zones' / f'{self.zone}.zone')
        with open(folder / 'queries', 'w', encoding='ascii') as out:
            out.writelines(self.questions())

    def head(self) -> str:
        return (f'$ORIGIN {self.zone}.\n$TTL 300\n'
                f'@ IN SOA ns1.{self.zone}. hostmaster.{self.zone}. 1 3600 600 86400 60\n'
                f'@ IN NS ns1.{self.zone}.\nns1 IN A 192.0.2.53\n')


def ipv4(number: int) -> str:
    return f'192.0.2.{number % 250 + 1}'


def ipv6(number: int) -> str:
    return f'2001:db8::{number % 250 + 1:x}'


class Small(Workload):
    """1,000 names with an A and an AAAA each; all of it stays in the caches."""

    name, zone = 'small', 'static.test'

    def write_zone(self, path):
        path.write_text(self.head() + ''.join(
            f'n{i:04d} IN A {ipv4(i)}\nn{i:04d} IN AAAA {ipv6(i)}\n' for i in range(STATIC_NAMES)))

    def questions(self):
        for i in range(STATIC_NAMES):
            yield f'n{i:04d}.{self.zone}. A\n'
            yield f'n{i:04d}.{self.zone}. AAAA\n'

    def expected(self):
        for i in range(0, STATIC_NAMES, 7):
            yield f'n{i:04d}.{self.zone}.', 'A', {ipv4(i)}
            yield f'n{i:04d}.{self.zone}.', 'AAAA', {ipv6(i)}


def pair(number: int) -> set[str]:
    high, low = number // 250 % 250, number % 250
    return {f'10.{high}.{low}.1', f'10.{high}.{low}.2'}


class Million(Workload):
    """1,000,000 names with two A each, asked in random order: every query misses the caches."""

    name, zone = 'million', 'million.test'
    extra = ''  # before a name that is asked

    def write_zone(self, path):
        with open(path, 'w', encoding='ascii') as out:
            out.write(self.head())
            for i in range(self.options.names):
                out.writelines(f'n{i:07d} A {value}\n' for value in sorted(pair(i)))

    def questions(self):
        dice = random.Random(3)
        count = min(self.options.names, ASKED_MAX)
        for i in dice.sample(range(self.options.names), count):
            yield f'{self.extra}n{i:07d}.{self.zone}. A\n'

    def expected(self):
        for i in range(0, self.options.names, max(self.options.names // 100, 1)):
            yield f'n{i:07d}.{self.zone}.', 'A', pair(i)


class Missing(Million):
    """Names that are not there, in the zone of a million."""

    name, extra, negative = 'nxdomain', 'x', True

    def expected(self):
        for i in range(0, self.options.names, max(self.options.names // 100, 1)):
            yield f'xn{i:07d}.{self.zone}.', 'A', None


class Steered(Workload):
    """1,000 names: five members on three lines with weights, each member with a check, a random
    client subnet in every query. Each peer does the nearest thing that it can (see servers.py)."""

    name, zone = 'steered', 'steered.test'
    flags = ('--edns', '--ecs-random')
    servers = ('echo', 'signpost', 'gdnsd', 'knot', 'powerdns')
    geo = True

    def members(self, number: int) -> list[tuple[str, str, int]]:
        """(line, address, weight); the addresses are loopback, so that checks find something."""
        last = number % 100 + 1
        return [('default', f'127.1.1.{last}', 3), ('default', f'127.1.2.{last}', 1),
                ('cn-telecom', f'127.1.3.{last}', 2), ('cn-telecom', f'127.1.4.{last}', 1),
                ('cn-unicom', f'127.1.5.{last}', 1)]

    def names(self):
        return [f'n{i:04d}' for i in range(STEERED_NAMES)]

    def prepare(self, folder):
        super().prepare(folder)
        (folder / 'zones' / f'{self.zone}.zone').unlink()
        (folder / 'zones' / f'{self.zone}.yaml').write_text(''.join(
            f'{name}:\n  type: A\n  ttl: 300\n  records:\n'
            + ''.join(f'    - {{value: {value}, line: {line}, weight: {weight}}}\n'
                      for line, value, weight in self.members(number))
            + '  octodns: {healthcheck: {protocol: TCP, port: '
            + f'{self.options.target_port}}}}}\n'
            + '  signpost: {method: weighted, check: {interval: 30}}\n'
            for number, name in enumerate(self.names())))
        rows = [f'{network},CN,,,{line},,\n' for network, line in self.networks()]
        (folder / 'networks.csv').write_text('cidr,country,region,asn,line,lat,lon\n'
                                             + ''.join(rows))

    def write_zone(self, path):
        path.write_text(self.head())

    def networks(self):
        """Lines for about a third of the IPv4 unicast space, in networks of /16, from a fixed
        seed."""
        dice = random.Random(1)
        for first in range(1, 224):
            for second in range(256):
                draw = dice.random()
                if first not in (10, 127) and draw < 0.3:
                    yield (f'{first}.{second}.0.0/16',
                           'cn-telecom' if draw < 0.18 else 'cn-unicom')

    def questions(self):
        return [f'{name}.{self.zone}. A\n' for name in self.names()]

    def expected(self):
        return []  # drawn: run.py looks at the lines of 2,000 clients instead


WORKLOADS = {workload.name: workload for workload in (Small, Million, Missing, Steered)}

# (workload, ours, theirs, least ratio). `echo` is the limit, `small` our own static row.
BARS = [
    ('small', 'signpost', 'echo', 0.97),
    ('small', 'signpost', 'gdnsd', 1.0),
    ('small', 'signpost', 'knot', 1.1),
    ('small', 'signpost', 'nsd', 1.2),
    ('million', 'signpost', 'echo', 0.92),
    ('million', 'signpost', 'gdnsd', 1.15),
    ('million', 'signpost', 'knot', 1.4),
    ('million', 'signpost', 'nsd', 1.4),
    ('nxdomain', 'signpost', 'echo', 0.95),
    ('steered', 'signpost', 'own static', 0.95),
    ('steered', 'signpost', 'gdnsd', 1.2),
    ('steered', 'signpost', 'knot', 1.5),
    ('steered', 'signpost', 'powerdns', 10),
]
