"""The control socket: the same bytes as HAProxy's, its place in the file system, and what it is at start and stop."""
import os
import pwd
import signal
import socket
import stat

import pytest

from mqgate import DEADLINE_S, conf, conf_text, run, until
from servers import Echo, HAProxy

NOT_STARTED = 3


def exchange(path, lines, *, shut=True):
    """All that comes until the other side closes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(str(path))
        connection.sendall(lines)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


# --- beside HAProxy --------------------------------------------------------------------------------------------------

# Complete lines of a connection that the other side closes.
CLOSED = [
    b"show cli level\n", b"show cli level\r\n", b" show  cli\tlevel \n", b"show cli level;show cli level\n",
    b"show cli level ; show cli level\n", b"show cli level\nshow cli level\n", b"show cli level extra\n",
    b"show cli level # x\n", b"quit\n", b"quit x\n", b"quit;show cli level\n", b"show cli level;quit;show cli level\n",
    b"user\n", b"user extra;show cli level\n", b"operator;show cli level\n", b"user;operator;show cli level\n",
    b"operator;show cli level;operator;user;user;show cli level\n", b"user;show env MQGATE_TEST\n",
    b"show env MQGATE_TEST\n", b"show env MQGATE_TEST\r;show env MQGATE_TEST\n", b"show env MQGATE_TEST\r\r\n",
    b"show env MQGATE\rTEST\n", b"show env MQGATE_\\TEST\n", b"show env MQGATE_\\\\TEST\n", b"show env\tMQGATE_TEST\n",
    b"show env MQGATE_TEST\\ \n", b"show env MQGATE_TEST\\ x\n", b"show env MQGATE_TEST \\;show cli level\n",
    b"show env MQGATE_TEST\\;show cli level\n", b"show env MQGATE_TEST\\\\;show cli level\n",
    b"show env MQGATE_TEST\\\\\\;show cli level\n", b"show env MQGATE_TEST\\\\\n", b"show env MQGATE_TEST \\\n\n",
    b"show env 'MQGATE_TEST'\n", b'show env "MQGATE_TEST"\n', b"show env NO_SUCH_NAME\n", b"show env a\\;b\n",
    b"show env MQGATE_TEST\x00;show cli level\n", b"show cli level\x00 x;show cli level\n",
    b"set timeout\n", b"set timeout x\n", b"set timeout cli\n", b"set timeout cli 5\n", b"set timeout cli 5x\n",
    b"set timeout cli 0\n", b"set timeout cli 10m\n", b"set timeout cli 500us\n", b"set timeout cli 1500ms\n",
    b"set timeout cli 24d\n", b"set timeout cli 99999999d\n", b"set timeout cli 4294967295\n",
    b"set timeout cli -1\n", b"set timeout cli +5\n", b"set timeout cli 5 s\n", b"set timeout cli s\n",
    b"set timeout cli 5S\n", b"set timeout cli 0.5s\n", b"set timeout cli 1e3\n",
    b"set severity-output\n", b"set severity-output x\n", b"set severity-output none\n",
    b"set severity-output number;show env NO_SUCH_NAME;show cli level;show env MQGATE_TEST;user;show env x\n",
    b"set severity-output string;show env NO_SUCH_NAME;show cli level;show env MQGATE_TEST;set timeout cli\n",
    b"set severity-output string;set severity-output none;show env NO_SUCH_NAME\n",
    b"prompt\nprompt\n", b"prompt\nprompt\nshow cli level\n", b"prompt\nquit\n", b"prompt\nshow cli level\nquit\n",
    b"prompt\r\nshow cli level\r\nquit\r\n", b"prompt\nset timeout cli 60\nshow cli level\nquit\n",
    b"prompt\nset severity-output number\nshow env NO_SUCH_NAME\nshow cli level\nuser\nshow env x\nquit\n",
    b"prompt\nprompt\nprompt\nshow cli level\nquit\n",
    b"show cli level " + b"x" * 8000 + b"\n",
]
# What is not complete, or waits for more: the client ends its side.
SHUT = [
    b"", b"show cli level", b"show cli level\nshow cli level", b"prompt\nshow cli level\n",
    b"prompt\nshow cli level\nshow cli lev", b"prompt\n", b"\\", b"quit",
]
LEVELS = ["user", "operator", "admin"]


@pytest.fixture(scope="module")
def beside(module_mqgate, tmp_path_factory):
    """Pairs of paths, ours and HAProxy's, by level."""
    directory = tmp_path_factory.mktemp("haproxy")
    os.environ["MQGATE_TEST"] = "some value"
    sockets = "".join(f" stats socket {directory}/{level} level {level}\n" for level in LEVELS)
    gates = {level: module_mqgate(conf(1, global_={"control_level": level})) for level in LEVELS}
    with HAProxy(directory, f"global\n{sockets}listen x\n bind {{x}}\n server s1 127.0.0.1:1\n", "x"):
        until(lambda: all((directory / level).exists() for level in LEVELS), "HAProxy's sockets")
        yield {level: (gates[level].control_path, directory / level) for level in LEVELS}
    del os.environ["MQGATE_TEST"]


