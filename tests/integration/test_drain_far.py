"""Draining while handshakes take a while, because the clients are far away: there are always some under way."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clients import ClientPool
from daemon import BINARY, Daemon
from far import FarLink
from forbidden import UNPRIVILEGED, needs_to_forbid

Start = Callable[..., Daemon]

DELAY = 0.03  # one way
ROOMY = {"handler": "/bin/cat", "min_spare_workers": 4, "max_spare_workers": 30, "max_workers": 40}
NARROW = {"handler": "/bin/cat", "min_spare_workers": 4, "max_spare_workers": 4, "max_workers": 4}


class FarClients(ClientPool):
    """So many, and so little in step, that some handshake is always under way: at the close, too, if nothing keeps them
    away."""

    def __init__(self, link: FarLink, *arguments: Any) -> None:
        super().__init__(*arguments, count=60, pause=0.15)
        self._link = link

    def _run(self, number: int) -> None:
        self._link.enter()
        super()._run(number)


@pytest.fixture
def link(no_leaks: None) -> Iterator[FarLink]:
    with FarLink(DELAY) as link:
        if not link.works():
            pytest.skip("needs root, network namespaces and /dev/net/tun")
        yield link


@pytest.fixture(params=["filter", pytest.param("decoy", marks=needs_to_forbid)])
def popen(request: pytest.FixtureRequest) -> dict[str, Any]:
    return UNPRIVILEGED if request.param == "decoy" else {}


def at(port: int) -> str:
    return f"{FarLink.near}:{port}"


@pytest.mark.parametrize("pool", [ROOMY, NARROW], ids=["roomy", "narrow"])
def test_a_listener_moves_to_and_fro(link: FarLink, preforkd: Start, tmp_path: Path, popen: dict[str, Any],
                                     pool: dict[str, object]) -> None:
    daemon = preforkd({"www": {"listen": at(7000), **pool}}, popen=popen, binary=link.starter(tmp_path, BINARY))
    with FarClients(link, [at(7000), at(7001)]) as clients:
        clients.wait_served(50)
        for number in range(6):
            daemon.pools["www"]["listen"] = at([7001, 7000][number % 2])
            daemon.hup("reloaded")
            clients.wait_served(20, address=str(daemon.pools["www"]["listen"]))
    daemon.stop()


@pytest.mark.parametrize("pool", [ROOMY, NARROW], ids=["roomy", "narrow"])
def test_a_stop(link: FarLink, preforkd: Start, tmp_path: Path, popen: dict[str, Any], pool: dict[str, object]) -> None:
    daemon = preforkd({"www": {"listen": at(7000), **pool}}, popen=popen, binary=link.starter(tmp_path, BINARY))
    with FarClients(link, [at(7000)]) as clients:
        clients.wait_served(50)
        daemon.send_signal(signal.SIGTERM)
        clients.wait_refused(1)
        assert daemon.wait_end() == 0
    daemon.assert_none(["stop timed out"])
