# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of check against real services: what each of them meets, and the reason that is told.

Each test is one daemon with one RRset a row; when the daemon is ready every check has had a probe.
"""

import contextlib
import socket
import ssl
import struct

import dns.message
import dns.rrset
import pytest

import services
from authority import Authority
from harness import eventually
from namespaces import wire_between
from services import Datagrams, Service, dialog, drips, endless, ends, grpc, http, says

pytestmark = pytest.mark.sanitizer

TIMEOUT = 1.5
PATIENCE = 30  # of those that do not run out of time: who answers may be late


def zone_of(rows, address='127.0.0.1'):
    """A zone with one RRset a row; a row is (label, check, reason, detail)."""
    return {label: {'type': 'A', 'ttl': 60, 'values': [address], 'signpost': {'check': {
        'interval': 60, 'timeout': TIMEOUT if reason.endswith('TOUT') else PATIENCE, **check}}}
        for label, check, reason, *_ in rows}


def run(daemon, rows, shared=None, **options):
    """Checks of all rows, by endpoint; each row has a port of its own."""
    zones = {'example.org.yaml': zone_of(rows)}
    if shared:
        zones['shared.yaml'] = shared
    server = daemon(zones, **options)
    found = server.checks()
    wrong = []
    for label, check, reason, detail in rows:
        seen = found[f'127.0.0.1:{check["port"]}']
        if seen['last_result'] != reason or detail not in seen['detail']:
            wrong.append(f'{label}: expected {reason} ({detail}), got {seen["last_result"]} '
                         f'({seen["detail"]})')
    assert not wrong, '\n'.join(wrong)
    return found


@contextlib.contextmanager
def table(rows):
    """(label, check, service, reason, detail) to rows with the service's port."""
    with contextlib.ExitStack() as exits:
        finished = []
        for label, check, service, reason, detail in rows:
            if service is None and (check['kind'] == 'udp' or check['kind'] == 'dns' and
                                    not check.get('tcp')):
                port = services.free_datagram_port()
            elif service is None:
                port = services.free_port()
            else:
                exits.callback(service.close)
                port = service.port
            finished.append((label, {'port': port, **check}, reason, detail))
        yield finished


def black_hole(exits) -> int:
    """A port on which a connection is never answered: its queue is full."""
    listener = exits.enter_context(socket.socket())
    listener.bind(('127.0.0.1', 0))
    listener.listen(0)
    for _ in range(4):
        filler = exits.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return listener.getsockname()[1]


def half_closed(connection):
    """Our half ends; the other is still heard."""
    connection.shutdown(socket.SHUT_WR)
    services.hold(connection)


def test_tcp(daemon):
    answers = {'kind': 'tcp', 'send': r'PING\r\n', 'expect': r'+PONG\r\n'}
    rows = [
        ('open', {'kind': 'tcp'}, Service(services.hold), 'OK', 'connected'),
        ('off', {'kind': 'tcp'}, None, 'L4CON', 'refused'),
        ('pong', answers, Service(says(b'+PONG\r\n')), 'OK', 'as expected'),
        ('banner', {'kind': 'tcp', 'expect': 'SSH-2.0'},
         Service(says(b'SSH-2.0-OpenSSH_9\r\n', hear=False)), 'OK', ''),
        ('regex', {'kind': 'tcp', 'expect_regex': '^SSH-[0-9]\\.[0-9]-'},
         Service(says(b'SSH-2.0-OpenSSH_9\r\n', hear=False)), 'OK', ''),
        ('binary', {'kind': 'tcp', 'send': r'\x00\x01', 'expect': r'\xff\x00'},
         Service(says(b'a\xff\x00b')), 'OK', ''),
        ('wrong', answers, Service(ends(b'-ERR\r\n')), 'L7MATCH', 'closed after 6 octets'),
        ('long', {**answers, 'limit': 100}, Service(endless(b'', b'x' * 4096)), 'L7MATCH',
         '100 octets'),
        ('closed', answers, Service(services.close_at_once), 'L7CLOSE', ''),
        ('reset', answers, Service(says(b'', then=services.reset)), 'L7CLOSE', 'reset'),
        ('half', answers, Service(half_closed), 'L7CLOSE', 'closed without an answer'),
        ('silent', answers, Service(services.hold), 'L7TOUT', 'no expected answer within'),
        ('drip', answers, Service(drips(b'x' * 1000)), 'L7TOUT', ''),
    ]
    with contextlib.ExitStack() as exits, table(rows) as ready:
        ready.append(('hole', {'kind': 'tcp', 'port': black_hole(exits)}, 'L4TOUT',
                      'no connection within 1500 ms'))
        run(daemon, ready)


