"""Runtime commands that show and change what the gate does, asked over the control socket."""
import contextlib
import csv
import re
import socket
import ssl
import time

import pytest

from mqgate import conf, is_refused, until
from mqttproto import connect_of
from servers import Echo, Greeter, Listener, ends


def rows(gate, command="show stat"):
    """The lines of a CSV answer as dictionaries, by (proxy, name)."""
    lines = gate.control(command).rstrip("\n").splitlines()
    assert lines[0].startswith("# pxname,svname,")
    return {(row["# pxname"], row["svname"]): row for row in csv.DictReader(lines)}


def info(gate):
    return dict(line.split(": ", 1) for line in gate.control("show info").splitlines() if line)


def sessions(gate, command="show sess"):
    """Session lines: id and the words behind it."""
    found = {}
    for line in gate.control(command).splitlines():
        if match := re.match(r"(0x[0-9a-f]{16}): (.*)$", line):
            found[match.group(1)] = dict(word.split("=", 1) for word in match.group(2).split(" ") if "=" in word)
    return found


@contextlib.contextmanager
def held(gate, n=1, listener="in", text=b"hello"):
    """n sessions that have said something and heard it back."""
    def delivered():
        return int(rows(gate)[listener, "FRONTEND"]["resbout"])

    before = delivered()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect(listener)) for _ in range(n)]
        for client in clients:
            client.sendall(text)
            assert client.recv(100) == text
        until(lambda: delivered() == before + n * len(text), "it to be counted, which comes behind the writing")
        yield clients


# --- figures ---------------------------------------------------------------------------------------------------------

def test_every_figure_of_a_living_session_is_there_at_once(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 3, text=b"12345"):
        found = rows(gate)
        front, bind = found["in", "FRONTEND"], found["in", "sock-1"]
        back, server = found["out", "BACKEND"], found["out", "s0"]
        assert [row["type"] for row in (front, bind, back, server)] == ["0", "3", "1", "2"]
        for row in (front, bind, back, server):
            assert (row["scur"], row["smax"], row["stot"]) == ("3", "3", "3"), row
            for column in ("bin", "bout", "reqbin", "reqbout", "resbin", "resbout"):
                assert row[column] == "15", (row["svname"], column)
        assert (front["conn_tot"], front["status"], front["mode"]) == ("3", "OPEN", "tcp")
        assert (back["lbtot"], back["connect"], back["status"], back["act"]) == ("3", "3", "UP", "1")
        assert (server["status"], server["used_conn_cur"], server["lastsess"]) == ("no check", "3", "0")
        assert front["iid"] == bind["iid"] != back["iid"] == server["iid"]
        assert int(info(gate)["CurrConns"]) == 3 and int(info(gate)["CumConns"]) == 3
    until(lambda: rows(gate)["in", "FRONTEND"]["scur"] == "0", "the sessions to end")
    found = rows(gate)
    assert (found["in", "FRONTEND"]["smax"], found["out", "s0"]["scur"], found["out", "s0"]["smax"]) == ("3", "0", "3")


def test_refused_and_broken_sessions_are_counted_where_haproxy_counts_them(mqgate, serve):
    server = serve(Listener)
    gate = mqgate(conf(server.port))
    with gate.connect() as client:
        client.sendall(b"hello")
        at_server = server.accept()
        assert at_server.recv(10) == b"hello"
        at_server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        at_server.close()
        assert ends(client)[1] == b""
    until(lambda: rows(gate)["out", "s0"]["srv_abrt"] == "1", "the abort to be counted")
    server.close()
    with gate.connect() as client:
        ends(client)
    until(lambda: int(rows(gate)["out", "BACKEND"]["econ"]) == 3, "three failed connects")
    found = rows(gate)
    assert (found["out", "s0"]["eresp"], found["out", "BACKEND"]["eresp"]) == ("1", "1")
    assert (found["out", "BACKEND"]["wretr"], found["out", "BACKEND"]["wredis"]) == ("2", "0")
    assert found["out", "BACKEND"]["stot"] == "2" and found["in", "FRONTEND"]["mqgate_no_server"] == "1"


