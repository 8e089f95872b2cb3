"""The fixtures of the integration tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from fixtures import *  # noqa: E402, F403  fixtures and hooks are found by their names
