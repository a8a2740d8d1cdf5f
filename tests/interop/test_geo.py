# SPDX-License-Identifier: GPL-3.0-or-later
"""What Signpost makes of the real geo data is what a second implementation makes of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get('SIGNPOST_BUILD', 'build')
SKIPPED = 77


def test_two_clients_in_one_scope_get_the_same():
    """A resolver keeps an answer for its scope: 10^7 pairs of clients on the real data, in a few
    seconds. SIGNPOST_PAIRS asks for more."""
    databases = sorted(map(str, (BUILD / 'geo').glob('*.*')))
    if not databases:
        pytest.skip('no geo data: ./dev geo')
    pairs = next(BUILD.glob('tests/unit/**/test-steer-metamorphic'))
    result = subprocess.run(
        [str(pairs)], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=3600, env={'SIGNPOST_PAIRS': '10000000', **os.environ,
                           'SIGNPOST_GEO': ':'.join(databases)})
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr


def test_geo_data_against_the_oracle():
    """scripts/test.sh has fetched the data, if it could be fetched. SIGNPOST_GEO_SAMPLES=1000000
    asks for that many addresses."""
    databases = sorted((BUILD / 'geo').glob('*.*'))
    if not databases:
        pytest.skip('no geo data: ./dev geo')
    locate = next(BUILD.glob('tests/unit/**/geo-locate'))
    result = subprocess.run(
        [sys.executable, 'tests/interop/geo_oracle.py', '--locate', str(locate),
         '--count', os.environ.get('SIGNPOST_GEO_SAMPLES', '100000'), *map(str, databases)],
        cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=3600)
    if result.returncode == SKIPPED:
        pytest.skip(result.stdout)
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
