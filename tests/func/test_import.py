# SPDX-License-Identifier: GPL-3.0-or-later
"""Import and export: what comes out answers as the provider does, and says what it lost.

The model below is the providers' documentation in Python: which lines a client is in and which of
them wins. It knows nothing of Signpost's; both are asked the same questions.
"""

import csv
import io
import json
import os
import random

import pytest
import yaml

from harness import Folder, cli, ttl

pytestmark = pytest.mark.sanitizer

SEED = int(os.environ.get('SIGNPOST_SEED', random.randrange(2 ** 32)))

AREAS = {'huanan': ['guangdong', 'hainan'], 'huabei': ['beijing', 'shanxi'], 'xibei': ['shaanxi']}
CODES = {'guangdong': 'GD', 'hainan': 'HI', 'beijing': 'BJ', 'shanxi': 'SX', 'shaanxi': 'SN'}
CHINESE = {'guangdong': '广东', 'hainan': '海南', 'beijing': '北京', 'shanxi': '山西',
           'shaanxi': '陕西', 'telecom': '电信', 'unicom': '联通', 'mobile': '移动'}
ISPS = ['telecom', 'unicom', 'mobile', None]
ABROAD = [('JP', 'asia'), ('DE', 'europe'), ('US', 'namerica')]


class Client:
    def __init__(self, number, isp, province, country):
        self.address, self.isp, self.province = f'10.0.{number}.7', isp, province
        self.area = next((a for a, within in AREAS.items() if province in within), None)
        self.country = country
        self.continent = dict(ABROAD).get(country)

    def row(self):
        return ','.join([self.address[:-1] + '0/24', self.country or '',
                         CODES.get(self.province, ''), f'cn-{self.isp}' if self.isp else ''])


CLIENTS = [Client(i, isp, province, 'CN') for i, (isp, province) in enumerate(
    (isp, province) for isp in ISPS for province in [*CODES, None])]
CLIENTS += [Client(100 + i, None, None, country) for i, (country, _) in enumerate(ABROAD)]
CLIENTS.append(Client(200, None, None, None))


def lines_of(client):
    """What the client is in: kind, and what tells the line."""
    found = {'default': True}
    if client.country == 'CN':
        found['mainland'] = True
    elif client.country:
        found.update(overseas=True, country=client.country, continent=client.continent)
    for kind in ('isp', 'province', 'area'):
        if getattr(client, kind):
            found[kind] = getattr(client, kind)
    if client.isp and client.province:
        found['isp+province'] = (client.isp, client.province)
        found['isp+area'] = (client.isp, client.area)
    return found


# Strongest first. alidns: ISP before region, the more specific first. DNSPod: as its manual lists.
ALIDNS = ['isp+province', 'isp+area', 'isp', 'province', 'area', 'mainland', 'country', 'continent',
          'overseas', 'default']
ORDERS = {'alidns': ALIDNS, 'huawei': ALIDNS,
          'dnspod': ['isp+province', 'province', 'isp+area', 'area', 'isp', 'mainland', 'country',
                     'continent', 'overseas', 'default']}


def alidns_code(kind, what):
    return {'default': 'default', 'mainland': 'internal', 'overseas': 'oversea'}.get(kind) or (
        what if kind == 'isp' else
        f'cn_{what[0]}_{what[1]}' if '+' in kind else
        f'cn_region_{what}' if kind in ('province', 'area') else
        f'os_{dict(ABROAD)[what].replace("europe", "euro")}_{what.lower()}' if kind == 'country'
        else f'os_{what.replace("europe", "euro")}')


def dnspod_code(kind, what):
    """Name and id; the id only where it is known."""
    return {'default': ('默认', '0'), 'mainland': ('境内', '7=0'), 'overseas': ('境外', '3=0'),
            'isp': (CHINESE.get(what), {'telecom': '10=0', 'unicom': '10=1',
                                        'mobile': '10=3'}.get(what)),
            'province': (CHINESE.get(what), ''),
            'isp+province': (CHINESE.get(what[1], '') + CHINESE.get(what[0], '')
                             if isinstance(what, tuple) else '', '')}[kind]


