# SPDX-License-Identifier: GPL-3.0-or-later
"""Signpost beside NSD and Knot: one random zone, thousands of questions, the same answers.

A difference is either explained, by a reason with a name and a condition below, or a failure."""

import collections
import os
import random

import dns.message
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest

from harness import make_query
from peers import Knot, Nsd
from zone_maker import APEX, Zone

NAMES, QUESTIONS = 420, 5000


@pytest.fixture(scope='module')
def world(module_daemon):
    seed = int(os.environ.get('SIGNPOST_SEED', random.randrange(1 << 32)))
    print(f'SIGNPOST_SEED={seed}')
    zone = Zone(seed, NAMES)
    return zone, module_daemon({f'{APEX}.zone': zone.text()})


@pytest.fixture(scope='module', params=[Nsd, Knot], ids=['nsd', 'knot'])
def peer(request, world):
    made = request.param(APEX, world[0].text())
    try:
        made.wait_ready()
        yield made
    finally:
        made.stop()


class Answer:
    """A response as sets: owner, type, TTL and rdata of each record, names without case."""

    def __init__(self, wire: bytes):
        self.message = dns.message.from_wire(wire, raise_on_truncation=False)
        self.rcode = self.message.rcode()
        self.flags = self.message.flags
        self.answer = self._records(self.message.answer)
        self.authority = self._records(self.message.authority)
        self.additional = self._records(self.message.additional)

    @staticmethod
    def _records(section):
        return {(rrset.name.canonicalize(), rrset.rdtype, rrset.ttl, rdata.to_digestable())
                for rrset in section for rdata in rrset}

    def types(self, section='answer'):
        return {record[1] for record in getattr(self, section)}


def required_glue(answer: Answer) -> set:
    """Additional records that a referral cannot do without: names at or below the cut."""
    cuts = {record[0] for record in answer.authority if record[1] == dns.rdatatype.NS}
    return {record for record in answer.additional
            if any(record[0].is_subdomain(cut) for cut in cuts)}


def is_in_zone(record, zone: dns.zone.Zone) -> bool:
    owner, kind, ttl, rdata = record
    found = zone.get_rdataset(owner, kind)
    return found is not None and found.ttl == ttl and \
        rdata in {one.to_digestable() for one in found}


def is_mentioned(record, answer: Answer) -> bool:
    """Whether a record of the answer or the authority section has the owner in its data."""
    owner = record[0].to_digestable()
    return any(owner in rdata.to_digestable() for section in
               (answer.message.answer, answer.message.authority) for rrset in section
               for rdata in rrset)


def differences(ours: Answer, theirs: Answer, zone: dns.zone.Zone) -> set[str]:
    found = {part for part in ('rcode', 'flags', 'answer', 'authority')
             if getattr(ours, part) != getattr(theirs, part)}
    # How much goes into the additional section is each server's own affair, but for glue: what is
    # in it must be addresses of the zone, of names that the answer speaks of.
    for record in ours.additional - theirs.additional:
        if record[1] not in (dns.rdatatype.A, dns.rdatatype.AAAA) or \
                not is_in_zone(record, zone) or not is_mentioned(record, ours):
            found.add('additional')
    if 'authority' not in found and required_glue(ours) != required_glue(theirs):
        found.add('glue')
    return found


# --- reasons: name -> whether it explains these differences

def any_is_small(question, ours, theirs, found):
    """RFC 8482: one HINFO in place of everything."""
    return question[1] == 'ANY' and found <= {'answer', 'authority', 'rcode', 'flags'} and \
        dns.rdatatype.HINFO in ours.types()


def denial_types_stop_at_aliases(question, ours, theirs, found):
    """Types of DNSSEC that a zone without it does not have: Knot (RRSIG, NSEC) and NSD (NSEC3) say
    so at an alias; RFC 1034, 4.3.2, 3a follows it, as for any type that is not there."""
    return question[1] in ('RRSIG', 'NSEC', 'NSEC3') and not theirs.answer and \
        theirs.rcode == dns.rcode.NOERROR and \
        ours.types() & {dns.rdatatype.CNAME, dns.rdatatype.DNAME}


def long_chains_end_somewhere(question, ours, theirs, found):
    """Each server follows so many aliases and no more: the resolver asks on from there."""
    short, long = sorted((ours, theirs), key=lambda one: len(one.answer))
    links = [record for record in short.answer if record[1] == dns.rdatatype.CNAME]
    return len(links) >= 5 and short.answer < long.answer and not short.authority and \
        short.rcode == dns.rcode.NOERROR and 'flags' not in found


REASONS = {reason.__name__: reason for reason in (
    any_is_small, denial_types_stop_at_aliases, long_chains_end_somewhere)}


def reason_for(question, ours, theirs, found):
    for name, explains in REASONS.items():
        if explains(question, ours, theirs, found):
            return name
    return None


def test_answers_are_the_same(world, peer):
    zone, server = world
    questions = [zone.question() for _ in range(QUESTIONS)]
    wires = [make_query(name, kind).to_wire() for name, kind in questions]
    with server.client(tcp=True) as client:
        ours = client.ask_many(wires)
    with peer.client() as client:
        theirs = client.ask_many(wires)
    records = dns.zone.from_text(zone.text(), APEX, relativize=False)
    explained, unexplained = collections.Counter(), []
    codes = collections.Counter()
    for question, our_wire, their_wire in zip(questions, ours, theirs):
        our, their = Answer(our_wire), Answer(their_wire)
        codes[dns.rcode.to_text(our.rcode)] += 1
        found = differences(our, their, records)
        if found:
            reason = reason_for(question, our, their, found)
            if reason:
                explained[reason] += 1
            else:
                unexplained.append(f'{question} {sorted(found)}\n--- ours\n{our.message}\n'
                                   f'--- theirs\n{their.message}')
    print(dict(codes), dict(explained))
    assert not unexplained, f'{len(unexplained)} differences, such as\n' + \
        '\n\n'.join(unexplained[:12])
    assert codes['NOERROR'] > QUESTIONS / 3 and codes['NXDOMAIN'] > QUESTIONS / 20


def test_truncation_is_the_same(world, peer):
    """Without EDNS, over UDP: what does not fit 512 octets says TC, here and there."""
    zone, server = world
    questions = [zone.question() for _ in range(1500)]
    questions += [(f'{owner}.{APEX}.', 'TXT') for owner in zone.big]
    wires = [make_query(name, kind, edns=False).to_wire() for name, kind in questions
             if kind != 'ANY']
    with server.client() as client:
        ours = client.ask_many(wires)
    with server.client(tcp=True) as client:
        whole = client.ask_many(wires)
    with peer.client(tcp=False) as client:
        theirs = client.ask_many(wires)
    cut = 0
    for question, our, full, their in zip(wires, ours, whole, theirs):
        assert len(our) <= 512
        if our[2] & 2:
            cut += 1
            assert len(full) > 512
        else:
            assert Answer(our).answer == Answer(full).answer
            assert Answer(our).authority == Answer(full).authority
            assert our[3] & 15 == their[3] & 15
        if our[2] & 2 != their[2] & 2:  # for one of them the additional section was too much
            assert Answer(full).additional or Answer(their).additional, question
    assert cut >= 2
