"""What the workers of a pool did over the last minutes: the history that the master keeps without ever waking up for it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import Control, control_of
from daemon import SLOW, Daemon, burst, clean_environment, connect, context_switches, stays, status_object, tcp4, wait_until
from terminal import terminal
from test_preforkctl import CTL
from test_status_pool import Site, status_pool
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


def test_an_interval_has_what_happened_in_it(preforkd: Start) -> None:
    """Also if it ends with a turn of the master, and nobody asks meanwhile for what workers count."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": ["/bin/sh", "-c", "sleep 0.1"], "scaling": "static", "max_workers": 2}},
                      control=True)
    control, address = control_of(daemon), str(daemon.pools["www"]["listen"])
    control.wait_idle("www")
    until = time.monotonic() + 2.5 * PAUSE_MS / 1000
    while time.monotonic() < until:
        control.do("scale www max_workers=2")  # a turn
        assert not any(reply.error for reply in burst(address, 2))
    rows = rows_of(pool_of(control))
    assert len(rows) >= 3
    for row in rows[1:-1]:
        assert row["requests"] * 0.09 < row["busy"] * row["for_ms"] / 1000 + 0.2, row
        assert row["busy"] <= 2.05 and row["idle"] <= 2.05


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
    www.wait_asleep()  # it has answered who asked last
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


# --- top ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("locale", "bars"), [("C", r"[_.:=+*#-]+"), ("C.UTF-8", "[▁▂▃▄▅▆▇█]+")])
def test_top_draws_bars(locale: str, bars: str, www: Daemon) -> None:
    """As wide as there is room for, and not at all where there is none; on a narrow screen there is a key."""
    command = [CTL, "-s", str(www.master["control"]), "top", "-d", "100ms"]
    with connect(str(www.pools["www"]["listen"])), terminal(command, rows=24, columns=80, locale=locale) as screen:
        screen.wait(r"^www +running")
        assert "10 MIN" not in screen.text()
        screen.type(b"w")
        screen.wait(rf"^POOL +STATE +BUSY +MAX +BUSY, 10 MIN$\n^www +running +1 +4 +{bars} (0|1)\.\d$")
        screen.type(b"w")
        screen.wait(r"^POOL +STATE +GEN")
        screen.resize(24, 102)
        screen.wait(rf"REQUESTS  BUSY, 10 MIN$\n^www .* {bars} (0|1)\.\d$")
        screen.resize(24, 200)
        screen.wait(rf"BUSY, 10 MIN +REFUSED .*WAIT P99$\n^www .* {bars} (0|1)\.\d ")
        screen.type(b"h")
        screen.wait("BUSY, 10 MIN  busy workers on average")
        screen.type(b"q")
        screen.type(b"q")
        assert screen.end() == 0


# --- the page -----------------------------------------------------------------------------------------------------------

def test_the_page_draws_it_at_once(preforkd: Start, tmp_path: Path) -> None:
    """As the server makes it, for a browser without scripts: one that is opened late shows what was before."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 4},
                       "status": status_pool()}, control=True, popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(4)
    daemon.wait_workers(2, "status")
    site = Site(daemon)
    with connect(str(daemon.pools["www"]["listen"])) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        wait_until(lambda: len(rows_of(pool_of(site.control))) >= 2, "an interval", 30)
    wait_until(lambda: site.control.pool("www")["totals"]["requests"] == 1, "the request has ended")
    page = site.get("/")[2]
    [label, areas] = re.findall(r'role="img" aria-label="(Workers of www over the last [^"]+)">(.*?)</svg>', page)[0]
    assert re.fullmatch(r"Workers of www over the last \d+ (s|min): (4|\d to 4)", label)
    assert re.findall(r'<path class="(\w+)"', areas)[:2] == ["busy", "idle"]
