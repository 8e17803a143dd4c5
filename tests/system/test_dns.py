"""Servers with host names and SRV records: where DNS says they are."""
import csv
import socket
import ssl
import subprocess

import pytest

from mqgate import conf, until
from nameserver import A, AAAA, CNAME, SRV, NameServer
from servers import Echo, Greeter, HAProxy, free_port

SERVICE = "_mqtt._tcp.emqx.test"
QUICK = {"type": "tcp", "interval": "50ms", "fast_interval": "20ms"}
RARE = {"type": "tcp", "interval": "1h", "fast_interval": "1h", "rise": 1, "fall": 1}


@pytest.fixture
def names(serve):
    return serve(NameServer)


def through(names, to, hold="1s", **options):
    """A configuration whose servers are looked up there."""
    return conf(to, resolver={"servers": [names.address], "hold": hold}, **options)


def greeters(serve, letters):
    """Greeters on one port of 127.0.0.2, 127.0.0.3 and so on."""
    port = free_port()
    return port, [serve(Greeter, letter, host=f"127.0.0.{n}", port=port) for n, letter in enumerate(letters, 2)]


def rows(gate):
    lines = gate.control("show stat").rstrip("\n").splitlines()
    return {row["svname"]: row for row in csv.DictReader(lines) if row["# pxname"] == "out"}


def states(gate, ask=None):
    """The lines of show servers state, by name."""
    _, head, *lines = (ask or gate.control)("show servers state").rstrip("\n").splitlines()
    return {row["srv_name"]: row for row in (dict(zip(head[2:].split(), line.split())) for line in lines)}


def who(gate):
    with gate.connect() as client:
        return client.recv(1)


def resolvers(gate):
    """The figures of show resolvers."""
    pairs = [line.split(":") for line in gate.control("show resolvers").splitlines() if line.startswith("  ")]
    return {key.strip(): int(value) for key, value in pairs}


# --- host names -------------------------------------------------------------------------------------------------------

def test_the_start_does_not_wait_for_dns_and_the_node_is_healthy_when_it_answers(mqgate, names, serve):
    port, _ = greeters(serve, "a")
    names.mode = "silence"
    gate = mqgate(through(names, f"broker.test:{port}"))
    assert gate.health() == 503
    row, state = rows(gate)["s0"], states(gate)["s0"]
    assert (row["status"], row["addr"], row["check_status"]) == ("MAINT (resolution)", "", "")
    assert (state["srv_addr"], state["srv_op_state"], state["srv_admin_state"], state["srv_fqdn"],
            state["srv_port"]) == ("-", "0", "32", "broker.test", str(port))
    with gate.connect() as client:
        assert client.recv(1) == b""
    assert gate.wait_end()["why"] == "no_server"
    names.set("broker.test", A, "127.0.0.2")
    names.mode = "answer"
    until(lambda: gate.health() == 200, "the name to be resolved")
    assert who(gate) == b"a"
    line = gate.wait_log(event="server_address")
    assert (line["was"], line["address"], line["host"], line["by"]) == ("-", f"127.0.0.2:{port}", "broker.test", "DNS")
    state = states(gate)["s0"]
    assert (state["srv_addr"], state["srv_op_state"], state["srv_admin_state"]) == ("127.0.0.2", "2", "0")


def test_a_new_address_is_for_new_sessions_and_is_checked_at_once(mqgate, names, serve):
    port, (_, b) = greeters(serve, "ab")
    names.set("broker.test", A, "127.0.0.2")
    gate = mqgate(through(names, f"broker.test:{port}", backend={"check": RARE}))
    until(lambda: rows(gate)["s0"]["status"] == "UP", "the first check")
    with gate.connect() as old:
        assert old.recv(1) == b"a"
        names.set("broker.test", A, "127.0.0.3")
        gate.wait_log(event="server_address", address=f"127.0.0.3:{port}")
        assert who(gate) == b"b"
        old.settimeout(0.05)
        with pytest.raises(TimeoutError):  # it goes on
            old.recv(1)
    until(lambda: int(gate.server_stats()["check"]["checks"]) == 2, "a check of the new address")
    assert rows(gate)["s0"]["status"] == "UP"
    names.set("broker.test", A, "127.0.0.4")  # nobody is there, and the first check says so
    until(lambda: rows(gate)["s0"]["status"] == "DOWN", "the check to find nobody")
    assert gate.health() == 503
    names.set("broker.test", A, "127.0.0.3")
    until(lambda: rows(gate)["s0"]["status"] == "UP", "the check to find it again")
    b.kill()


