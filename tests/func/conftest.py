# SPDX-License-Identifier: GPL-3.0-or-later
from fixtures import daemon, folder, module_daemon, pytest_configure  # noqa: F401
