"""SRT, unicast: the source runs a listener for each viewer (srt-live-transmit serves one)."""

from systems import FPS, SOURCE, STREAM_BPS, Stamped

NEEDS = ("srt-live-transmit",)
VIEWERS_MAX = 64
LAG = "from a frame handed to the senders to all of it received, SRT's latency included"


class System(Stamped):
    def __init__(self, latency):
        self.latency = latency

    def start_source(self, bench, viewers):
        ports = [str(7000 + i) for i in range(1, viewers + 1)]
        listeners = " ".join(
            f"srt-live-transmit -q udp://127.0.0.1:{7000 + i} "
            f"'srt://:{9000 + i}?mode=listener&latency={self.latency}' &"
            for i in range(1, viewers + 1))
        send = " ".join(bench.stamp("send", str(STREAM_BPS), str(FPS), "udp", *ports))
        return bench.start(SOURCE, "source", ["sh", "-c", f"{listeners} exec {send}"])

    def start_viewer(self, bench, name, host, number):
        to = f"srt://{bench.lab.address(SOURCE)}:{9000 + number}?latency={self.latency}"
        receive = " ".join(bench.stamp("receive"))
        return bench.start(host, name, [
            "sh", "-c", f"srt-live-transmit -q '{to}' file://con | {receive}"])
