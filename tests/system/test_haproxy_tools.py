"""Tools written for HAProxy, as they are, on a live gate."""
import re
import subprocess
import threading

import pytest

from mqgate import conf, until
from servers import Echo, Greeter, Process, free_port, listens
from test_metrics import scrape_of


@pytest.fixture
def gate(mqgate, serve):
    check = {"type": "tcp", "interval": "100ms"}
    return mqgate(conf([serve(Greeter, "a").port, serve(Greeter, "b").port], backend={"check": check}))


# --- hatop -----------------------------------------------------------------------------------------------------------

class Screen:
    """A terminal program in tmux."""

    def __init__(self, directory, *command):
        self._at = str(directory / "tmux")
        self._run("-f", "/dev/null", "new-session", "-d", "-s", "it", "-x", "120", "-y", "30",
                  " ".join(map(str, command)) + f"; echo exit status $? >{directory / 'status'}")

    def _run(self, *arguments):
        return subprocess.run(["tmux", "-S", self._at, *arguments], capture_output=True, text=True, check=False).stdout

    def text(self):
        return self._run("capture-pane", "-p", "-t", "it")

    def selected(self):
        """The first word of the line of figures that is shown in reverse."""
        found = re.search(r"^(?:\x1b\[[\d;]*m)*\x1b\[(?:0;)?7m([\w-]+) +\d", self.colours(), re.M)
        return found.group(1) if found else None

    def colours(self):
        return self._run("capture-pane", "-e", "-p", "-t", "it")

    def press(self, *keys):
        self._run("send-keys", "-t", "it", *keys)

    def stop(self):
        self._run("kill-server")


@pytest.fixture
def screen(tmp_path):
    screens = []

    def start(*command):
        screens.append(Screen(tmp_path, *command))
        return screens[-1]

    yield start
    for each in screens:
        each.stop()


def test_hatop_shows_every_proxy_and_takes_a_server_out_and_back(gate, screen, tmp_path):
    until(lambda: gate.server_stats()["state"] == "UP", "the check")
    hatop = screen("hatop", "-i", "1", "-s", gate.control_path)
    until(lambda: "out" in hatop.text() and "s0" in hatop.text() and "admin" in hatop.text(), "hatop's table", 30)
    shown = hatop.text()
    assert re.search(r"HATop version [\d.]+", shown) and "Traceback" not in shown and "garbage" not in shown
    for name in ("FRONTEND", "BACKEND", "s0", "s1", "in"):
        assert name in shown
    lines = shown.splitlines()
    first = next(n for n, text in enumerate(lines) if text.startswith(">>> "))  # the cursor is there at first
    hatop.press(*["Down"] * (next(n for n, text in enumerate(lines) if text.startswith("s0 ")) - first))
    until(lambda: hatop.selected() == "s0", "the cursor to come to s0", 30)
    hatop.press("F10")
    until(lambda: ",MAINT," in gate.control("show stat out 4 1"), "s0 to be disabled", 20)
    until(lambda: "MAINT" in hatop.text(), "hatop to show it", 20)
    hatop.press("F9")
    until(lambda: ",UP," in gate.control("show stat out 4 1"), "s0 to be enabled", 20)
    hatop.press("q")
    until(lambda: (tmp_path / "status").exists() and (tmp_path / "status").stat().st_size, "hatop to quit", 20)
    assert (tmp_path / "status").read_text(encoding="ascii") == "exit status 0\n"


# --- prometheus-haproxy-exporter -------------------------------------------------------------------------------------

class Exporter(Process):
    def __init__(self, directory, uri):
        super().__init__(directory)
        self.port = free_port()
        self._spawn("prometheus-haproxy-exporter", f"--haproxy.scrape-uri={uri}",
                    f"--web.listen-address=127.0.0.1:{self.port}")
        self._await(lambda: listens(self.port), "prometheus-haproxy-exporter", 20)


@pytest.mark.parametrize("way", ["http", "socket"])
def test_the_exporter_finds_every_proxy_and_no_fault(gate, serve, tmp_path, way):
    host, port = gate.address("admin")
    uri = f"http://{host}:{port}/haproxy_stats;csv" if way == "http" else f"unix:{gate.control_path}"
    directory = tmp_path / "exporter"
    directory.mkdir()
    exporter = serve(Exporter, directory, uri)
    until(lambda: gate.server_stats()["state"] == "UP", "the check")
    found = scrape_of(exporter.port)
    assert found["haproxy_up"] == 1 and found["haproxy_exporter_csv_parse_failures_total"] == 0
    assert found['haproxy_server_up{backend="out",server="s0"}'] == found['haproxy_backend_up{backend="out"}'] == 1
    assert {key for key in found if key.startswith("haproxy_frontend_current_sessions{")} == {
        'haproxy_frontend_current_sessions{frontend="in"}', 'haproxy_frontend_current_sessions{frontend="admin"}'}
    if way == "socket":
        assert any(key.startswith("haproxy_version_info{") for key in found)
    gate.control("disable server out/s0")
    assert scrape_of(exporter.port)['haproxy_server_up{backend="out",server="s0"}'] == 0
    assert "level=error" not in exporter.log()


# --- a parser that counts, as telegraf's does ------------------------------------------------------------------------

def count_faults(text):
    """Telegraf's rules: the header begins with "# ", every line has as many fields, types are below 4."""
    lines = text.rstrip("\n").split("\n")
    assert lines[0].startswith("# ")
    columns = lines[0][2:].split(",")
    for line in filter(None, lines[1:]):
        fields = line.split(",")
        assert len(fields) == len(columns), line
        row = dict(zip(columns, fields))
        assert int(row["type"]) < 4
        for name in ("scur", "stot", "bin", "bout", "rate", "iid", "sid", "pid"):
            assert row[name] == "" or int(row[name]) >= 0
    return len(lines) - 1


def test_a_parser_that_counts_commas_finds_no_fault_under_load(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port, backend={"check": {"type": "tcp", "interval": "20ms"}}))
    stop = threading.Event()

    def load():
        while not stop.is_set():
            with gate.connect() as client:
                client.sendall(b"x" * 1000)
                client.recv(10)

    workers = [threading.Thread(target=load) for _ in range(4)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(100):
            assert count_faults(gate.control("show stat")) >= 5
            assert count_faults(gate.get("/haproxy_stats/;csv")[2].decode()) >= 5
    finally:
        stop.set()
        for worker in workers:
            worker.join()
