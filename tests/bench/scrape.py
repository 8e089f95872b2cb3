#!/usr/bin/python3
"""scrape: what it costs the master that somebody looks at it.

1,000 workers in 10 pools, all idle, are scraped once a second through a status pool, as Prometheus would: the processor
time of the master, compared with the time that passes. Then the same of a browser that shows all workers.
"""

from __future__ import annotations

import argparse
import http.client
import time
from pathlib import Path

import bench
from bench import tests

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def scrape(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Accept": ACCEPT})
    response = connection.getresponse()
    length = len(response.read())
    assert response.status == 200, (path, response.status)
    connection.close()
    return length


def cpu_ms(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def measure(figures: bench.Bench, count: int, workers: int, seconds: int) -> None:
    port = tests.free_port()
    pools: dict[str, dict[str, tests.Value]] = {
        f"pool{number}": {"listen": tests.tcp4(), "handler_type": "builtin", "handler": "discard", "scaling": "static",
                          "max_workers": workers // count} for number in range(count)}
    pools["status"] = {"listen": tests.tcp4(port), "handler_type": "builtin", "handler": "status", "scaling": "static",
                       "max_workers": 2}
    with figures.daemon(pools, popen={"env": tests.clean_environment(**tests.status_object())}) as daemon:
        tests.wait_until(lambda: len(bench.child_pids(daemon.pid)) == workers // count * count + 2, "all workers", 60)
        for _ in range(20):  # so that there are durations to make percentiles of
            for options in list(pools.values())[:-1]:
                tests.request(str(options["listen"]), b"x")
        for path, most in (("/metrics", 0.1), ("/status?full", 2.5)):
            scrape(port, path)
            time.sleep(2)
            before, begun = cpu_ms(daemon.pid), time.monotonic()
            for second in range(seconds):
                time.sleep(max(0.0, begun + second - time.monotonic()))
                length = scrape(port, path)
            time.sleep(max(0.0, begun + seconds - time.monotonic()))  # as many seconds as scrapes
            used, passed_ms = cpu_ms(daemon.pid) - before, 1000 * (time.monotonic() - begun)
            figures.say(f"{path}: {length} bytes, {used / seconds:.2f} ms of the master each")
            figures.figure(f"{path} once a second: the master's part of a processor", 100 * used / passed_ms, "%",
                           at_most=most, digits=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--pools", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1000)
    options = parser.parse_args()
    with bench.Bench("scrape", "what being looked at costs", vars(options), []) as figures:
        measure(figures, options.pools, options.workers, options.seconds)


if __name__ == "__main__":
    main()
