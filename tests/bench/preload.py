#!/usr/bin/python3
"""preload: what watching a program costs that accepts itself, in CPU time for each connection.

The same program (tests/handlers/bare.c, which does nothing but accept and answer) with `accounting = preload` and with
`none`, where nothing is loaded into it, and by itself without preforkd; one that waits in accept(2), and one that waits by
poll(2) before. All have the same number of processes, as many as there are processors, and all of a server's processes are
in a control group of their own. In each round ab(1) meets each server once, in another order every round. The cost is the
median of the differences within a round.
"""

from __future__ import annotations

import argparse
import os

import bench
from bench import Cgroup, tests

GOAL_US, CLIENTS = 8.0, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--requests", type=int, default=2000, help="in each round, to each server")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils"})
    with bench.Bench("preload", "CPU time that watching a program costs for each connection",
                     {**vars(options), "clients": CLIENTS}, ["apache2-utils"]) as figures:
        pools = {f"{accounting}, {way}": (accounting, way) for way in ("accept", "poll") for accounting in ("preload", "none")}
        ports = {name: tests.free_port() for name in (*pools, "by itself")}
        groups = {name: figures.stack.enter_context(Cgroup.new(name.replace(", ", "-").replace(" ", "-"))) for name in ports}
        if not all(groups.values()):
            figures.not_measured("CPU per connection", "control groups of version 2 cannot be made here")
            return
        for name, (accounting, way) in pools.items():
            pool = {"listen": tests.tcp4(ports[name]), "handler_type": "listener", "accounting": accounting,
                    "handler": [figures.handler("bare"), "3", way], "scaling": "static", "max_workers": options.workers}
            figures.stack.enter_context(figures.daemon({"www": pool}, popen={"preexec_fn": groups[name].enter}))
        figures.stack.enter_context(figures.peer([figures.handler("bare"), str(ports["by itself"]), str(options.workers)],
                                                 ports["by itself"], groups["by itself"]))
        measure(figures, options, ports, groups)


def measure(figures: bench.Bench, options: argparse.Namespace, ports: dict[str, int],
            groups: dict[str, Cgroup | None]) -> None:
    costs = bench.measure_cpu(figures, ports, groups, CLIENTS, options.rounds, options.requests)
    for way in ("accept", "poll"):
        watched, unwatched = costs[f"preload, {way}"], costs[f"none, {way}"]
        figures.figure(f"CPU of preload, {way}", bench.median([a - b for a, b in zip(watched, unwatched)]), "µs",
                       at_most=GOAL_US)
        figures.figure(f"… over none, {way}", bench.median(watched) / bench.median(unwatched), "×", digits=3)


if __name__ == "__main__":
    main()