def test_http(daemon):
    def check(**more):
        return {'kind': 'http', 'path': '/health', **more}
    json_body = b'{"stats": {"load": [0.25, 7]}}'
    rows = [
        ('good', check(), Service(ends(http(200))), 'OK', 'HTTP 200'),
        ('set', check(status='200-204,301'), Service(ends(http(301))), 'OK', 'HTTP 301'),
        ('list', check(status=[200, 503]), Service(ends(http(503))), 'OK', 'HTTP 503'),
        ('outside', check(status='200-204,301'), Service(ends(http(205))), 'L7STS', 'HTTP 205'),
        ('busy', check(), Service(ends(http(503))), 'L7STS', 'HTTP 503'),
        ('body', check(body='ready: yes'), Service(ends(http(200, b'x ready: yes x'))), 'OK', ''),
        ('nobody', check(body='ready: yes'), Service(ends(http(200, b'ready: no'))), 'L7MATCH', ''),
        ('regex', check(body_regex='^ready: (yes|soon)$'),
         Service(ends(http(200, b'a\nready: soon\nb'))), 'OK', ''),
        ('beyond', check(body='end'), Service(ends(http(200, b'x' * 5000 + b'end'))), 'L7MATCH',
         '4096 octets'),
        ('within', check(body='end', limit=6000), Service(ends(http(200, b'x' * 5000 + b'end'))),
         'OK', ''),
        ('head', check(method='HEAD'), Service(says(http(200).replace(b': 0', b': 99'))), 'OK', ''),
        ('json', check(load_json='stats.load.0'), Service(ends(http(200, json_body))), 'OK', ''),
        ('nojson', check(load_json='stats.load.2'), Service(ends(http(200, json_body))), 'L7MATCH',
         'load'),
        ('header', check(load_header='X-Load'), Service(ends(http(200, b'', 'x-load: 12.5'))), 'OK',
         ''),
        ('nohead', check(load_header='X-Load'), Service(ends(http(200, b'', 'X-Load: many'))),
         'L7MATCH', 'load'),
        ('garbage', check(), Service(says(b'\x00\xff garbage', then=services.hold)), 'L7RSP', ''),
        ('ssh', check(), Service(says(b'SSH-2.0-x\r\n', hear=False)), 'L7RSP', 'status line'),
        ('cut', check(), Service(ends(http(200, b'x')[:-1])), 'L7CLOSE', ''),
        ('reset', check(), Service(says(b'', then=services.reset)), 'L7CLOSE', ''),
        ('silent', check(), Service(services.hold), 'L7TOUT', 'no complete answer'),
        ('loris', check(), Service(drips(http(200, b'x' * 200))), 'L7TOUT', ''),
        ('huge', check(), Service(endless(b'HTTP/1.1 200 OK\r\n\r\n', b'x' * 65536)), 'OK', ''),
        ('headers', check(), Service(endless(b'HTTP/1.1 200 OK\r\n', b'A: b\r\n' * 999)), 'L7RSP',
         'too long'),
        ('moved', check(status='200'), Service(ends(http(302, b'', 'Location: /x'))), 'L7STS',
         'HTTP 302'),
    ]
    with table(rows) as ready:
        found = run(daemon, ready)
        ports = {label: check['port'] for label, check, *_ in ready}
        loads = {name: found[f'127.0.0.1:{ports[name]}'].get('load') for name in ('json', 'header')}
        assert loads == {'json': 0.25, 'header': 12.5}


