"""A real Chromium without a screen, spoken to by ChromeDriver in the W3C WebDriver protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon import SLOW, free_port

# Nothing but the page is asked for, by nobody but us.
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """A window."""

    def __init__(self, driver: str, session: str) -> None:
        self.driver, self.session = driver, session

    def do(self, command: str, arguments: dict[str, Any] | None = None, method: str = "POST") -> Any:
        return ask(f"{self.driver}/session/{self.session}/{command}", arguments if method == "POST" else None, method)

    def cdp(self, command: str, **parameters: Any) -> Any:
        return self.do("goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url: str) -> None:
        self.do("url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a JavaScript function's body."""
        return self.do("execute/sync", {"script": script, "args": list(arguments)})

    def theme(self, name: str) -> None:
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def size(self, width: int, height: int, scale: float = 1) -> None:
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600)

    def press(self, key: str) -> None:
        self.do("actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def capture(self, file: Path) -> None:
        """Of the whole page."""
        data = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(data))

    def records(self) -> list[str]:
        """What the console has got since the last time."""
        return [f"{record['level']}: {record['message']}" for record in self.do("se/log", {"type": "browser"})]


def ask(url: str, body: dict[str, Any] | None, method: str) -> Any:
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(),
                                     {"Content-Type": "application/json"}, method=method)
    try:
        with NO_PROXY.open(request, timeout=120 * SLOW) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from error


def capabilities(directory: Path, scripts: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"args": [*FLAGS, f"--user-data-dir={directory}/profile"]}
    if not scripts:
        options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
    return {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options,
                                             "goog:loggingPrefs": {"browser": "ALL"}}}}


@contextmanager
def chromium(directory: Path, scripts: bool = True) -> Iterator[Browser]:
    """`directory` is for what a browser leaves behind."""
    directory.mkdir(exist_ok=True)
    port = free_port()
    driver = f"http://127.0.0.1:{port}"
    log = (directory / "chromedriver.log").open("w")
    # A session of its own, so that nothing of the browser outlives the test.
    process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=log, stderr=subprocess.STDOUT, cwd=directory,
                               start_new_session=True, env={**os.environ, "HOME": str(directory), "no_proxy": "*"})
    try:
        deadline = time.monotonic() + 60 * SLOW
        while True:
            try:
                if ask(f"{driver}/status", None, "GET")["ready"]:
                    break
            except OSError:
                assert time.monotonic() < deadline, "chromedriver does not answer"
                time.sleep(0.05)
        session = ask(f"{driver}/session", capabilities(directory, scripts), "POST")["sessionId"]
        browser = Browser(driver, session)
        yield browser
        ask(f"{driver}/session/{session}", None, "DELETE")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60 * SLOW)
        log.close()
        shutil.rmtree(directory / "profile", ignore_errors=True)
