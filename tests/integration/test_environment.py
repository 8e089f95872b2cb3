"""The environment of handlers: variables that are passed on, and those of files."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control import control_of
from daemon import AS_ROOT, Daemon, clean_environment, format_config, handler, preload_file, request, run_preforkd, tcp4, wait_until
from modules import module

Start = Callable[..., Daemon]
BAD_CONFIG = 78

SAY = ["/usr/bin/perl", "-e", "$_ = <STDIN>; print map { \"$_=$ENV{$_}\\n\" } sort keys %ENV"]


METHODS: dict[str, dict[str, str]] = {
    "exec": {}, "forkserver": {"start_method": "forkserver"}, "snapshot": {"start_method": "snapshot"},
    "forkserver-rollback": {"start_method": "forkserver", "copy": "rollback"},
    "snapshot-rollback": {"start_method": "snapshot", "copy": "rollback"},
}
Method = dict[str, str]


@pytest.fixture(params=METHODS if platform.machine() == "x86_64" else ["exec", "forkserver"])
def method(request: pytest.FixtureRequest) -> Method:
    return METHODS[request.param]


def say(address: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in request(address, b"\n").decode().splitlines())


def pool(**keys: Any) -> dict[str, Any]:
    return {"listen": tcp4(), "handler": SAY, "scaling": "static", "max_workers": 1, **keys}


def test_variables_that_are_passed_on(preforkd: Start, method: Method) -> None:
    """… are those named; `environment` counts more, and what is not there is not passed on."""
    keys = pool(**method, pass_environment="LANG TZ HOME OWN NOT_THERE", environment="OWN=own")
    preforkd({"www": keys}, popen={"env": clean_environment(PREFORKD_PRELOAD=str(preload_file()), LANG="C.UTF-8", TZ="two words", HOME="/passed", OWN="preforkd's", SECRET="x")})
    seen = say(keys["listen"])
    assert seen["LANG"] == "C.UTF-8" and seen["TZ"] == "two words" and seen["HOME"] == "/passed"
    assert seen["OWN"] == "own"
    assert not {"NOT_THERE", "SECRET"} & seen.keys()


@pytest.mark.parametrize(("name", "reason"), [
    ("REMOTE_ADDR", "REMOTE_ADDR is set by preforkd for every connection"),
    ("NOTIFY_SOCKET", "NOTIFY_SOCKET is for preforkd alone"),
    ("A=secret", "A has a value; expected its name alone, or environment"),
    ("A-B", '"A-B" is not the name of a variable'),
])
def test_names_that_cannot_be_passed_on(tmp_path: Path, name: str, reason: str) -> None:
    code, said = check(tmp_path, pass_environment=f"LANG {name}")
    assert code == BAD_CONFIG and f": pass_environment: {reason}" in said, said
    assert "secret" not in said


def test_all_variables_are_passed_on_anyway(tmp_path: Path) -> None:
    code, said = check(tmp_path, pass_environment="LANG", clear_environment="no")
    assert code == 0 and "warning: " in said and "pass_environment: no effect" in said


def test_a_value_that_no_configuration_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "preforkd.conf"
    path.write_text(format_config({"www": pool(pass_environment="ODD")}))
    result = run_preforkd("-t", "-c", path, env=clean_environment(ODD="secret\nvalue"))
    assert result.returncode == BAD_CONFIG and "pass_environment: ODD has a value with control characters" in result.stderr
    assert "secret" not in result.stderr


def check(directory: Path, **keys: Any) -> tuple[int, str]:
    path = directory / "preforkd.conf"
    path.write_text(format_config({"www": pool(**keys)}))
    result = run_preforkd("-t", "-c", path)
    return result.returncode, result.stderr


@pytest.fixture
def variables(tmp_path: Path) -> Path:
    path = tmp_path / "variables"
    path.write_text("# what the handler needs\nPASSWORD='hunter 2'\nOWN=the file's\n")
    path.chmod(0o600)
    return path


def test_a_file(preforkd: Start, tmp_path: Path, variables: Path, method: Method) -> None:
    """Its variables replace those of `environment`, and those of a later file them; it is read again by a reload."""
    later = tmp_path / "later"
    later.write_text("LATER=1\nOWN=the later file's\n")
    keys = pool(**method, environment="OWN=own OTHER=1", environment_file=f"{variables} -{tmp_path}/missing {later}")
    daemon = preforkd({"www": keys}, control=True)
    seen = say(keys["listen"])
    assert (seen["PASSWORD"], seen["OWN"], seen["OTHER"], seen["LATER"]) == ("hunter 2", "the later file's", "1", "1")
    variables.write_text("PASSWORD=other\n")
    daemon.hup("reloaded")
    wait_until(lambda: say(keys["listen"])["PASSWORD"] == "other", "the next generation")
    later.unlink()
    reply = control_of(daemon).ask("reload")
    [problem] = [problem["text"] for problem in reply["problems"] if not problem.get("warning")]
    assert not reply["ok"] and problem == f'environment_file: cannot read "{later}": No such file or directory'
    assert say(keys["listen"])["LATER"] == "1"


def test_a_file_that_has_not_changed_replaces_nobody(preforkd: Start, variables: Path) -> None:
    daemon = preforkd({"www": pool(environment_file=variables)}, control=True)
    workers = daemon.wait_workers(1)
    daemon.hup("reloaded")
    assert daemon.wait_workers(1) == workers and control_of(daemon).pool()["generation"] == 1


def test_of_programs_that_accept_themselves(preforkd: Start, tmp_path: Path, variables: Path) -> None:
    daemon = preforkd({"www": {**pool(environment_file=variables, pass_environment="TZ"), "handler_type": "listener",
                               "handler": [handler("acceptor", tmp_path), "all", "3", "echo"]}},
                      popen={"env": clean_environment(PREFORKD_PRELOAD=str(preload_file()), TZ="UTC")}, control=True)
    [worker] = [row["pid"] for row in control_of(daemon).pool(workers=True)["workers"]]
    wait_until(lambda: {b"PASSWORD=hunter 2", b"TZ=UTC"} <= set(Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")),
               "its environment")


def test_what_a_configuration_shows(preforkd: Start, tmp_path: Path, variables: Path) -> None:
    """The names, and not the values, to nobody; and -T can be used as a file."""
    keys = pool(environment="OWN=1 OTHER=2", environment_file=variables)
    daemon = preforkd({"www": keys}, control=True)
    effective = run_preforkd("-T", "-c", daemon.config).stdout
    for text in (effective, control_of(daemon).do("config")["config"]):
        assert "hunter" not in text and "; of environment_file: PASSWORD=*** OWN=***\n" in text
        assert "OTHER=2" in text and "OWN=1" not in text
    again = tmp_path / "again.conf"
    again.write_text(effective)
    assert run_preforkd("-T", "-c", again).stdout == effective


def bad_file(directory: Path, kind: str) -> Path:
    path = directory / "bad"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "text":
        path.write_text("A=1\nPASSWORD = 'secret\n")
    return Path("/dev/null") if kind == "device" else path


@pytest.mark.parametrize(("kind", "reason"), [
    ("missing", 'preforkd.conf:{line}: environment_file: cannot read "{bad}": No such file or directory'),
    ("directory", 'environment_file: cannot read "{bad}": it is no regular file'),
    ("fifo", 'environment_file: cannot read "{bad}": it is no regular file'),
    ("device", 'environment_file: cannot read "/dev/null": it is no regular file'),
    ("text", "{bad}:2: PASSWORD has a quote that is not closed"),
])
def test_files_that_cannot_be_used(tmp_path: Path, kind: str, reason: str) -> None:
    path = bad_file(tmp_path, kind)
    code, said = check(tmp_path, environment_file=path)
    text = (tmp_path / "preforkd.conf").read_text().splitlines()
    line = next(number for number, line in enumerate(text, 1) if line.startswith("environment_file"))
    assert code == BAD_CONFIG and reason.format(bad=path, line=line) in said, said
    assert "secret" not in said


def test_a_relative_path(tmp_path: Path) -> None:
    code, said = check(tmp_path, environment_file="variables")
    assert code == BAD_CONFIG and ': environment_file: "variables" is not an absolute path; expected absolute paths' in said


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_a_file_that_others_can_write(tmp_path: Path, variables: Path) -> None:
    variables.chmod(0o666)
    code, said = check(tmp_path, environment_file=variables)
    assert code == 0 and f"warning: {variables}: everybody may write it" in said


def test_of_modules(preforkd: Start, tmp_path: Path, variables: Path) -> None:
    keys = {**pool(environment_file=variables), "handler_type": "module", "handler": [module("serve", tmp_path), "look"]}
    preforkd({"www": keys})
    assert b"environ PASSWORD=hunter 2\n" in request(str(keys["listen"]))


def test_an_upgrade(preforkd: Start, variables: Path) -> None:
    """… takes the values along, and that they are shown to nobody; the next reload finds nothing new."""
    keys = pool(environment_file=variables)
    daemon = preforkd({"www": keys}, control=True)
    control = control_of(daemon)
    workers = daemon.wait_workers(1)
    control.do("upgrade")
    assert say(keys["listen"])["PASSWORD"] == "hunter 2"
    text = control.do("config")["config"]
    assert "hunter" not in text and "PASSWORD=***" in text
    daemon.hup("reloaded")
    assert daemon.wait_workers(1) == workers