def test_a_retry_on_another_server_is_a_redispatch(mqgate, serve):
    dead = serve(Listener)
    dead.close()
    gate = mqgate(conf([dead.port, serve(Greeter, "b").port]))
    with gate.connect() as client:
        assert client.recv(1) == b"b"
        found = rows(gate)
        assert (found["out", "s0"]["econ"], found["out", "s0"]["lbtot"]) == ("1", "1")
        assert (found["out", "s1"]["wretr"], found["out", "s1"]["wredis"], found["out", "s1"]["scur"]) == ("1", "1", "1")
        assert (found["out", "BACKEND"]["lbtot"], found["out", "BACKEND"]["wredis"]) == ("2", "1")


def test_rates_have_peaks_and_fade(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 20):
        assert 1 <= int(rows(gate)["in", "FRONTEND"]["rate_max"]) <= 20
        assert int(info(gate)["MaxConnRate"]) >= 1
    until(lambda: rows(gate)["in", "FRONTEND"]["rate"] == "0", "the rate to fade")
    assert int(rows(gate)["in", "FRONTEND"]["conn_rate_max"]) >= 1


def test_clear_counters_forgets_maxima_and_with_all_everything(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 2) as clients:
        clients.pop().close()
        until(lambda: rows(gate)["in", "FRONTEND"]["scur"] == "1", "one to end")
        assert gate.control("clear counters") == "\n"
        row = rows(gate)["in", "FRONTEND"]
        assert (row["smax"], row["stot"], row["bin"]) == ("1", "2", "10")
        assert gate.control("clear counters all") == "\n"
        row = rows(gate)["in", "FRONTEND"]
        assert (row["scur"], row["smax"], row["stot"], row["bin"], row["conn_tot"]) == ("1", "1", "0", "0", "0")
        assert rows(gate)["out", "s0"]["lbtot"] == "0"
        assert int(info(gate)["CumConns"]) == 2


