"""`preforkctl import`: files of other programs become a configuration that preforkd takes, and services that serve."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import (AS_ROOT, BINARY, Daemon, clean_environment, free_port, have_ipv6, preload_object, request,
                    run_preforkd, tcp4, tcp6, wait_until)
from nginx import Nginx

CTL = BINARY.parents[1] / "ctl/preforkctl"
USER = "nobody" if AS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
Start = Callable[..., Daemon]


def run_import(*arguments: str | Path, status: int = 0) -> str:
    result = subprocess.run([CTL, "import", *arguments], capture_output=True, text=True, timeout=20)
    assert result.returncode == status, result.stderr + result.stdout
    return result.stdout


def accepted(tmp_path: Path, text: str) -> Path:
    """The file with the configuration, which `preforkd -t` takes without a warning."""
    file = tmp_path / "imported.conf"
    file.write_text(text)
    result = run_preforkd("-t", "-c", file, env=clean_environment(**preload_object(tmp_path)))
    assert result.returncode == 0 and "warning" not in result.stderr, result.stderr + text
    return file


# --- xinetd ---------------------------------------------------------------------------------------------------------

XINETD = """\
# What a machine had.
defaults
{{
\tinstances       = 30
\tlog_type        = SYSLOG daemon info
\tlog_on_failure  = HOST
\tbind            = 127.0.0.1
}}
includedir {directory}
"""
# A name, what its service says, what a client sends, what it gets.
SERVICES: list[tuple[str, str, bytes, bytes]] = [
    ("echo-here", "type = INTERNAL UNLISTED\nid = echo-here", b"hello", b"hello"),
    ("cat", "server = /bin/cat\nuser = {user}", b"as it is", b"as it is"),
    ("upper", "server = /usr/bin/tr\nserver_args = a-z A-Z\nuser = {user}\ncps = 50 10", b"abc", b"ABC"),
    ("environment", "server = /bin/sh\nserver_args = -c echo${{IFS}}$ONE${{IFS}}$TWO\nenv = ONE=1\nenv += TWO=2\nuser = {user}", b"",
     b"1 2\n"),
    ("umask", "server = /bin/sh\nserver_args = -c umask\numask = 027\nuser = {user}", b"", b"0027\n"),
    ("nice", "server = /usr/bin/nice\nnice = 7\nuser = {user}", b"", b"7\n"),
    ("files", "server = /bin/sh\nserver_args = -c ulimit${{IFS}}-n\nrlimit_files = 77\nuser = {user}", b"", b"77\n"),
    ("space", "server = /bin/sh\nserver_args = -c ulimit${{IFS}}-v\nrlimit_as = 512M\nuser = {user}", b"", b"524288\n"),
    ("forward", "redirect = 127.0.0.1 {cat}\nflags = NODELAY KEEPALIVE NOLIBWRAP\nper_source = 4\nuser = {user}", b"on", b"on"),
    ("waits", "server = {one}\nwait = yes\nuser = {user}", b"", b"one\n"),
]
ACCEPTS_ONE = """\
#!/usr/bin/python3
import os, socket
listener = socket.socket(fileno=0)
while True:
    client, _ = listener.accept()
    client.sendall(b"one\\n")
    client.close()
