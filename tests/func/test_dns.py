# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers over the wire as the RFCs want them: names, chains, wildcards, delegations, denial."""

import socket

import dns.message
import dns.rdatatype
import dns.zone
import pytest

from harness import has_flag, make_query, rcode, values

pytestmark = pytest.mark.sanitizer

ZONE = '''\
$ORIGIN test.example.
$TTL 600
@           SOA   ns1 hostmaster ( 7 3600 600 86400 300 )
            NS    ns1
            NS    ns.other.example.
            MX    10 mail
ns1         A     192.0.2.53
            AAAA  2001:db8::53
mail        A     192.0.2.25
www         A     192.0.2.1
            TXT   "one" "two"
one         CNAME two
two         CNAME three
three       A     192.0.2.3
out         CNAME www.other.example.
loop        CNAME pool
pool        CNAME loop
dangling    CNAME nothing
empty       CNAME three.ent
*.wild      A     192.0.2.20
            TXT   "wild"
there.wild  TXT   "there"
x.y.wild    A     192.0.2.21
*.star      CNAME www
a.three.ent A     192.0.2.30
sub         NS    ns.sub
            NS    ns.other.example.
            DS    12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.sub      A     192.0.2.40
            AAAA  2001:db8::40
side        NS    ns1
MiXeD       A     192.0.2.50
short       60 A  192.0.2.51
odd         TYPE65280 \\# 3 abcdef
old         DNAME new
a.new       A     192.0.2.60
_sip._tcp   SRV   1 2 5060 www
$INCLUDE more.inc inc
'''

INCLUDED = 'here A 192.0.2.70\n@ TXT "at inc"\n'

SOA = 'ns1.test.example. hostmaster.test.example. 7 3600 600 86400 300'


@pytest.fixture(scope='module')
def server(module_daemon):
    big = ''.join(f'big{size} TXT ' + ' '.join(f'"{number:03}{"x" * 97}"' for number in range(size))
                  + '\n' for size in (3, 6, 10, 13, 40, 300))
    return module_daemon({'test.example.zone': ZONE + big, 'more.inc': INCLUDED},
                         answer={'chaos_id': 'node-7'})


def answer_of(reply):
    """Owner, TTL, type and values of each RRset of the answer section."""
    return [(rrset.name.to_text(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype),
             [rdata.to_text() for rdata in rrset]) for rrset in reply.answer]


def is_denied(reply, code, answers=0, zone='test.example.'):
    """Authority has the SOA and nothing else, with the TTL of RFC 2308."""
    assert rcode(reply) == code
    assert len(reply.answer) == answers
    assert [(rrset.name.to_text(), rrset.ttl, rrset[0].to_text()) for rrset in reply.authority] \
        == [(zone, 300, SOA)]
    assert has_flag(reply, 'AA')
    return True


# --- what exists

def test_answer(server):
    reply = server.ask('www.test.example', 'A')
    assert rcode(reply) == 'NOERROR' and has_flag(reply, 'AA') and has_flag(reply, 'QR')
    assert not has_flag(reply, 'RA') and not has_flag(reply, 'TC')
    assert answer_of(reply) == [('www.test.example.', 600, 'A', ['192.0.2.1'])]
    assert reply.authority == [] and reply.additional == []
    assert server.values('www.test.example', 'TXT') == ['"one" "two"']
    assert answer_of(server.ask('short.test.example'))[0][1] == 60


def test_apex(server):
    assert server.values('test.example', 'SOA') == [SOA]
    assert sorted(server.values('test.example', 'NS')) == \
        ['ns.other.example.', 'ns1.test.example.']


def test_additional_addresses(server):
    for name, kind, host in (('test.example', 'MX', 'mail.test.example.'),
                             ('test.example', 'NS', 'ns1.test.example.'),
                             ('_sip._tcp.test.example', 'SRV', 'www.test.example.')):
        additional = {rrset.name.to_text() for rrset in server.ask(name, kind).additional}
        assert additional == {host}, kind


def test_case_of_the_question_is_kept(server):
    query = make_query('wWw.TeSt.ExAmPlE', 'A').to_wire()
    reply = server.exchange(query)
    assert reply[12:12 + 18 + 4] == query[12:12 + 18 + 4]
    # The owner of the record points to the question.
    assert reply[34:36] == b'\xc0\x0c'
    assert server.values('mixed.test.example') == ['192.0.2.50']
    chain = server.exchange(make_query('ONE.test.example').to_wire())
    assert b'\x03ONE\x04test' in chain


def test_unknown_type_of_the_zone(server):
    assert server.values('odd.test.example', 'TYPE65280') == [r'\# 3 abcdef']


def test_include(server):
    assert server.values('here.inc.test.example') == ['192.0.2.70']
    assert server.values('inc.test.example', 'TXT') == ['"at inc"']