def test_of_several_addresses_the_one_in_use_is_kept(mqgate, names, serve):
    port, _ = greeters(serve, "abc")
    names.set("broker.test", A, "127.0.0.3", "127.0.0.2")
    gate = mqgate(through(names, f"broker.test:{port}"))
    until(lambda: gate.health() == 200, "the name to be resolved")
    assert who(gate) == b"b"
    names.set("broker.test", A, "127.0.0.2", "127.0.0.4", "127.0.0.3")
    asked = names.count("broker.test")
    until(lambda: names.count("broker.test") >= asked + 2, "two more questions")
    assert who(gate) == b"b" and len(gate.logged(event="server_address")) == 1
    names.set("broker.test", A, "127.0.0.4", "127.0.0.2")
    until(lambda: who(gate) == b"c", "the first of the others")


def test_ipv6_is_used_where_there_is_no_ipv4_and_a_cname_is_followed(mqgate, names, serve):
    port, _ = greeters(serve, "a")
    with socket.create_server(("::1", port), family=socket.AF_INET6) as six:
        names.set("six.test", AAAA, "::1")
        names.set("both.test", AAAA, "::1")
        names.set("both.test", A, "127.0.0.2")
        names.set("alias.test", CNAME, "six.test")
        gate = mqgate(through(names, [f"{name}.test:{port}" for name in ("six", "both", "alias")]))
        until(lambda: [row["addr"] for name, row in rows(gate).items() if name != "BACKEND"] ==
              [f"[::1]:{port}", f"127.0.0.2:{port}", f"[::1]:{port}"], "three addresses")
        six.settimeout(10)
        with gate.connect() as client, six.accept()[0] as server:
            client.sendall(b"hello")
            assert server.recv(5) == b"hello"


@pytest.mark.parametrize("mode", ["silence", "servfail", "refused", "garbage", "cut", "wrong", "dead"])
def test_whatever_fails_the_last_good_answer_stays(mqgate, serve, mode):
    port, _ = greeters(serve, "ab")
    names = serve(NameServer)
    names.set("broker.test", A, "127.0.0.2")
    names.set("b.test", A, "127.0.0.3")
    names.set(SERVICE, SRV, (0, 0, port, "b.test"))
    gate = mqgate(through(names, [f"broker.test:{port}", f"srv:{SERVICE}"], hold="1s"))
    until(lambda: rows(gate)["BACKEND"]["act"] == "2", "both servers")
    names.mode = mode
    if mode == "dead":
        names.close()
    gate.wait_log(2, event="dns_failed")
    failed = resolvers(gate)["other"]
    until(lambda: resolvers(gate)["other"] >= failed + 2, "more failures", 60)
    assert len(gate.logged(event="dns_failed")) == 2  # one for each name, however often
    assert gate.health() == 200 and who(gate) == b"a" and rows(gate)["BACKEND"]["act"] == "2"
    assert ", failing" in gate.control("show resolvers")
    if mode == "dead":
        names = serve(NameServer, port=names.port)
        names.set("b.test", A, "127.0.0.3")
        names.set(SERVICE, SRV, (0, 0, port, "b.test"))
    names.mode = "answer"
    names.set("broker.test", A, "127.0.0.3")
    gate.wait_log(2, event="dns_works")
    until(lambda: who(gate) == b"b", "the new address")


