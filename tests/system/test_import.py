"""mqgatectl import: the same traffic, first through HAProxy and then through mqgate with what was made of its file."""
import base64
import http.client
import os
import socket
import ssl
import subprocess

import pytest

import proxyproto
from mqgate import BUILD, DEADLINE_S, environment, pattern, run, until
from servers import Echo, Listener, Process, free_port, listens

ALL, PARTLY, BAD_USAGE, FAILED = 0, 1, 2, 3
SMALL = "frontend f\n bind 127.0.0.1:1883\n default_backend b\nbackend b\n server s 127.0.0.1:2883 check\n"


def import_(*arguments, text=None):
    return subprocess.run([BUILD / "src" / "mqgatectl", "import", *map(str, arguments)], input=text, text=True,
                          capture_output=True, timeout=DEADLINE_S, check=False, env=environment())


class RealHAProxy(Process):
    def __init__(self, directory, file, ports):
        super().__init__(directory)
        self._spawn("haproxy", "-db", "-f", str(file))
        self._await(lambda: all(listens(port) for port in ports), "haproxy", 20)


class Site:
    """A configuration of HAProxy's with something of everything, on free ports, and what is behind it."""

    def __init__(self, directory, pki, echo, server, broker):
        names = ("plain", "tls", "mutual", "behind_lb", "mqtt", "stats")
        self.ports = {name: free_port() for name in names}
        self.server, self.pki = server, pki
        self.device = pki.leaf("device-1")
        edge = pki.leaf("edge.test")
        pem = directory / "edge.pem"
        pem.write_text(open(edge.chain, encoding="ascii").read() + open(edge.key, encoding="ascii").read(),
                       encoding="ascii")
        self.file = directory / "haproxy.cfg"
        self.file.write_text(f"""
global
    log stdout format raw daemon info
    stats socket {directory}/ctl mode 660 level admin
    nbthread 2
    maxconn 2000
    ca-base {os.path.dirname(pki.ca)}
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode tcp
    log global
    option tcplog
    timeout connect 5000
    timeout client 240s
    timeout server 240s
    retries 2

frontend echoes
    bind 127.0.0.1:{self.ports['plain']} name plain
    bind 127.0.0.1:{self.ports['tls']} ssl crt {pem} alpn mqtt
    bind 127.0.0.1:{self.ports['mutual']} ssl crt {pem} ca-file {os.path.basename(pki.ca)} verify required
    default_backend echo

backend echo
    balance leastconn
    server one 127.0.0.1:{echo.port}

listen behind-lb
    bind 127.0.0.1:{self.ports['behind_lb']} accept-proxy
    tcp-request connection reject unless {{ src 127.0.0.0/8 }}
    server one 127.0.0.1:{server.port} send-proxy-v2

frontend mqtt_in
    bind 127.0.0.1:{self.ports['mqtt']}
    tcp-request inspect-delay 5s
    tcp-request content reject unless {{ req.payload(0,0),mqtt_is_valid }}
    default_backend broker

backend broker
    stick-table type string len 32 size 1k expire 30m
    stick on req.payload(0,0),mqtt_field_value(connect,client_identifier)
    option tcp-check
    tcp-check connect
    tcp-check send-binary 101000044d5154540402003c0004636b3031
    tcp-check expect binary 20020000
    server local 127.0.0.1:{broker.port} check inter 200

listen status
    mode http
    bind 127.0.0.1:{self.ports['stats']}
    stats enable
    stats uri /stats
    stats auth ops:not-in-the-clear
    monitor-uri /alive
""", encoding="ascii")


@pytest.fixture(scope="module")
def site(tmp_path_factory, pki, mosquitto):
    with Echo() as echo, Listener() as server:
        yield Site(tmp_path_factory.mktemp("site"), pki, echo, server, mosquitto)


def start_haproxy(site, tmp_path, _mqgate):
    assert subprocess.run(["haproxy", "-c", "-f", site.file], check=False, capture_output=True).returncode == 0
    return RealHAProxy(tmp_path, site.file, site.ports.values())


def start_mqgate(site, tmp_path, mqgate):
    made = tmp_path / "made.conf"
    done = import_("-o", made, site.file)
    assert done.returncode in (ALL, PARTLY), done.stderr
    checked = run("-c", "-f", made)
    assert checked.returncode == 0, checked.stderr
    gate = mqgate(made.read_text(encoding="utf-8"))
    gate.wait_log(event="backend_up", backend="broker")
    return None


@pytest.fixture(params=["haproxy", "mqgate"])
def proxy(request, site, tmp_path, mqgate):
    process = {"haproxy": start_haproxy, "mqgate": start_mqgate}[request.param](site, tmp_path, mqgate)
    yield site
    if process:
        process.stop()


def connect(site, name):
    return socket.create_connection(("127.0.0.1", site.ports[name]), DEADLINE_S)


def tls(site, name, identity=None):
    context = ssl.create_default_context(cafile=site.pki.ca)
    context.set_alpn_protocols(["mqtt"])
    if identity:
        context.load_cert_chain(identity.chain, identity.key)
    return context.wrap_socket(connect(site, name), server_hostname="edge.test")


def echoed(sock, data):
    sock.sendall(data)
    assert proxyproto.receive_exactly(sock, len(data)) == data


