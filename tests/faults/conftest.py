"""The fixtures of the integration tests, and the faults."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from fixtures import *  # noqa: E402, F403  fixtures and hooks are found by their names
from faults import Faults, needs_plain_build  # noqa: E402


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Faults]:
    needs_plain_build()
    with Faults(tmp_path / "faults") as found:
        yield found
