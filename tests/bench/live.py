#!/usr/bin/python3
"""live: adaptive scaling of a real pool, beside what the replay (tests/replay) says of the very same requests.

A client makes the requests of a load, compressed in time, to a module that serves as long as the client wants. What the
pool's workers cost in time and starts is measured, and so are the waits; then the simulator gets the requests as they came
and as long as they were served, and what a start was found to cost. Once with a quick start, once with a slow one.

    tests/bench/live.py [--trace NAME]    NAME: conv or code, of the folder that PREFORKD_TRACES names; without it, a load of
                                          two states is generated

A machine that is busy with other things makes starts slower and clients late, which the simulator cannot know; and in a
short run a start more or less in the first burst decides how many spare workers there are.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import datetime
import heapq
import os
import random
import selectors
import socket
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bench
from bench import tests
from control import Control, control_of

MOST_WORKERS = 400  # as in the replay
COST_GOAL = 0.10
FIRST, FIRST_S = 16, 5
SAMPLE_S = 0.005  # how often workers are counted, and
ASK_S = 10  # how often the master is asked, which costs it more than its work


@dataclass
class Request:
    due: float  # seconds
    duration: float
    connected: float = 0.0  # what came of it, by the clock
    served: float = 0.0
    ended: float = 0.0
    socket: socket.socket | None = field(default=None, repr=False)


# --- loads ----------------------------------------------------------------------------------------------------------

def of_trace(path: Path, compression: float) -> list[Request]:
    """The times of service are those of tests/replay/workload.h."""
    with path.open() as file:
        rows = [(datetime.datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp(),
                 max(0.01 * int(row["GeneratedTokens"]) + 0.0002 * int(row["ContextTokens"]), 0.002))
                for row in csv.DictReader(file)]
    first = min(at for at, _ in rows)
    return [Request((at - first) / compression, duration / compression) for at, duration in sorted(rows)]


def generated(seconds: float, compression: float) -> list[Request]:
    """Few requests for a minute, many for five seconds, on the average; always the same."""
    chance, now, until, high, requests = random.Random(1), 0.0, 0.0, True, []
    while now < seconds * compression:
        if now >= until:
            high = not high
            until = now + chance.expovariate(1 / (5 if high else 55))
        now += chance.expovariate(30 if high else 2)
        requests.append(Request(now / compression, chance.lognormvariate(-1.2, 1) / compression))
    return requests


def begun_gently(requests: list[Request]) -> list[Request]:
    """A few requests before the others, so that it is known what a start costs when it matters."""
    return [Request(FIRST_S * number / FIRST, 1) for number in range(FIRST)] + [
        Request(FIRST_S + request.due, request.duration) for request in requests]


# --- the client -----------------------------------------------------------------------------------------------------

class Client:
    """Makes requests when they are due, holds each connection for its time once it is served, and notes when what was."""

    def __init__(self, port: int, requests: list[Request]) -> None:
        self.port, self.requests = port, requests
        self.selector = selectors.DefaultSelector()
        self.open = 0

    def run(self) -> None:
        self.begun = time.monotonic()
        self.due = [(self.begun + request.due, number) for number, request in enumerate(self.requests)]
        heapq.heapify(self.due)
        while self.due or self.open:
            wait = self.due[0][0] - time.monotonic() if self.due else 30
            for key, _ in self.selector.select(max(wait, 0)):
                self.be_served(*key.data)
            while self.due and self.due[0][0] <= time.monotonic():
                self.act(heapq.heappop(self.due)[1])

    def act(self, number: int) -> None:
        request = self.requests[number]
        if request.socket is None:
            request.socket = socket.socket()
            request.socket.setblocking(False)
            request.connected = time.monotonic()
            with contextlib.suppress(BlockingIOError):
                request.socket.connect(("127.0.0.1", self.port))
            self.selector.register(request.socket, selectors.EVENT_READ, (number, request))
            self.open += 1
        else:
            request.ended = time.monotonic()
            request.socket.close()
            self.open -= 1

    def be_served(self, number: int, request: Request) -> None:
        assert request.socket
        if not request.socket.recv(100):
            raise RuntimeError("a connection has ended before it was served")
        request.served = time.monotonic()
        self.selector.unregister(request.socket)
        heapq.heappush(self.due, (request.served + request.duration, number))


# --- what it cost -----------------------------------------------------------------------------------------------------

class Watch:
    """How many workers there are, every few milliseconds, as the kernel knows it; and what a start is found to cost."""

    def __init__(self, daemon: tests.Daemon, control: Control) -> None:
        self.pid, self.control = daemon.pid, control
        self.others = len(bench.child_pids(daemon.pid)) - control.pool()["counts"]["total"]
        self.area, self.master_us = 0.0, self.used_us()
        self.found: list[dict[str, Any]] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.count), threading.Thread(target=self.ask)]

    def used_us(self) -> float:
        """Of a processor, by the master."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1000

    def count(self) -> None:
        before = time.monotonic()
        while not self.over.wait(SAMPLE_S):
            now = time.monotonic()
            self.area += (len(bench.child_pids(self.pid)) - self.others) * (now - before)
            before = now

    def ask(self) -> None:
        while not self.over.wait(ASK_S):
            self.found.append(self.control.pool()["starts"])

    def __enter__(self) -> Watch:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.master_us = self.used_us() - self.master_us

    def mean(self, name: str) -> float:
        return statistics.fmean(found[name] for found in self.found)


