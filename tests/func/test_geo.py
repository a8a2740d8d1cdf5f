# SPDX-License-Identifier: GPL-3.0-or-later
"""Geo data changes while the daemon answers: new data is used, broken data never."""

import os
import random
import threading
import time

import pytest

import mmdb
import wire
from asker import Asker
from harness import SLOW, eventually

pytestmark = pytest.mark.sanitizer

COUNTRIES = ['DE', 'JP']
VALUES = {'DE': '192.0.2.1', 'JP': '192.0.2.2'}
ZONE = {'www': {'type': 'A', 'ttl': 60, 'records': [
    {'value': '192.0.2.1', 'line': 'de'}, {'value': '192.0.2.2', 'line': 'jp'},
    {'value': '192.0.2.9', 'line': 'default'}]}}


def database(country, more=0):
    """Where everybody here is, and some places more."""
    rows = [f'127.0.0.0,127.255.255.255,{country}', f'::1,::1,{country}']
    rows += [f'10.{i >> 8}.{i & 255}.0/24,{COUNTRIES[i % 2]}' for i in range(more)]
    if more:
        rows[:2] = [f'127.0.0.0/8,{country}', f'::/64,{country}']
    return '\n'.join(rows) + '\n'


@pytest.fixture
def make(daemon, folder):
    def start(name='city.csv', content=database('DE'), watch=0, **geo):
        made = folder(geo={'databases': [{'path': name, **geo}], 'watch': watch})
        if isinstance(content, bytes):
            (made.path / name).write_bytes(content)
        else:
            made.write(name, content)
        return daemon({'example.org.yaml': ZONE}, folder=made)
    return start


def value(server):
    found = server.values('www.example.org')
    assert len(found) == 1
    return found[0]


def update(server, *more, code=0):
    result = server.folder.cli('geo', 'update', *more)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_updates_under_queries(make):
    """Good and broken data in turn, in place and by renaming; no answer is lost or wrong."""
    server = make()
    path = server.folder.path / 'city.csv'
    allowed = {VALUES['DE']}

    def judge(reply):
        texts = wire.texts(reply)
        return len(texts) == 1 and texts[0] in allowed

    askers = [Asker(server, 'www.example.org', tcp, judge) for tcp in (False, True)]
    country = 'DE'
    for i in range(int(12 if SLOW == 1 else 6)):
        if i % 3 == 2:  # cut in place, so that the last row is half a row
            before = server.metric('geo_updates_refused_total')
            path.write_text(database('DE' if country == 'JP' else 'JP')[:-18])
            assert 'the old data keeps serving' in update(server, code=1)
            assert server.metric('geo_updates_refused_total') == before + 1
            assert value(server) == VALUES[country]
            continue
        country = COUNTRIES[i % 2]
        allowed.add(VALUES[country])
        if i % 2:
            path.write_text(database(country))
        else:
            server.folder.write('city.csv', database(country))
        update(server)
        assert value(server) == VALUES[country]
        counts = [asker.count for asker in askers]
        eventually(lambda: all(a.count > n + 1 for a, n in zip(askers, counts)))
        allowed -= {VALUES[c] for c in COUNTRIES if c != country}
    for asker in askers:
        asker.finish()
    assert server.metric('geo_updates_total') > 0


def test_watch(make):
    server = make(watch=0.1)
    mark = server.log.mark()
    server.folder.write('city.csv', database('JP'))
    server.log.wait('geo-loaded', since=mark)
    assert value(server) == VALUES['JP']
    # Broken data is told of once, and stays out.
    mark = server.log.mark()
    server.folder.write('city.csv', '<html>404 Not Found</html>\n')
    server.log.wait('geo-refused', since=mark)
    fault = next(line for line in server.log.since(mark) if line.event == 'input-error')
    assert fault.fields['file'].endswith('city.csv')
    assert value(server) == VALUES['JP']
    # A file that is gone is waited for.
    (server.folder.path / 'city.csv').unlink()
    mark = server.log.mark()
    server.folder.write('city.csv', database('DE'))
    server.log.wait('geo-loaded', since=mark)
    assert value(server) == VALUES['DE']


