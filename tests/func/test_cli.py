# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands with odd words, files and outputs: each ends, says what is wrong, and with what."""

import json
import os
import stat
import subprocess

import pytest

from harness import REPORT, SIGNPOST, WAIT, Folder, cli, process_environment

pytestmark = pytest.mark.sanitizer

ROWS = 'name,type,value\nwww,A,192.0.2.1\n'
ZONE = {'www': {'type': 'A', 'ttl': 60, 'value': '192.0.2.1'}}


def shell(script: str, *words: str, cwd=None) -> subprocess.CompletedProcess:
    """`script` is sh, in which "$0" is the program."""
    result = subprocess.run(['/bin/sh', '-c', script, SIGNPOST, *words], cwd=cwd, timeout=WAIT,
                            capture_output=True, env=process_environment())
    assert not REPORT.search(result.stderr.decode('utf-8', 'replace')), result.stderr
    return result


def fails(code: int, says: str, *words: str, cwd=None):
    """One line (or more) on standard error, nothing on standard output."""
    result = subprocess.run([SIGNPOST, *words], cwd=cwd, capture_output=True, timeout=WAIT,
                            stdin=subprocess.DEVNULL, env=process_environment())
    told = result.stderr.decode('utf-8', 'replace')
    assert not REPORT.search(told), told
    assert (result.returncode, result.stdout) == (code, b''), told
    assert says in told, told


@pytest.mark.parametrize('words, says', [
    (['check', '-Zc', 'x'], '-Z is no option'),
    (['check', '--json=x'], '--json=x: the option takes no value'),
    (['check', '--help=x'], '--help=x: the option takes no value'),
    (['check', '--zone', 'x'], '--zone is no option'),
    (['check', '-c'], '-c needs a value'),
    (['check', '--conf'], '--config needs a value'),
    ([''], 'there is no command ""'),
    (['health', 'show'], 'is none of set, clear'),
    (['health', ''], 'is none of set, clear'),
    (['health', 'set', 'www'], 'set takes 2 arguments'),
    (['health', 'clear', 'www', '--for', '1h'], '--for does not go with clear'),
    (['health', '--why', 'x'], '--why does not go with the table'),
    (['health', 'set', 'www', 'down', '--watch'], '--watch does not go with set'),
    (['drain', 'www', '--watch'], '--watch is no option'),
    (['drain', 'www', '--for', '1 week'], 'is no length'),
    (['import', 'x', '--from', 'rows'], '--zone NAME is missing'),
    (['import', 'x', '--from', 'rows', '--zone', 'a..b'], '--zone "a..b" is no domain name'),
    (['export', 'a..b', '--to', 'csv'], '"a..b" is no domain name'),
    (['simulate', 'www', '--weight', 'a'], '--weight "a": expected MEMBER=N'),
], ids=lambda value: ' '.join(value) if isinstance(value, list) else None)
def test_usage(words, says):
    fails(2, says, *words)


@pytest.mark.parametrize('words', [
    ['drain', 'www', '--why', b'\xff'], ['drain', b'\xff'],
    ['drain', 'www', '--until', b'2026-11-25T18:00:00Z\xff'], ['health', 'release', b'\xff'],
    ['simulate', b'\xff'], ['simulate', 'www', '--down', b'a,\xff'],
    ['simulate', 'www', '--weight', b'\xff=1']], ids=repr)
def test_text_that_json_cannot_carry_is_not_left_out(words):
    """An end of a window that is silently dropped would make it one without an end."""
    fails(2, 'expected UTF-8 text', *words)


def test_an_output_that_cannot_be_written():
    for words in ('--help', 'check --help', 'version', 'reference options', 'check --lint-list',
                  'check --lint-list --json'):
        for where in ('>/dev/full', '>&-'):
            result = shell(f'"$0" {words} {where}')
            assert result.returncode == 1, (words, where)
            assert b'standard output cannot be written' in result.stderr, (words, where)
    assert shell('"$0" reference options | head -1').returncode == 0


def test_why_no_server_answers(tmp_path):
    fails(1, 'No such file or directory', 'status', '-s', str(tmp_path / 'none'))
    fails(1, 'no server answers on ""', 'status', '-s', '')
    fails(1, 'path too long', 'status', '-s', 'x' * 300)
    (tmp_path / 'file').touch()
    fails(1, 'Connection refused', 'status', '-s', str(tmp_path / 'file'))


