# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines, as the consoles of DNS providers have them: who wins, own lines, own rows."""

import pytest

from harness import Folder, ecs_of

pytestmark = pytest.mark.sanitizer

NETWORKS = '''\
cidr,country,region,asn,line
10.1.0.0/16,CN,GD,,cn-telecom
10.2.0.0/16,CN,GD,,cn-unicom
10.3.0.0/16,CN,BJ,,cn-telecom
10.4.0.0/16,CN,BJ,,cn-mobile
10.5.0.0/16,JP,,,
2001:db8:1::/48,CN,GD,,cn-telecom
'''


def rows(**lines):
    return [{'value': value, 'line': line.replace('_', '-')} for line, value in lines.items()]


RECORDS = {
    # The example of DNSPod's manual.
    'manual': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '8.8.8.8', 'line': '默认'}, {'value': '9.9.9.9', 'line': '广东'},
        {'value': '10.10.10.10', 'line': '广东电信'}]},
    # Where consoles differ.
    'differ': {'type': 'A', 'ttl': 60, 'records': rows(
        default='192.0.2.1', cn_telecom='192.0.2.2', cn_gd='192.0.2.3', cn_huanan='192.0.2.4',
        cn_telecom_huabei='192.0.2.5', cn='192.0.2.6')},
}


@pytest.fixture(scope='module')
def server(module_daemon):
    folder = Folder(geo={'networks': 'networks.csv', 'lines': 'lines.tsv'})
    try:
        folder.write('networks.csv', NETWORKS)
        folder.write('lines.tsv', 'alias\tcn-telecom\tour-telecom\n')
        yield module_daemon({
            'isp.example.yaml': {'$signpost': {'precedence': 'isp-first'}, **RECORDS},
            'province.example.yaml': {'$signpost': {'precedence': 'province-first'}, **RECORDS},
            'neither.example.yaml': RECORDS,
        }, folder=folder)
    finally:
        folder.remove()


def value(server, name, client):
    found = server.values(name, ecs=f'{client}/{128 if ":" in client else 32}')
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize('zone', ['isp.example', 'province.example'])
def test_the_manuals_example(server, zone):
    for client, expected in [('10.1.2.3', '10.10.10.10'), ('10.2.2.3', '9.9.9.9'),
                             ('10.3.2.3', '8.8.8.8'), ('10.5.2.3', '8.8.8.8'),
                             ('192.0.2.7', '8.8.8.8'), ('2001:db8:1::7', '10.10.10.10')]:
        assert value(server, f'manual.{zone}', client) == expected


def test_where_consoles_differ(server):
    for client, isp_first, province_first in [
            ('10.1.2.3', '192.0.2.2', '192.0.2.3'),   # Telecom in Guangdong
            ('10.2.2.3', '192.0.2.3', '192.0.2.3'),   # Unicom in Guangdong
            ('10.3.2.3', '192.0.2.5', '192.0.2.5'),   # Telecom in Beijing: ISP and area
            ('10.4.2.3', '192.0.2.6', '192.0.2.6'),   # Mobile in Beijing: the country
            ('10.5.2.3', '192.0.2.1', '192.0.2.1')]:  # Japan
        assert value(server, 'differ.isp.example', client) == isp_first
        assert value(server, 'differ.province.example', client) == province_first
        assert value(server, 'differ.neither.example', client) == isp_first  # the default


def test_precedence_of_the_configuration_and_of_a_zone(daemon):
    folder = Folder(geo={'networks': 'networks.csv'}, steering={'precedence': 'province-first'})
    try:
        folder.write('networks.csv', NETWORKS)
        server = daemon({'neither.example.yaml': RECORDS, 'isp.example.yaml': {
            '$signpost': {'precedence': 'isp-first'}, **RECORDS}}, folder=folder)
        assert value(server, 'differ.neither.example', '10.1.2.3') == '192.0.2.3'
        assert value(server, 'differ.isp.example', '10.1.2.3') == '192.0.2.2'
    finally:
        folder.remove()


