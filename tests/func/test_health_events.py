# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of health on their way out: server-sent events and webhooks."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time
import urllib.parse

import pytest

from harness import WAIT, UnixConnection, eventually
from targets import targets
from test_health import addresses, answers
from test_health_operator import manual, zone_of

pytestmark = pytest.mark.sanitizer


class Stream:
    """A client of GET /v1/events."""

    def __init__(self, server, query='', headers=None):
        self.connection = UnixConnection(str(server.folder.path / 'run/signpost.sock'))
        self.connection.request('GET', '/v1/events' + query, headers=headers or {})
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers['Content-Type'] == 'text/event-stream'
        assert self.response.readline().startswith(b'retry: ')

    def next(self) -> dict | None:
        """The next event; None at the end of the stream."""
        fields = {}
        deadline = time.monotonic() + WAIT
        while line := self.response.readline().decode():
            line = line.rstrip('\n')
            # Beats go on for ever: a test that waits for what does not come must end.
            assert time.monotonic() < deadline, 'no event in time'
            if not line and fields:
                event = json.loads(fields['data'])
                assert str(event['id']) == fields['id'] and event['type'] == fields['event']
                return event
            if line and not line.startswith(':'):
                key, _, value = line.partition(': ')
                fields[key] = value
        return None

    def close(self):
        self.connection.close()


def test_server_sent_events(daemon):
    with targets(2, 'open') as members:
        server = daemon(zone_of(members))
        first, second = Stream(server), Stream(server)
        members[0].switch('off')
        for stream in (first, second):
            event = stream.next()
            assert (event['type'], event['from'], event['to']) == ('check', 'up', 'down')
            assert event['target'] == members[0].endpoint and event['reason'] == 'L4CON'
            assert event['name'] == 'www.example.org. A'
        second.close()
        manual(server, pattern='pool:*', state='drain')
        assert first.next()['what'] == 'drain'
        again = Stream(server, f'?after={event["id"]}')  # what was missed meanwhile
        assert again.next()['type'] == 'manual'
        # So does who comes back as browsers do; the header says more than the first question.
        back = Stream(server, '?after=1', {'Last-Event-ID': str(event['id'])})
        assert back.next()['type'] == 'manual'
        back.close()
        assert server.api('GET', '/v1/events?after=x')[0] == 400
        with pytest.raises(AssertionError):
            Stream(server, headers={'Last-Event-ID': 'x'})
        streams = [Stream(server) for _ in range(31 - 2)]
        eventually(lambda: server.api('GET', '/v1/health')[0] == 200)
        with pytest.raises(AssertionError):
            streams += [Stream(server) for _ in range(8)]
        server.stop()
        assert first.next() is None and again.next() is None


def test_who_follows_misses_nothing_over_a_restart(daemon, folder):
    """Numbers of events go on: who names one of the last process gets all of the new one."""
    with targets(2, 'open') as members:
        made = folder()
        server = daemon(zone_of(members), folder=made)
        stream = Stream(server)
        manual(server, pattern='pool:*', state='drain')
        seen = stream.next()['id']
        server.stop()
        started = time.time()
        time.sleep(1.1)  # numbers are of the second in which a process began
        server = daemon(folder=made)
        manual(server, pattern='site:*', state='up', who='ann', why='test')
        stream = Stream(server, f'?after={seen}')
        event = stream.next()
        while event['type'] != 'manual':
            event = stream.next()
        assert (event['what'], event['who'], event['why']) == ('up', 'ann', 'test')
        assert seen < started * 1e6 < event['id'] < 2**53
        later = Stream(server, f'?after={event["id"] + 10**9}')  # as if the clock was set back
        assert later.next()['id'] <= event['id']


END = {'what': 'end'}  # for the end of the stream, which comes as None


def test_a_slow_reader_is_ended_and_nobody_else(daemon):
    with targets(1, 'open') as members:
        server = daemon(zone_of(members), health={'allow': ['127.0.0.0/8'], 'state': 'off'})
        slow, quick = Stream(server), Stream(server)
        pattern = 'value:' + 'x' * 200
        seen = []
        reader = threading.Thread(
            target=lambda: seen.extend(iter(lambda: (quick.next() or END)['what'] != 'end', False)))
        reader.start()
        for number in range(750):
            assert manual(server, pattern=pattern, state='up')[0] == 201
            assert server.api('DELETE', f'/v1/health/manual?pattern={pattern}')[0] == 200
            # However late its thread is, it is quick.
            eventually(lambda: len(seen) >= 2 * number - 100)  # noqa: B023 - called at once
        manual(server, pattern='value:end', state='up')
        server.api('DELETE', '/v1/health/manual?pattern=value:end')
        reader.join(0.01)
        count = 0
        with contextlib.suppress(socket.timeout):
            while slow.next() is not None:
                count += 1
        assert count < 1502, 'the slow reader got everything: its socket took it all'
        eventually(lambda: len(seen) >= 1500, what='the quick reader')
        quick.connection.sock.shutdown(socket.SHUT_RDWR)


