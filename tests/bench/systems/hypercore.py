"""hyperswarm and hypercore: a live log, each frame a block, that every viewer serves on."""

import os
import shutil
import subprocess

from lab import ROOT
from systems import ENTRANCE, FPS, SOURCE, STREAM_BPS, Stamped

NEEDS = ("node", "npm")
VIEWERS_MAX = 12  # more saturate two cores
PROGRAMS = os.path.join(ROOT, "build", "bench", "hypercore")
LAG = "from a frame handed to the log to its block received and verified"


class System(Stamped):
    def __init__(self, **_):
        self.key = self.entrance = None

    def start_source(self, bench, viewers):
        self.entrance = f"{bench.lab.address(ENTRANCE)}:49737"
        bench.start_and_wait(ENTRANCE, "entrance", ["node", f"{PROGRAMS}/bootstrap.js",
                                                    *self.entrance.split(":")], "ready")
        send = " ".join(bench.stamp("send", str(STREAM_BPS), str(FPS), "out"))
        process, self.key = bench.start_and_wait(SOURCE, "source", [
            "sh", "-c",
            f"{send} | node {PROGRAMS}/source.js {self.entrance} {bench.path('source-log')}"],
            "link")
        return process

    def start_viewer(self, bench, name, host, number):
        receive = " ".join(bench.stamp("receive"))
        return bench.start(host, name, [
            "sh", "-c", f"node {PROGRAMS}/viewer.js {self.entrance} {bench.path(name)}/log "
                        f"{self.key} | {receive}"])


def install(here):
    """What the lockfile says, from the registry, once, outside of the sources."""
    shutil.copytree(os.path.join(here, "hypercore"), PROGRAMS, dirs_exist_ok=True)
    if not os.path.isdir(os.path.join(PROGRAMS, "node_modules")):
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=PROGRAMS,
                       check=True)
