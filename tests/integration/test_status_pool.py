"""handler = status: a pool that serves metrics, JSON and probes by HTTP; and `preforkctl metrics`.

What reads it here is what reads it elsewhere: curl, promtool, and a Prometheus that scrapes it.
"""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from control import control_of, let_documents_age
from daemon import (ROOT, SLOW, Daemon, burst, clean_environment, connect, free_port, port_of, read_all, request,
                    run_preforkd, status_object, stays, tcp4, wait_until)
from terminal import terminal
from test_preforkctl import CTL, ctl_of

Start = Callable[..., Daemon]
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS_ACCEPT = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


class Site:
    """A daemon with a pool `www` and a pool `status`, and what it serves."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.address = str(daemon.pools["status"]["listen"])
        self.control = control_of(daemon)
        self.ctl = ctl_of(daemon)

    def get(self, path: str, method: str = "GET", timeout: float = 20.0,
            **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port_of(self.address), timeout=timeout * SLOW)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, response.headers, body

    def code(self, path: str, **headers: str) -> int:
        return self.get(path, **headers)[0]

    def send(self, data: bytes) -> bytes:
        """What comes back for these very bytes, until the end."""
        with connect(self.address) as client:
            client.sendall(data)
            return read_all(client)


def status_pool(**keys: object) -> dict[str, object]:
    return {"listen": tcp4(), "handler_type": "builtin", "handler": "status", "scaling": "static", "max_workers": 2, **keys}


@pytest.fixture
def site(preforkd: Start, tmp_path: Path) -> Site:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "min_spare_workers": 2, "max_spare_workers": 2, "spare_timeout": "1s"},
                       "status": status_pool()}, control=True, popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(2, "status")
    daemon.wait_workers(2)
    return Site(daemon)


# --- the formats ----------------------------------------------------------------------------------------------------

def samples(text: str) -> dict[str, float]:
    """Series and values of an exposition, each of which is there once."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            assert series not in found, series
            found[series] = float(value)
    return found


def promtool(text: str) -> None:
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                            timeout=60 * SLOW, check=False)
    assert result.returncode == 0 and result.stdout + result.stderr == "", result


def test_promtool_finds_nothing(site: Site) -> None:
    promtool(site.get("/metrics")[2])
    promtool(site.ctl.do("metrics"))


def test_openmetrics_for_who_asks(site: Site) -> None:
    for accept, expected in ((None, TEXT), ("*/*", TEXT), ("text/plain", TEXT), ("text/*;q=0.3", TEXT),
                             (PROMETHEUS_ACCEPT, OPENMETRICS), ("application/openmetrics-text", OPENMETRICS),
                             ("application/openmetrics-text;q=0.2, text/plain;q=0.5", TEXT),
                             ("application/openmetrics-text; version=0.0.1", None), ("image/png", None),
                             ("text/plain;q=0", None)):
        code, headers, body = site.get("/metrics", **({"Accept": accept} if accept else {}))
        assert (code, headers["Content-Type"]) == ((200, expected) if expected else (406, "text/plain; charset=utf-8")), accept
        assert body.endswith("\n# EOF\n") == (expected == OPENMETRICS)


def test_the_formats_have_the_same_samples(site: Site) -> None:
    text, openmetrics = (set(samples(site.ctl.do("metrics", *more))) for more in ((), ("--openmetrics",)))
    assert text == openmetrics and len(text) > 100


def test_one_pool(site: Site) -> None:
    found = samples(site.ctl.do("metrics", "www"))
    assert 'preforkd_pool_requests_total{pool="www"}' in found and not any('pool="status"' in series for series in found)
    assert site.ctl.run("metrics", "nobody").returncode == 1
    for wrong in (("a", "b"), ("--workers",), ("--json",), ("-d", "1")):
        assert site.ctl.run("metrics", *wrong).returncode == 2, wrong


# --- one truth ------------------------------------------------------------------------------------------------------

# What changes from look to look, or by being looked at.
MOVING = {"uptime_ms", "observed_ms", "requests_per_second", "rate_window_ms", "busy_average"}


