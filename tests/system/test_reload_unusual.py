"""Reload where it is less usual: links to certificates, silent DNS, addresses that change hands, impatient operators,
and clients in processes of their own while the configuration changes again and again."""
import contextlib
import csv
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest

from mqgate import BUILD, DEADLINE_S, SANITIZER, SLACK, conf, environment, until
from nameserver import A, NameServer
from pki import section
from servers import Echo, Greeter, ends, free_port, listens

LOAD = pathlib.Path(__file__).resolve().parent / "reload_load.py"


@pytest.fixture
def echo(serve):
    return serve(Echo)


def refuse(gate, configuration):
    """What is answered to a configuration that is not taken."""
    n = len(gate.logged(event="reload_failed"))
    gate.configure(configuration)
    answer = gate.control("reload")
    gate.wait_log(n + 1, event="reload_failed")
    return answer


def reload(gate, configuration):
    """What is answered to one that is taken."""
    n, failed = len(gate.logged(event="reloaded")), len(gate.logged(event="reload_failed"))
    gate.configure(configuration)
    answer = gate.control("reload")
    assert len(gate.logged(event="reload_failed")) == failed, answer
    gate.wait_log(n + 1, event="reloaded")
    return answer


def fixed(to, port=None, **options):
    """A configuration whose listener keeps its port when it is written anew."""
    listener = {"bind": f"127.0.0.1:{port or free_port()}", **options.pop("listener", {})}
    return conf(to, listener=listener, **options)


def with_listener(configuration, name, port, **options):
    listeners = [*configuration["listeners"], {**configuration["listeners"][0], "name": name,
                                               "bind": f"127.0.0.1:{port}", **options}]
    return {**configuration, "listeners": listeners}


def dial(port, source=None):
    return socket.create_connection(("127.0.0.1", port), DEADLINE_S, (source, 0) if source else None)


def port_of(configuration, at=0):
    return int(configuration["listeners"][at]["bind"].rsplit(":", 1)[1])


def says(client, text=b"hello"):
    client.sendall(text)
    heard = b""
    while len(heard) < len(text) and (piece := client.recv(100)):
        heard += piece
    return heard == text


def rows(gate):
    lines = gate.control("show stat").rstrip("\n").splitlines()
    return {(row["# pxname"], row["svname"]): row for row in csv.DictReader(lines)}


def info(gate):
    return dict(line.split(": ", 1) for line in gate.control("show info").splitlines() if line)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          stdin=subprocess.DEVNULL, env=environment())


def mqgatectl(gate):
    return run(BUILD / "src" / "mqgatectl", "-s", gate.control_path, "reload")


# --- how it is asked for ---------------------------------------------------------------------------------------------

def test_a_signal_the_socket_and_mqgatectl_ask_for_it(mqgate, echo):
    one = fixed(echo.port)
    gate = mqgate(one)
    ports = [free_port() for _ in range(3)]
    gate.configure(with_listener(one, "a", ports[0]))
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_log(event="reloaded")
    assert says(dial(ports[0]))
    reload(gate, with_listener(one, "b", ports[1]))
    assert says(dial(ports[1])) and not listens(ports[0])
    gate.configure(with_listener(one, "c", ports[2]))
    ctl = mqgatectl(gate)
    assert ctl.returncode == 0, ctl
    assert says(dial(ports[2])) and not listens(ports[1])
    gate.configure("nonsense = 1;\n")
    ctl = mqgatectl(gate)
    assert ctl.returncode != 0 and f"{gate.file}:1" in ctl.stdout + ctl.stderr
    assert says(dial(ports[2]))


def test_what_cannot_be_applied_is_said_to_wait(mqgate, echo):
    one = fixed(echo.port)
    gate = mqgate(one)
    n_threads = len(os.listdir(f"/proc/{gate.pid}/task"))
    for other in (3, 1):
        answer = reload(gate, {**one, "global": {**one["global"], "workers": other}})
        assert "workers" in answer and "upgrade" in answer
        assert len(os.listdir(f"/proc/{gate.pid}/task")) == n_threads
        for _ in range(20):
            with dial(port_of(one)) as client:
                assert says(client)
    assert "workers" not in reload(gate, one)


