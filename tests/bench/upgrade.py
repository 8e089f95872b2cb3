#!/usr/bin/python3
"""upgrade: for how long the master is away when another program goes on in its place.

One client asks the control socket for the version, again and again, while another has the daemon upgraded; what the
slowest of the first client's questions took is the gap as clients see it. Beside it the same without an upgrade, and how
long the whole of it takes, preflight included, from the wish to the reply.
"""

from __future__ import annotations

import argparse
import resource
import threading
import time
from pathlib import Path

import bench
from bench import tests
from control import Control

GOAL_GAP_MS = 100.0


def slowest_ms(control: Control, end: threading.Event) -> float:
    """The slowest of all questions until the end, and one after it."""
    slowest, last = 0.0, False
    while not last:
        last = end.is_set()
        start = time.monotonic()
        control.do("version")
        slowest = max(slowest, (time.monotonic() - start) * 1000)
    return slowest


def one_round(control: Control, program: Path | None) -> tuple[float, float]:
    """The slowest question and how long all of it took, in ms; without a program nothing happens for 50 ms."""
    end, found = threading.Event(), [0.0]
    asker = threading.Thread(target=lambda: found.__setitem__(0, slowest_ms(control, end)))
    asker.start()
    start = time.monotonic()
    if program:
        control.do(f"upgrade {program}", timeout=60)
    else:
        time.sleep(0.05)
    took = (time.monotonic() - start) * 1000
    end.set()
    asker.join()
    return found[0], took


def measure(figures: bench.Bench, workers: int, rounds: int) -> None:
    pool = {"listen": tests.tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": workers}
    path = figures.directory / f"control-{workers}"
    with figures.daemon({"www": pool}, master={"control": path}) as daemon:
        daemon.wait_workers(workers, timeout=60)
        control = Control(path)
        still = [one_round(control, None)[0] for _ in range(rounds)]
        upgrades = [one_round(control, tests.BINARY) for _ in range(rounds)]
        assert sorted(daemon.workers()) == sorted(daemon.wait_workers(workers)), "a worker was lost"
    figures.say(f"{workers} workers: the slowest question: {bench.spread(still, 1)} ms; in an upgrade "
                f"{bench.spread([gap for gap, _ in upgrades], 1)} ms")
    figures.figure(f"gap of an upgrade with {workers} workers", bench.median([gap for gap, _ in upgrades]), "ms",
                   at_most=GOAL_GAP_MS, digits=1)
    figures.figure(f"the whole of it with {workers} workers", bench.median([took for _, took in upgrades]), "ms", digits=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--workers", type=int, nargs="+", default=[4, 1000])
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, max(options.workers) + 200)), hard))
    with bench.Bench("upgrade", "another program in the master's place", vars(options)) as figures:
        for workers in options.workers:
            measure(figures, workers, options.rounds)


if __name__ == "__main__":
    main()
