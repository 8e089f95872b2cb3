#!/usr/bin/python3
"""growth: from 1 worker to 1,000 within a second, and what master and workers weigh.

1,000 clients connect at once and each sends a byte to /bin/cat, which sends it back and waits for more: a client that has
its byte has a worker and a handler of its own. The clock runs until the last one has it, so it counts 1,000 starts of cat,
too. Memory is that of a pool of 100 workers: PSS of the master, and what is private to an idle worker, before and after
each of them has served.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import selectors
import socket
import time

import bench
from bench import tests

GOAL_SECONDS = 1.0
GOAL_MASTER_PSS_KB = 3 * 1024
GOAL_WORKER_PRIVATE_KB = 150


def connect_all(port: int, count: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Clients that send their byte at once; the kernel takes it before anybody accepts."""
    clients = []
    for _ in range(count):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        client.send(b"x")
        client.setblocking(False)
        clients.append(client)
    return clients


def one_growth(figures: bench.Bench, count: int) -> tuple[float, float]:
    """Seconds until there were `count` workers, and until every client was being served."""
    port = tests.free_port()
    pool = {"listen": tests.tcp4(port), "handler": "/bin/cat", "min_spare_workers": 1, "max_spare_workers": count,
            "start_workers": 1, "max_workers": count, "backlog": count}
    grown = served = 0.0
    with figures.daemon({"www": pool}) as daemon, contextlib.ExitStack() as stack:
        daemon.wait_workers(1)
        selector = stack.enter_context(selectors.DefaultSelector())
        start = time.monotonic()
        for client in connect_all(port, count, stack):
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map() or not grown:
            for key, _ in selector.select(0.005):
                if key.fileobj.recv(1) != b"x":  # type: ignore[union-attr]
                    raise RuntimeError(f"a client was not served:\n{daemon.log()}")
                selector.unregister(key.fileobj)
                served = time.monotonic() - start
            if not grown and len(bench.child_pids(daemon.pid)) == count:
                grown = time.monotonic() - start
            if time.monotonic() - start > 60:
                raise RuntimeError(f"{len(selector.get_map())} of {count} clients wait after 60 s:\n{daemon.log()}")
    return grown, served


def measure_memory(figures: bench.Bench, count: int) -> None:
    port = tests.free_port()
    pool = {"listen": tests.tcp4(port), "handler": figures.handler("hello"), "scaling": "static", "max_workers": count}
    with figures.daemon({"www": pool}) as daemon:
        workers = daemon.wait_workers(count)
        tests.wait_until(lambda: all(tests.stat_fields(pid)[0] == "S" for pid in workers), "idle workers", 20)  # type: ignore[index]
        for moment in ("at the start", "after requests"):
            private = [bench.memory_kb(pid)["Private"] for pid in workers]
            pss = bench.memory_kb(daemon.pid)["Pss"]
            figures.say(f"{moment}: master {pss} KB PSS; {count} workers: {bench.spread(private, 0)} KB private")
            figures.figure(f"PSS of the master with {count} workers, {moment}", pss, "KB", at_most=GOAL_MASTER_PSS_KB, digits=0)
            figures.figure(f"private memory of an idle worker, {moment}, the most", max(private), "KB",
                           at_most=GOAL_WORKER_PRIVATE_KB, digits=0)
            # Accept is first in, first out: so many in a row reach every worker.
            for _ in range(3 * count):
                tests.request(tests.tcp4(port), b"GET / HTTP/1.0\r\n\r\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1000)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * options.workers + 100)), hard))
    with bench.Bench("growth", "a pool that grows as fast as its clients come, and its memory", vars(options)) as figures:
        results = [one_growth(figures, options.workers) for _ in range(options.rounds)]
        figures.say(f"until all are served: {bench.spread([served for _, served in results])} s")
        figures.figure(f"1 → {options.workers} workers", bench.median([grown for grown, _ in results]), "s",
                       at_most=GOAL_SECONDS, digits=3)
        figures.figure(f"{options.workers} clients each served by a handler of its own",
                       bench.median([served for _, served in results]), "s", digits=3)
        measure_memory(figures, 100)


if __name__ == "__main__":
    main()
