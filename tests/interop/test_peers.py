# SPDX-License-Identifier: GPL-3.0-or-later
"""Signpost beside NSD, Knot and BIND: the same random zones, thousands of questions, the same
answers.

A difference is either explained, by a reason with a name and a condition below and the paragraph
that allows it, or a failure. SIGNPOST_PEER_QUESTIONS asks more, SIGNPOST_SEED the same again."""

import collections
import os
import random

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest

import replies
from harness import make_query
from peers import Bind, Knot, Nsd
from replies import Reply
from zone_maker import APEX, CHILD, NEIGHBOUR, Zone

NAMES = 700
QUESTIONS = int(os.environ.get('SIGNPOST_PEER_QUESTIONS', 20000))
CHAIN_LINKS_MIN = 5  # a chain that a server ends has at least so many


class World:
    """The zones, the daemon that serves them, the questions, and its answers."""

    def __init__(self, module_daemon):
        self.seed = int(os.environ.get('SIGNPOST_SEED', random.randrange(1 << 32)))
        self.zone = Zone(self.seed, NAMES)
        self.zones = self.zone.zones()
        self.server = module_daemon({f'{apex}.zone': text for apex, text in self.zones.items()})
        self.questions = self.zone.questions(QUESTIONS)
        self.wires = [make_query(name, kind).to_wire() for name, kind in self.questions]
        with self.server.client(tcp=True) as client:
            self.ours = [Reply(wire) for wire in client.ask_many(self.wires)]
        self.records = set().union(*(records_of(apex, text) for apex, text in self.zones.items()))


def records_of(apex: str, text: str) -> set:
    return {(name.to_digestable(), rdataset.rdtype, rdataset.ttl, rdata.to_digestable())
            for name, rdataset in
            dns.zone.from_text(text, apex, relativize=False).iterate_rdatasets()
            for rdata in rdataset}


@pytest.fixture(scope='module')
def world(module_daemon):
    made = World(module_daemon)
    print(f'SIGNPOST_SEED={made.seed}')
    return made


@pytest.fixture(scope='module', params=[Nsd, Knot, Bind], ids=['nsd', 'knot', 'bind'])
def peer(request, world):
    made = request.param(world.zones)
    try:
        made.wait_ready()
        yield made
    finally:
        made.stop()


# --- reasons: name -> whether it explains these differences

def any_is_small(question, ours, theirs, found):
    """RFC 8482, 4.2: one HINFO in place of everything."""
    return question[1] == 'ANY' and found <= {'answer', 'authority', 'rcode', 'flags', 'glue'} and \
        replies.HINFO in ours.types()


def denial_types_stop_at_aliases(question, ours, theirs, found):
    """Types of DNSSEC that a zone without it does not have: Knot and BIND (RRSIG, NSEC) and NSD
    (NSEC3) say so at an alias; RFC 1034, 4.3.2, 3a follows it, as for any type that is not
    there."""
    return question[1] in ('RRSIG', 'NSEC', 'NSEC3') and not theirs.answer and \
        theirs.rcode == replies.NOERROR and \
        bool(ours.types() & {replies.CNAME, replies.DNAME})


def any_matches_a_made_alias(question, ours, theirs, found):
    """RFC 1034, 4.3.2, 3a, stops where QTYPE matches CNAME; BIND lets * match the one that a DNAME
    makes (RFC 6672, 3.2), and ends there; we follow it, as we do for every other type."""
    return question[1] == 'ANY' and replies.DNAME in theirs.types() and \
        theirs.answer <= ours.answer and not theirs.authority and \
        theirs.rcode == replies.NOERROR and 'flags' not in found


def loops_are_seen_by_who_follows(question, ours, theirs, found):
    """RFC 1034, 3.6.2, wants loops of aliases signalled as an error: BIND says SERVFAIL, NSD, Knot
    and we show the loop, and the resolver that asked for it sees it."""
    owners = {record[0] for record in ours.answer if record[1] == replies.CNAME}
    targets = {record[3] for record in ours.answer if record[1] == replies.CNAME}
    return targets <= owners and bool(owners) and theirs.rcode == replies.SERVFAIL and \
        ours.rcode == replies.NOERROR and not ours.authority


