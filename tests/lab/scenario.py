"""scenario - a file that says which hosts there are, what runs on them, what happens, what must hold.

One statement a line; # starts a remark. README.md has the list. Words in braces are put in where a
command is run: {folder} (of this run), {shoal}, {me} (the process), {host}, {v4:HOST} and {v6:HOST},
and what a `value` found.
"""

import json
import operator
import os
import re
import selectors
import shlex
import signal
import subprocess
import tempfile
import time

from lab import Lab, LabError, built

COMPARE = {"<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge,
           ">": operator.gt}
SIGNALS = {"kill": signal.SIGKILL, "end": signal.SIGTERM, "stop": signal.SIGSTOP,
           "continue": signal.SIGCONT}
LONGEST_S = 3600


class ScenarioError(Exception):
    """A line that says nothing that can be done."""


class Scenario:
    """What a file says, read and checked; nothing is done yet."""

    def __init__(self, path, counts=None, seconds=None):
        self.path, self.counts = path, dict(counts or {})
        self.classes, self.router, self.values = {}, [], []
        self.runs, self.events, self.expectations, self.seconds = [], [], [], None
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                try:
                    self.read(line.split("#")[0].strip())
                except (ScenarioError, ValueError) as error:
                    raise ScenarioError(f"{path}:{number}: {error}") from error
        if self.counts:
            raise ScenarioError(f"{path}: no class {', '.join(self.counts)}")
        if self.seconds is None:
            raise ScenarioError(f"{path}: no line 'seconds S'")
        self.seconds = seconds or self.seconds

    def read(self, line):
        if not line:
            return
        kind, _, rest = line.partition(" ")
        reader = getattr(self, f"read_{kind}", None)
        if reader is None:
            raise ScenarioError(f"unknown statement '{kind}'")
        reader(rest.strip())

    def read_hosts(self, rest):
        name, count, *figures = rest.split()
        count = int(self.counts.pop(name, count))
        if not re.fullmatch("[a-z]+", name) or not 1 <= count <= 64 or name in self.classes:
            raise ScenarioError("hosts CLASS COUNT FIGURE=VALUE..., 1 to 64 of a class")
        self.classes[name] = (count, " ".join(figures))

    def hosts(self):
        return {f"{name}-{i}": figures for name, (count, figures) in self.classes.items()
                for i in range(1, count + 1)}

    def hosts_of(self, words):
        """Hosts by name, or all of a class."""
        found = []
        for word in words:
            some = [h for h in self.hosts() if word in (h, h.rpartition("-")[0])]
            if not some:
                raise ScenarioError(f"no host '{word}'")
            found += some
        return found

    def read_path(self, rest):
        self.router.append(f"path {rest}")

    read_oneway = read_path

    def read_value(self, rest):
        """value NAME PREFIX: COMMAND - the word behind PREFIX in what the command prints."""
        head, _, command = rest.partition(":")
        name, prefix = head.split()
        self.values.append((name, prefix, command.strip()))

    def read_run(self, rest):
        """run NAME on HOSTS [at S]: COMMAND"""
        match = re.fullmatch(r"(\w+) on ([\w\- ]+?)(?: at ([\d.]+))?: *(.+)", rest)
        if not match:
            raise ScenarioError("run NAME on HOST|CLASS... [at SECONDS]: COMMAND")
        name, where, when, command = match.groups()
        hosts = self.hosts_of(where.split())
        for i, host in enumerate(hosts, 1):
            self.runs.append((float(when or 0), f"{name}-{i}", host, command))

    def read_at(self, rest):
        """at S DO: kill|end|stop|continue PROCESS..., cut|heal HOSTS, partition HOSTS, join, or one
        of the router's commands."""
        when, do, *words = rest.split()
        if do in SIGNALS:
            self.events.append((float(when), "signal", do, words))
        elif do in ("cut", "heal"):
            lines = [f"set {h} cut={int(do == 'cut')}" for h in self.hosts_of(words)]
            self.events.append((float(when), "router", do, lines))
        elif do == "partition":
            lines = [f"set {h} group=1" for h in self.hosts_of(words)]
            self.events.append((float(when), "router", do, lines))
        elif do == "join":
            self.events.append((float(when), "router", do, ["set * group=0"]))
        elif do in ("set", "path", "oneway"):
            self.events.append((float(when), "router", do, [" ".join([do, *words])]))
        else:
            raise ScenarioError(f"unknown event '{do}'")

    def read_expect(self, rest):
        """expect PATH OP NUMBER: a place in the result, its members parted by dots; * is each."""
        path, compare, number = rest.split()
        if compare not in COMPARE:
            raise ScenarioError(f"one of {' '.join(COMPARE)}, not '{compare}'")
        self.expectations.append((path, compare, float(number)))

    def read_seconds(self, rest):
        self.seconds = float(rest)
        if not 0 < self.seconds <= LONGEST_S:
            raise ScenarioError(f"more than 0 and at most {LONGEST_S} seconds")


