"""log_format = json: each line is an object, wherever it is written and whoever says it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import Daemon, request, tcp4, wait_until
from pools import static

Start = Callable[..., Daemon]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
HANDLER = ["/bin/sh", "-c", 'read -r line; printf "%s\\n" "$line" >&2; echo ok']


@pytest.fixture(params=["stderr", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    """The keys of [preforkd] for lines on stderr, or in a file."""
    directory = tmp_path / "logs"
    directory.mkdir(0o755)
    return {"log_format": "json", **({"log_target": f"file:{directory / 'log'}"} if request.param == "file" else {})}


def objects(daemon: Daemon) -> list[dict[str, Any]]:
    """Of every whole line; what is none fails here."""
    text = daemon.record_path.read_text() if daemon.record_path.exists() else ""
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def wait_object(daemon: Daemon, **members: object) -> dict[str, Any]:
    return wait_until(lambda: next((found for found in objects(daemon) if members.items() <= found.items()), None), f"{members}")


def start(preforkd: Start, place: dict[str, object], **pool: object) -> tuple[Daemon, str]:
    address = tcp4()
    return preforkd({"www": {"listen": address, **static(1), "handler": HANDLER, **pool}}, master=place, control=True,
                    ready=False), address


def test_every_line_is_an_object(preforkd: Start, place: dict[str, object]) -> None:
    """Of the master, of a worker, and of a handler, whose words may be anything."""
    daemon, address = start(preforkd, place)
    ready = wait_object(daemon, level="notice", message="preforkd 0.1.0 ready: 1 pool, 1 listener", program="preforkd")
    assert re.fullmatch(TIME, ready["time"]) and re.fullmatch("[0-9a-f]{32}", ready["message_id"])
    [worker] = daemon.wait_workers(1)
    for said in (b'he said "\\', "größer €".encode(), b"\xff\x01\x1b[2J", b"<3>an error", b'{"message": "forged"}'):
        assert request(address, said + b"\n") == b"ok\n"
        expected = re.sub("[\x00-\x1f]", "?", re.sub(rb"^<3>", b"", said).decode(errors="replace"))
        wait_object(daemon, pool="www", worker_pid=worker, message=expected, level="error" if b"<3>" in said else "notice")
    wait_until(lambda: control_of(daemon).pool()["totals"]["requests"] == 5, "all are counted")
    os.kill(worker, signal.SIGKILL)
    dead = wait_until(lambda: [found for found in objects(daemon) if "killed by signal 9" in found["message"]], "its end")[0]
    assert dead["pool"] == "www" and dead["worker_pid"] == worker and dead["level"] == "warning" and dead["requests"] == 5


def test_a_bad_file_names_file_and_line(preforkd: Start, place: dict[str, object]) -> None:
    daemon, _ = start(preforkd, place)
    wait_object(daemon, level="notice")
    daemon.pools["www"]["max_worker"] = 3
    daemon.write_config()
    daemon.send_signal(signal.SIGHUP)
    problem = wait_until(lambda: [found for found in objects(daemon) if "unknown key" in found["message"]], "the problem")[0]
    assert problem["config_file"] == str(daemon.config) and problem["config_line"] > 1 and problem["level"] == "error"


def test_a_reload_changes_it(preforkd: Start, place: dict[str, object]) -> None:
    """… for the workers that are there, too; an upgrade does not."""
    daemon, address = start(preforkd, place)
    wait_object(daemon, level="notice")
    control = control_of(daemon)
    upgrade_mark = len(objects(daemon))
    assert control.ask("upgrade", timeout=30)["ok"]
    wait_until(lambda: len(objects(daemon)) > upgrade_mark, "its record")
    daemon.master["log_format"] = "text"
    daemon.write_config()
    assert control.do("reload")["ok"]
    wait_until(lambda: not daemon.record_path.read_text().splitlines()[-1].startswith("{"), "a line of text")
    mark = daemon.record_path.read_text().count("\n")
    assert request(address, b"plainly said\n") == b"ok\n"

    def lines() -> list[str]:
        return daemon.record_path.read_text().splitlines()[mark:]

    wait_until(lambda: any("plainly said" in line for line in lines()), "what the handler said")
    assert not [line for line in lines() if line.startswith("{")]


def test_without_stamps(preforkd: Start, place: dict[str, object]) -> None:
    daemon, _ = start(preforkd, {**place, "log_time": "no"})
    assert "time" not in wait_object(daemon, program="preforkd")


def test_the_record_of_a_connection_has_its_fields(preforkd: Start, place: dict[str, object]) -> None:
    daemon, address = start(preforkd, place, connection_log="all")
    daemon.wait_workers(1)
    assert request(address, b"x\n") == b"ok\n"
    found = wait_object(daemon, pool="www", client="127.0.0.1", listener=address, bytes_in=2, bytes_out=3, status=0,
                        reason="served")
    assert found["message"].startswith("connection pool=www ") and found["pid"] != found["worker_pid"]
    assert isinstance(found["client_port"], int) and "signal" not in found and "proxy" not in found
