"""A Prometheus, a HAProxy and a Chromium all look at one daemon under load, while it is reloaded, restarted and upgraded."""

from __future__ import annotations

import json
import re
import shutil
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from browser import Browser, chromium
from daemon import Daemon, clean_environment, request, status_object, tcp4, wait_until
from test_agent import Balancer, agent_pool, balancer, clients
from test_page import shown, text_of
from test_status_pool import Site, prometheus, status_pool
from test_upgrade import upgrade

pytestmark = [pytest.mark.long,  # a browser is 500 MB of packages
              pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")]

Start = Callable[..., Daemon]


class Load:
    """Clients that come again and again, each of whom must get back what it has sent."""

    def __init__(self, address: str, count: int) -> None:
        self.address, self.served, self.lost = address, 0, list[str]()
        self.lock, self.over = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(count)]

    def run(self, number: int) -> None:
        for round_ in range(10 ** 9):
            if self.over.is_set():
                return
            sent, fault = f"{number} {round_}".encode(), ""
            try:
                answer = request(self.address, sent, timeout=60)
                fault = "" if answer == sent else f"{sent!r} became {answer!r}"
            except OSError as error:
                fault = f"{sent!r}: {error}"
            with self.lock:
                self.served += 1
                self.lost += [fault] if fault else []

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def __exit__(self, *_: object) -> None:
        self.end()


class Scraper:
    """A Prometheus, and its view of the pool `www`."""

    def __init__(self, ask: Callable[[str], Any]) -> None:
        self.ask = ask

    def values(self, query: str) -> list[float]:
        data = self.ask("query?query=" + urllib.parse.quote(query))
        return [float(series["value"][1]) for series in data["result"]] if data else []

    def requests(self) -> float:
        return next(iter(self.values('preforkd_pool_requests_total{pool="www"}')), 0)


@pytest.fixture
def site(preforkd: Start) -> Site:
    daemon = preforkd({"www": {"listen": tcp4(), "handler": ["/bin/sh", "-c", "sleep 0.05; exec cat"], "min_spare_workers": 1,
                               "max_spare_workers": 2, "spare_timeout": "1s", "max_workers": 4},
                       "agent": agent_pool(), "status": status_pool(max_workers=4)},
                      control=True, popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(4, "status")
    return Site(daemon)


def changes(site: Site) -> dict[str, Callable[[], None]]:
    """What is done to the daemon, one after the other, each of which has ended when the function returns."""
    daemon, control = site.daemon, site.control

    def reload(pool: str, **keys: object) -> None:
        daemon.pools.setdefault(pool, {}).update(keys)  # type: ignore[arg-type]
        daemon.hup("reloaded")

    def roll() -> None:
        reload("www", environment="GENERATION=2")
        wait_until(lambda: control.pool("www")["generation"] == 2 and control.pool("www")["counts"]["old"] == 0, "the new generation", 60)

    def restart() -> None:
        before = control.pool("www")["generation"]
        control.do("restart www")
        wait_until(lambda: control.pool("www")["generation"] > before and control.pool("www")["counts"]["old"] == 0, "new workers", 60)

    return {"more workers": lambda: reload("www", max_workers=6),
            "another generation": roll,
            "an upgrade": lambda: upgrade(daemon),
            "another pool": lambda: reload("mail", listen=tcp4(), handler="/bin/cat", max_workers=2),
            "new workers": restart,
            "a second upgrade": lambda: upgrade(daemon)}


def all_see(site: Site, load: Load, scraper: Scraper, proxy: Balancer, browser: Browser, what: str) -> None:
    """After a change: clients are served, and those who look get to know of them."""
    before = load.served
    wait_until(lambda: load.served > before + 10, f"clients after {what}", 60)
    served = site.control.pool("www")["totals"]["requests"]
    wait_until(lambda: scraper.requests() >= served, f"Prometheus after {what}", 60)
    wait_until(lambda: int(shown(browser, "www")["figures"]["requests"]) >= served, f"the page after {what}", 60)
    most = str(site.daemon.pools["www"]["max_workers"])
    wait_until(lambda: proxy.server()["slim"] == most, f"HAProxy after {what}", 30)
    assert proxy.server()["status"] == "no check" or proxy.server()["status"].startswith("UP"), proxy.server()["status"]
    assert load.lost == [], what


def test_all_look_at_one_daemon(site: Site, tmp_path: Path) -> None:
    www = site.daemon.pools["www"]
    for name in ("prometheus", "haproxy"):
        (tmp_path / name).mkdir()
    with (prometheus(tmp_path / "prometheus", site.address) as ask,
          balancer(tmp_path / "haproxy", {"one": site.daemon}, "no-check") as proxy,
          chromium(tmp_path / "browser") as browser):
        scraper = Scraper(ask)
        browser.open(f"http://{site.address}/")
        browser.run("window.opened = true")
        with Load(proxy.address, 4) as load:
            all_see(site, load, scraper, proxy, browser, "the start")
            for what, change in changes(site).items():
                change()
                all_see(site, load, scraper, proxy, browser, what)
            load.end()
        assert load.lost == []

        # HAProxy: nobody was turned away on either side, the node is as it was configured last, and free again.
        server = proxy.server()
        assert [server[kind] for kind in ("econ", "eresp", "wretr", "wredis")] == ["0"] * 4 and int(server["stot"]) == load.served
        proxy.wait(weight="100", agent_status="L7OK", slim="6")
        with clients(str(www["listen"]), 3):
            proxy.wait(weight="50")
        site.control.wait_at_rest("www")

        # All have the same numbers, which are those of the clients.
        expected = load.served + 3
        wait_until(lambda: site.control.pool("www")["totals"]["requests"] == expected, "all have ended")
        wait_until(lambda: scraper.requests() == expected, "that Prometheus has all", 30)
        wait_until(lambda: int(shown(browser, "www")["figures"]["requests"]) == expected, "that the page has all", 30)
        pool = next(one for one in json.loads(site.get("/status")[2])["pools"] if one["name"] == "www")
        assert pool["totals"]["requests"] == expected and pool["totals"]["lost"] == pool["totals"]["refused"] == 0
        assert sum(pool["duration_us"]["buckets"]) == expected

        # Prometheus: no counter of any pool has ever fallen.
        counters = [name for name in ask("label/__name__/values") if re.fullmatch(r"preforkd_.*_(total|bucket|count|sum)", name)]
        resets = {name: scraper.values(f"resets({name}[1h])") for name in counters}
        assert len(counters) > 20 and all(resets.values()) and not [name for name, falls in resets.items() if max(falls) > 0]
        assert scraper.values("preforkd_upgrades_total") == [2]
        assert scraper.values('preforkd_pool_request_duration_seconds_count{pool="www"}') == [expected]

        # Chromium: it is the page that was opened at the beginning, it goes on, and it has the new pool.
        assert browser.run("return window.opened") is True and text_of(browser, "#age") == "live"
        wait_until(lambda: shown(browser, "www")["count"] == f"{site.control.pool('www')['counts']['total']} of 6 workers", "the page", 30)
        assert shown(browser, "mail")["count"].endswith(" of 2 workers") and text_of(browser, ".problems").strip() == "No problems"
        assert browser.records() == [], "nothing has failed"
