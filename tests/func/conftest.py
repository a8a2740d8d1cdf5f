# SPDX-License-Identifier: GPL-3.0-or-later
from fixtures import calm, daemon, folder, module_daemon, pytest_configure  # noqa: F401
