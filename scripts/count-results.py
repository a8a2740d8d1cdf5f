#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up JUnit files: a line a file, and at the end "N passed, N failed" on a line of its own.
Before them each failed test, with what it says of why.

usage: count-results.py FOLDER [BROKEN...]

BROKEN are suites that ended with an error; one that has no failed test to show for it (a build
that failed, say) counts as one failure. A program of meson's that holds several cmocka tests counts
as that many. Beside a JUnit file of meson's may lie its own log of the same name (.json): only that
one knows of programs that ran out of time. Exit status 1 if anything failed, or if nothing passed.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def cmocka_count(text: str, verdict: str) -> int:
    """Sum of the "[  PASSED  ] 3 test(s)." lines of a program's output."""
    return sum(int(number) for number in re.findall(rf'\[  {verdict}  \] (\d+) test\(s\)', text))


REASON_MAX = 15  # lines
# What cmocka says of tests that pass.
IDLE = re.compile(r'\[ (RUN  |      OK)|\[==+\]|\[  PASSED')


def late_programs(path: Path) -> dict[str, str]:
    """Those that were ended by meson, with what they had said until then."""
    log = path.with_suffix('.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return {row['name'].rsplit(' / ', 1)[-1]: row.get('stdout', '') + row.get('stderr', '')
            for row in rows if row['result'] == 'TIMEOUT'}


def is_bad(case: ElementTree.Element) -> bool:
    return case.find('failure') is not None or case.find('error') is not None


def reason(case: ElementTree.Element, late: dict[str, str]) -> list[str]:
    """The seeds, what an assertion says (pytest marks that with E), or else the end of all."""
    text = '\n'.join(case.findtext(tag) or '' for tag in (
        'system-out', 'failure', 'error', 'system-err'))
    if not is_bad(case):
        text = late[case.get('name')] + '\nit ran out of time'
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not IDLE.match(line)]
    seeds = [line for line in lines if 'seed' in line.lower()][:2]
    said = [line for line in lines if line.startswith('E ')][:REASON_MAX] or lines[-REASON_MAX:]
    return [line for line in seeds if line not in said] + said


def count_case(case: ElementTree.Element, late: dict[str, str]) -> tuple[int, int, int]:
    """Passed, failed, skipped."""
    if case.find('skipped') is not None:
        return 0, 0, 1
    bad = is_bad(case) or case.get('name') in late
    output = ''.join(case.findtext(tag) or '' for tag in ('system-out', 'system-err'))
    passed, failed = cmocka_count(output, 'PASSED'), cmocka_count(output, 'FAILED')
    if bad:
        return passed, max(failed, 1), 0
    return max(passed, 1), 0, 0


def count_file(path: Path) -> tuple[int, int, int]:
    late, counts = late_programs(path), []
    for case in ElementTree.parse(path).iter('testcase'):
        counts.append(count_case(case, late))
        if counts[-1][1]:
            where = case.get('classname', '').removeprefix('tests.')
            print(f'{path.stem}: {where} {case.get("name")}')
            print(''.join(f'    {line[:300]}\n' for line in reason(case, late)))
    passed, failed, skipped = (sum(column) for column in zip(*counts)) if counts else (0, 0, 0)
    return passed, failed, skipped


def main() -> int:
    folder, broken = Path(sys.argv[1]), set(sys.argv[2:])
    passed_all = failed_all = 0
    blamed = set()
    rows = []
    for path in sorted(folder.glob('*.xml')):
        passed, failed, skipped = count_file(path)
        rows.append(f'{path.stem:16} {passed:5} passed {failed:4} failed {skipped:4} skipped')
        passed_all += passed
        failed_all += failed
        if failed:
            # The files of a suite are named after it, but for the two sanitizers.
            suite = path.stem.split('-')[0]
            blamed.add('sanitizers' if suite in ('asan', 'tsan') else suite)
    for suite in sorted(broken - blamed):
        rows.append(f'{suite:16} could not run')
        failed_all += 1
    print('\n'.join(rows))
    print(f'{passed_all} passed, {failed_all} failed')
    return 1 if failed_all or not passed_all else 0


sys.exit(main())
