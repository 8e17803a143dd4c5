"""The mqgate under test: the real binary, on ports of its own, its log read line by line, looked over when it stops.

The build directory comes from MQGATE_BUILD (default: build/ in the root of the repository).
"""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("MQGATE_BUILD", HERE.parent.parent / "build")).resolve()
BINARY = BUILD / "src" / "mqgate"
SANITIZER = next((name for name in ("asan", "tsan") if f"__{name}_init".encode() in BINARY.read_bytes()), None)
# What takes a second at full speed may take this many under a sanitizer.
SLACK = {None: 1, "asan": 4, "tsan": 8}[SANITIZER]
DEADLINE_S = 10 * SLACK

REPORTS = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|runtime error:|Assertion .* failed")
LOGFMT = re.compile(r'([a-z_0-9]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)')


def until(condition, what="the condition", timeout=None):
    """Asks again and again until the answer is true; answers it."""
    end = time.monotonic() + (timeout or DEADLINE_S)
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)


def is_refused(address):
    """Nobody listens there, or stops just now: who is in the queue then is reset."""
    try:
        socket.create_connection(address, DEADLINE_S).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def unread(sock):
    """Bytes that were sent and lie at the other end of a connection on this host."""
    ends = tuple(f":{address[1]:04X}" for address in (sock.getpeername(), sock.getsockname()))
    for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]):
            return int(fields[4].split(":")[1], 16)
    raise AssertionError("there is no such connection")


def pattern(n, seed):
    """n random bytes, always the same ones for a seed."""
    import random
    return random.Random(seed).randbytes(n)


# --- configuration ---------------------------------------------------------------------------------------------------