class Receiver:
    """An HTTP server that keeps what it gets and answers as it is told."""

    def __init__(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                answers = receiver.answers.get(self.path.split('?')[0])
                answer = answers.pop(0) if answers else b'{"errcode":0,"errmsg":"ok"}'
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.requests.append((time.monotonic(), self.path, dict(self.headers), body))
                self.send_response(status)
                if status == 429:
                    self.send_header('Retry-After', '3')
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        self.requests, self.statuses, self.answers = [], [], {}
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def wait(self, count):
        eventually(lambda: len(self.requests) >= count, what=f'{count} requests', timeout=WAIT)
        return self.requests[count - 1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def test_webhooks_are_signed_repeated_and_coalesced(daemon, receiver):
    receiver.statuses = [500, 429]
    hook = {'url': receiver.url + '/hook?x=1', 'secret': 'tell nobody', 'gap': 2}
    with targets(6, 'open') as members:
        server = daemon(zone_of(members), webhooks=[hook])
        members[0].switch('off')
        first, second, third = receiver.wait(1), receiver.wait(2), receiver.wait(3)
        assert first[3] == second[3] == third[3]  # the same events until they are taken
        assert second[0] - first[0] >= 1 and third[0] - second[0] >= 3  # as it asked for
        _, path, headers, body = third
        assert path == '/hook?x=1' and headers['Content-Type'] == 'application/json'
        signed = f'{headers["X-Signpost-Time"]}.'.encode() + body
        expected = hmac.new(b'tell nobody', signed, hashlib.sha256).hexdigest()
        assert headers['X-Signpost-Signature'] == f'sha256={expected}'
        event = json.loads(body)['events'][0]
        assert event['target'] == members[0].endpoint and event['to'] == 'down'
        for member in members[1:4]:
            member.switch('off')
        eventually(lambda: answers(server) == addresses(members[4:]))
        down = set()
        count = 3
        while len(down) < 3:
            count += 1
            down |= {event['target'] for event in json.loads(receiver.wait(count)[3])['events']}
        assert count <= 3 + 3 and receiver.requests[3][0] - third[0] >= 0.9
        assert server.metric('webhooks_failed_total') == 2
        assert server.log.wait('webhook-failed').fields['status'] == '500'


def test_templates(daemon, receiver):
    hooks = [{'url': f'{receiver.url}/{format}', 'secret': 'key', 'format': format, 'gap': 0}
             for format in ('slack', 'dingtalk', 'pagerduty')]
    with targets(2, 'open') as members:
        server = daemon(zone_of(members), webhooks=hooks)
        members[0].switch('off')
        receiver.wait(3)
        bodies = {path.strip('/').split('?')[0]: (path, json.loads(body))
                  for _, path, _, body in receiver.requests}
        sentence = f'{members[0].endpoint} is down (L4CON: Connection refused) for ' \
                   'www.example.org. A'
        assert bodies['slack'][1] == {'text': f'signpost: {sentence}'}
        path, body = bodies['dingtalk']
        assert body == {'msgtype': 'text', 'text': {'content': f'signpost: {sentence}'}}
        query = urllib.parse.parse_qs(path.partition('?')[2])
        digest = hmac.new(b'key', f'{query["timestamp"][0]}\nkey'.encode(), hashlib.sha256).digest()
        assert query['sign'] == [base64.b64encode(digest).decode()]
        assert abs(int(query['timestamp'][0]) / 1000 - time.time()) < 60
        body = bodies['pagerduty'][1]
        assert (body['routing_key'], body['event_action']) == ('key', 'trigger')
        assert body['dedup_key'].startswith(f'signpost/{members[0].endpoint}/')
        assert body['payload']['summary'] == sentence
        members[0].switch('open')
        eventually(lambda: any(b'"resolve"' in body and b'pagerduty' not in body
                               for _, path, _, body in receiver.requests if 'pager' in path))


def test_dingtalk_says_no_with_status_200(daemon, receiver):
    receiver.answers = {'/d': [b'{"errcode":310000,"errmsg":"sign not match"}']}
    hook = {'url': f'{receiver.url}/d', 'secret': 'key', 'format': 'dingtalk', 'gap': 0}
    with targets(2, 'open') as members:
        server = daemon(zone_of(members), webhooks=[hook])
        members[0].switch('off')
        assert receiver.wait(1)[3] == receiver.wait(2)[3]
        assert 'sign not match' in server.log.wait('webhook-failed').fields['answer']
        eventually(lambda: server.metric('webhooks_sent_total') == 1)


def test_bad_hooks_are_refused_with_their_key(folder):
    elsewhere = ('http://example.com/', 'http://localhost.example.com/', 'http://127.0.0.10/',
                 'http://localhost:80@example.com/', 'http://localhost@example.com/',
                 'http://127.0.0.1:80x/', 'ftp://localhost/', 'http://[::1].example.com/')
    for hook, message in (*(({'url': url}, 'url: expected https') for url in elsewhere),
                          ({'secret': 'x'}, 'url: it is missing'),
                          ({'url': 'https://a/', 'format': 'fax'}, 'format: expected'),
                          ({'url': 'https://a/', 'gap': -1}, 'gap: expected'),
                          ({'url': 'https://a/', 'events': ['x']}, 'events: expected'),
                          ({'url': 'https://a/', 'colour': 'x'}, 'colour: unknown key'),
                          ({'url': 'https://a/', 'format': 'pagerduty'}, 'secret: pagerduty'),
                          ({'url': 'https://a/', 'format': 'pagerduty', 'secret': 'x',
                            'events': 'manual'}, 'events: manual states are no incidents'),
                          ('https://a/', 'expected a list of {url')):
        result = folder(webhooks=[hook]).cli('check')
        assert result.returncode == 1 and message in result.stdout + result.stderr, result