def still(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: still(value) for name, value in document.items() if name not in MOVING}
    return [still(item) for item in document] if isinstance(document, list) else document


def of_pool(text: str, pool: str) -> dict[str, float]:
    return {series: value for series, value in samples(text).items() if f'pool="{pool}"' in series}


def test_all_say_the_same(site: Site) -> None:
    """After a known load: metrics and JSON, by HTTP and by preforkctl, and what people read."""
    www = str(site.daemon.pools["www"]["listen"])
    for data in (b"one", b"two" * 1000, b""):
        assert request(www, data) == data
    assert all(reply.data == b"x" for reply in burst(www, 20, b"x"))
    wait_until(lambda: site.control.pool("www")["totals"]["requests"] == 23, "the load")
    site.control.wait_workers(2)
    site.control.wait_at_rest("www")
    let_documents_age()
    served, asked = json.loads(site.get("/status")[2]), site.control.do("status")
    ours, theirs = (still([pool for pool in document["pools"] if pool["name"] == "www"]) for document in (served, asked))
    assert ours == theirs
    scraped, printed = of_pool(site.get("/metrics")[2], "www"), of_pool(site.ctl.do("metrics"), "www")
    assert scraped == printed
    pool, totals = asked["pools"][0], asked["pools"][0]["totals"]
    expected = {"requests_total": totals["requests"], "workers_max": pool["limits"]["max_workers"],
                "request_duration_seconds_count": sum(pool["duration_us"]["buckets"]),
                "request_duration_seconds_sum": totals["busy_ms"] / 1000,
                "queue_wait_seconds_count": pool["wait_us"]["measured"],
                "handler_cpu_seconds_total": totals["handler_cpu_ms"] / 1000,
                "worker_retirements_total": totals["retired"], "saturated_seconds_total": totals["saturated_ms"] / 1000}
    for name, value in expected.items():
        assert printed[f'preforkd_pool_{name}{{pool="www"}}'] == pytest.approx(value, abs=1e-9), name
    starts = {reason: printed[f'preforkd_pool_worker_starts_total{{pool="www",reason="{reason}"}}']
              for reason in ("scale", "roll", "recycle", "drain", "refuse")}
    assert sum(starts.values()) == totals["forked"] and starts["scale"] == totals["forked_scale"] > 0
    for state in ("idle", "busy", "starting"):
        assert printed[f'preforkd_pool_workers{{pool="www",state="{state}"}}'] == pool["counts"][state]
    assert re.search(r"^ +requests +23,", site.ctl.do("status", "www"), re.MULTILINE), site.ctl.do("status", "www")


def cells(text: str, first: str) -> dict[str, str]:
    """The row of a table for people that begins with a word, by its headings; columns are two blanks apart."""
    lines = text.splitlines()
    headings, row = (next(re.split(r" {2,}", line.strip()) for line in lines if re.match(rf"{word} ", line)) for word in ("POOL", first))
    return dict(zip(headings, row, strict=True))


