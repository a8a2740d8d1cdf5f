# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers past the reach of a compression pointer (RFC 1035, 4.1.4: 14 bits), read by dnspython:
names that share much, little and nothing with those before them."""

import random

import pytest

pytestmark = pytest.mark.sanitizer

PARENTS = ['a.example.org.', 'b.b.example.org.', 'x.test.', 'example.org.']


def target(dice) -> str:
    labels = [''.join(dice.choice('ab') for _ in range(dice.choice([1, 2, 20, 60])))
              for _ in range(dice.randint(1, 3))]
    return '.'.join([*labels, dice.choice(PARENTS)])


def test_names_are_whole_past_the_reach_of_pointers(daemon):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    wanted = {f'm{number}': {f'{i} {target(dice)}' for i in range(dice.choice([60, 200, 350, 450]))}
              for number in range(12)}
    records = [f'{name} MX {value}' for name, values in wanted.items() for value in values]
    head = ['$ORIGIN example.org.', '$TTL 60', '@ SOA ns1 h 1 2 3 4 5', '@ NS ns1',
            'ns1 A 192.0.2.1']
    server = daemon({'example.org.zone': '\n'.join([*head, *records]) + '\n'})
    sizes = []
    for name, values in wanted.items():
        reply = server.ask(f'{name}.example.org', 'MX', tcp=True)
        assert {rdata.to_text() for rdata in reply.answer[0]} == values, name
        sizes.append(len(values))
    assert max(sizes) >= 200
