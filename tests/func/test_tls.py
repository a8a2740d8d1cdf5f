# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS over TLS (RFC 7858): what is negotiated, what is refused, and peers who do not play along."""

import contextlib
import ctypes
import ctypes.util
import os
import random
import shutil
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

import dns.message
import dns.query
import pytest

import certificates
import wire
from harness import PLAIN_ZONE, SLOW, WAIT, Folder, eventually, make_query, values

pytestmark = pytest.mark.sanitizer

LARGE = ''.join(f'large TXT "{number:03} {"x" * 240}"\n' for number in range(100))
WWW = make_query('www.test.example').to_wire()
LARGE_QUERY = make_query('large.test.example', 'TXT').to_wire()


def secure_folder(exits: contextlib.ExitStack, **options) -> Folder:
    folder = Folder(listen_tls=['127.0.0.1:0', '[::1]:0'],
                    tls={'certificate': 'certificate.pem', 'key': 'key.pem'}, **options)
    exits.callback(folder.remove)
    certificates.make(folder.path)
    folder.zone('test.example.zone', PLAIN_ZONE + LARGE)
    return folder


@pytest.fixture(scope='module')
def server(module_daemon):
    with contextlib.ExitStack() as exits:
        yield module_daemon(folder=secure_folder(exits))


def tls_address(server, family=socket.AF_INET):
    for endpoint in server.log.wait('ready').fields['listen_tls'].split(','):
        host, port = endpoint.rsplit(':', 1)
        if host.startswith('[') == (family == socket.AF_INET6):
            return host.strip('[]'), int(port)
    raise AssertionError('no such endpoint')


def trust(server, **more):
    return certificates.context(server.folder.path / 'certificate.pem', **more)


class Client(wire.Client):
    """As over TCP, within TLS."""

    def __init__(self, server, context=None, session=None, family=socket.AF_INET, source=None,
                 narrow=False):
        super().__init__(tls_address(server, family), family, True, source, WAIT, narrow)
        try:
            self.socket = (context or trust(server)).wrap_socket(
                self.socket, server_hostname='dns.example', session=session)
        except (OSError, ssl.SSLError):
            self.socket.close()
            raise