def test_a_name_that_is_gone_takes_its_server_along_only_after_hold(mqgate, names, serve):
    port, _ = greeters(serve, "a")
    names.set("broker.test", A, "127.0.0.2")
    gate = mqgate(through(names, f"broker.test:{port}", hold="3s", backend={"check": QUICK}))
    until(lambda: gate.health() == 200, "the name to be resolved")
    names.forget("broker.test")
    assert gate.wait_log(event="dns_failed")["why"] == "Domain name not found"
    asked = names.count("broker.test")
    until(lambda: names.count("broker.test") == asked + 1, "another question")
    assert gate.health() == 200 and who(gate) == b"a"
    with gate.connect() as old:
        assert old.recv(1) == b"a"
        until(lambda: gate.health() == 503, "the server to be gone")
        assert rows(gate)["s0"]["status"] == "MAINT (resolution)" and gate.wait_log(event="backend_down")
        names.set("broker.test", A, "127.0.0.2")
        until(lambda: rows(gate)["s0"]["status"] == "UP", "the server to be back")
        old.settimeout(0.05)
        with pytest.raises(TimeoutError):
            old.recv(1)


def test_what_an_operator_sets_stays_until_dns_says_something_new(mqgate, names, serve):
    port, _ = greeters(serve, "abc")
    names.set("broker.test", A, "127.0.0.2")
    gate = mqgate(through(names, f"broker.test:{port}"))
    until(lambda: gate.health() == 200, "the name to be resolved")
    assert "IP changed from '127.0.0.2' to '127.0.0.3'" in gate.control("set server out/s0 addr 127.0.0.3")
    asked = names.count("broker.test")
    until(lambda: names.count("broker.test") >= asked + 2, "two more answers")
    assert who(gate) == b"b"
    names.set("broker.test", A, "127.0.0.4")
    until(lambda: who(gate) == b"c", "the new answer")


def test_the_certificate_must_be_for_the_host_name(mqgate, names, serve, pki):
    good, bad = pki.leaf("broker.test"), pki.leaf("other.test")
    servers = []
    for identity in (good, bad):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        servers.append(serve(Greeter, "a", tls=context))
    names.set("broker.test", A, "127.0.0.1")
    names.set(SERVICE, SRV, (0, 0, servers[0].port, "broker.test"), (0, 0, servers[1].port, "broker.test"))
    gate = mqgate(through(names, [f"broker.test:{servers[0].port}", f"broker.test:{servers[1].port}", f"srv:{SERVICE}"],
                          server={"tls": "inner"}, backend={"check": QUICK},
                          tls_client=[{"name": "inner", "ca": pki.ca}]))
    until(lambda: [rows(gate)[name]["status"] for name in ("s0", "s1")] == ["UP", "DOWN"], "the checks to tell them apart")
    targets = ("s21", "s22") if servers[0].port < servers[1].port else ("s22", "s21")
    until(lambda: [rows(gate)[name]["status"] for name in targets] == ["UP", "DOWN"], "the targets, too")
    assert who(gate) == b"a"


# --- services ---------------------------------------------------------------------------------------------------------

def slots(gate):
    """Server names and addresses of the slots in use."""
    return {name: row["addr"] for name, row in rows(gate).items() if row["addr"]}


