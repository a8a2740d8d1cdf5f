# SPDX-License-Identifier: GPL-3.0-or-later
"""The table on standard output, the bars with their verdicts, and the plot."""

from xml.sax.saxutils import escape

from rounds import paired_ratio
from workloads import BARS

COLOURS = {'echo': '#9aa0a6', 'signpost': '#1a73e8', 'gdnsd': '#e8710a', 'knot': '#188038',
           'nsd': '#9334e6', 'powerdns': '#d93025'}


def print_table(workload: str, summaries: dict[str, dict]) -> None:
    echo = summaries.get('echo')
    print(f'\n{workload:18}{"queries/s":>11}{"/s of core":>12}{"of echo":>9}{"busy":>7}'
          f'{"lost":>8}{"p50 us":>8}{"p99 us":>8}{"bytes":>9}')
    for name, row in summaries.items():
        of_echo = paired_ratio(row, echo) if echo else float('nan')
        size = f'{row["query_bytes"]:.0f}/{row["answer_bytes"]:.0f}'
        print(f'{name:18}{row["qps"]:11,.0f}{row["qps_per_core"]:12,.0f}{of_echo:9.3f}'
              f'{row["core_busy"]:7.0%}{row["loss"]:8.3%}{row["p50_us"]:8.0f}'
              f'{row["p99_us"]:8.0f}{size:>9}')


def verdicts(results: dict[str, dict[str, dict]]) -> list[dict]:
    found = []
    for workload, ours, theirs, least in BARS:
        rows = results.get(workload, {})
        if ours in rows and theirs in rows:
            value = paired_ratio(rows[ours], rows[theirs])
            found.append({'text': f'{workload}: {ours} / {theirs}', 'value': value,
                          'bar': f'>= {least}', 'holds': value >= least})
    return found


def print_verdicts(bars: list[dict]) -> None:
    print()
    for bar in bars:
        value = f'{bar["value"]:,.0f}' if bar['value'] > 1000 else f'{bar["value"]:.3f}'
        print(f'{bar["text"]:44}{value:>15}  {bar["bar"]:18}'
              f'{"holds" if bar["holds"] else "DOES NOT HOLD"}')


def plot(results: dict[str, dict[str, dict]]) -> str:
    """An SVG: a group of bars a workload, as high as the queries a second of the server's core."""
    height, base, wide, gap = 300, 340, 34, 40
    top = max(row['qps_per_core'] for rows in results.values() for row in rows.values())
    parts, left = [], 70
    for step in range(5):
        y = base - height * step / 4
        parts.append(f'<line x1="60" x2="1200" y1="{y}" y2="{y}" stroke="#ddd"/>'
                     f'<text x="55" y="{y + 4}" text-anchor="end">{top * step / 4000:.0f} k</text>')
    for workload, rows in results.items():
        start = left
        for name, row in rows.items():
            tall = height * row['qps_per_core'] / top
            colour = COLOURS.get(name, '#5f6368')
            parts.append(f'<rect x="{left}" y="{base - tall:.1f}" width="{wide - 4}" '
                         f'height="{tall:.1f}" fill="{colour}"/>'
                         f'<text x="{left + wide / 2 - 2}" y="{base - tall - 5:.1f}" '
                         f'text-anchor="middle">{row["qps_per_core"] / 1000:.0f}</text>'
                         f'<text transform="translate({left + wide / 2 + 2} {base + 8}) '
                         f'rotate(60)">{escape(name)}</text>')
            left += wide
        parts.append(f'<text x="{(start + left) / 2}" y="30" text-anchor="middle" '
                     f'font-weight="bold">{escape(workload)}</text>')
        left += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left}" height="430" '
            'font-family="sans-serif" font-size="11">'
            f'<rect width="{left}" height="430" fill="white"/>'
            '<text x="70" y="14">answers a second of the server\'s core, thousands</text>'
            + ''.join(parts) + '</svg>\n')
