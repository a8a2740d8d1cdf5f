#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Water torture: a hundred million names that nobody asked before and that are not there. They
leave nothing behind: no memory, no lines in the log.

The servers and the wire of bench/xdp.py; bench/flood.c writes 64 random bits into each name. The
figures are the memory held at the end beyond that at the start, and the lines of the log.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import xdp
from report import print_verdicts
from rounds import say
from servers import LOAD_CORE, ROOT

GROWTH_MAX, LINES_MAX = 1 << 20, 10  # octets; lines a second
SLICE_S = 10
WINDOW = '1500'  # unanswered at any time: a busy machine lets one side run for milliseconds


def resident(pid: int) -> int:
    pages = Path(f'/proc/{pid}/statm').read_text().split()[1]
    return int(pages) * os.sysconf('SC_PAGE_SIZE')


def flood(folder: Path, seconds: float, *flags: str) -> dict:
    return json.loads(xdp.run(
        *xdp.inside('client'), 'taskset', '-c', LOAD_CORE, str(xdp.FLOOD), '--edns', *flags,
        '--mac', xdp.server_link()['address'], '--from', xdp.CLIENT, '--window', WINDOW,
        '--duration', str(seconds), f'{xdp.SERVER}:{xdp.PORT}', str(folder / 'random')))


def torture(row: xdp.Row, folder: Path, count: int, deadline: float) -> dict:
    with row.running(folder) as pid:
        flood(folder, 1, '--random-names')  # what every thread and ring needs once
        log = folder / 'server.log'
        before, lines = resident(pid), len(log.read_bytes().splitlines())
        begin, names, peak, lost = time.monotonic(), 0, before, 0
        while names < count and time.monotonic() < deadline:
            sample = flood(folder, SLICE_S, '--random-names')
            if sample['wrong'] != sample['answered_in_all']:
                raise RuntimeError(f'{row.name}: names that are not there have records: {sample}')
            names += sample['answered_in_all']
            lost += sample['lost']
            peak = max(peak, resident(pid))
            say(f'{row.name}: {names:,} names, {peak - before:,} octets more')
        seconds = time.monotonic() - begin
        return {'names': names, 'lost': lost, 'seconds': seconds, 'growth': peak - before,
                'lines': len(log.read_bytes().splitlines()) - lines}


def verdicts(name: str, result: dict) -> list[dict]:
    lines = result['lines'] / result['seconds']
    return [{'text': f'{name}: octets after {result["names"]:,} names', 'value': result['growth'],
             'bar': f'<= {GROWTH_MAX:,}', 'holds': result['growth'] <= GROWTH_MAX},
            {'text': f'{name}: lines of the log a second', 'value': lines,
             'bar': f'<= {LINES_MAX}', 'holds': lines <= LINES_MAX}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--names', type=float, default=100, help='millions of names a server')
    parser.add_argument('--minutes', type=float, default=10, help='at most, a server')
    options = parser.parse_args()
    options.build, options.mode = ROOT / 'build', 'native'
    if os.geteuid() != 0:
        sys.exit('bench: network namespaces and XDP need root')
    xdp.build(options)
    results, bars = {}, []
    with tempfile.TemporaryDirectory(prefix='signpost-bench-') as name, xdp.wire():
        folder = Path(name)
        (folder / 'zones').mkdir()
        (folder / 'zones' / 'static.test.zone').write_text(xdp.ZONE)
        (folder / 'random').write_text('aaaaaaaaaaaaaaaa.static.test A\n')
        for row in xdp.make_rows(options):
            if row.name.startswith('signpost'):
                results[row.name] = torture(row, folder, int(options.names * 1e6),
                                            time.monotonic() + options.minutes * 60)
                bars += verdicts(row.name, results[row.name])
    print_verdicts(bars)
    path = options.build / 'bench-random-names.json'
    path.write_text(json.dumps({'results': results, 'bars': bars}, indent=1) + '\n')
    say(f'written: {path.relative_to(ROOT)}')


if __name__ == '__main__':
    xdp.run_main(main)