def test_settings_come_first(daemon):
    folder = Folder()
    try:
        folder.zone('late.example.yaml', 'www: {type: A, value: 192.0.2.1}\n'
                                         '$signpost: {precedence: province-first}\n')
        folder.zone('wrong.example.yaml', '$signpost: {precedence: ips-first}\n')
        result = folder.cli('check')
        assert result.returncode == 1
        assert 'late.example.yaml:2:1: error: $signpost: the settings of the zone must stand ' \
               'before its first record' in result.stdout
        assert 'error: $signpost.precedence: expected one of isp-first' in result.stdout
        assert 'wrong.example.yaml:1:' in result.stdout
    finally:
        folder.remove()


LINES = {'lines': {
    'wide': {'networks': ['10.0.0.0/8', '2001:db8::/32', '192.0.2.64/26']},
    'middle': {'networks': ['10.1.0.0/16', '2001:db8:1::/48', '192.0.2.0/24']},
    'narrow': {'networks': ['10.1.1.0/24', '2001:db8:1:1::/64']}}}


def test_of_own_lines_the_narrowest_network_wins(daemon):
    """Whatever the order of the rows; and a line without a usable row gives way to the next."""
    names = ['wide', 'middle', 'narrow']
    orders = [names, names[::-1], ['middle', 'narrow', 'wide']]
    zone = {'down': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.1', 'line': 'wide'}, {'value': '192.0.2.9', 'line': 'default'},
        {'value': '192.0.2.2', 'line': 'middle', 'status': 'down'},
        {'value': '192.0.2.3', 'line': 'narrow', 'enabled': False}]}}
    for i, order in enumerate(orders):
        zone[f'w{i}'] = {'type': 'A', 'ttl': 60, 'records': [
            {'value': '192.0.2.9', 'line': 'default'}, {'value': '192.0.2.8', 'line': 'cn-telecom'},
            *({'value': f'192.0.2.{1 + names.index(line)}', 'line': line} for line in order)]}
    server = daemon({'own.example.yaml': zone, 'shared.yaml': LINES})
    for client, expected, scope in [
            ('10.1.1.5', 3, 24), ('10.1.2.5', 2, None), ('10.2.2.5', 1, None),
            ('11.0.0.1', 9, None), ('192.0.2.65', 1, 26), ('192.0.2.5', 2, None),
            ('2001:db8:1:1::5', 3, 64), ('2001:db8:1:2::5', 2, None), ('2001:db8:2::5', 1, None),
            ('2001:db9::5', 9, None)]:
        for i in range(len(orders)):
            assert value(server, f'w{i}.own.example', client) == f'192.0.2.{expected}', (client, i)
            reply = server.ask(f'w{i}.own.example', ecs=f'{client}/{64 if ":" in client else 32}')
            assert scope is None or ecs_of(reply).scopelen == scope
    # Everybody in a line that is down or paused is in the wider one too.
    for client in ['10.1.1.5', '10.1.2.5', '10.2.2.5']:
        assert value(server, 'down.own.example', client) == '192.0.2.1'


def test_lint_knows_lines_within_lines(folder):
    made = folder()
    made.zone('shared.yaml', LINES)
    made.zone('x.example.yaml', {'www': {'type': 'A', 'ttl': 60, 'records': [
        {'value': f'192.0.2.{i}', 'line': line} for i, line in enumerate([*LINES['lines'],
                                                                           'default'])]}})
    assert 'rule-shadowed' not in made.cli('check').stdout
    made.zone('shared.yaml', {'lines': {**LINES['lines'], 'lost': {'networks': ['10.1.1.0/24']},
                                        'half': {'networks': ['10.1.1.0/25', '10.1.1.128/25']}}})
    made.zone('x.example.yaml', {'www': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.1', 'line': 'half'}, {'value': '192.0.2.2', 'line': 'lost'},
        {'value': '192.0.2.3', 'line': 'default'}]}})
    result = made.cli('check').stdout
    assert result.count('[rule-shadowed]') == 1 and 'line "lost" is never reached' in result


