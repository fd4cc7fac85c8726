#!/usr/bin/env python3
"""ping.py ADDRESS PERIOD_MS - ICMP echoes to an IPv4 address, a line "SECONDS MS" for each answer.

SECONDS are of the machine's monotonic clock, when it was sent; MS is the round trip. Runs until it
is ended.
"""

import os
import select
import socket
import struct
import sys
import time

ECHO, ECHO_REPLY = 8, 0


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def echo(number):
    body = struct.pack("!HHd", os.getpid() & 0xffff, number & 0xffff, time.monotonic())
    head = struct.pack("!BBH", ECHO, 0, checksum(struct.pack("!BBH", ECHO, 0, 0) + body))
    return head + body


def take(packet):
    """Prints what an answer of ours says."""
    message = packet[(packet[0] & 15) * 4:]
    if len(message) < 16 or message[0] != ECHO_REPLY:
        return
    who, _, sent = struct.unpack("!HHd", message[4:16])
    if who == os.getpid() & 0xffff:
        print(f"{sent:.3f} {1000 * (time.monotonic() - sent):.2f}", flush=True)


def main():
    address, period = sys.argv[1], float(sys.argv[2]) / 1000
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    due, number = time.monotonic(), 0
    while True:
        if time.monotonic() >= due:
            s.sendto(echo(number), (address, 0))
            number += 1
            due += period
        if select.select([s], [], [], max(due - time.monotonic(), 0))[0]:
            take(s.recv(2048))


if __name__ == "__main__":
    main()