def test_http_request(daemon):
    """What is sent, word for word."""
    heard = []

    def talk(connection):
        heard.append(connection.recv(4096))
        connection.sendall(http(200))
    rows = [('asked', {'kind': 'http', 'method': 'POST', 'path': '/a?b=c', 'host': 'other.example',
                       'headers': {'X-One': '1', 'Accept': 'text/plain'}},
             Service(talk), 'OK', '')]
    with table(rows) as ready:
        run(daemon, ready)
        port = ready[0][1]['port']
    lines = heard[0].decode().split('\r\n')
    assert lines[0] == 'POST /a?b=c HTTP/1.1'
    assert f'Host: other.example:{port}' in lines and 'Connection: close' in lines
    assert 'X-One: 1' in lines and 'Accept: text/plain' in lines and 'Content-Length: 0' in lines
    assert lines[-2:] == ['', '']


def test_redirects(daemon):
    final = Service(ends(http(200, b'arrived')))
    loop = Service(None)
    loop.talk = ends(http(302, b'', f'Location: http://127.0.0.1:{loop.port}/again'))

    def check(**more):
        return {'kind': 'http', 'status': '200', 'redirects': 2, **more}
    there = f'Location: http://127.0.0.1:{final.port}/there'
    rows = [
        ('followed', check(body='arrived'), Service(ends(http(302, b'', there))), 'OK', ''),
        ('off', check(redirects=0), Service(ends(http(302, b'', there))), 'L7STS', '302'),
        ('loop', check(), loop, 'L7STS', '302'),
        ('name', check(), Service(ends(http(302, b'', 'Location: http://elsewhere.example/'))),
         'L7STS', 'not followed'),
        ('denied', check(), Service(ends(http(302, b'', 'Location: http://10.0.0.1:80/'))),
         'L7STS', 'may not be probed'),
        ('metadata', check(), Service(ends(http(302, b'', 'Location: http://169.254.169.254/x'))),
         'L7STS', 'may not be probed'),
        ('scheme', check(), Service(ends(http(302, b'', 'Location: file:///etc/passwd'))), 'L7STS',
         'not followed'),
        ('mapped', check(),
         Service(ends(http(302, b'', f'Location: http://[::ffff:127.0.0.1]:{final.port}/'))),
         'L7STS', 'may not be probed'),
    ]
    with table(rows) as ready:
        run(daemon, ready)
    assert final.count == 1
    final.close()


@pytest.fixture(scope='module')
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp('ca'))
    www = 'DNS:www.example.org'
    made.leaf('good', www)
    made.leaf('ended', www, first=-9, last=-2)
    made.leaf('future', www, first=2, last=9)
    made.leaf('soon', www, last=5.5)
    made.leaf('wrong', 'DNS:www.example.net')
    made.leaf('star', 'DNS:*.example.org')
    made.leaf('partial', 'DNS:w*.example.org')
    made.leaf('literal', 'IP:127.0.0.1')
    made.leaf('bare', www, chain=False)
    made.leaf('foreign', www, by='other')
    made.self_signed('self', www)
    return made


