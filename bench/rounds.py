# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds of load: every row is measured once a round, in an order that rotates, so whatever else
the machine does falls on all alike. Ratios are taken within a round."""

import json
import statistics
import subprocess
import sys

from servers import LOAD_CORE, Server


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Row:
    """A server asked the questions of one workload."""

    def __init__(self, server: Server, workload, name: str = ''):
        self.server, self.workload = server, workload
        self.name = name or server.name
        self.samples: list[dict] = []

    def measure(self, options) -> None:
        command = ['taskset', '-c', LOAD_CORE, str(options.tools / 'bench-load'),
                   '--duration', str(options.seconds), '--window', str(options.window),
                   '--group', str(options.group), *self.workload.flags,
                   f'127.0.0.1:{self.server.port}', str(self.server.folder / 'queries')]
        cpu = self.server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=options.seconds + 120)
        if done.returncode != 0:
            raise RuntimeError(f'bench-load: {done.stderr}')
        sample = json.loads(done.stdout)
        cpu = self.server.cpu_seconds() - cpu
        if not cpu or not sample['answered']:
            raise RuntimeError(f'{self.name}: nothing was answered: {sample}')
        self.check(sample)
        sample['qps_per_core'] = sample['answered_in_all'] / cpu
        sample['core_busy'] = sample['qps'] / sample['qps_per_core']
        self.samples.append(sample)

    def check(self, sample: dict) -> None:
        """Answers of another kind than the workload's are no result."""
        if self.server.name == 'echo':
            return
        wrong = sample['other_rcode'] + (sample['noerror'] if self.workload.negative else
                                         sample['without_records'] + sample['nxdomain'])
        if wrong:
            raise RuntimeError(f'{self.name}, {self.workload.name}: unexpected answers: {sample}')

    def median(self, key: str) -> float:
        return statistics.median(sample[key] for sample in self.samples)

    def summary(self) -> dict:
        lost = sum(sample['lost'] for sample in self.samples)
        sent = sum(sample['sent'] for sample in self.samples)
        keys = ('qps', 'qps_per_core', 'core_busy', 'p50_us', 'p99_us', 'query_bytes',
                'answer_bytes')
        return {**{key: self.median(key) for key in keys}, 'loss': lost / sent if sent else 1,
                'samples': self.samples}


def shares(rounds: int, starts: int) -> list[range]:
    """The numbers of the rounds, one share a start."""
    starts = max(1, min(starts, rounds))
    ends = [rounds * (start + 1) // starts for start in range(starts)]
    return [range(begin, end) for begin, end in zip([0, *ends], ends)]


def run_rounds(rows: list[Row], options, numbers=None) -> None:
    for number in range(options.rounds) if numbers is None else numbers:
        turn = number % len(rows)
        for row in rows[turn:] + rows[:turn]:
            row.measure(options)
        done = ', '.join(f'{row.name} {row.samples[-1]["qps"] / 1000:.0f}k' for row in rows)
        say(f'round {number + 1} of {options.rounds}: {done}')


def paired_ratio(ours: dict, theirs: dict) -> float:
    """Median over the rounds of the ratio within a round: what a round has in common drops out.
    Of answers per second of the server's own core, which the rest of the machine disturbs least."""
    return statistics.median(a['qps_per_core'] / b['qps_per_core']
                             for a, b in zip(ours['samples'], theirs['samples']))
