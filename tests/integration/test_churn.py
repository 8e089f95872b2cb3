"""Everything at once, for a minute: load, reloads, generations, recycling, and (in the second test) murder.

No connection is lost by what preforkd does; a worker that somebody kills may take the request it serves with it, and
nothing else. `PREFORKD_CHURN_SECONDS` makes it shorter or longer.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import SLOW, Daemon, request, tcp4, wait_until

pytestmark = [pytest.mark.long, pytest.mark.alone,
              pytest.mark.skipif(not shutil.which("ab"), reason="needs ab (apache2-utils)")]

SECONDS = int(os.environ.get("PREFORKD_CHURN_SECONDS", "60"))
GET = b"GET / HTTP/1.0\r\n\r\n"


def failed_requests(report: str) -> tuple[int, int]:
    """How many requests ab made and how many of them failed.

    ab counts one request that was cut off as a failed receive and as a wrong length; the larger of the two is the
    number of requests.
    """
    complete = int(re.search(r"^Complete requests:\s+(\d+)", report, re.MULTILINE).group(1))  # type: ignore[union-attr]
    kinds = re.search(r"\(Connect: (\d+), Receive: (\d+), Length: (\d+), Exceptions: (\d+)\)", report)
    if not kinds:
        return complete, 0
    failed_connect, *others = map(int, kinds.groups())
    return complete, failed_connect + max(others)


def churn(daemon: Daemon, address: str, report_path: Path, kill_workers: bool) -> tuple[int, int, int]:
    """Load from 8 clients while the daemon has no rest; (requests, failed ones, workers killed)."""
    dice = random.Random(8)
    kills = turn = 0
    with open(report_path, "wb") as report:
        load = subprocess.Popen(["ab", "-q", "-r", "-c", "8", "-t", str(SECONDS), "-n", "100000000",
                                 f"http://{address}/"], stdout=report, stderr=report)
        try:
            while load.poll() is None:
                turn += 1
                daemon.pools["www"]["max_workers"] = dice.randint(12, 40)
                daemon.pools["www"]["max_spare_workers"] = dice.randint(4, 8)
                if turn % 3 == 0:
                    daemon.pools["www"]["environment"] = f"TURN={turn}"  # wants a new generation
                daemon.hup(wait=None)
                if kill_workers and turn % 5 == 0 and (workers := daemon.workers()):
                    try:
                        os.kill(dice.choice(workers), signal.SIGKILL)
                        kills += 1
                    except ProcessLookupError:
                        pass
                time.sleep(0.1)  # the pace, not a wait: a reload every 100 ms
        finally:
            load.kill()
            load.wait()
    requests, failed = failed_requests(report_path.read_text())
    assert requests > SECONDS * 50 / SLOW, "ab hardly got anything served"
    return requests, failed, kills


@pytest.fixture
def address() -> str:
    return tcp4()


@pytest.fixture
def daemon(preforkd: Callable[..., Daemon], program: Callable[[str], str], address: str) -> Daemon:
    started = preforkd({"www": {"listen": address, "handler": program("hello"), "min_spare_workers": 2,
                                "max_spare_workers": 6, "max_workers": 20, "max_requests": 10}}, control=True)
    assert request(address, GET).endswith(b"hello\n")
    return started


def settled(daemon: Daemon, address: str) -> None:
    """Afterwards it serves as at first, with the workers its configuration asks for."""
    daemon.hup()
    assert request(address, GET).endswith(b"hello\n")
    spare = int(str(daemon.pools["www"]["max_spare_workers"]))
    wait_until(lambda: 2 <= len(daemon.workers()) <= spare, "as many workers as an idle pool has", 30)


def test_no_request_is_lost(daemon: Daemon, address: str, tmp_path: Path) -> None:
    _, failed, _ = churn(daemon, address, tmp_path / "ab", kill_workers=False)
    assert failed == 0, (tmp_path / "ab").read_text()
    assert control_of(daemon).pool()["totals"]["died"] == 0
    daemon.assert_none(["worker died"])
    settled(daemon, address)


def test_killed_workers_cost_no_more_than_their_requests(daemon: Daemon, address: str, tmp_path: Path) -> None:
    _, failed, kills = churn(daemon, address, tmp_path / "ab", kill_workers=True)
    settled(daemon, address)
    deaths = daemon.deaths()
    # A worker that was ending anyway may be gone before the signal, and a retiring one may die as agreed.
    assert kills // 2 < len(deaths) <= kills, "each death is logged"
    assert set(deaths) <= {"serving", "idle", "starting"}, "with what the worker was doing"
    serving = deaths.count("serving")
    assert failed <= serving, f"{failed} failed, {serving} killed while serving:\n{(tmp_path / 'ab').read_text()}"
