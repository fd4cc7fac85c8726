#!/usr/bin/env python3
"""bench_router [HOSTS [MBPS]] - what the router takes for HOSTS hosts (64) and MBPS in total (200).

4 s of UDP, four packets of 1,200 bytes a send, every host to every other in turn, over 20 Mb/s
accesses, 3 ms of jitter and 0.5 % loss. Nobody reads them: the sockets' processor time is not the
router's.
"""

import socket
import sys
import time

from lab import Lab, missing

UDP_SEGMENT = 103
SECONDS, SEGMENTS, SIZE, HEADERS = 4, 4, 1200, 28


def main():
    if reason := missing():
        print(reason)
        return 77
    hosts, mbps = (int(v) for v in (sys.argv[1:] + ["64", "200"][len(sys.argv) - 1:]))
    with Lab() as lab:
        lab.add_hosts({f"h{i}": f"up=20e6 down=20e6 delay={3 + i % 40}" for i in range(hosts)})
        lab.command("path * * jitter=3 loss=0.005")
        sockets = [lab.udp(f"h{i}", 7000) for i in range(hosts)]
        for s in sockets:
            s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE - HEADERS)
        addresses = [s.getsockname() for s in sockets]
        data = bytes((SIZE - HEADERS) * SEGMENTS)
        gap_s = SEGMENTS * SIZE * 8 / (mbps * 1e6)
        lab.command("mark")
        start, sent = time.monotonic(), 0
        while (now := time.monotonic() - start) < SECONDS:
            while sent * gap_s < now:
                a, step = sent % hosts, 1 + sent // hosts % (hosts - 1)
                sockets[a].sendto(data, addresses[(a + step) % hosts])
                sent += 1
            time.sleep(0.0005)
        stats = lab.stats()
    load = stats["load"]
    got = sum(h["got"]["bytes"] for h in stats["hosts"].values())
    print(f"{got * 8 / load['seconds'] / 1e6:.1f} Mb/s came: "
          f"{load['cpu_s'] / load['seconds']:.3f} of a core, {load['worst_ms']:.2f} ms late at most, "
          f"{100 * load['late'] / load['events']:.2f} % over 5 ms; the machine was "
          f"{100 * load['busy']:.0f} % busy")
    for reason in stats["overload"]:
        print(f"overload: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
