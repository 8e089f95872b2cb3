#!/usr/bin/python3
"""copies: a handler that is loaded once, against servers that execute it for every connection.

preforkd with `start_method = forkserver` and what a service wants besides (a user, resource limits, stderr in the log)
against tcpserver of ucspi-tcp (as the same user; no limits, no log, no look-ups), systemd-socket-activate --accept --inetd
(no user, no limits, no log) and preforkd's own `start_method = exec`, all with the handler of tests/handlers/hello.c. In
each round ab(1) meets each server once, in another order every round; the figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse

import bench
from bench import tests
from exec import CONFIGURATION as EXEC
from exec import compare, peer_commands

METHODS = {"preforkd": "forkserver", "preforkd, exec": "exec"}
GOALS = {("tcpserver", 1): 2.5, ("tcpserver", 8): 2.0, ("systemd-socket-activate", 8): 2.8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, to each server")
    options = parser.parse_args()
    bench.require({"ab": "apache2-utils", "tcpserver": "ucspi-tcp", "systemd-socket-activate": "systemd"})
    with bench.Bench("copies", "a handler that is loaded once, against servers that execute it for each connection",
                     {"rounds": options.rounds, "requests a round": options.requests, **EXEC, "start_method": "forkserver"},
                     ["ucspi-tcp", "systemd", "apache2-utils"]) as figures:
        handler = figures.handler("hello")
        ports = {name: tests.free_port() for name in ("preforkd", "preforkd, exec", "tcpserver", "systemd-socket-activate")}
        pools = {method: {"listen": tests.tcp4(ports[name]), "handler": handler, "min_spare_workers": 8,
                          "max_spare_workers": 16, **EXEC, "start_method": method} for name, method in METHODS.items()}
        figures.stack.enter_context(figures.daemon(pools))
        for name, command in peer_commands(handler, ports).items():
            figures.stack.enter_context(figures.peer(command, ports[name]))
        for clients in (1, 8):
            rates = compare(ports, clients, options.rounds, options.requests)
            for name, values in rates.items():
                figures.say(f"{clients} client{'s' if clients > 1 else ''}, {name}: {bench.spread(values, 0)} connections/s")
            for name in list(ports)[1:]:
                ratios = [own / other for own, other in zip(rates["preforkd"], rates[name])]
                figures.figure(f"over {name}, {clients} client{'s' if clients > 1 else ''} ({min(ratios):.2f} to {max(ratios):.2f})",
                               bench.median(ratios), "×", at_least=GOALS.get((name, clients)))


if __name__ == "__main__":
    main()
