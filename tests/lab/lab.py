"""lab - a network of hosts on this machine: namespaces, the router between them, processes inside.

    with Lab() as lab:
        lab.add_hosts({"a": "up=2e6 delay=10", "b": ""})
        lab.command("path * * loss=0.005 jitter=3")
        process = lab.start("a", ["shoal", "join", link])
        lab.stats()["hosts"]["a"]["sent"]["bytes"]

Nothing leaves the namespaces: a host's only ways are its loopback and the router. All ends with the
Lab, also on SIGTERM; after a SIGKILL the kernel ends the processes, and the next Lab sweeps up the
namespaces, which carry the dead one's process id in their names.
"""

import collections
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PREFIX = "shoal-lab-"
SPACES = "/run/netns"
DEVICE = "lab0"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
ETH_P_IP = 0x0800
NAT_TIMEOUT_S = 120  # of UDP mappings: the least that RFC 4787 recommends
END_S = 5  # between SIGTERM and SIGKILL
LIBC = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something that the lab was told and cannot do."""


def built(name):
    """A program of the build that is under test."""
    return os.path.join(ROOT, os.environ.get("OUT", "build/gcc"), name)


def run_ip(*words, text=None):
    done = subprocess.run(["ip", *words], input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def missing():
    """What this machine lacks for a lab, in words, or None."""
    if os.geteuid() != 0:
        return "a lab needs root, to make network namespaces"
    if not shutil.which("ip"):
        return "a lab needs the program ip (package iproute2)"
    if not os.path.exists("/dev/net/tun"):
        return "a lab needs /dev/net/tun (kernel module tun)"
    if not os.path.exists(built("tests/lab-router")):
        return f"{built('tests/lab-router')} is not built (make lab)"
    probe = f"{PREFIX}{os.getpid()}-probe"
    try:
        run_ip("netns", "add", probe)
        run_ip("netns", "delete", probe)
    except LabError as error:
        return f"a lab needs network namespaces: {error}"
    return None


def owner_is_alive(space):
    pid = space[len(PREFIX):].split("-")[0]
    return not pid.isdigit() or os.path.exists(f"/proc/{pid}")


def sweep():
    """Ends what labs that were killed have left."""
    spaces = os.listdir(SPACES) if os.path.isdir(SPACES) else []
    for space in spaces:
        if not space.startswith(PREFIX) or owner_is_alive(space):
            continue
        inside = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True,
                                check=False)
        for pid in inside.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        subprocess.run(["ip", "netns", "delete", space], stderr=subprocess.DEVNULL, check=False)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def use_addresses(v4, v6):
    """Lines for ip -batch; either may be None."""
    lines = ""
    if v4:
        lines += f"address add {v4}/32 dev {DEVICE}\nroute replace default dev {DEVICE} src {v4}\n"
    if v6:
        lines += f"address add {v6}/128 dev {DEVICE} nodad\n"
        lines += f"route replace ::/0 dev {DEVICE} src {v6}\n"
    return lines


def on_signal(number, _):
    raise SystemExit(128 + number)


class Lab:
    def __init__(self, seed=1):
        reason = missing()
        if reason:
            raise LabError(reason)
        sweep()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, on_signal)
        self.hosts, self.processes, self.behind_nat = [], [], set()
        self.without_v4, self.moves = set(), {}
        self.router = subprocess.Popen([built("tests/lab-router")], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True,
                                       preexec_fn=die_with_parent, start_new_session=True)
        self.command(f"seed {seed}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, line):
        """Tells the router; returns what stands behind its "ok"."""
        self.router.stdin.write(line + "\n")
        self.router.stdin.flush()
        answer = self.router.stdout.readline().rstrip("\n")
        if answer != "ok" and not answer.startswith("ok "):
            raise LabError(f"{line}: {answer or 'the router has ended'}")
        return answer[3:]

    def stats(self):
        return json.loads(self.command("stats"))

    def space(self, host):
        return f"{PREFIX}{os.getpid()}-{host}"

    def address(self, host, family=socket.AF_INET):
        number, moves = self.hosts.index(host), self.moves.get(host, 0)
        if family == socket.AF_INET6:
            return f"2001:db8:77:{moves:x}::{number + 1:x}"
        return f"198.{18 + moves % 2}.{moves * 8 % 248 + number // 250}.{number % 250 + 1}"

    def own_address(self, host, family=socket.AF_INET):
        """The one that its programs see, which a NAT may hide."""
        if host not in self.behind_nat:
            return self.address(host, family)
        number = self.hosts.index(host)
        return f"10.77.{number // 250}.{number % 250 + 1}"

    def add_hosts(self, hosts):
        """`hosts`: figures of the router's `set` by name; besides nat=KIND and nat_timeout=SECONDS,
        which give it an IPv4 address alone, behind a NAT that has the host's address, and v4=0: an
        IPv6 address alone."""
        before = len(self.hosts)
        self.hosts += hosts
        run_ip("-batch", "-", text="".join(f"netns add {self.space(h)}\n" for h in hosts))
        for host in self.hosts[before:]:
            v4, v6 = self.address(host), self.address(host, socket.AF_INET6)
            words = hosts[host].split()
            nat = dict(w.split("=") for w in words if w.startswith("nat"))
            figures = " ".join(w for w in words if not w.startswith(("nat", "v4=")))
            if "v4=0" in words:
                self.without_v4.add(host)
                v4 = None
            self.command(f"host {host} {self.space(host)}")
            if nat:
                self.behind_nat.add(host)
                self.command(f"nat {host} {nat['nat']} {self.own_address(host)} {v4} "
                             f"{nat.get('nat_timeout', NAT_TIMEOUT_S)}")
                v4, v6 = self.own_address(host), None
            else:
                self.command(f"address {host} {v4 or ''} {v6}")
            if figures:
                self.command(f"set {host} {figures}")
            # No multicast and no address of the link's own, so that the kernel sends nothing by itself.
            run_ip("-n", self.space(host), "-batch", "-", text=f"""link set lo up