def test_show_stat_takes_haproxy_s_filters(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    names = {key for key in rows(gate) if key[0] != "admin"}
    assert names == {("in", "FRONTEND"), ("in", "sock-1"), ("out", "s0"), ("out", "BACKEND")}
    iid = rows(gate)["out", "BACKEND"]["iid"]
    assert set(rows(gate, f"show stat {iid} -1 -1")) == {("out", "s0"), ("out", "BACKEND")}
    assert set(rows(gate, "show stat out 4 -1")) == {("out", "s0")}
    assert set(rows(gate, "show stat -1 8 -1")) == {("in", "sock-1")}
    assert set(rows(gate, "show stat in 3 -1")) == {("in", "FRONTEND")}
    assert set(rows(gate, "show stat -1 4 1")) == {("out", "s0")}
    for nobody in ("show stat nobody 1 -1", "show stat 0 -1 -1", "show stat 99 -1 -1"):
        assert gate.control(nobody) == "No such proxy.\n\n"
    assert gate.control("disable server out/s0") == "\n"
    assert ("out", "s0") not in rows(gate, "show stat up") and ("out", "s0") not in rows(gate, "show stat no-maint")
    assert rows(gate, "show stat up")["out", "BACKEND"]["status"] == "DOWN (0/1)"


def test_typed_and_json_say_what_the_csv_says(mqgate, serve):
    import json
    gate = mqgate(conf(serve(Echo).port))
    with held(gate):
        row = rows(gate)["out", "s0"]
        typed = {}
        for line in gate.control("show stat typed").splitlines():
            if match := re.match(r"S\.\d+\.\d+\.\d+\.(\w+)\.1:[A-Za-z]{4}:(?:str|[su](?:32|64)):(.*)$", line):
                typed[match.group(1)] = match.group(2)
        objects = json.loads(gate.control("show stat json"))
        server = next(each for each in objects if each[0]["objType"] == "Server")
        by_json = {field["field"]["name"]: str(field["value"]["value"]) for field in server}
        filled = {key.removeprefix("# "): value for key, value in row.items() if value not in ("", None) and key != "-"}
        moving = {"lastsess", "lastchg", "rate", "qtime", "ctime"}
        assert {k: v for k, v in filled.items() if k not in moving} == {
            k: v for k, v in typed.items() if k not in moving and v != ""}
        assert set(by_json) == set(typed)
    assert json.loads(gate.control("show info json"))[0]["value"]["value"] == "mqgate"
    assert "2.Release_date.1:POSV:str:" in gate.control("show info typed")
    assert json.loads(gate.control("show schema json"))["oneOf"]


# --- sessions --------------------------------------------------------------------------------------------------------

def test_sessions_are_listed_filtered_and_killed(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 3) as clients:
        found = sessions(gate)
        assert len(found) == 3
        source = "127.0.0.1:%d" % clients[0].getsockname()[1]
        ident, words = next(item for item in found.items() if item[1]["src"] == source)
        assert (words["proto"], words["fe"], words["be"], words["srv"]) == ("tcpv4", "in", "out", "s0")
        assert (words["state"], words["in"], words["out"]) == ("relay", "5", "5")
        whole = gate.control(f"show sess {ident}")
        assert "to_server: bytes=5" in whole and f"peer={source}" in whole
        assert len(sessions(gate, "show sess all")) == 3
        assert len(sessions(gate, "show sess server out/s0")) == 3
        assert len(sessions(gate, "show sess frontend in")) == 3
        assert len(sessions(gate, "show sess backend out")) == 3
        assert len(sessions(gate, "show sess older 1h")) == 0
        assert gate.control(f"shutdown session {ident}") == "\n"
        assert ends(clients[0])[0] == "eof"
        assert gate.wait_end(why="killed")["client"] == source
        assert gate.control("shutdown sessions server out/s0") == "\n"
        gate.wait_end(3, why="killed")
        assert sessions(gate) == {}
        assert rows(gate)["out", "s0"]["scur"] == "0"


@pytest.mark.parametrize("command, answer", [
    ("show sess 0x1234", "Session not found."),
    ("shutdown session 0x1234", "No such session (use 'show sess')."),
    ("shutdown session", "Session pointer expected (use 'show sess')."),
    ("shutdown session -1", "Session pointer expected (use 'show sess')."),
    ("shutdown sessions server out/s9", "No such server."),
    ("shutdown sessions server nobody/s0", "No such backend."),
    ("shutdown sessions server", "Require 'backend/server'."),
    ("show sess older x", "A minimum age is expected, such as 90s or 2h."),
    ("set weight out/s0 300", "Absolute weight can only be between 0 and 256 inclusive."),
    ("set weight out/s0", "Require <weight> or <weight%>."),
    ("set weight out 3", "Require 'backend/server'."),
    ("set weight x/y 3", "No such backend."),
    ("get weight out/s9", "No such server."),
    ("set server out/s0 state foo", "'set server <srv> state' expects 'ready', 'drain' and 'maint'."),
    ("set server out/s0 health foo", "'set server <srv> health' expects 'up', 'stopping', or 'down'."),
    ("set server out/s0 agent up", "agent checks are not enabled on this server."),
    ("set server out/s0 addr", "set server <b>/<s> addr requires an address and optionally a port."),
    ("set server out/s0 addr foo", "Invalid addr 'foo' by 'stats socket command'"),
    ("enable health out/s0", "Health check was not configured on this server, cannot enable."),
    ("set maxconn server out/s0 x", "maxconn string empty or preceded by garbage"),
    ("set maxconn frontend in", "Integer value expected."),
    ("set maxconn frontend", "A frontend name is expected."),
    ("set maxconn global 4001", "Value out of range."),
    ("set rate-limit sessions global", "Expects an integer value."),
    ("enable frontend in", "All sockets are already enabled."),
    ("shutdown frontend nobody", "No such frontend."),
    ("show servers state nobody", "Can't find backend."),
])
def test_what_cannot_be_done_is_told_in_haproxy_s_words(mqgate, command, answer):
    gate = mqgate(conf(1883))
    assert gate.control(command) == answer + "\n\n"


# --- servers ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def two_greeters(serve):
    return serve(Greeter, "a"), serve(Greeter, "b")


def who(gate):
    with gate.connect() as client:
        return client.recv(1)


def test_a_server_in_maintenance_or_drained_gets_no_new_session_and_keeps_its_old(mqgate, two_greeters):
    gate = mqgate(conf([each.port for each in two_greeters]))
    with gate.connect() as old:
        assert old.recv(1) == b"a"
        for out, status in (("disable server out/s0", "MAINT"), ("set server out/s0 state drain", "DRAIN"),
                            ("set server out/s0 state maint", "MAINT"), ("set weight out/s0 0", "DRAIN")):
            assert gate.control(out) == "\n"
            assert rows(gate)["out", "s0"]["status"] == status
            assert who(gate) == b"b"
            assert sessions(gate, "show sess server out/s0") and rows(gate)["out", "BACKEND"]["act"] == "1"
            gate.control("enable server out/s0;set weight out/s0 100%")
            assert rows(gate)["out", "s0"]["status"] == "no check"
            assert who(gate) == b"a"
        assert gate.control("get weight out/s0") == "100 (initial 100)\n\n"
    assert [line["action"] for line in gate.logged(event="server_admin")][:3] == ["maint", "ready", "drain"]


def test_when_no_server_takes_sessions_health_says_so(mqgate, two_greeters):
    gate = mqgate(conf([each.port for each in two_greeters]))
    assert gate.health() == 200
    gate.control("disable server out/s0;set server out/s1 state drain")
    assert gate.health() == 503 and rows(gate)["out", "BACKEND"]["status"] == "DOWN"
    gate.control("enable server out/s1")
    assert gate.health() == 200


def test_checks_can_be_turned_off_and_their_verdict_be_set(mqgate, serve):
    server = serve(Echo)
    check = {"type": "tcp", "interval": "50ms", "fast_interval": "20ms", "fall": 2, "rise": 2}
    gate = mqgate(conf(server.port, backend={"check": check}))
    until(lambda: rows(gate)["out", "s0"]["status"] == "UP", "the check to pass")
    gate.control("disable health out/s0")
    assert rows(gate)["out", "s0"]["status"] == "no check" and rows(gate)["out", "s0"]["check_status"] == ""
    server.kill()
    checks = gate.server_stats()["check"]["checks"]
    gate.control("set server out/s0 health down")
    assert rows(gate)["out", "s0"]["status"] == "DOWN"
    gate.control("set server out/s0 health up")
    assert gate.health() == 200 and gate.server_stats()["check"]["checks"] == checks
    gate.control("enable health out/s0")
    until(lambda: rows(gate)["out", "s0"]["status"] == "DOWN", "the check to find it dead")
    state = gate.control("show servers state out").splitlines()
    assert state[0] == "1" and state[1].startswith("# be_id be_name srv_id srv_name srv_addr srv_op_state ")
    fields = dict(zip(state[1][2:].split(), state[2].split()))
    assert (fields["srv_name"], fields["srv_op_state"], fields["srv_admin_state"], fields["srv_check_result"]) == (
        "s0", "0", "0", "2")
    gate.control("disable server out/s0")
    row = rows(gate)["out", "s0"]
    assert (row["status"], row["check_status"], row["check_health"]) == ("MAINT", "", "")
    server.revive()
    gate.control("enable server out/s0")
    until(lambda: rows(gate)["out", "s0"]["status"] == "UP", "the server to come back")


def test_a_server_s_address_changes_for_new_sessions_and_checks(mqgate, two_greeters):
    here, there = two_greeters
    check = {"type": "tcp", "interval": "50ms", "fast_interval": "20ms"}
    gate = mqgate(conf(here.port, backend={"check": check}))
    with gate.connect() as old:
        assert old.recv(1) == b"a"
        answer = gate.control(f"set server out/s0 addr 127.0.0.1 port {there.port}")
        assert answer == (f"IP changed from '127.0.0.1' to '127.0.0.1', port changed from '{here.port}' to "
                          f"'{there.port}' by 'stats socket command'\n\n")
        assert who(gate) == b"b"
        assert rows(gate)["out", "s0"]["addr"] == f"127.0.0.1:{there.port}"
        here.kill()
        until(lambda: int(gate.server_stats()["check"]["checks"]) > 5, "checks at the new address")
        assert rows(gate)["out", "s0"]["status"] == "UP"


def test_a_server_s_limit_changes_and_those_who_wait_hear_of_it(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port, server={"max_connections": 1}))
    with held(gate), gate.connect() as waiting:
        waiting.sendall(b"hello")
        until(lambda: rows(gate)["out", "BACKEND"]["qcur"] == "1", "the second to wait")
        assert rows(gate)["out", "s0"]["slim"] == "1"
        assert gate.control("set maxconn server out/s0 2") == "\n"
        assert waiting.recv(10) == b"hello"
        row = rows(gate)["out", "BACKEND"]
        assert (row["qcur"], row["qmax"]) == ("0", "1") and int(row["qtime_max"]) >= 0


