#!/usr/bin/python3
"""churn: a reload every 100 ms, recycling every 10 requests, and nothing lost; then the same with workers killed.

While ab(1) asks with 8 clients, SIGHUP comes every 100 ms with another configuration: in turn the environment (which
replaces the workers by a new generation), the spare workers and the limit of workers (which apply in place). In the first
half nobody is killed and no request may fail. In the second, workers are killed with SIGKILL at random, and no more
requests may fail than workers died while they served, which is what the daemon's log says of each; than workers died, if
they serve in their own process: one that has just accepted a connection still looks idle. Afterwards the pool must be
whole: within its limits, of one generation, serving, and nobody stuck.

`--type` is the handler type: a program for each connection, a module, or a redirect to a pool with that module.
`--seconds` is the length of each half; tests run it with a few. The exit status is 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import time

import bench
from bench import tests

CLIENTS = 8
RELOAD_S = 0.1
KILL_S = 0.05
POOL = {"min_spare_workers": 4, "max_spare_workers": 8, "max_workers": 24, "max_requests": 10}


# What no worker's death by our hand explains.
ODD = re.compile(r"exited with code|cannot|backing off|killed by signal (?!9 )|failed(?! starts)|dropped|emerg|alert|crit")


def next_configuration(daemon: tests.Daemon, number: int) -> None:
    """Change one thing that the one before did not change."""
    pool = daemon.pools["www"]
    if number % 3 == 0:
        pool["environment"] = f"CHURN={number}"
    elif number % 3 == 1:
        pool["max_spare_workers"] = random.randint(4, 16)
    else:
        pool["max_workers"] = random.randint(16, 32)


def kill_one(daemon: tests.Daemon) -> bool:
    """SIGKILL to a random worker. By a pidfd: between the list and the signal it may end and its number be another's."""
    workers = bench.child_pids(daemon.pid)
    if not workers:
        return False
    victim = random.choice(workers)
    try:
        pidfd = os.pidfd_open(victim)
    except ProcessLookupError:
        return False
    try:
        fields = tests.stat_fields(victim)
        if not fields or int(fields[1]) != daemon.pid or tests.title(victim) != "preforkd: worker www":
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)


def disturb(daemon: tests.Daemon, client: subprocess.Popen[str], kills: bool) -> tuple[int, int]:
    """Reload, and kill if asked to, until the client has ended. How often each was done."""
    reloads = killed = 0
    next_reload = time.monotonic()
    next_kill = next_reload + 0.5  # ab takes the length of its first reply for that of all
    while client.poll() is None:
        now = time.monotonic()
        if now >= next_reload:
            next_configuration(daemon, reloads)
            daemon.hup(wait=None)
            reloads += 1
            next_reload = max(next_reload + RELOAD_S, now)
        if kills and now >= next_kill:
            killed += kill_one(daemon)
            next_kill = now + random.uniform(0, 2 * KILL_S)
        time.sleep(max(min(next_reload, next_kill if kills else next_reload) - time.monotonic(), 0.001))
    return reloads, killed


def must_be_whole(daemon: tests.Daemon, address: str) -> None:
    """The end of the storm: as any pool that has nothing to do."""
    daemon.hup(wait=None)  # the last reload may have been overtaken by the end of the load
    most = int(str(daemon.pools["www"]["max_workers"]))

    def calm() -> bool:
        workers = daemon.workers()
        return 4 <= len(workers) <= most and all(not tests.children(pid) for pid in workers)

    tests.wait_until(calm, "a pool within its limits, with idle workers", 20)
    for _ in range(3 * most):
        reply = tests.request(address, b"GET / HTTP/1.0\r\n\r\n")
        if b"hello" not in reply:
            raise RuntimeError(f"a pool at rest answers {reply!r}")


def pools_of(figures: bench.Bench, kind: str, address: str) -> dict[str, dict[str, object]]:
    """The pool under test, "www", and what it needs."""
    if kind == "inetd":
        return {"www": {"listen": address, "handler": figures.handler("hello"), **POOL}}
    module = {"handler_type": "module", "handler": figures.module("hello")}
    if kind == "module":
        return {"www": {"listen": address, **module, **POOL}}
    target = tests.tcp4()
    return {"www": {"listen": address, "handler_type": "builtin", "handler": ["redirect", target], **POOL},
            "target": {"listen": target, **module, "max_workers": 40}}


def run(figures: bench.Bench, kind: str, seconds: int, kills: bool) -> None:
    port = tests.free_port()
    address = tests.tcp4(port)
    title = "with kills" if kills else "without kills"
    with figures.daemon(pools_of(figures, kind, address)) as daemon:
        with subprocess.Popen(bench.load_command(port, CLIENTS, "-t", str(seconds), "-n", "100000000"),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
            reloads, killed = disturb(daemon, client, kills)
            output = client.communicate()[0]
        if client.returncode:
            raise RuntimeError(f"ab failed with status {client.returncode}:\n{output}\n{daemon.log()[-5000:]}")
        result = bench.LoadResult(output)
        must_be_whole(daemon, address)
        log = daemon.log()
        serving = len(re.findall(r"killed by signal 9 .* while serving", log))
        deaths = len(re.findall(r"killed by signal 9 ", log))
        figures.say(f"{title}: {result.complete} requests ({result.per_second:.0f}/s), {reloads} reloads, {killed} workers "
                    f"killed, {deaths} deaths logged, {serving} of them while serving")
        figures.say(f"the pool: {totals(daemon)}")
        if deaths != killed:
            figures.say(f"of {killed} kills {killed - deaths} met a worker that was just ending")
        figures.figure(f"failed requests {title} (killed while serving: {serving})", result.failed,
                       at_most=serving if kind == "inetd" else deaths, digits=0)
        odd = [line for line in log.splitlines() if ODD.search(line)]
        figures.figure(f"odd lines in the log {title}", len(odd), at_most=0, digits=0)
        for line in odd[:10]:
            figures.say(f"  {line}")


def totals(daemon: tests.Daemon) -> str:
    """What the pool says of itself in its report."""
    mark = daemon.log_mark()
    daemon.send_signal(signal.SIGUSR1)
    return daemon.wait_log(r"\d+ idle, .* in all .*", after=mark)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="of each half")
    parser.add_argument("--type", choices=["inetd", "module", "redirect"], default="inetd")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    random.seed(options.seed)
    bench.require({"ab": "apache2-utils"})
    with bench.Bench("churn", "reloads, recycling and kills under load",
                     {**vars(options), "clients": CLIENTS, "reload every": f"{RELOAD_S * 1000:g} ms",
                      "kill every": f"{KILL_S * 1000:g} ms", **POOL}, ["apache2-utils"]) as figures:
        run(figures, options.type, options.seconds, kills=False)
        run(figures, options.type, options.seconds, kills=True)


if __name__ == "__main__":
    main()
