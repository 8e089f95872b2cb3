"""Fixtures of the tests under a real systemd."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from machine import Machine, why_not  # noqa: E402


@pytest.fixture(scope="session")
def booted() -> Iterator[Machine]:
    """One machine for all tests: booting takes a second or two."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    machine = Machine()
    yield machine
    machine.close()


FAILED: pytest.StashKey[bool] = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows what was logged in the machine."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    machine = getattr(item, "funcargs", {}).get("machine")
    if report.failed and machine:
        log = machine.run("journalctl", "--no-pager", "--lines=200", check=False).stdout
        report.sections.append(("journal", log))


@pytest.fixture
def machine(booted: Machine) -> Iterator[Machine]:
    """The machine, with no preforkd running and none configured."""
    yield booted
    booted.clean()