# --- listeners -------------------------------------------------------------------------------------------------------

def test_a_frontend_is_disabled_enabled_and_shut_down(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate) as (old,):
        assert gate.control("disable frontend in") == "\n"
        assert rows(gate)["in", "FRONTEND"]["status"] == "PAUSED"
        until(lambda: is_refused(gate.address("in")), "connections to be refused")
        old.sendall(b"still here")
        assert old.recv(100) == b"still here"
        assert gate.control("disable frontend in") == "All sockets are already disabled.\n\n"
        assert gate.control("enable frontend in") == "\n"
        until(lambda: not is_refused(gate.address("in")), "connections to be taken")
        with held(gate):
            pass
        assert gate.control("shutdown frontend in") == "\n"
        assert rows(gate)["in", "FRONTEND"]["status"] == "STOP"
        until(lambda: is_refused(gate.address("in")), "the port to be closed")
        assert gate.control("enable frontend in") == "Frontend was previously shut down, cannot enable.\n\n"
        old.sendall(b"still here")
        assert old.recv(100) == b"still here"
    gate.wait_log(3, event="listener_state")
    assert [line["state"] for line in gate.logged(event="listener_state")] == ["paused", "open", "stopped"]


def test_limits_of_connections_change(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 2):
        gate.control("set maxconn frontend in 2")
        assert rows(gate)["in", "FRONTEND"]["slim"] == "2" and rows(gate)["in", "sock-1"]["status"] == "FULL"
        with contextlib.suppress(ConnectionResetError), gate.connect() as refused:
            assert ends(refused)[0] == "reset"
        gate.control("set maxconn frontend in 0;set maxconn global 2")
        assert info(gate)["Maxconn"] == "2" and info(gate)["Hard_maxconn"] == "4000"
        with gate.connect() as waiting:
            waiting.sendall(b"hello")
            until(lambda: info(gate)["MaxconnReached"] != "0", "accepting to pause")
            assert gate.control("set maxconn global 3") == "\n"
            assert waiting.recv(10) == b"hello"


