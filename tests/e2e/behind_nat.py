#!/usr/bin/env python3
"""A source that nobody can dial is watched through a relay that it finds in the DHT.

Three network namespaces of the test's own: the world (DHT, relay, viewer), a router that masquerades
and lets nothing in that was not asked for, and a home behind it (the source). Skipped (77) where
namespaces cannot be made.
"""

import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SHOAL = os.path.abspath(os.environ.get("SHOAL", "build/shoal"))
DEADLINE_S = 60
WORLD, ROUTER, HOME = (f"shoal{os.getpid()}{end}" for end in "wrh")
RULES = """
table ip nat {
 chain out {
  type nat hook postrouting priority 100;
  oifname "world" masquerade
 }
}
table ip filter {
 chain through {
  type filter hook forward priority 0; policy drop;
  iifname "home" accept
  ct state established,related accept
 }
}
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def connect(name, address, peer_name, peer_address, inside):
    """A cable between the router's `name` and `peer_name` in the namespace `inside`."""
    ip("link", "add", name, "netns", ROUTER, "type", "veth", "peer", "name", peer_name, "netns",
       inside)
    for space, link, where in ((ROUTER, name, address), (inside, peer_name, peer_address)):
        ip("-n", space, "address", "add", where, "dev", link)
        ip("-n", space, "link", "set", link, "up")


def lay_network(undo):
    for space in (WORLD, ROUTER, HOME):
        ip("netns", "add", space)
        undo.callback(subprocess.run, ["ip", "netns", "delete", space], check=False)
        ip("-n", space, "link", "set", "lo", "up")
    connect("world", "203.0.113.2/24", "w0", "203.0.113.1/24", WORLD)
    connect("home", "192.168.77.1/24", "h0", "192.168.77.2/24", HOME)
    ip("-n", HOME, "route", "add", "default", "via", "192.168.77.1")
    ip("netns", "exec", ROUTER, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    subprocess.run(["ip", "netns", "exec", ROUTER, "nft", "-f", "-"], input=RULES, text=True,
                   check=True, stderr=subprocess.PIPE)


class Actor:
    def __init__(self, undo, folder, space, name, *words):
        self.name = name
        self.stats = folder / f"{name}.stats"
        home = folder / name
        home.mkdir()
        places = {f"XDG_{kind}_HOME": str(home) for kind in ("DATA", "STATE", "CONFIG")}
        command = ["ip", "netns", "exec", space, SHOAL, *words, "--stats", str(self.stats)]
        self.process = subprocess.Popen(command, env={**os.environ, **places},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        undo.callback(self.end)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def wait(self, what, holds):
        """Until a line of figures makes `holds` true; the program writes one a second."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            lines = self.stats.read_text().splitlines() if self.stats.exists() else []
            if lines and holds(json.loads(lines[-1])):
                return json.loads(lines[-1])
            # Its standard error wakes us, or the next line of figures is due.
            if select.select([self.process.stderr], [], [], 0.2)[0]:
                os.read(self.process.stderr.fileno(), 4096)
        sys.exit(f"{self.name}: not {what} within {DEADLINE_S} s")


def main():
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        print("needs root, ip and nft", file=sys.stderr)
        return 77
    with contextlib.ExitStack() as undo:
        folder = pathlib.Path(undo.enter_context(tempfile.TemporaryDirectory()))
        try:
            lay_network(undo)
        except subprocess.CalledProcessError as error:
            print(f"no namespaces here: {error.stderr}", file=sys.stderr)
            return 77
        key = folder / "key"
        made = subprocess.run([SHOAL, "keygen", str(key)], check=True, capture_output=True, text=True)
        link = re.search(r"^link (\S+)", made.stdout, re.M).group(1)
        entrance = Actor(undo, folder, WORLD, "entrance", "relay", "--bootstrap", "none")
        port = entrance.wait("up", lambda s: s["dht_port"])["dht_port"]
        dht = ("--bootstrap", f"203.0.113.1:{port}")
        relay = Actor(undo, folder, WORLD, "relay", "relay", link, *dht)
        relay.wait("up", lambda s: s["dht_port"])
        source = Actor(undo, folder, HOME, "source", "broadcast", "--key", str(key), "--size",
                       "320x180", "--bitrate", "400k", *dht)
        relay.wait("reached by the source", lambda s: s["chunks"]["ok"] > 20)
        viewer = Actor(undo, folder, WORLD, "viewer", "join", link, "--http", "off", *dht)
        seen = viewer.wait("watching", lambda s: s["chunks"]["ok"] > 60)
        print(f"missed {seen['chunks']['missed']}, first chunk after "
              f"{seen['first_chunk_us'] / 1000:.0f} ms")
        if seen["chunks"]["missed"] or source.process.poll() is not None:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