def test_one_at_a_time_and_whoever_asks_may_leave(mqgate, echo):
    one = fixed(echo.port)
    gate = mqgate(one)
    for _ in range(20):
        with gate.control_connect() as left, gate.control_connect() as other:
            left.sendall(b"reload\n")
            other.sendall(b"reload\n")
            gate.process.send_signal(signal.SIGHUP)
    with dial(port_of(one)) as client:
        assert says(client)
    gate.configure(with_listener(one, "last", port := free_port()))
    gate.process.send_signal(signal.SIGHUP)
    until(lambda: listens(port), "the last one asked for to be taken")


def test_it_may_be_stopped_in_the_middle(mqgate, echo):
    for n in range(10):
        one = fixed(echo.port)
        gate = mqgate(one)
        with dial(port_of(one)) as client:
            assert says(client)
            gate.configure(with_listener(one, "more", port := free_port()))
            gate.process.send_signal(signal.SIGHUP)
            if n % 2:
                until(lambda: listens(port), "it to begin")
            gate.stop()


def test_how_often_and_how_well_is_told(mqgate, echo):
    one = fixed(echo.port)
    gate = mqgate(one)

    def told():
        figures = info(gate)
        return figures["Reloads"], figures["FailedReloads"], figures["LastReload"]
    assert told() == ("0", "0", "never") and info(gate)["LastReload_sec"] == "0"
    reload(gate, one)
    assert told() == ("1", "0", "ok")
    assert abs(int(info(gate)["LastReload_sec"]) - time.time()) < DEADLINE_S
    refuse(gate, "")
    assert told() == ("1", "1", "failed")
    metrics = gate.get("/metrics")[2].decode()
    assert "\nmqgate_reloads_total 1\n" in metrics and "\nmqgate_reloads_failed_total 1\n" in metrics
    assert "\nmqgate_reload_last_failed 1\n" in metrics
    reload(gate, one)
    assert told() == ("2", "1", "ok")


# --- what fails changes nothing --------------------------------------------------------------------------------------

def test_a_file_that_is_gone_changes_nothing(mqgate, echo):
    one = fixed(echo.port)
    gate = mqgate(one)
    gate.file.unlink()
    assert str(gate.file) in gate.control("reload")
    with dial(port_of(one)) as client:
        assert says(client)


# --- listeners -------------------------------------------------------------------------------------------------------

def test_listeners_come_and_go_and_sessions_of_one_that_is_gone_stay(mqgate, echo):
    one = fixed(echo.port)
    two = with_listener(one, "second", free_port())
    gate = mqgate(two)
    with dial(port_of(two, 1)) as client:
        assert says(client)
        reload(gate, one)
        assert not listens(port_of(two, 1))
        assert says(client)
        assert " fe=second " in gate.control("show sess")
        assert info(gate)["CurrConns"] == "1"
    assert int(gate.wait_end(listener="second")["in"]) == 2 * len(b"hello")
    assert ("second", "FRONTEND") not in rows(gate)
    reload(gate, two)
    with dial(port_of(two, 1)) as client:
        assert says(client)


def test_two_listeners_swap_their_addresses(mqgate, serve):
    a, b = serve(Greeter, "a").port, serve(Greeter, "b").port
    one = fixed(a)
    other = [{"name": "s", "address": f"127.0.0.1:{b}"}]
    one["backends"].append({**one["backends"][0], "name": "other", "servers": other})
    one = with_listener(one, "second", free_port(), backend="other")
    gate = mqgate(one)
    swapped = {**one, "listeners": [{**one["listeners"][0], "bind": one["listeners"][1]["bind"]},
                                    {**one["listeners"][1], "bind": one["listeners"][0]["bind"]}]}
    reload(gate, swapped)
    for port, said in ((port_of(one), b"b"), (port_of(one, 1), b"a")):
        with dial(port) as client:
            assert client.recv(1) == said


def test_a_port_for_all_takes_up_admin(mqgate, echo):
    one = fixed(echo.port, admin={"bind": ""})
    gate = mqgate(one)
    auto = {"protocol": "auto", "backends": {"mqtt": "out"}, "admin": True}
    listener = {key: value for key, value in one["listeners"][0].items() if key != "backend"}
    mux = {**one, "listeners": [{**listener, **auto}]}
    for _ in range(3):
        reload(gate, mux)
        with dial(port_of(one)) as client:
            client.sendall(b"GET /haproxy_health HTTP/1.0\r\n\r\n")
            assert b" 200 " in ends(client)[1].splitlines()[0]
        reload(gate, one)
        with dial(port_of(one)) as client:
            assert says(client)


# --- certificates ----------------------------------------------------------------------------------------------------

