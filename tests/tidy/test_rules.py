# SPDX-License-Identifier: GPL-3.0-or-later
"""The project keeps the house rules, and every rule can fail.

Each row of OFFENCES is a small tree that breaks one rule in one place. A rule without a row, or one
that does not fault its row at the line named, is itself a failure: a checker that cannot fail
proves nothing.
"""

from pathlib import Path

import pytest

import rules

ROOT = Path(__file__).resolve().parents[2]
SPDX = '// SPDX-License-Identifier: GPL-3.0-or-later\n'

# A tree that no rule objects to. An offence replaces or adds files.
GOOD = {
    'src/base/base.h': SPDX + '#pragma once\n\n// Sums.\nint base_sum(int a, int b);\n',
    'src/base/base.c': SPDX + '#include "base/base.h"\n\nint base_sum(int a, int b)\n{\n'
                              '    return a + b; // not sprintf(\n}\n',
    'src/base/meson.build': "base_src = files('base.c')\n",
    'src/dns/name.h': SPDX + '#pragma once\n',
    'src/server/main.h': SPDX + '#pragma once\n\n#include "base/base.h"\n',
    'tests/unit/base/meson.build': "unit_tests = ['base']\n",
    'tests/unit/base/test_base.c': SPDX + '#include "base/base.h"\n',
    'tests/func/test_x.py': '# SPDX-License-Identifier: GPL-3.0-or-later\n',
}

# rule, file, its content, line of the fault, words of the message
OFFENCES = [
    ('include_order', 'src/base/base.h', SPDX + '#pragma once\n#include "dns/name.h"\n', 3,
     'base/ must not include dns/'),
    ('include_order', 'src/dns/name.h', SPDX + '#pragma once\n#include "server/main.h"\n', 3,
     'dns/ must not include server/'),
    ('include_order', 'src/dns/name.h', SPDX + '#pragma once\n#include "../base/base.h"\n', 3,
     'not of the form'),
    ('include_order', 'src/dns/name.h', SPDX + '#pragma once\n#include "base/none.h"\n', 3,
     'does not exist'),
    ('include_order', 'src/misc/x.h', SPDX + '#pragma once\n', 1, 'no folder of the house'),
    ('pure_folders', 'src/dns/name.h', SPDX + '#pragma once\n#include <time.h>\n', 3, 'pure'),
    ('pure_folders', 'src/health/x.h', SPDX + '#pragma once\n#include "base/log.h"\n', 3,
     'does not log'),
    ('banned_functions', 'src/base/base.c', SPDX + 'int f(void)\n{\n    sprintf(a, "x");\n}\n', 4,
     'sprintf() is banned'),
    ('banned_functions', 'src/base/base.c', SPDX + 'long f(void)\n{\n    return time(NULL);\n}\n',
     4, 'base/clock.h'),
    ('one_gate', 'src/probe/prober_x.c',
     SPDX + 'int f(void)\n{\n    return connect(a, b, c);\n}\n', 4, 'connect() past the gate'),
    ('no_thread_local_arrays', 'src/base/base.c',
     SPDX + '// _Thread_local x[]\nstatic _Thread_local int *a;\n_Thread_local char\n  b[2];\n', 4,
     'a thread-local array'),
    ('function_length', 'src/base/base.c', SPDX + 'void f(void)\n{\n' + '    g();\n' * 69 + '}\n',
     3, 'function of 71 lines'),
    ('file_length', 'src/base/base.c', SPDX + 'int x;\n' * 600, 601, 'file of 601 lines'),
    ('line_width', 'src/base/base.c', SPDX + '// ' + 'x' * 98 + '\n', 2, '101 columns'),
    ('clean_whitespace', 'src/base/base.c', SPDX + 'int x; \n', 2, 'blanks at the end'),
    ('clean_whitespace', 'src/base/base.c', SPDX + 'int x;', 2, 'no newline'),
    ('clean_whitespace', 'src/base/base.c', SPDX + '\tint x;\n', 2, 'a tab'),
    ('spdx_line', 'tests/func/test_x.py', 'import os\n', 1, 'SPDX'),
    ('no_markers', 'src/base/base.c', SPDX + '// ' + 'TO' + 'DO: later\n', 2, 'do it'),
    ('pragma_once', 'src/base/base.h', SPDX, 1, '#pragma once'),
    ('documented_headers', 'src/base/base.h', SPDX + '#pragma once\n\nint f(void);\n', 4,
     'without a comment'),
    ('opening_essay', 'src/base/base.c', SPDX + 'int x;\n' * 200, 2, 'no comment block'),
    ('listed_in_meson', 'src/base/more.c', SPDX, 1, 'not listed'),
    ('listed_in_meson', 'tests/unit/base/test_more.c', SPDX, 1, 'not listed'),
    ('no_places_of_one_machine', 'README.md', 'see /ho' + 'me/me/x\n', 1, 'one machine'),
    ('no_places_of_one_machine', 'dev',
     'npm --registry https:' + '//registry.' + 'npmjs' + '.org\n', 1, 'one machine'),
    ('links_lead_somewhere', 'docs/x.md', '[a](../src/base/base.c)\n[b](y.md)\n', 2,
     'leads nowhere'),
    ('links_lead_somewhere', 'README.md', '# A `b` c\n[a](#a-b-c)\n[b](#c)\n', 3, 'no heading'),
    ('named_files_exist', 'README.md', 'src/base/*.c, tests/func/test_NAME.py, src/base/bse.c\n', 1,
     'src/base/bse.c is not there'),
    ('named_files_exist', 'src/base/base.c', SPDX + '// base.c, then less.c\nint x;\n', 2,
     'there is no less.c'),
    ('named_things_exist', 'src/base/base.c', SPDX + '// a base_sum of base_sums\nint x;\n', 2,
     'nothing is called base_sums'),
]


def make_tree(root: Path, files: dict[str, str]) -> rules.Tree:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return rules.Tree(root, list(files))


@pytest.fixture(scope='module')
def project():
    return rules.Tree(ROOT)


@pytest.mark.parametrize('rule', rules.RULES, ids=lambda rule: rule.__name__)
def test_project_keeps(rule, project):
    faults = [str(fault) for fault in rule(project)]
    assert not faults, f'{rule.__doc__}\n' + '\n'.join(faults)


@pytest.mark.parametrize('rule', rules.RULES, ids=lambda rule: rule.__name__)
def test_good_tree_passes(rule, tmp_path):
    assert list(rule(make_tree(tmp_path, GOOD))) == []


@pytest.mark.parametrize('name,path,text,line,words', OFFENCES,
                         ids=[f'{row[0]}-{index}' for index, row in enumerate(OFFENCES)])
def test_offence_is_found(name, path, text, line, words, tmp_path):
    rule = getattr(rules, name)
    faults = list(rule(make_tree(tmp_path, {**GOOD, path: text})))
    assert [(fault.path, fault.line) for fault in faults] == [(path, line)]
    assert words in faults[0].message


def test_every_rule_has_an_offence():
    assert {row[0] for row in OFFENCES} == {rule.__name__ for rule in rules.RULES}


def test_folders_are_those_of_the_build():
    """The order that include_order enforces is the order in which meson.build names the folders."""
    built = [line.split("'")[1].removeprefix('src/')
             for line in (ROOT / 'meson.build').read_text().splitlines()
             if line.startswith("subdir('src/")]
    assert built == [folder for folder in rules.FOLDERS if folder in built]