def card_of(page: str, pool: str) -> dict[str, Any]:
    """What a browser without scripts shows of a pool."""
    card = re.findall(rf'<article [^>]*data-pool="{pool}".*?</article>', page, re.DOTALL)[0]

    def texts(pattern: str) -> list[str]:
        return [html.unescape(re.sub(r"<[^>]*>", "", found)).replace("×", "").strip()
                for found in re.findall(pattern, card, re.DOTALL)]

    times = {row.split("</th>")[0].rpartition(">")[2]: re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", card)}
    return {"state": texts(r'<p class="badge">(.*?)</p>')[0], "count": texts(r'<p class="count">(.*?)</p>')[0],
            "legend": texts(r"<li><span class=.dot[^>]*></span>(.*?)</li>"),
            "figures": dict(zip(texts(r"<dt>(.*?)</dt>"), texts(r"<dd>(.*?)</dd>"), strict=True)),
            "wait": times["wait"], "duration": times["duration"], "queues": texts(r"</code> (.*?)<svg"),
            "decision": texts(r"<time .*?</time> (.*?)</li>")[0]}


def figure(microseconds: int) -> str:
    """A duration as people read it."""
    if microseconds < 1000:
        return f"{microseconds}us"
    if microseconds < 100_000:
        return f"{microseconds // 1000}.{microseconds % 1000 // 100}ms"
    ms = microseconds // 1000
    return f"{ms}ms" if ms < 1000 else f"{ms // 1000}.{ms % 1000 // 100}s"


def test_all_five_say_the_same(preforkd: Start) -> None:
    """After a known load: page, metrics, JSON, `status` and `top`."""
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "start_workers": 3, "min_spare_workers": 3, "max_spare_workers": 3,
                               "spare_timeout": "1s", "max_workers": 7, "request_timeout": "3s", "deny": "127.0.0.2"},
                       "status": status_pool()}, control=True, popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(3)
    daemon.wait_workers(2, "status")
    site, www = Site(daemon), str(daemon.pools["www"]["listen"])
    assert all(reply.data == b"x" for reply in burst(www, 11, b"x"))
    with connect(www) as client:
        assert read_all(client) == b"", "it takes too long"
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port_of(www)), 20 * SLOW, ("127.0.0.2", 0)) as client, suppress(OSError):
            assert client.recv(1) == b"", "it may not come in"
    site.control.wait_workers(3)  # those of the burst have gone
    site.control.wait_at_rest("www")
    os.kill(daemon.workers()[0], signal.SIGKILL)
    wait_until(lambda: site.control.pool("www")["totals"]["died"] == 1, "the death of a worker")
    site.control.wait_totals(requests=12)
    site.control.wait_workers(3)
    site.control.wait_at_rest("www")
    let_documents_age()

    pool = site.control.pool("www")
    totals, counts = pool["totals"], pool["counts"]
    assert (totals["requests"], totals["request_timeouts"], totals["refused"], totals["died"]) == (12, 1, 2, 1)
    assert still(next(one for one in json.loads(site.get("/status")[2])["pools"] if one["name"] == "www")) == still(pool)

    scraped = of_pool(site.get("/metrics")[2], "www")
    assert scraped == of_pool(site.ctl.do("metrics"), "www")
    for name, value in {"requests": 12, "request_timeouts": 1, "saturations": totals["saturations"]}.items():
        assert scraped[f'preforkd_pool_{name}_total{{pool="www"}}'] == value, name
    for series, value in {'requests_refused_total{pool="www",reason="access"}': 2, 'worker_exits_total{pool="www",reason="died"}': 1,
                          'workers_max{pool="www"}': 7, 'queue_wait_seconds_count{pool="www"}': pool["wait_us"]["measured"],
                          'request_duration_seconds_count{pool="www"}': 12, 'requests_lost_total{pool="www"}': totals["lost"],
                          **{f'workers{{pool="www",state="{state}"}}': counts[state] for state in ("idle", "busy", "starting", "retiring")}
                          }.items():
        assert scraped[f"preforkd_pool_{series}"] == value, series

    times = {what: [figure(pool[what][part]) for part in ("p50", "p90", "p99")] for what in ("wait_us", "duration_us")}
    row = {"POOL": "www", "STATE": pool["state"], "GEN": str(pool["generation"]), "IDLE": "3", "BUSY": "0", "START": "0", "RETIRE": "0",
           "DETACH": "0", "MAX": "7", "QUEUE": "0", "REQUESTS": "12", "REFUSED": "2", "TIMEOUTS": "1", "DIED": "1", "LOST": "0",
           "~MEDIAN": times["duration_us"][0], "~P99": times["duration_us"][2], "~WAIT P99": times["wait_us"][2]}

    def without_rate(found: dict[str, str]) -> dict[str, str]:
        return {heading: cell for heading, cell in found.items() if heading not in ("REQ/S", "BUSY, 10 MIN")}

    assert without_rate(cells(site.ctl.do("status"), "www")) == row
    with terminal([CTL, "-s", site.ctl.path, "top"], rows=30, columns=220) as screen:
        screen.wait(r"^www +running")
        screen.wait("q quit")
        assert without_rate(cells(screen.text(), "www")) == row

    card = card_of(site.get("/")[2], "www")
    assert card["state"].endswith(pool["state"]) and card["count"] == "3 of 7 workers"
    assert card["legend"] == [f"{counts[state]} {state}" for state in ("busy", "idle", "starting")]
    assert card["figures"].items() >= {"requests": "12", "saturated": str(totals["saturations"])}.items()
    assert (card["wait"], card["duration"]) == (times["wait_us"], times["duration_us"])
    assert card["queues"] == [f"0 of {pool['listeners'][0]['backlog']} wait"]
    assert card["decision"] == site.control.do("why www")["pools"][0]["decisions"][0]["text"]


