"""plot - a run over its seconds, as SVG: lag, what was missed, who sends what, processor time.

From the lines of --stats of every process (one a second, each process's last life). What a scenario
did at a moment is a dashed line.
"""

import math

import figures

WIDE, HIGH, LEFT, TOP, GAP = 420, 170, 60, 70, 75
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#edae49", "#66717e")
DATAGRAM_BYTES = figures.IP_UDP_BYTES
NEVER_MS = 1000  # chunks missed have no lag: the axis ends here at the least


def by_second(lines, start_us):
    """{second of the run: (the line before, the line)} of one process."""
    return {round((b["t_us"] - start_us) / 1e6): (a, b) for a, b in zip(lines, lines[1:])}


def added(pair, path):
    value = [line[path[0]][path[1]] for line in pair]
    return value[1] - value[0]


def sent_mbps(pair):
    return (added(pair, ("bytes", "out")) +
            DATAGRAM_BYTES * added(pair, ("datagrams", "out"))) * 8e-6


def over(seconds, processes, get):
    """[(second, what `get` makes of all processes' pairs then)], where it makes something."""
    rows = ((s, get([p[s] for p in processes if s in p])) for s in seconds)
    return [(s, v) for s, v in rows if v is not None]


def lag_of(share):
    def get(pairs):
        samples = [x for pair in pairs for x in figures.lag_samples(list(pair))]
        return figures.finite(figures.percentile(samples, share)) if samples else None
    return get


def summed(get):
    return lambda pairs: sum(map(get, pairs)) if pairs else None


def mean(get):
    return lambda pairs: sum(map(get, pairs)) / len(pairs) if pairs else None


def most(get):
    return lambda pairs: max(map(get, pairs)) if pairs else None


def cpu_percent(pair):
    return 100 * (figures.cpu_share(list(pair)) or 0)


def panels(processes, start_us):
    """[(title, least top of the axis, [(name, [(second, value)])])]"""
    roles = {}
    for lines in processes.values():
        if len(lines) > 1:
            roles.setdefault(lines[-1]["role"], []).append(by_second(lines, start_us))
    seconds = sorted({s for some in roles.values() for p in some for s in p})
    viewers, sources = roles.get("viewer", []), roles.get("source", [])
    return [
        ("lag of all viewers' chunks, ms", NEVER_MS,
         [(f"p{p}", over(seconds, viewers, lag_of(p / 100))) for p in (50, 95, 99)]),
        ("chunks missed by all viewers, a second", 1,
         [("missed", over(seconds, viewers, summed(lambda x: added(x, ("chunks", "missed")))))]),
        ("sent, Mb/s", 1,
         [("source", over(seconds, sources, summed(sent_mbps))),
          ("relays", over(seconds, roles.get("relay", []), summed(sent_mbps))),
          ("viewers, mean", over(seconds, viewers, mean(sent_mbps))),
          ("viewers, most", over(seconds, viewers, most(sent_mbps)))]),
        ("processor time, percent of a core", 1,
         [("source", over(seconds, sources, summed(cpu_percent))),
          ("viewers, mean", over(seconds, viewers, mean(cpu_percent))),
          ("viewers, most", over(seconds, viewers, most(cpu_percent)))]),
    ]


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{words}</text>'


def round_up(value):
    """To one, two or five, and so many zeros: the end of an axis."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value)


def axes(x, y, title, top, last_s, marks):
    out = [f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" fill="none" stroke="#999"/>',
           text(x, y - 24, title, 'font-weight="bold"')]
    for share in (0, 0.5, 1):
        out.append(text(x - 6, y + HIGH * (1 - share) + 4, f"{top * share:.4g}",
                        'text-anchor="end"'))
    for second in range(0, int(last_s) + 1, 10):
        out.append(text(x + second / last_s * WIDE, y + HIGH + 15, second,
                        'text-anchor="middle"'))
    for second in marks:
        at = x + second / last_s * WIDE
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y}" y2="{y + HIGH}" stroke="#999" '
                   'stroke-dasharray="4 3"/>')
    return out


def panel(x, y, title, least_top, curves, last_s, marks):
    curves = [(name, points) for name, points in curves if points]
    top = round_up(max([least_top] + [v for _, points in curves for _, v in points]))
    out = axes(x, y, title, top, last_s, marks)
    for i, (name, points) in enumerate(curves):
        places = " ".join(f"{x + s / last_s * WIDE:.1f},{y + HIGH * (1 - v / top):.1f}"
                          for s, v in points)
        colour = COLOURS[i % len(COLOURS)]
        out.append(f'<polyline points="{places}" fill="none" stroke="{colour}" '
                   'stroke-width="1.5"/>')
        out.append(text(x + 105 * i, y - 8, name, f'fill="{colour}"'))
    return out


def svg(title, processes, start_us, seconds, marks):
    """`processes`: [lines of --stats] by name; `marks`: seconds at which something was done."""
    known = panels(processes, start_us)
    wide, high = LEFT + 2 * (WIDE + GAP), TOP + (len(known) + 1) // 2 * (HIGH + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 18, title, 'font-size="14"')]
    for i, (name, least_top, curves) in enumerate(known):
        out += panel(LEFT + i % 2 * (WIDE + GAP), TOP + i // 2 * (HIGH + GAP), name, least_top,
                     curves, max(seconds, 1), marks)
    return "\n".join([*out, "</svg>", ""])
