#!/usr/bin/env python3
"""The lab's network does what it was told: measured with real sockets in namespaces.

Each check has hosts of its own in one network. One that fails while the router had no room counts as
skipped, and so does one of those that measure time while the router says that it, or the machine,
was overloaded. Skipped (77) also where a lab cannot be made.
"""

import contextlib
import os
import pathlib
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

from lab import DEVICE, PREFIX, SPACES, Lab, missing, run_ip, sweep

UDP_SEGMENT = 103
IP_MTU, IP_MTU_DISCOVER, IP_PMTUDISC_DO = 14, 10, 2
IPV6_MTU, IPV6_MTU_DISCOVER = 24, 23
SO_RCVBUFFORCE = 33
PATIENCE_S = 3
V4, V6 = socket.AF_INET, socket.AF_INET6
HEADERS = {V4: 28, V6: 48}


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


class Flow:
    """UDP from one host to another; a packet's first 4 bytes are its number."""

    def __init__(self, lab, a, b, family=V4):
        self.a, self.b = lab.udp(a, family=family), lab.udp(b, family=family)
        self.b.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        self.a.connect(self.b.getsockname()[:2])
        self.family, self.sent = family, 0

    def send(self, count=1, size=100):
        """`size` is the IP packet's. Returns the time of the last."""
        for _ in range(count):
            head = self.sent.to_bytes(4, "big")
            self.a.send(head + bytes(size - HEADERS[self.family] - len(head)))
            self.sent += 1
        return time.monotonic()

    def send_segments(self, count, size):
        """One call, which the kernel splits."""
        payload = size - HEADERS[self.family]
        numbers = range(self.sent, self.sent + count)
        data = b"".join(n.to_bytes(4, "big") + bytes(payload - 4) for n in numbers)
        self.a.sendmsg([data], [(socket.IPPROTO_UDP, UDP_SEGMENT, payload.to_bytes(2, "little"))])
        self.sent += count

    def receive(self, count, within_s=PATIENCE_S):
        """[(number, time)] of up to `count` packets."""
        got, deadline = [], time.monotonic() + within_s
        while len(got) < count:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.b], [], [], left)[0]:
                break
            data = self.b.recv(2048)
            got.append((int.from_bytes(data[:4], "big"), time.monotonic()))
        return got

    def one(self, within_s=PATIENCE_S):
        """Seconds on the way, or None."""
        start = self.send()
        got = self.receive(1, within_s)
        return got[0][1] - start if got else None


def counts(lab, host):
    return lab.stats()["hosts"][host]


def delay(lab):
    lab.add_hosts({"d1": "delay=5", "d2": "delay=10"})
    lab.command("path d1 d2 delay=40")
    lab.command("oneway d2 d1 delay=20")
    for a, b, right_ms in (("d1", "d2", 55), ("d2", "d1", 35)):
        for family in (V4, V6):
            flow = Flow(lab, a, b, family)
            ms = statistics.median(flow.one() for _ in range(7)) * 1000
            expect(right_ms - 0.5 < ms < right_ms + 3, f"{a} to {b}: {ms:.1f} ms")


def rate(lab):
    lab.add_hosts({"r1": "up=2e6 up_queue=5000", "r2": "down=2e6 down_queue=5000", "r3": ""})
    for a, b in (("r1", "r3"), ("r3", "r2")):
        flow = Flow(lab, a, b)
        flow.send(150, 1200)
        got = flow.receive(150)
        expect(len(got) == 150, f"{len(got)} of 150 came")
        bps = 149 * 1200 * 8 / (got[-1][1] - got[0][1])
        expect(1.9e6 < bps < 2.1e6, f"{a} to {b}: {bps:.0f} b/s")


def queue(lab):
    """100 ms at 4.8 ms a packet: 20 wait while one is sent; one more where they come in two reads."""
    lab.add_hosts({"q1": "up=2e6 up_queue=100", "q2": "down=2e6 down_queue=100", "q3": ""})
    for a, b, kind, owner in (("q1", "q3", "up_full", "q1"), ("q3", "q2", "down_full", "q2")):
        flow = Flow(lab, a, b)
        start = time.monotonic()
        flow.send_segments(40, 1200)
        got = flow.receive(23, 0.5)
        expect(21 <= len(got) <= 22, f"{len(got)} came")
        expect(0.095 < got[-1][1] - start < 0.14, f"the last after {got[-1][1] - start:.3f} s")
        dropped = counts(lab, owner)[kind]["packets"]
        expect(dropped == 40 - len(got), f"{kind}: {dropped}, and {len(got)} came")