def test_servers_come_and_go_with_an_srv_record_and_sessions_stay(mqgate, names, serve):
    port, _ = greeters(serve, "abc")
    hosts = {letter: f"{letter}.emqx.test" for letter in "abc"}
    for n, letter in enumerate("abc", 2):
        names.set(hosts[letter], A, f"127.0.0.{n}")
    names.set(SERVICE, SRV, *((1, 1, port, hosts[letter]) for letter in "ab"))
    gate = mqgate(through(names, f"srv:{SERVICE}", backend={"check": QUICK}))
    until(lambda: rows(gate)["BACKEND"]["act"] == "2", "both servers")
    assert slots(gate) == {"s01": f"127.0.0.2:{port}", "s02": f"127.0.0.3:{port}"}
    assert [rows(gate)[f"s0{n}"]["status"] for n in range(1, 17)] == ["UP"] * 2 + ["MAINT (resolution)"] * 14
    state = states(gate)
    assert (state["s01"]["srv_fqdn"], state["s01"]["srvrecord"], state["s03"]["srv_fqdn"]) == (hosts["a"], SERVICE, "-")
    with gate.connect() as old:
        assert old.recv(1) == b"a"
        names.set(SERVICE, SRV, *((1, 1, port, hosts[letter]) for letter in "cb"))
        until(lambda: slots(gate) == {"s02": f"127.0.0.3:{port}", "s03": f"127.0.0.4:{port}"}, "c in the place of a")
        until(lambda: rows(gate)["s03"]["status"] == "UP", "the check of c")
        assert who(gate) == b"b"
        assert rows(gate)["s01"]["scur"] == "1"  # who left is still counted
        names.set(SERVICE, SRV, *((1, 1, port, hosts[letter]) for letter in "abc"))
        until(lambda: len(slots(gate)) == 3 and rows(gate)["s01"]["status"] == "UP", "a to be back in its place")
        assert who(gate) == b"a"
        names.forget(SERVICE)
        until(lambda: not slots(gate), "all to be gone")
        assert gate.health() == 503
        old.settimeout(0.05)
        with pytest.raises(TimeoutError):
            old.recv(1)
    names.set(SERVICE, SRV, (1, 1, port, hosts["c"]))
    until(lambda: who(gate) == b"c", "c to be back")


def test_another_service_name_leaves_nothing_of_the_old_one(mqgate, names, serve):
    port, _ = greeters(serve, "abc")
    for n, letter in enumerate("abc", 2):
        names.set(f"{letter}.test", A, f"127.0.0.{n}")
    names.set(SERVICE, SRV, *((1, 1, port, f"{letter}.test") for letter in "ab"))
    names.set("_other._tcp.emqx.test", SRV, (1, 1, port, "c.test"))
    gate = mqgate(through(names, f"srv:{SERVICE}"))
    until(lambda: len(slots(gate)) == 2, "both targets")
    gate.reload(through(names, f"srv:{SERVICE}"))
    assert slots(gate) == {"s01": f"127.0.0.2:{port}", "s02": f"127.0.0.3:{port}"}
    gate.reload(through(names, "srv:_other._tcp.emqx.test"))
    until(lambda: slots(gate) == {"s01": f"127.0.0.4:{port}"}, "the other service alone")
    assert who(gate) == b"c"


def test_targets_without_addresses_beside_them_are_looked_up(mqgate, names, serve):
    port, _ = greeters(serve, "abc")
    names.additional = False
    names.set("a.test", A, "127.0.0.2")
    names.set("b.test", A, "127.0.0.3")
    names.set(SERVICE, SRV, (0, 0, port, "a.test"), (0, 0, port, "missing.test"), (0, 0, port, "b.test"))
    gate = mqgate(through(names, f"srv:{SERVICE}"))
    until(lambda: rows(gate)["BACKEND"]["act"] == "2", "the two that have addresses")
    assert [states(gate)[f"s0{n}"]["srv_fqdn"] for n in (1, 2, 3)] == ["a.test", "b.test", "missing.test"]
    names.set("a.test", A, "127.0.0.4")
    until(lambda: who(gate) == b"c", "the new address of a target")
    names.set("missing.test", A, "127.0.0.3")
    until(lambda: rows(gate)["BACKEND"]["act"] == "3", "the third")
    names.additional = True
    asked = names.count("a.test")
    until(lambda: names.count(SERVICE) > 2 and "a.test" not in gate.control("show resolvers"), "the answer to have it all")
    assert names.count("a.test") <= asked + 2


