#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packets cost, in instructions inside answer(), counted by callgrind.

Two bars, over everything that tests/cost/packets.c asks (packets made by hand, and the folders of
packets that are named): no packet over UDP costs more than ten times the median, and twice the
records cost at most twice as much.

Usage: count.py COST-PACKETS FOLDER... [--show N]"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

TIMES_MEDIAN = 10  # what a packet over UDP may cost
TIMES_DOUBLED, SLACK = 2.0, 500  # what twice the records may


class Packet(NamedTuple):
    instructions: int
    transport: str
    size: int  # of the answer
    what: str

    def __str__(self):
        return f'{self.instructions:9,} {self.transport} {self.size:6} octets  {self.what}'

    @property
    def is_usual(self):
        """A file (its name has no spaces), but none that a search for dear ones has left."""
        return ' ' not in self.what and not re.match(r'dear-|[0-9a-f]{40}$', self.what)


def instructions_of(dump: Path) -> int:
    return int(re.search(r'^(?:totals|summary): (\d+)', dump.read_text(), re.M)[1])


def count(program: str, folders: list[str]) -> list[Packet]:
    """Callgrind counts inside counted_answer() only, and writes a file each time it returns."""
    with tempfile.TemporaryDirectory() as made:
        done = subprocess.run(
            ['valgrind', '--tool=callgrind', '--instr-atstart=no',
             '--toggle-collect=counted_answer', '--dump-after=counted_answer',
             f'--callgrind-out-file={made}/out', program, *folders],
            capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            sys.exit(f'{program}: {done.stdout}{done.stderr[-3000:]}')
        packets = []
        for number, line in enumerate(done.stdout.splitlines(), start=1):
            transport, size, _, _, what = line.split(' ', 4)
            packets.append(Packet(instructions_of(Path(f'{made}/out.{number}')), transport,
                                  int(size), what))
        return packets


def too_dear(packets: list[Packet], show: int) -> list[str]:
    median = statistics.median(packet.instructions for packet in packets)
    usual = statistics.median(packet.instructions for packet in packets if packet.is_usual)
    over_udp = sorted((packet for packet in packets if packet.transport == 'udp'), reverse=True)
    most = over_udp[0].instructions
    print(f'{len(packets)} packets, median {median:,.0f} instructions; {usual:,.0f} without those '
          'that are made to be dear')
    print(f'dearest over UDP: {most:,} instructions, {most / median:.1f} times the one, '
          f'{most / usual:.1f} times the other')
    print(*over_udp[:show], sep='\n')
    print('dearest of all:', *sorted(packets, reverse=True)[:show // 4], sep='\n')
    return [f'{packet}: more than {TIMES_MEDIAN} times the median' for packet in over_udp
            if packet.instructions > TIMES_MEDIAN * median]


def too_steep(packets: list[Packet]) -> list[str]:
    """Questions for RRsets that differ in nothing but the number of records."""
    grown = {}
    for packet in packets:
        if match := re.match(r'(grown|sticky-of)(\d+)\.w\. (\w+)$', packet.what):
            kind = f'{packet.transport} {match[1]} {match[3]}'
            grown.setdefault(kind, {})[int(match[2])] = packet.instructions
    if not grown:
        return ['no RRset grows: the test tests nothing']
    faults = []
    for kind, costs in grown.items():
        print(f'{kind}:', ', '.join(f'{records} {cost:,}' for records, cost in costs.items()))
        faults += [f'{kind}: {records} records cost {cost:,}, twice as many {costs[2 * records]:,}'
                   for records, cost in costs.items() if 2 * records in costs
                   and costs[2 * records] > TIMES_DOUBLED * cost + SLACK]
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('program')
    parser.add_argument('folders', nargs='+')
    parser.add_argument('--show', type=int, default=20, help='how many of the dearest to print')
    options = parser.parse_args()
    packets = count(options.program, options.folders)
    faults = too_dear(packets, options.show) + too_steep(packets)
    print(*faults, sep='\n', file=sys.stderr)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