def huawei_code(kind, what):
    isps = {'telecom': 'Dianxin', 'unicom': 'Liantong', 'mobile': 'Yidong'}
    return {'default': 'default_view', 'mainland': 'CN', 'overseas': 'Abroad'}.get(kind) or (
        isps[what] if kind == 'isp' else
        f'{isps[what[0]]}_{what[1].capitalize()}' if '+' in kind else
        what.capitalize() if kind in ('province', 'area') else
        what if kind == 'country' else {'asia': 'AP', 'europe': 'EU', 'namerica': 'NA'}[what])


def some_line(dice, kinds):
    kind = dice.choice(kinds)
    isp, province = dice.choice(ISPS[:3]), dice.choice(list(CODES))
    return kind, {'isp': isp, 'province': province, 'area': dice.choice(list(AREAS)),
                  'isp+province': (isp, province), 'isp+area': (isp, dice.choice(list(AREAS))),
                  'country': dice.choice(ABROAD)[0],
                  'continent': dice.choice(ABROAD)[1]}.get(kind, True)


def some_rows(dice, provider):
    """Rows as (name, kind, what, value, enabled, ttl)."""
    kinds = [kind for kind in ORDERS[provider]
             if provider != 'dnspod' or kind not in ('isp+area', 'area', 'country', 'continent')]
    rows = []
    for name in range(25):
        for line in {some_line(dice, kinds): None for _ in range(dice.randrange(1, 9))}:
            for _ in range(dice.choice([1, 1, 2, 3])):
                value = f'192.{len(rows) >> 8}.{len(rows) & 255}.{name}'
                rows.append((f'n{name}', *line, value, dice.random() < 0.75, 60 + name))
    return rows


def expected(rows, provider, client, name):
    lines = lines_of(client)
    for kind in ORDERS[provider]:
        found = sorted(row[3] for row in rows if row[0] == name and row[1] == kind and row[4]
                       and kind in lines and lines[kind] == row[2])
        if found:
            return found
    return []


def dump(rows, provider):
    if provider == 'dnspod':
        return json.dumps({'Response': {'RequestId': 'x', 'RecordCountInfo': {'TotalCount': 1},
                                        'RecordList': [
            {'RecordId': i, 'Name': name, 'Type': 'A', 'Value': value, 'Weight': None,
             'TTL': seconds, 'Line': dnspod_code(kind, what)[0],
             'LineId': dnspod_code(kind, what)[1], 'MX': 0,
             'Status': 'ENABLE' if on else 'DISABLE', 'MonitorStatus': '', 'Remark': ''}
            for i, (name, kind, what, value, on, seconds) in enumerate(rows)]}}, ensure_ascii=False)
    if provider == 'alidns':
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(['主机记录', '记录类型', '解析线路', '记录值', 'MX优先级', 'TTL(秒)', '状态',
                         '权重', '备注'])
        for name, kind, what, value, on, seconds in rows:
            writer.writerow([name, 'A', alidns_code(kind, what), value, '', seconds,
                             '启用' if on else '暂停', 1, 'a "remark", with; signs'])
        return '\ufeff' + out.getvalue()
    sets = {}
    for name, kind, what, value, on, seconds in rows:  # a set is on or off as a whole
        sets.setdefault((name, huawei_code(kind, what), on, seconds), []).append(value)
    return json.dumps({'recordsets': [
        {'id': str(i), 'name': f'{name}.example.com.', 'type': 'A', 'ttl': seconds,
         'records': values, 'line': line, 'weight': 1, 'status': 'ACTIVE' if on else 'DISABLE'}
        for i, ((name, line, on, seconds), values) in enumerate(sets.items())]})


def run_import(folder, provider, text, *more, code=0, name='dump'):
    source = folder.write(name, text)
    result = cli('import', str(source), '--from', provider, '--zone', 'example.com', *more)
    assert result.returncode == code, result.stdout + result.stderr
    return result


