"""What `preforkd -t` foresees: whatever a start or a worker would stumble over, with path, user, reason and line.

A reload refuses the same. Kinds of programs are in tests/unit/os/process/test_executable.c.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import AS_ROOT, BINARY, POOL_USER, Daemon, clean_environment, format_config, free_port, request, run_preforkd, tcp4

Start = Callable[..., Daemon]
BAD_CONFIG = 78


@pytest.fixture
def open_path(tmp_path: Path) -> Iterator[Path]:
    """A directory that other users may enter."""
    for directory in [tmp_path, *tmp_path.parents]:
        if directory.stat().st_uid == os.geteuid() and directory not in (Path("/"), Path("/tmp")):
            directory.chmod(0o755)
    yield tmp_path


def script(path: Path, text: str = "#!/bin/sh\ncat\n", mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def try_config(home: Path, /, **keys: Any) -> tuple[int, str]:
    path = home / "preforkd.conf"
    path.write_text(format_config({"www": {"listen": tcp4(), "handler": "/bin/cat", **keys}}))
    result = run_preforkd("-t", "-c", path)
    return result.returncode, result.stderr


def test_more_than_a_program_can_be_given(tmp_path: Path) -> None:
    """A quarter of the limit on the stack, for all arguments and variables with their pointers."""
    def environment(count: int) -> list[str]:
        return [f"V{number:05}={'x' * 64}" for number in range(count)]

    most = max(min(resource.getrlimit(resource.RLIMIT_STACK)[0] // 4 % 2**62, 6 << 20), 131072)
    each = len(environment(1)[0]) + 1 + 8
    code, errors = try_config(tmp_path, environment=environment(most // each + 1))
    assert code == BAD_CONFIG and f"; the kernel takes at most {most}, " in errors
    assert try_config(tmp_path, environment=environment(most // each - 10))[0] == 0
    code, errors = try_config(tmp_path, environment=environment(300), limit_stack="1M")
    assert code == 0, errors
    code, errors = try_config(tmp_path, environment=environment(4000), limit_stack="1M")
    assert code == BAD_CONFIG and "; the kernel takes at most 262144, " in errors


def make_handler(directory: Path, kind: str) -> Path:
    path = directory / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path, 0o755)
    elif kind == "cut":
        shutil.copy("/bin/cat", path)
        os.truncate(path, 3000)
    elif kind == "private":
        script(path, mode=0o700)
    elif kind == "inside":
        path.mkdir(mode=0o700)
        path = script(path / "handler")
    else:
        script(path, {"crlf": "#!/bin/sh\r\ncat\r\n", "interpreter": "#!/opt/no/such -x\n", "unmarked": "cat\n",
                      "loop": f"#!{path}\n"}[kind])
    return path


@pytest.mark.parametrize(("kind", "reason"), [
    ("directory", "it is a directory"), ("fifo", "it is not a regular file"),
    ("crlf", 'its first line ends in CR LF, so that its interpreter would be "/bin/sh\\r"'),
    ("interpreter", 'its interpreter "/opt/no/such": No such file or directory'),
    ("unmarked", 'it begins with neither "#!"'), ("cut", "it is an ELF program that was cut off after 3000 bytes"),
    ("loop", "interpreters of interpreters"),
])
def test_handlers_that_cannot_be_executed(preforkd: Start, open_path: Path, kind: str, reason: str) -> None:
    handler = make_handler(open_path, kind)
    code, errors = try_config(open_path, handler=handler)
    assert f'handler: cannot execute "{handler}"' in errors and reason in errors, errors
    assert re.match(rf"{open_path}/preforkd\.conf:\d+: ", errors)
    if kind != "unmarked":
        assert code == BAD_CONFIG
    # A reload says the same, and the old handler serves on.
    address = tcp4()
    daemon = preforkd({"www": {"listen": address, "handler": "/bin/cat"}})
    daemon.pools["www"]["handler"] = str(handler)
    if code == BAD_CONFIG:
        daemon.hup("reload refused")
        daemon.assert_problem(reason)
    assert request(address, b"x") == b"x"


@pytest.mark.parametrize(("kind", "reason"), [
    ("private", "it may not be executed (mode 0700, uid 0, gid 0)"),
    ("inside", 'the directory "{parent}" may not be entered (mode 0700, uid 0, gid 0)')])
def test_handlers_that_the_user_may_not_execute(open_path: Path, as_root: None, kind: str, reason: str) -> None:
    handler = make_handler(open_path, kind)
    code, errors = try_config(open_path, handler=handler)
    assert code == BAD_CONFIG
    assert f'cannot execute "{handler}" as user "{POOL_USER}": {reason.format(parent=handler.parent)}' in errors, errors
    assert try_config(open_path, handler=handler, user="root")[0] == 0
    os.chown(handler, 0, 3)
    os.chown(handler.parent, 0, 3)
    handler.chmod(0o750)
    handler.parent.chmod(0o755 if kind == "private" else 0o710)
    assert try_config(open_path, handler=handler, supplementary_groups="3")[0] == 0, "by its group"


def test_an_interpreter_that_the_user_may_not_execute(open_path: Path, as_root: None) -> None:
    interpreter = open_path / "interpreter"
    shutil.copy("/bin/cat", interpreter)
    interpreter.chmod(0o700)
    code, errors = try_config(open_path, handler=script(open_path / "h", f"#!{interpreter}\n"))
    assert code == BAD_CONFIG
    assert f'its interpreter "{interpreter}": it may not be executed (mode 0700' in errors
    # A script that only root may read is no use to its interpreter.
    code, errors = try_config(open_path, handler=script(open_path / "h", mode=0o711))
    assert code == BAD_CONFIG and "which its interpreter may not read (mode 0711" in errors
    # A program need not be readable.
    interpreter.chmod(0o711)
    assert try_config(open_path, handler=interpreter)[0] == 0


def test_directories_that_the_user_may_not_enter(open_path: Path, as_root: None) -> None:
    (open_path / "closed").mkdir(mode=0o700)
    code, errors = try_config(open_path, directory=open_path / "closed")
    assert code == BAD_CONFIG
    assert (f'directory: cannot use "{open_path}/closed" as user "{POOL_USER}": it may not be entered '
            "(mode 0700, uid 0, gid 0)") in errors
    assert try_config(open_path, directory=open_path / "closed", user="root")[0] == 0


def test_links_lead_inside_the_root_directory(open_path: Path, as_root: None) -> None:
    root = open_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "alternatives").symlink_to("/bin")
    code, errors = try_config(open_path, root_directory=root, handler="/alternatives/h")
    assert code == BAD_CONFIG and f'cannot execute "{root}/alternatives/h"' in errors, errors
    script(root / "bin/h", "#!/bin/interpreter\n")
    code, errors = try_config(open_path, root_directory=root, handler="/alternatives/h")
    assert code == BAD_CONFIG and 'its interpreter "/bin/interpreter": No such file' in errors, errors
    shutil.copy("/bin/cat", root / "bin/interpreter")
    code, errors = try_config(open_path, root_directory=root, handler="/alternatives/h")
    assert code == BAD_CONFIG and 'its interpreter "/bin/interpreter": its loader "/lib' in errors, errors


def setuid(path: Path, mode: int = 0o4755) -> Path:
    shutil.copy("/bin/cat", path)
    path.chmod(mode)
    return path


@pytest.mark.skipif(not AS_ROOT, reason="the file must belong to another user than the pool's")
@pytest.mark.parametrize(("mode", "what"), [(0o4755, "it is setuid"), (0o2755, "it is setgid"), (0o4711, "it is setuid")])
def test_rights_that_are_withheld(open_path: Path, mode: int, what: str) -> None:
    """By no_new_privileges, from a program that nobody knows by its name; once, and not from one that has none."""
    program = setuid(open_path / "own", mode)
    code, errors = try_config(open_path, handler=program)
    assert code == 0, errors
    [warning] = [line for line in errors.splitlines() if "no_new_privileges" in line]
    assert f'handler: "{program}": {what}, which no_new_privileges = yes makes void' in warning
    code, errors = try_config(open_path, handler=program, no_new_privileges="no")
    assert code == 0 and "no_new_privileges" not in errors, errors
    code, errors = try_config(open_path, handler=setuid(open_path / "plain", 0o755))
    assert code == 0 and "no_new_privileges" not in errors, errors
    code, errors = try_config(open_path, handler=script(open_path / "script", mode=0o4755))
    assert code == 0 and "no_new_privileges" not in errors, "the kernel ignores it of scripts"
    code, errors = try_config(open_path, handler=setuid(open_path / "sudo", mode))
    assert code == 0 and errors.count("no_new_privileges") == 1, errors


def test_rights_that_the_mount_withholds(open_path: Path, own_mounts: Path) -> None:
    """nosuid: there is nothing left for no_new_privileges."""
    (open_path / "mounted").mkdir()
    config = open_path / "preforkd.conf"
    config.write_text(format_config({"www": {"listen": tcp4(), "handler": open_path / "mounted/own"}}))
    for option, count in (("nosuid", 0), ("suid", 1)):
        text = f"""mount -t tmpfs -o {option} none {open_path}/mounted
            cp /bin/cat {open_path}/mounted/own; chmod 4755 {open_path}/mounted/own; exec {BINARY} -t -c {config}"""
        result = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", text], check=False,
                                capture_output=True, text=True, env=clean_environment(), timeout=60)
        assert result.returncode == 0 and result.stderr.count("no_new_privileges") == count, result.stderr


def test_a_name_that_a_script_does_not_get(open_path: Path) -> None:
    script = open_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    code, errors = try_config(open_path, handler=script, argv0="another")
    assert code == 0 and f"warning: {open_path}/preforkd.conf:" in errors and f"argv0: no effect: {script} is a script" in errors
    code, errors = try_config(open_path, handler="echo", handler_type="builtin", argv0="another")
    assert code == 0 and "argv0: no effect: the handler is no program" in errors
    code, errors = try_config(open_path, argv0="another")
    assert code == 0 and "argv0" not in errors


@pytest.mark.parametrize("key", ["user", "group", "supplementary_groups", "socket_user", "socket_group"])
def test_accounts_that_there_are_not(tmp_path: Path, key: str) -> None:
    """The message names the option, and says nothing twice."""
    kind = "user" if "user" in key else "group"
    code, errors = try_config(tmp_path, **{"listen": tmp_path / "socket", key: "nobody-here"})
    assert code == BAD_CONFIG and re.search(rf':\d+: {key}: there is no {kind} "nobody-here"$', errors, re.MULTILINE), errors


def test_addresses_that_exclude_each_other(tmp_path: Path) -> None:
    port = free_port()
    for addresses in (f"0.0.0.0:{port} [::]:{port}", f"127.0.0.1:{port} *:{port}"):
        code, errors = try_config(tmp_path, listen=addresses)
        assert code == BAD_CONFIG and "exclude each other" in errors, errors
    code, errors = try_config(tmp_path, listen=f"[fe80::1]:{port}")
    assert code == BAD_CONFIG and "needs its interface" in errors


def test_addresses_that_this_machine_does_not_have(tmp_path: Path) -> None:
    code, errors = try_config(tmp_path, listen=f"192.0.2.77:{free_port()}")
    assert code == BAD_CONFIG and "no interface of this machine has that address" in errors


def test_a_directory_for_sockets_may_come_later(tmp_path: Path) -> None:
    code, errors = try_config(tmp_path, listen=tmp_path / "later/socket")
    assert code == 0 and "warning: " in errors and "cannot be used now: No such file" in errors


def test_t_of_a_running_service_is_good(preforkd: Start, tmp_path: Path) -> None:
    daemon = preforkd({"www": {"listen": f"{tcp4()} {tmp_path}/socket @{tmp_path.name}", "handler": "/bin/cat"}})
    result = run_preforkd("-t", "-c", daemon.config)
    assert result.returncode == 0 and "warning" not in result.stderr, result.stderr


@pytest.mark.parametrize(("key", "value", "reason"), [
    ("root_directory", "/", "root_directory: only root (CAP_SYS_CHROOT) can change it"),
    ("nice", "-5", "nice: -5 is less than preforkd's own"),
    ("limit_nofile", "1000000", "limit_nofile: preforkd may not set it: its own hard limit is 512"),
    ("oom_score_adj", "-900", "oom_score_adj: -900 is less than preforkd's own"),
    ("listen", "127.0.0.1:81", "listen: 127.0.0.1:81: only root (CAP_NET_BIND_SERVICE) can use port 81"),
    ("user", "root", "user: only root can run workers as 0"),
])
def test_what_an_ordinary_user_cannot_do(open_path: Path, key: str, value: str, reason: str) -> None:
    path = open_path / "preforkd.conf"
    options = {"listen": tcp4(), "handler": "/bin/cat", "user": "", key: value}
    path.write_text(format_config({"www": options}))
    as_user = {"user": 65534, "group": 65534, "extra_groups": []} if AS_ROOT else {}
    result = subprocess.run(["prlimit", "--nofile=512:512", str(BINARY), "-t", "-c", str(path)], capture_output=True,
                            text=True, check=False, env=clean_environment(), **as_user)
    if key == "listen" and int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 82:
        pytest.skip("every port is for everybody here")
    assert result.returncode == BAD_CONFIG, result.stderr
    assert reason in result.stderr


def test_root_may_do_it(open_path: Path, as_root: None) -> None:
    code, errors = try_config(open_path, root_directory="/", nice=-5, limit_nofile=100)
    assert code == 0, errors
    code, errors = try_config(open_path, limit_nofile=2000000000)
    assert code == BAD_CONFIG and "fs.nr_open" in errors
