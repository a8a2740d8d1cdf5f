# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for TLS, made on the spot with the openssl command, and clients that trust them."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest


def make(folder: Path, name: str = 'dns.example', *, kind: str = 'ec') -> tuple[Path, Path]:
    """A self-signed certificate and its key, put in place as files certificate.pem and key.pem."""
    if shutil.which('openssl') is None:
        pytest.skip('certificates need the openssl command')
    fresh = {'certificate.pem': folder / '.certificate.new', 'key.pem': folder / '.key.new'}
    algorithm = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] if kind == 'ec' else ['rsa:2048']
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', *algorithm, '-nodes', '-days', '2', '-subj',
         f'/CN={name}', '-addext', f'subjectAltName=DNS:{name},IP:127.0.0.1,IP:::1',
         '-keyout', str(fresh['key.pem']), '-out', str(fresh['certificate.pem'])],
        check=True, capture_output=True)
    for place, path in fresh.items():
        path.rename(folder / place)
    return folder / 'certificate.pem', folder / 'key.pem'


def context(certificate: Path, *, alpn: tuple[str, ...] = ('dot',), **bounds) -> ssl.SSLContext:
    """A client that trusts this certificate only. `bounds`: minimum_version, maximum_version."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(str(certificate))
    for name, version in bounds.items():
        setattr(made, name, version)
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made