def test_priorities_make_backups_and_weights_are_taken_over(mqgate, names, serve):
    port, _ = greeters(serve, "abc")
    for n, letter in enumerate("abc", 2):
        names.set(f"{letter}.test", A, f"127.0.0.{n}")
    names.set(SERVICE, SRV, (20, 1, port, "c.test"), (10, 60, port, "a.test"), (10, 10, port, "b.test"))
    gate = mqgate(through(names, f"srv:{SERVICE}", backend={"check": QUICK}))
    until(lambda: (rows(gate)["BACKEND"]["act"], rows(gate)["BACKEND"]["bck"]) == ("2", "1"), "two and a backup")
    row = rows(gate)
    assert [(row[name]["addr"], row[name]["weight"], row[name]["bck"]) for name in ("s01", "s02", "s03")] == [
        (f"127.0.0.2:{port}", "60", "0"), (f"127.0.0.3:{port}", "10", "0"), (f"127.0.0.4:{port}", "1", "1")]
    gate.control("set weight out/s01 0")
    names.set(SERVICE, SRV, (20, 1, port, "c.test"), (10, 60, port, "a.test"), (10, 0, port, "b.test"))
    until(lambda: rows(gate)["s02"]["weight"] == "1", "the weight that nobody has thought of")
    assert rows(gate)["s01"]["weight"] == "0"  # the operator's, as DNS says nothing new
    names.set(SERVICE, SRV, (20, 1, port, "c.test"))
    until(lambda: who(gate) == b"c", "the backup, which is the best now")
    assert rows(gate)["s03"]["bck"] == "0"


def test_an_answer_that_does_not_fit_comes_over_tcp_and_what_has_no_slot_is_told_once(mqgate, names, serve):
    port, _ = greeters(serve, "a")
    targets = [f"a-rather-long-name-of-broker-number-{n}.emqx.service.test" for n in range(20)]
    for name in targets:
        names.set(name, A, "127.0.0.2")
    names.set(SERVICE, SRV, *((0, 0, port, name) for name in targets))
    gate = mqgate(through(names, f"srv:{SERVICE}"))
    until(lambda: rows(gate)["BACKEND"]["act"] == "16", "all slots to be taken")
    assert names.over_tcp > 0
    asked = names.count(SERVICE)
    until(lambda: names.count(SERVICE) >= asked + 4, "more answers")
    assert [line["left_out"] for line in gate.logged(event="srv_too_many")] == ["4"]


@pytest.mark.limit(120)
def test_a_thousand_changes_do_not_grow_memory(mqgate, names):
    services = [f"_mqtt._tcp.cluster{n}.test" for n in range(4)]

    def change(round_):
        """Every target is another host at another address."""
        names.records = {}
        for s, service in enumerate(services):
            hosts = [f"broker-{s}-{n}-{round_}.test" for n in range(16)]
            for n, host in enumerate(hosts):
                names.set(host, A, f"127.{round_ % 200}.{s}.{n + 1}")
            names.set(service, SRV, *((0, round_ % 7, 1883 + round_ % 3, host) for host in hosts))

    def heap():
        return int(gate.control("show info").split("PoolUsed_bytes: ")[1].split()[0])

    change(0)
    gate = mqgate(through(names, [f"srv:{service}" for service in services]))
    for round_ in range(1, 20):
        change(round_)
        until(lambda: all(row["addr"].startswith(f"127.{round_}.") for name, row in rows(gate).items()
                          if name != "BACKEND"), f"change {round_}")
        if round_ == 3:
            before = heap()
    assert heap() - before < 4096, "bytes more after a thousand changes"
    assert gate.descriptors()["socket"] < 40


def test_nonsense_does_no_harm(mqgate, names, serve):
    """Answers that are random, or begin well."""
    port, _ = greeters(serve, "a")
    names.set("a.test", A, "127.0.0.2")
    names.set(SERVICE, SRV, (0, 0, port, "a.test"))
    gate = mqgate(through(names, [f"srv:{SERVICE}", "broker.test:1"] + [f"n{n}.test:1" for n in range(20)]))
    until(lambda: who(gate) == b"a", "the first answer")
    for mode in ("garbage", "cut", "wrong"):
        names.mode = mode
        asked = len(names.asked)
        until(lambda: len(names.asked) > asked + 40, "more questions")
    assert gate.health() == 200 and who(gate) == b"a"
    names.mode = "answer"


