"""The page of status pools, in a real Chromium: what it shows, how it updates, and who can use it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Browser, chromium
from daemon import SLOW, Daemon, burst, clean_environment, connect, request, status_object, tcp4, wait_until
from test_status_pool import Site, status_pool

pytestmark = pytest.mark.long  # a browser is 500 MB of packages

Start = Callable[..., Daemon]
EVIL = "<img src=x onerror=alert(1)>&'\""


@pytest.fixture
def site(preforkd: Start, tmp_path: Path) -> Site:
    """Pools that are well, and one at an address that looks like markup."""
    daemon = preforkd({"www": {"listen": [tcp4(), str(tmp_path / EVIL.replace('"', "").replace("/", ""))], "handler": "/bin/cat",
                               "start_workers": 2, "min_spare_workers": 1, "max_spare_workers": 2, "max_workers": 8,
                               "spare_timeout": "1s"},
                       "mail": {"listen": tcp4(), "handler": "/bin/cat", "min_spare_workers": 1, "max_spare_workers": 1,
                                "max_workers": 1},
                       "status": status_pool(max_workers=3)},
                      control=True, popen={"env": clean_environment(**status_object())})
    daemon.wait_workers(3, "status")
    daemon.wait_workers(2)
    return Site(daemon)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "browser") as window:
        window.size(1280, 800)
        yield window
        assert window.records() == [], "nothing is refused by the policy, and nothing fails"


def url_of(site: Site) -> str:
    return f"http://{site.address}/"


def listen(site: Site, pool: str) -> str:
    return str(site.daemon.pools[pool]["listen"][0] if isinstance(site.daemon.pools[pool]["listen"], list)
               else site.daemon.pools[pool]["listen"])


def text_of(browser: Browser, selector: str) -> str:
    return str(browser.run("const found = document.querySelector(arguments[0]); return found ? found.textContent : ''", selector))


def card(pool: str) -> str:
    return f".card[data-pool={pool}]"


def shown(browser: Browser, pool: str) -> dict[str, Any]:
    """What the card of a pool says, as a person reads it."""
    found = browser.run("""
        const card = document.querySelector(arguments[0]), words = (selector) => card.querySelector(selector).innerText.trim();
        const figures = Object.fromEntries([...card.querySelectorAll('.figures div')].map((pair) =>
            [pair.children[0].textContent, pair.children[1].textContent]));
        return {state: words('.badge'), count: words('.count'), figures,
                legend: [...card.querySelectorAll('.legend li')].map((part) => part.innerText.trim()),
                listeners: [...card.querySelectorAll('.listeners li')].map((part) => part.innerText.trim()),
                decision: card.querySelector('.decisions li') ? words('.decisions li') : null}""", card(pool))
    return dict(found)


def test_it_says_what_the_status_says(site: Site, browser: Browser) -> None:
    for number in range(1, 6):  # one after the other: no worker is started for them, and none goes with what it has served
        assert request(listen(site, "www"), b"x") == b"x"
        wait_until(lambda: site.control.pool("www")["totals"]["requests"] == number, "the load")  # noqa: B023
        wait_until(lambda: site.control.pool("www")["counts"]["idle"] == 2, "idle workers again")
    browser.open(url_of(site))
    wait_until(lambda: shown(browser, "www")["figures"]["requests"] == "5", "the load on the page", 15)
    document = json.loads(site.get("/status?full")[2])
    pool = document["pools"][0]
    card_of_www = shown(browser, "www")
    assert card_of_www["state"].endswith(pool["state"]) and card_of_www["count"] == f"{pool['counts']['total']} of 8 workers"
    assert card_of_www["legend"] == [f"{pool['counts'][state]} {state}" for state in ("busy", "idle", "starting")]
    assert card_of_www["listeners"] == [f"{listener['address']} 0 of {listener['backlog']} wait" for listener in pool["listeners"]]
    why = site.control.do("why")["pools"][0]["decisions"]
    assert card_of_www["decision"].endswith(why[0]["text"])
    rows = browser.run("return [...document.querySelectorAll('#table tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))")
    assert sorted((row[0], int(row[1])) for row in rows) == sorted(
        (pool["name"], worker["pid"]) for pool in document["pools"] for worker in pool["workers"])
    assert sum(int(row[5]) for row in rows if row[0] == "www") == 5
    assert text_of(browser, ".problems").strip() == "No problems"


def test_text_stays_text(site: Site, browser: Browser) -> None:
    """Also after it has been updated."""
    browser.open(url_of(site))
    address = site.control.pool("www")["listeners"][1]["address"]
    for _ in range(2):
        assert address in text_of(browser, card("www")) and "<img" in address
        assert browser.run("return document.querySelectorAll('img').length") == 0
        age = text_of(browser, f"{card('www')} time")
        wait_until(lambda: text_of(browser, f"{card('www')} time") != age, "an update", 15)


def test_it_updates_in_place(site: Site, browser: Browser) -> None:
    """Focus, scrolling, what is folded out and the order of the table stay; what is the same is not touched."""
    browser.open(url_of(site))
    browser.size(1280, 400)
    browser.run("""
        document.querySelector("#table th:nth-child(6) button").click();
        document.querySelector("#table th:nth-child(6) button").focus();
        document.querySelector(".card h3").marked = true;
        scrollTo(0, 300)""")
    with connect(listen(site, "www")), connect(listen(site, "www")):
        wait_until(lambda: "2 busy" in text_of(browser, f"{card('www')} .legend"), "busy workers", 15)
        assert browser.run("return document.querySelectorAll('#table .dot.busy').length") >= 2
    assert browser.run("return document.activeElement.textContent") == "Requests"
    assert browser.run("return document.querySelector('.card h3').marked") is True
    assert browser.run("return Math.round(scrollY)") == 300
    assert browser.run("return document.querySelector('#table th:nth-child(6)').getAttribute('aria-sort')") == "descending"
    burst(listen(site, "www"), 9, b"x")

    def requests() -> list[int]:
        return [int(number) for number in browser.run(
            "return [...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[5].textContent)")]

    wait_until(lambda: sum(requests()) > 9, "their requests", 15)
    assert requests() == sorted(requests(), reverse=True)
    wait_until(lambda: bool(browser.run("return !!document.querySelector('.history svg path')")), "workers over time", 15)
    assert "Workers of " in browser.run("return document.querySelector('.history svg').getAttribute('aria-label')")


def test_problems_come_first(site: Site, browser: Browser) -> None:
    for command in ("pause", "resume"):  # decisions to fold out
        site.control.do(f"{command} mail")
    browser.open(url_of(site))
    assert browser.run("return document.querySelector('.card').dataset.pool") == "www"
    browser.run("const summary = document.querySelector(arguments[0]); summary.click(); summary.focus()", f"{card('mail')} summary")
    with connect(listen(site, "mail")), connect(listen(site, "mail")), connect(listen(site, "mail")):
        wait_until(lambda: "mail is saturated" in text_of(browser, ".problems"), "the problem", 15)
        assert browser.run("return document.activeElement.closest('.card').dataset.pool") == "mail", "which has moved"
        assert browser.run("return document.activeElement.parentElement.open") is True
        assert browser.run("return document.querySelector('.card').dataset.pool") == "mail"
        assert text_of(browser, "#news") == "mail is saturated"
    site.control.do("pause www")
    wait_until(lambda: "www is paused" in text_of(browser, ".problems"), "the pause", 15)
    assert shown(browser, "www")["state"].endswith("paused")
    site.control.do("resume www")
    wait_until(lambda: "www" not in text_of(browser, ".problems"), "the end of it", 15)


def test_a_pause_of_updates(site: Site, browser: Browser) -> None:
    browser.open(url_of(site))
    browser.run("document.getElementById('pause').click()")
    assert browser.run("return document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    request(listen(site, "www"), b"x")
    wait_until(lambda: site.control.pool("www")["totals"]["requests"] == 1, "the load")
    wait_until(lambda: re.search("as it was ([4-9]|1[0-9]) s ago", text_of(browser, "#age")), "time goes by", 15)
    assert shown(browser, "www")["figures"]["requests"] == "0"
    browser.run("document.getElementById('pause').click()")
    wait_until(lambda: shown(browser, "www")["figures"]["requests"] == "1", "the load on the page", 15)


def test_a_server_that_is_gone(site: Site, tmp_path: Path) -> None:
    """The page says so, and keeps what it has."""
    with chromium(tmp_path / "browser") as browser:
        browser.open(url_of(site))
        site.control.do("pause status")
        wait_until(lambda: "no answer; as it was" in text_of(browser, "#age"), "that is said", 30)
        assert shown(browser, "www")["count"] == "2 of 8 workers"
        site.control.do("resume status")
        wait_until(lambda: text_of(browser, "#age") == "live", "it is back", 30)
        os.kill(site.daemon.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: "the master does not answer; as it was" in text_of(browser, "#age"), "what the worker says", 30)
        finally:
            os.kill(site.daemon.pid, signal.SIGCONT)
        wait_until(lambda: text_of(browser, "#age") == "live", "it is back", 30)


def test_without_scripts(site: Site, tmp_path: Path) -> None:
    with chromium(tmp_path / "browser", scripts=False) as browser:
        browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
        browser.open(url_of(site))
        tree = browser.cdp("DOM.getDocument", depth=0)["root"]["nodeId"]

        def html(selector: str) -> str:
            node = browser.cdp("DOM.querySelector", nodeId=tree, selector=selector)["nodeId"]
            return str(browser.cdp("DOM.getOuterHTML", nodeId=node)["outerHTML"]) if node else ""

        assert "running" in html(f"{card('www')} .badge") and "<b>2</b> of 8 workers" in html(f"{card('www')} .count")
        assert html("#table tbody tr") and not html("#table button")
        assert " hidden" in html("#controls")[:40] and re.search(r'<path class="idle" d="M0 50V[^"]+Z"', html(f"{card('www')} .history"))


# --- who can use it -------------------------------------------------------------------------------------------------

CONTRASTS = r"""
    const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgba = (colour) => {
        paint.clearRect(0, 0, 1, 1);
        paint.fillStyle = colour;
        paint.fillRect(0, 0, 1, 1);
        return [...paint.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map((part) => part / 255).map((part) =>
        part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255)
                return colour;
        }
        return rgba('Canvas');
    };
    const bad = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let checked = 0;
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
        const node = text.parentElement;
        if (!text.data.trim() || !node.checkVisibility() || node.closest('script, .unseen'))
            continue;
        const [a, b] = [light(rgba(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
        checked += 1;
        if ((a + 0.05) / (b + 0.05) < 4.5)
            bad.push(`${text.data.trim()}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
    }
    return {checked, bad};
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(theme: str, site: Site, browser: Browser) -> None:
    """Of every text on what is behind it, with pools in several states."""
    browser.theme(theme)
    site.control.do("pause www")
    with connect(listen(site, "mail")), connect(listen(site, "mail")), connect(listen(site, "mail")):
        wait_until(lambda: site.control.pool("mail")["state"] == "saturated", "saturation")
        browser.open(url_of(site))
        found = browser.run(CONTRASTS)
        assert found["bad"] == [] and found["checked"] > 60
        assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (theme == "dark")
        # Every colour of a state, also of those that no pool is in.
        for kind in ("good", "warn", "bad", "note"):
            browser.run("document.querySelectorAll('.card').forEach((card) => card.className = `card ${arguments[0]}`);"
                        "document.querySelectorAll('.problems li').forEach((line) => line.className = arguments[0])", kind)
            assert browser.run(CONTRASTS)["bad"] == [], kind
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (int(ground[4:].split(",")[0]) < 60) == (theme == "dark")


@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits(width: int, site: Site, browser: Browser) -> None:
    browser.size(width, 800)
    browser.open(url_of(site))
    wait_until(lambda: bool(browser.run("return !!document.querySelector('.history svg')")), "an update", 15)
    assert browser.run("return innerWidth") == width
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run("return [...document.querySelectorAll('.card, .card *, .problems li')].filter((node) => "
                       "node.checkVisibility() && !node.closest('svg, .unseen') && node.getBoundingClientRect().right > innerWidth)"
                       ".map((node) => node.outerHTML.slice(0, 80))") == []


def test_it_can_be_read_aloud(site: Site, browser: Browser) -> None:
    """What a screen reader gets has names, roles and one place for news."""
    browser.open(url_of(site))
    wait_until(lambda: bool(browser.run("return !!document.querySelector('.history svg')")), "an update", 15)
    nodes = [node for node in browser.cdp("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]

    def names(role: str) -> list[str]:
        return [node.get("name", {}).get("value", "") for node in nodes if node["role"]["value"] == role]

    assert len(names("banner")) == len(names("main")) == len(names("contentinfo")) == 1
    assert set(names("region")) == {"Problems", "Pools", "Workers"} and names("navigation") == ["Other formats"]
    assert sorted(names("article")) == ["mail", "status", "www"]
    assert len(names("status")) == 1 and all(name for role in ("button", "link", "image", "article", "table") for name in names(role)[:50]
                                             if role != "table")
    assert {"Pause", "Pool", "PID", "State", "Requests", "Memory"} <= set(names("button"))
    assert browser.run("return document.documentElement.lang") == "en"
    assert browser.run("const ids = [...document.querySelectorAll('[id]')].map((node) => node.id); return ids.length - new Set(ids).size") == 0


def test_the_keyboard(site: Site, browser: Browser) -> None:
    browser.open(url_of(site))
    tab, enter = "\ue004", "\ue007"
    reached = []
    for _ in range(25):
        browser.press(tab)
        reached.append(browser.run("return document.activeElement.className || document.activeElement.id || document.activeElement.textContent"))
    assert reached[0] == "skip" and "pause" in reached and "wide" in reached and "Requests" in reached
    browser.run("document.querySelector('#table th:nth-child(2) button').focus()")
    for direction in ("descending", "ascending"):
        browser.press(enter)
        assert browser.run("return document.querySelector('#table [aria-sort]').getAttribute('aria-sort')") == direction
    pids = [int(pid) for pid in browser.run("return [...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[1].textContent)")]
    assert pids == sorted(pids) and len(pids) > 3


def test_motion(site: Site, browser: Browser) -> None:
    browser.open(url_of(site))
    for wish, moves in (("reduce", False), ("no-preference", True)):
        browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": wish}])
        assert browser.run("return parseFloat(getComputedStyle(document.querySelector('.bar .busy')).transitionDuration) > 0") == moves


def test_nothing_else_may_run(site: Site, tmp_path: Path) -> None:
    """The policy is in force: a script, a style and a request to elsewhere are refused."""
    with chromium(tmp_path / "browser") as browser:
        browser.open(url_of(site))
        browser.records()
        browser.run("""
            const script = document.createElement('script'), style = document.createElement('style');
            script.textContent = 'window.ran = true';
            style.textContent = 'h1 { display: none }';
            document.body.append(script, style);
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.ran = true">');
            window.refused = fetch('http://127.0.0.1:1/').then(() => 'came', () => 'refused').then((word) => window.word = word)""")
        wait_until(lambda: browser.run("return window.word") == "refused", "it is refused", 5 * SLOW)
        assert browser.run("return window.ran") is None
        assert browser.run("return getComputedStyle(document.querySelector('h1')).display") == "block"
        records = "\n".join(browser.records())
        for directive in ("script-src", "style-src", "img-src", "connect-src"):
            assert directive in records, records
