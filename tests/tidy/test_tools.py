# SPDX-License-Identifier: GPL-3.0-or-later
"""clang-format, clang-tidy and shellcheck have nothing to say.

clang-tidy is slow, so its verdicts are kept: a file whose text, headers, checks and compiler
command are those of a clean run is clean. Only clean verdicts are kept.
"""

import concurrent.futures
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

import rules

ROOT = Path(__file__).resolve().parents[2]
TREE = rules.Tree(ROOT)
C_FILES = TREE.hand_written('.c', '.h')
SCRIPTS = [path for path in TREE.paths
           if path.endswith('.sh') or TREE.text(path)[:20].startswith(('#!/bin/bash', '#!/bin/sh'))]

# The build whose commands clang-tidy follows; scripts/test.sh makes it before this runs.
BUILD = ROOT / os.environ.get('SIGNPOST_TIDY_BUILD', 'build-test-asan')
VERDICTS = Path(os.environ.get('SIGNPOST_CACHE', Path.home() / '.cache' / 'signpost')) / 'tidy'


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=600)


def built_files() -> dict[str, dict]:
    """Path under the root -> row of the build's compilation database. Without the unit tests, which
    would cost as much time as all the rest: two compilers and three sanitizers judge them."""
    database = BUILD / 'compile_commands.json'
    if not database.exists():
        return {}
    rows = {}
    for row in json.loads(database.read_text()):
        path = os.path.relpath(Path(row['directory']) / row['file'], ROOT)
        if path in TREE.paths and not path.startswith('tests/unit/'):
            rows[path] = row
    return rows


BUILT = built_files()


@pytest.fixture(scope='session')
def tidy_verdicts():
    """Path -> what clang-tidy says of it, "" if nothing. All of them, on all processors."""
    common = hashlib.sha256((ROOT / '.clang-tidy').read_bytes())
    common.update(run('clang-tidy', '--version').stdout.encode())
    for path in TREE.find('.h'):
        common.update(TREE.text(path).encode())

    def judge(item):
        path, row = item
        digest = common.copy()
        digest.update(row['command'].replace(str(ROOT), '').encode() + TREE.text(path).encode())
        verdict = VERDICTS / digest.hexdigest()
        if verdict.exists():
            return path, ''
        result = run('clang-tidy', '--quiet', '-p', str(BUILD), path)
        if result.returncode == 0:
            verdict.touch()
            return path, ''
        return path, result.stdout + result.stderr

    VERDICTS.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(pool.map(judge, BUILT.items()))


@pytest.mark.parametrize('path', C_FILES)
def test_clang_format(path):
    result = run('clang-format', '--dry-run', '--Werror', path)
    assert result.returncode == 0, result.stderr


def test_clang_tidy_has_a_build():
    assert BUILT, f'no compilation database in {BUILD}: run ./dev test or ./dev lint'


@pytest.mark.parametrize('path', sorted(BUILT))
def test_clang_tidy(path, tidy_verdicts):
    assert tidy_verdicts[path] == ''


def test_clang_tidy_can_fail(tmp_path):
    """The configuration is found and its checks are on."""
    bad = tmp_path / 'bad.c'
    bad.write_text('int f(int *p)\n{\n    if (p)\n        return 0;\n    return *p;\n}\n')
    result = run('clang-tidy', '--quiet', f'--config-file={ROOT / ".clang-tidy"}', str(bad), '--')
    assert result.returncode != 0
    assert 'NullDereference' in result.stdout


@pytest.mark.parametrize('path', SCRIPTS)
def test_shellcheck(path):
    result = run('shellcheck', '-x', '--severity=warning', path)
    assert result.returncode == 0, result.stdout