def serial(port, pki):
    """The certificate that is shown there."""
    trust = ssl.create_default_context(cafile=pki.ca)
    trust.check_hostname = False
    with trust.wrap_socket(dial(port)) as client:
        return client.getpeercert()["serialNumber"]


@pytest.fixture
def renewed(pki, tmp_path):
    """A certificate behind a symbolic link, as Nomad and others keep them; renew() puts another one there at once."""
    class Renewed:
        def __init__(self):
            self._n = 0
            self.renew()
            self.section = {"name": "edge", "certificates": [{"chain": str(tmp_path / "now" / "chain.pem"),
                                                              "key": str(tmp_path / "now" / "key.pem")}]}

        def renew(self):
            self._n += 1
            leaf = pki.leaf(f"renewed{self._n}.test")
            directory = tmp_path / f"v{self._n}"
            directory.mkdir()
            (directory / "chain.pem").write_bytes(pathlib.Path(leaf.chain).read_bytes())
            (directory / "key.pem").write_bytes(pathlib.Path(leaf.key).read_bytes())
            (directory / "key.pem").chmod(0o600)
            (tmp_path / "next").symlink_to(directory)
            (tmp_path / "next").rename(tmp_path / "now")
    return Renewed()


def test_reload_tls_takes_new_certificates_and_nothing_else(mqgate, echo, pki, renewed):
    one = fixed(echo.port, listener={"tls": "edge"}, tls=[renewed.section])
    gate = mqgate(one)
    before = serial(port_of(one), pki)
    trust = ssl.create_default_context(cafile=pki.ca)
    trust.check_hostname = False
    with trust.wrap_socket(dial(port_of(one))) as client:
        assert says(client)
        gate.configure("nonsense = 1;\n")
        renewed.renew()
        gate.control("reload tls")
        until(lambda: serial(port_of(one), pki) != before, "the new certificate")
        assert says(client)


def test_certificates_that_change_on_disk_are_noticed(mqgate, echo, pki, renewed):
    one = fixed(echo.port, listener={"tls": "edge"}, tls=[renewed.section])
    gate = mqgate(one)
    for _ in range(2):
        before = serial(port_of(one), pki)
        renewed.renew()
        until(lambda: serial(port_of(one), pki) != before, "the new certificate", 30 * SLACK)


# --- servers ---------------------------------------------------------------------------------------------------------

def test_servers_come_and_go_and_sessions_of_one_that_is_gone_stay(mqgate, serve):
    a, b = serve(Greeter, "a"), serve(Greeter, "b")
    one = fixed([a.port])
    gate = mqgate(one)
    with dial(port_of(one)) as client:
        assert client.recv(1) == b"a"
        other = fixed([b.port], port_of(one))
        other["backends"][0]["servers"][0]["name"] = "other"
        reload(gate, other)
        with dial(port_of(one)) as new:
            assert new.recv(1) == b"b"
        assert " srv=s0 " in gate.control("show sess")
    assert gate.wait_end(server="s0")["backend"] == "out"
    assert ("out", "s0") not in rows(gate)


def test_what_dns_said_stays_while_it_is_silent(mqgate, serve):
    names, port = serve(NameServer), free_port()
    serve(Greeter, "a", host="127.0.0.2", port=port)
    names.set("broker.test", A, "127.0.0.2")
    one = fixed([f"broker.test:{port}"], resolver={"servers": [names.address], "hold": "1s"})
    gate = mqgate(one)

    def who():
        with dial(port_of(one)) as client:
            return client.recv(1)
    until(lambda: who() == b"a", "its first answer")
    names.mode = "silence"
    for n in range(3):
        reload(gate, {**one, "timeouts": {"idle": f"{n + 2}h"}})
        assert who() == b"a"


# --- sources, counters, rates ----------------------------------------------------------------------------------------

def test_who_waits_for_a_pace_goes_on_when_there_is_none_any_more(mqgate, echo):
    one = fixed(echo.port, listener={"rate_limit": 1}, timeouts={"queue": "1h"})
    gate = mqgate(one)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(dial(port_of(one))) for _ in range(30)]
        for client in clients:
            client.sendall(b"x")
        reload(gate, fixed(echo.port, port_of(one)))
        for client in clients:
            assert client.recv(1) == b"x"


# --- log, admin ------------------------------------------------------------------------------------------------------

def test_timeouts_are_those_that_a_session_began_with(mqgate, echo):
    one = fixed(echo.port)
    gate = mqgate(one)
    with dial(port_of(one)) as old:
        assert says(old)
        reload(gate, {**one, "timeouts": {"idle": "500ms"}})
        with dial(port_of(one)) as new:
            assert says(new)
            assert ends(new) == ("eof", b"")
        assert gate.wait_end()["why"] == "idle_timeout"
        assert says(old)