def losses_of(flow, total):
    """(share, mean length of a run of losses)."""
    got = []
    while flow.sent < total:
        flow.send_segments(50, 80)
        got += flow.receive(50, 0)
    got += flow.receive(total, 0.05)
    last, runs = -1, []
    for number, _ in got + [(total, 0)]:
        if number > last + 1:
            runs.append(number - last - 1)
        last = number
    expect(runs, "nothing was lost")
    return sum(runs) / total, sum(runs) / len(runs)


def loss(lab):
    """Bounds of five standard deviations; the router's generator is seeded besides."""
    lab.add_hosts({"l1": "", "l2": "", "l3": ""})
    lab.command("path l1 l2 loss=0.02")
    lab.command("path l1 l3 loss=0.02 burst=5")
    share, run = losses_of(Flow(lab, "l1", "l2"), 20000)
    expect(0.015 < share < 0.025, f"{share:.4f} lost")
    expect(run < 1.12, f"runs of {run:.2f} without bursts")
    share, run = losses_of(Flow(lab, "l1", "l3"), 20000)
    expect(0.010 < share < 0.030, f"{share:.4f} lost in bursts")
    expect(3.5 < run < 7, f"runs of {run:.2f} at a mean of 5")


def large_sends(lab):
    """40 segments in one call and a datagram of 20 KB are packets, each with a loss of its own."""
    lab.add_hosts({"g1": "", "g2": ""})
    flow = Flow(lab, "g1", "g2")
    flow.send_segments(40, 1200)
    flow.a.send(bytes(20000))
    expect(len(flow.receive(41, 1)) == 41, "not all came")
    sent = counts(lab, "g1")
    expect(sent["malformed"]["packets"] == 0, "larger than the device allows")
    expect(sent["sent"]["packets"] == 40 + 14, f"{sent['sent']['packets']} packets")
    expect(len([p for p in sent["ports"] if p["protocol"] == "udp"]) == 1, "fragments have no port")
    lab.command("path g1 g2 loss=0.5")
    flow.send_segments(40, 1200)
    expect(5 < len(flow.receive(40, 0.1)) < 35, "lost as one")


def jitter(lab):
    lab.add_hosts({"j1": "", "j2": "", "j3": ""})
    lab.command("path j1 j2 delay=5 jitter=20")
    lab.command("path j1 j3 delay=5 jitter=20 reorder=1")
    for b, is_ordered in (("j2", True), ("j3", False)):
        flow, sent = Flow(lab, "j1", b), []
        for _ in range(100):
            sent.append(flow.send())
            select.select([], [], [], 0.001)
        got = flow.receive(100)
        numbers = [n for n, _ in got]
        expect(sorted(numbers) == list(range(100)), f"{len(got)} of 100 came")
        expect((numbers == sorted(numbers)) == is_ordered, f"{b}: ordered is not {is_ordered}")
        took = [at - sent[n] for n, at in got]
        expect(0.004 < min(took) and 0.005 < max(took) - min(took), f"{min(took)} to {max(took)}")


def mtu(lab):
    lab.add_hosts({"m1": "", "m2": "mtu=1400", "m3": ""})
    lab.command("path m1 m3 mtu=1300")
    for b, right in (("m2", 1400), ("m3", 1300)):
        for family in (V4, V6):
            level = socket.IPPROTO_IPV6 if family == V6 else socket.IPPROTO_IP
            flow = Flow(lab, "m1", b, family)
            flow.a.setsockopt(level, IPV6_MTU_DISCOVER if family == V6 else IP_MTU_DISCOVER,
                              IP_PMTUDISC_DO)
            flow.send(1, right)
            expect(flow.receive(1), "what fits does not come")
            flow.send(1, right + 1)
            expect(not flow.receive(1, 0.02), "what does not fit comes")
            seen = flow.a.getsockopt(level, IPV6_MTU if family == V6 else IP_MTU)
            expect(seen == right, f"the kernel learnt {seen}, not {right}")
    expect(counts(lab, "m1")["too_big"]["packets"] == 4, "not counted")


def reach(lab):
    lab.add_hosts({"u1": "delay=20", "u2": "", "u3": ""})
    lab.command("path u1 u2 reach=0")
    pair, other = Flow(lab, "u1", "u2"), Flow(lab, "u1", "u3")
    expect(pair.one(0.05) is None, "the pair is reachable")
    expect(other.one() is not None, "another is not")
    expect(counts(lab, "u1")["unreachable"]["bytes"] == 100, "not counted")
    for stop, go in (("set u3 cut=1", "set u3 cut=0"), ("set u1 group=1", "set u3 group=1"),
                     ("oneway u1 u3 reach=0", "oneway u1 u3 reach=1")):
        other.send()
        lab.command(stop)  # what is on its way is lost too
        expect(not other.receive(1, 0.05), f"{stop}: what was on its way comes")
        expect(other.one(0.05) is None, f"{stop}: passes")
        lab.command(go)
        expect(other.one() is not None, f"{go}: does not pass")