def libconfig(value, indent=""):
    """A Python value in libconfig's syntax: dict is a group, list of dicts a list, other list an array."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [f"{inner}{key} = {libconfig(v, inner)};\n" for key, v in value.items()]
        return "{\n" + "".join(lines) + indent + "}"
    items = ", ".join(libconfig(v, inner) for v in value)
    return f"( {items} )" if value and isinstance(value[0], dict) else f"[ {items} ]"


def conf_text(groups):
    return "".join(f"{key} = {libconfig(value)};\n" for key, value in groups.items())


def address(to):
    return f"127.0.0.1:{to}" if isinstance(to, int) else to


def conf(to, *, listener=None, server=None, backend=None, log=None, **groups):
    """Listener "in" in front of backend "out" with servers "s0", "s1"... at `to`: ports or addresses. Unchecked and
    with two workers, unless said otherwise. Other groups are added as they are; "global_" stands for "global"."""
    servers = [{"name": f"s{n}", "address": address(at), **(server or {})}
               for n, at in enumerate(to if isinstance(to, list) else [to])]
    return {
        "global": {"workers": 2, "max_connections": 4000, "log": {"access": "end", **(log or {})},
                   **groups.pop("global_", {})},
        "listeners": [{"name": "in", "bind": "127.0.0.1:0", "protocol": "tcp", "backend": "out", **(listener or {})}],
        "backends": [{"name": "out", "servers": servers, "check": {"type": "none"}, **(backend or {})}],
        "admin": {"bind": "127.0.0.1:0", **groups.pop("admin", {})},
        **groups,
    }


def run(*arguments, **kwargs):
    """mqgate to its end: for what it says and how it exits."""
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False, env=environment(), **kwargs)


def environment():
    options = {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
        "TSAN_OPTIONS": "exitcode=99",
    }
    return {**os.environ, **{key: value for key, value in options.items() if key not in os.environ}}


# --- the process -----------------------------------------------------------------------------------------------------

def parse_line(line):
    if line.startswith("{"):
        return json.loads(line)
    fields, at = {}, 0
    while at < len(line):
        match = LOGFMT.match(line, at)
        assert match, f"not logfmt at byte {at}: {line!r}"
        key, value = match.groups()
        fields[key] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        at = match.end()
    return fields


def parse_tcplog_line(line):
    """HAProxy's texts are "text", mqgate's own events are what they are in logfmt."""
    event, _, fields = line.partition(" ")
    if re.fullmatch(r"[a-z_]+", event) and LOGFMT.match(fields):
        return parse_line(f"event={line}")
    return {"text": line}


class Log:
    """What a pipe brings, as parsed lines. pause() leaves the pipe unread, as a stuck log collector would."""

    def __init__(self, pipe, parse):
        self._parse = parse
        self.lines, self.raw = [], []
        self._ended = False
        self._changed = threading.Condition()
        self._reading = threading.Event()
        self._reading.set()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        rest = b""
        with pipe:
            while self._reading.wait() and (piece := os.read(pipe.fileno(), 65536)):
                *lines, rest = (rest + piece).split(b"\n")
                texts = [line.decode() for line in lines]
                parsed = [self._parse(text) for text in texts]
                with self._changed:
                    self.raw += texts
                    self.lines += parsed
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def pause(self):
        self._reading.clear()

    def resume(self):
        self._reading.set()

    def join(self):
        self.resume()
        self._thread.join(DEADLINE_S)

    def find(self, **fields):
        wanted = {key: str(value) for key, value in fields.items()}
        return [line for line in list(self.lines)
                if all(key in line and str(line[key]) == value for key, value in wanted.items())]

    def wait(self, count, timeout, fields):
        with self._changed:
            self._changed.wait_for(lambda: len(self.find(**fields)) >= count or self._ended, timeout)
        found = self.find(**fields)
        assert len(found) >= count, f"{len(found)} of {count} lines with {fields} in:\n" + "\n".join(self.raw[-50:])
        return found[count - 1]


class Gate:
    """A running mqgate. directory holds its configuration, standard error and, unless the configuration says otherwise
    (None: not written), control socket."""

    def __init__(self, configuration, directory, *, nofile=None, wait=True):
        directory.mkdir(parents=True, exist_ok=True)
        self.control_path = directory / "control"
        self.file = directory / "mqgate.conf"
        text = self.configure(configuration)
        self._errors = directory / "stderr"
        self._over = False

        def before():
            if nofile is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        with open(self._errors, "wb") as stderr:
            self.process = subprocess.Popen([BINARY, "-f", self.file], stdin=subprocess.DEVNULL, stderr=stderr,
                                            stdout=subprocess.PIPE, preexec_fn=before, env=environment())
        self.pid = self.process.pid
        self.log = Log(self.process.stdout, parse_tcplog_line if 'format = "tcplog"' in text else parse_line)
        if wait:
            try:
                self.wait_log(event="ready")
                self._wait_for_its_loop()
            except AssertionError as e:
                self.kill()
                raise AssertionError(f"mqgate did not start: {self.stderr()}\n{text}") from e

    def configure(self, configuration):
        """Writes the file, to be read at the start and by a reload."""
        if isinstance(configuration, dict):
            group = {"control_socket": str(self.control_path), **configuration.get("global", {})}
            configuration = {**configuration, "global": {k: v for k, v in group.items() if v is not None}}
        text = configuration if isinstance(configuration, str) else conf_text(configuration)
        self.file.write_text(text, encoding="utf-8")
        return text

    def reload(self, configuration):
        """Goes over to it; what the answer says beside that."""
        self.configure(configuration)
        answer = self.control("reload")
        assert answer.startswith("Reloaded.\n"), answer
        return answer.removeprefix("Reloaded.\n").strip()

    def _wait_for_its_loop(self):
        """GCC's ThreadSanitizer may lose a signal that comes between "ready" and the first turn of the loop; without it
        none is lost."""
        if SANITIZER == "tsan":
            waits_in = pathlib.Path(f"/proc/{self.pid}/wchan")
            until(lambda: "ep_poll" in waits_in.read_text() or "epoll" in waits_in.read_text(), "its loop to wait")

    # its log
    def wait_log(self, count=1, timeout=None, **fields):
        """The count-th line with these fields, awaited."""
        return self.log.wait(count, timeout or DEADLINE_S, fields)

    def wait_end(self, count=1, **fields):
        return self.wait_log(count, event="session_end", **fields)

    def logged(self, **fields):
        return self.log.find(**fields)

    def stderr(self):
        return self._errors.read_text(encoding="utf-8", errors="replace")

    @contextlib.contextmanager
    def standing_still(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            until(lambda: self.status("State")[0] == "T", "it to stand still")
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    # its ports
    def address(self, listener="in"):
        host, port = self.wait_log(event="listening", listener=listener)["addr"].rsplit(":", 1)
        return host, int(port)

    def port(self, listener="in"):
        return self.address(listener)[1]

    def connect(self, listener="in", source=None):
        return socket.create_connection(self.address(listener), DEADLINE_S, (source, 0) if source else None)

    def get(self, path, headers=None):
        """Status, headers and body of an answer of the admin port."""
        connection = http.client.HTTPConnection(*self.address("admin"), timeout=DEADLINE_S)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def health(self):
        return self.get("/haproxy_health")[0]

    def stats(self):
        status, _, body = self.get("/haproxy_stats;json;mqgate")
        assert status == 200
        return json.loads(body)

    def listener_stats(self, name="in"):
        return next(each for each in self.stats()["listeners"] if each["name"] == name)

    def server_stats(self, name="s0"):
        return next(each for backend in self.stats()["backends"] for each in backend["servers"]
                    if each["name"] == name)

    def control(self, *lines):
        """Whole answer to commands on the control socket, one connection for all; "prompt" is not for this."""
        with self.control_connect() as connection:
            connection.sendall("".join(line + "\n" for line in lines).encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer.decode()

    def control_connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_S)
        connection.connect(str(self.control_path))
        return connection

    # the process
    def proc(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}").read_text(encoding="ascii")

    def status(self, key):
        """The words of a line of /proc/PID/status."""
        return re.search(rf"^{key}:\s+(.*)$", self.proc("status"), re.M).group(1).split()

    def pss_kib(self, kind="Pss"):
        """Proportional set size. "Pss_Anon" leaves out files, whose share depends on who else has them open."""
        return int(re.search(rf"^{kind}:\s+(\d+)", self.proc("smaps_rollup"), re.M).group(1))

    def peak_kib(self):
        return int(self.status("VmHWM")[0])

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def descriptors(self):
        """Open descriptors by kind; sockets that only this very question opened are not among them."""
        kinds = collections.Counter()
        for entry in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                kinds[os.readlink(f"/proc/{self.pid}/fd/{entry}").split(":")[0]] += 1
            except FileNotFoundError:
                pass
        return kinds

    def cpu_s(self):
        fields = self.proc("stat").rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # its end
    def stop(self, number=signal.SIGQUIT):
        """Ends it at once, or as another signal has it, and asserts that it ended well: status 0, and nothing on standard
        error that a sanitizer wrote."""
        if not self._over:
            self.process.send_signal(number)
            self.expect_exit(0)

    def expect_exit(self, status):
        self.log.resume()
        try:
            found = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("mqgate does not end") from None
        self._over = True
        self.log.join()
        assert not REPORTS.search(self.stderr()), self.stderr()
        assert found == status, f"exit status {found}: {self.stderr()}"

    def kill(self):
        self._over = True
        self.log.resume()
        self.process.kill()
        self.process.wait()
        self.log.join()
