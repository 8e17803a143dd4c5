"""/metrics: Prometheus' own tools have nothing to say, HAProxy's exporter has the same names, dashboards find theirs."""
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess

import pytest

from mqgate import DEADLINE_S, conf, until
from servers import Echo, HAProxy, Listener, Process, free_port

ETC = pathlib.Path(__file__).resolve().parent.parent.parent / "etc"

# What HAProxy 2.6's exporter has for TCP proxies and mqgate does not, or otherwise: name -> why.
NOT_HERE = {
    r"haproxy_\w+_http_.*|haproxy_frontend_intercepted_requests_total": "HTTP; newer HAProxys leave it out for TCP",
    r"haproxy_process_(http_comp|limit_http_comp|current_zlib|max_zlib).*": "nothing is compressed",
    r"haproxy_process_failed_resolutions": "a counter there, whose name promtool objects to; a gauge here",
}
# The other way round.
NOT_THERE = {
    r"haproxy_\w+_(req|res)_bytes_(in|out)_total": "newer",
    r"haproxy_(frontend|backend|server)_current_session_rate": "newer",
    r"haproxy_listener_connections_total": "newer",
    r"haproxy_process_node|haproxy_process_nb_thread_groups": "newer",
    r"haproxy_server_(active|backup)": "newer",
    r"haproxy_process_failed_resolutions": "a counter there",
}


@pytest.fixture
def gate(mqgate, serve, pki):
    files = pki.leaf("localhost")
    tls = [{"name": "edge", "certificates": [{"chain": files.chain, "key": files.key}]}]
    configuration = conf(serve(Echo).port, backend={"check": {"type": "tcp"}}, tls=tls, listener={"tls": "edge"})
    configuration["listeners"].append({**configuration["listeners"][0], "name": "mqtts", "protocol": "mqtt"})
    return mqgate(configuration)


def scrape(gate, query="", **headers):
    status, found, body = gate.get("/metrics" + query, headers)
    assert status == 200
    return found["content-type"], body.decode()


def samples(text):
    return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}