def get(site, path, user=None):
    connection = http.client.HTTPConnection("127.0.0.1", site.ports["stats"], timeout=DEADLINE_S)
    try:
        headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_everything_that_went_through_goes_through(proxy):
    data = pattern(50000, 1)
    with connect(proxy, "plain") as sock:
        echoed(sock, data)
    with tls(proxy, "tls") as sock:
        assert sock.selected_alpn_protocol() == "mqtt"
        echoed(sock, data)
    with tls(proxy, "mutual", proxy.device) as sock:
        echoed(sock, data)


def test_who_shows_no_certificate_stays_outside(proxy):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with tls(proxy, "mutual") as sock:  # TLS 1.3: the refusal comes behind the handshake
            echoed(sock, b"hello")


def test_the_client_of_a_proxy_header_is_told_to_the_server(proxy):
    with connect(proxy, "behind_lb") as sock:
        sock.sendall(proxyproto.v1(("203.0.113.9", 4000), ("203.0.113.1", 1883)) + b"hello")
        server = proxy.server.accept()
        header = proxyproto.receive(server)
        assert header.version == 2 and header.src == ("203.0.113.9", 4000)
        assert proxyproto.receive_exactly(server, 5) == b"hello"


def test_mqtt_clients_reach_their_broker(proxy):
    port = str(proxy.ports["mqtt"])
    client = ["-h", "127.0.0.1", "-p", port, "-t", f"imported/{port}", "-q", "1"]
    subprocess.run(["mosquitto_pub", *client, "-r", "-m", "hello"], check=True, timeout=DEADLINE_S)
    done = subprocess.run(["mosquitto_sub", *client, "-C", "1"], check=True, timeout=DEADLINE_S, capture_output=True)
    assert done.stdout == b"hello\n"


def test_health_and_statistics_are_where_they_were(proxy):
    assert until(lambda: get(proxy, "/alive") == 200)
    assert get(proxy, "/stats") == 401
    assert get(proxy, "/stats;json", "ops:wrong") == 401
    assert get(proxy, "/stats;json", "ops:not-in-the-clear") == 200


def test_every_line_that_stays_behind_is_named(site):
    done = import_(site.file)
    assert "not-in-the-clear" not in done.stdout + done.stderr
    for line in done.stderr.splitlines():
        name, number, rest = line.split(":", 2)
        assert name == str(site.file)
        written = site.file.read_text(encoding="ascii").splitlines()[int(number) - 1].split()
        assert rest.split()[:2] == written[:2] or rest.split()[0].rstrip(":") == written[0]


@pytest.mark.parametrize("text, status", [(SMALL, ALL), (SMALL + "peers p\n", PARTLY), ("", FAILED), ("x\0y", FAILED)])
def test_the_exit_status_tells_how_much_was_carried_over(tmp_path, text, status):
    file = tmp_path / "haproxy.cfg"
    file.write_text(text, encoding="ascii")
    by_name, by_pipe = import_(file), import_("-", text=text)
    assert by_name.returncode == by_pipe.returncode == status
    assert (by_name.stdout == "") == (status == FAILED)
    assert (by_name.stderr == "") == (status == ALL)
    assert "standard input" in by_pipe.stdout + by_pipe.stderr


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["-o", "x"], ["-x", "a"]])
def test_bad_usage_exits_2(arguments):
    done = import_(*arguments)
    assert done.returncode == BAD_USAGE and done.stderr.startswith("usage: mqgatectl import")


def test_what_cannot_be_read_or_written_exits_3(tmp_path):
    missing = import_(tmp_path / "missing")
    unwritten = import_("-o", tmp_path / "no" / "file", "-", text=SMALL)
    assert missing.returncode == unwritten.returncode == FAILED
    assert "missing: open: No such file or directory" in missing.stderr
    assert "No such file or directory" in unwritten.stderr


def test_the_file_that_is_made_is_for_its_owner_alone(tmp_path):
    made = tmp_path / "mqgate.conf"
    done = import_("-o", made, "-", text=SMALL)
    assert done.returncode == ALL and done.stdout == ""
    assert made.stat().st_mode & 0o777 == 0o600
    assert run("-c", "-f", made).returncode == 0


def test_certificates_of_a_directory_are_found(tmp_path):
    for name in ("b.pem", "a.pem", "readme"):
        (tmp_path / name).touch()
    done = import_("-", text=SMALL.replace(":1883", f":8883 ssl crt {tmp_path}"))
    assert done.returncode == ALL
    assert done.stdout.index("a.pem") < done.stdout.index("b.pem") and "readme" not in done.stdout


def test_a_name_that_this_machine_knows_becomes_its_address():
    done = import_("-", text=SMALL.replace("127.0.0.1:2883", "localhost:2883"))
    assert 'address = "127.0.0.1:2883"' in done.stdout or "localhost:2883" in done.stdout
    assert done.returncode == ALL


def test_a_variable_that_the_environment_lacks_is_told():
    done = import_("-", text=SMALL.replace("127.0.0.1:2883", '"${NOT_SET_ANYWHERE}":2883'))
    assert 'address = "${NOT_SET_ANYWHERE}:2883"' in done.stdout
    assert done.returncode == PARTLY and "which the environment does not have" in done.stderr
