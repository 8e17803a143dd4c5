"""MQTT clients of four makes, over all four protocols, to mosquitto behind mqgate."""
import os
import ssl
import subprocess
import threading

import paho.mqtt.client
import pytest

from mqgate import DEADLINE_S, HERE, conf, until
from node import NODE_MODULES
from pki import section

LISTENERS = {"mqtt": ("mqtt", "broker", ""), "mqtts": ("mqtt", "broker", "edge"), "ws": ("ws", "broker-ws", ""),
             "wss": ("ws", "broker-ws", "edge")}


@pytest.fixture(scope="module")
def gate(module_mqgate, mosquitto, pki):
    configuration = conf(mosquitto.port, tls=[section("edge", pki.leaf("one.test"), alpn=["mqtt", "http/1.1"])])
    configuration["listeners"] = [
        {"name": name, "bind": "127.0.0.1:0", "protocol": protocol, "backend": backend, "tls": tls}
        for name, (protocol, backend, tls) in LISTENERS.items()]
    configuration["backends"] = [
        {"name": name, "check": {"type": check}, "servers": [{"name": "local", "address": f"127.0.0.1:{port}"}]}
        for name, port, check in (("broker", mosquitto.port, "mqtt"), ("broker-ws", mosquitto.ws_port, "tcp"))]
    started = module_mqgate(configuration)
    started.wait_log(2, event="backend_up")
    return started


def mosquitto_client(name, gate, listener, pki, *arguments):
    host, port = gate.address(listener)
    command = [f"mosquitto_{name}", "-h", "localhost" if listener == "mqtts" else host, "-p", str(port), *arguments]
    if listener == "mqtts":
        command += ["--cafile", pki.ca, "--insecure"]  # its name is not the certificate's; the chain is checked
    return command


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
@pytest.mark.parametrize("listener", ["mqtt", "mqtts"])
def test_mosquitto_pub_and_sub(gate, pki, listener, version):
    topic = f"pub-sub/{listener}/{version}"
    publish = mosquitto_client("pub", gate, listener, pki, "-V", version, "-q", "1", "-r", "-t", topic, "-m", "hello")
    subprocess.run(publish, check=True, timeout=DEADLINE_S)
    subscribe = mosquitto_client("sub", gate, listener, pki, "-V", version, "-q", "1", "-C", "1", "-t", topic)
    done = subprocess.run(subscribe, check=True, timeout=DEADLINE_S, capture_output=True, text=True)
    assert done.stdout == "hello\n"


@pytest.mark.parametrize("version", ["31", "311", "5"])
@pytest.mark.parametrize("listener", LISTENERS)
def test_paho_c(gate, pki, listener, version):
    host, port = gate.address(listener)
    scheme, path = {"mqtt": ("tcp", ""), "mqtts": ("ssl", ""), "ws": ("ws", "/mqtt"), "wss": ("wss", "/mqtt")}[listener]
    topic, text = f"paho-c/{listener}/{version}", "hello " * 5000
    common = ["-c", f"{scheme}://{host}:{port}{path}", "-V", version, "-q", "2", "-t", topic]
    if LISTENERS[listener][2]:
        common += ["--cafile", pki.ca, "--insecure"]  # its name is not the certificate's; the chain is checked
    with subprocess.Popen(["stdbuf", "-oL", "paho_cs_sub", *common, "-i", f"sub-{listener}-{version}"],
                          stdout=subprocess.PIPE, text=True) as subscriber:
        try:
            until(lambda: f"sub-{listener}-{version}" in gate.control("show sess"), "the subscriber")
            publish = ["paho_cs_pub", *common, "-i", f"pub-{listener}-{version}", "-r", "-m", text]
            subprocess.run(publish, check=True, timeout=DEADLINE_S)
            assert subscriber.stdout.readline().strip() == text.strip()
        finally:
            subscriber.terminate()


@pytest.mark.parametrize("version", ["4", "5"])
@pytest.mark.parametrize("listener", LISTENERS)
def test_mqtt_js(gate, pki, listener, version):
    assert (NODE_MODULES / "mqtt").is_dir(), f"MQTT.js is not in {NODE_MODULES}: run npm ci in {HERE}"
    host, port = gate.address(listener)
    path = "/mqtt" if listener.startswith("ws") else ""
    done = subprocess.run(["node", HERE / "mqttjs_client.js", f"{listener}://{host}:{port}{path}",
                           *([pki.ca, "one.test"] if LISTENERS[listener][2] else ["", ""]), version],
                          env={**os.environ, "NODE_PATH": str(NODE_MODULES)}, timeout=DEADLINE_S * 3, check=False,
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr


@pytest.mark.parametrize("version", [paho.mqtt.client.MQTTv31, paho.mqtt.client.MQTTv311, paho.mqtt.client.MQTTv5])
@pytest.mark.parametrize("listener", LISTENERS)
def test_many_paho_clients_hear_each_other(gate, pki, listener, version):
    """Each subscribes; one publishes; all hear it."""
    n = 50 if listener.startswith("mqtt") else 15  # mosquitto takes its time over WebSockets
    heard, ready = set(), threading.Semaphore(0)
    clients = []

    def make(i):
        client = paho.mqtt.client.Client(f"{listener}-{i}", protocol=version,
                                         transport="websockets" if listener.startswith("ws") else "tcp")
        if LISTENERS[listener][2]:
            context = ssl.create_default_context(cafile=pki.ca)
            context.check_hostname = False  # paho sends the address it connects to
            client.tls_set_context(context)
        client.on_connect = lambda *_: client.subscribe(f"all/{listener}", 1)
        client.on_subscribe = lambda *_: ready.release()
        client.on_message = lambda *_: heard.add(i)
        client.connect(*gate.address(listener))
        client.loop_start()
        return client

    try:
        for i in range(n):
            clients.append(make(i))
        for _ in clients:
            assert ready.acquire(timeout=DEADLINE_S)
        assert gate.listener_stats(listener)["open"] == n
        clients[0].publish(f"all/{listener}", b"hello", 1)
        until(lambda: len(heard) == n, "everybody to hear it")
    finally:
        for client in clients:
            client.disconnect()
            client.loop_stop()
    until(lambda: gate.listener_stats(listener)["open"] == 0, "all sessions to end")