def test_late_answers_are_taken(mqgate, names, serve):
    port, _ = greeters(serve, "ab")
    names.set("broker.test", A, "127.0.0.2")
    names.delay_s = 0.7
    gate = mqgate(through(names, f"broker.test:{port}"))
    until(lambda: gate.health() == 200, "the late answer")
    names.set("broker.test", A, "127.0.0.3")
    until(lambda: who(gate) == b"b", "the next late answer")
    assert resolvers(gate)["timeout"] == 0


def test_another_name_server_is_asked_when_one_is_silent(mqgate, names, serve):
    port, _ = greeters(serve, "a")
    names.mode = "silence"
    second = serve(NameServer)
    second.set("broker.test", A, "127.0.0.2")
    gate = mqgate(conf(f"broker.test:{port}", resolver={"servers": [names.address, second.address]}))
    until(lambda: gate.health() == 200, "the second name server")
    assert names.asked and f" nameserver {names.address} {second.address}:" in gate.control("show resolvers")
    assert resolvers(gate)["timeout"] >= 1


def test_figures_tell_of_names_and_of_what_failed(mqgate, names, serve):
    port, _ = greeters(serve, "a")
    names.set("broker.test", A, "127.0.0.2")
    gate = mqgate(through(names, [f"broker.test:{port}", "missing.test:1"]))
    until(lambda: gate.health() == 200, "the name to be resolved")
    until(lambda: resolvers(gate)["nx"] > 0, "the answer that the other does not exist")

    def metrics():
        lines = gate.get("/metrics")[2].decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    now = metrics()
    assert (now["mqgate_dns_names"], now["mqgate_dns_names_failing"]) == ("2", "1")
    assert now["haproxy_process_failed_resolutions"] == "0" and int(now["mqgate_dns_questions_total"]) >= 2
    names.mode = "servfail"
    until(lambda: metrics()["haproxy_process_failed_resolutions"] != "0", "a failure to be counted")
    until(lambda: metrics()["mqgate_dns_names_failing"] == "2", "both to fail")
    answer = gate.control("show resolvers")
    assert f" name broker.test, out/s0: 127.0.0.2:{port}, failing\n" in answer
    assert " name missing.test, out/s1: -, failing\n" in answer