def counted(lab):
    lab.add_hosts({"c1": "", "c2": ""})
    right = []
    for family in (V4, V6):
        flow = Flow(lab, "c1", "c2", family)
        sizes = range(100, 1400, 13)
        for size in sizes:
            flow.send(1, size)
        expect(len(flow.receive(len(sizes))) == len(sizes), "not all came")
        right.append((flow, len(sizes), sum(sizes)))
    for host, end, kind in (("c1", "a", "sent"), ("c2", "b", "got")):
        ports = {(p["protocol"], p["port"]): p for p in counts(lab, host)["ports"]}
        for flow, packets, size in right:
            seen = ports[("udp", getattr(flow, end).getsockname()[1])][kind]
            expect(seen == {"packets": packets, "bytes": size}, f"{host}: {seen}")


def tcp(lab):
    lab.add_hosts({"t1": "up=20e6 delay=5", "t2": "delay=5", "t3": "nat=port-restricted"})
    lab.command("path t2 * loss=0.01")
    for number, host in enumerate(("t1", "t3"), 8000):
        tcp_from(lab, host, number)


def tcp_from(lab, host, port):
    with contextlib.ExitStack() as undo:
        with lab.inside("t2"):
            listener = undo.enter_context(socket.create_server((lab.address("t2"), port)))
        with lab.inside(host):
            client = undo.enter_context(socket.create_connection((lab.address("t2"), port),
                                                                 PATIENCE_S))
        server, peer = listener.accept()
        undo.enter_context(server)
        expect(peer[0] == lab.address(host), f"{host} comes from {peer[0]}")
        server.settimeout(PATIENCE_S)
        client.setblocking(False)
        total = client.send(bytes(200000))
        client.shutdown(socket.SHUT_WR)
        got = 0
        while data := server.recv(65536):
            got += len(data)
    expect(got == total, f"{got} of {total} bytes came")
    ports = {p["port"]: p for p in counts(lab, "t2")["ports"] if p["protocol"] == "tcp"}
    expect(total < ports[port]["got"]["bytes"] < total * 1.2, f"{ports}")


def downlink_at_arrival(lab):
    """A burst that is on its way from afar does not hold up what comes from near before it."""
    lab.add_hosts({"a1": "delay=300", "a2": "delay=5", "a3": "down=2e6 down_queue=1000"})
    far, near = Flow(lab, "a1", "a3"), Flow(lab, "a2", "a3")
    far.send_segments(40, 1200)
    took = near.one()
    expect(took < 0.1, f"held up for {took:.3f} s by what had not arrived")
    far.receive(1)
    took = near.one()
    expect(took > 0.1, f"{took:.3f} s: not queued behind what has arrived")
    expect(len(far.receive(39)) == 39, "the burst was not all there")


def address_change(lab):
    lab.add_hosts({"x1": "", "x2": ""})
    expect(Flow(lab, "x1", "x2").one() is not None, "before")
    run_ip("-n", lab.space("x2"), "address", "add", "198.18.9.9/32", "dev", DEVICE)
    lab.command("address x2 198.18.9.9")
    expect(Flow(lab, "x1", "x2").one(0.05) is None, "the old address lives")
    with lab.inside("x2"), socket.socket(V4, socket.SOCK_DGRAM) as there:
        there.bind(("198.18.9.9", 0))
        with lab.udp("x1") as here:
            here.sendto(b"new", there.getsockname())
            expect(select.select([there], [], [], PATIENCE_S)[0], "the new one does not")


