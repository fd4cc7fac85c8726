#!/usr/bin/env python3
"""compare.py [--systems NAMES] [--viewers NUMBERS] [--uplinks MBPS] [--out FOLDER] - shoal beside others.

Each runs by itself on the same lab, one after the other: a source, viewers whose uplinks are those
of homes, 3.1 Mb/s. README.md says what is compared. A run's figures are kept as JSON in FOLDER.
Exit status 77 where something that is needed is missing.
"""

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lab")]
import figures  # noqa: E402
from lab import Lab, built, missing  # noqa: E402
from systems import ENTRANCE, SOURCE, STREAM_BPS, Bench, Stamped  # noqa: E402

SYSTEMS = {"shoal": ("shoal", {}), "srt-120": ("srt", {"latency": 120}),
           "srt-400": ("srt", {"latency": 400}), "hls": ("hls", {}),
           "hypercore": ("hypercore", {})}
VIEWERS, UPLINKS = (1, 8, 24), (9, 100)
# Fifteen, 45 and 40 in a hundred; the middle one first, for a viewer alone.
HOMES = ((3.8e6, 9), (1e6, 8), (15e6, 3))
SOURCE_S = 2  # before the first viewer comes
JOIN_S = 4  # within which all come
SETTLE_S = 14
MEASURE_S = 12
LATE_MS = 1000


class Window:
    """The time in which what is made counts. The last second is for what is under way."""

    def __init__(self):
        self.since_us, self.since_utc_us = clocks()
        self.until_us = self.until_utc_us = None

    def end(self):
        self.until_us, self.until_utc_us = clocks()


def clocks():
    return time.monotonic_ns() // 1000, time.time_ns() // 1000


def cpu_seconds(process):
    """Of a process and all that it has started: they share its session."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                fields = f.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == process.pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def homes(viewers):
    """Figures of so many hosts, the classes mixed in their shares, delays spread."""
    total, given, ret = sum(w for _, w in HOMES), [0] * len(HOMES), {}
    for i in range(viewers):
        lack = [w / total * (i + 1) - g for (_, w), g in zip(HOMES, given)]
        which = lack.index(max(lack))
        given[which] += 1
        delay = 4 + 36 * (i * 0.618 % 1)
        ret[f"viewer-{i + 1}"] = f"up={HOMES[which][0]:g} down=25e6 delay={delay:.1f}"
    return ret


def until(when):
    time.sleep(max(when - time.monotonic(), 0))


def measure(system, bench, viewers):
    """Runs the system; returns its processes, the window, and the counts in it."""
    source = system.start_source(bench, viewers)
    start = time.monotonic() + SOURCE_S
    processes = {}
    for i in range(1, viewers + 1):
        until(start + JOIN_S * (i - 1) / viewers)
        name = f"viewer-{i}"
        processes[name] = system.start_viewer(bench, name, name, i)
    until(start + JOIN_S + SETTLE_S)
    bench.lab.command("mark")
    window, before = Window(), bench.lab.stats()
    cpu = {n: cpu_seconds(p) for n, p in [("source", source), *processes.items()]}
    until(start + JOIN_S + SETTLE_S + MEASURE_S)
    window.end()
    cpu = {n: cpu_seconds(p) - cpu[n] for n, p in [("source", source), *processes.items()]}
    after = bench.lab.stats()
    until(start + JOIN_S + SETTLE_S + MEASURE_S + LATE_MS / 1000)
    bench.lab.end([source, *processes.values()])
    return window, cpu, before, after


def summary(system, bench, viewers, measured):
    window, cpu, before, after = measured
    seconds = (window.until_us - window.since_us) / 1e6
    starts, samples = [], []
    for i in range(1, viewers + 1):
        name = f"viewer-{i}"
        if isinstance(system, Stamped):
            start, lags = system.result(bench, name, window.since_us, window.until_us)
            lags = [(lag, 1) for lag in lags]
        else:
            start, lags = system.result(bench, name, window)
        starts.append(float("inf") if start is None else start)
        samples += lags
    total = sum(w for _, w in samples)
    late = sum(w for lag, w in samples if lag > LATE_MS)
    source = figures.less(after["hosts"][SOURCE], before["hosts"][SOURCE])
    sent = source["sent"]["bytes"] - source["up_full"]["bytes"]  # what has left its uplink
    each = sorted(v / seconds for n, v in cpu.items() if n != "source")
    return {
        "seconds": seconds,
        "start_ms": {f"p{s}": figures.finite(figures.plain_percentile(starts, s / 100))
                     for s in (50, 95)},
        "lag_ms": {f"p{s}": figures.finite(figures.percentile(samples, s / 100))
                   for s in (50, 95, 99)},
        "missed": late / total if total else 1, "samples": total,
        "source_sent_bps": sent * 8 / seconds,
        "source_upload_x": sent * 8 / seconds / STREAM_BPS,
        "source_offered_bps": source["sent"]["bytes"] * 8 / seconds,
        "source_cpu": cpu["source"] / seconds, "viewer_cpu": sum(each) / len(each),
        "load": after["load"], "overload": after["overload"],
    }


def run(name, viewers, uplink_mbps, seed):
    module = importlib.import_module(f"systems.{SYSTEMS[name][0]}")
    system = module.System(**SYSTEMS[name][1])
    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as folder, Lab(seed) as lab:
        lab.add_hosts({ENTRANCE: "delay=5",
                       SOURCE: f"up={uplink_mbps * 1e6:g} down=50e6 delay=5", **homes(viewers)})
        lab.command("path * * delay=3 jitter=3 loss=0.005")
        bench = Bench(lab, folder, built, HERE)
        result = summary(system, bench, viewers, measure(system, bench, viewers))
    return {"system": name, "viewers": viewers, "uplink_mbps": uplink_mbps, "seed": seed,
            "lag_is": module.LAG, **result}


def lacking(names):
    """What is not there, in words, or None."""
    for name in names:
        module = importlib.import_module(f"systems.{SYSTEMS[name][0]}")
        for program in module.NEEDS:
            if not shutil.which(program):
                return f"{name} needs {program} (scripts/setup --bench)"
        if hasattr(module, "install"):
            module.install(HERE)
    return missing()


def words(text):
    return text.split(",")


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--systems", type=words, default=list(SYSTEMS))
    parser.add_argument("--viewers", type=numbers, default=list(VIEWERS))
    parser.add_argument("--uplinks", type=numbers, default=list(UPLINKS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(HERE, "results"))
    args = parser.parse_args()
    if unknown := set(args.systems) - set(SYSTEMS):
        parser.error(f"no system {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    if not all(1 <= n <= 48 for n in args.viewers):
        parser.error("--viewers: 1 to 48 of them")
    return args


def main():
    args = parse()
    if reason := lacking(args.systems):
        print(f"skipped: {reason}")
        return 77
    os.makedirs(args.out, exist_ok=True)
    for uplink in args.uplinks:
        for viewers in args.viewers:
            for name in args.systems:
                most = importlib.import_module(f"systems.{SYSTEMS[name][0]}").VIEWERS_MAX
                result = run(name, min(viewers, most), uplink, args.seed)
                path = f"{name}-{result['viewers']}-{uplink}.json"
                with open(os.path.join(args.out, path), "w", encoding="utf-8") as f:
                    json.dump(result, f, indent=1)
                    f.write("\n")
                print(json.dumps({k: v for k, v in result.items() if k not in ("lag_is", "load")}),
                      flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