def test_without_names_nobody_is_asked(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    assert gate.control("show resolvers") == "No server has a name that is looked up.\n\n"


def test_localhost_needs_no_name_server(mqgate, names, serve):
    gate = mqgate(through(names, f"localhost:{serve(Greeter, 'a').port}"))
    until(lambda: who(gate) == b"a", "localhost")


# --- beside real programs ---------------------------------------------------------------------------------------------

class Dnsmasq:
    """The real one, with these lines of configuration; start() again with others."""

    def __init__(self, directory):
        self._directory, self._process, self.port = directory, None, free_port()
        self.address = f"127.0.0.1:{self.port}"

    def start(self, *lines):
        self.stop()
        file = self._directory / "dnsmasq.conf"
        file.write_text("\n".join((f"port={self.port}", "listen-address=127.0.0.1", "bind-interfaces", "no-resolv",
                                   "no-hosts", "local=/test/", "pid-file", "user=", "group=", *lines, "")),
                        encoding="ascii")
        self._process = subprocess.Popen(["dnsmasq", "-k", "-C", file], stderr=subprocess.DEVNULL)

    def stop(self):
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@pytest.fixture
def dnsmasq(tmp_path):
    with Dnsmasq(tmp_path) as it:
        yield it


def test_with_dnsmasq_names_and_services_are_followed(mqgate, dnsmasq, serve):
    port, _ = greeters(serve, "abc")
    gate = mqgate(through(dnsmasq, [f"broker.test:{port}", f"srv:{SERVICE}"]))
    assert gate.health() == 503
    dnsmasq.start("host-record=broker.test,127.0.0.2", "host-record=b.test,127.0.0.3",
                  f"srv-host={SERVICE},b.test,{port}", "local-ttl=1")
    until(lambda: slots(gate) == {"s0": f"127.0.0.2:{port}", "s11": f"127.0.0.3:{port}"}, "both")
    dnsmasq.stop()
    gate.wait_log(2, event="dns_failed")
    assert who(gate) == b"a" and len(slots(gate)) == 2
    dnsmasq.start("host-record=broker.test,127.0.0.4", "host-record=a.test,127.0.0.2", "host-record=b.test,127.0.0.3",
                  f"srv-host={SERVICE},a.test,{port}", f"srv-host={SERVICE},b.test,{port}")
    until(lambda: slots(gate) == {"s0": f"127.0.0.4:{port}", "s11": f"127.0.0.3:{port}", "s12": f"127.0.0.2:{port}"},
          "the new answers")
    assert who(gate) == b"c"


def haproxy_asks(path):
    def ask(command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(path))
            connection.sendall(command.encode() + b"\n")
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer.decode()
    return ask


def test_servers_are_shown_as_haproxy_shows_them(mqgate, names, serve, tmp_path):
    port, _ = greeters(serve, "a")
    names.set("broker.test", A, "127.0.0.2")
    names.set("a.test", A, "127.0.0.2")
    names.set(SERVICE, SRV, (1, 1, port, "a.test"))
    directory = tmp_path / "haproxy"
    directory.mkdir()
    haproxy = serve(HAProxy, directory, f" option tcp-check\nresolvers r\n nameserver n {names.address}\n hold valid 1s\n"
                    f"frontend in\n bind {{in_}}\n default_backend out\nbackend out\n default-server resolvers r "
                    f"init-addr none\n server s0 broker.test:{port} check\n server s1 missing.test:{port} check\n"
                    f" server-template s2 16 {SERVICE} check\nglobal\n stats socket {directory}/socket level admin\n",
                    "in_")
    until((directory / "socket").exists, f"its socket: {haproxy.log()}")
    gate = mqgate(through(names, [f"broker.test:{port}", f"missing.test:{port}", f"srv:{SERVICE}"],
                          backend={"check": QUICK}))
    ask = haproxy_asks(directory / "socket")
    compared = ("srv_name", "srv_addr", "srv_op_state", "srv_fqdn", "srv_port", "srvrecord")

    def shown(asks):
        return [[row[key] for key in compared] + [int(row["srv_admin_state"]) & 32]
                for row in states(gate, asks).values()]

    def statuses(asks):
        lines = csv.DictReader(asks("show stat").rstrip("\n").splitlines())
        return [(row["svname"], row["status"], row["addr"]) for row in lines
                if row["# pxname"] == "out" and row["svname"] != "BACKEND"]

    until(lambda: shown(ask) == shown(gate.control), "the same states")
    until(lambda: statuses(ask) == statuses(gate.control), "the same lines")
    assert ("s1", "MAINT (resolution)", "") in statuses(ask) and ("s21", "UP", f"127.0.0.2:{port}") in statuses(ask)


def test_tcplog_has_haproxy_s_texts(mqgate, names, serve):
    port, _ = greeters(serve, "ab")
    names.set("broker.test", A, "127.0.0.2")
    gate = mqgate(through(names, f"broker.test:{port}", log={"format": "tcplog"}, backend={"check": QUICK}))
    gate.wait_log(text="out/s0 changed its IP from (none) to 127.0.0.2 by DNS.")
    gate.wait_log(text="Server out/s0 ('broker.test') is UP/READY (resolves again).")
    names.set("broker.test", A, "127.0.0.3")
    gate.wait_log(text="out/s0 changed its IP from 127.0.0.2 to 127.0.0.3 by DNS.")
    names.forget("broker.test")
    gate.wait_log(text="Server out/s0 is going DOWN for maintenance (DNS NX status). 0 active and 0 backup servers left."
                       " 0 sessions active, 0 requeued, 0 remaining in queue.")
