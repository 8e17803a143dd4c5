"""mqgatectl: against mqgate's own control socket, against HAProxy's, whose protocol it is, and against a server that says
what no good one would."""
import contextlib
import pathlib
import socket
import subprocess
import threading
import time

import pytest

from mqgate import BUILD, DEADLINE_S, SLACK, address, conf, environment, until
from mqttproto import connack, connect_of
from servers import Echo, HAProxy, free_port
from terminal import Terminal

CTL = BUILD / "src" / "mqgatectl"
COMPLETION = pathlib.Path(__file__).resolve().parents[2] / "etc" / "completion" / "mqgatectl.bash"


def ctl(path, *words, stdin=None, **env):
    """How it ends, what it prints and what it complains about."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    ended = subprocess.run([CTL, "-s", path, *map(str, words)], capture_output=True, text=True, check=False,
                           timeout=DEADLINE_S, env={**environment(), **env}, **given)
    return ended.returncode, ended.stdout, ended.stderr


def table(text):
    """Rows of a table by what is in their first column, as dicts by the words of the head. What is set to the left begins
    below its title; all behind CHECK is set to the right and has no blanks."""
    head, *lines = text.splitlines()
    titles = head.split()
    left = titles[:titles.index("CHECK") + 1] if "CHECK" in titles else titles
    begins = [head.index(title) for title in left] + [None]
    rows = {}
    for line in lines:
        start, *right = line.rsplit(None, len(titles) - len(left)) if left != titles else [line]
        cells = [start[at:end].strip() for at, end in zip(begins, begins[1:])]
        rows[cells[0]] = dict(zip(titles, cells + right))
    return rows


@pytest.fixture
def echo(serve):
    return serve(Echo)


@pytest.fixture
def haproxy(tmp_path, echo):
    """Two frontends in front of one backend of two servers, one of them down."""
    with HAProxy(tmp_path, "global\n stats socket " + str(tmp_path / "h.sock") + " level admin\n"
                 "frontend mqtt\n bind {mqtt}\n default_backend emqx\n"
                 "frontend ws\n bind {ws}\n default_backend emqx\n"
                 f"backend emqx\n server one {address(echo.port)}\n server two 127.0.0.1:{free_port()} check inter 100\n",
                 "mqtt", "ws") as process:
        process.socket = tmp_path / "h.sock"
        until(process.socket.exists, "its socket")  # the ports listened before it was started
        yield process


@pytest.fixture
def control(mqgate, echo, tmp_path):
    """mqgate with a control socket, one server that echoes and one that is down."""
    path = tmp_path / "mqgate.sock"
    configuration = conf([echo.port, free_port()], global_={"control_socket": str(path)},
                         backend={"check": {"type": "tcp", "interval": "100ms"}})
    gate = mqgate(configuration)
    gate.control = path
    return gate


class Scripted:
    """Answers each line by what answer(line) says: pieces of bytes, each sent at once. With prompts once asked for."""

    def __init__(self, path, answer):
        self._answer = answer
        self.lines = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(8)
        self.path = path
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        prompts = False
        with sock, contextlib.suppress(OSError), sock.makefile("rb") as lines:
            for line in lines:
                line = line.rstrip(b"\n").decode()
                self.lines.append(line)
                if line == "prompt":
                    prompts = True
                    sock.sendall(b"\n> ")
                    continue
                for piece in self._answer(line):
                    sock.sendall(piece)
                if not prompts:
                    return
                sock.sendall(b"\n> ")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


# --- commands --------------------------------------------------------------------------------------------------------

def test_an_answer_is_printed_and_a_failure_is_the_exit_status(haproxy):
    assert ctl(haproxy.socket, "show", "backend") == (0, "# name\nemqx\n", "")
    assert ctl(haproxy.socket, "disable", "server", "emqx/one") == (0, "", "")
    assert ctl(haproxy.socket, "get", "weight", "emqx/one") == (0, "1 (initial 1)\n", "")
    assert ctl(haproxy.socket, "disable", "server", "emqx/none") == (1, "", "No such server.\n")
    status, out, errors = ctl(haproxy.socket, "bogus")
    assert (status, out) == (1, "") and errors.startswith("Unknown command")
    status, out, errors = ctl(haproxy.socket, "help")
    assert status == 0 and out.startswith("The following commands") and errors == ""


def test_a_word_arrives_whole_and_cannot_become_a_command(tmp_path):
    with Scripted(tmp_path / "s", lambda _: [b"\n\n"]) as server:
        assert ctl(server.path, "set", "server", "a; shutdown\\all", "x y") == (0, "", "")
        assert server.lines == ["set severity-output number; set server a\\;\\ shutdown\\\\all x\\ y"]
        assert ctl(server.path, "show stat; show info") == (0, "", "")
        assert server.lines[1] == "set severity-output number; show stat; show info"
        for words in (["a\nb", "c"], ["a", ""], ["show", "x" * 16000]):
            status, out, errors = ctl(server.path, *words)
            assert (status, out) == (2, "") and errors.startswith("mqgatectl: ")
        assert len(server.lines) == 2


def test_commands_of_standard_input_all_run(haproxy):
    status, out, errors = ctl(haproxy.socket, stdin="show backend\n\nget weight emqx/none\r\nget weight emqx/one; show backend")
    assert status == 1
    assert out == "# name\nemqx\n1 (initial 1)\n\n# name\nemqx\n"
    assert errors == "No such server.\n"
    assert ctl(haproxy.socket, stdin="show backend\n")[0] == 0


def test_a_socket_that_cannot_be_reached_says_what_to_do(tmp_path):
    status, out, errors = ctl(tmp_path / "none", "show", "info")
    assert (status, out) == (3, "")
    assert str(tmp_path / "none") in errors and "is mqgate running" in errors and "control_socket" in errors
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "left"))
    left.close()
    for words in (["show", "info"], ["stat"], ["info"], ["top"]):
        status, _, errors = ctl(tmp_path / "left", *words)
        assert status == 3 and "Connection refused" in errors and "not running" in errors
    assert ctl(tmp_path / "left", stdin="show info\nshow info\n")[2].count("\n") == 1


def test_the_environment_names_the_socket(haproxy, tmp_path):
    def run(**env):
        return subprocess.run([CTL, "show", "backend"], capture_output=True, text=True, check=False,
                              env={**environment(), **env}, timeout=DEADLINE_S, stdin=subprocess.DEVNULL)
    assert run(MQGATE_SOCKET=str(haproxy.socket)).returncode == 0
    assert str(tmp_path / "none") in run(MQGATE_SOCKET=str(tmp_path / "none")).stderr


def test_a_socket_whose_queue_is_full_is_given_up(tmp_path):
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket(socket.AF_UNIX))
        full.bind(str(tmp_path / "full"))
        full.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(tmp_path / "full"))
        began = time.monotonic()
        status, _, errors = ctl(tmp_path / "full", "show", "info")
        assert status == 3 and "timed out" in errors
        assert 4 < time.monotonic() - began < 9


def test_an_answer_is_shown_as_it_comes_and_awaited_for_as_long_as_it_takes(tmp_path):
    go_on = threading.Event()

    def answer(_line):
        yield b"\nfirst\n"
        go_on.wait(DEADLINE_S)
        yield b"\nlast\n\n"
    with Scripted(tmp_path / "s", answer):
        with subprocess.Popen([CTL, "-s", tmp_path / "s", "wait", "5"], stdout=subprocess.PIPE,
                              env=environment()) as process:
            assert process.stdout.readline() == b"first\n"
            go_on.set()
            assert process.stdout.read() == b"\nlast\n"
        assert process.returncode == 0


@pytest.mark.limit(120)
def test_an_answer_of_any_size_passes_through_in_little_memory(tmp_path):
    line = b"x" * 1023 + b"\n"
    with Scripted(tmp_path / "s", lambda _: [b"\n", *[line * 1024] * 100, b"\n"]):
        with subprocess.Popen([CTL, "-s", tmp_path / "s", "show", "sess"], stdout=subprocess.PIPE,
                              env=environment()) as process:
            total = len(process.stdout.read(50 << 20))
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            total += len(process.stdout.read())
        assert process.returncode == 0 and total == 100 << 20
        if SLACK == 1:
            assert int(status.split("VmHWM:")[1].split()[0]) < 16 << 10


def test_an_answer_that_cannot_be_written_is_a_failure(haproxy):
    with open("/dev/full", "wb") as full:
        for words in (["show", "info"], ["stat"], ["info"]):
            assert subprocess.run([CTL, "-s", haproxy.socket, *words], stdout=full, stderr=subprocess.PIPE, check=False,
                                  env=environment(), timeout=DEADLINE_S, stdin=subprocess.DEVNULL).returncode == 1


@pytest.mark.parametrize("words", [["-x"], ["-s"], ["stat", "a", "b"], ["info", "x"], ["top", "-d"], ["top", "-d", "0"],
                                   ["top", "-d", "nan"], ["top", "-d", "1e9"], ["top", "x"], ["check-health", "x"]])
def test_a_command_line_that_is_not_understood_is_status_2(words):
    ended = subprocess.run([CTL, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                           env=environment(), timeout=DEADLINE_S)
    assert ended.returncode == 2 and ended.stdout == "" and "mqgatectl" in ended.stderr


def test_help_and_version_are_told():
    def run(word):
        return subprocess.run([CTL, word], capture_output=True, text=True, check=True, env=environment(),
                              timeout=DEADLINE_S).stdout
    assert all(word in run("--help") for word in ("stat", "info", "top", "check-health", "MQGATE_SOCKET"))
    assert run("--version").startswith("mqgatectl ")


# --- tables ----------------------------------------------------------------------------------------------------------

def test_stat_is_a_table_of_every_proxy_or_of_one(haproxy):
    until(lambda: table(ctl(haproxy.socket, "stat")[1])["emqx/two"]["STATUS"] == "DOWN", "the check of server two")
    with socket.create_connection(("127.0.0.1", haproxy.ports["mqtt"])) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        status, out, errors = ctl(haproxy.socket, "stat")
        assert (status, errors) == (0, "")
        rows = table(out)
        assert {"mqtt/FRONTEND", "ws/FRONTEND", "emqx/one", "emqx/two", "emqx/BACKEND"} <= set(rows)
        assert rows["mqtt/FRONTEND"]["CUR"] == "1" and rows["ws/FRONTEND"]["CUR"] == "0"
    assert "\033" not in out
    assert set(table(ctl(haproxy.socket, "stat", "emqx")[1])) == {"emqx/one", "emqx/two", "emqx/BACKEND"}
    status, out, errors = ctl(haproxy.socket, "stat", "none")
    assert (status, out) == (1, "") and "no proxy none" in errors


def test_info_is_a_table(haproxy):
    status, out, _ = ctl(haproxy.socket, "info")
    assert status == 0
    assert table(out)["Name"]["VALUE"] == "HAProxy"
    lines = out.splitlines()
    at = lines[0].index("VALUE")
    assert len(lines) > 40 and all(line[at - 1:at] in (" ", "") for line in lines)
    assert any(line[at - 2:at - 1].strip() for line in lines)  # no wider than its keys


def test_hostile_names_do_not_reach_the_terminal(tmp_path):
    answers = {"show stat": b"# pxname,svname,status,type,\na\x1b[31mb,FRONTEND,OP\x9bEN,0,\n",
               "show info": b"Name: \x1b]0;x\x07\nnode: \xc2\x9b2J\n",
               "show sess": b"0x1: src=\x1b[2J fe=a\x1b be=b srv=c age=1s in=1 out=1 tls=\x1b[5m\n"}
    with Scripted(tmp_path / "s", lambda line: [answers.get(line, b""), b"\n"]) as server:
        for words in (["stat"], ["info"], ["top", "-d", "0.1"]):
            ended = subprocess.run([CTL, "-s", server.path, *words], capture_output=True, check=True, timeout=DEADLINE_S,
                                   env=environment(), stdin=subprocess.DEVNULL)
            assert not set(ended.stdout) & ({*range(32), 0x7f} - {ord("\n")})
            assert b"\xc2\x9b" not in ended.stdout and b"\x9b" not in ended.stdout


def test_colour_is_for_terminals_whose_user_wants_it(haproxy, tmp_path):
    with Terminal(tmp_path, f"{CTL} -s {haproxy.socket} stat; echo status $?") as terminal:
        terminal.shows("status 0")
        assert "\033[32mOPEN" in terminal.colours()
    with Terminal(tmp_path, f"{CTL} -s {haproxy.socket} stat; echo status $?", NO_COLOR=1) as terminal:
        terminal.shows("status 0")
        assert "OPEN" in terminal.text() and "\033[32m" not in terminal.colours()


# --- top -------------------------------------------------------------------------------------------------------------

def session(number, total):
    return (f"0x{number:016x}: proto=tcpv4 src=192.0.2.{number % 250}:{5000 + number} fe=mqtts be=emqx srv=one age=2h3m "
            f"state=relay in={total} out={2 * total} idle=0s tls=TLSv1.3\n")


class Busy(Scripted):
    """A process with n sessions, of which the n-th takes n kilobytes more at each poll."""

    def __init__(self, path, n):
        self.n, self.polls = n, 0
        super().__init__(path, self._say)

    def _say(self, line):
        if line == "show info":
            self.polls += 1
            return [b"Name: mqgate\nVersion: 9.8.7\nnode: n1\nUptime_sec: 60\nCurrConns: 7\nMaxconn: 100\nStopping: 0\n"]
        if line == "show stat":
            return [b"# pxname,svname,status,type,scur,\nmqtts,FRONTEND,OPEN,0,7,\nemqx,one,UP,2,7,\nemqx,two,DOWN,2,0,\n"]
        if line == "show sess":
            return ["".join(session(i, self.polls * i * 1000) for i in range(self.n)).encode()]
        return []


@pytest.fixture
def busy(tmp_path):
    with Busy(tmp_path / "busy.sock", 50) as server:
        yield server


def test_without_a_terminal_top_prints_once(haproxy, busy):
    status, out, errors = ctl(busy.path, "top", "-d", "0.1")
    assert (status, errors) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("mqgate 9.8.7  n1  up 1m0s  running")
    sessions = lines[next(i for i, line in enumerate(lines) if line.startswith("SESSIONS 50")) + 1:]
    assert len(sessions) == 20 and sessions[0].startswith("192.0.2.49:5049")
    assert "emqx/one" in out and "tls=TLSv1.3" in out
    status, out, _ = ctl(haproxy.socket, "top", "-d", "0.1")
    assert status == 0 and "HAProxy" in out and "emqx/two" in out


def test_top_on_a_screen_obeys_keys_and_leaves_the_terminal_as_it_was(busy, tmp_path):
    with Terminal(tmp_path, f"stty -g >{tmp_path}/before; {CTL} -s {busy.path} top -d 0.2; status=$?; "
                            f"stty -g >{tmp_path}/after; echo status $status") as terminal:
        terminal.shows("mqgate 9.8.7", "LISTENERS 1", "SERVERS 2", ">SESSIONS 50", "192.0.2.49:5049", "q quit")
        terminal.press("r")
        terminal.shows("192.0.2.0:5000")
        terminal.press("/", "2.17:")
        terminal.shows("SESSIONS 1/50", "192.0.2.17:5017", "filter: 2.17:_")
        terminal.press("Escape", "l", "v")
        until(lambda: "LISTENERS" not in terminal.text() and "SERVERS" not in terminal.text(), "hidden tables")
        terminal.press("r", "End")
        terminal.shows("192.0.2.1:5001")
        terminal.press("v", "Tab")
        terminal.shows(">SERVERS")
        terminal.press("?")
        terminal.shows("the next table")
        terminal.press("Space", "p")
        terminal.shows("paused")
        terminal.press("p", "+")
        terminal.shows("every 0.1s")
        terminal.press("q")
        terminal.shows("status 0")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()


def test_top_fits_any_size(busy, tmp_path):
    with Terminal(tmp_path, f"{CTL} -s {busy.path} top -d 0.1; echo status $?") as terminal:
        for cols, lines in ((80, 24), (200, 50), (40, 10), (20, 5), (10, 3), (3, 2), (1, 1), (2, 30), (120, 24)):
            terminal.resize(cols, lines)
            polls = busy.polls
            until(lambda seen=polls: busy.polls > seen + 1, "the next polls")
        terminal.shows("mqgate 9.8.7", ">SESSIONS 50", "BYTES/S")
        terminal.press("q")
        terminal.shows("status 0")


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_ends_top_cleanly(busy, tmp_path, name):
    with Terminal(tmp_path, f"stty -g >{tmp_path}/before; sh -c 'echo $$ >{tmp_path}/pid; exec {CTL} -s {busy.path} top'; "
                            f"status=$?; stty -g >{tmp_path}/after; echo status $status") as terminal:
        terminal.shows("mqgate 9.8.7")
        subprocess.run(["kill", f"-{name}", (tmp_path / "pid").read_text().strip()], check=True)
        terminal.shows("status 0")
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()


def test_top_says_that_mqgate_is_gone_and_comes_back_with_it(echo, tmp_path):
    body = (f"global\n stats socket {tmp_path}/h.sock level admin\n"
            f"listen mqtt\n bind {{mqtt}}\n server one {address(echo.port)}\n")
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(HAProxy(tmp_path, body, "mqtt"))
        until((tmp_path / "h.sock").exists, "its socket")
        terminal = stack.enter_context(Terminal(tmp_path, f"{CTL} -s {tmp_path}/h.sock top -d 0.2; echo status $?"))
        terminal.shows("HAProxy", "running", "every 0.2s")
        first.stop()
        terminal.shows("lost: ", "LISTENERS 1")
        stack.enter_context(HAProxy(tmp_path, body, "mqtt"))
        terminal.shows("every 0.2s")
        terminal.press("q")
        terminal.shows("status 0")


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_top_does_nothing_between_polls_and_little_for_ten_thousand_sessions(tmp_path):
    with Busy(tmp_path / "busy.sock", 10000) as busy, \
         Terminal(tmp_path, f"exec {CTL} -s {busy.path} top -d 0.5 2>{tmp_path}/errors") as terminal:
        terminal.shows("SESSIONS 10000")
        pid = terminal.pid()
        polls, before = busy.polls, cpu_s(pid)
        until(lambda: busy.polls >= polls + 5, "five polls", 30 * SLACK)
        assert (cpu_s(pid) - before) / 5 < 0.1 * SLACK
        terminal.press("p")
        terminal.shows("paused")
        before, polls = cpu_s(pid), busy.polls
        time.sleep(1)  # that nothing happens can only be waited for
        assert busy.polls <= polls + 1  # one may have been under way
        assert cpu_s(pid) - before < 0.1 * SLACK


def test_top_needs_a_terminal_that_it_knows(busy, tmp_path):
    # Of a terminal that it does not know curses itself loses some memory.
    with Terminal(tmp_path, f"TERM=unheard-of {CTL} -s {busy.path} top; echo status $?",
                  ASAN_OPTIONS="detect_leaks=0") as terminal:
        terminal.shows("cannot draw on a terminal of kind 'unheard-of'", "status 1")


# --- completion ------------------------------------------------------------------------------------------------------

def completions(*words, directory):
    """What bash would offer for the last of these words."""
    script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mqgatectl "$1"; '
              '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "-c", script, "bash", COMPLETION, CTL, *words], capture_output=True, text=True,
                          check=True, env=environment(), cwd=directory, timeout=DEADLINE_S).stdout.split()


def test_completion_offers_words_commands_and_names(haproxy, tmp_path):
    def offered(*words):
        return completions(*words, directory=tmp_path)
    assert {"stat", "info", "top", "check-health", "show", "set", "-s"} <= set(offered(""))
    assert offered("-s", "h.so") == ["h.sock"]
    at = ("-s", str(haproxy.socket))
    assert offered(*at, "disable", "server", "") == ["emqx/one", "emqx/two"]
    assert offered(*at, "set", "server", "emqx/t") == ["emqx/two"]
    assert offered(*at, "set", "server", "emqx/two", "state", "") == ["drain", "maint", "ready"]
    assert offered(*at, "disable", "frontend", "") == ["mqtt", "ws"]
    assert offered(*at, "stat", "e") == ["emqx"]
    assert offered("-s", "none", "disable", "server", "") == []
    assert offered("-s", "none", "show", "sta") == ["stat"]


def test_completion_never_runs_what_mqgate_calls_a_server(tmp_path):
    hostile = b"# pxname,svname,type,\na$(touch ran)`touch ran`;x,s*,2,\n"
    with Scripted(tmp_path / "s", lambda _: [hostile, b"\n"]) as server:
        assert completions("-s", str(server.path), "enable", "server", "", directory=tmp_path)
    assert not (tmp_path / "ran").exists()


# --- mqgate's own socket ---------------------------------------------------------------------------------------------

def test_mqgate_answers_as_tables_and_commands(control):
    with control.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        until(lambda: table(ctl(control.control, "stat")[1])["out/s1"]["STATUS"] == "DOWN", "the check of s1")
        rows = table(ctl(control.control, "stat")[1])
        assert rows["in/FRONTEND"]["CUR"] == "1" and rows["out/s0"]["CUR"] == "1"
    assert table(ctl(control.control, "info")[1])["Name"]["VALUE"] == "mqgate"
    assert ctl(control.control, "disable", "server", "out/s0") == (0, "", "")
    assert table(ctl(control.control, "stat", "out")[1])["out/s0"]["STATUS"] == "MAINT"
    assert ctl(control.control, "enable", "server", "out/s0") == (0, "", "")
    assert ctl(control.control, "enable", "server", "out/none") == (1, "", "No such server.\n")
    status, out, errors = ctl(control.control, "bogus")
    assert (status, out) == (1, "") and errors.startswith("Unknown command")
    assert ctl(control.control, stdin="show backend\n")[0] == 0


def test_top_shows_who_sends_most_through_mqgate(control, tmp_path):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(control.connect()) for _ in range(3)]
        terminal = stack.enter_context(Terminal(tmp_path, f"{CTL} -s {control.control} top -d 0.2; echo status $?",
                                                cols=120))
        heavy = f"127.0.0.1:{clients[1].getsockname()[1]}"

        def is_first():
            clients[1].sendall(b"x" * 10000)
            clients[1].recv(65536)
            lines = terminal.lines()
            at = next((i for i, line in enumerate(lines) if line.startswith(">SESSIONS")), None)
            return at is not None and lines[at + 1].startswith(heavy)
        until(is_first, "the heavy session on top")
        terminal.shows("mqgate", "in ", "out/s0", "UP")
        terminal.press("q")
        terminal.shows("status 0")


def test_top_shows_what_is_known_of_mqtt(mqgate, mosquitto, tmp_path):
    path = tmp_path / "mqgate.sock"
    gate = mqgate(conf(mosquitto.port, listener={"protocol": "mqtt"}, global_={"control_socket": str(path)}))
    with gate.connect() as client, Terminal(tmp_path, f"{CTL} -s {path} top -d 0.2", cols=240) as terminal:
        client.sendall(connect_of(client_id=b"sensor 7", keep_alive=42))
        assert client.recv(4) == connack(4)
        terminal.shows("mqtt=3.1.1", "keepalive=42", "clean=1", "connack=0", 'client_id="sensor 7"')
        terminal.press("q")


def test_completion_knows_mqgates_servers(control, tmp_path):
    assert completions("-s", str(control.control), "disable", "server", "", directory=tmp_path) == ["out/s0", "out/s1"]
