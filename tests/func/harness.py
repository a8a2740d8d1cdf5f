# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon under test: its folder, its process, its log, questions to it.

Nothing here sleeps for a guessed time. A test waits for a log line (Server.wait_log), for a
condition (eventually), or for the answer to a later question on the same socket.
"""

import contextlib
import functools
import http.client
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import yaml

import wire

ROOT = Path(__file__).resolve().parents[2]
SIGNPOST = os.environ.get('SIGNPOST_BIN', str(ROOT / 'build/signpost'))

# A zone for tests of how questions and answers travel, as test.example.zone.
PLAIN_ZONE = '''\
$ORIGIN test.example.
$TTL 600
@    SOA  ns1 hostmaster ( 7 3600 600 86400 300 )
     NS   ns1
ns1  A    192.0.2.53
www  A    192.0.2.1
'''

STOP_MAX = 5.0  # what the daemon promises
SANITIZERS = {'ASAN_OPTIONS': 'exitcode=99:detect_stack_use_after_return=1',
              'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1:exitcode=99',
              'TSAN_OPTIONS': 'halt_on_error=1:exitcode=99'}
REPORT = re.compile(r'(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:'
                    r'|assertion|Assertion')
FIELD = re.compile(r'(\w+)=("(?:\\.|[^"\\])*"|\S*)')


def is_instrumented() -> bool:
    binary = Path(SIGNPOST).read_bytes()
    return b'__asan_init' in binary or b'__tsan_init' in binary


# How much longer things may take than on the release binary.
SLOW = 6.0 if Path(SIGNPOST).exists() and is_instrumented() else 1.0
WAIT = 30.0 * SLOW
# How much more than in continuous integration the tests of loads send.
SCALE = float(os.environ.get('SIGNPOST_SCALE', '1'))


def eventually(condition, timeout: float = WAIT, what: str = 'the condition'):
    """The first true value of condition(); fails when there is none in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f'{what} did not come about within {timeout:.1f} s'
        time.sleep(0.005)


def measured(tries: int = 4):
    """For tests whose bars are on time or on a core: a burst of other work spoils one try, what is
    too slow is too slow in all. The bars stay as they are."""
    def decorate(test):
        @functools.wraps(test)
        def run(*arguments, **named):
            for left in reversed(range(tries)):
                try:
                    return test(*arguments, **named)
                except (AssertionError, TimeoutError) as error:
                    if left == 0:
                        raise
                    print(f'again, {left} tries left, after: {error}')
        return run
    return decorate


def chance_bound(share: float, draws: int) -> float:
    """How far a count of independent draws may lie from its expectation: farther is chance in less
    than one case of 10^13, whatever the share (Bernstein's inequality)."""
    exponent = 30
    return math.sqrt(2 * exponent * share * (1 - share) * draws) + 2 * exponent / 3


def unquote(value: str) -> str:
    """A quoted text of the log: as JSON has it, but control characters are \\xNN."""
    return json.loads(re.sub(r'(?<!\\)((?:\\\\)*)\\x', r'\1\\u00', value))


class LogLine:
    def __init__(self, text: str):
        self.text = text
        parts = text.split(' ', 3)
        self.event = parts[2] if len(parts) > 2 else ''
        self.level = parts[1] if len(parts) > 1 else ''
        self.fields = {key: unquote(value) if value.startswith('"') else value
                       for key, value in FIELD.findall(parts[3] if len(parts) > 3 else '')}


class Log:
    """Standard error of a process, line by line, with waiting."""

    def __init__(self, stream):
        self.lines: list[LogLine] = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        with stream:
            for raw in stream:
                with self.changed:
                    self.lines.append(LogLine(raw.decode('utf-8', 'replace').rstrip('\n')))
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def mark(self) -> int:
        with self.changed:
            return len(self.lines)

    def since(self, mark: int = 0) -> list[LogLine]:
        with self.changed:
            return self.lines[mark:]

    def wait(self, *events: str, since: int = 0, timeout: float = WAIT) -> LogLine:
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines[since:]:
                    if line.event in events:
                        return line
                left = deadline - time.monotonic()
                assert not self.ended and left > 0, \
                    f'no log line {" or ".join(events)} ' \
                    f'({"the process ended" if self.ended else "in time"}):\n{self.text()}'
                self.changed.wait(left)

    def text(self) -> str:
        return '\n'.join(line.text for line in self.lines)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__('localhost', timeout=WAIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT)
        self.sock.connect(self.path)


def process_environment(**more: str) -> dict[str, str]:
    environment = {**SANITIZERS, **os.environ, **more}
    if 'NOTIFY_SOCKET' not in more:
        environment.pop('NOTIFY_SOCKET', None)
    return environment


