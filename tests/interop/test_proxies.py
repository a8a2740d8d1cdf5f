# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers as they are: dnsdist and HAProxy say for whom they ask, by the PROXY protocol."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import certificates
import wire
from harness import WAIT, Folder, Log, eventually, make_query
from peers import find, free_port

ZONES = {'test.example.yaml': {
    'who': {'type': 'A', 'records': [
        {'value': '192.0.2.1', 'line': 'office'}, {'value': '192.0.2.9', 'line': 'default'}]}},
    'shared.yaml': {'lines': {'office': {'networks': ['127.31.0.0/16']}}}}
WHO = make_query('who.test.example').to_wire()
CLIENTS = {'127.31.0.7': ['192.0.2.1'], '127.32.0.7': ['192.0.2.9']}


@pytest.fixture(scope='module')
def server(module_daemon):
    with contextlib.ExitStack() as exits:
        folder = Folder(listen=['127.0.0.1:0'], listen_tls=['127.0.0.1:0'],
                        tls={'certificate': 'certificate.pem', 'key': 'key.pem'},
                        proxy={'from': '127.0.0.1/32'})
        exits.callback(folder.remove)
        certificates.make(folder.path)
        yield module_daemon(ZONES, folder=folder)


@contextlib.contextmanager
def balancer(package: str, arguments: list[str], name: str, configuration: str):
    binary, environment = find(package, package)
    folder = Path(tempfile.mkdtemp(prefix='signpost-balancer-'))
    (folder / name).write_text(configuration)
    process = subprocess.Popen([binary, *arguments, str(folder / name)], cwd=folder,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env={**os.environ, **environment})
    log = Log(process.stderr)
    try:
        yield lambda: process.poll() is None or pytest.fail(f'{package} ended:\n{log.text()}')
    finally:
        process.terminate()
        process.wait(WAIT)
        shutil.rmtree(folder, ignore_errors=True)


def ask(port: int, tcp: bool, source: str) -> list[str]:
    with wire.Client(('127.0.0.1', port), socket.AF_INET, tcp, source, WAIT) as client:
        return wire.texts(client.exchange(WHO))


def is_up(port: int, alive) -> bool:
    assert alive()
    try:
        with wire.Client(('127.0.0.1', port), socket.AF_INET, True, None, WAIT) as client:
            return client.exchange(WHO)[3] & 15 == 0
    except (OSError, wire.Closed):
        return False


def test_dnsdist(server):
    """UDP and TCP; its health checks come with a LOCAL header."""
    port, target = free_port(), server.address()[1]
    with balancer('dnsdist', ['--supervised', '--disable-syslog', '-C'], 'dnsdist.conf', f'''
setLocal("127.0.0.1:{port}")
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:{target}", useProxyProtocol=true, checkInterval=1}})
''') as alive:
        eventually(lambda: is_up(port, alive), what='dnsdist answers')
        proxied, refused = (server.metric(f'{name}_total') for name in ('proxied', 'proxy_refused'))
        for _ in range(20):
            for source, expected in CLIENTS.items():
                assert ask(port, False, source) == ask(port, True, source) == expected
        assert server.metric('proxied_total') >= proxied + 80
        assert server.metric('proxy_refused_total') == refused


def test_haproxy(server):
    """TCP, and TLS that passes through it."""
    plain, secure = free_port(), free_port()
    target = server.address()[1]
    target_tls = server.log.wait('ready').fields['listen_tls'].rsplit(':', 1)[1]
    with balancer('haproxy', ['-db', '-f'], 'haproxy.cfg', f'''
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend plain
    bind 127.0.0.1:{plain}
    default_backend plain
backend plain
    server signpost 127.0.0.1:{target} send-proxy-v2
frontend secure
    bind 127.0.0.1:{secure}
    default_backend secure
backend secure
    server signpost 127.0.0.1:{target_tls} send-proxy-v2
''') as alive:
        eventually(lambda: is_up(plain, alive), what='HAProxy passes on')
        context = certificates.context(server.folder.path / 'certificate.pem')
        for source, expected in CLIENTS.items():
            assert ask(plain, True, source) == expected
            with wire.Client(('127.0.0.1', secure), socket.AF_INET, True, source, WAIT) as client:
                client.socket = context.wrap_socket(client.socket, server_hostname='dns.example')
                assert wire.texts(client.exchange(WHO)) == expected