def test_tls(daemon, authority, tmp_path):
    """nginx with certificates of all sorts; the host is the owner name unless it is said."""
    names = ['good', 'ended', 'future', 'soon', 'wrong', 'star', 'partial', 'literal', 'bare',
             'foreign', 'self']
    ports = {name: services.free_port() for name in names}
    servers = '\n'.join(
        f'server {{ listen 127.0.0.1:{ports[name]} ssl http2; return 200 "ok\\n";'
        f'ssl_certificate {authority.path(name + ".pem")};'
        f'ssl_certificate_key {authority.path(name + ".key")}; }}' for name in names)
    root = authority.path('root.pem')

    def check(name, host='www.example.org', kind='https', **more):
        return {'kind': kind, 'host': host, 'port': ports[name], 'ca': root, **more}

    def own(service):
        return {**check('good'), 'port': service.port}
    plain = Service(ends(http(400)))
    mute = Service(services.hold)
    shut = Service(services.close_at_once)
    reset = Service(says(b'', then=services.reset))
    slow = Service(drips(b'\x16\x03\x03\x40\0' + b'\2' * 400))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.path('good.pem'), authority.path('good.key'))
    huge = Service(endless(http(200)[:-2].replace(b'Content-Length: 0\r\n', b'') + b'\r\n',
                           b'x' * 65536), context=context)
    loris = Service(drips(http(200, b'x' * 200)), context=context)
    garbage = Service(says(b'\0\xff garbage'), context=context)
    rows = [
        ('good', check('good'), 'OK', 'HTTP 200'),
        ('ended', check('ended'), 'L6EXP', 'expired'),
        ('future', check('future'), 'L6EXP', 'not yet valid'),
        ('soon', check('soon', days_warn=14), 'OK', 'the certificate ends in 5 days'),
        ('wrong', check('wrong'), 'L6NAME', 'does not cover www.example.org'),
        ('star', check('star', host='any.example.org'), 'OK', ''),
        ('partial', check('partial'), 'L6NAME', ''),
        ('literal', check('literal', host=None), 'OK', ''),
        ('bare', check('bare'), 'L6CERT', 'issuer'),
        ('foreign', check('foreign'), 'L6CERT', 'issuer'),
        ('self', check('self'), 'L6CERT', 'self-signed'),
        ('plain', {'kind': 'https', 'port': plain.port, 'ca': root}, 'L6HAND', ''),
        ('mute', {'kind': 'tls', 'port': mute.port, 'ca': root}, 'L6TOUT', 'no TLS handshake'),
        ('shut', {'kind': 'tls', 'port': shut.port, 'ca': root}, 'L6HAND', 'handshake'),
        ('reset', {'kind': 'tls', 'port': reset.port, 'ca': root}, 'L6HAND', 'reset'),
        ('slow', {'kind': 'tls', 'port': slow.port, 'ca': root}, 'L6TOUT', 'no TLS handshake'),
        ('off', {'kind': 'https', 'port': services.free_port(), 'ca': root}, 'L4CON', 'refused'),
        ('huge', own(huge), 'OK', 'HTTP 200'),
        ('loris', own(loris), 'L7TOUT', 'no complete answer'),
        ('garbage', own(garbage), 'L7RSP', ''),
    ]
    program = services.nginx(tmp_path, servers, ports['good'])
    try:
        found = run(daemon, rows)
        assert found[f'127.0.0.1:{ports["good"]}']['certificate_days'] == 30
        # One has ended: that another has not is no news.
        assert found[f'127.0.0.1:{ports["ended"]}']['certificate_days'] < 0
        for ended in rows[1], ('ended', check('ended', verify=False), 'OK', ''):
            server = daemon({'example.org.yaml': zone_of([ended, rows[0]])})
            assert server.metric('certificate_days_min') == 0
        second = [
            ('deep', check('star', host='a.b.example.org'), 'L6NAME', ''),
            ('apex', check('wrong', host='example.org'), 'L6NAME', ''),
            ('fails', check('soon', days_fail=7), 'L6EXP', 'ends in 5 days'),
            ('blind', check('self', verify=False), 'OK', ''),
            ('tls', check('good', kind='tls', alpn='h2'), 'OK', 'TLSv1.'),
            ('alpn', check('ended', kind='tls', alpn='h3', verify=False), 'L6ALPN', ''),
        ]
        run(daemon, second)
        # Under a wildcard owner the certificate must cover any name.
        third = [('"*"', {'kind': 'https', 'port': ports['star'], 'ca': root}, 'OK', ''),
                 ('"*.x"', {'kind': 'https', 'port': ports['good'], 'ca': root}, 'L6NAME', '')]
        run(daemon, [(label.strip('"'), *rest) for label, *rest in third])
    finally:
        program.close()
        for service in (plain, mute, shut, reset, slow, huge, loris, garbage):
            service.close()


@pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
def test_sessions_are_resumed(daemon, authority, tmp_path, version):
    """The second handshake is short, and is still judged by the certificate of the first."""
    port = services.free_port()
    servers = ("log_format reused '<$ssl_session_reused>';"
               f'server {{ listen 127.0.0.1:{port} ssl; ssl_protocols {version};'
               f'access_log {tmp_path}/log reused; location / {{ return 200; }}'
               f'ssl_certificate {authority.path("good.pem")};'
               f'ssl_certificate_key {authority.path("good.key")}; }}')
    program = services.nginx(tmp_path, servers, port)
    check = {'kind': 'https', 'host': 'www.example.org', 'port': port, 'interval': 1,
             'timeout': 1, 'ca': authority.path('root.pem')}
    try:
        server = daemon({'example.org.yaml': zone_of([('www', check, '', '')])})

        def seen():
            return server.checks()[f'127.0.0.1:{port}']
        log = tmp_path / 'log'
        eventually(lambda: log.read_text().split()[:3] == ['<.>', '<r>', '<r>'],
                   what='a resumed session')
        check = seen()
        assert check['last_result'] == 'OK' and check['certificate_days'] == 30
        row = (f'signpost_certificate_days{{check="{check["check"]}",'
               f'target="127.0.0.1:{port}"}} 30\n')
        assert row in server.api('GET', '/metrics')[1]
    finally:
        program.close()


def test_haproxy(daemon, tmp_path):
    """HAProxy in front of nobody: its 503 is told as such, its own monitor page is good."""
    good, bad = services.free_port(), services.free_port()
    config = (f'defaults\n mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n'
              f'frontend good\n bind 127.0.0.1:{good}\n monitor-uri /alive\n'
              f'frontend bad\n bind 127.0.0.1:{bad}\n default_backend nobody\n'
              f'backend nobody\n')
    program = services.haproxy(tmp_path, config, good)
    try:
        run(daemon, [
            ('good', {'kind': 'http', 'port': good, 'path': '/alive', 'body': 'OK'}, 'OK', ''),
            ('bad', {'kind': 'http', 'port': bad}, 'L7STS', 'HTTP 503')])
    finally:
        program.close()


def test_smtp(daemon):
    ehlo = {'kind': 'smtp', 'ehlo': 'probe.example'}
    long = b'250-x.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n'
    short = b'250-x.example\r\n250 SIZE 1000\r\n'
    rows = [
        ('greets', {'kind': 'smtp'}, Service(dialog((b'', b'220 x ESMTP\r\n'))), 'OK', '220'),
        ('many', {'kind': 'smtp'}, Service(dialog((b'', b'220-x\r\n220-y\r\n220 z\r\n'))), 'OK',
         ''),
        ('ehlo', ehlo, Service(dialog((b'', b'220 x\r\n'), (b'EHLO probe.example', short))), 'OK',
         '250'),
        ('tls', {**ehlo, 'starttls': True},
         Service(dialog((b'', b'220 x\r\n'), (b'EHLO', long))), 'OK', 'STARTTLS is offered'),
        ('notls', {**ehlo, 'starttls': True},
         Service(dialog((b'', b'220 x\r\n'), (b'EHLO', short))), 'L7MATCH', 'STARTTLS'),
        ('busy', {'kind': 'smtp'}, Service(dialog((b'', b'421 later\r\n'))), 'L7STS', 'SMTP 421'),
        ('refused', ehlo, Service(dialog((b'', b'220 x\r\n'), (b'EHLO', b'502 no\r\n'))), 'L7STS',
         'SMTP 502'),
        ('http', {'kind': 'smtp'}, Service(says(http(200), hear=False)), 'L7RSP', ''),
        ('endless', {'kind': 'smtp'}, Service(says(b'220-x\r\n' * 999, hear=False)), 'L7RSP',
         'too long'),
        ('closed', {'kind': 'smtp'}, Service(services.close_at_once), 'L7CLOSE', ''),
        ('reset', ehlo, Service(dialog((b'', b'220 x\r\n'), (b'EHLO', b'250-x\r\n'),
                                       then=services.reset)), 'L7CLOSE', ''),
        ('loris', {'kind': 'smtp'}, Service(drips(b'220 ' + b'x' * 400, hear=False)), 'L7TOUT',
         'SMTP reply'),
        ('binary', {'kind': 'smtp'}, Service(says(b'\x00\xff\r\n', hear=False)), 'L7RSP', ''),
        ('off', {'kind': 'smtp'}, None, 'L4CON', 'refused'),
        ('silent', {'kind': 'smtp'}, Service(services.hold), 'L7TOUT', 'SMTP reply'),
    ]
    with table(rows) as ready:
        run(daemon, ready)


