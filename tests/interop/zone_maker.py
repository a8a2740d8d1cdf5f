# SPDX-License-Identifier: GPL-3.0-or-later
"""A random zone that is right but full of corners, zones around it, and questions that go for the
corners: names at, below and beside every owner, and everything below everything."""

import random

import dns.name

APEX = 'peer.example'
LABELS = ['a', 'b', 'c', 'www', 'x1', 'Mixed', '_srv', 'ent', 'deep', 'xn--0zwm56d', '0', 'a-b',
          r'do\.t', r'sp\032ace', 'q' * 63]
TYPES = ['A', 'AAAA', 'NS', 'SOA', 'CNAME', 'MX', 'TXT', 'SRV', 'PTR', 'CAA', 'DS', 'DNAME',
         'HINFO', 'NAPTR', 'TLSA', 'SSHFP', 'LOC', 'RP', 'SVCB', 'HTTPS', 'TYPE65280', 'TYPE1234',
         'DNSKEY', 'RRSIG', 'NSEC', 'NSEC3', 'SPF', 'ANY']

# What a name can be for the names below it; all of them stand below all others (`combo`).
KINDS = ('plain', 'wild', 'wildcname', 'cname', 'dname', 'cut', 'ent')
CHILD, NEIGHBOUR = f'child.{APEX}', 'other.example'


def is_name(text: str) -> bool:
    try:
        dns.name.from_text(text)
    except dns.name.NameTooLong:
        return False
    return True