def test_reasons(site: Site) -> None:
    """Starts by reason are all starts, ends by reason all ends."""
    site.control.do("restart www")
    wait_until(lambda: samples(site.ctl.do("metrics"))['preforkd_pool_worker_exits_total{pool="www",reason="retired"}'] == 2,
               "the end of both")
    site.control.wait_workers(2)
    os.kill(site.daemon.workers()[0], signal.SIGKILL)
    wait_until(lambda: samples(site.ctl.do("metrics"))['preforkd_pool_worker_exits_total{pool="www",reason="died"}'] == 1,
               "the death of one")
    totals = site.control.pool("www")["totals"]
    assert totals["forked"] == sum(totals[f"forked_{reason}"] for reason in ("scale", "roll", "recycle", "drain", "refuse"))
    assert totals["forked_roll"] == 2 and totals["ended"] == 2


def test_saturation_is_timed(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat", "max_workers": 1, "min_spare_workers": 1,
                               "max_spare_workers": 1}}, control=True)
    control, address = control_of(daemon), str(daemon.pools["www"]["listen"])

    def saturated_ms() -> int:
        return int(control.pool("www")["totals"]["saturated_ms"])

    assert saturated_ms() == 0
    with connect(address), connect(address):
        wait_until(lambda: control.pool("www")["state"] == "saturated", "saturation")
        wait_until(lambda: saturated_ms() >= 200, "time goes by")
        before = saturated_ms()
        assert control.ask("upgrade", timeout=30)["ok"]
        assert saturated_ms() >= before
    wait_until(lambda: control.pool("www")["state"] == "running", "relief", 20)  # a pool of one worker looks now and then
    after = saturated_ms()
    stays(lambda: saturated_ms() == after, "no more is counted", 0.3)


def test_the_last_reload(site: Site) -> None:
    def metric(name: str) -> float:
        return samples(site.ctl.do("metrics"))[f"preforkd_{name}"]

    before = metric("config_last_reload_success_timestamp_seconds")
    assert metric("config_last_reload_successful") == 1 and abs(before - time.time()) < 600 * SLOW
    good = site.daemon.config.read_text()
    site.daemon.config.write_text(good + "nonsense = 1\n")
    assert not site.control.ask("reload", timeout=60)["ok"]
    assert metric("config_last_reload_successful") == 0
    assert metric("config_last_reload_success_timestamp_seconds") == before
    site.daemon.config.write_text(good)
    assert site.control.ask("reload", timeout=60)["ok"]
    assert metric("config_last_reload_successful") == 1
    assert metric("config_last_reload_success_timestamp_seconds") > before


def test_an_upgrade_resets_nothing(site: Site) -> None:
    """And the workers that ask go on, with the next program."""
    www = str(site.daemon.pools["www"]["listen"])
    burst(www, 5, b"x")
    wait_until(lambda: site.control.pool("www")["totals"]["requests"] == 5, "the load")
    workers, before = sorted(site.daemon.workers("status")), samples(site.ctl.do("metrics"))
    for upgrade in (1, 2):
        assert site.control.ask("upgrade", timeout=60)["ok"]
        let_documents_age()
        code, _, body = site.get("/metrics")
        after = samples(body)
        assert code == 200 and after["preforkd_upgrades_total"] == upgrade
        assert after["preforkd_start_time_seconds"] == before["preforkd_start_time_seconds"]
        assert set(after) == set(before)
        for series, value in before.items():
            if "_total" in series and 'pool="www"' in series:
                assert after[series] >= value, series
    assert sorted(site.daemon.workers("status")) == workers


