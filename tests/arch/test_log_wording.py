"""The wording of the log is asserted in the tests of the log alone, so that a record that is reworded breaks no other test.

Every other test asks the control socket, /proc, the client, or for records by their MESSAGE_ID (integration/messages.py).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

# Who may look for words in the log, and why.
ALLOWED = {
    "integration/test_logging.py": "where records go, and what they carry there",
    "integration/test_log_records.py": "the wording of each record",
    "integration/test_log_file.py": "what stands in the log file, and what on stderr instead",
    "integration/test_handler_stderr.py": "how the words of handlers come into the log",
    "integration/test_connections.py": "what connection_log says",
    "hostile/test_connection_ring.py": "what connection_log says",
    "integration/daemon.py": "finds records by what messages.py says of them",
    "integration/fixtures.py": "shows the log of a test that has failed",
}


def complaints(text: str) -> list[str]:
    """Where a file looks for words in the log. The message of an assertion may show the log."""
    tree = ast.parse(text)
    messages = {id(node) for check in ast.walk(tree) if isinstance(check, ast.Assert) and check.msg
                for node in ast.walk(check.msg)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and id(node) not in messages:
            name = node.func.attr
            if name in ("wait_log", "find_log") or (name == "log" and not node.args and not node.keywords):
                found.append(f"line {node.lineno}: {name}()")
    return found


def files() -> list[str]:
    return sorted(str(path.relative_to(TESTS)) for folder in ("integration", "hostile")
                  for path in (TESTS / folder).glob("*.py"))


@pytest.mark.parametrize("name", files())
def test_no_test_depends_on_the_wording_of_the_log(name: str) -> None:
    found = complaints((TESTS / name).read_text())
    assert bool(found) == (name in ALLOWED), (
        f"{name}: {found}: ask the control socket or for a MESSAGE_ID (messages.py), and assert the wording in "
        "integration/test_log_records.py" if found else f"{name} does not look into the log any more: strike it off the list")


def test_the_list_is_of_files_that_exist() -> None:
    assert set(ALLOWED) <= set(files())


@pytest.mark.parametrize(("line", "allowed"), [
    ("daemon.wait_log('x')", False), ("assert daemon.find_log('x')", False), ("assert 'x' in daemon.log()", False),
    ("assert f(daemon), daemon.log()", True), ("daemon.wait_message('stopped')", True), ("math.log(2)", True),
])
def test_the_rule_bites(line: str, allowed: bool) -> None:
    assert bool(complaints(f"def test() -> None:\n    {line}\n")) != allowed
