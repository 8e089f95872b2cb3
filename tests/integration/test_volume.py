"""A hundred thousand connections to each kind of handler while its pool has no rest: workers are recycled all the time,
retired by restarts, replaced by reloads, and the program is upgraded. None is lost, each is answered with its own text, and
the totals are exact afterwards. `PREFORKD_TEST_VOLUME` makes it fewer."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from control import Control, control_of
from daemon import HANDLERS, SLOW, Daemon, tcp4, wait_until
from handler_kinds import KINDS, Kind, acceptor

pytestmark = [pytest.mark.long, pytest.mark.alone]

Start = Callable[..., Daemon]

CONNECTIONS = int(os.environ.get("PREFORKD_TEST_VOLUME", "100000"))
# Not more at once than the pool serves without waiting for long.
AT_ONCE, MAX_WORKERS, MAX_REQUESTS = 8, 16, 10
# … and one whose workers are forks of those that have served.
HEIRS = acceptor("listener-snapshot-after", "all", "preload", start_method="snapshot", snapshot_after=6)


class Unrest:
    """Disturbs a pool until the `with` block ends, in turn by all that must not lose a connection."""

    def __init__(self, daemon: Daemon, control: Control, pause: float) -> None:
        self.daemon, self.control, self.pause = daemon, control, pause
        self.done: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Unrest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60 * SLOW)
        assert not self._thread.is_alive()
        if self.failure:
            raise self.failure

    def _run(self) -> None:
        kinds = [self.restart, self.other_limits, self.new_generation, self.upgrade]
        try:
            while not self._end.wait(self.pause):
                kind = kinds[self.done.total() % len(kinds)]
                kind()
                self.done[kind.__name__] += 1
        except BaseException as failure:  # noqa: BLE001  it is raised where the test sees it
            self.failure = failure

    def restart(self) -> None:
        self.control.do("restart www")

    def other_limits(self) -> None:
        """… which retires spare workers, or makes more."""
        keys = self.daemon.pools["www"]
        keys["max_spare_workers"] = 4 if keys["max_spare_workers"] == 8 else 8
        keys["min_spare_workers"] = 2 if keys["max_spare_workers"] == 4 else 6
        keys["max_workers"] = MAX_WORKERS + (self.done.total() % 3)
        self.reload()

    def new_generation(self) -> None:
        self.daemon.pools["www"]["environment"] = f"TURN={self.done.total()}"
        self.reload()

    def reload(self) -> None:
        self.daemon.write_config()
        self.control.do("reload", timeout=60)

    def upgrade(self) -> None:
        self.control.do("upgrade", timeout=60)


def connect_all(addresses: list[str], count: int) -> None:
    """So many connections to each address, all at once; fails unless each is answered with its own text."""
    crowds = [subprocess.Popen([HANDLERS / "client_crowd", address, str(count), str(AT_ONCE // len(addresses))], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE) for address in addresses]
    assert [crowd.communicate() for crowd in crowds] == [(f"served {count}\n", "")] * len(addresses)


@pytest.mark.parametrize("listeners", [1, 2])
@pytest.mark.parametrize("kind", [*KINDS, HEIRS], ids=lambda kind: kind.name)
def test_none_is_lost(preforkd: Start, kind: Kind, listeners: int, tmp_path: Path) -> None:
    """On one listener a worker blocks in accept(2); on several it waits in another way, for which a part is enough."""
    count = CONNECTIONS if listeners == 1 else CONNECTIONS // 4
    address = [tcp4(), str(tmp_path / "socket")][:listeners]
    daemon = preforkd({"www": {"listen": address, "socket_mode": "0666", **kind.echo(tmp_path), "min_spare_workers": 2,
                               "max_spare_workers": 4, "max_workers": MAX_WORKERS, "max_requests": MAX_REQUESTS,
                               "spare_timeout": "200ms"},
                       **kind.behind(tmp_path)}, control=True)
    control, begun = control_of(daemon), time.monotonic()
    # Without a pause hardly a worker would live long enough to be recycled.
    with Unrest(daemon, control, 0.2 if count > 50000 else 0.05) as unrest:
        connect_all(address, count // listeners)
        seconds = time.monotonic() - begun
    for what in ("restart", "other_limits", "new_generation", "upgrade"):
        assert unrest.done[what] > 0 or count < 20000, unrest.done

    def requests() -> int:
        return int(control.pool()["totals"]["requests"])

    if kind.is_watched:
        wait_until(lambda: requests() >= count, "all requests counted")
    totals = control.pool()["totals"]
    assert totals["requests"] == (count if kind.is_watched else 0)
    wrong = {name: totals[name] for name in ("lost", "died", "aborted", "refused", "start_failures", "handler_failures",
                                             "handler_deaths", "request_timeouts") if totals[name]}
    assert not wrong
    if kind.is_watched:
        assert totals["recycled"] > count / MAX_REQUESTS / 20
    print(f"{kind.name}: {count} connections in {seconds:.0f} s; {dict(unrest.done)}, {totals['recycled']} recycled, "
          f"{totals['retired']} retired, {totals['forked']} forked")
    daemon.assert_quiet()
