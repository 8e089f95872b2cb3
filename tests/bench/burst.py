#!/usr/bin/python3
"""burst: many clients at once, all of them served before anybody has to wait for a second request.

64 clients connect in the same moment to a pool of 2 spare workers and at most 120, whose handler takes 200 ms. Every
round meets a daemon that has just started, so all but two workers are yet to be made. php-fpm and Apache prefork, which
grow once a second, took 3.1 s for it (see the README of the prototypes, whose burst this is); they are not run here: their
packages come with services.
"""

from __future__ import annotations

import argparse

import bench
from bench import tests

GOAL_SECONDS = 0.30
POOL = {"min_spare_workers": 2, "max_spare_workers": 2, "start_workers": 2, "max_workers": 120, "backlog": 511}


def one_burst(figures: bench.Bench, clients: int, handler_ms: int) -> float:
    address = tests.tcp4()
    pool = {"listen": address, "handler": [figures.handler("wait"), str(handler_ms)], **POOL}
    with figures.daemon({"www": pool}) as daemon:
        daemon.wait_workers(POOL["start_workers"])
        replies = tests.burst(address, clients)
        unserved = [reply for reply in replies if reply.error or not reply.data]
        if unserved:
            raise RuntimeError(f"{len(unserved)} of {clients} clients were not served: {unserved[0]}\n{daemon.log()}")
        return max(reply.seconds for reply in replies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--handler-ms", type=int, default=200)
    options = parser.parse_args()
    with bench.Bench("burst", "clients at once to a pool that has yet to grow",
                     {"clients": options.clients, "handler": f"{options.handler_ms} ms", "rounds": options.rounds,
                      **POOL}) as figures:
        makespans = [one_burst(figures, options.clients, options.handler_ms) for _ in range(options.rounds)]
        figures.say(f"makespan: {bench.spread(makespans)} s")
        figures.figure(f"all {options.clients} clients served", bench.median(makespans), "s", at_most=GOAL_SECONDS, digits=3)


if __name__ == "__main__":
    main()
