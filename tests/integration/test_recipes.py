"""The recipes of src/README.md, followed: an option, a counter, a command and a handler type are added to a copy of the
tree (next_version), which is then built and used. A recipe that misses a step does not build, or fails here; one that
names a file too many or too few fails as well.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from changed_tree import Programs
from control import control_of
from daemon import ROOT, Daemon, request, run_preforkd, tcp4, wait_until
from next_version import RECIPES

def recipe(name: str) -> str:
    text = (ROOT / "src/README.md").read_text()
    found = re.search(rf"^### How to add {name}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"src/README.md has no recipe for {name}"
    return found.group(1).strip()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_its_files(name: str) -> None:
    """In ten lines; `X` in a name stands for that of the new thing."""
    text = recipe(name)
    named = {file.replace("_X", "_greeting") for file in re.findall(r"`((?:src|man|etc)/[\w./-]+\.\w+)`", text)}
    assert named == {change.file for change in RECIPES[name]}
    assert text.count("\n") < 10


@pytest.fixture
def daemon(preforkd: Callable[..., Daemon], next_version: Programs, tmp_path: Path) -> Daemon:
    pools = {"www": {"listen": tcp4(), "handler": "/bin/cat", "scaling": "static", "max_workers": 2, "max_greetings": 7},
             "hello": {"listen": tcp4(), "handler_type": "greeting", "handler": "/bin/true", "max_workers": 1}}
    return preforkd(pools, master={"control": tmp_path / "control.sock"}, binary=next_version.preforkd)


def test_the_option_works(daemon: Daemon, next_version: Programs) -> None:
    said = run_preforkd("-T", "-c", daemon.config, binary=next_version.preforkd).stdout
    assert re.search(r"^max_greetings = 7$", said, re.MULTILINE), said
    assert "max_greetings" in run_preforkd("--help-config", binary=next_version.preforkd).stdout
    daemon.config.write_text(daemon.config.read_text().replace("max_greetings = 7", "max_greetings = 101"))
    refused = run_preforkd("-t", "-c", daemon.config, binary=next_version.preforkd)
    assert refused.returncode != 0 and re.search(r":\d+: .*max_greetings", refused.stderr + refused.stdout)


def test_the_counter_counts(daemon: Daemon, next_version: Programs) -> None:
    """In the status, in the sum over pools, in the report, in the manual, and over an upgrade."""
    control = control_of(daemon)
    wait_until(lambda: control.pool("www")["totals"]["greeted"] == 2, "both workers are counted")
    status = control.ask("status")
    assert status["master"]["totals"]["greeted"] == sum(pool["totals"]["greeted"] for pool in status["pools"])
    assert daemon.reported("greeted") == 2
    assert re.search(r"^\.It Ic greeted\nWorkers that a test has greeted\.$",
                     (next_version.manuals / "preforkd-control.7").read_text(), re.MULTILINE)
    assert control.ask("upgrade", timeout=30)["ok"]
    assert control.pool("www")["totals"]["greeted"] == 2


def test_the_command_does_it(daemon: Daemon, next_version: Programs) -> None:
    control = control_of(daemon)
    ctl = [next_version.preforkctl, "-s", str(control.path)]
    done = subprocess.run([*ctl, "greet", "www"], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert any(decision["text"] == "greeted" for decision in control.ask("why www")["pools"][0]["decisions"])
    refused = subprocess.run([*ctl, "greet"], capture_output=True, text=True, check=False, timeout=20)
    assert refused.returncode == 2
    assert "greet POOL" in subprocess.run([*ctl, "help"], capture_output=True, text=True, check=True).stdout


def test_the_handler_type_serves(daemon: Daemon) -> None:
    assert request(str(daemon.pools["hello"]["listen"])) == b"hello\n"
    control = control_of(daemon)
    wait_until(lambda: control.pool("hello")["totals"]["requests"] == 1, "the request is counted")
