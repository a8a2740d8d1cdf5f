# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and ending: what is wrong is said in one line each; the end is orderly and quick."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from harness import (ROOT, SIGNPOST, WAIT, Server, UnixConnection, cli, eventually, make_query,
                     process_environment)
from targets import targets
from test_examples import Examples
from wire import Closed, taken_port

pytestmark = pytest.mark.sanitizer

ZONE = 'www: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2]}\n'
PLACE = re.compile(r'^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): error: (?P<text>.+)$')


def refused(folder, config=None):
    """The lines of a start that is refused; without the log's own."""
    result = cli('serve', '-c', str(config or folder.config), cwd=folder.path)
    assert result.returncode == 1 and result.stdout == ''
    assert not (folder.path / 'run/signpost.sock').exists()
    return [line for line in result.stderr.splitlines() if not re.match(r'\d{4}-\d\d-\d\dT', line)]


# --- the configuration

def test_config_is_missing(folder):
    made = folder()
    lines = refused(made, made.path / 'none.yaml')
    assert len(lines) == 1 and lines[0].startswith(f'{made.path}/none.yaml: error: ')
    assert 'No such file or directory' in lines[0]


def test_config_cannot_be_read(folder):
    made = folder()
    lines = refused(made, made.zones)
    assert len(lines) == 1 and lines[0].startswith(f'{made.zones}: error: ')


