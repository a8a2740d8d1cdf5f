# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated pages of docs/ are those that the binary's tables say."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIGNPOST = os.environ.get('SIGNPOST_BIN', str(ROOT / 'build/signpost'))


def test_generated_pages_are_up_to_date():
    result = subprocess.run(['scripts/reference.sh', SIGNPOST, '--check'], cwd=ROOT, text=True,
                            capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_commands_are_listed_once():
    result = subprocess.run([SIGNPOST, '--help'], text=True, capture_output=True, timeout=60)
    shown = [line.split()[0] for line in result.stdout.splitlines() if line.startswith('  ')]
    assert 'serve' in shown and len(shown) == len(set(shown))