def look_up(result, path):
    """[(path, number)] of what the path names."""
    found = [("", result)]
    for part in path.split("."):
        step = []
        for where, value in found:
            names = list(value) if part == "*" and isinstance(value, dict) else [part]
            for name in names:
                if isinstance(value, dict) and name in value:
                    step.append((f"{where}.{name}".lstrip("."), value[name]))
        found = step
    return found


def judge(result, expectations):
    """What does not hold, in words."""
    wrong = []
    for path, compare, number in expectations:
        found = look_up(result, path)
        if not found:
            wrong.append(f"{path}: there is no such figure")
        for where, value in found:
            if not isinstance(value, (int, float)) or not COMPARE[compare](value, number):
                wrong.append(f"{where} is {value}, not {compare} {number:g}")
    return wrong


class Run:
    """A scenario on its way."""

    def __init__(self, scenario, lab, folder):
        self.scenario, self.lab, self.folder = scenario, lab, folder
        self.processes, self.values = {}, {}

    def fill(self, text, **own):
        """Words in braces; other braces stay."""
        def word(match):
            name, _, host = match.group(1).partition(":")
            known = {"folder": self.folder, "shoal": built("shoal"), **self.values, **own}
            if name in ("v4", "v6") and host in self.lab.hosts:
                return self.lab.address(host, 2 if name == "v4" else 10)
            return known.get(name, match.group(0)) if not host else match.group(0)
        return re.sub(r"\{([\w:\-]+)\}", word, text)

    def find_values(self):
        for name, prefix, command in self.scenario.values:
            done = subprocess.run(shlex.split(self.fill(command)), capture_output=True, text=True,
                                  check=True)
            match = re.search(rf"^{re.escape(prefix)}\s+(\S+)", done.stdout, re.M)
            if not match:
                raise ScenarioError(f"'{command}' does not print '{prefix} …'")
            self.values[name] = match.group(1)

    def start(self, name, host, command):
        home = os.path.join(self.folder, name)
        os.mkdir(home)
        places = {f"XDG_{kind}_HOME": home for kind in ("DATA", "STATE", "CONFIG", "CACHE")}
        with open(os.path.join(self.folder, f"{name}.log"), "wb") as log:
            self.processes[name] = self.lab.start(
                host, shlex.split(self.fill(command, me=name, host=host)), stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, "HOME": home, **places})

    def signal(self, do, names):
        for name in names:
            if name not in self.processes:
                raise ScenarioError(f"no process '{name}' to {do}")
            if self.processes[name].poll() is None:
                self.processes[name].send_signal(SIGNALS[do])

    def schedule(self):
        """[(seconds, what to do)], runs before events of the same moment."""
        todo = [(at, lambda n=name, h=host, c=command: self.start(n, h, c))
                for at, name, host, command in self.scenario.runs]
        for at, kind, do, words in self.scenario.events:
            if kind == "signal":
                todo.append((at, lambda d=do, w=words: self.signal(d, w)))
            else:
                todo.append((at, lambda w=words: [self.lab.command(line) for line in w]))
        return sorted(todo, key=lambda step: step[0])

    def go(self):
        """Until the scenario's end, or the router's."""
        start = time.monotonic()
        with selectors.DefaultSelector() as wake:
            wake.register(self.lab.router.stdout, selectors.EVENT_READ)
            for at, do in [*self.schedule(), (self.scenario.seconds, lambda: None)]:
                while (left := start + at - time.monotonic()) > 0:
                    if wake.select(left):
                        raise LabError("the router has ended")
                do()

    def result(self):
        stats = self.lab.stats()
        self.lab.end(self.processes.values())
        stats["processes"] = {name: {"exit": p.returncode} for name, p in self.processes.items()}
        for name in self.processes:
            path = os.path.join(self.folder, f"{name}.stats")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    lines = f.read().splitlines()
                stats["processes"][name]["stats"] = json.loads(lines[-1]) if lines else None
        return stats


def play(scenario, seed=1):
    """Runs it. The result is the router's, with "processes", "seconds", "wrong" and "scenario"."""
    with tempfile.TemporaryDirectory(prefix="shoal-lab-") as folder, Lab(seed) as lab:
        lab.add_hosts(scenario.hosts())
        for line in scenario.router:
            lab.command(line)
        run = Run(scenario, lab, folder)
        run.find_values()
        lab.command("mark")
        run.go()
        result = run.result()
    result["scenario"] = os.path.splitext(os.path.basename(scenario.path))[0]
    result["seed"] = seed
    result["wrong"] = judge(result, scenario.expectations)
    return result