FAULTS = {
    'listen': ('listen: ["127.0.0.1:99999"]', 1, 10, 'listen'),
    'no port': ('listen: "127.0.0.1"', 1, 9, 'listen'),
    'number': ('workers: many', 1, 10, 'workers'),
    'range': ('workers: 0', 1, 10, 'workers'),
    'word': ('store: {driver: paper}', 1, 17, 'store.driver'),
    'unknown key': ('log: {level: info}\ncolour: blue', 2, 1, 'colour'),
    'unknown key below': ('geo: {data: x}', 1, 7, 'geo.data'),
    'network': ('health: {allow: ["10.0.0.1/8"]}', 1, 18, 'health.allow'),
    'repeated key': ('workers: 1\nworkers: 2', 2, 1, 'workers'),
    'truth': ('answer: {ecs: perhaps}', 1, 15, 'answer.ecs'),
    'list where a map is expected': ('store: [zones]', 1, 9, 'store'),
    'mailbox': ('defaults: {hostmaster: "@b"}', 1, 24, 'defaults.hostmaster'),
    'duration': ('limits: {tcp_idle: soon}', 1, 20, 'limits.tcp_idle'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_bad_option(folder, name):
    text, line, column, key = FAULTS[name]
    made = folder()
    made.write('signpost.yaml', text + '\nlisten: "127.0.0.1:0"\n' * ('listen' not in text))
    lines = refused(made)
    assert len(lines) == 1, lines
    place = PLACE.match(lines[0])
    assert place and place['file'] == str(made.config), lines[0]
    assert (int(place['line']), int(place['column'])) == (line, column), lines[0]
    assert place['text'].startswith(f'{key}: '), lines[0]


def test_all_faults_are_told_at_once(folder):
    made = folder()
    faults = [text for name, (text, *_) in FAULTS.items()
              if name in ('listen', 'number', 'word', 'network', 'truth', 'duration')]
    made.write('signpost.yaml', '\n'.join(faults) + '\n')
    lines = refused(made)
    assert [int(PLACE.match(line)['line']) for line in lines] == [1, 2, 3, 4, 5, 6]
    # `check` says the same, on standard output.
    result = made.cli('check')
    assert result.returncode == 1 and result.stdout.splitlines()[:6] == lines


@pytest.mark.parametrize('text', ['listen: [', '\tlisten: x', 'a: b: c', '- x', '"', '{}}', '\0'])
def test_config_that_is_no_yaml_document(folder, text):
    made = folder()
    made.write('signpost.yaml', text)
    lines = refused(made)
    assert len(lines) == 1 and lines[0].startswith(f'{made.config}:'), lines


def test_config_with_a_nul_is_not_cut_there(folder):
    made = folder()
    made.write('signpost.yaml', 'listen: "127.0.0.1:0"\n\0workers: many\n')
    assert len(refused(made)) == 1


def test_standard_files_are_closed(folder):
    """Nothing of ours takes their numbers: what is logged would go there."""
    made = folder()
    made.zone('example.org.yaml', ZONE)
    process = subprocess.Popen(
        ['/bin/sh', '-c', 'exec "$0" "$@" <&- >&- 2>&-', SIGNPOST, 'serve', '-c', str(made.config)],
        env=process_environment())
    try:
        eventually(lambda: made.cli('status').returncode == 0, what='the start')
        opened = {os.readlink(f'/proc/{process.pid}/fd/{number}') for number in range(3)}
        assert opened == {'/dev/null'}
    finally:
        process.terminate()
        assert process.wait(WAIT) == 0


# --- ports, sockets, zones

@pytest.mark.parametrize('kind', [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=['tcp', 'udp'])
@pytest.mark.parametrize('family, host', [(socket.AF_INET, '127.0.0.1'),
                                          (socket.AF_INET6, '[::1]')], ids=['ipv4', 'ipv6'])
def test_port_is_taken(folder, family, host, kind):
    with taken_port(family, kind) as port:
        made = folder(listen=[f'{host}:{port}'])
        lines = refused(made)
        assert len(lines) == 1 and f'{host}:{port}' in lines[0] and 'in use' in lines[0], lines


def test_two_daemons_on_one_port(daemon, folder):
    first = daemon({'example.org.yaml': ZONE})
    host, port = first.address()
    lines = refused(folder(listen=[f'{host}:{port}']))
    assert len(lines) == 1 and f'{host}:{port}' in lines[0]
    assert first.values('www.example.org') != []


def test_two_daemons_on_one_control_socket(daemon):
    first = daemon({'example.org.yaml': ZONE})
    result = cli('serve', '-c', str(first.folder.config))
    lines = [line for line in result.stderr.splitlines() if 'signpost.sock' in line]
    assert result.returncode == 1 and len(lines) == 1 and 'another server' in lines[0]
    assert first.folder.cli('status').returncode == 0


def test_socket_left_behind_by_a_crash_is_taken_over(daemon):
    first = daemon({'example.org.yaml': ZONE}, ready=False).wait_ready()
    first.kill()
    assert (first.folder.path / 'run/signpost.sock').exists()
    second = daemon(folder=first.folder)
    assert second.get('/v1/status')['zones'] == 1


def test_file_in_the_way_of_the_socket(folder):
    made = folder()
    made.write('run/signpost.sock', 'precious')
    result = cli('serve', '-c', str(made.config))
    assert result.returncode == 1 and 'signpost.sock' in result.stderr
    assert (made.path / 'run/signpost.sock').read_text() == 'precious'


def test_address_that_is_not_ours(folder):
    lines = refused(folder(listen=['192.0.2.1:5353']))
    assert len(lines) == 1 and '192.0.2.1:5353' in lines[0]


def test_zones_cannot_be_read(folder):
    made = folder(store={'path': 'nowhere'})
    assert any('nowhere' in line and 'No such file' in line for line in refused(made))
    made = folder()
    (made.zones / 'example.org.yaml').mkdir()
    (made.zones / 'example.net.zone').symlink_to('nowhere')
    lines = refused(made)
    assert len(lines) == 2, lines
    assert 'example.net.zone' in lines[0] and 'example.org.yaml' in lines[1]


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root, to become somebody else')
def test_files_without_permission(folder):
    made = folder()
    made.zone('example.org.yaml', ZONE).chmod(0)
    for path in (made.path, made.zones):
        path.chmod(0o777)
    as_nobody = ['setpriv', '--reuid=65534', '--clear-groups', '--inh-caps=-all',
                 '--bounding-set=-all']
    server = Server(made, as_nobody)
    try:
        if server.wait_exit() in (126, 127):
            pytest.skip('the binary is in a folder that is closed to others')
        assert server.process.returncode == 1
        assert 'example.org.yaml' in server.log.text()
        assert 'Permission denied' in server.log.text()
    finally:
        server.kill()


def test_zones_with_faults(folder):
    made = folder()
    made.zone('example.org.yaml', 'www: {type: AAB}\napi: {type: A, value: 1.2.3}\n')
    made.zone('example.net.zone', '$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS a\nwww A 1.2.3\n')
    lines = refused(made)
    places = [tuple(line.removeprefix(f'{made.zones}/').split(':')[:2]) for line in lines]
    assert places == [('example.net.zone', '4'), ('example.org.yaml', '1'),
                      ('example.org.yaml', '2')], lines


def test_no_zones_is_no_error(daemon):
    server = daemon()
    assert server.get('/v1/zones') == {'zones': []}


# --- commands

@pytest.mark.parametrize('arguments', [
    [], ['frobnicate'], ['serve', '--frobnicate'], ['serve', 'now'], ['serve', '-c'],
    ['explain'], ['explain', 'www.example.org'], ['explain', 'a', 'b', 'c', '--client', '::1'],
    ['reference'], ['reference', 'nope'], ['status', 'x'], ['check', '--json=yes'],
    ['help', 'frobnicate']])
def test_wrong_usage(folder, arguments):
    result = cli(*arguments, cwd=folder().path)
    assert result.returncode == 2 and result.stdout == '' and result.stderr != ''


def test_help_of_every_command():
    overview = cli('help')
    assert overview.returncode == 0 and overview.stderr == ''
    commands = re.findall(r'^  (\w+) ', overview.stdout, re.M)
    assert {'serve', 'check', 'reload', 'explain', 'status', 'health'} <= set(commands)
    for command in commands:
        result = cli(command, '--help')
        assert result.returncode == 0 and result.stdout.startswith(f'Usage: signpost {command}')


def test_version():
    text, number = cli('--version').stdout, cli('version', '--json').stdout
    assert re.fullmatch(r'signpost (\d+\.\d+\.\d+)\n', text) and text.split()[1] in number


@pytest.mark.parametrize('command', ['status', 'health', 'reload'])
def test_no_server_to_talk_to(folder, command):
    for arguments in ([], ['--json']):
        result = folder().cli(command, *arguments)
        assert result.returncode == 1 and result.stdout == ''
        assert len(result.stderr.splitlines()) == 1 and 'signpost.sock' in result.stderr


def test_check_of_the_examples():
    folder = Examples()
    try:
        result = folder.cli('check')
    finally:
        folder.remove()
    assert result.returncode == 0, result.stdout
    lines = result.stdout.splitlines()
    assert lines[-1].startswith('good: 2 zones')
    assert all('geo database is missing' in line or '[single-' in line or '[family-missing]' in line
               for line in lines[:-1]), result.stdout


# --- systemd

@pytest.mark.parametrize('abstract', [False, True], ids=['path', 'abstract'])
def test_notify(daemon, folder, abstract):
    made = folder()
    path = f'@{made.path.name}' if abstract else str(made.path / 'notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path.replace('@', '\0'))
        manager.settimeout(WAIT)
        server = daemon({'example.org.yaml': ZONE}, folder=made, ready=False,
                        environment={'NOTIFY_SOCKET': path})
        assert manager.recv(4096) == b'READY=1'
        assert server.log.wait('ready', timeout=WAIT)
        server.process.send_signal(signal.SIGHUP)
        assert re.fullmatch(rb'RELOADING=1\nMONOTONIC_USEC=\d+\n?', manager.recv(4096))
        assert manager.recv(4096) == b'READY=1'
        server.process.send_signal(signal.SIGTERM)
        assert manager.recv(4096) == b'STOPPING=1'
        server.stop()


def test_ready_after_what_the_signal_asked_for(daemon, folder):
    """A signal while another reload is under way, which has read the old file already."""
    made = folder()
    large = '$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n' + ''.join(
        f'n{number} A 192.0.2.1\n' for number in range(100000))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(made.path / 'notify'))
        manager.settimeout(WAIT)
        server = daemon({'example.net.yaml': ZONE, 'example.org.zone': large}, folder=made,
                        ready=False, environment={'NOTIFY_SOCKET': str(made.path / 'notify')})
        server.wait_ready()
        assert manager.recv(4096) == b'READY=1'
        made.zone('example.org.zone', large + '; once more\n')
        with contextlib.closing(UnixConnection(str(made.path / 'run/signpost.sock'))) as other:
            other.request('POST', '/v1/reload')
            server.get('/v1/status')  # came behind it
            made.zone('example.net.yaml', ZONE.replace('192.0.2.2', '192.0.2.3'))
            server.process.send_signal(signal.SIGHUP)
            assert manager.recv(4096).startswith(b'RELOADING=1')
            assert manager.recv(4096) == b'READY=1'
            assert '192.0.2.3' in server.values('www.example.net')
            assert other.getresponse().status == 200
        server.stop()


# --- the end

@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_end(daemon, number):
    server = daemon({'example.org.yaml': ZONE}, ready=False).wait_ready()
    server.stop(number)
    assert server.log.wait('stopping').fields['signal'] == signal.Signals(number).name


def ask_until(server, end, tcp, faults):
    """Questions one after the other until `end` is set; after that, failing is no fault."""
    query = make_query('www.example.org').to_wire()
    try:
        with server.client(tcp=tcp) as client:
            while not end.is_set():
                if len(client.exchange(query)) < 12 + 21 + 32:
                    faults.append('an answer without its records')
    except (OSError, Closed) as error:
        if not end.is_set():
            faults.append(repr(error))


def test_end_under_load(daemon):
    """Questions flow, clients are connected and say nothing, half a question, half a request."""
    server = daemon({'example.org.yaml': ZONE}, ready=False, workers=2).wait_ready()
    end, faults = threading.Event(), []
    threads = [threading.Thread(target=ask_until, args=(server, end, tcp, faults))
               for tcp in (False, True, False, True)]
    with contextlib.ExitStack() as exits:
        for size in (0, 1, 10, 30):
            client = exits.enter_context(server.client(tcp=True))
            client.socket.sendall((b'\0\x40' + bytes(60))[:size])
        control = exits.enter_context(socket.socket(socket.AF_UNIX))
        control.connect(str(server.folder.path / 'run/signpost.sock'))
        control.sendall(b'GET /v1/status HTTP/1.1\r\n')
        for thread in threads:
            thread.start()
        served = server.metric('queries_udp_total')
        while server.metric('queries_udp_total') < served + 1000:
            assert not faults
        end.set()
        server.process.send_signal(signal.SIGTERM)
        server.stop()
        # A client over UDP may wait for an answer that no longer comes: its port is gone.
        for thread in threads:
            thread.join(WAIT * 2)
    assert not faults


def test_end_while_checks_are_awaited(daemon):
    with targets(1, 'hang') as (target,):
        zone = {'www': {'type': 'A', 'value': target.address, 'signpost': {'check': {
            'kind': 'http', 'port': target.port, 'interval': 60, 'timeout': 50}}}}
        server = daemon({'example.org.yaml': zone}, ready=False,
                        health={'allow': ['127.0.0.0/8'], 'first_round': 60})
        target.wait_seen(1)
        server.stop()
        assert 'ready' not in [line.event for line in server.log.since()]


def test_end_while_files_are_read(daemon):
    big = '$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n' + \
        ''.join(f'n{number} A 192.0.2.{number % 250}\n' for number in range(200000))
    server = daemon({'example.org.zone': big}, ready=False)
    server.log.wait('starting')
    server.stop()


def test_second_signal_changes_nothing(daemon):
    server = daemon({'example.org.yaml': ZONE}, ready=False).wait_ready()
    while server.process.poll() is None:  # until the very end of the process
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            server.process.send_signal(number)
    server.stop()


def test_sigpipe_and_closed_stderr(folder):
    """A log that nobody reads any more is no reason to stop answering."""
    made = folder()
    made.zone('example.org.yaml', ZONE)
    server = Server(made)
    try:
        server.wait_ready()
        reader, writer = os.pipe()
        os.close(writer)
        os.close(reader)
        server.process.send_signal(signal.SIGPIPE)
        assert len(server.values('www.example.org')) == 2
        server.stop()
    finally:
        server.kill()


def test_foreground_output_can_be_a_pipe(folder):
    made = folder()
    result = subprocess.run(['sh', '-c', '"$0" help serve | head -1', os.environ.get(
        'SIGNPOST_BIN', str(ROOT / 'build/signpost'))], cwd=made.path, capture_output=True,
        text=True, timeout=WAIT)
    assert result.stdout.startswith('Usage: signpost serve')
