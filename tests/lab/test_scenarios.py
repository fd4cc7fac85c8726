#!/usr/bin/env python3
"""The short scenarios hold, and a file that cannot be done is refused where it is wrong.

A scenario that does not hold while the router says that it, or the machine, was overloaded counts as
skipped. Skipped (77) also where a lab cannot be made.
"""

import concurrent.futures
import itertools
import os
import subprocess
import sys
import tempfile

import figures
import plot
from lab import ROOT, missing
from scenario import Scenario, ScenarioError, judge, spread

SKIPPED = 77

SHORT = ("small-wan", "cut-and-heal", "kill-source-restart", "source-cut", "partition", "bootstrap-dead",
         "upload-limit", "clock-skew", "mtu-1280", "ipv6-only", "address-change")
ALONE = "kill-parents"  # fifteen processes, of which four or five begin again every 5 s
AT_ONCE = 3  # each takes a seventh of two processors
BAD = ("nonsense", "hosts a 65", "hosts A 1", "hosts a x", "hosts a 1\nhosts a 1",
       "run x on nobody: true", "run x: true", "at 1 explode", "at x kill y", "at 1 cut nobody",
       "expect a ~ 1", "expect a == b", "seconds 0", "seconds 4000", "hosts a 1", "since x",
       "at 1 kill-parents x", "at 1 move nobody", "run x on nobody over 1 to 2: true")
RESULT = {"hosts": {"a": {"sent": 5}, "b": {"sent": 7}}}
# Of ten values 1 to 10.
PERCENTILES = ((0.1, 1), (0.5, 5), (0.51, 6), (0.95, 10), (1, 10))
JUDGED = (("hosts.a.sent", "==", 5, 0), ("hosts.*.sent", ">", 4, 0), ("hosts.*.sent", ">", 5, 1),
          ("hosts.*.sent", "<", 5, 2), ("hosts.c.sent", "==", 5, 1), ("hosts.a", "==", 5, 1))


def line_of(role, second):
    """Of --stats: ten chunks and 125,000 bytes a second, one chunk missed in the third."""
    return {"role": role, "t_us": second * 1000000, "uptime_us": second * 1000000,
            "cpu_us": second * 20000, "lag_us": {"p50": 200000, "p95": 300000, "p99": 400000},
            "chunks": {"ok": 10 * second, "missed": int(second > 2)},
            "bytes": {"out": 125000 * second}, "datagrams": {"out": 0}}


def draws():
    """Returns what is wrong with a drawing of four seconds, of which one lacks a chunk."""
    wrong = []
    lines = {role: [line_of(role, s) for s in range(5)] for role in ("source", "viewer")}
    lines["entrance"] = []
    panels = {title: dict(curves) for title, _, curves in plot.panels(lines, 0)}
    for title, name, expected in (
            ("lag of all viewers' chunks, ms", "p50", [(1, 200), (2, 200), (3, 300), (4, 200)]),
            ("chunks missed by all viewers, a second", "missed", [(1, 0), (2, 0), (3, 1), (4, 0)]),
            ("sent, Mb/s", "source", [(s, 1) for s in range(1, 5)]),
            ("sent, Mb/s", "relays", []),
            ("processor time, percent of a core", "viewers, most", [(s, 2) for s in range(1, 5)])):
        drawn = [(s, round(v, 6)) for s, v in panels[title][name]]
        if drawn != expected:
            wrong.append(f"{title}, {name}: {drawn}")
    svg = plot.svg("four seconds", lines, 0, 4, [2])
    if svg.count("<polyline") != 10 or svg.count("<line ") != 4 or "</svg>" not in svg:
        wrong.append("curves or marks are missing in the drawing")
    return wrong


def path_of(name):
    return os.path.join(ROOT, "tests", "lab", "scenarios", name)


def reads():
    """Returns what is wrong, in words."""
    wrong = []
    for text in BAD:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            try:
                Scenario(f.name)
                wrong.append(f"'{text}' is taken")
            except ScenarioError:
                pass
    for path, compare, number, count in JUDGED:
        if len(judge(RESULT, [(path, compare, number)])) != count:
            wrong.append(f"{path} {compare} {number} is judged wrongly")
    if Scenario(path_of(SHORT[0]), {"viewer": "5"}).classes["viewer"][0] != 5:
        wrong.append("--hosts changes nothing")
    if [spread("up=1 delay=10..20", s) for s in (0.25, 0.75)] != ["up=1 delay=12.5",
                                                                  "up=1 delay=17.5"]:
        wrong.append("A..B is not spread")
    for share, expected in PERCENTILES:
        if figures.plain_percentile(range(1, 11), share) != expected:
            wrong.append(f"the {share} quantile is not {expected}")
    if figures.less({"a": {"b": 5, "c": "x"}, "d": 2}, {"a": {"b": 3}}) != {
            "a": {"b": 2, "c": "x"}, "d": 2}:
        wrong.append("differences are taken wrongly")
    for name in os.listdir(path_of("")):
        Scenario(path_of(name))
    return wrong


def run(name):
    """One in a process of its own, since a lab is a process's."""
    done = subprocess.run([os.path.join(ROOT, "scripts", "lab"), name], capture_output=True,
                          text=True, check=False)
    how = {0: "passed", SKIPPED: "skipped"}.get(done.returncode, "failed")
    return how, ": ".join([f"{how} {name}", *done.stderr.splitlines()])


def main():
    wrong = reads() + draws()
    print("\n".join(wrong) or "passed reads and draws")
    if wrong:
        return 1
    if reason := missing():
        print(reason)
        return SKIPPED
    results = []
    alone = run(ALONE)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for how, text in itertools.chain([alone], pool.map(run, SHORT)):
            print(text, flush=True)
            results.append(how)
    return 1 if "failed" in results else SKIPPED if "skipped" in results else 0


if __name__ == "__main__":
    sys.exit(main())