# --- chains

def test_chain(server):
    reply = server.ask('one.test.example', 'A')
    assert answer_of(reply) == [
        ('one.test.example.', 600, 'CNAME', ['two.test.example.']),
        ('two.test.example.', 600, 'CNAME', ['three.test.example.']),
        ('three.test.example.', 600, 'A', ['192.0.2.3'])]
    assert has_flag(reply, 'AA') and reply.authority == []


def test_alias_itself(server):
    assert answer_of(server.ask('one.test.example', 'CNAME')) == \
        [('one.test.example.', 600, 'CNAME', ['two.test.example.'])]


def test_chain_that_leaves_the_zone(server):
    reply = server.ask('out.test.example', 'A')
    assert rcode(reply) == 'NOERROR' and reply.authority == []
    assert answer_of(reply) == [('out.test.example.', 600, 'CNAME', ['www.other.example.'])]


def test_chain_to_nothing(server):
    # RFC 6604: the code and the denial are those of the last name.
    assert is_denied(server.ask('dangling.test.example'), 'NXDOMAIN', answers=1)
    assert is_denied(server.ask('one.test.example', 'AAAA'), 'NOERROR', answers=2)
    assert is_denied(server.ask('empty.test.example'), 'NOERROR', answers=1)


def test_chain_that_loops_ends(server):
    reply = server.ask('loop.test.example')
    owners = {rrset.name.to_text() for rrset in reply.answer}
    assert owners == {'loop.test.example.', 'pool.test.example.'}


def test_dname(server):
    reply = server.ask('a.old.test.example')
    assert answer_of(reply) == [
        ('old.test.example.', 600, 'DNAME', ['new.test.example.']),
        ('a.old.test.example.', 600, 'CNAME', ['a.new.test.example.']),
        ('a.new.test.example.', 600, 'A', ['192.0.2.60'])]
    # A question for CNAME is answered by the one that was made.
    reply = server.ask('nothing.old.test.example', 'CNAME')
    assert rcode(reply) == 'NOERROR' and len(reply.answer) == 2 and reply.authority == []
    assert values(server.ask('old.test.example', 'DNAME'), 'DNAME') == ['new.test.example.']
    assert is_denied(server.ask('old.test.example', 'A'), 'NOERROR')
    long = '.'.join(['l' * 60] * 3) + '.' + 'm' * 45
    assert rcode(server.ask(f'{long}.old.test.example')) in ('NXDOMAIN', 'NOERROR', 'YXDOMAIN')


# --- wildcards (RFC 4592)

@pytest.mark.parametrize('name', ['a.wild', 'a.b.wild', 'a.b.c.d.e.wild', '*.wild', '*.a.wild'])
def test_wildcard(server, name):
    reply = server.ask(f'{name}.test.example')
    assert answer_of(reply) == [(f'{name}.test.example.', 600, 'A', ['192.0.2.20'])]
    assert server.values(f'{name}.test.example', 'TXT') == ['"wild"']
    assert is_denied(server.ask(f'{name}.test.example', 'AAAA'), 'NOERROR')


@pytest.mark.parametrize('name', ['a.there.wild', 'a.x.y.wild', 'a.y.wild'])
def test_wildcard_ends_at_what_exists(server, name):
    assert is_denied(server.ask(f'{name}.test.example'), 'NXDOMAIN')


@pytest.mark.parametrize('name', ['there.wild', 'y.wild', 'wild'])
def test_wildcard_does_not_cover_what_exists(server, name):
    assert is_denied(server.ask(f'{name}.test.example'), 'NOERROR')


def test_wildcard_alias(server):
    assert answer_of(server.ask('any.star.test.example')) == [
        ('any.star.test.example.', 600, 'CNAME', ['www.test.example.']),
        ('www.test.example.', 600, 'A', ['192.0.2.1'])]


# --- what does not exist

@pytest.mark.parametrize('name', ['nothing', 'a.www', 'a.b.c.nothing', 'x.ent', 'www\\000'])
def test_no_such_name(server, name):
    assert is_denied(server.ask(f'{name}.test.example'), 'NXDOMAIN')


@pytest.mark.parametrize('name', ['ent', 'three.ent', '_tcp'])
def test_empty_non_terminal(server, name):
    assert is_denied(server.ask(f'{name}.test.example'), 'NOERROR')


@pytest.mark.parametrize('kind', ['AAAA', 'MX', 'TYPE1000', 'TYPE65535', 'DS', 'RRSIG', 'SVCB'])
def test_no_such_type(server, kind):
    assert is_denied(server.ask('www.test.example', kind), 'NOERROR')


