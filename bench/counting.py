# SPDX-License-Identifier: GPL-3.0-or-later
"""Instructions a query, in user space, counted by callgrind: noise does not touch them.

Two runs of bench/instructions.c with different numbers of queries; the difference divided by the
difference is the cost of one. The bars hold for all that a data worker does for a query, from one
recvmmsg to the next; what answer_batch() has of it is printed too."""

import shutil
import subprocess
from pathlib import Path

from loading import Many
from rounds import say
from servers import Signpost
from workloads import WORKLOADS

COUNTS = (2000, 12000)
FLAGS = {'steered': ['ecs'], 'nxdomain': ['nxdomain']}
WHOLE, PART = 'udp_serve', 'answer_batch'
# Most instructions a query in all, and for nxdomain most of a hit's.
MOST = {'small': 350, 'steered': 550}
MISS_MOST = 1.1
# The most times what a question takes among few zones that it may take among many. Valgrind loads
# fewer than --zones says; the index is one, whatever the names' zones, and a look-up takes as many
# steps in it at any size. What they cost where memory is cold loading.py measures.
ZONES_FEW, ZONES_MANY, ZONES_MOST = 100, 5_000, 1.3


def count_inside(function: str, folder: Path, workload, options) -> float:
    collected = []
    for count in COUNTS:
        done = subprocess.run(
            ['valgrind', '--tool=callgrind', f'--toggle-collect={function}',
             f'--callgrind-out-file={folder}/callgrind.{count}',
             str(options.tools / 'bench-instructions'), str(folder / 'signpost.yaml'),
             str(folder / 'queries'), str(count), *FLAGS.get(workload.name, [])],
            capture_output=True, text=True, timeout=900)
        lines = [line for line in done.stderr.splitlines() if 'Collected' in line]
        if done.returncode != 0 or not lines:
            raise RuntimeError(f'callgrind: {done.stdout}{done.stderr[-2000:]}')
        collected.append(int(lines[-1].split(':')[1].split()[0]))
    return (collected[1] - collected[0]) / (COUNTS[1] - COUNTS[0])


def measure_instructions(folder: Path, options) -> dict[str, float]:
    """In all, by workload. The big ones have a tenth of their names: valgrind loads them slowly."""
    if not shutil.which('valgrind'):
        say('instructions: skipped, valgrind is not installed (apt-get install valgrind)')
        return {}
    counted = {}
    few = type(options)(**{**vars(options), 'names': max(options.names // 10, 1000),
                           'databases': []})
    for name in options.workloads:
        workload = WORKLOADS[name](few)
        made = folder / f'instructions-{name}'
        workload.prepare(made)
        Signpost(few.port, made, workload, few).prepare()
        counted[name] = count_inside(WHOLE, made, workload, few)
        part = count_inside(PART, made, workload, few)
        print(f'user-space instructions a query, {name}: {counted[name]:.0f}, '
              f'of them {part:.0f} inside {PART}()')
    if options.zones:
        counted |= measure_zones(folder, few)
    return counted


def measure_zones(folder: Path, options) -> dict[str, float]:
    """{'few zones', 'many zones'}: a question among so many."""
    counted = {}
    for key, zones in (('few zones', ZONES_FEW),
                       ('many zones', min(options.zones, ZONES_MANY))):
        workload = Many(type(options)(**{**vars(options), 'zones': zones}))
        made = folder / f'instructions-zones-{zones}'
        workload.prepare(made)
        Signpost(options.port, made, workload, workload.options).prepare()
        counted[key] = count_inside(PART, made, workload, workload.options)
        print(f'user-space instructions a query inside {PART}(), {zones:,} zones: '
              f'{counted[key]:.0f}')
    return counted


def instruction_verdicts(counted: dict[str, float]) -> list[dict]:
    bars = [{'text': f'instructions: {name}', 'value': counted[name], 'bar': f'<= {most}',
             'holds': counted[name] <= most} for name, most in MOST.items() if name in counted]
    if 'nxdomain' in counted and 'million' in counted:
        value = counted['nxdomain'] / counted['million']
        bars.append({'text': 'instructions: nxdomain / million', 'value': value,
                     'bar': f'<= {MISS_MOST}', 'holds': value <= MISS_MOST})
    if 'many zones' in counted:
        value = counted['many zones'] / counted['few zones']
        bars.append({'text': 'instructions: many zones / few', 'value': value,
                     'bar': f'<= {ZONES_MOST}', 'holds': value <= ZONES_MOST})
    return bars
