# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness of the whole-daemon tests serves here, too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'func'))

# pylint: disable=wrong-import-position,unused-import
from fixtures import daemon, folder, module_daemon, pytest_configure  # noqa: E402,F401
