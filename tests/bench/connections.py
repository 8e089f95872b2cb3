#!/usr/bin/python3
"""connections: what connection_log = all costs a connection.

The same pool twice, with it and without; each daemon in a control group of its own, whose CPU time counts everything, the
records and the log file, too. The goal is about handlers that are executed; a module that does nearly nothing shows what a
record costs by itself. In each round ab(1) meets both once, in another order every round. It is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import bench
from bench import Cgroup, tests

GOAL, CLIENTS = 1.05, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, to each pool")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils"})
    with bench.Bench("connections", "CPU time per connection with connection_log = all",
                     {**vars(options), "clients": CLIENTS}, ["apache2-utils"]) as figures:
        names = [f"{kind}{way}" for kind in ("exec", "module") for way in ("", "-logged")]
        ports = {name: tests.free_port() for name in names}
        groups = {name: figures.stack.enter_context(Cgroup.new(name)) for name in names}
        if not all(groups.values()):
            figures.not_measured("CPU per connection", "control groups of version 2 cannot be made here")
            return
        kinds: dict[str, dict[str, Any]] = {
            "exec": {"handler": figures.handler("hello")},
            "module": {"handler_type": "module", "handler": figures.module("hello")},
        }
        for name in names:
            kind, _, logged = name.partition("-")
            pool = {"listen": tests.tcp4(ports[name]), "scaling": "static", "max_workers": options.workers, **kinds[kind],
                    "connection_log": "all" if logged else "no"}
            group = groups[name]
            assert group
            figures.stack.enter_context(figures.daemon({"www": pool}, popen={"preexec_fn": group.enter}))
        measure(figures, options, ports, groups)


def measure(figures: bench.Bench, options: argparse.Namespace, ports: dict[str, int],
            groups: dict[str, Cgroup | None]) -> None:
    costs = bench.measure_cpu(figures, ports, groups, CLIENTS, options.rounds, options.requests)
    for kind, goal in (("exec", GOAL), ("module", None)):
        figures.figure(f"CPU over a pool without it, {kind}",
                       bench.median(costs[f"{kind}-logged"]) / bench.median(costs[kind]), "×", at_most=goal, digits=3)


if __name__ == "__main__":
    main()
