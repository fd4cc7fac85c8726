#!/usr/bin/env python3
"""The short scenarios hold, and a file that cannot be done is refused where it is wrong.

A scenario that does not hold while the router says that it, or the machine, was overloaded counts as
skipped. Skipped (77) also where a lab cannot be made.
"""

import os
import sys
import tempfile

from lab import ROOT, LabError, missing
from scenario import Scenario, ScenarioError, judge, play

SHORT = ("small-wan", "cut-and-heal")
BAD = ("nonsense", "hosts a 0", "hosts a 65", "hosts A 1", "hosts a x", "hosts a 1\nhosts a 1",
       "run x on nobody: true", "run x: true", "at 1 explode", "at x kill y", "at 1 cut nobody",
       "expect a ~ 1", "expect a == b", "seconds 0", "seconds 4000", "hosts a 1")
RESULT = {"hosts": {"a": {"sent": 5}, "b": {"sent": 7}}}
JUDGED = (("hosts.a.sent", "==", 5, 0), ("hosts.*.sent", ">", 4, 0), ("hosts.*.sent", ">", 5, 1),
          ("hosts.*.sent", "<", 5, 2), ("hosts.c.sent", "==", 5, 1), ("hosts.a", "==", 5, 1))


def path_of(name):
    return os.path.join(ROOT, "tests", "lab", "scenarios", name)


def reads():
    """Returns what is wrong, in words."""
    wrong = []
    for text in BAD:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            try:
                Scenario(f.name)
                wrong.append(f"'{text}' is taken")
            except ScenarioError:
                pass
    for path, compare, number, count in JUDGED:
        if len(judge(RESULT, [(path, compare, number)])) != count:
            wrong.append(f"{path} {compare} {number} is judged wrongly")
    if Scenario(path_of(SHORT[0]), {"viewer": "5"}).classes["viewer"][0] != 5:
        wrong.append("--hosts changes nothing")
    for name in os.listdir(path_of("")):
        Scenario(path_of(name))
    return wrong


def main():
    wrong = reads()
    print("\n".join(wrong) or "passed reads")
    if wrong:
        return 1
    if reason := missing():
        print(reason)
        return 77
    results = []
    for name in SHORT:
        try:
            result = play(Scenario(path_of(name)))
        except LabError as error:
            result = {"wrong": [str(error)], "overload": []}
        how = "passed" if not result["wrong"] else "skipped" if result["overload"] else "failed"
        print(": ".join([f"{how} {name}", *result["wrong"], *result["overload"]]), flush=True)
        results.append(how)
    return 1 if "failed" in results else 77 if "skipped" in results else 0


if __name__ == "__main__":
    sys.exit(main())
