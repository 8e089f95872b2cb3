"""The fixtures."""

from __future__ import annotations

from fixtures import *  # noqa: F403  fixtures and hooks are found by their names
