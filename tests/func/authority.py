# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority in a folder, made with the openssl command line: certificates that are
good, ended, not yet begun, for other names, under another chain."""

import datetime
import subprocess
from pathlib import Path

CONFIG = """
[ca]
default_ca = own
[own]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = optional
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
[leaf]
basicConstraints = CA:false
"""


class Authority:
    """`root.pem` is the anchor; leaves are signed by an intermediate. A leaf is NAME.pem (with its
    chain) and NAME.key."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'index.txt').touch()
        (folder / 'ca.cnf').write_text(CONFIG.format(folder=folder))
        self._request('root', 'Root')
        self._run('req', '-x509', '-new', '-key', 'root.key', '-subj', '/CN=Root', '-days', '30',
                  '-config', '/etc/ssl/openssl.cnf', '-out', 'root.pem')
        self._request('middle', 'Middle')
        self._sign('middle', 'root', -1, 30, 'authority')
        self._request('other', 'Other')
        self._run('req', '-x509', '-new', '-key', 'other.key', '-subj', '/CN=Other', '-days', '30',
                  '-config', '/etc/ssl/openssl.cnf', '-out', 'other.pem')

    def _run(self, *arguments: str):
        done = subprocess.run(['openssl', *arguments], cwd=self.folder, capture_output=True,
                              text=True)
        assert done.returncode == 0, f'{arguments}: {done.stderr}'

    def _request(self, name: str, subject: str, alternatives: str = ''):
        more = ['-addext', f'subjectAltName={alternatives}'] if alternatives else []
        self._run('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                  '-subj', f'/CN={subject}', *more, '-keyout', f'{name}.key', '-out', f'{name}.csr')

    def _sign(self, name: str, by: str, first: float, last: float, extensions: str):
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = ((now + datetime.timedelta(days=days)).strftime('%Y%m%d%H%M%SZ')
                      for days in (first, last))
        self._run('ca', '-batch', '-notext', '-config', 'ca.cnf', '-extensions', extensions,
                  '-cert', f'{by}.pem', '-keyfile', f'{by}.key', '-startdate', begin,
                  '-enddate', end, '-in', f'{name}.csr', '-out', f'{name}.pem')

    def leaf(self, name: str, alternatives: str, *, first: float = -1, last: float = 30.5,
             by: str = 'middle', chain: bool = True) -> str:
        """Certificate and key of a server; `first` and `last` in days from now."""
        self._request(name, name, alternatives)
        self._sign(name, by, first, last, 'leaf')
        if chain and by == 'middle':
            path = self.folder / f'{name}.pem'
            path.write_text(path.read_text() + (self.folder / 'middle.pem').read_text())
        return name

    def self_signed(self, name: str, alternatives: str) -> str:
        self._run('req', '-x509', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                  '-nodes', '-subj', f'/CN={name}', '-addext', f'subjectAltName={alternatives}',
                  '-days', '30', '-keyout', f'{name}.key', '-out', f'{name}.pem')
        return name

    def path(self, file: str) -> str:
        return str(self.folder / file)
