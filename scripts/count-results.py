#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up JUnit files: a line a file, and at the end "N passed, N failed" on a line of its own.

usage: count-results.py FOLDER [BROKEN...]

BROKEN are suites that ended with an error; one that has no failed test to show for it (a build
that failed, say) counts as one failure. A program of meson's that holds several cmocka tests counts
as that many. Exit status 1 if anything failed, or if nothing passed.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def cmocka_count(text: str, verdict: str) -> int:
    """Sum of the "[  PASSED  ] 3 test(s)." lines of a program's output."""
    return sum(int(number) for number in re.findall(rf'\[  {verdict}  \] (\d+) test\(s\)', text))


def count_case(case: ElementTree.Element) -> tuple[int, int, int]:
    """Passed, failed, skipped."""
    if case.find('skipped') is not None:
        return 0, 0, 1
    bad = case.find('failure') is not None or case.find('error') is not None
    output = ''.join(case.findtext(tag) or '' for tag in ('system-out', 'system-err'))
    passed, failed = cmocka_count(output, 'PASSED'), cmocka_count(output, 'FAILED')
    if bad:
        return passed, max(failed, 1), 0
    return max(passed, 1), 0, 0


def count_file(path: Path) -> tuple[int, int, int]:
    counts = [count_case(case) for case in ElementTree.parse(path).iter('testcase')]
    passed, failed, skipped = (sum(column) for column in zip(*counts)) if counts else (0, 0, 0)
    return passed, failed, skipped


def main() -> int:
    folder, broken = Path(sys.argv[1]), set(sys.argv[2:])
    passed_all = failed_all = 0
    blamed = set()
    for path in sorted(folder.glob('*.xml')):
        passed, failed, skipped = count_file(path)
        print(f'{path.stem:16} {passed:5} passed {failed:4} failed {skipped:4} skipped')
        passed_all += passed
        failed_all += failed
        if failed:
            # The files of a suite are named after it, but for the two sanitizers.
            suite = path.stem.split('-')[0]
            blamed.add('sanitizers' if suite in ('asan', 'tsan') else suite)
    for suite in sorted(broken - blamed):
        print(f'{suite:16} could not run')
        failed_all += 1
    print(f'{passed_all} passed, {failed_all} failed')
    return 1 if failed_all or not passed_all else 0


sys.exit(main())
