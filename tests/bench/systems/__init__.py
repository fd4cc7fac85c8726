"""The systems that are compared, one file each."""

import os
import select
import subprocess
import time

STREAM_BPS = 3128000  # 3 Mb/s of picture and 128 kb/s of sound, for all
FPS = 30
ENTRANCE, SOURCE = "entrance", "source"
STAMP = "lab-stamp"
READY_S = 15


class Bench:
    """What a system is given: a lab whose hosts are there, a folder, and how to start processes."""

    def __init__(self, lab, folder, built, here):
        self.lab, self.folder, self.built, self.here = lab, folder, built, here
        self.started_us = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, host, name, argv, out=None):
        """Standard output goes to NAME.out, or where `out` says; what is said to NAME.log."""
        home = self.path(name)
        os.makedirs(home, exist_ok=True)
        places = {f"XDG_{kind}_HOME": home for kind in ("DATA", "STATE", "CONFIG", "CACHE")}
        self.started_us[name] = time.monotonic_ns() // 1000
        with open(self.path(f"{name}.out"), "wb") as file, \
                open(self.path(f"{name}.log"), "wb") as log:
            return self.lab.start(host, argv, stdout=out or file, stderr=log, cwd=home,
                                  env={**os.environ, "HOME": home, **places})

    def start_and_wait(self, host, name, argv, prefix):
        """The process, and the word behind the prefix in the first line that it prints."""
        process = self.start(host, name, argv, out=subprocess.PIPE)
        if not select.select([process.stdout], [], [], READY_S)[0]:
            raise TimeoutError(f"{name} does not print '{prefix}' within {READY_S} s")
        line = process.stdout.readline().decode().split()
        if line[:1] != [prefix]:
            raise RuntimeError(f"{name} does not print '{prefix}', but {line}")
        return process, line[1] if len(line) > 1 else ""

    def stamp(self, *words):
        return [self.built("tests/" + STAMP), *words]


class Stamped:
    """Results of viewers that pass what they get on to `stamp receive`."""

    def frames(self, bench, name):
        with open(bench.path(f"{name}.out"), encoding="utf-8") as f:
            rows = [tuple(map(int, line.split())) for line in f if line.count(" ") == 2]
        return rows

    def result(self, bench, name, since_us, until_us):
        """Start in ms, and [lag in ms] of each frame made in between, infinite where it never came."""
        rows = self.frames(bench, name)
        if not rows:
            return None, [float("inf")] * ((until_us - since_us) * FPS // 1000000)
        started = min(at + lag for _, at, lag in rows) - bench.started_us[name]
        lags = {number: lag / 1000 for number, _, lag in rows}
        number, at_us, _ = rows[0]
        first = number + -(-(since_us - at_us) * FPS // 1000000)
        last = number + (until_us - at_us) * FPS // 1000000
        return started / 1000, [lags.get(n, float("inf")) for n in range(first, last)]