@pytest.mark.parametrize("what", ["connections", "sessions", "ssl-sessions"])
def test_a_rate_limit_paces_what_is_accepted(mqgate, serve, pki, what):
    files = pki.leaf("localhost")
    tls = [{"name": "edge", "certificates": [{"chain": files.chain, "key": files.key}]}]
    gate = mqgate(conf(serve(Echo).port, listener={"tls": "edge"}, tls=tls))
    key = {"connections": "ConnRateLimit", "sessions": "SessRateLimit", "ssl-sessions": "SslRateLimit"}[what]
    assert gate.control(f"set rate-limit {what} global 5") == "\n"
    assert info(gate)[key] == "5"
    context = ssl.create_default_context(cafile=pki.ca)
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        for n in range(12):
            client = context.wrap_socket(gate.connect(), server_hostname="localhost")
            stack.enter_context(client)
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
        assert time.monotonic() - begun > 0.9  # 12 at 5 a second, the first few at once
        assert gate.stats()["accept_pauses_rate"] >= 1
        assert int(info(gate)["MaxConnRate"]) <= 8


# --- the rest --------------------------------------------------------------------------------------------------------

def test_the_last_refused_input_is_shown_in_hex(mqgate, serve, pki):
    files = pki.leaf("localhost")
    tls = [{"name": "edge", "certificates": [{"chain": files.chain, "key": files.key}]}]
    gate = mqgate(conf(serve(Echo).port, listener={"tls": "edge"}, tls=tls))
    assert re.match(r"Total events captured on \[.*\] : 0\n \n\n$", gate.control("show errors"))
    with gate.connect() as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        ends(client)
    gate.wait_end(why="handshake_failed")
    answer = gate.control("show errors")
    assert "] : 1\n" in answer and "frontend in: refused, handshake_failed" in answer
    assert "47 45 54 20 2f" in answer and "GET /" in answer
    proxied = mqgate(conf(serve(Echo).port, listener={"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"]}))
    with proxied.connect() as client:
        client.sendall(b"PROXY what\r\nis this\0\x1b[2J")
        ends(client)
    proxied.wait_end(why="proxy_header_bad")
    answer = proxied.control("show errors")
    assert "50 52 4f 58 59 20 77 68" in answer and "\x1b" not in answer


