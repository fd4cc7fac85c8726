"""figures - what a run's raw counts come to: differences since a moment, percentiles, shares.

Lags are those of --stats: each second's median, 95th and 99th percentile of its chunks. Over a run
they are put together with each chunk at the upper end of its part (half of a second's chunks at its
median, and so on), so the figures are too high rather than too low. What was missed has no lag and
counts as later than all.
"""

PARTS = (("p50", 0.5), ("p95", 0.45), ("p99", 0.05))  # of a second's chunks, by upper end
IP_UDP_BYTES = 28


def less(new, old):
    """The same tree of numbers, less the old one; what is no number, or new, stays."""
    if isinstance(new, dict):
        old = old if isinstance(old, dict) else {}
        return {k: less(v, old.get(k)) for k, v in new.items()}
    is_number = isinstance(new, (int, float)) and isinstance(old, (int, float))
    return new - old if is_number else new


def percentile(weighted, share):
    """Of [(value, weight)]: the least value that so large a share does not exceed."""
    todo = sorted(weighted)
    left = share * sum(w for _, w in todo)
    for value, weight in todo:
        left -= weight
        if left <= 1e-9:
            return value
    return None


def plain_percentile(values, share):
    return percentile([(v, 1) for v in values], share)


def lag_samples(lines):
    """[(lag in ms, chunks)] of lines of --stats; missed chunks are infinitely late."""
    samples = []
    for before, line in zip(lines, lines[1:]):
        ok = line["chunks"]["ok"] - before["chunks"]["ok"]
        missed = line["chunks"]["missed"] - before["chunks"]["missed"]
        if ok > 0 and line["lag_us"]["p50"] is not None:
            samples += [(line["lag_us"][p] / 1000, ok * share) for p, share in PARTS]
        if missed > 0:
            samples.append((float("inf"), missed))
    return samples


def finite(value):
    return None if value in (None, float("inf")) else round(value, 1)


def cpu_share(lines):
    """Of a core, over the lines."""
    if len(lines) < 2:
        return None
    first, last = lines[0], lines[-1]
    return (last["cpu_us"] - first["cpu_us"]) / (last["uptime_us"] - first["uptime_us"])


def at_least_of(lines, uptime_us):
    """The lines from a moment of the process's life on, and the one before them."""
    first = next((i for i, line in enumerate(lines) if line["uptime_us"] >= uptime_us), len(lines))
    return lines[max(first - 1, 0):]


def swarm(processes, source_sent_bytes):
    """Of [lines of --stats] by process: what all viewers together got, and what it took.
    `source_sent_bytes` is the router's count over the same time."""
    lines = {n: p for n, p in processes.items() if len(p) > 1}
    by_role = {r: [p for p in lines.values() if p[-1]["role"] == r]
               for r in ("source", "viewer", "relay")}
    viewers, sources = by_role["viewer"], by_role["source"]
    if not viewers or not sources:
        return None
    diffs = [less(p[-1], p[0]) for p in lines.values()]
    ok = sum(p[-1]["chunks"]["ok"] - p[0]["chunks"]["ok"] for p in viewers)
    missed = sum(p[-1]["chunks"]["missed"] - p[0]["chunks"]["missed"] for p in viewers)
    media = sum(d["bytes"]["media_in"] for d in diffs)
    sent = sum(d["bytes"]["out"] + IP_UDP_BYTES * d["datagrams"]["out"] for d in diffs)
    samples = [s for p in viewers for s in lag_samples(p)]
    starts = [p[-1]["first_output_us"] for p in viewers]
    started = [s / 1000 if s is not None else float("inf") for s in starts]
    stream = max((p[-1]["bytes"]["media_in"] - p[0]["bytes"]["media_in"] for p in viewers))
    cpu = [c for c in map(cpu_share, viewers) if c is not None]
    return {
        "viewers": len(viewers), "chunks": ok + missed, "missed": missed,
        "within_1s": ok / (ok + missed) if ok + missed else None,
        "skips": sum(p[-1]["skips"] - p[0]["skips"] for p in viewers),
        "lag_ms": {f"p{s}": finite(percentile(samples, s / 100)) for s in (50, 95, 99)},
        "start_ms": {f"p{s}": finite(plain_percentile(started, s / 100)) for s in (50, 95)},
        "source_upload_x": source_sent_bytes / stream if stream else None,
        "overhead": sent / media - 1 if media else None,
        "source_cpu": cpu_share(sources[0]),
        "viewer_cpu": {"mean": sum(cpu) / len(cpu), "most": max(cpu)} if cpu else None,
        "viewer_anon_mb": max(p[-1]["rss_anon_bytes"] for p in viewers) / 1e6,
    }