@pytest.fixture
def made():
    folder = Folder()
    folder.zone('example.com.yaml', ZONE)
    yield folder
    folder.remove()


def export(made, path, *words: str) -> subprocess.CompletedProcess:
    return made.cli('export', 'example.com', '--to', 'yaml', '-o', str(path), *words)


def test_a_file_is_replaced_and_keeps_its_access(made):
    path, link, deep = (made.path / name for name in ('out.yaml', 'link.yaml', 'deep.yaml'))
    path.write_text('old')
    path.chmod(0o640)
    link.symlink_to('out.yaml')
    before = path.stat().st_ino
    assert export(made, link).returncode == 0
    assert link.is_symlink() and path.read_text().startswith('---')
    assert path.stat().st_ino != before and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert export(made, deep).returncode == 0 and deep.read_text() == path.read_text()
    assert not list(made.path.glob('*.new'))


def test_a_device_is_written_to_and_not_replaced(made):
    pipe = made.path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert export(made, pipe).returncode == 0
    assert os.read(reader, 3) == b'---' and pipe.is_fifo()
    os.close(reader)


def test_a_full_device(made):
    """One of our own: the system's must not be at stake."""
    full = made.path / 'full'
    try:
        os.mknod(full, stat.S_IFCHR | 0o600, os.makedev(1, 7))
        full.open('wb').close()
    except PermissionError:
        pytest.skip('device nodes cannot be made or used here')
    refused = export(made, full)
    assert refused.returncode == 1
    assert refused.stderr == f'signpost: {full} cannot be written: No space left on device\n'
    assert full.is_char_device()


def test_outputs_that_cannot_be(made):
    for path, why in [(made.path, 'Is a directory'), (made.path / 'none/x', 'No such file'),
                      (made.path / ('x' * 300), 'File name too long')]:
        refused = export(made, path)
        assert refused.returncode == 1 and why in refused.stderr, refused.stderr
    assert not (made.path / 'none').exists()


def test_input_files_that_are_none(made):
    odd = {'missing': None, 'empty': b'', 'nul': b'name,type\0value', 'latin': b'n\xe4me,type'}
    for name, content in odd.items():
        if content is not None:
            (made.path / name).write_bytes(content)
    with open(made.path / 'sparse', 'wb') as file:
        file.truncate(1 << 30)
    (made.path / 'folder').mkdir()
    says = {'missing': 'No such file', 'empty': 'is empty', 'nul': 'a NUL; expected text',
            'latin': 'not UTF-8 text', 'sparse': 'larger than', 'folder': 'not a regular file'}
    for name, why in says.items():
        path = str(made.path / name)
        fails(1, f'{name}', 'import', path, '--from', 'rows', '--zone', 'example.com')
        fails(1, why, 'import', path, '--from', 'rows', '--zone', 'example.com')
        if name != 'empty':
            fails(1, path, 'simulate', 'www', '--rule-file', path, '-s', '/nowhere')
        result = cli('check', '-c', path, '--json')
        assert result.returncode == 1 and json.loads(result.stdout)['errors'], name


def test_a_zone_that_is_not_there(made):
    fails(1, 'no file of the zone example.net.', 'export', 'example.net', '--to', 'csv',
          '-c', str(made.config))
    made.zones.rename(made.path / 'elsewhere')
    fails(1, 'zones: error: No such file or directory', 'export', 'example.com', '--to', 'csv',
          '-c', str(made.config))


def test_messages_are_one_line_of_text(tmp_path):
    """What a dump or a path holds gives no orders to the terminal."""
    (tmp_path / 'a.csv').write_text('name,type,value\n\x1b[2Jwww,A,\u009b2J\n')
    result = cli('import', str(tmp_path / 'a.csv'), '--from', 'rows', '--zone', 'example.com')
    assert result.returncode == 1 and 'is no name' in result.stderr
    assert all(line.isprintable() for line in result.stderr.splitlines()), result.stderr
    result = cli('check', '-c', str(tmp_path / '\x1b[2J\n\u009b.yaml'))
    assert result.returncode == 1
    assert all(line.isprintable() for line in result.stdout.split('\n')), result.stdout