@pytest.mark.parametrize('provider', ORDERS)
def test_an_import_answers_as_the_provider(daemon, folder, provider):
    dice = random.Random(SEED)
    print(f'SIGNPOST_SEED={SEED}')
    made = folder(geo={'networks': 'networks.csv'})
    made.write('networks.csv', 'cidr,country,region,line\n' +
               '\n'.join(client.row() for client in CLIENTS if client.country) + '\n')
    rows = some_rows(dice, provider)
    run_import(made, provider, dump(rows, provider), '--output',
               str(made.zones / 'example.com.yaml'))
    server = daemon(folder=made)
    asked = 0
    for name in sorted({row[0] for row in rows}):
        for client in CLIENTS:
            reply = server.ask(f'{name}.example.com', ecs=f'{client.address}/32')
            got = sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset)
            assert got == expected(rows, provider, client, name), (name, vars(client))
            assert not got or ttl(reply) == 60 + int(name[1:])
            asked += bool(got)
    assert asked > 200


def test_dnspod_weights_and_losses(folder):
    made = folder()
    rows = [
        {'Name': '@', 'Type': 'NS', 'Value': 'f1g1ns1.dnspod.net.', 'Line': '默认', 'LineId': '0'},
        {'Name': '@', 'Type': 'MX', 'Value': 'mail.example.com', 'MX': 5, 'LineId': '0'},
        {'Name': '@', 'Type': 'TXT', 'Value': 'v=spf1 "x"; -all', 'LineId': '0', 'TTL': 600},
        {'Name': 'w', 'Type': 'A', 'Value': '192.0.2.1', 'LineId': '0', 'Weight': 30, 'TTL': 600},
        {'Name': 'w', 'Type': 'A', 'Value': '192.0.2.2', 'LineId': '0', 'Weight': 10, 'TTL': 60},
        {'Name': 'w', 'Type': 'A', 'Value': '192.0.2.3', 'Line': '电信', 'LineId': '10=0',
         'Weight': None, 'TTL': 600},
        {'Name': 'w', 'Type': 'A', 'Value': '192.0.2.4', 'Line': '电信', 'LineId': '10=0',
         'Weight': None, 'TTL': 600},
        # The id wins over the name; an unknown id with a known name is that name.
        {'Name': 'id', 'Type': 'A', 'Value': '192.0.2.5', 'Line': '移动', 'LineId': '10=1'},
        {'Name': 'id', 'Type': 'A', 'Value': '192.0.2.6', 'Line': '移动', 'LineId': '10=999'},
        {'Name': 'id', 'Type': 'A', 'Value': '192.0.2.7', 'Line': '火星', 'LineId': '10=888'},
        {'Name': 'id', 'Type': 'A', 'Value': '192.0.2.8', 'Line': '默认', 'LineId': '0'},
        {'Name': 'go', 'Type': '显性URL', 'Value': 'http://example.net', 'LineId': '0'},
        {'Name': 'c', 'Type': 'CNAME', 'Value': 'target.example.net', 'LineId': '0', 'TTL': 600},
        {'Name': 's', 'Type': 'SRV', 'Value': '1 2 3 t.example.net', 'LineId': '0', 'TTL': 600},
    ]
    result = run_import(made, 'dnspod', json.dumps(rows))
    document = yaml.safe_load(result.stdout)
    assert document['$signpost'] == {'precedence': 'province-first'}
    weighted, = document['w']
    assert weighted['ttl'] == 60
    assert [(row['line'], row['weight']) for row in weighted['records']] == \
        [('default', 30), ('default', 10), ('cn-telecom', 1), ('cn-telecom', 1)]
    assert [row['line'] for row in document['id'][0]['records']] == \
        ['cn-unicom', 'cn-mobile', 'dnspod:10=888', 'default']
    assert document['c'][0]['values'] == ['target.example.net.']
    assert document['s'][0]['values'] == [
        {'priority': 1, 'weight': 2, 'port': 3, 'target': 't.example.net.'}]
    assert {record['type'] for record in document['']} == {'MX', 'TXT'}
    assert 'go' not in document
    for words in ('row 1: @ NS: left out', 'row 12: go 显性URL: left out; the type is none of DNS',
                  'TTLs from 60 to 600', 'the 2 records of the line "cn-telecom" have no weights',
                  'the line "dnspod:10=888" is not known here: its 1 row is kept'):
        assert words in result.stderr, words