@pytest.mark.parametrize("lines", CLOSED, ids=lambda lines: repr(lines[:40]))
@pytest.mark.parametrize("shut", [True, False])
def test_whole_lines_are_answered_byte_for_byte_as_haproxy_does(beside, lines, shut):
    ours, theirs = beside["admin"]
    assert exchange(ours, lines, shut=shut) == exchange(theirs, lines, shut=shut)


@pytest.mark.parametrize("lines", SHUT)
def test_half_lines_are_answered_byte_for_byte_as_haproxy_does(beside, lines):
    ours, theirs = beside["admin"]
    assert exchange(ours, lines) == exchange(theirs, lines)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_answers_as_haproxy_does(beside, level):
    ours, theirs = beside[level]
    lines = b"show cli level;show env MQGATE_TEST;operator;show cli level;show env x;user;show cli level;show env x\n"
    assert exchange(ours, lines) == exchange(theirs, lines)


def test_unknown_commands_are_answered_with_suggestions_as_haproxy_does(beside):
    for lines, title in ((b"\n", b"Unknown command. Please enter one of the following commands only:\n"),
                         (b"show cli\n", b"Unknown command: 'show', but maybe one of the following ones is a better "
                                         b"match:\n")):
        answers = [exchange(path, lines) for path in beside["admin"]]
        assert answers[0].startswith(title)
        assert answers[1].startswith(title.replace(b": 'show'", b""))
        for answer in answers:
            assert b"  show cli level " in answer and b"  show cli sockets " in answer
            assert answer.endswith(b": disconnect\n\n") and answer.count(b"\n\n") == 1


# --- commands of the process -----------------------------------------------------------------------------------------

def test_show_version_tells_what_v_tells(mqgate):
    gate = mqgate(conf(1))
    version, libraries = run("-v").stdout, run("-vv").stdout
    assert "mqgate " + gate.control("show version") == version + "\n"
    assert "mqgate " + gate.control("show version libraries") == libraries + "\n"


def test_show_env_dumps_the_environment_to_operators(mqgate, monkeypatch):
    monkeypatch.setenv("MQGATE_TEST", "two\nlines")
    gate = mqgate(conf(1))
    lines = gate.control("show env").split("\n")
    assert "MQGATE_TEST=two?lines" in lines and f"PATH={os.environ['PATH']}" in lines
    assert gate.control("user;show env") == "\nPermission denied\n\n"


def test_wait_waits_until_no_session_uses_a_server(mqgate, serve):
    echo = serve(Echo)
    gate = mqgate(conf(echo.port))
    assert gate.control("wait 0 srv-removable out/s0") == "Only servers in maintenance mode can be removed.\n\n"
    assert gate.control("disable server out/s0;wait 0 srv-removable out/s0") == "\nDone.\n\n"
    gate.control("enable server out/s0")
    client = gate.connect()
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    gate.control("disable server out/s0")
    assert gate.control("wait 20 srv-removable out/s0") == (
        "Wait delay expired. Server still has connections attached to it, cannot remove it.\n\n")
    with gate.control_connect() as waiting:
        waiting.sendall(b"wait 1h srv-removable out/s0;show cli level\n")
        assert gate.control("show cli level") == "admin\n\n"
        client.close()
        assert waiting.makefile().read() == "Done.\n\nadmin\n\n"
    for name in ("out/s1", "in/s0", "out", "", "out/", "/"):
        assert gate.control(f"wait 1h srv-removable {name}") == "No such server.\n\n"