# --- under load ------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def loading(*arguments):
    process = subprocess.Popen([sys.executable, "-B", LOAD, *map(str, arguments)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()


def outcome(process):
    process.stdin.close()
    return json.loads(process.stdout.readlines()[-1])


def variation(base, n, extra, leaf):
    """Another configuration for each n; what stays is the port that all come to. extra: two other ports."""
    kept = {**base["listeners"][0], "name": ("in", "other")[n // 3 % 2], "max_connections": (0, 50000)[n % 2],
            "timeouts": {"idle": f"{1 + n % 5}h", "connect": f"{3 + n % 4}s"}}
    plain = {**kept, "name": f"extra{n % 4}", "bind": f"127.0.0.1:{extra[n // 2 % 2]}"}
    secure = {**kept, "name": "secure", "bind": f"127.0.0.1:{extra[1 - n // 2 % 2]}", "tls": "edge"}
    backend = base["backends"][0]
    server = {**backend["servers"][0], "weight": 1 + n % 100, "max_connections": (0, 30000)[n % 2]}
    servers = [server, {**server, "name": f"twin{n % 3}"}][:1 + n % 2]
    check = {"type": ("none", "tcp")[n // 5 % 2], "interval": f"{1 + n % 3}s"}
    return {**base, "tls": [section("edge", leaf)],
            "global": {**base["global"], "max_connections": 9000 + n % 7,
                       "log": {"access": "off", "level": ("info", "debug")[n % 2]}},
            "listeners": [kept, plain, secure][:2 + n % 2],
            "backends": [{**backend, "servers": servers, "check": check,
                          "balance": ("leastconn", "roundrobin", "local-first")[n % 3]}]}


@pytest.mark.limit(180)
def test_nobody_is_lost_while_the_configuration_changes_again_and_again(mqgate, pki, record_property):
    """With MQGATE_LONG in the environment as long and as hard as it was promised: 200 reloads in 60 seconds, 2,000
    connections a second, and 5,000 that stay."""
    long = "MQGATE_LONG" in os.environ
    times, seconds, rate, n_held, messages = (200, 60, 2000, 5000, 1000) if long else (30, 8, 300 // SLACK, 300, 300)
    leaf, extra = pki.leaf("one.test"), (free_port(), free_port())
    took_ms, pss_kib = [], []
    with loading("echo") as server:
        base = fixed(int(server.stdout.readline()), global_={"max_connections": 9000})
        gate = mqgate(variation(base, 0, extra, leaf))
        before = gate.descriptors()
        with loading("hold", port_of(base), n_held, messages) as holders:
            assert holders.stdout.readline() == "held\n"
            with loading("come", port_of(base), rate) as comers:
                begun = time.monotonic()
                for n in range(1, times + 1):
                    gate.configure(variation(base, n, extra, leaf))
                    asked = time.monotonic()
                    answer = gate.control("reload")
                    took_ms.append((time.monotonic() - asked) * 1e3)
                    assert not gate.logged(event="reload_failed"), answer
                    if n % 5 == 0:
                        assert gate.control("show servers state", "show sess", "show table", "show tls")
                        assert gate.stats()["listeners"]
                    if n in (times // 5, times):
                        pss_kib.append(gate.pss_kib("Pss_Anon"))
                    time.sleep(max(0.0, begun + n * seconds / times - time.monotonic()))
                whole_s = time.monotonic() - begun
                came = outcome(comers)
            stayed = outcome(holders)
        reload(gate, variation(base, 0, extra, leaf))
        until(lambda: gate.descriptors() == before, "the descriptors of before")
    figures = {"came": came, "stayed": stayed, "pss_kib": pss_kib, "seconds": round(whole_s, 1),
               "reload_ms": [round(sorted(took_ms)[times // 2], 1), round(max(took_ms), 1)]}
    record_property("reload", figures)
    print(json.dumps(figures))
    assert set(came["fates"]) == {"served"} and came["fates"]["served"] == came["begun"], came
    assert (stayed["left"], stayed["heard"], stayed["faults"]) == (n_held, stayed["sent"], {}), stayed
    early, late = pss_kib
    assert SANITIZER or late < early * 1.05 + 1024, pss_kib
    assert int(info(gate)["Pid"]) == gate.pid
