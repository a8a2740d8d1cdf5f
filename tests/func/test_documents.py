# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents show can be pasted: commands and their options, records, configurations."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from harness import ROOT, Folder, cli

DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md',
             *sorted(f'docs/guide/{path.name}' for path in Path(ROOT / 'docs/guide').glob('*.md'))]


def blocks(document: str, kinds: str) -> list[str]:
    text = (ROOT / document).read_text()
    return [match[2] for match in re.finditer(r'^```(.*)\n((?:.*\n)*?)```$', text, re.M)
            if match[1] in kinds.split('|')]


def commands(document: str) -> list[list[str]]:
    text = '\n'.join(blocks(document, 'console|'))
    lines = re.findall(r'^\$ (?:build/)?signpost (.*)', text, re.M)
    return [shlex.split(line, comments=True) for line in lines]


def test_commands_are_there():
    """Each command, and each of its options, as its help has it."""
    found = [(document, words) for document in DOCUMENTS for words in commands(document)]
    assert len(found) >= 20
    helps = {}
    for document, (command, *words) in found:
        if command not in helps:
            result = cli(command, '--help')
            assert result.returncode == 0, (document, command)
            helps[command] = result.stdout
        for option in (word for word in words if re.fullmatch(r'--?[a-z].*', word)):
            assert re.search(rf'^ .*{re.escape(option)}[ ,]', helps[command], re.M), \
                f'{document}: {command} has no option {option}'


def test_helps_are_sound():
    for command in re.findall(r'^  (\w+) ', cli('--help').stdout, re.M):
        text = cli(command, '--help').stdout
        assert '\\n' not in text, command
        assert all(len(line) <= 115 for line in text.splitlines()), command


ZONES = [(document, block) for document in DOCUMENTS for block in blocks(document, 'yaml')
         if isinstance(record := next(iter(yaml.safe_load(block).values())), (dict, list))
         and 'type' in (record[0] if isinstance(record, list) else record)]

SHARED = {'sites': {'fra': {'lat': 50.11, 'lon': 8.68}, 'nyc': {'lat': 40.71, 'lon': -74.01}},
          'lines': {'office': {'networks': ['10.1.0.0/16']}}}


@pytest.mark.parametrize('document, block', ZONES, ids=lambda value: value.split('\n')[0])
def test_records_are_good(document, block):
    folder = Folder()
    try:
        folder.zone('shared.yaml', SHARED)
        folder.zone('example.com.yaml', block)
        folder.zone('example.net.yaml', {'www': {'type': 'A', 'ttl': 60, 'value': '192.0.2.9'}})
        result = folder.cli('check')
        assert result.returncode == 0, f'{document}\n{block}\n{result.stdout}'
    finally:
        folder.remove()


def test_there_are_records():
    assert len(ZONES) >= 10
