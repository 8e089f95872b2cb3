"""`preforkctl advise`: what was observed of real pools, as advice on their limits. The sentences are those of the unit
test; here it is about whether the figures get there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from control import control_of
from daemon import Daemon, connect, read_all, request, tcp4, wait_until
from test_preforkctl import FAILURE, NOT_RUNNING, OK, USAGE, Ctl, ctl_of

Start = Callable[..., Daemon]
MB = 1 << 20

# Has so much memory of its own while it serves.
HOLDING = """
import sys
memory = bytearray({bytes})
memory[::4096] = b"x" * len(memory[::4096])
sys.stdout.buffer.write(b"r")
sys.stdout.flush()
sys.stdin.buffer.read()
"""


def advice(daemon: Daemon, pool: str = "www") -> dict[str, dict[str, Any]]:
    [found] = json.loads(ctl_of(daemon).do("advise", pool, "--json"))["pools"]
    assert found["name"] == pool
    return {item["option"]: item for item in found["advice"]}


def test_too_early(preforkd: Start) -> None:
    """Nothing is said of a load that nobody has seen, in one sentence for all options."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"},
                       "mail": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 1}}, control=True)
    daemon.wait_workers(4)
    text = ctl_of(daemon).do("advise")
    assert re.match(r"www: 0 requests in \S+\n"
                    r"  max_workers, when_full, scaling, min_spare_workers, max_spare_workers, spare_timeout, max_requests: unknown\n"
                    r"      too early: 0 requests in \S+; it takes at least 1000 requests and at least 10 minutes to say anything\n\n"
                    r"mail: 0 requests", text), text
    assert "max_spare_workers" not in ctl_of(daemon).do("advise", "mail")
    assert {item["verdict"] for item in advice(daemon).values()} == {"unknown"}


def test_a_pool_that_was_full(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler_type": "builtin", "handler": "echo", "scaling": "static",
                               "max_workers": 2}}, control=True)
    control = control_of(daemon)
    daemon.wait_workers(2)
    for _ in range(100):
        assert request(address, b"x") == b"x"
    with contextlib.ExitStack() as stack:
        for _ in range(7):
            client = stack.enter_context(connect(address))
            client.sendall(b"x")
        wait_until(lambda: control.pool()["state"] == "saturated" and control.pool()["queue"] == 5, "a full pool")
        wait_until(lambda: advice(daemon)["max_workers"]["verdict"] == "change", "a thousandth of the time")
        found = advice(daemon)["max_workers"]
        demand = control.pool()["peaks"]["demand"]
        assert demand >= 7 and found["present"] == "2" and int(found["value"]) == -(-demand * 5 // 4), found
        assert f"at most {demand} connections were served or waited at once" in found["why"]
        text = ctl_of(daemon).do("advise", "www")
        assert f"\n  max_workers = 2: better {found['value']}\n      all 2 workers were busy" in text
        assert max(map(len, text.splitlines())) > 120, "lines are whole where there is no terminal"


def test_more_workers_than_memory(preforkd: Start, tmp_path: Path) -> None:
    """What a handler has while it runs is measured, and all of them together would not have room."""
    script = tmp_path / "holding.py"
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = max(64 * MB, machine // 3000)
    script.write_text(HOLDING.format(bytes=size))
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": [sys.executable, str(script)], "max_workers": 4000}}, control=True)
    control = control_of(daemon)
    with connect(address) as client:
        assert client.recv(1) == b"r"
        workers = {worker["busy"]: worker["private_bytes"] or 0 for worker in control.pool(workers=True)["workers"]
                   if worker["state"] in ("busy", "idle")}
        assert size <= workers[True] < size + 100 * MB, workers
        found = advice(daemon)["max_workers"]
        assert found["verdict"] == "change", found
        assert 1 <= int(found["value"]) <= machine // size
        assert re.search(r"4000 workers of \S+ each need \d+[GT] of the \S+ that (the machine|the daemon's control group) has",
                         found["why"]), found
    control.wait_idle()
    assert advice(daemon)["max_workers"]["verdict"] == "unknown", "no handler runs, so nobody knows"


def test_starts_are_measured_whatever_the_scaling(preforkd: Start) -> None:
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"}}, control=True)
    control = control_of(daemon)
    daemon.wait_workers(4)
    wait_until(lambda: control.pool()["starts"]["cpu_us"] > 0, "the first start")
    status = control.do("status www --workers")
    starts = status["pools"][0]["starts"]
    assert starts["duration_us"] > 0 and starts["worth_ms"] >= 1000
    assert status["master"]["machine"]["cpus"] >= 1
    assert status["master"]["machine"]["memory_bytes"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert status["pools"][0]["adaptive"] is None
    with connect(address) as client:
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def test_exit_codes(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}}, control=True)
    ctl = ctl_of(daemon)
    for arguments, code, said in ((["advise", "nope"], FAILURE, "there is no pool"), (["advise", "www", "www"], USAGE, "expected: advise"),
                                  (["advise", "--workers"], USAGE, "expected: advise"), (["advise", "www"], OK, "")):
        result = ctl.run(*arguments)
        assert result.returncode == code and said in result.stderr, result
    assert Ctl(tmp_path / "nobody").run("advise").returncode == NOT_RUNNING
