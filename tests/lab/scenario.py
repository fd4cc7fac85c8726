"""scenario - a file that says which hosts there are, what runs on them, what happens, what must hold.

One statement a line; # starts a remark. README.md has the list. Words in braces are put in where a
command is run: {folder} (of this run), {shoal}, {me} (the process), {host}, {v4:HOST} and {v6:HOST},
and what a `value` found.
"""

import contextlib
import fnmatch
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

import figures
import plot
from lab import Lab, LabError, built

COMPARE = {"<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge,
           ">": operator.gt}
SIGNALS = {"kill": signal.SIGKILL, "end": signal.SIGTERM, "stop": signal.SIGSTOP,
           "continue": signal.SIGCONT}
LONGEST_S = 3600
PARENT_BYTES = 400  # who sends packets as large to a host
PARENT_SLOTS, PARENT_LEAST, SLOT_S = 6, 4, 0.2  # again and again is its parent


class ScenarioError(Exception):
    """A line that says nothing that can be done."""


def spread(words, share):
    """FIGURE=A..B is another value for each host of a class, at equal distances."""
    def between(match):
        low, high = float(match.group(1)), float(match.group(2))
        return f"={low + share * (high - low):g}"
    return re.sub(r"=([\d.e]+?)\.\.([\d.e]+)", between, words)