@pytest.mark.parametrize('name', ['other.example', 'example', '.', 'xtest.example', 'com'])
def test_not_our_zone(server, name):
    reply = server.ask(name)
    assert rcode(reply) == 'REFUSED' and not has_flag(reply, 'AA')
    assert not reply.answer and not reply.authority and not reply.additional


# --- delegations

@pytest.mark.parametrize('name, kind', [('sub', 'A'), ('sub', 'NS'), ('a.sub', 'A'),
                                        ('ns.sub', 'A'), ('a.b.sub', 'MX'), ('sub', 'TYPE1000'),
                                        ('sub', 'SOA'), ('a.sub', 'DS')])
def test_delegation(server, name, kind):
    reply = server.ask(f'{name}.test.example', kind)
    assert rcode(reply) == 'NOERROR' and not has_flag(reply, 'AA') and not reply.answer
    assert [rrset.name.to_text() for rrset in reply.authority] == ['sub.test.example.']
    assert sorted(rdata.to_text() for rdata in reply.authority[0]) == \
        ['ns.other.example.', 'ns.sub.test.example.']
    glue = {(rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype), rrset[0].to_text())
            for rrset in reply.additional}
    assert glue == {('ns.sub.test.example.', 'A', '192.0.2.40'),
                    ('ns.sub.test.example.', 'AAAA', '2001:db8::40')}


def test_delegation_to_a_sibling(server):
    reply = server.ask('a.side.test.example')
    assert not has_flag(reply, 'AA')
    assert {rrset.name.to_text() for rrset in reply.additional} == {'ns1.test.example.'}


def test_ds_is_the_parents(server):
    reply = server.ask('sub.test.example', 'DS')
    assert has_flag(reply, 'AA') and len(values(reply, 'DS')) == 1
    assert is_denied(server.ask('side.test.example', 'DS'), 'NOERROR')


# --- ANY, CHAOS

@pytest.mark.parametrize('tcp', [False, True])
def test_any_is_small(server, tcp):
    assert answer_of(server.ask('one.test.example', 'ANY', tcp=tcp)) == \
        [('one.test.example.', 600, 'CNAME', ['two.test.example.'])]
    for name in ('www', 'any.wild'):
        assert answer_of(server.ask(f'{name}.test.example', 'ANY', tcp=tcp)) == \
            [(f'{name}.test.example.', 3600, 'HINFO', ['"RFC8482" ""'])]
    assert is_denied(server.ask('nothing.test.example', 'ANY', tcp=tcp), 'NXDOMAIN')
    assert is_denied(server.ask('ent.test.example', 'ANY', tcp=tcp), 'NOERROR')


def chaos(server, name, kind='TXT'):
    query = make_query(name, kind, rdclass='CH')
    return dns.message.from_wire(server.exchange(query.to_wire()))


@pytest.mark.parametrize('name, text', [('version.bind', 'signpost'),
                                        ('VERSION.server', 'signpost'),
                                        ('id.server', 'node-7'), ('hostname.bind', 'node-7')])
def test_chaos(server, name, text):
    reply = chaos(server, name)
    assert [rdata.to_text() for rdata in reply.answer[0]] == [f'"{text}"']
    assert rcode(chaos(server, 'authors.bind')) == 'REFUSED'


def test_chaos_switched_off(daemon):
    server = daemon({'test.example.zone': ZONE, 'more.inc': INCLUDED},
                    answer={'chaos_version': 'off'})
    for name in ('version.bind', 'version.server', 'id.server', 'hostname.bind'):
        reply = chaos(server, name)
        assert rcode(reply) == 'REFUSED' and not reply.answer


# --- truncation

def test_truncation_and_tcp(server):
    sizes = {'big3': 512, 'big6': 1232, 'big10': 1232, 'big13': 65535, 'big40': 65535,
             'big300': 65535}
    for name, fits in sizes.items():
        name = f'{name}.test.example'
        for offer, limit in ((None, 512), (512, 512), (100, 512), (1232, 1232), (4096, 1232),
                             (65535, 1232)):
            reply = server.ask(name, 'TXT', edns=offer is not None, payload=offer or 0)
            assert has_flag(reply, 'TC') == (fits > limit), (name, offer)
            assert len(reply.to_wire()) <= limit
            if fits > limit:
                assert not reply.answer and not reply.authority
            if offer is not None:
                assert reply.edns == 0 and reply.payload == 1232
        whole = server.ask(name, 'TXT', tcp=True)
        assert not has_flag(whole, 'TC') and len(whole.answer[0]) == 1
        assert len(whole.answer[0][0].strings) == int(name[3:name.index('.')])


# --- the root, and a zone below it

ROOT = '''\
$TTL 3600
.         SOA ns.root. admin.root. 1 2 3 4 900
.         NS  ns.root.
ns.root.  A   192.0.2.1
com.      NS  ns.com.
ns.com.   A   192.0.2.2
example.  NS  ns.root.
'''


