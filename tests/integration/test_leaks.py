"""Handlers that live for many requests, and lose memory with each: max_worker_memory and max_requests bound that, and no
client notices."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import Daemon, is_sanitized, request, tcp4, wait_until
from modules import module
from nginx import Nginx
from programs import command, rows
from served import Watch, resident_kb
from test_preload import needs

Start = Callable[..., Daemon]
Ask = Callable[[], str]

REQUESTS, CLIENTS, WORKERS = 400, 4, 2
LEAK_KB = 1024
# More than the workers' own size, of which PHP has 20 MB.
LIMIT_KB = 40 << 10
# Between the look at a worker's memory and the limit there is at most the request that exceeds it, and what an allocator
# keeps besides.
SLACK_KB = 4 * LEAK_KB

# What PHP itself allocates is freed at the end of a request; what a library allocates for it need not be.
PHP = f"""<?php
$kept = FFI::new(FFI::type("char[{LEAK_KB << 10}]"), false, true);
FFI::memset($kept, 1, {LEAK_KB << 10});
echo getmypid();
"""


def php(directory: Path, address: str) -> dict[str, Any]:
    program = needs("php-cgi")
    if "FFI" not in subprocess.run([program, "-m"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("needs PHP's FFI")
    (directory / "leak.php").write_text(PHP)
    return {"listen": address, "socket_mode": "0666", "handler_type": "listener", "listen_fd": 0,
            "handler": [program, "-d", "ffi.enable=1"]}


class Leaking:
    """A pool whose handlers leak, and how to ask it for the pid of the one that serves."""

    def __init__(self, kind: str, start: Start, directory: Path, program: Callable[[str], str]) -> None:
        self.kind, self.start, self.directory, self.program = kind, start, directory, program
        self.nginx: Nginx | None = None

    def serve(self, **keys: object) -> tuple[Daemon, Ask]:
        keys = {"scaling": "static", "max_workers": WORKERS, **keys}
        if self.kind == "php":
            socket = str(self.directory / "php.sock")
            daemon = self.start({"www": {**php(self.directory, socket), **keys}}, control=True)
            nginx = self.nginx = Nginx(self.directory, {"/": socket}, self.directory)
            return daemon, lambda: nginx.ask("/leak.php")
        address = tcp4()
        if self.kind == "module":
            pool = {"handler_type": "module", "handler": [module("serve", self.directory), "leak", str(LEAK_KB << 10)]}
            daemon = self.start({"www": {"listen": address, **pool, **keys}}, control=True)
            return daemon, lambda: request(address).decode()
        pool = {"handler_type": "listener", "handler": [self.program("acceptor"), "plain"]}
        daemon = self.start({"www": {"listen": address, **pool, **keys}}, control=True)
        return daemon, lambda: command(address, f"leak {LEAK_KB >> 10}")


@pytest.fixture(params=["php", "program", "module"])
def leaking(request: pytest.FixtureRequest, preforkd: Start, tmp_path: Path, program: Callable[[str], str]) -> Any:
    pool = Leaking(request.param, preforkd, tmp_path, program)
    yield pool
    if pool.nginx:
        pool.nginx.close()


def ask_all(ask: Ask) -> list[str]:
    """What all clients are answered; several of them at a time, and an error is one of theirs."""
    answers: list[str] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.extend(ask() for _ in range(REQUESTS // CLIENTS))
        except BaseException as failure:  # noqa: BLE001  it is raised where the test sees it
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return answers


def largest_kb(daemon: Daemon) -> int:
    """The resident memory of the largest worker."""
    sizes = [0]
    for pid in Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split():
        try:
            sizes.append(resident_kb(int(pid)))
        except (OSError, KeyError):
            pass  # it has ended
    return max(sizes)


def bounded(leaking: Leaking, limit_kb: Callable[[int], int], **keys: object) -> None:
    """`limit_kb` is given the size of a worker that has not served."""
    daemon, ask = leaking.serve(**keys)
    control = control_of(daemon)
    wait_until(lambda: control.pool()["counts"]["idle"] == WORKERS, "idle workers")
    if is_sanitized(rows(daemon)[0]["pid"]):
        pytest.skip("figures of memory say little under AddressSanitizer")
    fresh_kb, before = largest_kb(daemon), control.pool()["totals"]["requests"]
    with Watch(lambda: largest_kb(daemon), 0.002) as watch:
        answers = ask_all(ask)
    assert len(answers) == REQUESTS and all(answer.isdigit() for answer in answers)
    wait_until(lambda: control.pool()["totals"]["requests"] >= before + REQUESTS, "all requests counted")
    totals = control.pool()["totals"]
    assert (totals["requests"], totals["lost"], totals["died"]) == (before + REQUESTS, 0, 0)
    assert totals["recycled"] >= 8, "recycled again and again"
    assert len(set(answers)) >= 8
    assert watch.most > fresh_kb + 5 * LEAK_KB, "they do leak"
    assert watch.most < limit_kb(fresh_kb) + SLACK_KB, watch.most
    if leaking.nginx:
        assert not leaking.nginx.complaints()
    daemon.assert_quiet()


def test_max_worker_memory(leaking: Leaking) -> None:
    bounded(leaking, lambda _: LIMIT_KB, max_worker_memory=f"{LIMIT_KB}K")


def test_max_requests(leaking: Leaking) -> None:
    bounded(leaking, lambda fresh_kb: fresh_kb + 20 * LEAK_KB, max_requests=20, max_requests_jitter="0%")