link set {DEVICE} addrgenmode none
link set {DEVICE} arp off multicast off txqueuelen 5000 up
""" + use_addresses(v4, v6))

    def move(self, host):
        """Gives the host other addresses in place of those that it has, as where a telephone leaves
        one network for another."""
        before = self.address(host), self.address(host, socket.AF_INET6)
        self.moves[host] = self.moves.get(host, 0) + 1
        v4 = None if host in self.without_v4 else self.address(host)
        v6 = self.address(host, socket.AF_INET6)
        gone = f"address del {before[1]}/128 dev {DEVICE}\n"
        if v4:
            gone += f"address del {before[0]}/32 dev {DEVICE}\n"
        run_ip("-n", self.space(host), "-batch", "-", text=use_addresses(v4, v6) + gone)
        self.command(f"address {host} {v4 or ''} {v6}")

    @contextlib.contextmanager
    def inside(self, host):
        """What this thread opens meanwhile is the host's."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"{SPACES}/{self.space(host)}", os.O_RDONLY)
        try:
            if LIBC.setns(there, CLONE_NEWNET) != 0:
                raise LabError(f"cannot enter {host}: {os.strerror(ctypes.get_errno())}")
            yield
        finally:
            LIBC.setns(home, CLONE_NEWNET)
            os.close(there)
            os.close(home)

    def senders(self, host, slots, slot_s, bytes_least):
        """Watches a host for so many slots of time. In how many of them IPv4 packets of at least
        that size came to it, by sender."""
        found, names = set(), {self.address(h): h for h in self.hosts}
        with self.inside(host):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        start = time.monotonic()
        end = start + slots * slot_s
        with s:
            while (left := end - time.monotonic()) > 0:
                s.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    packet, where = s.recvfrom(65536)
                    name = names.get(socket.inet_ntoa(packet[12:16]))
                    if where[2] != socket.PACKET_OUTGOING and len(packet) >= bytes_least and name:
                        found.add((name, int((time.monotonic() - start) / slot_s)))
        return collections.Counter(name for name, _ in found)

    def udp(self, host, port=0, family=socket.AF_INET):
        """A UDP socket of the host, bound to its address."""
        with self.inside(host):
            s = socket.socket(family, socket.SOCK_DGRAM)
        s.bind((self.own_address(host, family), port))
        return s

    def start(self, host, argv, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(["ip", "netns", "exec", self.space(host), *argv],
                                   preexec_fn=die_with_parent, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def signal(self, process, number):
        """To it and all that it has started: each process leads a group of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def end(self, processes):
        """Each by its id: asked, and after END_S killed, with what it has started."""
        for process in processes:
            if process.poll() is None:
                self.signal(process, signal.SIGCONT)
                self.signal(process, signal.SIGTERM)
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            self.signal(process, signal.SIGKILL)
            process.wait()

    def close(self):
        self.end(self.processes)
        with contextlib.suppress(BrokenPipeError):
            self.router.stdin.close()
        try:
            self.router.wait(END_S)
        except subprocess.TimeoutExpired:
            self.router.kill()
            self.router.wait()
        for host in self.hosts:
            subprocess.run(["ip", "netns", "delete", self.space(host)], stderr=subprocess.DEVNULL,
                           check=False)
        self.hosts = []
