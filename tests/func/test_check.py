# SPDX-License-Identifier: GPL-3.0-or-later
"""signpost check: lint beside the faults, its exit codes, and the same over the API."""

import json
import re

import pytest

from harness import cli, eventually

pytestmark = pytest.mark.sanitizer

FINDING = re.compile(r'^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): '
                     r'(?P<severity>warning|note): \[(?P<id>[a-z-]+)\] (?P<text>.+); (?P<fix>.+)$')

CLEAN = {'www': {'type': 'TXT', 'value': 'nothing to say about'}}
NOTED = {'www': {'type': 'A', 'ttl': 60, 'values': ['192.0.2.1', '198.51.100.1'],
                 'signpost': {'method': 'random'}}}
WARNED = {'www': {'type': 'A', 'ttl': 600, 'values': ['192.0.2.1', '198.51.100.1'],
                  'signpost': {'check': {'kind': 'tcp', 'port': 80}, 'max_failover': 60}}}
BROKEN = {'www': {'type': 'A', 'value': 'nonsense'}}


def check(made, *arguments):
    return made.cli('check', *arguments)


@pytest.mark.parametrize('zone, plain, strict', [(CLEAN, 0, 0), (NOTED, 0, 0), (WARNED, 0, 1),
                                                 (BROKEN, 1, 1)],
                         ids=['clean', 'note', 'warning', 'error'])
def test_exit_codes(folder, zone, plain, strict):
    made = folder()
    made.zone('example.org.yaml', zone)
    assert check(made).returncode == plain
    result = check(made, '--strict')
    assert result.returncode == strict
    verdict = result.stdout.splitlines()[-1]
    assert verdict.startswith('good: ' if strict == 0 else 'refused')
    told = json.loads(check(made, '--strict', '--json').stdout)
    assert told['good'] == (strict == 0)


def test_findings_have_places_and_fixes(folder):
    made = folder()
    path = made.zone('example.org.yaml', WARNED)
    made.zone('shared.yaml', {'lines': {'a': {'networks': ['10.0.0.0/8']},
                                        'b': {'networks': ['10.0.0.0/8']}}})
    found = [FINDING.match(line) for line in check(made).stdout.splitlines()[:-1]]
    assert all(found)
    by_id = {match['id']: match for match in found}
    assert {'ttl-long', 'failover-slow', 'family-missing', 'lines-overlap'} == set(by_id)
    for name in ('ttl-long', 'failover-slow', 'family-missing'):
        assert by_id[name]['file'] == str(path)
        assert path.read_text().splitlines()[int(by_id[name]['line']) - 1] == 'www:'
    assert by_id['lines-overlap']['file'].endswith('/zones/shared.yaml')
    assert int(by_id['lines-overlap']['line']) == 5
    # The same as JSON, and what the rules are.
    told = json.loads(check(made, '--json').stdout)
    rules = {rule['id']: rule for rule in json.loads(cli('check', '--lint-list', '--json').stdout)}
    assert {finding['id'] for finding in told['findings']} == set(by_id)
    for finding in told['findings']:
        assert finding['fix'] == rules[finding['id']]['fix']
        assert finding['severity'] == rules[finding['id']]['severity']
        assert finding['line'] == int(by_id[finding['id']]['line'])


def test_failover_times(folder):
    made = folder(lint={'max_failover': 1000})
    zone = {'www': WARNED['www'], 'api': {**WARNED['www'], 'ttl': 5}}
    zone['api'] = {**zone['api'], 'signpost': {'check': {'kind': 'tcp', 'port': 80,
                                                         'interval': 2, 'timeout': 1, 'fall': 2}}}
    made.zone('example.org.yaml', zone)
    rows = json.loads(check(made, '--json').stdout)['failover']
    times = {row['name']: (row['detection_s'], row['publication_s'], row['ttl_s'], row['total_s'],
                           row['max_failover_s'], row['within']) for row in rows}
    assert times == {'www.example.org.': (32, 1, 600, 633, 60, False),
                     'api.example.org.': (5, 1, 5, 11, 1000, True)}
    text = check(made, '--failover').stdout
    assert re.search(r'^www\.example\.org\. +A +32 +1 +600 +633 +60 +no$', text, re.M), text
    assert 'DETECTION' not in check(made).stdout


def test_ignored_rules(folder):
    made = folder(lint={'ignore': ['ttl-long', 'family-missing']})
    made.zone('example.org.yaml', WARNED)
    told = json.loads(check(made, '--json').stdout)
    assert [finding['id'] for finding in told['findings']] == ['failover-slow']
    made.options['lint'] = {'ignore': ['ttl-logn']}
    made.write_config()
    result = check(made)
    assert result.returncode == 1 and 'there is no lint rule "ttl-logn"' in result.stdout


def test_api(daemon):
    server = daemon({'example.org.yaml': WARNED, 'example.net.yaml': NOTED})
    told = server.get('/v1/lint')
    assert {finding['id'] for finding in told['findings']} == {'ttl-long', 'failover-slow',
                                                               'family-missing'}
    assert told['warnings'] == 2 and told['notes'] == 2
    assert [row['name'] for row in told['failover']] == ['www.example.org.']
    assert server.get('/v1/lint?zone=example.net')['warnings'] == 0
    assert server.api('GET', '/v1/lint?zone=example.com')[0] == 404
    # What is said follows the documents.
    server.folder.zone('example.org.yaml', CLEAN)
    assert server.api('POST', '/v1/reload')[0] == 200
    assert eventually(lambda: server.get('/v1/lint')['warnings'] == 0)


def test_checks_that_judge_nobody_are_told(folder):
    made = folder(health={'commands': ['disk=/bin/true']})
    made.zone('example.org.yaml', {
        name: {'type': 'A', 'values': ['192.0.2.1', '192.0.2.2'], 'signpost': {'check': check}}
        for name, check in (('anchors', {'kind': 'https', 'ca': 'none.pem'}),
                            ('again', {'kind': 'tls', 'port': 443, 'ca': 'none.pem'}),
                            ('command', {'kind': 'all', 'of': [{'kind': 'exec', 'command': 'x'}]}),
                            ('good', {'kind': 'exec', 'command': 'disk'}))})
    result = made.cli('check')
    assert result.returncode == 0, result
    told = [line for line in (result.stdout + result.stderr).splitlines() if 'counts as up' in line]
    assert len(told) == 2, told  # a file is told once
    assert any('none.pem: No such file or directory' in line for line in told)
    assert any('health.commands of the configuration has no "x"' in line for line in told)