def dns_answer(rcode=0, *records, change=lambda wire: wire, length=False):
    """Answers a query with these records; `change` spoils the wire form."""
    def answer(query):
        message = dns.message.make_response(dns.message.from_wire(query))
        message.set_rcode(rcode)
        message.answer = [dns.rrset.from_text(*record) for record in records]
        wire = change(message.to_wire())
        return struct.pack('>H', len(wire)) + wire if length else wire

    def over_tcp(connection):
        size, = struct.unpack('>H', connection.recv(2, socket.MSG_WAITALL))
        connection.sendall(answer(connection.recv(size, socket.MSG_WAITALL)))
        services.hold(connection)
    return over_tcp if length else answer


def test_dns(daemon):
    target = daemon({'example.net.yaml': {
        'www': {'type': 'A', 'ttl': 60, 'value': '192.0.2.1'},
        'mail': {'type': 'MX', 'ttl': 60, 'value': {
            'preference': 10, 'exchange': 'MX.example.net.'}},
        'alias': {'type': 'CNAME', 'ttl': 60, 'value': 'www.example.net.'}}})
    port = target.endpoints[socket.AF_INET][1]
    a = {'kind': 'dns', 'query': 'www.example.net', 'answer': '192.0.2.1'}
    record = ('www.example.net.', 60, 'IN', 'A', '192.0.2.1')
    rows = [
        ('ours', {**a, 'port': port}, 'OK', 'NOERROR'),
    ]
    run(daemon, rows)
    run(daemon, [('tcp', {**a, 'port': port, 'tcp': True}, 'OK', 'expected answer')])
    run(daemon, [('mx', {'kind': 'dns', 'port': port, 'query': 'mail.example.net', 'type': 'MX',
                         'answer': '10 mx.example.net.'}, 'OK', '')])
    run(daemon, [('none', {**a, 'port': port, 'query': 'no.example.net'}, 'L7STS', 'NXDOMAIN')])
    run(daemon, [('other', {**a, 'port': port, 'answer': '192.0.2.2'}, 'L7MATCH', '')])
    flip = Datagrams(dns_answer(0, record, change=lambda wire: bytes([wire[0] ^ 1]) + wire[1:]))
    rows = [
        ('servfail', a, Datagrams(dns_answer(2)), 'L7STS', 'SERVFAIL'),
        ('allowed', {'kind': 'dns', 'query': 'x.example', 'rcode': ['NOERROR', 'NXDOMAIN']},
         Datagrams(dns_answer(3)), 'OK', 'NXDOMAIN'),
        ('forged', a, flip, 'L7TOUT', 'no answer'),
        ('cut', a, Datagrams(dns_answer(0, record, change=lambda wire: wire[:-2])), 'L7RSP', ''),
        ('silent', a, Datagrams(lambda _: None), 'L7TOUT', ''),
        ('off', a, None, 'L4CON', 'refused'),
        ('stream', {**a, 'tcp': True}, Service(dns_answer(0, record, length=True)), 'OK', ''),
        ('junk', {**a, 'tcp': True}, Service(says(b'\0\x04junk')), 'L7RSP', ''),
        ('half', {**a, 'tcp': True}, Service(says(b'\0\x40half', then=half_closed)), 'L7CLOSE', ''),
        ('shut', {**a, 'tcp': True}, Service(services.close_at_once), 'L7CLOSE', ''),
        ('mute', {**a, 'tcp': True}, Service(services.hold), 'L7TOUT', 'no answer'),
        ('loris', {**a, 'tcp': True}, Service(drips(b'\0\xff' + b'x' * 255)), 'L7TOUT', ''),
        ('closed', {**a, 'tcp': True}, None, 'L4CON', 'refused'),
    ]
    with table(rows) as ready:
        run(daemon, ready)