def test_huawei_sets_with_weights(folder):
    sets = [{'name': 'w.example.com.', 'type': 'A', 'records': values, 'line': 'Dianxin',
             'weight': weight, 'ttl': 300, 'status': 'ACTIVE'}
            for values, weight in ((['192.0.2.1', '192.0.2.2'], 3), (['192.0.2.3'], 1))]
    result = run_import(folder(), 'huawei', json.dumps({'recordsets': sets}))
    rows = yaml.safe_load(result.stdout)['w'][0]['records']
    assert [row['weight'] for row in rows] == [3, 3, 2]  # 3 to 1 for the sets
    assert 'have several values' in result.stderr


def test_huawei_weights_that_are_too_much_together(folder):
    """The sets keep their shares, as near as whole numbers up to a million go."""
    sets = [{'name': 'w.example.com.', 'type': 'A', 'line': 'Dianxin', 'weight': weight, 'ttl': 300,
             'status': 'ACTIVE', 'records': [f'192.0.{size}.{i}' for i in range(size)]}
            for weight, size in ((1000, 7), (100, 11), (100, 13), (100, 17))]
    result = run_import(folder(), 'huawei', json.dumps({'recordsets': sets}))
    rows = yaml.safe_load(result.stdout)['w'][0]['records']
    sums = [sum(row['weight'] for row in rows if row['value'].startswith(f'192.0.{size}.'))
            for size in (7, 11, 13, 17)]
    assert all(abs(10 * part / sums[0] - 1) < 0.001 for part in sums[1:]), sums


def test_the_zone_may_be_the_root(folder):
    made = folder()
    source = made.write('dump.csv', 'name,type,value\nwww,A,192.0.2.1\na.example,A,192.0.2.2\n')
    result = cli('import', str(source), '--from', 'rows', '--zone', '.')
    assert set(yaml.safe_load(result.stdout)) == {'www', 'a.example'}


@pytest.mark.parametrize('text, words', [
    ('', 'is empty'),
    ('name,type,value\nt,TXT,one, two\n', ':2:11: error: more fields than the first row has'),
    ('a,b,c\n1,2,3\n', 'name, type and value are compulsory'),
    ('name,type,value\nwww,A,192.0.2.256\n', ':2:1: error: "192.0.2.256" is no value of type A'),
    ('name,type,value\nw w,A,192.0.2.1\n', 'is no name'),
    ('name,type,value\nwww.example.org.,A,192.0.2.1\n', 'is outside the zone'),
    ('name,type,value,ttl\nwww,A,192.0.2.1,1h\n', 'the TTL "1h"'),
    ('name,type,value,weight\nwww,A,192.0.2.1,-1\n', 'the weight "-1"'),
    ('name,type,value,status\nwww,A,192.0.2.1,maybe\n', 'the status "maybe" is not known'),
    ('name,type,value\nwww,A,"192.0.2.1\n', 'a quote is not closed'),
    ('name,type,value,line\nwww,A,192.0.2.1,default\nwww,CNAME,x.example.,telecom\n',
     'CNAME records beside others'),
    ('{"records": [', 'error'),
    ('{"records": []}', 'no list of records'),
    ('[{"name": "www", "type": "A", "value": "x"}, 7]', 'row 2 is no object'),
])
def test_faults_of_dumps(folder, text, words):
    made = folder()
    for provider in ('alidns', 'dnspod'):
        result = run_import(made, provider, text, code=1)
        assert words in result.stderr
        assert 'nothing was imported' in result.stderr
        assert not result.stdout