class Scenario:
    """What a file says, read and checked; nothing is done yet."""

    def __init__(self, path, counts=None, seconds=None):
        self.path, self.counts = path, dict(counts or {})
        self.classes, self.router, self.values = {}, [], []
        self.runs, self.events, self.expectations = [], [], []
        self.seconds, self.since = None, 0
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
        if not re.fullmatch("[a-z]+", name) or not 0 <= count <= 64 or name in self.classes:
            raise ScenarioError("hosts CLASS COUNT FIGURE=VALUE..., 0 to 64 of a class")
        self.classes[name] = (count, " ".join(figures))

    def hosts(self):
        return {f"{name}-{i}": spread(words, (i - 0.5) / count)
                for name, (count, words) in self.classes.items() for i in range(1, count + 1)}

    def hosts_of(self, words):
        """Hosts by name, or all of a class."""
        found = []
        for word in words:
            some = [h for h in self.hosts() if word in (h, h.rpartition("-")[0])]
            if not some and word not in self.classes:
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
        """run NAME on HOSTS [at S | over S to S]: COMMAND"""
        match = re.fullmatch(
            r"(\w+) on ([\w\- ]+?)(?: (?:at|over) ([\d.]+)(?: to ([\d.]+))?)?: *(.+)", rest)
        if not match:
            raise ScenarioError("run NAME on HOST|CLASS... [at S | over S to S]: COMMAND")
        name, where, first, last, command = match.groups()
        first = float(first or 0)
        last = float(last or first)
        hosts = self.hosts_of(where.split())
        for i, host in enumerate(hosts, 1):
            # By the golden ratio: those of a class do not come one after the other.
            share = i * 0.618 % 1 if last > first else 0
            self.runs.append((first + share * (last - first), f"{name}-{i}", host, command))

    def read_at(self, rest):
        """at S DO: README.md says what can be done."""
        when, do, *words = rest.split()
        lines = None
        if do in ("cut", "heal"):
            lines = [f"set {h} cut={int(do == 'cut')}" for h in self.hosts_of(words)]
        elif do == "partition":
            lines = [f"set {h} group=1" for h in self.hosts_of(words)]
        elif do == "join":
            lines = ["set * group=0"]
        elif do in ("set", "path", "oneway"):
            lines = [" ".join([do, *words])]
        elif do == "move":
            words = self.hosts_of(words)
        elif do == "kill-parents" and len(words) != 2:
            raise ScenarioError("at S kill-parents PROCESS SECONDS")
        elif do not in SIGNALS and do not in ("start", "kill-parents"):
            raise ScenarioError(f"unknown event '{do}'")
        self.events.append((float(when), "router" if lines else do, lines or words))

    def read_since(self, rest):
        """since S: figures of "since" and "swarm" begin then."""
        self.since = float(rest)

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
            names = fnmatch.filter(value, part) if isinstance(value, dict) else []
            step += [(f"{where}.{name}".lstrip("."), value[name]) for name in names]
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
        self.processes, self.runs, self.values = {}, {}, {}
        self.kills, self.later = [], []
        self.since_stats = self.since_us = self.since_clock = self.start_us = None
        self.lines = {}  # of --stats, by process, once it is over

    def fill(self, text, **own):
        """Words in braces; other braces stay."""
        def word(match):
            name, _, host = match.group(1).partition(":")
            known = {"folder": self.folder, "shoal": built("shoal"),
                     "lab": os.path.dirname(os.path.abspath(__file__)), **self.values, **own}
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
        """A process; where it ran before, again, with what it has left in its home."""
        home = os.path.join(self.folder, name)
        os.makedirs(home, exist_ok=True)
        places = {f"XDG_{kind}_HOME": home for kind in ("DATA", "STATE", "CONFIG", "CACHE")}
        with open(os.path.join(self.folder, f"{name}.log"), "ab") as log:
            self.processes[name] = self.lab.start(
                host, shlex.split(self.fill(command, me=name, host=host)), stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, "HOME": home, **places})
        self.runs[name] = (host, command)

    def known(self, name):
        if name not in self.processes:
            raise ScenarioError(f"no process '{name}'")
        return self.processes[name]

    def signal(self, do, names):
        for name in names:
            if self.known(name).poll() is None:
                self.lab.signal(self.processes[name], SIGNALS[do])

    def start_again(self, names):
        for name in names:
            self.lab.end([self.known(name)])
            self.start(name, *self.runs[name])

    def kill_parents(self, words):
        """Of a process: whoever sends its host media. They are started again so much later."""
        name, seconds = words[0], float(words[1])
        self.known(name)
        slots = self.lab.senders(self.runs[name][0], PARENT_SLOTS, SLOT_S, PARENT_BYTES)
        parents = [n for n, (host, _) in self.runs.items()
                   if slots[host] >= PARENT_LEAST and self.processes[n].poll() is None]
        self.signal("kill", parents)
        self.kills.append({"of": name, "parents": parents, "utc_us": int(time.time() * 1e6)})
        self.later.append((time.monotonic() + seconds, lambda: self.start_again(parents)))

    def mark(self):
        self.since_stats, self.since_us = self.lab.stats(), int(time.time() * 1e6)
        self.since_clock = time.monotonic()

    def do(self, kind, words):
        if kind == "router":
            for line in words:
                self.lab.command(line)
        elif kind in SIGNALS:
            self.signal(kind, words)
        elif kind == "start":
            self.start_again(words)
        elif kind == "kill-parents":
            self.kill_parents(words)
        else:
            for host in words:
                self.lab.move(host)

    def schedule(self):
        """[(seconds, what to do)], runs before events of the same moment."""
        todo = [(at, lambda n=name, h=host, c=command: self.start(n, h, c))
                for at, name, host, command in self.scenario.runs]
        todo.append((self.scenario.since, self.mark))
        todo += [(at, lambda k=kind, w=words: self.do(k, w))
                 for at, kind, words in self.scenario.events]
        return sorted([*todo, (self.scenario.seconds, lambda: None)], key=lambda step: step[0])

    def go(self):
        """Until the scenario's end, or the router's."""
        start, self.start_us = time.monotonic(), int(time.time() * 1e6)
        self.later = [(start + at, do) for at, do in self.schedule()]
        with selectors.DefaultSelector() as wake:
            wake.register(self.lab.router.stdout, selectors.EVENT_READ)
            while self.later and self.later[0][0] <= start + self.scenario.seconds:
                at, do = self.later.pop(0)
                while (left := at - time.monotonic()) > 0:
                    if wake.select(left):
                        raise LabError("the router has ended")
                do()
                self.later.sort(key=lambda step: step[0])

    def lines_of(self, name):
        """Of --stats, of the process's last life."""
        path = os.path.join(self.folder, f"{name}.stats")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        lives = [i for i in range(1, len(lines))
                 if lines[i]["uptime_us"] < lines[i - 1]["uptime_us"]]
        return lines[lives[-1]:] if lives else lines

    def pings(self, name):
        """Of ping.py's lines, before and since the moment."""
        with open(os.path.join(self.folder, f"{name}.log"), encoding="utf-8") as f:
            rows = [tuple(map(float, line.split())) for line in f]
        parts = {"before": [ms for at, ms in rows if at < self.since_clock],
                 "since": [ms for at, ms in rows if at >= self.since_clock]}
        ret = {part: {"n": len(times), **{f"p{s}": figures.plain_percentile(times, s / 100)
                                          for s in (50, 95)}} for part, times in parts.items()}
        if all(parts.values()):
            ret["added_p95"] = ret["since"]["p95"] - ret["before"]["p95"]
        return ret

    def kill_results(self, lines):
        """What each that lost its parents missed until it lost the next ones."""
        for i, kill in enumerate(self.kills):
            ends = [k["utc_us"] for k in self.kills[i + 1:] if k["of"] == kill["of"]]
            mine = [line["chunks"]["missed"] for line in lines[kill["of"]]
                    if kill["utc_us"] - 1000000 <= line["t_us"] <= min(ends, default=2**63)]
            kill["missed"] = mine[-1] - mine[0] if mine else None
        return {"n": len(self.kills), "parents": sum(len(k["parents"]) for k in self.kills),
                "clean": sum(k["missed"] == 0 for k in self.kills),
                "missed": sum(k["missed"] or 0 for k in self.kills), "each": self.kills}

    def result(self):
        stats, seconds = self.lab.stats(), time.monotonic() - self.since_clock
        self.lab.end(self.processes.values())
        lines = self.lines = {name: self.lines_of(name) for name in self.processes}
        stats["processes"] = {name: {"exit": p.returncode} for name, p in self.processes.items()}
        for name, some in lines.items():
            if some:
                stats["processes"][name]["stats"] = some[-1]
            if name.startswith("ping-"):
                stats["processes"][name]["ping_ms"] = self.pings(name)
        hosts = figures.less(stats["hosts"], self.since_stats["hosts"])
        for host in hosts.values():
            for way in ("sent", "got"):
                host[way]["bps"] = host[way]["bytes"] * 8 / seconds
        # A line a second: the first one of these is what was before.
        window = {name: [line for line in some if line["t_us"] >= self.since_us - 1000000]
                  for name, some in lines.items()}
        stats["since"] = {"seconds": seconds, "hosts": hosts, "processes": {
            name: figures.less(some[-1], some[0]) for name, some in window.items() if some}}
        sources = [self.runs[n][0] for n, some in lines.items()
                   if some and some[-1]["role"] == "source"]
        stats["swarm"] = figures.swarm(window, sum(hosts[h]["sent"]["bytes"] for h in sources))
        stats["kills"] = self.kill_results(lines)
        return stats


    def svg(self):
        """The run over its seconds; what was done is marked, those that come by and by are not."""
        name = os.path.splitext(os.path.basename(self.scenario.path))[0]
        kills = [(kill["utc_us"] - self.start_us) / 1e6 for kill in self.kills]
        marks = {at for at, kind, _ in self.scenario.events if kind != "kill-parents"}
        return plot.svg(f"{name}, {len(self.lines)} processes", self.lines, self.start_us,
                        self.scenario.seconds, sorted({*marks, *kills}))


def play(scenario, seed=1, keep=None, draw=None):
    """Runs it. The result is the router's, with "processes", "seconds", "wrong" and "scenario".
    `keep` is an empty folder in which what the processes write and say stays, `draw` a file that
    gets the run over its seconds, as SVG."""
    with contextlib.ExitStack() as stack:
        folder = keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="shoal-lab-"))
        lab = stack.enter_context(Lab(seed))
        lab.add_hosts(scenario.hosts())
        for line in scenario.router:
            lab.command(line)
        run = Run(scenario, lab, folder)
        run.find_values()
        lab.command("mark")
        run.go()
        result = run.result()
        if draw:
            with open(draw, "w", encoding="utf-8") as f:
                f.write(run.svg())
    result["scenario"] = os.path.splitext(os.path.basename(scenario.path))[0]
    result["seed"] = seed
    result["wrong"] = judge(result, scenario.expectations)
    return result