def test_show_tls_tells_of_certificates_and_handshakes(mqgate, serve, pki):
    files = pki.leaf("gate.example", names=("gate.example", "*.gate.example"))
    tls = [{"name": "edge", "certificates": [{"chain": files.chain, "key": files.key}]}]
    gate = mqgate(conf(serve(Echo).port, listener={"tls": "edge"}, tls=tls))
    context = ssl.create_default_context(cafile=pki.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(gate.connect(), server_hostname="gate.example") as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        answer = gate.control("show tls")
        assert f"certificate tls=edge file={files.chain} " in answer and " state=valid " in answer
        assert "names=gate.example *.gate.example\n" in answer and "subject=CN=gate.example\n" in answer
        assert re.search(r"days_left=\d+ ", answer)
        assert "listener in tls=edge handshakes=1 resumed=0 failed=0 tls12=1 tls13=0 open=1 " \
            "detached=1 kept_option=0 kept_suite=0 kept_state=0 kept_memory=0\n" in answer
        row = rows(gate)["in", "FRONTEND"]
        assert (row["ssl_sess"], row["mqgate_tls12_cur"], row["mqgate_tls13_cur"]) == ("1", "1", "0")
        assert sessions(gate).popitem()[1]["tls"] == "TLSv1.2"
    until(lambda: rows(gate)["in", "FRONTEND"]["mqgate_ssl_cur"] == "0", "the session to end")


def test_pools_activity_and_descriptors_are_shown(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 2) as clients:
        assert re.search(r"Pool session \(\d+ bytes\) : 2 allocated", gate.control("show pools"))
        assert re.search(r"^accepted: 2 \[ \d \d \]$", gate.control("show activity"), re.M)
        lines = gate.control("show fd").splitlines()
        assert sum("side=client" in line for line in lines) == 2
        assert sum("side=server" in line for line in lines) == 2
        assert sum("listener=in/sock-1" in line for line in lines) == 2  # two workers
        number = lines[0].split()[0]
        assert gate.control(f"show fd {number}").splitlines()[0] == lines[0]
        del clients


@pytest.mark.parametrize("level, shown, changed", [("user", "Permission denied\n\n", "Permission denied\n\n"),
                                                   ("operator", None, "Permission denied\n\n"),
                                                   ("admin", None, "\n")])
def test_a_level_bounds_what_may_be_asked(mqgate, level, shown, changed):
    gate = mqgate(conf(1883, global_={"control_level": level}))
    assert gate.control("show info").startswith("Name: mqgate\n")
    answer = gate.control("show sess")
    assert answer == shown if shown else "Permission" not in answer
    assert gate.control("set weight out/s0 5") == changed
    assert (rows(gate)["out", "s0"]["addr"] == "") == (level == "user")


def test_a_client_that_hangs_up_over_a_long_answer_hurts_nobody(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 50):
        for _ in range(20):
            with gate.control_connect() as client:
                client.sendall(b"show sess all;show sess;show errors;show fd\n")
        assert len(sessions(gate)) == 50


def test_questions_asked_at_once_are_all_answered(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    with held(gate, 300), contextlib.ExitStack() as stack:
        askers = [stack.enter_context(gate.control_connect()) for _ in range(8)]
        for asker in askers:
            asker.sendall(b"show sess;show pools\n")
        for asker in askers:
            answer = b""
            while piece := asker.recv(65536):
                answer += piece
            assert answer.count(b": proto=") == 300 and b"Pool session" in answer


@pytest.mark.parametrize("log", [{"format": "logfmt"}, {"format": "json"}, {"format": "tcplog"}, {"level": "error"}])
def test_the_last_changes_of_state_are_kept_whatever_the_log_is(mqgate, serve, log):
    server = serve(Echo)
    check = {"type": "tcp", "interval": "50ms", "fast_interval": "20ms"}
    gate = mqgate(conf(server.port, backend={"check": check}, log=log), wait=log == {"format": "logfmt"})

    def ready():
        try:
            return "ready" in gate.control("show events")
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    until(ready, "it to be ready")
    until(lambda: re.search(r"server_up|Server out/s0 is UP", gate.control("show events")), "the server to be up")
    gate.control("disable frontend in")
    server.kill()
    until(lambda: re.search(r"server_down|Server out/s0 is DOWN", gate.control("show events")), "the server to be down")
    lines = gate.control("show events").rstrip("\n").splitlines()
    assert all(re.match(r"ts=\d{4}-\d\d-\d\dT[\d:.]+Z level=(error|warn|info) event=", line) for line in lines)
    assert any("aused" in line for line in lines)
    if log.get("level") == "error":
        assert not gate.logged(event="server_up")


@pytest.mark.parametrize("identity, user", [(False, ""), (True, ' user="ops"')])
def test_show_sess_tells_of_mqtt_and_cannot_be_deceived(mqgate, mosquitto, identity, user):
    """A client identifier with blanks and quotes; the user's name only where it is asked for, the password never."""
    gate = mqgate(conf(mosquitto.port, listener={"protocol": "mqtt"}, log={"identity": identity}))
    with gate.connect() as client:
        client.sendall(connect_of(client_id=b'a "b" be=c\\', flags=0xC2, payload=b"\0\3ops\0\6secret"))
        assert client.recv(4) == b"\x20\x02\x00\x00"
        line = gate.control("show sess").splitlines()[0]
        assert line.endswith(f' mqtt=3.1.1 keepalive=60 clean=1 connack=0 client_id="a \\"b\\" be=c\\\\"{user}')
        assert "secret" not in gate.control("show sess all")
    end = gate.wait_end()
    assert (end["client_id"], end["keepalive"], end["clean"], end["connack"]) == ('a "b" be=c\\', "60", "1", "0")
    assert end.get("user") == ("ops" if identity else None)