@pytest.mark.parametrize('ttl,status', [('TTL值', '状态(暂停/启用)'), ('TTL(秒)', '状态（暂停/启用）'),
                                        ('TTL (s)', '记录状态')])
def test_headers_of_consoles(folder, ttl, status):
    text = (f'\ufeff记录类型,主机记录,解析线路,记录值,MX优先级,{ttl},{status},更新时间,备注,\n'
            'A,www,默认,192.0.2.1,,90,启用,2026-01-01,,\nA,www,电信,192.0.2.2,,90,暂停,,moved,\n')
    result = run_import(folder(), 'alidns', text)
    assert 'enabled: false, line: cn-telecom, remark: moved' in result.stdout
    assert 'ttl: 90' in result.stdout
    assert ':1:1: warning: columns that are not known here are left out: "更新时间"\n' in result.stderr


def test_usage(folder):
    made = folder()
    source = str(made.write('dump.csv', 'name,type,value\nwww,A,192.0.2.1\n'))
    for arguments in (['import', source],
                      ['import', source, '--from', 'bind', '--zone', 'x.example'],
                      ['import', source, '--from', 'rows'], ['export', 'example.com'],
                      ['export', 'example.com', '--to', 'xml']):
        assert cli(*arguments).returncode == 2, arguments
    assert cli('import', '/nonexistent', '--from', 'rows', '--zone', 'x.example').returncode == 1
    result = made.cli('export', 'nowhere.example', '--to', 'yaml')
    assert result.returncode == 1 and 'no file of the zone' in result.stderr


# --- octoDNS

def sorted_everywhere(node):
    """octoDNS refuses a mapping whose keys are not in natural order."""
    def natural(key):
        parts, digits = [], ''
        for c in [*key, '']:
            if c.isdigit():
                digits += c
                continue
            parts += [(0, int(digits), '')] if digits else []
            parts += [(1, 0, c)] if c else []
            digits = ''
        return parts
    if isinstance(node, list):
        return all(map(sorted_everywhere, node))
    if not isinstance(node, dict):
        return True
    keys = [str(key) for key in node]
    return keys == sorted(keys, key=natural) and all(map(sorted_everywhere, node.values()))


def octodns_faults(record):
    """octoDNS's rules for dynamic records, as far as a document alone can break them."""
    dynamic = record.get('dynamic')
    if not dynamic:
        return
    if not record.get('value') and not record.get('values'):
        yield 'missing value(s)'
    pools, seen, used = dynamic['pools'], set(), set()
    for name, pool in pools.items():
        for value in pool['values']:
            if not 1 <= value.get('weight', 1) <= 100:
                yield f'invalid weight in {name}'
            if len(pool['values']) == 1 and value.get('weight', 1) != 1:
                yield f'single value with weight in {name}'
            if value.get('status', 'obey') not in ('up', 'down', 'obey'):
                yield f'invalid status in {name}'
        if pool.get('fallback') and pool['fallback'] not in pools:
            yield f'undefined fallback of {name}'
    rank = 0
    for i, rule in enumerate(dynamic['rules']):
        last = i == len(dynamic['rules']) - 1
        used.add(rule['pool'])
        targets = rule.get('subnets', []) + rule.get('geos', [])
        if bool(targets) == last:
            yield f'rule {i + 1} has targets, or none, where it should not'
        if not last and rule['pool'] in seen:
            yield f'pool {rule["pool"]} reused'
        seen.add(rule['pool'])
        now = 1 if not rule.get('geos') else 2 if rule.get('subnets') else 3
        if not last and now < rank:
            yield f'rule {i + 1} in the wrong order'
        rank = max(rank, now)
    for name in list(used):
        while pools[name].get('fallback') and name not in used - {name}:
            name = pools[name]['fallback']
            if name in used:
                break
            used.add(name)
    if set(pools) - used:
        yield f'unused pools {set(pools) - used}'


