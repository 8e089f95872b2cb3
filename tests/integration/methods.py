"""Tests that say nothing of one way to start a handler, and why: the suite runs for each of them
(`PREFORKD_TEST_START_METHOD`)."""

from __future__ import annotations

import pytest

from daemon import START_METHOD


def executed_only(reason: str) -> pytest.MarkDecorator:
    """For handlers that are executed for each connection."""
    return pytest.mark.skipif(START_METHOD != "", reason=f"start_method = {START_METHOD}: {reason}")


def not_at_touch(reason: str) -> pytest.MarkDecorator:
    """Not for those that are copied at their first touch of the connection."""
    return pytest.mark.skipif(START_METHOD == "snapshot", reason=f"start_method = snapshot: {reason}")


# What a shell does without reading from its client or writing to it, it does while it starts, once.
NEVER_TOUCHES = "the handler does not touch its connection"
ALL_BEFORE = "the handler does it before it touches its connection, once"
SHELLS_PID = "$$ and $PPID of a shell are those of its worker"
PEER = "the peer is not in the environment"