# --- HTTP -----------------------------------------------------------------------------------------------------------

def test_paths(site: Site) -> None:
    for path, kind, start in (("/", "text/html; charset=utf-8", "<!DOCTYPE html>"), ("/metrics", TEXT, "# TYPE preforkd_"),
                              ("/status", "application/json", '{"protocol":2,"ok":true,"command":"status",'),
                              ("/livez", "text/plain; charset=utf-8", "alive\n"),
                              ("/readyz", "text/plain; charset=utf-8", "ready\n"),
                              ("/ping", "text/plain; charset=utf-8", "pong\n")):
        code, headers, body = site.get(path)
        assert (code, headers["Content-Type"]) == (200, kind), path
        assert body.startswith(start), body[:200]
        assert headers["Cache-Control"] == "no-store" and headers["Connection"] == "close"
        head_code, head_headers, nothing = site.get(path, "HEAD")
        assert (head_code, head_headers["Content-Type"], nothing) == (200, kind, "")
        if path in ("/livez", "/readyz", "/ping"):
            assert head_headers["Content-Length"] == headers["Content-Length"] == str(len(body))
    assert "workers" not in json.loads(site.get("/status")[2])["pools"][0]
    assert len(json.loads(site.get("/status?full")[2])["pools"][0]["workers"]) == 2
    assert all(pool in site.get("/")[2] for pool in ("www", "status"))


def test_what_cannot_be(site: Site) -> None:
    for path in ("/metric", "/metrics/", "//", "/status.json", "/../etc/passwd", "/config"):
        assert site.code(path) == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        code, headers, _ = site.get("/metrics", method)
        assert (code, headers["Allow"]) == (405, "GET, HEAD"), method
    assert site.get("/status", Accept="text/html")[0] == site.get("/", Accept="image/png")[0] == 406


def test_ready_pools(site: Site) -> None:
    assert site.get("/readyz?pool=www")[::2] == (200, "ready\n")
    assert site.code("/readyz?pool=nobody") == 404
    site.control.do("pause www")
    wait_until(lambda: site.code("/readyz") == 503, "it is noticed")
    let_documents_age()
    code, headers, body = site.get("/readyz")
    assert (code, body, headers["Retry-After"]) == (503, "not ready\nwww: paused\n", "1")
    assert site.code("/readyz?pool=www") == 503 and site.code("/readyz?pool=status") == 200
    assert site.code("/livez") == 200
    site.control.do("resume www")
    wait_until(lambda: site.code("/readyz") == 200, "it serves again")


def test_draining_pools_are_not_ready(site: Site) -> None:
    """But alive, and no less available."""
    site.control.do("drain www")
    wait_until(lambda: site.get("/readyz")[::2] == (503, "not ready\nwww: draining\n"), "it is noticed")
    let_documents_age()
    assert site.code("/livez") == 200
    found = samples(site.get("/metrics")[2])
    assert found['preforkd_pool_state{pool="www",preforkd_pool_state="draining"}'] == 1
    assert found['preforkd_pool_workers_available{pool="www"}'] > 0
    site.control.do("undrain")
    wait_until(lambda: site.code("/readyz") == 200, "it is over")


def test_a_stop_that_is_delayed(preforkd: Start) -> None:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": "/bin/cat"}, "status": status_pool()}, control=True,
                      master={"drain_delay": "5s"}, popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(2, "status")
    site = Site(daemon)
    assert site.code("/readyz") == 200
    daemon.send_signal(signal.SIGTERM)
    wait_until(lambda: site.code("/readyz") == 503, "not ready, and reachable", 5)
    assert daemon.wait_end(60) == 0


# The families of hipages/php-fpm_exporter, but for those of single processes.
EXPORTER = {"phpfpm_up", "phpfpm_scrape_failures", "phpfpm_start_since", "phpfpm_accepted_connections", "phpfpm_listen_queue",
            "phpfpm_listen_queue_length", "phpfpm_idle_processes", "phpfpm_active_processes", "phpfpm_total_processes",
            "phpfpm_max_active_processes", "phpfpm_max_listen_queue", "phpfpm_max_children_reached", "phpfpm_slow_requests"}


