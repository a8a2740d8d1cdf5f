# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses as sets of records, read straight from the bytes: fast enough for a hundred thousand.

Names are in lower case and written out, also those in the data of types that hold some."""

import struct

A, NS, CNAME, SOA, DNAME, DS, AAAA, HINFO, OPT = 1, 2, 5, 6, 39, 43, 28, 13, 41
SVCB, HTTPS, RRSIG, NSEC, NSEC3 = 64, 65, 46, 47, 50
NXDOMAIN, NOERROR, REFUSED, SERVFAIL, YXDOMAIN = 3, 0, 5, 2, 6
AA, TC = 0x0400, 0x0200
# type -> octets before the names, names
NAMES = {NS: (0, 1), CNAME: (0, 1), SOA: (0, 2), 12: (0, 1), 15: (2, 1), 17: (0, 2), 18: (2, 1),
         21: (2, 1), 33: (6, 1), 36: (2, 1), DNAME: (0, 1), SVCB: (2, 1), HTTPS: (2, 1)}


def read_name(wire: bytes, at: int) -> tuple[bytes, int]:
    """The name in lower case, uncompressed, and where it ends."""
    labels, end, steps = [], None, 0
    while True:
        length = wire[at]
        if length >= 0xc0:
            end = end or at + 2
            at = (length & 0x3f) << 8 | wire[at + 1]
            steps += 1
            assert steps < 128, 'pointers in a circle'
            continue
        labels.append(wire[at:at + 1 + length])
        at += 1 + length
        if length == 0:
            return b''.join(labels).lower(), end or at


def read_rdata(wire: bytes, at: int, end: int, kind: int) -> bytes:
    if kind == 35:  # NAPTR: a name behind three strings
        first = at
        at += 4
        for _ in range(3):
            at += 1 + wire[at]
        return wire[first:at] + read_name(wire, at)[0]
    if kind not in NAMES:
        return wire[at:end]
    before, count = NAMES[kind]
    parts = [wire[at:at + before]]
    at += before
    for _ in range(count):
        name, at = read_name(wire, at)
        parts.append(name)
    return b''.join(parts) + wire[at:end]


class Reply:
    """`answer`, `authority`, `additional`: sets of (owner, type, TTL, data); OPT is left out."""
    __slots__ = ('wire', 'rcode', 'flags', 'answer', 'authority', 'additional')

    def __init__(self, wire: bytes):
        self.wire = wire
        self.flags = (wire[2] << 8 | wire[3]) & 0xfff0
        self.rcode = wire[3] & 15
        counts = struct.unpack_from('!4H', wire, 4)
        at = 12
        for _ in range(counts[0]):
            at = read_name(wire, at)[1] + 4
        sections = []
        for count in counts[1:]:
            records = set()
            for _ in range(count):
                owner, at = read_name(wire, at)
                kind, _, ttl, size = struct.unpack_from('!HHIH', wire, at)
                at += 10
                if kind != OPT:
                    records.add((owner, kind, ttl, read_rdata(wire, at, at + size, kind)))
                at += size
            sections.append(records)
        assert at == len(wire), 'bytes behind the end'
        self.answer, self.authority, self.additional = sections

    def types(self, section: str = 'answer') -> set[int]:
        return {record[1] for record in getattr(self, section)}


def is_within(name: bytes, parent: bytes) -> bool:
    while len(name) > len(parent):
        name = name[1 + name[0]:]
    return name == parent


def required_glue(reply: Reply) -> set:
    """Additional records that a referral cannot do without: names at or below the cut."""
    cuts = {record[0] for record in reply.authority if record[1] == NS}
    return {record for record in reply.additional
            if any(is_within(record[0], cut) for cut in cuts)}


def is_mentioned(record, reply: Reply) -> bool:
    """Whether the data of the answer or the authority section has the owner in it, or it is the
    owner of a record there (the target "." of a service)."""
    return any(record[0] in other[3] or record[0] == other[0]
               for section in (reply.answer, reply.authority) for other in section) or \
        any(record[0] in other[3] for other in reply.additional if other[1] in (SVCB, HTTPS))


def differences(ours: Reply, theirs: Reply, zone: set) -> set[str]:
    found = {part for part in ('rcode', 'flags', 'answer', 'authority')
             if getattr(ours, part) != getattr(theirs, part)}
    # How much goes into the additional section is each server's own affair, but for glue: what is
    # in it must be addresses of the zone (or services of the same type), of names that the answer
    # speaks of.
    for record in ours.additional - theirs.additional:
        if record[1] not in (A, AAAA, SVCB, HTTPS) or record not in zone or \
                not is_mentioned(record, ours):
            found.add('additional')
    if 'authority' not in found and required_glue(ours) != required_glue(theirs):
        found.add('glue')
    return found
