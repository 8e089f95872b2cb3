"""[defaults]: what pools take that do not say otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from control import control_of
from daemon import AS_ROOT, POOL_USER, Daemon, request, run_preforkd, tcp4, wait_until

Start = Callable[..., Daemon]
BAD_CONFIG = 78
USER = f"user = {POOL_USER}\n" if AS_ROOT else ""


def pool(name: str, more: str = "", listen: str = "") -> str:
    return f"[{name}]\nlisten = {listen or tcp4()}\nhandler = /bin/cat\n{more}"


def builtin(name: str) -> str:
    return f"[{name}]\nlisten = {tcp4()}\nhandler_type = builtin\nhandler = echo\n"


def write(directory: Path, text: str) -> Path:
    path = directory / "preforkd.conf"
    path.write_text("[preforkd]\ncontrol =\n" + text)
    return path


def effective(path: Path) -> dict[str, dict[str, str]]:
    """What -T prints, by section and key."""
    result = run_preforkd("-T", "-c", path)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    sections: dict[str, dict[str, str]] = {}
    for line in result.stdout.splitlines():
        if match := re.fullmatch(r"\[(.*)\]", line):
            section = sections.setdefault(match.group(1), {})
        elif match := re.match(r"(\w+) =(.*)", line):
            section[match.group(1)] = match.group(2).strip()
    return sections


def problems(path: Path) -> str:
    result = run_preforkd("-t", "-c", path)
    assert result.returncode == BAD_CONFIG
    return result.stderr


@pytest.mark.parametrize("first", [True, False])
def test_all_pools_take_them(tmp_path: Path, first: bool) -> None:
    """… those of other files, too, and whatever the order."""
    defaults = f"[defaults]\n{USER}max_workers = 77\nenvironment = A=1 B=2\nlimit_core = 1M:2M\nnice = 3\nstderr = null\n"
    a = pool("a", "max_workers = 5\nenvironment = C=3\nlimit_core =\n")
    path = write(tmp_path, defaults + a if first else a + defaults)
    (tmp_path / "pools.d").mkdir()
    (tmp_path / "pools.d/b.conf").write_text(pool("b"))
    seen = effective(path)
    assert set(seen) == {"preforkd", "a", "b"}
    assert (seen["a"]["max_workers"], seen["b"]["max_workers"]) == ("5", "77")
    assert "A=1" not in seen["a"]["environment"] and "C=3" in seen["a"]["environment"]
    assert "A=1 B=2" in seen["b"]["environment"]
    assert (seen["a"]["limit_core"], seen["b"]["limit_core"]) == ("", "1M:2M")
    assert seen["a"]["nice"] == seen["b"]["nice"] == "3" and seen["a"]["stderr"] == "null"


def test_in_several_files(tmp_path: Path) -> None:
    path = write(tmp_path, f"[defaults]\n{USER}max_workers = 7\n" + pool("a"))
    (tmp_path / "pools.d").mkdir()
    (tmp_path / "pools.d/x.conf").write_text("[defaults]\nnice = 4\n")
    seen = effective(path)["a"]
    assert seen["max_workers"] == "7" and seen["nice"] == "4"
    (tmp_path / "pools.d/x.conf").write_text("[defaults]\nmax_workers = 4\n")
    assert re.search(r"x.conf:2: max_workers is set twice; it was first set at .*preforkd.conf:\d+\n", problems(path))


def test_defaults_without_an_effect_are_left_out(tmp_path: Path) -> None:
    """… and nobody is warned."""
    path = write(tmp_path, f"[defaults]\n{USER}tcp_nodelay = yes\nmin_spare_workers = 3\nstart_method = exec\n"
                 "copy = fork\nspare_timeout = 3s\nsocket_mode = 0600\naccounting = none\n"
                 + pool("static", "scaling = static\n", f"{tmp_path}/s") + builtin("builtin"))
    seen = effective(path)
    assert "tcp_nodelay" not in seen["static"] and seen["builtin"]["tcp_nodelay"] == "yes"
    assert "min_spare_workers" not in seen["static"] and seen["builtin"]["min_spare_workers"] == "3"
    assert seen["static"]["socket_mode"] == "0600" and "socket_mode" not in seen["builtin"]
    assert "accounting" not in seen["static"] and "start_method" not in seen["builtin"]


def test_a_pools_own_numbers_hold(tmp_path: Path) -> None:
    path = write(tmp_path, f"[defaults]\n{USER}min_spare_workers = 5\nmax_workers = 20\nrestart_delay_max = 10s\n"
                 + pool("few", "max_workers = 2\n") + pool("many", "max_spare_workers = 50\n")
                 + pool("slow", "restart_delay_min = 20s\n") + pool("later", "scaling = ondemand\n"))
    seen = effective(path)
    assert (seen["few"]["min_spare_workers"], seen["few"]["max_workers"]) == ("2", "2")
    assert (seen["many"]["min_spare_workers"], seen["many"]["max_workers"]) == ("5", "50")
    assert seen["slow"]["restart_delay_max"] == "20s"
    assert seen["later"]["min_spare_workers"] == "0"


def test_errors_name_the_line_in_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "[defaults]\nlisten = 127.0.0.1:9\nhandler = /bin/cat\nargv0 = x\nmax_wrokers = 3\ncontrol = /x\n"
                 "nice = 99\nmin_spare_workers = 9\nmax_spare_workers = 3\nmax_requests = 2\nmax_requests = 3\n"
                 + pool("a") + pool("b", "max_spare_workers = 10\n"))
    said = problems(path)
    for line, text in [(4, "listen: each pool has its own; expected it in the sections of pools"), (5, "handler: each"),
                       (6, "argv0: each"), (7, "unknown key 'max_wrokers'; did you mean 'max_workers'?"),
                       (8, "'control' is a key of [preforkd], not of a pool"), (9, "nice: "),
                       (10, f'min_spare_workers: 9 is more than max_spare_workers, which is 3 at {path}:11 (pool "a")'),
                       (13, "max_requests is set twice")]:
        assert f"{path}:{line}: {text}" in said, (line, said)
    assert said.count(":9: nice") == 1 and '(pool "b")' not in said


def test_a_rule_that_one_pool_breaks(tmp_path: Path) -> None:
    path = write(tmp_path, f"[defaults]\n{USER}limit_cpu = 5\n" + pool("cat")
                 + builtin("echo"))
    number = path.read_text().splitlines().index("limit_cpu = 5") + 1
    assert re.search(rf'{path}:{number}: limit_cpu: .*\(pool "echo"\)\n', problems(path))
    path.write_text(path.read_text() + "limit_cpu =\n")
    assert effective(path)["cat"]["limit_cpu"] == "5"


def test_a_reload(preforkd: Start) -> None:
    """What each pool has in the end is compared."""
    pools = {name: {"listen": tcp4(), "handler": ["/bin/sh", "-c", "read x; echo $WORD"], "scaling": "static",
                    "max_workers": 1} for name in ("a", "b")}
    pools["b"]["environment"] = "WORD=own"
    daemon = preforkd(pools, control=True)
    text = daemon.config.read_text()
    workers = daemon.wait_workers(1, "b")
    daemon.write_raw_config(text + "\n[defaults]\nenvironment = WORD=all\n")
    daemon.hup_only("reloaded")
    wait_until(lambda: request(str(pools["a"]["listen"]), b"\n") == b"all\n", "the default")
    assert request(str(pools["b"]["listen"]), b"\n") == b"own\n"
    assert daemon.wait_workers(1, "b") == workers and control_of(daemon).pool("b")["generation"] == 1