def test_the_root(daemon):
    server = daemon({'..zone': ROOT, 'test.example.zone': ZONE, 'more.inc': INCLUDED,
                     '.test.example.zone': 'an editor left this'})
    assert server.values('.', 'SOA') == ['ns.root. admin.root. 1 2 3 4 900']
    assert [rrset.name.to_text() for rrset in server.ask('.', 'NS').additional] == ['ns.root.']
    for name, zone in (('www.com', 'com.'), ('com', 'com.'), ('x.y.example', 'example.')):
        reply = server.ask(name)
        assert [rrset.name.to_text() for rrset in reply.authority] == [zone]
        assert not has_flag(reply, 'AA') and not reply.answer
    for name, code in (('nothing', 'NXDOMAIN'), ('root', 'NOERROR'), ('.', 'NOERROR')):
        reply = server.ask(name)
        assert rcode(reply) == code and has_flag(reply, 'AA') and not reply.answer
        assert [(rrset.name.to_text(), rrset.ttl) for rrset in reply.authority] == [('.', 900)]
    assert server.values('www.test.example') == ['192.0.2.1']


# --- one answer on all ways

QUESTIONS = [('www', 'A'), ('www', 'TXT'), ('one', 'A'), ('a.wild', 'A'), ('nothing', 'A'),
             ('ent', 'A'), ('a.sub', 'A'), ('a.old', 'A'), ('test', 'SOA'), ('www', 'ANY'),
             ('big6', 'TXT'), ('odd', 'TYPE65280'), ('loop', 'A'), ('dangling', 'MX')]


def test_same_answer_on_all_ways(server):
    ways = [(family, tcp) for family in (socket.AF_INET, socket.AF_INET6)
            for tcp in (False, True)]
    for name, kind in QUESTIONS:
        for edns in (False, True):
            query = make_query(f'{name}.test.example', kind, edns=edns).to_wire()
            first, *others = [server.exchange(query, *way) for way in ways if edns or
                              name != 'big6' or way[1]]
            assert all(other == first for other in others), (name, kind, edns)


def test_tcp_keeps_order_and_takes_pieces(server):
    wires = [make_query(f'{name}.test.example', kind).to_wire() for name, kind in QUESTIONS] * 20
    with server.client(tcp=True) as client:
        # In one piece, then byte by byte.
        assert len(client.ask_many(wires)) == len(wires)
        message = len(wires[0]).to_bytes(2, 'big') + wires[0]
        for at in range(len(message)):
            client.socket.sendall(message[at:at + 1])
        assert client.receive()[:2] == wires[0][:2]


# --- many types, against dnspython's own reading of the same file

TYPES = '''\
$ORIGIN types.example.
$TTL 1h
@ IN SOA ns.types.example. host.types.example. 1 2 3 4 5
@ NS ns
ns A 192.0.2.1
 AAAA 2001:db8::1
t MX 10 mx.types.example.
t TXT "a;b" "quo\\"te" "\\255\\000"
t SPF "v=spf1"
t HINFO "cpu" "os"
t RP mbox.types.example. text
t AFSDB 1 host
t LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
t SRV 1 2 3 target
t NAPTR 100 50 "s" "http+I2L+I2C" "" _http._tcp
t KX 10 kx
t CERT PKIX 0 0 aGVsbG8gd29ybGQh
t SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
t TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
t CAA 128 issue "ca.example; x=y"
t URI 10 1 "ftp://ftp.example/"
t EUI48 00-00-5e-00-53-2a
t EUI64 00-00-5e-ef-10-00-00-2a
t OPENPGPKEY aGVsbG8gd29ybGQh
t SVCB 1 svc alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
t HTTPS 0 svc
t TYPE731 \\# 6 abcdef 012345
t TYPE62347 \\# 0
t CDS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
t NID 10 0014:4fff:ff20:ee64
t L64 10 2001:0DB8:1140:1000
t A 192.0.2.1
t A \\# 4 c0000202
alias CNAME t
ptr PTR t
'''


def test_every_type_reads_back(daemon):
    server = daemon({'types.example.zone': TYPES})
    zone = dns.zone.from_text(TYPES, 'types.example.', relativize=False)
    count = 0
    for name, rdataset in zone.iterate_rdatasets():
        reply = server.ask(name.to_text(), dns.rdatatype.to_text(rdataset.rdtype), tcp=True)
        found = reply.find_rrset(reply.answer, name, rdataset.rdclass, rdataset.rdtype)
        assert {rdata.to_digestable() for rdata in found} == \
            {rdata.to_digestable() for rdata in rdataset}, (name, rdataset)
        assert found.ttl == rdataset.ttl
        count += 1
    assert count >= 32