def scrape_of(port):
    """The samples of another exporter."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    connection.request("GET", "/metrics")
    return samples(connection.getresponse().read().decode())


def families(text):
    return dict(line.split(" ")[2:4] for line in text.splitlines() if line.startswith("# TYPE"))


def promtool(*arguments, stdin=None):
    return subprocess.run(["promtool", *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          timeout=60, check=False)


def test_promtool_has_nothing_to_say(gate):
    found = promtool("check", "metrics", stdin=scrape(gate)[1])
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_each_family_stands_together_under_one_head(gate):
    kind, text = scrape(gate)
    assert kind == "text/plain; version=0.0.4"
    seen, current = set(), None
    for line in text.splitlines():
        if line.startswith("# HELP"):
            current = line.split(" ")[2]
            assert current not in seen
            seen.add(current)
        elif not line.startswith("#"):
            assert re.match(r"[a-z_0-9]+", line).group(0) == current


def test_values_are_those_of_the_csv_and_states_add_up(gate, pki):
    context = ssl.create_default_context(cafile=pki.ca)
    with context.wrap_socket(gate.connect(), server_hostname="localhost") as client:
        client.sendall(b"12345")
        assert client.recv(5) == b"12345"
        found = samples(scrape(gate)[1])
        assert found['haproxy_frontend_current_sessions{proxy="in"}'] == 1
        assert found['haproxy_listener_bytes_in_total{proxy="in",listener="sock-1"}'] == 5
        assert found['haproxy_server_sessions_total{proxy="out",server="s0"}'] == 1
        assert found['mqgate_frontend_tls_sessions{proxy="in",version="TLSv1.3"}'] == 1
        assert found["haproxy_process_current_ssl_connections"] == 1 and found["mqgate_healthy"] == 1
    for name, states in (("haproxy_frontend_status", 1), ("haproxy_backend_status", 1), ("haproxy_server_status", 1),
                         ("haproxy_listener_status", 1), ("haproxy_server_check_status", 1)):
        groups = {}
        for key, value in found.items():
            if key.startswith(name + "{"):
                groups[re.sub(r',state="\w+"', "", key)] = groups.get(re.sub(r',state="\w+"', "", key), 0) + value
        assert groups and set(groups.values()) == {states}, (name, groups)
    gate.control("disable server out/s0")
    found = samples(scrape(gate)[1])
    assert found['haproxy_server_status{proxy="out",server="s0",state="MAINT"}'] == 1
    assert found['haproxy_backend_agg_server_status{proxy="out",state="MAINT"}'] == 1
    assert found['haproxy_backend_agg_server_status{proxy="out",state="UP"}'] == 0


def test_counters_only_grow(gate, pki):
    context = ssl.create_default_context(cafile=pki.ca)
    before = {}
    for _ in range(5):
        with context.wrap_socket(gate.connect(), server_hostname="localhost") as client:
            client.sendall(b"hello")
            assert client.recv(5)
        text = scrape(gate)[1]
        kinds, now = families(text), samples(text)
        for key, value in before.items():
            if kinds[re.match(r"\w+", key).group(0)] == "counter":
                assert now[key] >= value, key
        before = now


def prefixes(text):
    return {"_".join(name.split("_")[:2]) for name in families(text)}


def test_only_what_is_asked_for_comes(gate):
    assert prefixes(scrape(gate, "?scope=server")[1]) == {"haproxy_server", "mqgate_server"}
    both = scrape(gate, "?scope=frontend&scope=backend&x=y")[1]
    assert prefixes(both) == {"haproxy_frontend", "haproxy_backend", "mqgate_frontend", "mqgate_backend"}
    assert scrape(gate, "?scope=resolver")[1] == ""
    named = scrape(gate, "?metrics=mqgate_healthy%2Chaproxy_server_weight,nonsense")[1]
    assert set(families(named)) == {"mqgate_healthy", "haproxy_server_weight"}
    assert set(families(scrape(gate)[1])) - set(families(scrape(gate, "?metrics=-mqgate_healthy")[1])) == {
        "mqgate_healthy"}
    gate.control("disable server out/s0")
    assert "haproxy_server_current_sessions" not in scrape(gate, "?no-maint")[1]
    assert gate.get("/metricsX")[0] == 404


def test_who_may_not_see_the_statistics_may_not_see_metrics(mqgate, serve):
    assert mqgate(conf(serve(Echo).port, admin={"stats_allow": ["10.0.0.0/8"]})).get("/metrics")[0] == 403


def test_a_certificate_named_twice_is_told_of_once(mqgate, serve, pki):
    files = pki.leaf("localhost")
    twice = [{"chain": files.chain, "key": files.key}] * 2
    gate = mqgate(conf(serve(Echo).port, tls=[{"name": "edge", "certificates": twice}], listener={"tls": "edge"}))
    text = scrape(gate, "?metrics=mqgate_certificate_not_after_seconds")[1]
    assert len([line for line in text.splitlines() if line[0] != "#"]) == 1


def open_metrics_families(text):
    """As Debian's parser, in Debian's python, has them."""
    parsed = subprocess.run(["/usr/bin/python3", "-c", "import sys; from prometheus_client.openmetrics.parser import *\n"
                             "print(len(list(text_string_to_metric_families(sys.stdin.read()))))"],
                            input=text, capture_output=True, text=True, timeout=60, check=False)
    assert parsed.returncode == 0, parsed.stderr
    return int(parsed.stdout)


def test_open_metrics_when_asked_for(gate, mqgate, serve):
    accept = "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"
    kind, text = scrape(gate, Accept=accept)
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8" and text.endswith("# EOF\n")
    assert open_metrics_families(text) == len(families(text))
    assert open_metrics_families(scrape(gate, "?metrics=none", Accept=accept)[1]) == 0
    # What nobody checks has counters without a value.
    unchecked = mqgate(conf(serve(Echo).port, backend={"check": {"type": "none"}}))
    assert 'check_failures_total{proxy="out",server="s0"} NaN' in scrape(unchecked)[1]
    assert open_metrics_families(scrape(unchecked, Accept=accept)[1]) > 100


def shape(text):
    """Types by family, and the labels of the samples of proxies "in" and "out" and of the process, a state and a
    server's name included."""
    ours = [key for key in samples(text) if key.startswith("haproxy_")
            and re.search(r'proxy="(?!in"|out")', key) is None]
    kinds = families(text)
    names = {re.match(r"\w+", key).group(0) for key in ours}
    return {name: kinds[name] for name in names}, {re.sub(r'(version|node)="[^"]*"', r"\1", key) for key in ours}


def unlike(names, patterns):
    return {name for name in names if not any(re.fullmatch(each, re.match(r"\w+", name).group(0)) for each in patterns)}


def test_names_types_and_labels_are_haproxy_s(mqgate, serve, tmp_path):
    ports = [serve(Listener).port for _ in range(2)]
    gate = mqgate(conf(ports, backend={"check": {"type": "tcp", "interval": "100ms"}}))
    directory = tmp_path / "haproxy"
    directory.mkdir()
    proxy = serve(HAProxy, directory, f"""
frontend in
  option socket-stats
  bind {{front}}
  default_backend out
backend out
  server s0 127.0.0.1:{ports[0]} check inter 100
  server s1 127.0.0.1:{ports[1]} check inter 100
frontend metrics
  mode http
  bind {{metrics}}
  http-request use-service prometheus-exporter
""", "front", "metrics")

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", proxy.ports["metrics"], timeout=DEADLINE_S)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    for get in (ask, lambda: scrape(gate)[1]):
        until(lambda get=get: get().count("haproxy_server_check_duration_seconds{") == 2, "the first checks")
    their_types, their_samples = shape(ask())
    our_types, our_samples = shape(scrape(gate)[1])
    assert unlike(set(their_types) - set(our_types), NOT_HERE) == set()
    assert unlike(set(our_types) - set(their_types), NOT_THERE) == set()
    assert {name for name in set(our_types) & set(their_types) if our_types[name] != their_types[name]} == {
        "haproxy_process_failed_resolutions"}
    assert unlike(their_samples - our_samples, NOT_HERE) == set()
    assert unlike(our_samples - their_samples, NOT_THERE) == set()
    for each in {**NOT_HERE, **NOT_THERE}:  # none is listed in vain
        assert any(re.fullmatch(each, name) for name in {**their_types, **our_types}), each