def test_udp(daemon):
    check = {'kind': 'udp', 'send': r'ask\n', 'expect': 'yes'}
    rows = [
        ('good', check, Datagrams(lambda heard: b'yes' if heard == b'ask\n' else b'no'), 'OK', ''),
        ('any', {'kind': 'udp', 'send': 'x'}, Datagrams(lambda _: b'y'), 'OK', 'answered'),
        ('wrong', check, Datagrams(lambda _: b'no'), 'L7MATCH', ''),
        ('silent', check, Datagrams(lambda _: None), 'L7TOUT', 'no expected answer'),
        ('off', check, None, 'L4CON', 'refused'),
    ]
    with table(rows) as ready:
        run(daemon, ready)


def test_grpc(daemon, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.path('good.pem'), authority.path('good.key'))
    context.set_alpn_protocols(['h2'])
    no_alpn = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    no_alpn.load_cert_chain(authority.path('good.pem'), authority.path('good.key'))
    secure = {'kind': 'grpc', 'tls': True, 'host': 'www.example.org',
              'ca': authority.path('root.pem')}
    rows = [
        ('serving', {'kind': 'grpc'}, Service(grpc(1)), 'OK', 'SERVING'),
        ('service', {'kind': 'grpc', 'service': 'a.b.C'}, Service(grpc(1)), 'OK', 'SERVING'),
        ('not', {'kind': 'grpc'}, Service(grpc(2)), 'L7STS', 'NOT_SERVING'),
        ('zero', {'kind': 'grpc'}, Service(grpc(0)), 'L7STS', 'UNKNOWN'),
        ('missing', {'kind': 'grpc'}, Service(grpc(None, grpc_status=5)), 'L7STS', 'no such'),
        ('none', {'kind': 'grpc'}, Service(grpc(None, grpc_status=12)), 'L7STS', 'no health'),
        ('proxy', {'kind': 'grpc'}, Service(grpc(None, http_status='502')), 'L7STS', 'HTTP 502'),
        ('http1', {'kind': 'grpc'}, Service(ends(http(400))), 'L7RSP', ''),
        ('closed', {'kind': 'grpc'}, Service(services.close_at_once), 'L7CLOSE', ''),
        ('silent', {'kind': 'grpc'}, Service(services.hold), 'L7TOUT', 'health service'),
        ('reset', {'kind': 'grpc'}, Service(says(b'', then=services.reset)), 'L7CLOSE', ''),
        ('garbage', {'kind': 'grpc'}, Service(says(b'\xff' * 64)), 'L7RSP', ''),
        ('loris', {'kind': 'grpc'}, Service(drips(b'\0\0\x60\4' + b'\0' * 400)), 'L7TOUT', ''),
        ('huge', {'kind': 'grpc'}, Service(endless(b'', b'\0\0\0\4\0\0\0\0\0' * 4096)), 'L7RSP',
         ''),
        ('plain', secure, Service(ends(http(400))), 'L6HAND', ''),
        ('off', {'kind': 'grpc'}, None, 'L4CON', 'refused'),
        ('secure', secure, Service(grpc(1), context=context), 'OK', 'SERVING'),
        ('alpn', secure, Service(grpc(1), context=no_alpn), 'L6ALPN', ''),
    ]
    with table(rows) as ready:
        run(daemon, ready)