# --- the socket ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["0600", "0660", "0666"])
def test_the_socket_has_the_mode_that_is_written(mqgate, mode):
    gate = mqgate(conf(1, global_={"control_mode": mode}))
    status = gate.control_path.stat()
    assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == int(mode, 8)


@pytest.mark.parametrize("written", [{"control_mode": "660"}, {"control_mode": "0888"}, {"control_level": "root"},
                                     {"control_socket": "/" + "x" * 107}])
def test_nonsense_is_refused(tmp_path, written):
    file = tmp_path / "test.conf"
    file.write_text(conf_text(conf(1, global_=written)), encoding="utf-8")
    done = run("-c", "-f", file)
    assert done.returncode == 1 and f"global.{next(iter(written))}: found" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_the_socket_belongs_to_whom_the_process_becomes(mqgate):
    nobody = pwd.getpwnam("nobody")
    gate = mqgate(conf(1, global_={"user": "nobody"}))
    status = gate.control_path.stat()
    assert (status.st_uid, status.st_gid) == (nobody.pw_uid, nobody.pw_gid)
    assert gate.status("Uid")[0] == str(nobody.pw_uid)
    assert gate.control("show cli level") == "admin\n\n"


def test_the_socket_goes_with_the_process_and_comes_again(mqgate, tmp_path):
    path = tmp_path / "control"
    for _ in range(2):
        gate = mqgate(conf(1, global_={"control_socket": str(path)}))
        assert exchange(path, b"show cli level\n") == b"admin\n\n"
        gate.stop()
        assert not path.exists()


def test_a_socket_that_a_killed_process_left_is_replaced(mqgate, tmp_path):
    path = tmp_path / "control"
    gate = mqgate(conf(1, global_={"control_socket": str(path)}))
    gate.kill()
    assert path.exists()
    mqgate(conf(1, global_={"control_socket": str(path)}))
    assert exchange(path, b"show cli level\n") == b"admin\n\n"


def refuses_to_start(tmp_path, path):
    file = tmp_path / "test.conf"
    file.write_text(conf_text(conf(1, global_={"control_socket": str(path)})), encoding="utf-8")
    done = run("-f", file)
    assert done.returncode == NOT_STARTED and "event=ready" not in done.stdout
    return done.stderr


def test_a_socket_of_a_living_process_is_left_alone(mqgate, tmp_path):
    gate = mqgate(conf(1))
    assert f"another mqgate is listening on {gate.control_path}" in refuses_to_start(tmp_path, gate.control_path)
    assert gate.control("show cli level") == "admin\n\n"


def test_a_file_of_another_kind_is_left_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious", encoding="ascii")
    assert f"control_socket {path}: something that is no socket has this name" in refuses_to_start(tmp_path, path)
    assert path.read_text(encoding="ascii") == "precious"


def test_a_missing_directory_is_named(tmp_path):
    said = refuses_to_start(tmp_path, tmp_path / "run" / "control")
    assert f"there is no directory {tmp_path}/run; create it" in said and "RuntimeDirectory=" in said


def test_without_a_written_path_it_starts_though_the_default_one_cannot_be_had(mqgate):
    first, second = (mqgate(conf(1, global_={"control_socket": None})) for _ in range(2))
    warning, = second.logged(event="control_socket_unavailable")
    assert warning["level"] == "warn" and "/run/mqgate/mqgate.sock" in warning["err"]
    assert "global.control_socket" in warning["hint"]
    assert second.health() == first.health()


def test_an_empty_path_is_no_socket_and_no_warning(mqgate):
    gate = mqgate(conf(1, global_={"control_socket": ""}))
    assert not gate.control_path.exists()
    assert not gate.logged(event="control_socket_unavailable")


# --- stopping --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_ends_every_client_whatever_it_is_at(mqgate, number):
    gate = mqgate(conf(1))
    clients = [gate.control_connect() for _ in range(70)]  # more than are served at once
    for n, client in enumerate(clients):
        client.sendall([b"prompt\n", b"wait 1h\n", b"half a li", b"wait 1h srv-removable out/s0\n", b""][n % 5])
    assert clients[0].recv(3) == b"\n> "
    gate.stop(number)
    for client in clients:
        with client:
            try:
                while client.recv(4096):
                    pass
            except ConnectionResetError:
                pass