def raw(server):
    connection = socket.create_connection(tls_address(server), timeout=WAIT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ends(connection) -> bool:
    """Whether the server ends it, whatever it says before."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


# --- the good ones

@pytest.mark.parametrize('family', [socket.AF_INET, socket.AF_INET6], ids=['v4', 'v6'])
def test_dnspython(server, family):
    host, port = tls_address(server, family)
    query = make_query('www.test.example', edns=True)
    reply = dns.query.tls(query, host, timeout=WAIT, port=port, ssl_context=trust(server),
                          server_hostname='dns.example')
    assert values(reply) == ['192.0.2.1']


def test_kdig(server):
    if shutil.which('kdig') is None:
        pytest.skip('kdig is not installed (knot-dnsutils)')
    host, port = tls_address(server)
    result = subprocess.run(
        ['kdig', f'@{host}', '-p', str(port), f'+tls-ca={server.folder.path}/certificate.pem',
         '+tls-hostname=dns.example', '+padding', 'www.test.example'],
        capture_output=True, text=True, timeout=WAIT, check=True)
    assert '192.0.2.1' in result.stdout and 'TLS session (TLS1.3)' in result.stdout, result.stdout


@pytest.mark.parametrize('version', ['TLSv1_2', 'TLSv1_3'])
def test_versions(server, version):
    wanted = ssl.TLSVersion[version]
    queries = server.metric('queries_tls_total')
    with Client(server, trust(server, minimum_version=wanted, maximum_version=wanted)) as client:
        assert client.socket.version() == version.replace('_', '.')
        assert client.socket.selected_alpn_protocol() == 'dot'
        assert wire.texts(client.exchange(WWW)) == ['192.0.2.1']
    assert server.metric('queries_tls_total') == queries + 1


def test_newest_version_is_preferred(server):
    with Client(server) as client:
        assert client.socket.version() == 'TLSv1.3'


def test_pipelining(server):
    with Client(server) as client:
        assert all(wire.texts(answer) == ['192.0.2.1'] for answer in client.ask_many([WWW] * 1000))
        client.socket.sendall(b''.join(
            struct.pack('!HH', len(WWW), number) + WWW[2:] for number in range(1000)))
        assert [client.receive()[:2] for _ in range(1000)] == \
            [struct.pack('!H', number) for number in range(1000)]


def test_blocked_peer_gets_all(server):
    """25 KB an answer: more than the buffers hold before the first is read."""
    count = 400
    with Client(server) as client:
        client.socket.sendall((struct.pack('!H', len(LARGE_QUERY)) + LARGE_QUERY) * count)
        with Client(server) as other:
            assert wire.texts(other.exchange(WWW)) == ['192.0.2.1']
        for _ in range(count):
            assert len(client.receive()) > 24_000


def test_queries_cut_anywhere(server):
    stream = struct.pack('!H', len(WWW)) + WWW
    with Client(server) as client:
        for cut in range(1, len(stream)):
            client.socket.sendall(stream[:cut])
            client.socket.sendall(stream[cut:])
            assert wire.texts(client.receive()) == ['192.0.2.1']


@pytest.mark.parametrize('version', ['TLSv1_2', 'TLSv1_3'])
def test_resumption(server, version):
    context = trust(server, maximum_version=ssl.TLSVersion[version])
    with Client(server, context) as client:
        client.exchange(WWW)
        assert not client.socket.session_reused
        session = client.socket.session
    resumed = server.metric('tls_resumed_total')
    with Client(server, context, session) as client:
        assert wire.texts(client.exchange(WWW)) == ['192.0.2.1']
        assert client.socket.session_reused
    assert server.metric('tls_resumed_total') == resumed + 1


def test_no_alpn_is_good_too(server):
    with Client(server, trust(server, alpn=())) as client:
        assert wire.texts(client.exchange(WWW)) == ['192.0.2.1']
        assert client.socket.selected_alpn_protocol() is None


# --- the bad ones

def test_other_protocols_are_refused(server):
    with pytest.raises(ssl.SSLError, match='NO_APPLICATION_PROTOCOL|no application protocol'):
        Client(server, trust(server, alpn=('h2', 'http/1.1')))


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_old_versions_are_refused(server):
    context = trust(server, minimum_version=ssl.TLSVersion.TLSv1,
                    maximum_version=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers('ALL:@SECLEVEL=0')
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Client(server, context)


def test_old_ciphers_are_refused(server):
    """Without forward secrecy, or in CBC mode: TLS 1.2 has them (RFC 9325, 4.1)."""
    for ciphers in ('AES128-GCM-SHA256:AES256-GCM-SHA384',
                    'ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384'):
        context = trust(server, maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(f'{ciphers}:@SECLEVEL=0')
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            Client(server, context)


def test_no_renegotiation(server):
    host, port = tls_address(server)
    handshakes = server.metric('tls_handshakes_total')
    with subprocess.Popen(
            ['openssl', 's_client', '-connect', f'{host}:{port}', '-tls1_2', '-quiet',
             '-no_ign_eof'], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE) as client:
        eventually(lambda: server.metric('tls_handshakes_total') > handshakes)
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(b'R\n')
            client.stdin.flush()
        said = client.stderr.read()  # to its end: it is refused and gives up
        assert b'RENEGOTIATING' in said and b'no renegotiation' in said, said
    assert server.metric('tls_handshakes_total') == handshakes + 1
    assert server.values('www.test.example') == ['192.0.2.1']


def test_early_close(server):
    """The end or a reset at every step; the server survives and forgets the connection."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = trust(server).wrap_bio(incoming, outgoing, server_hostname='dns.example')
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    greeting = outgoing.read()
    accepted = server.metric('tcp_accepted_total')
    count = 0
    for size in [0, 1, 4, 5, 6, len(greeting) // 2, len(greeting) - 1, len(greeting)]:
        for reset in (False, True):
            with raw(server) as connection:
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack('ii', 1, 0))
                connection.sendall(greeting[:size])
            count += 1
    for _ in range(10):  # behind the handshake, in the middle of a query, with answers under way
        with Client(server) as client:
            client.socket.sendall(b'\0')
        with Client(server) as client:
            client.socket.sendall((struct.pack('!H', len(LARGE_QUERY)) + LARGE_QUERY) * 100)
        count += 2
    eventually(lambda: server.metric('tcp_accepted_total') == accepted + count)
    assert server.values('www.test.example') == ['192.0.2.1']


def test_plain_dns_on_the_tls_port(server):
    failed = server.metric('tls_failed_total')
    with raw(server) as connection:
        connection.sendall(struct.pack('!H', len(WWW)) + WWW)
        assert ends(connection)
    assert server.metric('tls_failed_total') == failed + 1


def test_garbage(server):
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    dice = random.Random(seed)
    for _ in range(50):
        with raw(server) as connection:
            connection.sendall(bytes([22, 3, 1]) * dice.randrange(2) +
                               dice.randbytes(dice.randrange(1, 400)))
            with contextlib.suppress(OSError):  # it may be over already
                connection.shutdown(socket.SHUT_WR)
            assert ends(connection)
    assert server.values('www.test.example') == ['192.0.2.1']


def test_garbage_within(server):
    """What is no query ends the connection, as over TCP."""
    with Client(server) as client:
        client.socket.sendall(struct.pack('!H', len(WWW)) + WWW + b'\0\3abc')
        assert wire.texts(client.receive()) == ['192.0.2.1']
        with pytest.raises(wire.Closed):
            client.receive()


def test_slow_handshake(daemon):
    """A handshake has its time, whatever trickles in; others are served meanwhile."""
    with contextlib.ExitStack() as exits:
        server = daemon(folder=secure_folder(exits, limits={'tls_handshake': 1}))
        begin = time.monotonic()
        slow = exits.enter_context(raw(server))
        record = bytes([22, 3, 1, 1, 0]) + bytes(256)
        slow.settimeout(0.1)
        ended = False
        for byte in record:
            try:
                slow.send(bytes([byte]))
                ended = slow.recv(1) == b''
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                ended = True
            if ended:
                break
            with Client(server) as client:
                assert wire.texts(client.exchange(WWW)) == ['192.0.2.1']
        assert ended and 0.8 < time.monotonic() - begin < 20 * SLOW
        assert server.metric('tcp_timed_out_total') == 1


def test_handshakes_under_way_are_limited(daemon):
    """The newcomer displaces the oldest; those who say nothing keep nobody out."""
    with contextlib.ExitStack() as exits:
        server = daemon(folder=secure_folder(exits, limits={'tls_handshakes': 4}))
        silent = [exits.enter_context(raw(server)) for _ in range(20)]
        with Client(server) as client:
            assert wire.texts(client.exchange(WWW)) == ['192.0.2.1']
        # The client was the fifth when it began.
        assert server.metric('tcp_displaced_total') >= 17
        assert all(ends(connection) for connection in silent[:17])


def test_thread_yields_to_udp(server):
    """The thread of TLS has a niceness of 10, all others have what they were started with."""
    threads = {}
    for task in Path(f'/proc/{server.process.pid}/task').iterdir():
        threads.setdefault((task / 'comm').read_text().strip(), set()).add(
            os.getpriority(os.PRIO_PROCESS, int(task.name)))
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert threads.pop('tls-worker') == {10}
    assert set().union(*threads.values()) == {ours}


class DemandingClient:
    """Demands new keys (RFC 8446, 4.6.3) as long as that can be sent, and reads nothing. Python's
    ssl cannot do that: it speaks to OpenSSL itself."""

    def __init__(self, server):
        tls = self.tls = ctypes.CDLL(ctypes.util.find_library('ssl'))
        for name in ('TLS_client_method', 'SSL_CTX_new', 'SSL_new'):
            getattr(tls, name).restype = ctypes.c_void_p
        self.socket = raw(server)
        self.context = ctypes.c_void_p(tls.SSL_CTX_new(ctypes.c_void_p(tls.TLS_client_method())))
        self.session = ctypes.c_void_p(tls.SSL_new(self.context))
        self.socket.setblocking(True)
        assert tls.SSL_set_fd(self.session, self.socket.fileno()) == 1
        assert tls.SSL_connect(self.session) == 1
        self.socket.setblocking(False)

    def demand(self) -> int:
        """How many until the server reads no more, for want of room to answer them."""
        count = 0
        while not self.is_stuck():
            for _ in range(500):
                assert self.tls.SSL_key_update(self.session, 1) == 1
                while self.tls.SSL_do_handshake(self.session) != 1:
                    if self.is_stuck():
                        return count
                count += 1
        return count

    def is_stuck(self) -> bool:
        """Whether bytes stay both unread and unsent on the server's side."""
        for _ in range(25):
            unsent, unread = self.queues()
            if unsent == 0 or unread == 0:
                return False
            time.sleep(0.02 * SLOW)
        return True

    def queues(self) -> list[int]:
        """Octets that the kernel has (to send, to be read) for the server's end."""
        ports = f':{self.socket.getpeername()[1]:04X} ', f':{self.socket.getsockname()[1]:04X} '
        for line in Path('/proc/net/tcp').read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = line.split()
            if f'{local} '.endswith(ports[0]) and f'{remote} '.endswith(ports[1]):
                return [int(size, 16) for size in queues.split(':')]
        raise AssertionError('the server has closed the connection')

    def close(self):
        self.tls.SSL_free(self.session)
        self.tls.SSL_CTX_free(self.context)
        self.socket.close()


@pytest.mark.skipif(SLOW > 1, reason='demands so many are for the release binary')
def test_demands_that_nobody_reads(daemon):
    """The thread waits until there is room for its answer to them, and does not spin."""
    with contextlib.ExitStack() as exits:
        server = daemon(folder=secure_folder(exits, limits={'tcp_idle': 600}))
        client = DemandingClient(server)
        exits.callback(client.close)
        worker = next(task for task in Path(f'/proc/{server.process.pid}/task').iterdir()
                      if (task / 'comm').read_text() == 'tls-worker\n')

        def core_time():
            return int((worker / 'schedstat').read_text().split()[0]) / 1e9
        for _ in range(20):  # a thread that only was off its core goes on afterwards
            count = client.demand()
            begin, core = time.monotonic(), core_time()
            time.sleep(0.5)
            core, elapsed = core_time() - core, time.monotonic() - begin
            print(f'{count} demands, then {core:.3f} s of the core in {elapsed:.3f} s')
            if stuck := client.is_stuck():
                break
        assert stuck
        assert core < 0.1 * elapsed
        with Client(server) as other:
            assert wire.texts(other.exchange(WWW)) == ['192.0.2.1']


# --- the certificate

def presented(server) -> str:
    """The text of the certificate that the server shows."""
    return ssl.get_server_certificate(tls_address(server)).strip()


def test_reload(daemon):
    """A new pair is used from the reload on; a bad one changes nothing, and is reported."""
    with contextlib.ExitStack() as exits:
        folder = secure_folder(exits)
        server = daemon(folder=folder)
        certificate, key = folder.path / 'certificate.pem', folder.path / 'key.pem'
        first = certificate.read_text().strip()
        assert presented(server) == first
        with Client(server) as old:
            old.exchange(WWW)
            certificates.make(folder.path, kind='rsa')
            assert server.hang_up().event == 'reloaded'
            second = certificate.read_text().strip()
            assert presented(server) == second != first
            assert wire.texts(old.exchange(WWW)) == ['192.0.2.1']
        good = key.read_text()
        for bad, reason in (('', 'cannot use the key'), ('rubbish', 'cannot use the key'),
                            (None, 'cannot use the key')):
            key.unlink()
            if bad is not None:
                key.write_text(bad)
            mark = server.settled_mark()
            assert server.hang_up().event == 'reload-refused'
            assert any(reason in line.text for line in server.log.since(mark)), server.log.text()
            assert presented(server) == second
            key.write_text(good)
        certificates.make(folder.path)
        key.write_text(good)  # of another certificate
        result = folder.cli('reload')
        assert result.returncode == 1 and 'is not the key of the certificate' in result.stdout + \
            result.stderr
        assert presented(server) == second
        assert 'is not the key of the certificate' in folder.cli('check').stdout


def test_refused_reload_keeps_the_certificate(daemon):
    """What is read together is taken together: a faulty zone holds a good new pair back."""
    with contextlib.ExitStack() as exits:
        folder = secure_folder(exits)
        server = daemon(folder=folder)
        first = presented(server)
        certificates.make(folder.path)
        folder.zone('faulty.example.zone', 'rubbish\n')
        assert server.hang_up().event == 'reload-refused'
        assert presented(server) == first
        (folder.zones / 'faulty.example.zone').unlink()
        assert server.hang_up().event == 'reloaded'
        assert presented(server) != first


def test_resumption_outlives_a_reload(daemon):
    with contextlib.ExitStack() as exits:
        server = daemon(folder=secure_folder(exits))
        context = trust(server)
        with Client(server, context) as client:
            client.exchange(WWW)
            session = client.socket.session
        server.reload()
        with Client(server, context, session) as client:
            assert wire.texts(client.exchange(WWW)) == ['192.0.2.1']
            assert client.socket.session_reused


def test_start_without_a_certificate(folder):
    made = folder(listen_tls=['127.0.0.1:0'])
    result = made.cli('check')
    assert result.returncode == 1
    assert 'tls.certificate' in result.stdout and 'tls.key' in result.stdout
