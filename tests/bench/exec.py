#!/usr/bin/python3
"""exec: one fork and exec per connection, ahead of the servers that do only that.

preforkd with `start_method = exec` and what a service wants besides (a user, resource limits, stderr in the log) against
tcpserver of ucspi-tcp (as the same user; no limits, no log, no look-ups) and systemd-socket-activate --accept --inetd
(no user, no limits, no log), all with the handler of tests/handlers/hello.c. In each round ab(1) meets each server once,
in another order every round; the figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import pwd

import bench
from bench import tests

CONFIGURATION = {"start_method": "exec", "limit_nofile": "1024:4096", "limit_core": "0", "limit_as": "1G", "stderr": "log"}
GOALS = {("tcpserver", 1): 1.15, ("tcpserver", 8): 1.05, ("systemd-socket-activate", 1): 1.0,
         ("systemd-socket-activate", 8): 1.0}


def peer_commands(handler: str, ports: dict[str, int]) -> dict[str, list[str]]:
    user = pwd.getpwnam(tests.POOL_USER)
    identity = ["-u", str(user.pw_uid), "-g", str(user.pw_gid)] if tests.AS_ROOT else []
    return {
        "tcpserver": ["tcpserver", "-H", "-R", "-l0", *identity, "127.0.0.1", str(ports["tcpserver"]), handler],
        "systemd-socket-activate": ["systemd-socket-activate", "-l", f"127.0.0.1:{ports['systemd-socket-activate']}",
                                    "--accept", "--inetd", handler],
    }


def compare(ports: dict[str, int], clients: int, rounds: int, requests: int) -> dict[str, list[float]]:
    """Connections a second of each server in each round."""
    names = list(ports)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            rates[name].append(bench.load(ports[name], clients, requests).per_second)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, to each server")
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils", "tcpserver": "ucspi-tcp", "systemd-socket-activate": "systemd"})
    with bench.Bench("exec", "fork and exec for each connection, against servers that do only that",
                     {"rounds": options.rounds, "requests a round": options.requests, **CONFIGURATION},
                     ["ucspi-tcp", "systemd", "apache2-utils"]) as figures:
        handler = figures.handler("hello")
        ports = {name: tests.free_port() for name in ("preforkd", "tcpserver", "systemd-socket-activate")}
        pool = {"listen": tests.tcp4(ports["preforkd"]), "handler": handler, "min_spare_workers": 8,
                "max_spare_workers": 16, **CONFIGURATION}
        figures.stack.enter_context(figures.daemon({"www": pool}))
        for name, command in peer_commands(handler, ports).items():
            figures.stack.enter_context(figures.peer(command, ports[name]))
        for clients in (1, 8):
            rates = compare(ports, clients, options.rounds, options.requests)
            for name, values in rates.items():
                figures.say(f"{clients} client{'s' if clients > 1 else ''}, {name}: {bench.spread(values, 0)} connections/s")
            for name in list(ports)[1:]:
                ratios = [own / other for own, other in zip(rates["preforkd"], rates[name])]
                figures.figure(f"over {name}, {clients} client{'s' if clients > 1 else ''} ({min(ratios):.2f} to {max(ratios):.2f})",
                               bench.median(ratios), "×", at_least=GOALS[name, clients])


if __name__ == "__main__":
    main()