def test_other_dialects(site: Site) -> None:
    """The names are exactly those of others, and the numbers ours."""
    burst(str(site.daemon.pools["www"]["listen"]), 4, b"x")
    wait_until(lambda: site.control.pool("www")["totals"]["requests"] == 4, "the load")
    site.control.wait_workers(2)
    let_documents_age()
    code, headers, body = site.get("/metrics?compat=php-fpm", Accept=PROMETHEUS_ACCEPT)
    found = samples(body)
    assert (code, headers["Content-Type"]) == (200, TEXT)
    assert {series.partition("{")[0] for series in found} == EXPORTER
    assert found['phpfpm_accepted_connections{pool="www"}'] == 4 and found['phpfpm_idle_processes{pool="www"}'] == 2
    assert site.code("/metrics?compat=nginx") == 404
    theirs = json.loads(site.get("/status?json&pool=www")[2])
    assert list(theirs) == ["pool", "process manager", "start time", "start since", "accepted conn", "listen queue",
                            "max listen queue", "listen queue len", "idle processes", "active processes", "total processes",
                            "max active processes", "max children reached", "slow requests"]
    assert (theirs["pool"], theirs["process manager"], theirs["accepted conn"]) == ("www", "dynamic", 4)
    assert 1 <= theirs["max active processes"] == found['phpfpm_max_active_processes{pool="www"}'] <= 4
    assert theirs["total processes"] == theirs["idle processes"] + theirs["active processes"] == 2
    assert json.loads(site.get("/status?json")[2])["pool"] == "www" and site.code("/status?json&pool=nobody") == 404
    apache = dict(line.split(": ", 1) for line in site.get("/server-status?auto&pool=www")[2].splitlines())
    assert (apache["Total Accesses"], apache["BusyWorkers"], apache["IdleWorkers"]) == ("4", "0", "2")
    assert apache["Scoreboard"] == "_" * 2 + "." * (site.control.pool("www")["limits"]["max_workers"] - 2)
    everything = dict(line.split(": ", 1) for line in site.get("/server-status?auto")[2].splitlines())
    assert int(everything["Total Accesses"]) >= 4 and len(everything["Scoreboard"]) > len(apache["Scoreboard"])
    assert site.code("/server-status") == site.code("/server-status?auto&pool=nobody") == 404


def test_curl(site: Site) -> None:
    """One request after the other, all in one command."""
    url = f"http://{site.address}"
    said = subprocess.run(["curl", "-sS", "--fail", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} ", "--compressed",
                           f"{url}/metrics", f"{url}/status?full"], capture_output=True, text=True, timeout=60 * SLOW, check=True)
    assert said.stdout == "200 200 " and said.stderr == ""