def long_chains_end_somewhere(question, ours, theirs, found):
    """RFC 1034, 3.6.2, asks for no more than robustness of chains: each server follows so many
    aliases and no more, and the resolver asks on from there."""
    short, long = sorted((ours, theirs), key=lambda one: len(one.answer))
    links = [record for record in short.answer if record[1] == replies.CNAME]
    return len(links) >= CHAIN_LINKS_MIN and short.answer < long.answer and \
        not short.authority and short.rcode == replies.NOERROR and 'flags' not in found


APEXES = sorted((dns.name.from_text(apex).to_digestable() for apex in (APEX, CHILD, NEIGHBOUR)),
                key=len, reverse=True)


def zone_of(name: bytes) -> bytes | None:
    return next((apex for apex in APEXES if replies.is_within(name, apex)), None)


def chains_end_where_they_leave_the_zone(question, ours, theirs, found):
    """RFC 1034, 4.3.2, 3a, goes back to all zones of the server, but no resolver believes one zone
    about another (RFC 2181, 5.4.1): our answer ends, the others tell more."""
    asked = zone_of(dns.name.from_text(question[0]).to_digestable())
    leaves = any(record[1] == replies.CNAME and zone_of(record[3]) not in (asked, None)
                 for record in ours.answer)
    return leaves and ours.answer <= theirs.answer and not ours.authority and \
        ours.rcode == replies.NOERROR and 'flags' not in found


REASONS = {reason.__name__: reason for reason in (
    any_is_small, any_matches_a_made_alias, denial_types_stop_at_aliases,
    loops_are_seen_by_who_follows, long_chains_end_somewhere, chains_end_where_they_leave_the_zone)}


def reason_for(question, ours, theirs, found):
    for name, explains in REASONS.items():
        if explains(question, ours, theirs, found):
            return name
    return None


def shown(reply: Reply) -> str:
    return dns.message.from_wire(reply.wire, raise_on_truncation=False).to_text()


def test_answers_are_the_same(world, peer):
    with peer.client() as client:
        theirs = [Reply(wire) for wire in client.ask_many(world.wires)]
    explained, unexplained = collections.Counter(), []
    codes = collections.Counter(our.rcode for our in world.ours)
    for question, our, their in zip(world.questions, world.ours, theirs):
        found = replies.differences(our, their, world.records)
        if found:
            reason = reason_for(question, our, their, found)
            if reason:
                explained[reason] += 1
            else:
                unexplained.append(f'{question} {sorted(found)}\n--- ours\n{shown(our)}\n'
                                   f'--- theirs\n{shown(their)}')
    print(len(world.questions), {dns.rcode.to_text(code): n for code, n in codes.items()},
          dict(explained))
    assert not unexplained, f'{len(unexplained)} differences, such as\n' + \
        '\n\n'.join(unexplained[:12])
    assert codes[replies.NOERROR] > QUESTIONS / 3 and codes[replies.NXDOMAIN] > QUESTIONS / 20


def test_truncation_is_the_same(world, peer):
    """Without EDNS, over UDP: what does not fit 512 octets says TC, here and there."""
    questions = world.questions[:1500]
    questions += [(f'{owner}.{APEX}.', 'TXT') for owner in world.zone.big]
    questions = [question for question in questions if question[1] != 'ANY']
    wires = [make_query(name, kind, edns=False).to_wire() for name, kind in questions]
    with world.server.client() as client:
        ours = client.ask_many(wires)
    with world.server.client(tcp=True) as client:
        whole = client.ask_many(wires)
    with peer.client(tcp=False) as client:
        theirs = client.ask_many(wires)
    cut = 0
    for question, our, full, their in zip(questions, ours, whole, theirs):
        assert len(our) <= 512
        if our[2] & 2:
            cut += 1
            assert len(full) > 512
        else:
            assert Reply(our).answer == Reply(full).answer
            assert Reply(our).authority == Reply(full).authority
            # Who cuts its answer short may not know the end of a chain.
            assert our[3] & 15 == their[3] & 15 or their[2] & 2 or reason_for(
                question, Reply(our), Reply(their), {'rcode'}), question
        if our[2] & 2 != their[2] & 2:  # for one of them the additional section was too much
            assert Reply(full).additional or Reply(their).additional, question
    assert cut >= 2
