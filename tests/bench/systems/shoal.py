"""shoal: a broadcast of the test picture, encoded while it runs, and viewers without output."""

import json
import subprocess

import figures
from systems import ENTRANCE, SOURCE

NEEDS = ()
VIEWERS_MAX = 64
LAG = ("from the capture of a chunk's first frame, before it is encoded, to the chunk verified; each "
       "second's chunks at their median, 95th and 99th percentile")


class System:
    def __init__(self, **_):
        self.link = self.entrance = None

    def start_source(self, bench, viewers):
        shoal, key = bench.built("shoal"), bench.path("key")
        done = subprocess.run([shoal, "keygen", key], capture_output=True, text=True, check=True)
        self.link = done.stdout.split()[1]
        self.entrance = f"{bench.lab.address(ENTRANCE)}:4222"
        bench.start(ENTRANCE, "entrance", [shoal, "relay", "--bootstrap", "none", "--dht-port",
                                           "4222"])
        return bench.start(SOURCE, "source", [
            shoal, "broadcast", "--key", key, "--size", "1280x720", "--fps", "30", "--bitrate", "3M",
            "--bootstrap", self.entrance, "--stats", bench.path("source.stats")])

    def start_viewer(self, bench, name, host, number):
        return bench.start(host, name, [
            bench.built("shoal"), "join", self.link, "--http", "off", "--bootstrap", self.entrance,
            "--stats", bench.path(f"{name}.stats")])

    def result(self, bench, name, window):
        with open(bench.path(f"{name}.stats"), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        start_us = lines[-1]["first_output_us"] if lines else None
        inside = [line for line in lines
                  if window.since_utc_us - 1000000 <= line["t_us"] <= window.until_utc_us]
        if len(inside) < 2:
            return None, [(float("inf"), 1)]
        return None if start_us is None else start_us / 1000, figures.lag_samples(inside)