def test_states_of_servers_are_haproxy_s(mqgate, serve, tmp_path):
    """Up, in maintenance, drained, of weight 0."""
    ports = [serve(Listener).port for _ in range(4)]
    gate = mqgate(conf(ports))
    directory = tmp_path / "haproxy"
    directory.mkdir()
    lines = "\n".join(f"  server s{i} 127.0.0.1:{port}" for i, port in enumerate(ports))
    proxy = serve(HAProxy, directory, f"""
global
  stats socket {directory}/control.sock level admin
frontend in
  bind {{front}}
  default_backend out
backend out
{lines}
frontend metrics
  mode http
  bind {{metrics}}
  http-request use-service prometheus-exporter
""", "front", "metrics")
    until((directory / "control.sock").exists, "HAProxy")
    for command in ("set server out/s1 state maint", "set server out/s2 state drain", "set weight out/s3 0"):
        gate.control(command)
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(directory / "control.sock"))
            control.sendall(command.encode() + b"\n")
            assert control.recv(1000).strip() == b"", command

    def states(found):
        return {key: value for key, value in found.items()
                if re.match(r'haproxy_(server_status|backend_agg_server\w*_status)\{proxy="out"', key)}

    until(lambda: states(scrape_of(proxy.ports["metrics"])) == states(samples(scrape(gate)[1])), "the same states")
    assert states(samples(scrape(gate)[1]))['haproxy_backend_agg_server_status{proxy="out",state="DRAIN"}'] == 1


def test_rules_and_dashboard_use_metrics_that_exist(gate):
    assert promtool("check", "rules", ETC / "prometheus/mqgate.rules.yml").returncode == 0
    found = promtool("test", "rules", ETC / "prometheus/mqgate.rules.test.yml")
    assert found.returncode == 0, found.stdout + found.stderr
    assert promtool("check", "config", ETC / "prometheus/prometheus.yml").returncode == 0
    known = set(families(scrape(gate)[1]))
    rules = (ETC / "prometheus/mqgate.rules.yml").read_text(encoding="utf-8")
    dashboard = json.loads((ETC / "grafana/mqgate.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(expressions) > 30 and len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    used = set(re.findall(r"\b(?:haproxy|mqgate)_\w+", " ".join(re.findall(r"expr: (?:>-\n)?((?:.*\n)(?:          .*\n)*)", rules))))
    used |= set(re.findall(r"\b(?:haproxy|mqgate)_\w+", " ".join(expressions)))
    assert len(used) > 30 and used <= known, used - known
    tests = (ETC / "prometheus/mqgate.rules.test.yml").read_text(encoding="utf-8")
    for alert in re.findall(r"alert: (\w+)", rules):  # where it is silent, and where it is not
        assert f"alertname: {alert} }}" in tests and re.search(rf"alertname: {alert}\n +exp_alerts", tests), alert
    for variable in dashboard["templating"]["list"][1:]:
        assert set(re.findall(r"\b(?:haproxy|mqgate)_\w+", variable["definition"])) <= known


class Prometheus(Process):
    def __init__(self, directory, target):
        super().__init__(directory)
        self.port = free_port()
        (directory / "prometheus.yml").write_text(
            "global: { scrape_interval: 1s }\nscrape_configs:\n- job_name: mqgate\n  static_configs:\n"
            f"  - targets: [ '{target}' ]\n", encoding="ascii")
        self._spawn("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                    f"--web.listen-address=127.0.0.1:{self.port}")
        self._await(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0, "prometheus", 30)

    def ask(self, query):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        connection.request("GET", f"/api/v1/query?query={query}")
        answer = connection.getresponse()
        return json.loads(answer.read())["data"]["result"] if answer.status == 200 else []  # 503 while it starts


def test_a_prometheus_scrapes_it(gate, serve, tmp_path):
    directory = tmp_path / "prometheus"
    directory.mkdir()
    server = serve(Prometheus, directory, "%s:%d" % gate.address("admin"))
    until(lambda: [result["value"][1] for result in server.ask("up")] == ["1"], "the first scrape", 30)
    until(lambda: server.ask("mqgate_healthy"), "a sample", 30)