def test_a_page_shows_names_as_they_are(preforkd: Start, tmp_path: Path) -> None:
    """Nothing that is in a name is markup."""
    daemon = preforkd({"www": {"listen": str(tmp_path / "<b>&"), "handler": "/bin/cat"},
                       "status": status_pool()}, control=True, popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(2, "status")
    site = Site(daemon)
    page = site.get("/")[2]
    assert "<b>&" not in page and "/&#60;b&#62;&#38;</code>" in page
    assert '<b>&"}' in site.get("/metrics")[2], "as a label it needs no quoting"


# --- clients that mean no good --------------------------------------------------------------------------------------

def first_line(answer: bytes) -> str:
    return answer.split(b"\r\n", 1)[0].decode()


def test_malformed_requests(site: Site) -> None:
    """Each gets an answer of HTTP or none, and the workers stay."""
    workers = sorted(site.daemon.workers("status"))
    for data in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100 + b"\r\n\r\n", b"\xff\xfe GET / HTTP/1.1\r\n\r\n",
                 b"GET /metrics HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
                 b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 50_000 + b"\r\n", b"GET /?" + b"a&" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
                 b"GET /?%zz&pool=%00%ff&=&&full=1 HTTP/1.1\r\nHost: a\r\n\r\n"):
        answer = b""
        with connect(site.address) as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                answer = read_all(client)
            except (ConnectionResetError, BrokenPipeError):
                pass
        assert answer == b"" or re.match(r"HTTP/1\.[01] [2345]\d\d ", first_line(answer)), (data[:80], answer[:200])
        assert not answer.startswith(b"HTTP/1.1 500"), data[:80]
    assert first_line(site.send(b"GET / HTTP/1.1\r\n\r\n")) == "HTTP/1.1 400 Bad Request", "no Host"
    assert first_line(site.send(b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")).split()[1] in ("414", "431")
    begun = time.monotonic()
    for unfinished in (b"", b"GET / ", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"):
        with connect(site.address) as client:
            client.sendall(unfinished)
            client.shutdown(socket.SHUT_WR)
            read_all(client)
    assert time.monotonic() - begun < 4 * SLOW, "the end of the client's side ends what it has begun"
    assert site.code("/metrics") == 200
    assert sorted(site.daemon.workers("status")) == workers


def test_pipelined_requests(site: Site) -> None:
    """The first is answered, whole, and the connection ended."""
    one = b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"
    for count in (2, 500, 10_000):
        answer = site.send(one * count)
        assert answer.count(b"HTTP/1.1 200 ") == 1 and answer.endswith(b"\r\n\r\npong\n"), answer
    assert site.send(b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000).startswith(b"HTTP/1.1 405 ")


def test_slow_clients(site: Site) -> None:
    """A byte at a time holds a worker for no longer than the deadline, and others are served meanwhile."""
    begun = time.monotonic()
    with connect(site.address) as client:
        client.settimeout(60 * SLOW)
        ended = False
        for byte in b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 1000:
            try:
                client.sendall(bytes([byte]))
                time.sleep(0.05)
                client.setblocking(False)
                answer = client.recv(4096)
                assert first_line(answer) in ("HTTP/1.1 408 Request Timeout", ""), answer
                ended = True
                break
            except BlockingIOError:
                client.settimeout(60 * SLOW)
            except OSError:
                ended = True
                break
            if byte == ord("X"):
                assert site.code("/metrics") == 200
    assert ended and 4 < time.monotonic() - begun < 5 + 10 * SLOW


def test_a_client_that_does_not_read(preforkd: Start) -> None:
    """What does not fit into the socket waits for no longer than the deadline."""
    pools: dict[str, Any] = {f"pool{i}": {"listen": tcp4(), "handler": "/bin/cat", "max_workers": 1} for i in range(3)}
    daemon = preforkd({**pools, "status": status_pool(max_workers=1)}, control=True,
                      popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(1, "status")
    site = Site(daemon)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.connect(("127.0.0.1", port_of(site.address)))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = time.monotonic()
        assert site.code("/ping", ) == 200, "after the deadline at last"
        assert time.monotonic() - begun < 12 + 10 * SLOW


# --- the master -----------------------------------------------------------------------------------------------------

def test_a_master_that_hangs(site: Site) -> None:
    """A client is told in time; what needs no master is served; and it goes on with it."""
    assert site.code("/metrics") == 200
    os.kill(site.daemon.pid, signal.SIGSTOP)
    try:
        let_documents_age()
        for path in ("/metrics", "/status", "/livez", "/readyz", "/", "/metrics"):
            begun = time.monotonic()
            code, headers, body = site.get(path)
            assert (code, body) == (503, "the master does not answer\n") and headers["Retry-After"] == "1", path
            assert time.monotonic() - begun < 2 + 3 * SLOW
        assert site.code("/ping") == 200
    finally:
        os.kill(site.daemon.pid, signal.SIGCONT)
    wait_until(lambda: site.code("/livez") == 200, "the master answers again")
    burst(str(site.daemon.pools["www"]["listen"]), 3, b"x")
    wait_until(lambda: samples(site.get("/metrics")[2])['preforkd_pool_requests_total{pool="www"}'] == 3, "fresh numbers")


def test_an_idle_daemon_sleeps(site: Site) -> None:
    assert site.code("/metrics") == 200
    site.daemon.wait_asleep()


def test_the_object_is_missed_at_once(preforkd: Start, tmp_path: Path) -> None:
    config = tmp_path / "missing.conf"
    config.write_text(f"[status]\nlisten = {tcp4()}\nhandler_type = builtin\nhandler = status\n"
                      + ("user = nobody\n" if os.geteuid() == 0 else ""))
    result = run_preforkd("-t", "-c", config, env=clean_environment(PREFORKD_STATUS=str(tmp_path / "nowhere.so")))
    assert result.returncode == 78
    assert re.search(rf"{config}:4: handler: cannot load \"{tmp_path}/nowhere.so\".*No such file", result.stderr), result.stderr
    config.write_text(config.read_text().replace("handler = status", "handler = status\nthreads_per_worker = 2"))
    assert "threads_per_worker: a worker of the builtin \"status\"" in run_preforkd("-t", "-c", config).stderr


# --- a real Prometheus ----------------------------------------------------------------------------------------------

@contextmanager
def prometheus(directory: Path, target: str, config: str = "") -> Iterator[Callable[[str], Any]]:
    """A Prometheus that scrapes the target; what asks it."""
    port = free_port()
    file = directory / "prometheus.yml"
    file.write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: preforkd\n"
                    f"  static_configs: [{{targets: ['{target}']}}]\n{config}")
    server = subprocess.Popen(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={directory}/tsdb",
                               f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
                              stdout=(directory / "prometheus.log").open("w"), stderr=subprocess.STDOUT, cwd=directory)

    def ask(path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * SLOW)
        try:
            connection.request("GET", f"/api/v1/{path}")
            answer = connection.getresponse()
            return json.loads(answer.read())["data"] if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    try:
        yield ask
    finally:
        server.terminate()
        server.wait(60 * SLOW)
        shutil.rmtree(directory / "tsdb", ignore_errors=True)


def dashboard_queries() -> list[str]:
    """What the dashboard asks, with its variables filled in."""
    dashboard = json.loads((ROOT / "share/grafana/preforkd.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    assert len(found) > 20
    for name, text in {"$instance": ".*", "$pool": ".*", "$__rate_interval": "1m", "$__interval": "1m"}.items():
        found = [query.replace(name, text) for query in found]
    assert not any("$" in query for query in found)
    return found


def test_a_prometheus_scrapes_it(site: Site, tmp_path: Path) -> None:
    with prometheus(tmp_path, site.address) as ask:
        def value(query: str) -> float | None:
            data = ask("query?query=" + urllib.parse.quote(query))
            return float(data["result"][0]["value"][1]) if data and data["result"] else None

        wait_until(lambda: value("up") == 1, "a scrape that succeeded", 60)
        burst(str(site.daemon.pools["www"]["listen"]), 7, b"x")
        wait_until(lambda: value('preforkd_pool_requests_total{pool="www"}') == 7, "the load", 30)
        assert value('preforkd_pool_workers_max{pool="status"}') == 2
        assert value('sum(preforkd_pool_state{pool="www"})') == 1
        assert value("preforkd_build_info") == 1
        target = ask("targets")["activeTargets"][0]
        assert target["health"] == "up" and target["lastError"] == ""
        assert (value('histogram_quantile(0.5, preforkd_pool_request_duration_seconds_bucket{pool="www"})') or 0) > 0
        assert ask("metadata?metric=preforkd_pool_requests")["preforkd_pool_requests"][0]["type"] == "counter"
        known = set(ask("label/__name__/values"))
        for query in dashboard_queries():
            names = set(re.findall(r"\bpreforkd_[a-z_]+(?=\{)", query))
            assert names and names <= known, names - known
            assert ask("query?query=" + urllib.parse.quote(query)) is not None, query
        assert site.control.ask("upgrade", timeout=60)["ok"]
        wait_until(lambda: value("preforkd_upgrades_total") == 1, "scrapes of the next program", 30)
        assert value('resets(preforkd_pool_requests_total{pool="www"}[5m])') == 0
