#!/usr/bin/env python3
"""stamp receives what stamp sends, also where some of it is missing or cut."""

import subprocess
import sys

from lab import built

STAMP = built("tests/lab-stamp")
PACKET, FPS = 188, 30
FRAMES = 12


def sent():
    """The bytes of some frames, without the lengths before each."""
    sender = subprocess.Popen([STAMP, "send", "600000", str(FPS), "out"], stdout=subprocess.PIPE)
    frames = []
    while len(frames) < FRAMES:
        length = int.from_bytes(sender.stdout.read(4), "big")
        frames.append(sender.stdout.read(length))
    sender.kill()
    sender.wait()
    sender.stdout.close()
    return frames


def received(data):
    """The numbers of the frames that are whole."""
    done = subprocess.run([STAMP, "receive"], input=data, capture_output=True, check=True)
    rows = [tuple(map(int, line.split())) for line in done.stdout.decode().splitlines()]
    for (number, at, lag), (after, later, _) in zip(rows, rows[1:]):
        frames = after - number
        assert abs(later - at - frames * 1000000 / FPS) <= abs(frames) + 1, (at, later)
        assert lag < 60000000, lag
    return [row[0] for row in rows]


def main():
    frames = sent()
    every = list(range(FRAMES))
    assert received(b"".join(frames)) == every
    assert received(b"".join(reversed(frames))) == every[::-1]
    # Twice is once; a frame without its last packet is not there; what was cut is passed over.
    assert received(frames[0] + frames[0] + frames[1]) == [0, 1]
    assert received(frames[0] + frames[1][:-PACKET] + frames[2]) == [0, 2]
    assert received(frames[0][40:] + frames[1] + frames[2]) == [1, 2]
    for words in ([], ["send"], ["send", "x", "30", "out"], ["send", "600000", "0", "out"]):
        done = subprocess.run([STAMP, *words], capture_output=True, check=False)
        assert done.returncode == 2 and done.stderr.startswith(b"usage: "), words
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