def script(path, text):
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize('process', ['inside', 'own'])
def test_exec(daemon, tmp_path, process):
    tmp_path.chmod(0o755)
    left = tmp_path / 'left'
    commands = {
        'good': script(tmp_path / 'good', 'echo "all well at $SIGNPOST_ADDRESS:$SIGNPOST_PORT"'),
        'bad': script(tmp_path / 'bad', 'printf "disk is full\\nmore"; exit 3'),
        'words': script(tmp_path / 'words', 'test $# = 2 -a "$1" = "a;b" -a "$2" = \'$HOME\''),
        'clean': script(tmp_path / 'clean', 'test -z "$HOME$USER$LEAK" && test -z "$(env | '
                        'grep -v -E "^(PATH|LANG|SIGNPOST_.*|PWD|SHLVL|_|OLDPWD)=")"'),
        'slow': script(tmp_path / 'slow', f'(sleep 60; touch {left}) & wait'),
        'killed': script(tmp_path / 'killed', 'kill -TERM $$'),
        'files': script(tmp_path / 'files', 'set -- /proc/self/fd/*; echo $# files; test $# -le 5'),
        'missing': '/no/such/command',
    }
    port = iter(range(20001, 20100))

    def row(name, reason, detail):
        check = {'kind': 'exec', 'port': next(port), 'command': name, 'timeout': 5}
        return name, check, reason, detail
    rows = [
        row('good', 'OK', 'all well at 127.0.0.1:20001'),
        row('bad', 'PROCERR', 'status 3: disk is full'),
        row('words', 'OK', 'status 0'),
        row('clean', 'OK', ''),
        row('killed', 'PROCSIG', 'signal 15'),
        row('files', 'OK', 'files'),
        row('missing', 'SOCKERR', 'cannot be run'),
        row('unknown', 'SOCKERR', 'no command of this name'),
        ('slow', {'kind': 'exec', 'port': next(port), 'command': 'slow', 'timeout': 0.5},
         'PROCTOUT', 'killed after 500 ms'),
    ]
    health = {'allow': ['127.0.0.0/8'], 'process': process, 'commands': [
        f'{name}={path}{" a;b $HOME" if name == "words" else ""}'
        for name, path in commands.items()]}
    run(daemon, rows, health=health, environment={'LEAK': '1'})
    # Its whole group was killed: the child that it left behind too.
    assert not left.exists()


def test_icmp(daemon):
    """On loopback, and late."""
    zone = {'www': {'type': 'A', 'ttl': 60, 'values': ['127.0.0.1'],
                    'signpost': {'check': {'kind': 'icmp', 'count': 3, 'timeout': 10}}},
            'six': {'type': 'AAAA', 'ttl': 60, 'values': ['::1'],
                    'signpost': {'check': {'kind': 'icmp', 'rtt': '9s', 'timeout': 10}}},
            'slow': {'type': 'A', 'ttl': 60, 'values': ['127.0.0.2'],
                     'signpost': {'check': {'kind': 'icmp', 'rtt': '1ns', 'count': 1}}}}
    zone['slow']['signpost']['check']['rtt'] = '0.000001s'
    server = daemon({'example.org.yaml': zone})
    found = {check['target']: check for check in server.checks().values()}
    assert found['127.0.0.1']['last_result'] == 'OK', found
    assert '3 of 3 answered' in found['127.0.0.1']['detail']
    assert found['::1']['last_result'] == 'OK', found
    assert found['127.0.0.2']['last_result'] == 'L3RTT', found


def test_icmp_far(daemon):
    """In a namespace: somebody who answers, and an address that nobody has."""
    with wire_between(['192.0.2.1', '2001:db8::1']) as wire:
        check = {'kind': 'icmp', 'count': 2, 'timeout': 1, 'interval': 60}
        zone = {'www': {'type': 'A', 'ttl': 60, 'values': ['192.0.2.1', '192.0.2.77'],
                        'signpost': {'check': check}},
                'six': {'type': 'AAAA', 'ttl': 60, 'values': ['2001:db8::1'],
                        'signpost': {'check': check}}}
        server = daemon({'example.org.yaml': zone}, prefix=wire.prefix)
        found = {check['target']: check['last_result'] for check in server.checks().values()}
        assert found == {'192.0.2.1': 'OK', '2001:db8::1': 'OK', '192.0.2.77': 'L3TOUT'}


def test_own_listeners_are_never_probed(daemon):
    """Not even where health.allow opens their network."""
    port = services.free_port()
    zone = zone_of([('www', {'kind': 'tcp', 'port': port}, '', '')])
    zone['any'] = {**zone['www'], 'values': ['127.0.0.9']}
    server = daemon({'example.org.yaml': zone}, listen=[f'0.0.0.0:{port}'])
    assert {check['last_result'] for check in server.checks().values()} == {'DENIED'}
