"""An upgrade between two programs that were both built: this one, and one of another version with another state.

The other one is made of the same source (next_version): among other changes one handed-over member is gone, and one is
new, and so is an option. So in each direction there is something that is missed and something that is not known.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from changed_tree import Programs
from clients import ClientPool
from control import control_of
from daemon import BINARY, Daemon, read_all, request, stays, tcp4, wait_until
from next_version import LESS, MORE, VERSION


def reached_by(directory: Path, program: Path) -> Path:
    """A script that keeps what is handed over, as `handed-over`, and becomes the program."""
    script = directory / f"to-{program.parents[3].name}"
    script.write_text(f"""#!/usr/bin/python3 -IS
import os, sys
with open({str(directory / 'handed-over')!r}, "wb") as copy:
    copy.write(os.pread(int(sys.argv[1].partition("=")[2]), 1 << 26, 0))
os.execv({str(program)!r}, [{str(program)!r}, *sys.argv[1:]])
""")
    script.chmod(0o755)
    return script


def test_there_and_back_under_load(preforkd: Callable[..., Daemon], tmp_path: Path, next_version: Programs) -> None:
    """No request is lost, and what is counted, in force and waited for stays, in both directions."""
    pools = {name: {"listen": tcp4(), "handler": "/bin/cat", "scaling": "dynamic", "max_workers": 12}
             for name in ("www", "paused", "scaled")}
    daemon = preforkd(pools, master={"control": tmp_path / "control.sock"})
    control = control_of(daemon)
    version = control.do("version")["version"]
    assert version != VERSION
    control.do("pause paused")
    control.do("scale scaled max_workers=23")
    control.do("restart scaled")
    wait_until(lambda: not daemon.workers("paused") and control.pool("scaled")["counts"]["old"] == 0, "pools in order")
    started = daemon.pid, control.do("status")["master"]["uptime_ms"]
    here, there = (BINARY, version), (next_version.preforkd, VERSION)
    with ClientPool([str(pools["www"]["listen"])], count=8) as clients:
        for (_, before), (program, after) in [(here, there), (there, here)] * 2:
            clients.wait_served(30)
            with control.connect() as half:
                half.sendall(b"ver")
                reply = control.do(f"upgrade {reached_by(tmp_path, program)}", timeout=30)
                half.sendall(b"sion\n")
                assert json.loads(read_all(half))["version"] == after
            assert (reply["from"], reply["version"]) == (before, after)
            assert {problem["text"] for problem in reply["problems"]} == (
                {"'max_greetings' is not known to this version: ignored"} if after == version else set())
            text = (tmp_path / "handed-over").read_text()
            assert (f'"{LESS}"' in text, f'"{MORE}"' in text) == (before == version, before == VERSION)
            assert json.loads(text)["version"] == before
            status = control.do("status")
            assert status["master"]["pid"] == started[0] and status["master"]["uptime_ms"] > started[1]
            assert control.pool("paused")["state"] == "paused" and not daemon.workers("paused")
            assert (control.pool("scaled")["limits"]["max_workers"], control.pool("scaled")["generation"]) == (23, 2)
    wait_until(lambda: control.pool("www")["totals"]["requests"] == clients.served, "every request to be counted")
    assert [control.pool(name)["totals"]["died"] for name in pools] == [0, 0, 0]
    assert clients.refused == 0
    stays(lambda: not daemon.workers("paused"), "a paused pool stays so", 0.3)
    control.do("resume paused")
    assert request(str(pools["paused"]["listen"]), b"again") == b"again"