def nat(lab):
    """What each kind maps and lets in (RFC 3489, 5), and that it forgets."""
    lab.add_hosts({"n1": "", "n2": ""})
    known, other_port, stranger = lab.udp("n1"), lab.udp("n1"), lab.udp("n2")
    for kind, is_one_mapping, lets_in in (("full-cone", True, (1, 1, 1)),
                                          ("address-restricted", True, (1, 1, 0)),
                                          ("port-restricted", True, (1, 0, 0)),
                                          ("symmetric", False, (1, 0, 0))):
        host = f"n-{kind}"
        lab.add_hosts({host: f"nat={kind} nat_timeout=0.5"})
        inside = lab.udp(host)
        inside.sendto(b"out", known.getsockname())
        expect(select.select([known], [], [], PATIENCE_S)[0], f"{kind}: nothing comes out")
        seen = known.recvfrom(100)[1]
        expect(seen[0] == lab.address(host), f"{kind}: comes from {seen[0]}")
        expect(seen[1] != inside.getsockname()[1], f"{kind}: keeps the port")
        for sender, right in zip((known, other_port, stranger), lets_in):
            sender.sendto(b"in", seen)
            came = bool(select.select([inside], [], [], PATIENCE_S if right else 0.03)[0])
            expect(came == bool(right), f"{kind}: lets {lets_in} in, not so {sender}")
            if came:
                expect(inside.recvfrom(100)[1] == sender.getsockname(), f"{kind}: wrong sender")
        inside.sendto(b"out", stranger.getsockname())
        expect(select.select([stranger], [], [], PATIENCE_S)[0], f"{kind}: nothing comes out")
        again = stranger.recvfrom(100)[1]
        expect((again == seen) == is_one_mapping, f"{kind}: {seen}, and to another {again}")
        select.select([inside], [], [], 0.6)  # longer than the mapping lives
        known.sendto(b"late", seen)
        expect(not select.select([inside], [], [], 0.03)[0], f"{kind}: never forgets")
        filtered = counts(lab, host)["filtered"]["packets"]
        expect(filtered == 4 - sum(lets_in), f"{kind}: {filtered} filtered")


def says_when_late(lab):
    """Stopped while packets are due."""
    lab.add_hosts({"o1": "delay=5", "o2": "delay=5"})
    flow = Flow(lab, "o1", "o2")
    for _ in range(20):
        flow.send()
        select.select([], [], [], 0.001)
    os.kill(lab.router.pid, signal.SIGSTOP)
    select.select([], [], [], 0.05)
    os.kill(lab.router.pid, signal.SIGCONT)
    flow.receive(20)
    said = lab.stats()["overload"]
    expect(any("late" in reason for reason in said), f"said {said}")


def refuses(lab):
    """Bad commands get an answer and change nothing."""
    for line in ("", "nonsense", "set", "set nobody up=1", "set * up=-1", "set * up=x",
                 "set * sideways=1", "path * * loss=2", "address nobody 1.2.3.4", "host x nowhere",
                 "host d1 nowhere", "nat d1 strange 1.2.3.4 1.2.3.5 9", "nat d1 symmetric 1 1 1", "address d1 1.2.3", "address d1 198.18.0.2"):
        lab.router.stdin.write(line + "\n")
        lab.router.stdin.flush()
        expect(lab.router.stdout.readline().startswith("error "), f"'{line}' is taken")


CHILD = """
import sys
from lab import Lab
with Lab() as lab:
    lab.add_hosts({"k": ""})
    print(lab.start("k", ["sleep", "1000"]).pid, flush=True)
    sys.stdin.read()
"""


def spaces_of(pid):
    return [s for s in os.listdir(SPACES) if s.startswith(f"{PREFIX}{pid}-")]


def leaves_nothing(_):
    for number in (signal.SIGTERM, signal.SIGKILL):
        child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, text=True,
                                 stdout=subprocess.PIPE, cwd=pathlib.Path(__file__).parent)
        inside = int(child.stdout.readline())
        ended = os.pidfd_open(inside)
        expect(len(spaces_of(child.pid)) == 1, "no namespace")
        child.send_signal(number)
        child.wait(10)
        expect(select.select([ended], [], [], PATIENCE_S)[0], "a process inside lives on")
        sweep()
        expect(not spaces_of(child.pid), f"namespaces are left after signal {number}")
        os.close(ended)


CHECKS = (delay, rate, queue, loss, large_sends, jitter, mtu, reach, counted, tcp,
          downlink_at_arrival, address_change, nat, refuses, leaves_nothing, says_when_late)
TIMED = (delay, rate, queue)  # with bounds of milliseconds; the others hold on a full machine too


def run(lab, check):
    """Returns how it went: passed, failed or skipped."""
    lab.command("mark")
    start = time.monotonic()
    try:
        check(lab)
        result, why = "passed", ""
    except (AssertionError, OSError) as error:
        overload = [reason for reason in lab.stats()["overload"]
                    if check in TIMED or "packets" in reason]
        result = "skipped" if overload else "failed"
        why = f": {error}" + "".join(f" ({reason})" for reason in overload)
    print(f"{result} {check.__name__} in {time.monotonic() - start:.1f} s{why}", flush=True)
    return result


def main():
    if reason := missing():
        print(reason)
        return 77
    with Lab() as lab:
        results = [run(lab, check) for check in CHECKS]
    if "failed" in results:
        return 1
    return 77 if "skipped" in results else 0


if __name__ == "__main__":
    sys.exit(main())