"""


def write_xinetd(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    directory = tmp_path / "xinetd.d"
    directory.mkdir()
    one = tmp_path / "one"
    one.write_text(ACCEPTS_ONE)
    one.chmod(0o755)
    ports = {name: free_port() for name, *_ in SERVICES}
    for name, attributes, *_ in SERVICES:
        wait = "" if "wait" in attributes else "wait = no\n"
        text = attributes.format(user=USER, cat=ports["cat"], one=one)
        text += "" if "flags" in text else "\nflags = NOLIBWRAP"
        service = "echo" if "INTERNAL" in text else name
        (directory / name).write_text(f"service {service}\n{{\nport = {ports[name]}\nsocket_type = stream\n{wait}{text}\n}}\n")
    (directory / "off").write_text("service off\n{\n disable = yes\n port = 1\n server = /bin/cat\n}\n")
    (directory / "left.dpkg-old").write_text("service cat\n{\n}\n")
    file = tmp_path / "xinetd.conf"
    file.write_text(XINETD.format(directory=directory))
    return file, {name: tcp4(port) for name, port in ports.items()}


def test_ten_services_of_xinetd(preforkd: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file, addresses = write_xinetd(tmp_path)
    text = run_import("xinetd", file)
    assert "# cps = 50 10: " in text or "rate_limit = 50/s" in text
    assert text.count("\nwhen_full = refuse\n") == 9 and "\n# it was disabled\n" in text
    assert "\nconnection_log = refused\n" in text
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    for name, _, sent, expected in SERVICES:
        assert request(addresses[name], sent) == expected, name


def test_a_directory_of_xinetd(tmp_path: Path) -> None:
    file, _ = write_xinetd(tmp_path)
    text = run_import("xinetd", file.parent / "xinetd.d")
    assert text.count("\n[") == len(SERVICES) and "\n# [off]\n" in text


@pytest.mark.parametrize("rule", ["only_from = trusted.example.com", "access_times = 8:00-18:00"])
def test_a_lost_rule_closes_the_service(preforkd: Start, tmp_path: Path, rule: str) -> None:
    address = tcp4()
    file = tmp_path / "xinetd.conf"
    file.write_text(f"service x\n{{\n port = {address.rsplit(':')[1]}\n bind = 127.0.0.1\n user = {USER}\n"
                    f" server = /bin/cat\n {rule}\n}}\n"
                    f"service y\n{{\n port = {free_port()}\n user = {USER}\n server = /bin/cat\n}}\n")
    text = run_import("xinetd", file, status=1)
    assert "closed: " in text
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    try:
        assert request(address, b"let me in") == b""
    except OSError:
        pass


# What real xinetd is asked, too: the words that it passes, and where it listens.
SAME_AS_XINETD = {
    "quotes": "server_args = <%s> \"a b\" 'c' d\\e \"f",
    "first": "server_args = <%s> first\nserver_args = second\nserver_args += \"third\"",
    "named": "flags = NAMEINARGS\nserver_args = it's <%s> \"a b\"",
    "ipv4": "flags = IPv4\nserver_args = 4",
    "ipv6": "flags = IPv6\nserver_args = 6",
    "v6only": "v6only = yes\nserver_args = only",
    "bind4": "bind = 127.0.0.1\nserver_args = bind4",
    "bind6": "bind = ::1\nserver_args = bind6",
    "bind": "bind = ::\nserver_args = both",
    "last": "only_from = 127.0.0.1\nonly_from = ::1\nserver_args = last",
}


def answers(ports: dict[str, int]) -> dict[str, list[bytes]]:
    """What each service says over IPv4 and IPv6; nothing if it does not listen there, or lets nobody in."""
    def answer(address: str) -> bytes:
        try:
            return request(address)
        except OSError:
            return b""
    return {name: [answer(tcp4(port)), answer(tcp6(port))] for name, port in ports.items()}


@pytest.mark.skipif(not shutil.which("xinetd") or not have_ipv6(), reason="needs xinetd and IPv6")
def test_words_and_addresses_as_xinetd_has_them(preforkd: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ports = {name: free_port() for name in SAME_AS_XINETD}
    file = tmp_path / "xinetd.conf"
    file.write_text("defaults\n{\n cps = 1000 1\n flags = IPv4\n server_args = no\n}\n" + "".join(
        f"service {name}\n{{\n type = UNLISTED\n port = {ports[name]}\n socket_type = stream\n protocol = tcp\n wait = no\n"
        f" user = {USER}\n server = /usr/bin/printf\n{attributes}\n" + "}\n" for name, attributes in SAME_AS_XINETD.items()))
    with subprocess.Popen([str(shutil.which("xinetd")), "-dontfork", "-f", file, "-pidfile", tmp_path / "pid",
                           "-filelog", tmp_path / "log"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as xinetd:
        try:
            wait_until(lambda: all(any(row) for row in answers(ports).values()), "xinetd", 20)
            expected = answers(ports)
        finally:
            xinetd.kill()
    assert expected["quotes"] == [b"<\"a><b\"><'c'><d\\e><\"f>"] * 2 and expected["ipv4"] == [b"4", b""]
    text = run_import("xinetd", file)
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    assert answers(ports) == expected


# --- inetd ----------------------------------------------------------------------------------------------------------

def test_services_of_inetd(preforkd: Start, tmp_path: Path) -> None:
    echo, cat, sums = (free_port() for _ in range(3))
    file = tmp_path / "inetd.conf"
    file.write_text(f"#:OTHER: what was here\n127.0.0.1:\n{cat} stream tcp nowait {USER} /bin/cat cat\n"
                    f"{sums} stream tcp nowait.40 {USER} /bin/sh sh -c 'echo $((1 + 2))'\n"
                    f"{echo} stream tcp nowait {USER} internal\n")
    text = run_import("inetd", file, status=1)
    assert "preforkd itself serves no" in text  # a number is no name of a service
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    assert request(tcp4(cat), b"as it is") == b"as it is"
    assert request(tcp4(sums)) == b"3\n"


# --- the others -----------------------------------------------------------------------------------------------------

def test_a_socket_of_systemd(preforkd: Start, tmp_path: Path) -> None:
    stream, other = free_port(), free_port()
    (tmp_path / "cat.socket").write_text(f"[Socket]\nListenStream=127.0.0.1:{stream}\nAccept=yes\nMaxConnections=3\n")
    (tmp_path / "cat.socket.d").mkdir()
    (tmp_path / "cat.socket.d/more.conf").write_text(f"[Socket]\nListenStream=127.0.0.1:{other}\n")
    (tmp_path / "cat@.service").write_text(f"[Service]\nExecStart=-/bin/sh -c 'cat; echo $$0' ${{WORD}}\nEnvironment=WORD=end\n"
                                           f"StandardInput=socket\nStandardError=journal\nUser={USER}\nPrivateTmp=yes\n")
    text = run_import("systemd", tmp_path / "cat.socket")
    assert "\n# PrivateTmp = yes: " in text and "\nmax_workers = 3\nwhen_full = refuse\n" in text
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    for port in (stream, other):
        assert request(tcp4(port), b"as it is\n") == b"as it is\nend\n"


def test_rules_about_networks_leave_unix_sockets_open(preforkd: Start, tmp_path: Path) -> None:
    """As in systemd; and what is closed is closed for all."""
    port = free_port()
    (tmp_path / "cat.socket").write_text(f"[Socket]\nListenStream=127.0.0.1:{port}\nListenStream={tmp_path}/open\n"
                                         "Accept=yes\nIPAddressAllow=localhost\nIPAddressDeny=any\n")
    (tmp_path / "cat@.service").write_text(f"[Service]\nExecStart=/bin/cat\nStandardInput=socket\nUser={USER}\n")
    text = run_import("systemd", tmp_path / "cat.socket")
    assert "\nallow = 127.0.0.0/8 ::1 unix\n" in text
    inetd = tmp_path / "inetd.conf"
    inetd.write_text(f"#@ in ipsec esp/transport//use\n{tmp_path}/closed stream unix nowait {USER} /bin/cat cat\n")
    text += run_import("inetd", inetd, status=1)
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    assert request(tcp4(port), b"hello") == request(f"{tmp_path}/open", b"hello") == b"hello"
    try:
        assert request(f"{tmp_path}/closed", b"hello") == b""
    except OSError:
        pass


@pytest.mark.parametrize("signal", ["SIGINT", "SIGUSR1", "SIGTERM"])
def test_a_signal_that_ends_a_service(tmp_path: Path, signal: str) -> None:
    (tmp_path / "x.socket").write_text(f"[Socket]\nListenStream=127.0.0.1:{free_port()}\n")
    (tmp_path / "x.service").write_text(f"[Service]\nExecStart=/bin/cat\nUser={USER}\nKillSignal={signal}\n")
    text = run_import("systemd", tmp_path / "x.socket")
    assert f"\nretire_signal = {signal[3:]}\n" in text
    accepted(tmp_path, text)


def test_a_command_line_of_tcpserver(preforkd: Start, tmp_path: Path) -> None:
    port = free_port()
    text = run_import("tcpserver", "--", "tcpserver", "-v", "-c5", "-u", USER, "127.0.0.1", str(port), "/bin/sh", "-c", "echo a b")
    assert "\nmax_workers = 5\n" in text and "\nconnection_log = all\n" in text
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    assert request(tcp4(port)) == b"a b\n"


def test_a_command_line_with_what_is_for_the_shell(preforkd: Start, tmp_path: Path) -> None:
    port = free_port()
    text = run_import("tcpserver", "--", f"exec tcpserver -RHl0 -u {USER} 127.0.0.1 {port} /bin/echo 'a  b' 2>&1")
    assert "\n# 2>&1: redirections are done by the shell" in text
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    assert request(tcp4(port)) == b"a  b\n"


def test_pools_of_php_fpm(preforkd: Start, tmp_path: Path) -> None:
    """What Debian's package has, served behind nginx."""
    if not Path("/usr/bin/php-cgi").exists():
        pytest.skip("needs php-cgi")
    tmp_path.chmod(0o755)
    pools = tmp_path / "pool.d"
    pools.mkdir()
    (pools / "www.conf").write_text(f"[www]\nuser = {USER}\nlisten = {tmp_path}/$pool.sock\nlisten.owner = {USER}\npm = dynamic\n"
                                    "pm.max_children = 5\npm.start_servers = 2\npm.min_spare_servers = 1\n"
                                    "pm.max_spare_servers = 3\n;pm.max_requests = 500\nphp_admin_flag[log_errors] = on\n"
                                    "php_value[user_agent] = My agent; x\n"
                                    "clear_env = no\nenv[PATH] = $PATH\n")
    file = tmp_path / "php-fpm.conf"
    file.write_text(f"[global]\npid = /run/php/php-fpm.pid\nerror_log = /var/log/php-fpm.log\ninclude={pools}/*.conf\n")
    text = run_import("php-fpm", file)
    assert f"\nlisten = {tmp_path}/www.sock\n" in text and "\nhandler = /usr/bin/php-cgi -d log_errors=on -d 'user_agent=" in text
    assert "\n# pid = /run/php/php-fpm.pid: " in text
    (tmp_path / "hello.php").write_text("<?php echo 'hello', ini_get('log_errors'), ini_get('user_agent');")
    preforkd(arguments=["-c", str(accepted(tmp_path, text))])
    with Nginx(tmp_path, {"/": tmp_path / "www.sock"}, tmp_path) as nginx:
        assert nginx.ask("/hello.php") == "hello1My agent; x"


def test_what_cannot_be_read(tmp_path: Path) -> None:
    result = subprocess.run([CTL, "import", "xinetd", tmp_path / "nothing"], capture_output=True, text=True, timeout=20)
    assert result.returncode == 1 and f"{tmp_path}/nothing: cannot be read: No such file" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["xinetd"], ["apache", "x"], ["--help"]])
def test_usage(arguments: list[str]) -> None:
    result = subprocess.run([CTL, "import", *arguments], capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and "import xinetd FILE|DIRECTORY..." in result.stderr


def test_options_stand_in_front() -> None:
    result = subprocess.run([CTL, "--json", "import", "xinetd", "x"], capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and "prints no JSON" in result.stderr