def test_a_file_written_in_place(make):
    """However long it takes, and wherever it is cut meanwhile, the process and the answers live."""
    server = make(watch=0.1)
    mark = server.log.mark()
    whole = database('JP', more=3000)
    with open(server.folder.path / 'city.csv', 'w', encoding='ascii') as file:
        for start in range(0, len(whole), len(whole) // 8):
            file.write(whole[start:start + len(whole) // 8])
            file.flush()
            assert value(server) in (VALUES['DE'], VALUES['JP'])
            time.sleep(0.02)  # a slow writer, not a wait
    eventually(lambda: server.get('/v1/geo')['networks_ipv4'] > 3000)
    assert value(server) == VALUES['JP']
    server.log.wait('geo-loaded', since=mark)


def test_an_mmdb_cut_while_it_is_in_use(make):
    content = mmdb.write({'127.0.0.0/8': {'country_code': 'DE'}, '10.0.0.0/8': {
        'country_code': 'JP', 'state1': 'Tokyo'}}, bits=28)
    server = make('city.mmdb', content)
    known = server.get('/v1/geo')
    assert known['places'] and known['oldest_built'] == 1700000000
    assert value(server) == VALUES['DE']
    path = server.folder.path / 'city.mmdb'
    for size in (0, 16, len(content) // 2, len(content) - 10):
        path.write_bytes(content)
        os.truncate(path, size)
        assert value(server) == VALUES['DE']
        assert 'city.mmdb: error: ' in update(server, code=1)
        assert server.get('/v1/geo')['networks_ipv4'] == known['networks_ipv4']
    path.write_bytes(content.replace(b'DE', b'JP'))
    update(server)
    assert value(server) == VALUES['JP']


def test_an_mmdb_cut_while_it_is_read(make):
    """A mapped file that is cut under its reader would kill the process."""
    networks = {'127.0.0.0/8': {'country_code': 'DE'}}
    networks.update({f'10.{i >> 8}.{i & 255}.0/24': {'country_code': COUNTRIES[i % 2]}
                     for i in range(30000)})
    content = mmdb.write(networks, bits=28)
    server = make('city.mmdb', content)
    path, end, dice = server.folder.path / 'city.mmdb', threading.Event(), random.Random(1)

    def cut():
        while not end.is_set():
            path.write_bytes(content)
            time.sleep(dice.random() * 0.01)  # anywhere in a reading
            os.truncate(path, 4096)

    writer = threading.Thread(target=cut)
    writer.start()
    try:
        for _ in range(int(100 if SLOW == 1 else 20)):
            status, body = server.api('POST', '/v1/geo/update')
            assert status in (200, 422), body
            assert value(server) == VALUES['DE']
    finally:
        end.set()
        writer.join()
    path.write_bytes(content)
    update(server)
    assert value(server) == VALUES['DE']


def test_a_file_that_knows_too_little(make):
    server = make(content=database('DE', more=4000))
    server.folder.write('city.csv', database('JP', more=100))
    output = update(server, code=1)
    assert 'IPv4 networks where there were' in output and '--force' in output
    assert value(server) == VALUES['DE']
    server.reload()  # takes the rest and keeps the old
    assert value(server) == VALUES['DE']
    update(server, '--force')
    assert value(server) == VALUES['JP']


def test_a_reload_goes_on_without_broken_geo_data(make):
    server = make()
    server.folder.write('city.csv', 'nonsense\n')
    server.folder.zone('example.net.yaml', {'www': {'type': 'A', 'value': '192.0.2.77'}})
    result = server.folder.cli('reload')
    assert result.returncode == 0
    assert 'city.csv' in result.stderr and 'the old geo data stays' in result.stderr
    assert server.values('www.example.net') == ['192.0.2.77']
    assert value(server) == VALUES['DE']
    (server.folder.path / 'city.csv').unlink()
    assert 'the geo database is gone' in server.folder.cli('reload').stderr
    assert 'the geo database is gone' in update(server, code=1)
    assert value(server) == VALUES['DE']
    server.folder.write('city.csv', database('JP'))
    server.reload()
    assert value(server) == VALUES['JP']


def test_own_fields(make):
    content = mmdb.write({
        '127.0.0.0/8': {'place': {'codes': ['EU', 'DE']}, 'net': {'number': 64500, 'who': 'us'}},
        '2001:db8::/32': {'place': {'codes': ['AS', 'JP']}}}, version=6)
    server = make('own.mmdb', content, fields={
        'country': 'place.codes.1', 'asn': 'net.number', 'organisation': 'net.who'})
    found = server.get('/v1/geo/locate?address=127.0.0.1')
    assert (found['country'], found['asn'], found['organisation']) == ('DE', 64500, 'us')
    assert value(server) == VALUES['DE']


def test_locate_and_status(make):
    server = make()
    result = server.folder.cli('geo', 'locate', '127.1.2.3', '--json')
    assert result.returncode == 0
    found = server.get('/v1/geo/locate?address=127.1.2.3')
    assert found['country'] == 'DE' and found['network'] == '127.0.0.0/8'
    assert {'de', 'europe', 'western-europe', 'huawei-eu', 'overseas',
            'default'} == set(found['lines'])
    assert 'western-europe' in server.folder.cli('geo', 'locate', '127.1.2.3').stdout
    assert 'city.csv' in server.folder.cli('geo').stdout
    assert server.folder.cli('geo', 'locate', '127.1.2').returncode == 1
    for wrong in (['locate'], ['updat'], ['update', 'x'], ['status', '--force']):
        assert server.folder.cli('geo', *wrong).returncode == 2
    os.utime(server.folder.path / 'city.csv', (10 ** 9, 10 ** 9))
    update(server)
    assert server.metric('geo_age_seconds') > 10 ** 8
