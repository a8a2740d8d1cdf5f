#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares Signpost's reading of geo databases with a second implementation.

usage: geo_oracle.py --locate PATH-OF-geo-locate [--count N] [--seed N] DATABASE...

The databases (MMDB with flat or nested records, CSV of ranges) are read here with Debian's
python3-maxminddb and the csv module; the rules that make ISPs out of ASNs are read from src/geo.
Addresses of both families, at random and at the edges of ranges, go to geo-locate and to the code
below: country, region, ASN and ISP must be the same, and what geo-locate gives as prefix length
must really be one location. Ends with 0 when there was no mismatch.

Without a file to read or without python3-maxminddb it says so and ends with 77 (skipped).
"""

import argparse
import bisect
import csv
import ipaddress
import random
import re
import subprocess
import sys
from pathlib import Path

try:
    import maxminddb
except ImportError:
    print('skipped: python3-maxminddb is not installed')
    sys.exit(77)

DATA = Path(__file__).resolve().parents[2] / 'src' / 'geo'
BITS = {4: 32, 6: 128}


def table(name):
    for line in (DATA / name).read_text(encoding='utf-8').splitlines():
        if not line.startswith('#'):
            yield line.split('\t')


def block_of(version, number):
    """First and last address that share a location with this one: the /64 for IPv6."""
    if version == 4:
        return number, number
    return number >> 64 << 64, number | (1 << 64) - 1


class Places:
    """Codes of countries and regions, as the tables of the catalogue have them."""

    def __init__(self):
        self.countries = {row[0] for row in table('countries.tsv')}
        self.regions = {}
        for country, code, _stems, names, _aliases in table('regions.tsv'):
            for name in [code, *names.split('|')]:
                self.regions[country, name.lower()] = code
        self.complete = {country for country, _ in self.regions}

    def normalise(self, country, region):
        country = (country or '').upper()
        if country not in self.countries:
            return '', ''
        code = self.regions.get((country, (region or '').lower()), '')
        if country not in self.complete and re.fullmatch('[A-Z0-9]{1,3}', region or ''):
            code = region
        return country, code


class Isps:
    """From an ASN, or from the built-in networks where there is none, to an ISP."""

    def __init__(self):
        self.countries = {row[1]: row[3] for row in table('lines.tsv')
                          if row[0] in ('isp', 'cloud')}
        self.asns, self.names, self.networks = {}, [], []
        for fact, isp, value in table('isps.tsv'):
            if fact == 'asn':
                first, _, last = value.partition('-')
                self.asns.update(dict.fromkeys(range(int(first), int(last or first) + 1), isp))
            elif fact == 'name':
                self.names.append((isp, re.compile(value, re.IGNORECASE)))
            else:
                self.networks.append((isp, ipaddress.ip_network(value)))

    def decide(self, address, country, asn, organisation):
        if asn in self.asns:
            isp = self.asns[asn]
            return isp if self.countries[isp] in ('', country) or not country else ''
        if asn:
            return next((isp for isp, pattern in self.names
                         if country and self.countries[isp] == country
                         and pattern.search(organisation)), '')
        return next((isp for isp, network in self.networks
                     if address in network and country in ('', self.countries[isp])), '')


class Ranges:
    """A CSV of ranges: start, end, then ASN and organisation or a country."""

    def __init__(self, path):
        self.rows = {4: [], 6: []}
        with open(path, encoding='utf-8', newline='') as file:
            for start, end, *rest in csv.reader(file):
                first, last = self.bounds(start, end)
                self.rows[first.version].append((int(first), int(last), rest))
        self.starts = {}
        for version, rows in self.rows.items():
            rows.sort(key=lambda row: row[0])
            for i in range(1, len(rows)):  # the range that begins first wins
                if rows[i][0] <= rows[i - 1][1]:
                    end = max(rows[i][1], rows[i - 1][1])
                    rows[i] = (rows[i - 1][1] + 1, end, rows[i][2])
            self.starts[version] = [row[0] for row in rows]

    @staticmethod
    def bounds(start, end):
        if start.isdigit():
            kind = ipaddress.IPv4Address if int(end) < 2 ** 32 else ipaddress.IPv6Address
            return kind(int(start)), kind(int(end))
        return ipaddress.ip_address(start), ipaddress.ip_address(end)

    def find(self, version, number):
        """Rows are disjoint: the first that reaches into the block is what counts."""
        first, last = block_of(version, number)
        i = max(bisect.bisect_right(self.starts[version], first) - 1, 0)
        for row in self.rows[version][i:i + 3]:
            if row[0] <= last and row[1] >= first:
                return row[2]
        return None

    def place(self, version, number):
        row = self.find(version, number)
        return (row[0], '') if row and not row[0].isdigit() else None

    def asn(self, version, number):
        row = self.find(version, number)
        return (int(row[0]), row[1]) if row and row[0].isdigit() else None

    def edges(self, version):
        return [edge for row in self.rows[version] for edge in row[:2]]


class Mmdb:
    """An MMDB with records of either schema."""

    def __init__(self, path):
        self.reader = maxminddb.open_database(path)
        self.version = self.reader.metadata().ip_version

    def find(self, version, number):
        if self.version == 4 and version == 6:
            return None
        kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
        first, last = block_of(version, number)
        while first <= last:
            record, length = self.reader.get_with_prefix_len(kind(first))
            if record is not None:
                return record
            size = 1 << BITS[version] - length
            first = (first // size + 1) * size
        return None

    def place(self, version, number):
        record = self.find(version, number)
        if not record:
            return None
        if 'country_code' in record:
            return record['country_code'], record.get('state1')
        regions = record.get('subdivisions') or [{}]
        return record.get('country', {}).get('iso_code'), regions[0].get('iso_code')

    def asn(self, version, number):
        record = self.find(version, number) or {}
        number = record.get('autonomous_system_number')
        return (number, record.get('autonomous_system_organization', '')) if number else None

    def edges(self, _version):
        return []


class Oracle:
    def __init__(self, paths):
        self.places, self.isps = Places(), Isps()
        self.databases = []
        for path in paths:
            with open(path, 'rb') as file:
                file.seek(-min(128 * 1024, Path(path).stat().st_size), 2)
                is_mmdb = b'\xab\xcd\xefMaxMind.com' in file.read()
            self.databases.append((Mmdb if is_mmdb else Ranges)(path))

    def locate(self, address):
        """Country, region, ASN, ISP."""
        version, number = address.version, int(address)
        country = region = organisation = ''
        asn = 0
        for database in self.databases:
            if not country and (place := database.place(version, number)):
                country, region = self.places.normalise(*place)
            if not asn and (found := database.asn(version, number)):
                asn, organisation = found
        isp = self.isps.decide(address, country, asn, organisation)
        return country or self.isps.countries.get(isp, ''), region, asn, isp

    def samples(self, count, dice):
        """Half of each family at random, half at the edges of ranges and of built-in networks."""
        for version in (4, 6):
            bits = BITS[version]
            kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
            edges = [edge for database in self.databases for edge in database.edges(version)]
            for _, network in self.isps.networks:
                if network.version == version:
                    edges += [int(network[0]), int(network[-1])]
            for i in range(count // 2):
                if i % 2:
                    near = dice.choice(edges) + dice.choice((-1, 0, 1))
                    yield kind(min(max(near, 0), 2 ** bits - 1))
                elif version == 4:
                    yield kind(dice.getrandbits(32))
                elif i % 4:
                    yield kind(1 << 125 | dice.getrandbits(125))  # 2000::/3
                else:  # somewhere in what is in use: below a /32 that has a range
                    edge = dice.choice(edges)
                    yield kind(edge >> 96 << 96 | dice.getrandbits(96))


def run_locate(program, databases, addresses):
    text = ''.join(f'{address}\n' for address in addresses)
    done = subprocess.run([program, '--quiet', *databases], input=text, text=True, check=True,
                          stdout=subprocess.PIPE)
    for line in done.stdout.splitlines():
        address, country, region, asn, isp, length = line.split()
        country, region, isp = ('' if field == '-' else field for field in (country, region, isp))
        yield address, (country, region, int(asn), isp), int(length)


def scope_is_uniform(oracle, address, length, facts, dice):
    """Whether the ends and the middle of the prefix have the location of the address."""
    network = ipaddress.ip_network((int(address), length), strict=False) \
        if address.version == 4 else ipaddress.IPv6Network((int(address), length), strict=False)
    inside = [network[0], network[-1], network[dice.randrange(network.num_addresses)]]
    place = facts[:2] + facts[3:]
    return all(found[:2] + found[3:] == place for found in map(oracle.locate, inside))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--locate', required=True)
    parser.add_argument('--count', type=int, default=100_000)
    parser.add_argument('--seed', type=int, default=random.randrange(2 ** 32))
    parser.add_argument('databases', nargs='+')
    options = parser.parse_args()
    for path in options.databases:
        if not Path(path).is_file():
            print(f'skipped: {path} is not there')
            return 77

    print(f'seed {options.seed}')
    dice = random.Random(options.seed)
    oracle = Oracle(options.databases)
    addresses = list(oracle.samples(options.count, dice))
    answers = list(run_locate(options.locate, options.databases, addresses))
    mismatches = len(addresses) - len(answers)
    known = isps = 0
    for i, (address, (text, facts, length)) in enumerate(zip(addresses, answers)):
        expected = oracle.locate(address)
        known += bool(expected[0])
        isps += bool(expected[3])
        wrong = ipaddress.ip_address(text) != address or facts != expected
        if not wrong and i % 10 == 0 and not scope_is_uniform(oracle, address, length, facts, dice):
            wrong = True
        if wrong:
            mismatches += 1
            if mismatches <= 20:
                print(f'{address}/{length}: got {facts}, expected {expected}')
    print(f'{len(addresses)} addresses ({known} with a country, {isps} with an ISP line), '
          f'{mismatches} mismatches')
    return 1 if mismatches else 0


if __name__ == '__main__':
    sys.exit(main())