def test_two_own_lines_with_one_network(daemon):
    folder = Folder()
    try:
        folder.zone('shared.yaml', {'lines': {'a': {'networks': ['10.0.0.0/8']},
                                              'b': {'networks': ['10.0.0.0/8', '10.1.0.0/16']}}})
        folder.zone('x.example.yaml', {'www': {'type': 'A', 'value': '192.0.2.1'}})
        result = folder.cli('check')
        assert result.returncode == 0
        assert 'shared.yaml:' in result.stdout
        assert '10.0.0.0/8 is in the line "a" and in "b"' in result.stdout
        assert '10.1.0.0/16' not in result.stdout
    finally:
        folder.remove()


OWN_ROWS = '''\
isp\tcn-example\t\tCN\t\t\texample\t示例
network\tcn-example\t10.7.0.0/16
network\tsearch-baidu\t10.8.1.0/24
custom\tlab
network\tlab\t2001:db8:77::/48
network\tcn-telecom\t10.8.0.0/16
'''


def test_own_rows(server):
    """They are taken at a reload, with the geo data that depends on them; faults refuse it."""
    folder = server.folder
    zone = {'www': {'type': 'A', 'ttl': 60, 'records': [
        {'value': '192.0.2.9', 'line': 'default'}, {'value': '192.0.2.1', 'line': 'cn-example'},
        {'value': '192.0.2.2', 'line': 'search-baidu'}, {'value': '192.0.2.3', 'line': 'lab'},
        {'value': '192.0.2.4', 'line': 'our-telecom'}]}}
    folder.zone('rows.example.yaml', zone)
    assert folder.cli('reload').returncode == 1  # these lines are not there yet
    folder.write('lines.tsv', 'alias\tcn-telecom\tour-telecom\n' + OWN_ROWS)
    server.reload()
    for client, expected in [('10.7.1.1', 1), ('10.8.1.1', 2), ('10.8.2.1', 4),
                             ('2001:db8:77::1', 3), ('10.9.1.1', 9)]:
        assert value(server, 'www.rows.example', client) == f'192.0.2.{expected}'
    folder.write('lines.tsv', 'alias\tcn-telecom\tour-telecom\n' + OWN_ROWS + 'asn\tcn-exmple\t1\n')
    result = folder.cli('reload')
    assert result.returncode == 1
    assert 'lines.tsv:8:5: error: there is no line "cn-exmple"' in result.stderr
    assert value(server, 'www.rows.example', '10.7.1.1') == '192.0.2.1'
    # The network is Unicom's now.
    folder.write('lines.tsv', 'alias\tcn-telecom\tour-telecom\n' + OWN_ROWS.replace(
        'network\tcn-telecom\t10.8.0.0/16', 'network\tcn-telecom\t10.9.0.0/16'))
    server.reload()
    assert value(server, 'www.rows.example', '10.8.2.1') == '192.0.2.9'
    assert value(server, 'www.rows.example', '10.9.2.1') == '192.0.2.4'


def test_lines_of_providers(daemon):
    """PROVIDER:CODE; a code that nobody knows is a line without clients, and a warning."""
    folder = Folder(geo={'networks': 'networks.csv'})
    try:
        folder.write('networks.csv', NETWORKS)
        folder.zone('codes.example.yaml', {'www': {'type': 'A', 'ttl': 60, 'records': [
            {'value': '192.0.2.9', 'line': 'dnspod:0'},
            {'value': '192.0.2.1', 'line': 'huawei:Dianxin'},
            {'value': '192.0.2.2', 'line': 'alidns:cn_mobile_beijing'},
            {'value': '192.0.2.3', 'line': 'alidns:aliyun_r_cn-beijing'},
            {'value': '192.0.2.4', 'line': 'dnspod:10=99'},
            {'value': '192.0.2.5', 'line': 'dnspod:10=99'}]}})
        result = folder.cli('check')
        assert result.returncode == 0, result.stdout
        assert 'www.records[3].line: the line "alidns:aliyun_r_cn-beijing" is not known here' \
            in result.stdout
        server = daemon(folder=folder)
        for client, expected in [('10.1.1.1', 1), ('10.4.1.1', 2), ('10.2.1.1', 9)]:
            assert value(server, 'www.codes.example', client) == f'192.0.2.{expected}'
    finally:
        folder.remove()
