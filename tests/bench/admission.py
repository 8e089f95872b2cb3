#!/usr/bin/python3
"""admission: what 10,000 access rules cost a connection, and what rates and limits cost besides.

The same pool three times: without rules; with a list of 10,000 networks, of which the client's is one; and with that list,
both rates and a limit by source, none of which is ever met; each daemon in a control group of its own, whose CPU time counts
everything. The handler is a module that does nearly nothing, so that what is measured
is nearly all admission. In each round ab(1) meets each once, in another order every round. It is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import os

import bench
from bench import Cgroup, tests

GOAL, CLIENTS, RULES = 1.05, 8, 10000
LIMITS = {"rate_limit": "1000000/s", "rate_limit_per_source": "1000000/s", "max_connections_per_source": 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--requests", type=int, default=2000, help="in each round, to each pool")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils"})
    with bench.Bench("admission", "CPU time per connection with access rules",
                     {**vars(options), "clients": CLIENTS, "rules": RULES}, ["apache2-utils"]) as figures:
        ports = {name: tests.free_port() for name in ("all", "rules", "plain")}
        groups = {name: figures.stack.enter_context(Cgroup.new(name)) for name in ports}
        if not all(groups.values()):
            figures.not_measured("CPU per connection", "control groups of version 2 cannot be made here")
            return
        listed = figures.directory / "list"
        listed.write_text("".join(f"10.{i >> 8}.{i & 255}.0/24\n" for i in range(RULES - 1)) + "127.0.0.0/8\n")
        listed.chmod(0o644)
        for name, port in ports.items():
            pool = {"listen": tests.tcp4(port), "handler_type": "module", "handler": figures.module("hello"),
                    "scaling": "static", "max_workers": options.workers,
                    **({"allow": f"@{listed}"} if name != "plain" else {}), **(LIMITS if name == "all" else {})}
            group = groups[name]
            assert group
            figures.stack.enter_context(figures.daemon({"www": pool}, popen={"preexec_fn": group.enter}))
        measure(figures, options, ports, groups)


def measure(figures: bench.Bench, options: argparse.Namespace, ports: dict[str, int],
            groups: dict[str, Cgroup | None]) -> None:
    costs = bench.measure_cpu(figures, ports, groups, CLIENTS, options.rounds, options.requests)
    plain = bench.median(costs["plain"])
    figures.figure("CPU over a pool without rules", bench.median(costs["rules"]) / plain, "×", at_most=GOAL, digits=3)
    figures.figure("CPU with rates and limits, too", bench.median(costs["all"]) / plain, "×", at_most=GOAL, digits=3)


if __name__ == "__main__":
    main()
