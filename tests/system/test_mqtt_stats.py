"""Figures of MQTT against what was really sent: mosquitto, behind the gate, writes down every packet."""
import collections
import csv
import re
import ssl
import subprocess

import paho.mqtt.client
import paho.mqtt.packettypes
import paho.mqtt.reasoncodes
import pytest

from mqgate import DEADLINE_S, conf, until
from pki import section
from servers import Mosquitto, Server
from test_metrics import families, promtool, samples, scrape

USER = ("-u", "ops", "-P", "secret")
VERSIONS = {"mqttv31": "3.1", "mqttv311": "3.1.1", "mqttv5": "5"}
PROTOCOLS = {"1": "3.1", "2": "3.1.1", "5": "5"}  # as mosquitto's log has them

CONNECT_5 = b"\x10\x1f\0\4MQTT\5\xc2\0\0\0\0\5sends\0\3ops\0\6secret"  # no keep-alive


class Broker(Mosquitto):
    """Lets in who knows the password, and writes down every packet."""

    def __init__(self, directory):
        subprocess.run(["mosquitto_passwd", "-b", "-c", directory / "passwords", *USER[1::2]], check=True)
        super().__init__(directory, f"allow_anonymous false\npassword_file {directory / 'passwords'}\nlog_type all\n")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as started:
        yield started


