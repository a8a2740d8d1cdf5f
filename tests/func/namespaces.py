# SPDX-License-Identifier: GPL-3.0-or-later
"""Two network namespaces on one wire: the daemon's, and one whose addresses are the real ones of
somebody in the world. So a client can come from China Telecom without leaving the machine."""

import contextlib
import ctypes
import itertools
import os
import shutil
import subprocess
import threading

import pytest

CLONE_NEWNET = 0x40000000
wire_numbers = itertools.count()
SERVER = {4: '198.18.0.1', 6: '2001:2::1'}


def why_not() -> str | None:
    if os.geteuid() != 0:
        return 'network namespaces need root'
    if shutil.which('ip') is None:
        return 'network namespaces need iproute2'
    probe = f'signpost-try-{os.getpid()}'
    made = subprocess.run(['ip', 'netns', 'add', probe], capture_output=True, text=True)
    if made.returncode != 0:
        return f'this machine allows no network namespaces: {made.stderr.strip()}'
    subprocess.run(['ip', 'netns', 'del', probe], check=True)
    return None


class Wire:
    """`server` is the namespace to run the daemon in; inside() runs a function in the other one."""

    def __init__(self, clients: list[str], queues: int = 1):
        number = f'{os.getpid()}-{next(wire_numbers)}'
        self.server, self.outside = (f'signpost-{side}-{number}' for side in 'sc')
        for namespace in (self.server, self.outside):
            ip('netns', 'add', namespace)
        many = ['numrxqueues', str(queues), 'numtxqueues', str(queues)]
        ip('link', 'add', 'wire', 'netns', self.server, *many, 'type', 'veth',
           'peer', 'name', 'wire', 'netns', self.outside, *many)
        for namespace, link_local in ((self.server, 'fe80::1'), (self.outside, 'fe80::2')):
            # Addresses of our own, so that nobody waits for the detection of duplicates.
            ip_in(namespace, 'link', 'set', 'wire', 'addrgenmode', 'none')
            ip_in(namespace, 'link', 'set', 'lo', 'up')
            ip_in(namespace, 'link', 'set', 'wire', 'up')
            ip_in(namespace, 'addr', 'add', f'{link_local}/64', 'dev', 'wire', 'nodad')
        self.add(self.server, *SERVER.values())
        self.add(self.outside, *clients)
        for namespace in (self.server, self.outside):
            for family in ('-4', '-6'):
                ip_in(namespace, family, 'route', 'add', 'default', 'dev', 'wire')

    @staticmethod
    def add(namespace: str, *addresses: str):
        for address in addresses:
            length, *more = ('128', 'nodad') if ':' in address else ('32',)
            ip_in(namespace, 'addr', 'add', f'{address}/{length}', 'dev', 'wire', *more)

    @property
    def prefix(self) -> list[str]:
        return enter(self.server)

    def inside(self, function, side: str | None = None):
        """What function() gives when its sockets are made among the clients, or on another side."""
        result: list = []

        def run():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f'/run/netns/{side or self.outside}', encoding='ascii') as namespace:
                if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    result.append(OSError(ctypes.get_errno(), 'setns'))
                    return
            try:
                result.append(function())
            except BaseException as error:  # noqa: B036 - handed on below
                result.append(error)

        thread = threading.Thread(target=run)  # a namespace is a thread's: this one ends with it
        thread.start()
        thread.join()
        if isinstance(result[0], BaseException):
            raise result[0]
        return result[0]

    def remove(self):
        for namespace in (self.server, self.outside):
            subprocess.run(['ip', 'netns', 'del', namespace], capture_output=True)


def enter(namespace: str) -> list[str]:
    """What runs a command there. `ip -n` would make a mount namespace too, and needs a root folder
    that is a mount point: in a chroot it is none."""
    return ['nsenter', f'--net=/run/netns/{namespace}']


def ip(*arguments: str):
    subprocess.run(['ip', *arguments], check=True, capture_output=True, text=True)


def ip_in(namespace: str, *arguments: str):
    subprocess.run([*enter(namespace), 'ip', *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def wire_between(clients: list[str], queues: int = 1):
    reason = why_not()
    if reason:
        pytest.skip(reason)
    made = Wire.__new__(Wire)
    try:
        made.__init__(clients, queues)
        yield made
    except subprocess.CalledProcessError as error:
        raise AssertionError(f'{error.cmd}: {error.stderr}') from error
    finally:
        made.remove()