def cli(*arguments: str, cwd: Path | str = ROOT, stdin: str = '') -> subprocess.CompletedProcess:
    """A command that ends by itself."""
    result = subprocess.run([SIGNPOST, *arguments], cwd=cwd, text=True, capture_output=True,
                            input=stdin, timeout=WAIT, env=process_environment())
    assert not REPORT.search(result.stderr), result.stderr
    assert result.returncode in (0, 1, 2), f'{arguments}: {result.returncode}\n{result.stderr}'
    return result


class Folder:
    """A folder with a configuration and zones. Short, because of the socket in it."""

    def __init__(self, **options):
        self.path = Path(tempfile.mkdtemp(prefix='signpost-'))
        self.zones = self.path / 'zones'
        self.zones.mkdir()
        self.options = {
            'listen': ['127.0.0.1:0', '[::1]:0'],
            'workers': 1,
            'store': {'driver': 'files', 'path': 'zones'},
            'control': 'run/signpost.sock',
            'health': {'allow': ['127.0.0.0/8', '::1/128']},
            'defaults': {'ns': ['ns1.example.com.', 'ns2.example.com.'],
                         'hostmaster': 'hostmaster@example.com'},
            **options,
        }
        self.config = self.path / 'signpost.yaml'
        self.write_config()

    def write_config(self):
        self.write('signpost.yaml', self.options)

    def write(self, name: str, content: str | dict) -> Path:
        """Puts a file in place at once, as an editor does."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        fresh = path.with_name(f'.{path.name}.new')
        fresh.write_text(text)
        fresh.rename(path)
        return path

    def zone(self, name: str, content: str | dict) -> Path:
        """example.org.yaml, example.org.zone, shared.yaml"""
        return self.write(f'zones/{name}', content)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def cli(self, command: str, *arguments: str) -> subprocess.CompletedProcess:
        return cli(command, *arguments, '-c', str(self.config))


class Server:
    def __init__(self, folder: Folder, prefix: list[str] | None = None, **environment: str):
        self.folder = folder
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*(prefix or []), SIGNPOST, 'serve', '-c', str(folder.config)], cwd=folder.path,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=process_environment(**environment), start_new_session=True)
        self.log = Log(self.process.stderr)
        self.endpoints: dict[int, tuple[str, int]] = {}

    def wait_ready(self, timeout: float = WAIT) -> 'Server':
        line = self.log.wait('ready', timeout=timeout)
        for endpoint in line.fields['listen'].split(','):
            host, port = endpoint.rsplit(':', 1)
            family = socket.AF_INET6 if host.startswith('[') else socket.AF_INET
            self.endpoints.setdefault(family, (host.strip('[]'), int(port)))
        return self

    # --- the end

    def wait_exit(self, timeout: float = WAIT) -> int:
        code = self.process.wait(timeout)
        self.log.thread.join(timeout)
        return code

    def stop(self, number: int = signal.SIGTERM, check: bool = True):
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.wait_exit(timeout=max(STOP_MAX, WAIT))
        took = time.monotonic() - begin
        if not check:
            return
        log = self.log.text()
        assert not REPORT.search(log), log
        assert code == 0, f'exit {code}\n{log}'
        # LeakSanitizer looks through all memory on the way out.
        assert took < (STOP_MAX if SLOW == 1.0 else WAIT), f'the stop took {took:.1f} s'
        assert self.process.stdout.read() == b'', 'the daemon writes to standard output'
        assert not (self.folder.path / 'run/signpost.sock').exists(), 'the socket was left behind'
        eventually(self.group_is_gone, what='the end of all its processes')

    def group_is_gone(self) -> bool:
        """One that was killed may be there until it is noticed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 0)
            return False
        return True

    @contextlib.contextmanager
    def paused(self):
        """All its processes stand still, so that what is done meanwhile is one moment to it."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    # --- the control side

    def api(self, method: str, path: str, body: dict | None = None) -> tuple[int, str]:
        connection = UnixConnection(str(self.folder.path / 'run/signpost.sock'))
        with contextlib.closing(connection):
            if body is None:
                connection.request(method, path)
            else:
                connection.request(method, path, json.dumps(body),
                                   {'Content-Type': 'application/json'})
            response = connection.getresponse()
            return response.status, response.read().decode()

    def get(self, path: str) -> dict:
        status, body = self.api('GET', path)
        assert status == 200, body
        return json.loads(body)

    def checks(self) -> dict[str, dict]:
        return {check['target']: check for check in self.get('/v1/health')['checks']}

    def metric(self, name: str) -> int:
        status, body = self.api('GET', '/metrics')
        assert status == 200, body
        return int(re.search(rf'^signpost_{name} (\d+)$', body, re.M)[1])

    def settled_mark(self) -> int:
        """A mark behind the lines of all reloads that have ended: the log is read by a thread."""
        ended = self.metric('reloads_total') + self.metric('reloads_refused_total')
        eventually(lambda: sum(line.event in ('reloaded', 'reload-refused')
                               for line in self.log.since()) >= ended)
        return self.log.mark()

    def hang_up(self) -> LogLine:
        """SIGHUP; the line that says how it ended."""
        mark = self.settled_mark()
        self.process.send_signal(signal.SIGHUP)
        return self.log.wait('reloaded', 'reload-refused', since=mark)

    def reload(self):
        result = self.folder.cli('reload')
        assert result.returncode == 0, result.stderr

    # --- questions

    def address(self, family: int = socket.AF_INET) -> tuple[str, int]:
        return self.endpoints[family]

    def client(self, family: int = socket.AF_INET, tcp: bool = False,
               source: str | None = None, narrow: bool = False) -> 'wire.Client':
        return wire.Client(self.address(family), family, tcp, source, WAIT, narrow)

    def exchange(self, message: bytes, family: int = socket.AF_INET, tcp: bool = False,
                 source: str | None = None) -> bytes:
        with self.client(family, tcp, source) as client:
            return client.exchange(message)

    def answers_again(self, name: str) -> bool:
        """After more than its buffers hold: whether a question gets its answer within a second."""
        with wire.Client(self.address(), socket.AF_INET, False, None, 1.0) as client, \
                contextlib.suppress(TimeoutError):
            return len(client.exchange(make_query(name).to_wire())) > 0
        return False

    def ask(self, name: str, rdtype: str = 'A', *, ecs: str | None = None, tcp: bool = False,
            do: bool = False, family: int = socket.AF_INET, source: str | None = None,
            edns: bool | None = None, payload: int = 1232) -> dns.message.Message:
        """One question; the answer must be an answer to it."""
        query = make_query(name, rdtype, ecs=ecs, do=do, edns=edns, payload=payload)
        reply = dns.message.from_wire(
            self.exchange(query.to_wire(), family, tcp, source), raise_on_truncation=False)
        assert query.is_response(reply), f'{query}\nis not answered by\n{reply}'
        return reply

    def values(self, name: str, rdtype: str = 'A', **more) -> list[str]:
        """The values of the RRset of that type in the answer, in their order."""
        return values(self.ask(name, rdtype, **more), rdtype)


def make_query(name: str, rdtype: str = 'A', *, rdclass: str = 'IN', ecs: str | None = None,
               do: bool = False, edns: bool | None = None, payload: int = 1232,
               options: list | None = None) -> dns.message.Message:
    options = list(options or [])
    if ecs:
        address, _, length = ecs.partition('/')
        length = int(length) if length else (128 if ':' in address else 32)
        options.append(dns.edns.ECSOption(address, length))
    use_edns = bool(options or do or edns)
    if edns is False:
        use_edns = False
    query = dns.message.make_query(name, rdtype, rdclass, use_edns=0 if use_edns else False,
                                   payload=payload, want_dnssec=do, options=options)
    query.flags &= ~dns.flags.RD
    return query


def with_flipped_bit(query: dns.message.Message, dice: random.Random, first: int = 2) -> bytes:
    """The message with one bit wrong from octet `first` on; but OPT stays OPT, options what they
    are, and a client subnet stays among those that somebody can have: a lost one or a new cookie
    makes an answer that depends on who asks, and when."""
    wired = bytearray(query.to_wire())
    place = dice.choice(flippable(query, wired, first))
    wired[place] ^= 1 << dice.randrange(8)
    return bytes(wired)


def flippable(query: dns.message.Message, wired: bytes, first: int) -> list[int]:
    """Where that may be."""
    fixed, at = set(), len(wired)
    for option in reversed(query.options):
        at -= 4 + len(option.to_wire())
        fixed |= {at, at + 1}
        if isinstance(option, dns.edns.ECSOption):
            fixed.add(at + 8)  # of its address: 198 and 32 are a multicast network
    if query.edns >= 0:
        fixed |= {at - 11, at - 10, at - 9}
        assert wired[at - 11:at - 8] == b'\0\0\x29'
    return [place for place in range(first, len(wired)) if place not in fixed]


def values(reply: dns.message.Message, rdtype: str = 'A') -> list[str]:
    kind = dns.rdatatype.from_text(rdtype)
    return [rdata.to_text() for rrset in reply.answer if rrset.rdtype == kind for rdata in rrset]


def ttl(reply: dns.message.Message) -> int:
    return reply.answer[0].ttl


def ecs_of(reply: dns.message.Message) -> dns.edns.ECSOption | None:
    found = [option for option in reply.options if isinstance(option, dns.edns.ECSOption)]
    assert len(found) <= 1
    return found[0] if found else None


def rcode(reply: dns.message.Message) -> str:
    return dns.rcode.to_text(reply.rcode())


def has_flag(reply: dns.message.Message, flag: str) -> bool:
    return bool(reply.flags & dns.flags.from_text(flag))