@dataclass
class Simulated:
    cost: float
    area: float
    starts: float
    late: float
    wait_p999_ms: float
    optimum: float
    price: float


def simulate(figures: bench.Bench, client: Client, watch: Watch) -> Simulated:
    """The same requests, from when each came and for as long as it was served."""
    served = figures.directory / "served"
    served.write_text("".join(f"{(request.connected - client.begun) * 1e6:.0f} {(request.ended - request.served) * 1e6:.0f}\n"
                              for request in client.requests))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    program = bench.build().parents[2] / "tests/replay/replay_served"
    done = subprocess.run([program, served, *(f"{watch.mean(name):.0f}" for name in ("duration_us", "cpu_us", "worker_bytes")),
                           str(memory), str(os.sysconf("SC_NPROCESSORS_CONF"))], stdout=subprocess.PIPE, text=True, check=True)
    return Simulated(*map(float, done.stdout.split()))


def measure(figures: bench.Bench, name: str, requests: list[Request], megabytes: int, start_ms: int) -> None:
    port = tests.free_port()
    pool = {"listen": tests.tcp4(port), "handler_type": "module", "scaling": "adaptive", "max_workers": MOST_WORKERS,
            "handler": [figures.module("serve"), "hold", str(megabytes << 20), str(start_ms)], "max_spare_workers": MOST_WORKERS}
    with figures.daemon({"www": pool}, control=True) as daemon:
        control, client = control_of(daemon), Client(port, requests)
        with Watch(daemon, control) as watch:
            client.run()
        starts = control.pool()["totals"]["forked"]
        said = simulate(figures, client, watch)
    waits = sorted(request.served - request.connected for request in requests)
    cost = watch.area + starts * said.price
    late = sum(wait * 1000 > 10 for wait in waits) / len(waits)
    figures.say(f"{name}: a start takes {watch.mean('duration_us') / 1000:.1f} ms, {watch.mean('cpu_us') / 1000:.2f} ms of a "
                f"processor, and is worth {said.price:.2f} s of {watch.mean('worker_bytes') / 2**20:.1f} MB; "
                f"all that the master does, {watch.master_us / starts:.0f} µs a start")
    figures.say(f"{name}: workers {watch.area:.0f} s, simulated {said.area:.0f} s; starts a request {starts / len(requests):.4f}, "
                f"simulated {said.starts:.4f}; optimum {said.optimum:.0f} s, cost {cost / said.optimum:.3f}, simulated "
                f"{said.cost / said.optimum:.3f}")
    figures.say(f"{name}: waited longer than 10 ms: {100 * late:.2f} %, simulated, at all: {100 * said.late:.2f} %; p99.9 "
                f"{waits[int(0.999 * len(waits))] * 1000:.0f} ms, simulated {said.wait_p999_ms:.0f} ms")
    figures.figure(f"{name}: cost beside the simulated one, off by", abs(cost / said.cost - 1), at_most=COST_GOAL, digits=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trace", choices=("conv", "code"), default="code")
    parser.add_argument("--compression", type=float, default=8)
    parser.add_argument("--megabytes", type=int, default=8, help="that a worker has")
    parser.add_argument("--seconds", type=float, default=180, help="so much of the load, as compressed")
    parser.add_argument("--only", choices=("quick", "slow"))
    options = parser.parse_args()
    folder = os.environ.get("PREFORKD_TRACES")
    with bench.Bench("live", "adaptive scaling of a real pool beside the simulated one", vars(options)) as figures:
        for name, start_ms in (("quick", 0), ("slow", 150)):
            if options.only in (None, name):
                load = (of_trace(Path(folder) / f"{options.trace}.csv", options.compression) if folder else
                        generated(options.seconds, options.compression))
                measure(figures, name, begun_gently([request for request in load if request.due < options.seconds]),
                        options.megabytes, start_ms)


if __name__ == "__main__":
    main()
