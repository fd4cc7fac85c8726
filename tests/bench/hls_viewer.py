#!/usr/bin/env python3
"""hls_viewer.py HOST PORT - follows live.m3u8 from its newest segment on; the bytes go to standard
output as they come."""

import http.client
import sys
import time

PERIOD_S = 0.25


def get(connection, path):
    connection.request("GET", path)
    return connection.getresponse()


def newest(playlist):
    names = [int(line[:-3]) for line in playlist.splitlines() if line.endswith(".ts")]
    return names[0], names[-1]


def follow(connection):
    next_number, due = None, time.monotonic()
    while True:
        answer = get(connection, "/live.m3u8")
        text = answer.read().decode()
        if answer.status == 200:
            first, last = newest(text)
            next_number = last if next_number is None else max(next_number, first)
            while next_number <= last:
                segment = get(connection, f"/{next_number}.ts")
                while data := segment.read1(65536):
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                segment.read()  # the end, without which the connection takes no other request
                next_number += 1
        due = max(due + PERIOD_S, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0))


def main():
    while True:
        try:
            follow(http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10))
        except (OSError, http.client.HTTPException) as error:
            print(f"hls_viewer: {error}", file=sys.stderr)
            time.sleep(PERIOD_S)


if __name__ == "__main__":
    main()
