# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: daemons that must end well, folders that nobody serves yet."""

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from harness import Folder, Server


LOG_MAX = 6000


def pytest_configure(config):
    config.addinivalue_line('markers', 'sanitizer: also worth running on the sanitizer builds')
    config.addinivalue_line('markers', 'floods: sends more than the queues of the kernel hold')


@contextlib.contextmanager
def locked(name: str, how: int):
    path = Path(tempfile.gettempdir()) / f'signpost-{os.getuid()}-{name}.lock'
    with open(path, 'w', encoding='ascii') as lock:
        fcntl.flock(lock, how)
        yield


@pytest.fixture(autouse=True)
def calm(request):
    """A flood over loopback or a veth fills a queue of the kernel that belongs to a core: what
    others send from there meanwhile, in whatever namespace, is lost. So a test that floods is alone
    among all runs on the machine. Who wants to be alone lets nobody new in."""
    with contextlib.ExitStack() as exits:
        if request.node.get_closest_marker('floods'):
            exits.enter_context(locked('gate', fcntl.LOCK_EX))
            exits.enter_context(locked('wire', fcntl.LOCK_EX))
        else:
            with locked('gate', fcntl.LOCK_SH):
                exits.enter_context(locked('wire', fcntl.LOCK_SH))
        yield


def daemons(exits: contextlib.ExitStack):
    """A function that makes a daemon: zones by file name, options of signpost.yaml."""
    def make(zones: dict | None = None, *, folder: Folder | None = None, ready: bool = True,
             prefix: list[str] | None = None, environment: dict | None = None,
             **options) -> Server:
        if folder is None:
            folder = Folder(**options)
            exits.callback(folder.remove)
        for name, content in (zones or {}).items():
            folder.zone(name, content)
        server = Server(folder, prefix, **(environment or {}))
        exits.callback(server.kill)
        exits.callback(lambda: print(server.log.text()[-LOG_MAX:]))  # shown when the test fails
        if ready:
            server.wait_ready()
            exits.callback(server.stop)
        return server
    return make


@pytest.fixture
def daemon():
    with contextlib.ExitStack() as exits:
        yield daemons(exits)


@pytest.fixture(scope='module')
def module_daemon():
    with contextlib.ExitStack() as exits:
        yield daemons(exits)


@pytest.fixture
def folder():
    """Makes folders that nobody serves yet."""
    with contextlib.ExitStack() as exits:
        def make(**options) -> Folder:
            made = Folder(**options)
            exits.callback(made.remove)
            return made
        yield make
