"""What the workers of a pool did over the last minutes: the history that the master keeps without ever waking up for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from control import Control, control_of
from daemon import SLOW, Daemon, burst, connect, context_switches, stays, tcp4, wait_until
from test_upgrade import upgrade

Start = Callable[..., Daemon]
Row = dict[str, float]
COLUMNS = ["age_ms", "for_ms", "busy", "idle", "starting", "unwatched", "requests", "queue"]
PAUSE_MS = 5000


def pool_of(control: Control, name: str = "www") -> dict[str, Any]:
    [pool] = control.do(f"status {name} --workers")["pools"]
    return dict(pool)


def rows_of(pool: dict[str, Any]) -> list[Row]:
    """The intervals, oldest first, without a gap between them."""
    history = pool["history"]
    assert list(history) == COLUMNS and len({len(column) for column in history.values()}) == 1
    rows = [dict(zip(COLUMNS, values)) for values in zip(*history.values())]
    for row, following in zip(rows, rows[1:]):
        assert row["age_ms"] == following["age_ms"] + following["for_ms"] and row["for_ms"] >= PAUSE_MS
    assert not rows or rows[-1]["age_ms"] == 0
    return rows


def worked_ms(rows: list[Row], column: str = "busy") -> float:
    return sum(row[column] * row["for_ms"] for row in rows)


def rounding_ms(rows: list[Row]) -> float:
    return sum(0.00501 * row["for_ms"] for row in rows) + 1


@pytest.fixture
def www(preforkd: Start) -> Daemon:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 4}}, control=True)
    daemon.wait_workers(4)
    control_of(daemon).wait_at_rest()
    return daemon


def test_nothing_is_lost_while_nobody_looks(www: Daemon) -> None:
    """Two clients are served for a while, of which the master gets to know nothing; their time is in the history, exactly."""
    control, address = control_of(www), str(www.pools["www"]["listen"])
    before = time.monotonic()
    with connect(address) as one, connect(address) as other:
        for client in (one, other):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        begun = time.monotonic()
        time.sleep(2)
        ended = time.monotonic()
    control.wait_at_rest()
    after = time.monotonic()
    wait_until(lambda: pool_of(control)["totals"]["requests"] == 2, "both have ended")
    pool = pool_of(control)
    rows = rows_of(pool)
    assert 2000 * (ended - begun) - rounding_ms(rows) <= worked_ms(rows) <= 2000 * (after - before) + rounding_ms(rows)
    assert worked_ms(rows) == pytest.approx(pool["totals"]["busy_ms"], abs=rounding_ms(rows))
    assert sum(row["requests"] for row in rows) == 2
    total = sum(worked_ms(rows, column) for column in ("busy", "idle", "starting"))
    assert total == pytest.approx(4 * sum(row["for_ms"] for row in rows), rel=0.1 * SLOW), "four workers, from the start on"


def test_every_request_is_in_one_interval(preforkd: Start) -> None:
    """Also of workers that have gone, and however often somebody looks."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "max_requests": 3, "max_workers": 6, "spare_timeout": "500ms"}},
                      control=True)
    control_of(daemon).wait_idle("www")
    control, address = control_of(daemon), str(daemon.pools["www"]["listen"])
    sent = 0
    while len(rows_of(pool_of(control))) < 3:
        burst(address, 5, b"x")
        sent += 5
        time.sleep(0.2)
    wait_until(lambda: pool_of(control)["totals"]["requests"] == sent, "all have ended")
    control.wait_at_rest()
    pool = pool_of(control)
    rows = rows_of(pool)
    assert sum(row["requests"] for row in rows) == sent
    assert worked_ms(rows) == pytest.approx(pool["totals"]["busy_ms"], abs=rounding_ms(rows))
    assert worked_ms(rows, "starting") > 0


def test_it_is_kept_over_upgrades(www: Daemon) -> None:
    control, address = control_of(www), str(www.pools["www"]["listen"])
    with connect(address):
        wait_until(lambda: len(rows_of(pool_of(control))) >= 3, "two whole intervals", 30)
        before = rows_of(pool_of(control))
        for _ in range(2):
            upgrade(www)
        after = rows_of(pool_of(control))
    ended = len(before) - 1
    for row, same in zip(before[:ended], after):
        assert {**row, "age_ms": 0} == {**same, "age_ms": 0}
    assert 0.9 < after[ended]["busy"] < 1.1, "the interval that went on has the time before the upgrade, too"
    assert after[ended]["for_ms"] >= before[ended]["for_ms"]
    wait_until(lambda: pool_of(control)["totals"]["requests"] == 1, "the request has ended")
    assert sum(row["requests"] for row in rows_of(pool_of(control))) == 1


def test_nobody_wakes_for_it(www: Daemon) -> None:
    before = context_switches(www.pid)
    stays(lambda: context_switches(www.pid) == before, "the master sleeps", 1.5 * PAUSE_MS / 1000)
    rows = rows_of(pool_of(control_of(www)))
    assert rows[-1]["for_ms"] > PAUSE_MS, "one interval, which was asked for only now"
    assert (rows[-1]["busy"], rows[-1]["requests"]) == (0, 0) and rows[-1]["idle"] > 3, "since its start"


def test_programs_that_report_nothing(preforkd: Start) -> None:
    """Nobody knows whether they are busy, and the history does not say so."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler_type": "listener", "accounting": "none", "listen_fd": 3, "max_workers": 2,
                               "min_spare_workers": 1, "max_spare_workers": 1,
                               "handler": ["/usr/bin/python3", "-c", "import time; time.sleep(1000)"]}}, control=True)
    control = control_of(daemon)
    wait_until(lambda: control.pool("www")["counts"]["unwatched"] > 0, "it runs")
    wait_until(lambda: rows_of(pool_of(control))[-1]["unwatched"] > 0, "that is in the history")
    assert rows_of(pool_of(control))[-1]["busy"] == 0


def test_only_on_request(www: Daemon) -> None:
    assert "history" not in control_of(www).pool("www")
