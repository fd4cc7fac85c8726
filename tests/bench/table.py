#!/usr/bin/env python3
"""table.py [--short] [--results FOLDER] [--plot FILE.svg] - what compare.py has measured, as a table and a plot.

The ratios are of shoal to the best of the others in the same row: below 1 shoal is ahead.
"""

import argparse
import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
from plot import round_up, text  # noqa: E402

ORDER = ("shoal", "srt-120", "srt-400", "hls", "hypercore")
COLOURS = {"shoal": "#0072b2", "srt-120": "#d55e00", "srt-400": "#e69f00", "hls": "#009e73",
           "hypercore": "#cc79a7"}
NEVER = "never"
PANELS = (("source's upload, Mb/s", lambda r: r["source_sent_bps"] / 1e6),
          ("missed or later than 1 s, %", lambda r: 100 * r["missed"]),
          ("lag p50, ms", lambda r: r["lag_ms"]["p50"]))
WIDTH, HEIGHT, LEFT, TOP, GAP = 260, 170, 60, 60, 80


def read(folder):
    rows = []
    for path in glob.glob(os.path.join(folder, "*-*-*.json")):
        with open(path, encoding="utf-8") as f:
            rows.append(json.load(f))
    rows.sort(key=lambda r: (r["uplink_mbps"], r["viewers"] > 8, ORDER.index(r["system"]),
                             r["viewers"]))
    return sorted(rows, key=lambda r: (r["uplink_mbps"], group(r)))


def group(row):
    """Hypercore's twelve stand beside the others' two dozen."""
    return 24 if row["viewers"] > 8 else row["viewers"]


def number(value, digits=0):
    return NEVER if value is None else f"{value:,.{digits}f}"


def ratios(row, others):
    """Of the source's upload and of the lag's median, to the best of the others."""
    ret = []
    for get in (lambda r: r["source_sent_bps"], lambda r: r["lag_ms"]["p50"]):
        values = [get(o) for o in others if get(o) is not None]
        ret.append(f"{get(row) / min(values):.2f}" if values and get(row) is not None else "")
    return " / ".join(v or "-" for v in ret)


def table(rows):
    lines = ["| uplink | viewers | system | start p50 / p95 (ms) | lag p50 / p95 / p99 (ms) | "
             "missed or > 1 s | source sends (Mb/s) | CPU source / viewer (% of a core) | "
             "machine busy | upload / lag p50 to the best other |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        others = [r for r in rows if r["uplink_mbps"] == row["uplink_mbps"] and
                  group(r) == group(row) and r["system"] != "shoal"
                  and r["viewers"] == row["viewers"]]
        lag = " / ".join(number(row["lag_ms"][p]) for p in ("p50", "p95", "p99"))
        start = " / ".join(number(row["start_ms"][p]) for p in ("p50", "p95"))
        lines.append(
            f"| {row['uplink_mbps']} | {row['viewers']} | {row['system']} | {start} | {lag} | "
            f"{100 * row['missed']:.2f} % | {row['source_sent_bps'] / 1e6:.1f} | "
            f"{100 * row['source_cpu']:.1f} / {100 * row['viewer_cpu']:.1f} | "
            f"{100 * row['load']['busy']:.0f} % | "
            f"{ratios(row, others) if row['system'] == 'shoal' else ''} |")
    return "\n".join(lines)


def cell(row):
    if row is None:
        return ""
    many = f" ({row['viewers']})" if group(row) != row["viewers"] else ""
    return (f"{number(row['lag_ms']['p50'])} / {number(row['lag_ms']['p99'])}, "
            f"{100 * row['missed']:.2f} %, {row['source_sent_bps'] / 1e6:.1f}{many}")


def short(rows):
    """A row for each uplink and number of viewers, a column a system."""
    lines = ["| uplink, viewers | " + " | ".join(ORDER) + " | upload / lag p50, to the best other |",
             "|---|" + "---|" * (len(ORDER) + 1)]
    for key in dict.fromkeys((r["uplink_mbps"], group(r)) for r in rows):
        some = {r["system"]: r for r in rows if (r["uplink_mbps"], group(r)) == key}
        ratio = ratios(some["shoal"], [r for n, r in some.items() if n != "shoal" and
                                       r["viewers"] == key[1]]) if "shoal" in some else ""
        lines.append(f"| {key[0]}, {key[1]} | " +
                     " | ".join(cell(some.get(name)) for name in ORDER) + f" | {ratio} |")
    return "\n".join(lines)


def panel(rows, name, get, x, y):
    """One set of axes: a value over the number of viewers, a line a system."""
    known = [(r["system"], r["viewers"], get(r)) for r in rows]
    top = round_up(max([v for _, _, v in known if v is not None] or [1]))
    at = {1: 0.08, 8: 0.4, 12: 0.58, 24: 0.92}
    out = [f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>',
           text(x, y - 8, name, 'font-weight="bold"')]
    for share in (0, 0.5, 1):
        level = y + HEIGHT * (1 - share)
        out.append(text(x - 6, level + 4, f"{top * share:.4g}", 'text-anchor="end"'))
    for viewers, share in at.items():
        out.append(text(x + share * WIDTH, y + HEIGHT + 15, viewers, 'text-anchor="middle"'))
    for system in ORDER:
        points = sorted((n, v) for s, n, v in known if s == system and v is not None)
        places = [(x + at[n] * WIDTH, y + HEIGHT * (1 - v / top)) for n, v in points]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        out.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[system]}" '
                   f'stroke-width="2"/>')
        out += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{COLOURS[system]}"/>'
                for px, py in places]
    return out


def plot(rows):
    uplinks = sorted({r["uplink_mbps"] for r in rows})
    wide = LEFT + len(PANELS) * (WIDTH + GAP)
    high = TOP + len(uplinks) * (HEIGHT + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>']
    for i, system in enumerate(ORDER):
        out += [f'<rect x="{LEFT + i * 110}" y="8" width="12" height="12" '
                f'fill="{COLOURS[system]}"/>', text(LEFT + 18 + i * 110, 19, system)]
    for k, uplink in enumerate(uplinks):
        some = [r for r in rows if r["uplink_mbps"] == uplink]
        for i, (name, get) in enumerate(PANELS):
            out += panel(some, f"{name} (uplink {uplink} Mb/s)", get, LEFT + i * (WIDTH + GAP),
                         TOP + k * (HEIGHT + GAP))
    return "\n".join([*out, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", default=os.path.join(HERE, "results"))
    parser.add_argument("--plot")
    parser.add_argument("--short", action="store_true",
                        help="lag p50 / p99 in ms, missed, and Mb/s out of the source")
    args = parser.parse_args()
    rows = read(args.results)
    if not rows:
        parser.error(f"--results: no results in '{args.results}'")
    print(short(rows) if args.short else table(rows))
    if args.plot:
        with open(args.plot, "w", encoding="utf-8") as f:
            f.write(plot(rows))


if __name__ == "__main__":
    main()