class Zone:
    """`records`: owner (relative, '' is the apex) -> type -> (TTL, values)."""

    def __init__(self, seed: int, names: int):
        self.dice = random.Random(seed)
        self.records: dict[str, dict[str, tuple[int, list[str]]]] = {}
        self.cuts: list[str] = []
        self.dnames: list[str] = []
        self._apex()
        for number in range(12):
            self.put(f'h{number}', 'A', self._addresses())
            if number % 2:
                self.put(f'h{number}', 'AAAA', [f'2001:db8::{number}'])
        self.big = [f'big{count}' for count in (3, 5, 8, 14, 30)]
        for owner in self.big:
            self.put(owner, 'TXT', [f'"{number} {"x" * 60}"' for number in range(int(owner[3:]))])
        self._delegations()
        while len(self.records) < names:
            self._name()
        self._dnames()
        self._aliases()
        self.put('child', 'NS', ['ns.child', 'h1'])
        self.put('ns.child', 'A', ['192.0.2.251'])
        self.cuts.append('child')
        self.combinations = {f'{inner}-{outer}.combo': (outer, inner)
                             for outer in KINDS for inner in KINDS}
        for base, (outer, inner) in self.combinations.items():
            self._combine(base, outer, inner)

    # --- making

    def _combine(self, base: str, outer: str, inner: str):
        self._be(outer, base)
        if outer in ('plain', 'wild', 'wildcname', 'cname', 'ent'):
            self._be(inner, f'in.{base}')
        if outer == 'wild':  # names below a wildcard make it no less of one (RFC 4592, 2.2)
            self.put(f'in.*.{base}', 'TXT', ['"below a wildcard"'])

    def _be(self, kind: str, owner: str):
        if kind == 'plain':
            self.put(owner, 'A', self._addresses())
            self.put(owner, 'TXT', [f'"at {kind}"'])
        elif kind == 'wild':
            self.put(f'*.{owner}', 'TXT', ['"from a wildcard"'])
            self.put(f'*.{owner}', 'A', ['192.0.2.3'])
        elif kind == 'wildcname':
            self.put(f'*.{owner}', 'CNAME', [self.dice.choice(['h1', 'nothing', 'c1', 'x.sub3'])])
        elif kind == 'cname':
            self.put(owner, 'CNAME', [self.dice.choice(['h1', 'nothing', f'other.{CHILD}.',
                                                        f'www.{NEIGHBOUR}.', 'plain-ent.combo'])])
        elif kind == 'dname':
            self.put(owner, 'DNAME', [self.dice.choice(['ent', 'plain-wild.combo', 'child',
                                                        f'{NEIGHBOUR}.'])])
        elif kind == 'cut':
            self.put(owner, 'NS', [f'ns.{owner}', 'h1'])
            self.put(f'ns.{owner}', 'A', self._addresses())
        else:
            self.put(f'e.{owner}', 'TXT', ['"below an empty name"'])

    def put(self, owner: str, kind: str, values: list[str]):
        self.records.setdefault(owner, {})[kind] = (
            self.dice.choice([0, 60, 300, 3600, 86400]), values)

    def _apex(self):
        self.put('', 'SOA', ['h0 hostmaster 2026 7200 900 1209600 300'])
        self.put('', 'NS', ['h0', 'ns.other.example.', 'h1'])
        self.put('', 'MX', ['10 h2', '20 mail.other.example.'])
        self.put('', 'TXT', ['"v=spf1 -all"', '"two" "strings"'])

    def _addresses(self) -> list[str]:
        return [f'192.0.2.{host}' for host in
                self.dice.sample(range(1, 250), self.dice.choice([1, 1, 2, 3, 9]))]

    def _delegations(self):
        for number in range(14):
            owner = self.dice.choice(['', 'ent.', 'deep.ent.']) + f'sub{number}'
            self.cuts.append(owner)
            servers = [f'ns.{owner}'] if number % 3 else []
            servers += self.dice.sample(['h3', 'h4', 'ns.other.example.', f'ns.z.{owner}'], 2)
            if number == 7:
                servers = [f'ns.{self.cuts[0]}']  # glue of a sibling
            self.put(owner, 'NS', servers)
            for server in servers:
                if server.endswith(owner):
                    self.put(server, 'A', self._addresses())
                    if self.dice.random() < 0.5:
                        self.put(server, 'AAAA', [f'2001:db8:1::{number}'])
            if number % 4 == 0:
                self.put(owner, 'DS', ['12345 13 2 ' + '0123456789abcdef' * 4])

    def below_cut(self, owner: str) -> bool:
        return any(owner == cut or owner.endswith(f'.{cut}') for cut in self.cuts)

    def _some_owner(self) -> str:
        labels = [self.dice.choice(LABELS) for _ in range(self.dice.choice([1, 1, 2, 2, 3, 4]))]
        if self.dice.random() < 0.12:
            labels[0] = '*'
        if self.dice.random() < 0.3:
            labels[-1] = self.dice.choice(['ent', 'deep', f'n{self.dice.randrange(60)}'])
        return '.'.join(labels)

    def _name(self):
        owner = self._some_owner()
        if owner.lower() in {known.lower() for known in self.records} or self.below_cut(owner):
            return
        for kind in self.dice.sample(sorted(self._makers()), self.dice.choice([1, 1, 2, 3, 5])):
            self.put(owner, kind, self._makers()[kind]())

    def _host(self) -> str:
        return self.dice.choice([f'h{self.dice.randrange(12)}', 'nothing', 'www.other.example.',
                                 'A.eNt', f'host.{self.cuts[1]}', 'h1', 'h2'])

    def _makers(self):
        return {
            'A': self._addresses,
            'AAAA': lambda: [f'2001:db8:2::{self.dice.randrange(9999)}'],
            'MX': lambda: [f'{10 * number} {self._host()}' for number in (1, 2)],
            'TXT': lambda: [f'"text {number}" "; \\"more\\""' for number in
                            range(self.dice.choice([1, 2, 5]))],
            'SRV': lambda: [f'1 2 {port} {self._host()}' for port in (80, 443)],
            'PTR': lambda: [self._host()],
            'CAA': lambda: ['0 issue "ca.example"'],
            'HINFO': lambda: ['"cpu" "os"'],
            'NAPTR': lambda: [f'10 20 "s" "SIP+D2U" "" {self._host()}'],
            'TLSA': lambda: ['3 1 1 ' + '00ff' * 16],
            'SSHFP': lambda: ['4 2 ' + '00ff' * 16],
            'LOC': lambda: ['52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m'],
            'RP': lambda: ['who h1'],
            'SVCB': lambda: ['1 h5 alpn="h2"'],
            'HTTPS': lambda: ['0 h6'],
            'TYPE65280': lambda: ['\\# 4 deadbeef'],
        }

    def _dnames(self):
        for number in range(4):
            owner = f'dn{number}'
            target = self.dice.choice(['ent', 'deep', 'nothing', 'other.example.', self.cuts[2]])
            self.dnames.append(owner)
            self.put(owner, 'DNAME', [target])
            if number % 2:
                self.put(owner, 'TXT', ['"beside DNAME"'])

    def _aliases(self):
        owners = sorted(self.records)
        for number in range(60):
            owner = f'c{number}' if number < 50 else f'*.w{number}'
            target = self.dice.choice([
                self.dice.choice(owners) or 'h1', f'c{self.dice.randrange(50)}', 'nothing',
                f'any.w{50 + self.dice.randrange(10)}', 'www.other.example.',
                f'host.{self.dice.choice(self.cuts)}', self.dice.choice(self.cuts),
                f'below.{self.dice.choice(self.dnames)}', 'some.thing.ent', 'ent'])
            self.put(owner, 'CNAME', [target])

    # --- writing and asking

    def text(self) -> str:
        lines = [f'$ORIGIN {APEX}.']
        for owner, sets in self.records.items():
            for kind, (ttl, values) in sets.items():
                lines += [f'{owner or "@"} {ttl} IN {kind} {value}' for value in values]
        return '\n'.join(lines) + '\n'

    def zones(self) -> dict[str, str]:
        """This zone, one that is delegated from it and served beside it, and one of its own."""
        return {
            APEX: self.text(),
            CHILD: f'''$ORIGIN {CHILD}.
@ 300 IN SOA ns hostmaster 1 7200 900 1209600 60
@ 300 IN NS ns
ns 300 IN A 192.0.2.251
www 300 IN A 192.0.2.252
other 300 IN CNAME h1.{APEX}.
*.w 300 IN TXT "child"
''',
            NEIGHBOUR: f'''$ORIGIN {NEIGHBOUR}.
@ 300 IN SOA ns hostmaster 1 7200 900 1209600 60
@ 300 IN NS ns
ns 300 IN A 192.0.2.253
www 300 IN A 192.0.2.254
back 300 IN CNAME www.{APEX}.
a.b 300 IN AAAA 2001:db8::99
''',
        }

    def questions(self, count: int) -> list[tuple[str, str]]:
        """So many: systematic ones as far as they go, and a sixth or more of random ones."""
        asked = [*self._of_combinations(), *self._of_owners()]
        for apex in (CHILD, NEIGHBOUR):
            asked += [(f'{label}{apex}.', kind)
                      for label in ('', 'www.', 'other.', 'back.', 'x.w.', 'b.', 'a.b.', 'no.such.')
                      for kind in ('A', 'TXT', 'NS', 'SOA', 'DS', 'CNAME', 'ANY')]
        asked = [one for one in asked if is_name(one[0])]
        self.dice.shuffle(asked)
        del asked[count * 5 // 6:]
        while len(asked) < count:
            asked.append(self.question())
        return asked

    def _of_combinations(self):
        for base in self.combinations:
            for below in ('', 'in.', 'q.', 'e.', 'ns.', 'q.in.', 'e.in.', 'q.q.', 'q.q.in.', '*.',
                          '*.in.', 'in.*.', 'q.*.'):
                for kind in ('A', 'TXT', 'CNAME', 'DNAME', 'NS', 'DS', 'SOA', 'MX'):
                    yield f'{below}{base}.{APEX}.', kind

    def _of_owners(self):
        for owner, sets in self.records.items():
            parent = owner.partition('.')[2]
            for place in (owner, f'{self.dice.choice(LABELS)}.{owner}', f'a.b.{owner}',
                          f'{self.dice.choice(LABELS)}.{parent}', parent):
                kinds = {*self.dice.sample(TYPES, 3), *(sets if place == owner else ())}
                for kind in sorted(kinds):
                    yield f'{place.strip(".")}.{APEX}.'.lstrip('.'), kind

    def question(self) -> tuple[str, str]:
        """A name, absolute, and a type."""
        while True:
            name, kind = self._some_question()
            if is_name(name):
                return name, kind

    def _some_question(self) -> tuple[str, str]:
        dice = self.dice
        owner = dice.choice(sorted(self.records))
        way = dice.randrange(12)
        if way == 0:
            owner = f'{dice.choice(LABELS)}.{owner}'
        elif way == 1:
            owner = f'{dice.choice(LABELS)}.{dice.choice(LABELS)}.{owner}'
        elif way == 2:
            owner = owner.partition('.')[2]
        elif way == 3:
            owner = dice.choice(self.cuts + self.dnames)
        elif way == 4:
            owner = f'{dice.choice(LABELS)}.{dice.choice(self.cuts + self.dnames)}'
        elif way == 5:
            owner = self._some_owner()
        elif way == 6:
            wild = [name for name in self.records if name.startswith('*.')]
            owner = dice.choice(wild).replace('*', dice.choice(LABELS), 1)
        elif way == 7:
            owner = dice.choice([name for name, sets in self.records.items() if 'CNAME' in sets])
        elif way == 8:
            owner = ''.join(dice.choice([c.upper(), c.lower()]) if c.isalpha() else c
                            for c in owner)
        owner = owner.strip('.')
        name = f'{owner}.{APEX}.'.lstrip('.') if dice.random() < 0.99 else \
            dice.choice(['other.example.', 'example.', '.', f'x{APEX}.'])
        own = sorted(self.records.get(owner, {}))
        return name, dice.choice(own) if own and dice.random() < 0.4 else dice.choice(TYPES)