OCTODNS = {
    '': {'type': 'MX', 'values': [{'preference': 10, 'exchange': 'mail.example.com.'}]},
    'text': {'type': 'TXT', 'values': ['v=DKIM1\\; p=abc', 'x' * 300]},
    'a10': {'type': 'A', 'value': '192.0.2.10'}, 'a9': {'type': 'A', 'value': '192.0.2.9'},
    'geo': {'type': 'A', 'ttl': 60, 'value': '192.0.2.1', 'dynamic': {
        'pools': {'p10': {'fallback': 'p9', 'values': [
            {'value': '192.0.2.2', 'weight': 2}, {'value': '192.0.2.3', 'status': 'up'}]},
            'p9': {'values': [{'value': '192.0.2.4'}]}, 'p8': {'values': [{'value': '192.0.2.5'}]}},
        'rules': [{'pool': 'p8', 'subnets': ['10.0.0.0/8']},
                  {'pool': 'p10', 'geos': ['AS-CN', 'NA-US-CA', 'EU']}, {'pool': 'p9'}]},
        'octodns': {'healthcheck': {'protocol': 'HTTPS', 'host': 'geo.example.com',
                                    'path': '/_dns', 'port': 443}}},
}


def test_octodns_out_and_in(folder):
    made = folder()
    made.zone('example.com.yaml', OCTODNS)
    result = made.cli('export', 'example.com', '--to', 'octodns')
    assert result.returncode == 0 and not result.stderr, result.stderr
    document = yaml.safe_load(result.stdout)
    assert sorted_everywhere(document)
    assert list(document) == ['', 'a9', 'a10', 'geo', 'text']
    for records in document.values():
        for record in records:
            assert not list(octodns_faults(record))
    geo, = document['geo']
    for key in ('dynamic', 'octodns'):
        assert geo[key] == OCTODNS['geo'][key]
    assert document['text'][0]['values'] == OCTODNS['text']['values']
    again = run_import(made, 'octodns', result.stdout, name='example.com..yaml')
    made.zone('example.com.yaml', again.stdout)
    assert made.cli('export', 'example.com', '--to', 'octodns').stdout == result.stdout


def test_every_form_out_and_in(folder):
    """Through each form and back: the same YAML as before, but for what a form cannot say."""
    made = folder()
    made.zone('example.com.yaml', {
        '$signpost': {'precedence': 'province-first'},
        'www': {'type': 'A', 'ttl': 60, 'records': [
            {'line': 'cn-telecom', 'value': '192.0.2.1'}, {'line': 'cn-gd', 'value': '192.0.2.2',
                                                           'enabled': False},
            {'line': 'cn', 'value': '192.0.2.3', 'status': 'down'},
            {'line': 'default', 'value': '192.0.2.4'}]},
        'txt': {'type': 'TXT', 'ttl': 30, 'values': ['a, "b"; c', 'd']},
        'srv': {'type': 'SRV', 'ttl': 30,
                'value': {'priority': 1, 'weight': 2, 'port': 3, 'target': 't.example.com.'}}})
    whole = made.cli('export', 'example.com', '--to', 'yaml').stdout
    for form in ('csv', 'json'):
        text = made.cli('export', 'example.com', '--to', form).stdout
        back = yaml.safe_load(run_import(made, 'rows', text).stdout)
        assert sorted(back) == ['srv', 'txt', 'www']
        assert [(row['line'], row['value'], row.get('status'), row.get('enabled'))
                for row in back['www'][0]['records']] == [
            ('cn-gd', '192.0.2.2', None, False), ('cn-telecom', '192.0.2.1', None, None),
            ('cn', '192.0.2.3', 'down', None), ('default', '192.0.2.4', None, None)]
        assert back['srv'] == yaml.safe_load(whole)['srv'] or \
            back['srv'][0]['values'] == [yaml.safe_load(whole)['srv'][0]['value']]
    zone = made.cli('export', 'example.com', '--to', 'rfc1035')
    assert 'a zone file knows no steering' in zone.stderr
    back = yaml.safe_load(run_import(made, 'rfc1035', zone.stdout, name='example.com.zone').stdout)
    assert back['www'][0]['value'] == '192.0.2.4' and back['txt'][0]['ttl'] == 30