class World:
    """A gate in front of the broker, and what the broker saw of it."""

    def __init__(self, gate, broker):
        self.gate, self._broker = gate, broker
        self._begin = len(broker.log())

    def log(self):
        return self._broker.log()[self._begin:]

    def packets(self):
        """By direction and type. mosquitto names no CONNECT, but each gets a CONNACK."""
        found = {"in": collections.Counter(), "out": collections.Counter()}
        for way, kind in re.findall(r"^\d+: (Received|Sending) ([A-Z]+) ", self.log(), re.M):
            found["in" if way == "Received" else "out"][kind] += 1
        found["in"]["CONNECT"] = found["out"]["CONNACK"]
        return found

    def publishes(self):
        found = {"in": collections.Counter(), "out": collections.Counter()}
        for way, qos in re.findall(r"^\d+: (Received|Sending) PUBLISH .*\(d\d, q(\d)", self.log(), re.M):
            found["in" if way == "Received" else "out"][qos] += 1
        return found

    def connects(self):
        """CONNECTs that the broker accepted, by version."""
        found = re.findall(r"New client connected from .* \(p(\d),", self.log())
        return collections.Counter(PROTOCOLS[each] for each in found)

    def connacks(self):
        return collections.Counter(int(code) for code in re.findall(r"Sending CONNACK to .* \(\d+, (\d+)\)", self.log()))

    def client(self, name, *arguments, listener="in", **options):
        host, port = self.gate.address(listener)
        command = [f"mosquitto_{name}", "-h", host, "-p", str(port), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def do(self, name, *arguments, **options):
        """Its exit status and what it heard."""
        with self.client(name, *arguments, **options) as process:
            heard, _ = process.communicate(timeout=DEADLINE_S)
            return process.returncode, heard

    def mqtt(self, listener="in"):
        return self.gate.listener_stats(listener)["mqtt"]

    def await_end(self, n, listener="in"):
        """n sessions have come and gone."""
        until(lambda: [self.gate.listener_stats(listener)[key] for key in ("closed", "open")] == [n, 0],
              f"{n} sessions to end")


@pytest.fixture
def world(mqgate, broker):
    return World(mqgate(conf(broker.port, listener={"protocol": "mqtt"})), broker)


def seen(counts):
    """Without zeros."""
    return {key: n for key, n in counts.items() if n}


def metrics(world, name, labels):
    """Samples of the family other than 0, by these labels."""
    found = {}
    for key, value in samples(scrape(world.gate)[1]).items():
        if key.startswith(name + "{") and value:
            found[tuple(re.search(rf'{label}="([^"]*)"', key).group(1) for label in labels)] = value
    return found


def by_pairs(counts):
    return {(direction, key): n for direction, each in counts.items() for key, n in each.items() if n}


@pytest.fixture
def subscriber(world):
    """subscriber(version, n) hears n messages of QoS 0, 1 and 2 on "t"."""
    running = []

    def start(version, n, *arguments):
        process = world.client("sub", *USER, "-V", version, "-i", f"sub-{version}", "-q", "2", "-t", "t", "-C", str(n),
                               *arguments)
        running.append(process)
        until(lambda: world.log().count("Sending SUBACK") == len(running), "the subscription")
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_packets_publishes_and_versions_are_those_that_were_sent(world, subscriber):
    subscribers = [subscriber(version, 6) for version in VERSIONS]
    for version in ("mqttv311", "mqttv5"):
        for qos in "012":
            assert world.do("pub", *USER, "-V", version, "-q", qos, "-t", "t", "-m", "hello")[0] == 0
    for process in subscribers:
        assert process.communicate(timeout=DEADLINE_S)[0] == "hello\n" * 6
    world.await_end(9)
    packets, publishes = world.packets(), world.publishes()
    assert packets["in"]["PUBLISH"] == 6 and packets["out"]["PUBLISH"] == 18 and packets["in"]["DISCONNECT"] == 9
    for shown in (world.mqtt(), world.gate.server_stats()["mqtt"]):
        assert {way: seen(shown["packets"][way]) for way in packets} == {way: seen(packets[way]) for way in packets}
        assert {way: seen(shown["publishes"][way]) for way in packets} == {way: seen(publishes[way]) for way in packets}
        assert shown["connects"] == dict(world.connects()) == {"3.1": 1, "3.1.1": 4, "5": 4}
        assert shown["sessions"] == {"3.1": 0, "3.1.1": 0, "5": 0}
        assert [(each["version"], each["code"], each["count"]) for each in shown["connacks"]] == [
            ("3.x", 0, 5), ("5", 0, 4)]
        assert [(each["sender"], each["code"], each["count"]) for each in shown["disconnects"]] == [("client", 0, 4)]
        assert (shown["broken"], shown["loose"]) == (0, 0)
    for of in "frontend", "server":
        assert metrics(world, f"mqgate_{of}_mqtt_packets_total", ("direction", "type")) == by_pairs(packets)
        assert metrics(world, f"mqgate_{of}_mqtt_publishes_total", ("direction", "qos")) == by_pairs(publishes)
    rows = csv.DictReader(world.gate.control("show stat").rstrip("\n").splitlines())
    for row in rows:
        if row["svname"] in ("FRONTEND", "sock-1", "s0", "BACKEND") and row["# pxname"] != "admin":
            shown = [int(row[f"mqgate_mqtt_{what}_{way}"]) for what in ("packets", "publish") for way in ("in", "out")]
            assert shown == [sum(counts[way].values()) for counts in (packets, publishes) for way in ("in", "out")]
    table = world.gate.control("show mqtt")
    for kind in set(packets["in"]) | set(packets["out"]):
        both = [str(packets[way][kind]) if kind in world.mqtt()["packets"][way] else "-" for way in ("in", "out")]
        assert re.findall(rf"^    {kind} +(\S+) +(\S+)$", table, re.M) == [tuple(both)] * 2, kind


def test_sessions_are_told_of_by_version_while_they_live(world, subscriber):
    for version in VERSIONS:
        subscriber(version, 1)
    assert world.mqtt()["sessions"] == world.gate.server_stats()["mqtt"]["sessions"] == {"3.1": 1, "3.1.1": 1, "5": 1}
    assert metrics(world, "mqgate_server_mqtt_sessions", ["version"]) == {(name,): 1 for name in VERSIONS.values()}
    row = next(csv.DictReader(world.gate.control("show stat").rstrip("\n").splitlines()))
    assert [row[f"mqgate_mqtt{n}_cur"] for n in ("31", "311", "5")] == ["1", "1", "1"]
    assert world.do("pub", *USER, "-t", "t", "-m", "go")[0] == 0
    world.await_end(4)
    assert set(world.mqtt()["sessions"].values()) == set(world.gate.server_stats()["mqtt"]["sessions"].values()) == {0}


def test_what_the_broker_refuses_is_told_by_code(world):
    for version, times in (("mqttv311", 3), ("mqttv5", 2)):
        for _ in range(times):
            assert world.do("pub", "-u", "ops", "-P", "wrong", "-V", version, "-t", "t", "-m", "x")[0] != 0
    world.await_end(5)
    assert world.connacks() == {5: 3, 0x87: 2}
    for shown in (world.mqtt(), world.gate.server_stats()["mqtt"]):
        assert [(each["version"], each["code"], each["reason"], each["count"]) for each in shown["connacks"]] == [
            ("3.x", 5, "Not authorized", 3), ("5", 0x87, "Not authorized", 2)]
    assert metrics(world, "mqgate_server_mqtt_connacks_total", ("version", "code")) == {
        ("3.x", "0x05"): 3, ("5", "0x87"): 2}
    for name in "FRONTEND", "s0":
        rows = csv.DictReader(world.gate.control("show stat").rstrip("\n").splitlines())
        assert next(row for row in rows if row["svname"] == name)["mqgate_mqtt_connack_errors"] == "5"
    world.gate.control("clear counters all")
    text = scrape(world.gate)[1]
    assert 'code="0x87",reason="Not authorized"} 0\n' in text and families(text)  # its series is still there
    assert promtool("check", "metrics", stdin=text).stdout == ""


def test_disconnects_are_told_by_who_sent_them_and_why(world):
    client = paho.mqtt.client.Client("leaves", protocol=paho.mqtt.client.MQTTv5)
    client.username_pw_set(*USER[1::2])
    reason = paho.mqtt.reasoncodes.ReasonCodes(paho.mqtt.packettypes.PacketTypes.DISCONNECT,
                                               "Disconnect with will message")
    client.on_connect = lambda *_: client.disconnect(reason)
    client.connect(*world.gate.address("in"))
    client.loop_forever()
    world.await_end(1)
    with world.gate.connect() as client:
        client.sendall(CONNECT_5)
        until(lambda: "Sending CONNACK to sends" in world.log(), "the CONNACK")
        client.sendall(b"\x82\x09\0\1\0\0\3a#b\0")  # no topic filter: the broker ends it
        heard = b""
        while piece := client.recv(100):
            heard += piece
    assert re.search(rb"\xe0[\1\2]\x81\0?$", heard), heard
    until(lambda: world.gate.listener_stats()["open"] == 0, "the session to end")
    for shown in (world.mqtt(), world.gate.server_stats()["mqtt"]):
        assert [tuple(each.values()) for each in shown["disconnects"]] == [
            ("client", 4, "Disconnect with Will Message", 1), ("server", 0x81, "Malformed Packet", 1)]
    assert metrics(world, "mqgate_server_mqtt_disconnects_total", ("sender", "code")) == {
        ("client", "0x04"): 1, ("server", "0x81"): 1}


CONNECT = {"not_mqtt": b"GET / HTTP/1.1\r\n\r\n",
           "version": b"\x10\x0d\0\4MQTT\x09\2\0\0\0\1x",
           "malformed": b"\x10\x0d\0\4MQTT\4\3\0\0\0\1x",
           "too_large": b"\x10\xff\xff\x7f\0\4MQTT\4\2\0\0\0\1x",
           "client_id": b"\x10\x0c\0\4MQTT\4\0\0\0\0\0"}


@pytest.mark.parametrize("reason", CONNECT)
def test_clients_refused_are_told_by_reason_and_the_broker_sees_nothing(world, reason):
    with world.gate.connect() as client:
        client.sendall(CONNECT[reason])
        while client.recv(100):
            pass
    until(lambda: sum(world.gate.listener_stats()["refused"].values()) == 1, "the refusal")
    assert seen(world.gate.listener_stats()["refused"]) == {reason: 1}
    assert metrics(world, "mqgate_frontend_refused_total", ["reason"]) == {(reason,): 1}
    assert re.search(rf"^  refused +count\n    {reason} +1$", world.gate.control("show mqtt in"), re.M)
    assert world.log() == ""


def test_http_that_is_no_upgrade_is_refused_with_a_reason_of_its_own(mqgate, broker):
    world = World(mqgate(conf(broker.ws_port, listener={"protocol": "ws"})), broker)
    with world.gate.connect() as client:
        client.sendall(CONNECT["not_mqtt"])
        while client.recv(1000):
            pass
    until(lambda: seen(world.gate.listener_stats()["refused"]) == {"http": 1}, "the refusal")
    assert world.log() == ""


def test_a_listener_that_relays_bytes_has_no_figures_of_mqtt(mqgate, broker):
    world = World(mqgate(conf(broker.port)), broker)
    assert world.do("pub", *USER, "-t", "t", "-m", "x")[0] == 0
    assert world.mqtt() is None and world.gate.server_stats()["mqtt"] is None
    assert "_mqtt_" not in scrape(world.gate)[1]
    assert world.gate.control("show mqtt in") == "It speaks no MQTT.\n\n"


@pytest.mark.parametrize("strict", [True, False])
def test_streams_that_stop_being_mqtt_are_counted(mqgate, broker, strict):
    world = World(mqgate(conf(broker.port, listener={"protocol": "mqtt", "mqtt": {"strict": strict}})), broker)
    with world.gate.connect() as client:
        client.sendall(CONNECT_5)
        until(lambda: "Sending CONNACK to sends" in world.log(), "the CONNACK")
        client.sendall(b"\xf0\xff\xff\xff\xff\xff")
        while client.recv(100):
            pass
    until(lambda: world.gate.listener_stats()["open"] == 0, "the session to end")
    for shown in (world.mqtt(), world.gate.server_stats()["mqtt"]):
        assert (shown["broken"], shown["loose"]) == (int(strict), int(not strict))
    said = [(each["sender"], each["count"]) for each in world.mqtt()["disconnects"]]
    assert said == [("gate", 1)] if strict else "gate" not in dict(said)
    name = f"mqgate_frontend_mqtt_{'broken' if strict else 'loose'}_total"
    assert samples(scrape(world.gate)[1])[f'{name}{{proxy="in"}}'] == 1


class Patient(Server):
    """A broker that accepts whoever comes, and waits."""

    def serve(self, sock):
        if sock.recv(1000):
            sock.sendall(b"\x20\3\0\0\0")
        while sock.recv(1000):
            pass


def test_clients_that_fall_silent_are_counted(mqgate, serve):
    gate = mqgate(conf(serve(Patient).port, listener={"protocol": "mqtt"}))
    with gate.connect() as client:
        client.sendall(CONNECT_5.replace(b"\xc2\0\0", b"\xc2\0\1"))  # a second: silent for 6.5 s at most
        while client.recv(100):
            pass
    until(lambda: gate.listener_stats()["keep_alive_ended"] == 1, "it to be counted")
    assert [tuple(each.values()) for each in gate.listener_stats()["mqtt"]["disconnects"]] == [
        ("gate", 0x8D, "Keep Alive timeout", 1)]
    assert 'mqgate_frontend_keep_alive_ended_total{proxy="in"} 1\n' in scrape(gate)[1]


@pytest.mark.parametrize("transport, tls", [("tcp", "edge"), ("websockets", ""), ("websockets", "edge")])
def test_tls_and_websocket_make_no_difference(mqgate, broker, pki, transport, tls):
    to, protocol = (broker.port, "mqtt") if transport == "tcp" else (broker.ws_port, "ws")
    configuration = conf(to, listener={"protocol": protocol, "tls": tls}, tls=[section("edge", pki.leaf("one.test"))])
    world = World(mqgate(configuration), broker)
    client = paho.mqtt.client.Client("other", transport=transport)
    client.username_pw_set(*USER[1::2])
    if tls:
        context = ssl.create_default_context(cafile=pki.ca)
        context.check_hostname = False  # paho sends the address it connects to
        client.tls_set_context(context)
    client.on_connect = lambda *_: client.subscribe("loop", 2)
    client.on_subscribe = lambda *_: client.publish("loop", b"x" * 1000, 2)
    client.on_message = lambda *_: client.disconnect()
    client.connect(*world.gate.address("in"))
    client.loop_forever()
    until(lambda: world.gate.listener_stats()["open"] == 0, "the session to end")
    assert {way: seen(each) for way, each in world.mqtt()["packets"].items()} == {
        way: seen(each) for way, each in world.packets().items()}
    assert seen(world.mqtt()["publishes"]["in"]) == seen(world.mqtt()["publishes"]["out"]) == {"2": 1}
