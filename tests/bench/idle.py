#!/usr/bin/python3
"""idle: a daemon with nothing to do does nothing, and workers that wait cost those that work nothing.

First, context switches: several masters, each with a pool of every kind of scaling, are left alone; the one that was
switched to most often counts. Then throughput and CPU per connection of a pool of 10 workers and of one of 1,000, both
idle but for one ab(1), in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import time

import bench
from bench import tests


def settled(daemon: tests.Daemon) -> None:
    """Return when a master has been left in peace for a second."""
    def quiet() -> bool:
        before = tests.context_switches(daemon.pid)
        time.sleep(1)
        return tests.context_switches(daemon.pid) == before
    tests.wait_until(quiet, "a master at rest", 20)


def measure_wakeups(figures: bench.Bench, rounds: int, seconds: float) -> None:
    """`rounds` masters are watched at the same time."""
    handler = figures.handler("hello")
    with contextlib.ExitStack() as stack:
        daemons = []
        for _ in range(rounds):
            pools: dict[str, dict[str, tests.Value]] = {
                "dynamic": {"min_spare_workers": 4, "max_spare_workers": 8},
                "static": {"scaling": "static", "max_workers": 4},
                "ondemand": {"scaling": "ondemand", "max_workers": 4},
                "two": {"listen": f"{tests.tcp4()} {tests.tcp6() if tests.have_ipv6() else tests.tcp4()}"},
            }
            for options in pools.values():
                options.setdefault("listen", tests.tcp4())
                options.setdefault("handler", handler)
            daemons.append(stack.enter_context(figures.daemon(pools)))
            for options in pools.values():  # each has served once: timers that a request arms are armed
                tests.request(str(options["listen"]).split()[0], b"GET / HTTP/1.0\r\n\r\n")
        # The idle worker of the pool on demand goes after spare_timeout (10 s); wait for that, too.
        for daemon in daemons:
            tests.wait_until(lambda d=daemon: not d.workers("ondemand"), "the end of the worker on demand", 30)
            settled(daemon)
        before = [tests.context_switches(daemon.pid) for daemon in daemons]
        time.sleep(seconds)
        switches = [tests.context_switches(daemon.pid) - count for daemon, count in zip(daemons, before)]
    figures.say(f"context switches of {rounds} masters in {seconds:g} s: {switches}")
    figures.figure(f"context switches of the master in {seconds:g} s, the most", max(switches), at_most=0, digits=0)


def measure_crowd(figures: bench.Bench, rounds: int, requests: int, many: int) -> None:
    handler = figures.handler("hello")
    sizes = (10, many)
    rates: dict[int, list[float]] = {size: [] for size in sizes}
    cpu_us: dict[int, list[float]] = {size: [] for size in sizes}
    ports = {size: tests.free_port() for size in sizes}
    with contextlib.ExitStack() as stack:
        groups = {}
        for size in sizes:
            group = groups[size] = stack.enter_context(bench.Cgroup.new(f"idle-{size}"))
            pool = {"listen": tests.tcp4(ports[size]), "handler": handler, "scaling": "static", "max_workers": size}
            daemon = stack.enter_context(figures.daemon({"www": pool}, popen={"preexec_fn": group.enter} if group else None))
            tests.wait_until(lambda d=daemon, n=size: len(bench.child_pids(d.pid)) == n, f"{size} workers", 30)
            bench.load(ports[size], 8, requests)  # every worker has served once
            settled(daemon)
        for number in range(rounds):
            for size in sizes if number % 2 else sizes[::-1]:
                group = groups[size]
                before = group.cpu_us() if group else 0
                rates[size].append(bench.load(ports[size], 8, requests).per_second)
                if group:
                    cpu_us[size].append((group.cpu_us() - before) / requests)
    for size in sizes:
        figures.say(f"{size} workers: {bench.spread(rates[size], 0)} connections/s"
                    + (f", {bench.spread(cpu_us[size], 0)} µs of CPU each" if cpu_us[size] else ""))
    figures.figure(f"throughput with {many} workers over that with 10",
                   bench.median([a / b for a, b in zip(rates[many], rates[10])]), "×", at_least=0.95)
    what = f"CPU per connection with {many} workers over that with 10"
    if cpu_us[many]:
        figures.figure(what, bench.median([a / b for a, b in zip(cpu_us[many], cpu_us[10])]), "×", at_most=1.1)
    else:
        figures.not_measured(what, "needs a cgroup of version 2 that we may make (as root)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, default=1500, help="in each round, to each pool")
    parser.add_argument("--workers", type=int, default=1000)
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils"})
    with bench.Bench("idle", "what idle costs", vars(options), ["apache2-utils"]) as figures:
        measure_wakeups(figures, 5, options.seconds)
        measure_crowd(figures, options.rounds, options.requests, options.workers)


if __name__ == "__main__":
    main()
