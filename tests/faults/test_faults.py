"""No fault of a call loses the master or a client; see campaign.py and scenarios.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from campaign import LONG, SHORT, Campaign, Form
from daemon import Daemon
from faults import Faults, Role
from short_lived import Checks, Controls, Starts, Stops
from scenarios import Commands, Deadlines, Load, Refuse, Reload, Upgrade, WorkerEnds, WorkerServes, WorkerStart

Start = Callable[..., Daemon]
Make = Callable[[Start, Path, Faults], Any]

SCENARIOS: dict[str, Make] = {
    "commands": Commands,
    "load": Load,
    "reload that adds": Reload,
    "reload that removes": lambda *args: Reload(*args, grows=False),
    "reload that adds, managed": lambda *args: Reload(*args, managed=True),
    "reload that removes, managed": lambda *args: Reload(*args, grows=False, managed=True),
    "configuration child": lambda *args: Reload(*args, role=Role.CONFIGURATION),
    "upgrade, the old program": lambda *args: Upgrade(*args, "the old program"),
    "upgrade, the preflight": lambda *args: Upgrade(*args, "the preflight"),
    "upgrade, the new program": lambda *args: Upgrade(*args, "the new program"),
    "start": Starts,
    "start, its child": lambda *args: Starts(*args, role=Role.CONFIGURATION),
    "start, its workers": lambda *args: Starts(*args, role=Role.WORKER),
    "stop": Stops,
    "check": Checks,
    "preforkctl": Controls,
    "deadlines": Deadlines,
    "deadlines, the worker": lambda *args: Deadlines(*args, role=Role.WORKER),
    "refusals": Refuse,
    "refusals, the worker": lambda *args: Refuse(*args, role=Role.WORKER),
    "worker start": WorkerStart,
    "worker serve": WorkerServes,
    "worker end": WorkerEnds,
}


def run(scenario: Any, faults: Faults, form: Form) -> None:
    try:
        result = Campaign(scenario, faults, form).run()
    finally:
        scenario.end()
    assert not result.violations, "\n".join([f"{len(result.violations)} of {result.tried}:", *result.violations])
    assert result.hit == result.tried > 0


# With a service manager there is more to a reload; the sample does without the others.
SAMPLED = [name for name in SCENARIOS if name not in ("reload that adds", "reload that removes")]


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample(preforkd: Start, tmp_path: Path, faults: Faults, name: str) -> None:
    run(SCENARIOS[name](preforkd, tmp_path, faults), faults, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_all(preforkd: Start, tmp_path: Path, faults: Faults, name: str) -> None:
    run(SCENARIOS[name](preforkd, tmp_path, faults), faults, LONG)
