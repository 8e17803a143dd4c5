"""From the command line to the ready line: what is said about what is wrong, and how the process exits."""
import os
import signal
import socket

import pytest

from mqgate import conf, conf_text, run
from pki import section
from servers import Echo, Listener

OK, BAD_CONFIG, BAD_USAGE, NOT_STARTED = 0, 1, 2, 3


@pytest.fixture
def conf_file(tmp_path):
    def write(configuration):
        file = tmp_path / "test.conf"
        file.write_text(configuration if isinstance(configuration, str) else conf_text(configuration),
                        encoding="utf-8")
        return file
    return write


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-x"], ["-f"], ["a-word"]])
def test_bad_usage_shows_the_usage_and_exits_2(arguments):
    done = run(*arguments)
    assert done.returncode == BAD_USAGE
    assert "usage: mqgate" in done.stderr and done.stdout == ""


def test_v_tells_the_version_and_vv_the_libraries():
    version, libraries = run("-v"), run("-vv")
    assert version.returncode == libraries.returncode == OK
    assert version.stdout.startswith("mqgate ") and version.stdout.count("\n") == 1
    assert libraries.stdout.startswith(version.stdout)
    for library in ("libev", "OpenSSL 3", "libconfig", "libmicrohttpd", "c-ares 1."):
        assert library in libraries.stdout


def test_all_errors_of_a_file_are_told_with_their_lines(conf_file):
    file = conf_file('global: { workers = "two"; wrokers = 2; };\n'
                     'listeners = ( { name = "in"; bind = "127.0.0.1:0"; protocol = "tcp";\n'
                     '  backend = "nowhere"; timeouts: { idle = 5; }; } );\n'
                     'backends = ( { name = "out"; servers = ( { name = "s"; address = "127.0.0.1"; } ); } );\n')
    done = run("-c", "-f", file)
    assert done.returncode == BAD_CONFIG
    for expected in (f"{file}:1: global.workers: found \"two\"",
                     f"{file}:1: global.wrokers: unknown key; did you mean \"workers\"?",
                     f"{file}:3: listeners.in.backend: found \"nowhere\"",
                     f"{file}:3: listeners.in.timeouts.idle: found the number 5",
                     f"{file}:4: backends.out.servers.s.address: found \"127.0.0.1\""):
        assert expected in done.stderr, done.stderr
    assert "mqgate: 5 errors in the configuration" in done.stderr


def test_a_bad_file_is_not_started(conf_file):
    done = run("-f", conf_file("global: { nonsense = 1; };\n"))
    assert done.returncode == BAD_CONFIG
    assert done.stdout == ""
    assert ":1: global.nonsense: unknown key" in done.stderr


def test_a_syntax_error_is_told_with_its_line(conf_file):
    file = conf_file("global: {\n  workers = = 2;\n};\n")
    done = run("-c", "-f", file)
    assert done.returncode == BAD_CONFIG
    assert f"{file}:2:" in done.stderr


def test_a_missing_file_is_named(tmp_path):
    done = run("-f", tmp_path / "absent.conf")
    assert done.returncode == BAD_CONFIG
    assert f"{tmp_path}/absent.conf" in done.stderr and os.strerror(2) in done.stderr


def test_a_good_file_passes_the_check(conf_file):
    file = conf_file(conf(1883))
    done = run("-c", "-f", file)
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout == f"{file}: the configuration is valid\n"


def test_the_printed_configuration_is_a_configuration_that_prints_the_same(conf_file):
    first = run("--print-config", "-f", conf_file(conf(1883, listener={"allow": ["10.0.0.0/8"]},
                                                       timeouts={"idle": "90s"})))
    assert first.returncode == OK
    for expected in ("half_closed", "healthy_when", "10.0.0.0/8", "fast_interval"):
        assert expected in first.stdout
    file = conf_file(first.stdout)
    assert run("-c", "-f", file).returncode == OK
    assert run("--print-config", "-f", file).stdout == first.stdout


def test_strings_take_variables_from_the_environment(conf_file, monkeypatch):
    monkeypatch.setenv("MQGATE_TEST_PORT", "12345")
    monkeypatch.delenv("MQGATE_TEST_UNSET", raising=False)
    printed = run("--print-config", "-f", conf_file(conf("127.0.0.1:${MQGATE_TEST_PORT}", global_={
        "node": "${MQGATE_TEST_UNSET:-by default}"}))).stdout
    assert "127.0.0.1:12345" in printed and "by default" in printed
    undefined = run("-c", "-f", conf_file(conf(1883, global_={"node": "${MQGATE_TEST_UNSET}"})))
    assert undefined.returncode == BAD_CONFIG and "MQGATE_TEST_UNSET" in undefined.stderr


def test_a_busy_port_exits_3_and_names_the_address(conf_file, serve):
    busy = serve(Listener)
    for configuration in (conf(1883, listener={"bind": f"127.0.0.1:{busy.port}"}),
                          conf(1883, admin={"bind": f"127.0.0.1:{busy.port}"})):
        done = run("-f", conf_file(configuration))
        assert done.returncode == NOT_STARTED
        assert f"listen on 127.0.0.1:{busy.port}: Address already in use" in done.stderr
        assert f"ss -ltnp 'sport = :{busy.port}'" in done.stderr
        assert "event=ready" not in done.stdout


def test_a_second_daemon_cannot_take_half_of_the_connections(mqgate, conf_file):
    first = mqgate(conf(1883))
    done = run("-f", conf_file(conf(1883, listener={"bind": f"127.0.0.1:{first.port()}"})))
    assert done.returncode == NOT_STARTED
    assert f"127.0.0.1:{first.port()}: Address already in use" in done.stderr


def test_ready_comes_once_every_listener_accepts(mqgate, serve):
    echo = serve(Echo)
    configuration = conf(echo.port, listener={"bind": ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]})
    gate = mqgate(configuration)
    addresses = [line["addr"] for line in gate.logged(event="listening", listener="in")]
    assert len(addresses) == 3
    for each in addresses:
        host, port = each.rsplit(":", 1)
        with socket.create_connection((host.strip("[]"), int(port)), 10) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
    ready = gate.wait_log(event="ready")
    assert int(ready["pid"]) == gate.pid and ready["workers"] == "2"


def test_the_pid_file_is_there_while_it_runs(mqgate, tmp_path):
    file = tmp_path / "mqgate.pid"
    gate = mqgate(conf(1883, global_={"pid_file": str(file)}))
    assert file.read_text(encoding="ascii") == f"{gate.pid}\n"
    gate.stop()
    assert not file.exists()


def test_readiness_is_told_to_the_service_manager(mqgate, tmp_path, monkeypatch):
    if "with systemd" not in run("-vv").stdout:
        pytest.skip("built without systemd")
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        gate = mqgate(conf(1883))
        assert b"READY=1" in manager.recv(1000)
        gate.stop()
        assert b"STOPPING=1" in manager.recv(1000)


# --- certificates ----------------------------------------------------------------------------------------------------

def with_certificate(chain, key):
    return conf(1883, listener={"tls": "edge"},
                tls=[{"name": "edge", "certificates": [{"chain": str(chain), "key": str(key)}]}])


def test_bad_certificates_are_errors_that_name_the_file(conf_file, pki, tmp_path):
    good, other = pki.leaf("one.test"), pki.leaf("two.test")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", encoding="ascii")
    absent = tmp_path / "absent.pem"
    for chain, key, said in ((absent, good.key, f"certificate {absent}: {os.strerror(2)}"),
                             (good.chain, absent, f"key {absent}: {os.strerror(2)}"),
                             (garbage, good.key, f"certificate {garbage}: "),
                             (good.chain, good.chain, f"key {good.chain}: "),
                             (good.chain, other.key, f"key {other.key}: does not match certificate {good.chain}")):
        file = conf_file(with_certificate(chain, key))
        for arguments in (["-c", "-f", file], ["-f", file]):
            done = run(*arguments)
            assert done.returncode == BAD_CONFIG, said
            assert "tls \"edge\"" in done.stderr and said in done.stderr, done.stderr


def test_an_expired_certificate_is_a_warning_with_its_date(mqgate, pki):
    expired = pki.leaf("expired.test", expired=True)
    gate = mqgate(with_certificate(*expired))
    text = gate.wait_log(event="tls_warning", level="warn")["text"]
    assert text.startswith(f"certificate {expired.chain}: has expired on ") and "2021" in text


def test_a_key_that_everybody_can_read_is_a_warning(mqgate, pki, tmp_path):
    leaf = pki.leaf("one.test")
    key = tmp_path / "open.key"
    key.write_bytes(open(leaf.key, "rb").read())
    key.chmod(0o644)
    gate = mqgate(with_certificate(leaf.chain, key))
    text = gate.wait_log(event="tls_warning")["text"]
    assert str(key) in text and "0644" in text


@pytest.mark.parametrize("options", [{"ciphers": "nonsense"}, {"groups": "nonsense"},
                                     {"client_ca": "/absent", "verify": "required"}])
def test_tls_options_that_openssl_refuses_are_errors(conf_file, pki, options):
    done = run("-c", "-f", conf_file(conf(1883, listener={"tls": "edge"},
                                          tls=[section("edge", pki.leaf("one.test"), **options)])))
    assert done.returncode == BAD_CONFIG
    assert "tls \"edge\"" in done.stderr and ("nonsense" in done.stderr or "/absent" in done.stderr)


# --- privileges ------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_user_and_group_are_taken_on_after_binding(mqgate, serve):
    echo = serve(Echo)
    gate = mqgate(conf(echo.port, global_={"user": "nobody", "group": "daemon"}))
    assert gate.status("Uid") == ["65534"] * 4
    assert gate.status("Gid") == ["1"] * 4
    assert gate.status("NoNewPrivs") == ["1"]
    assert set(gate.status("CapEff")) == {"0000000000000000"}
    # proc(5): the files of a process that may not be dumped belong to root, whoever it runs as.
    assert os.stat(f"/proc/{gate.pid}/environ").st_uid == 0
    with gate.connect() as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"


def test_no_new_privileges_also_without_a_user(mqgate):
    assert mqgate(conf(1883)).status("NoNewPrivs") == ["1"]


@pytest.mark.parametrize("wrong", [{"user": "no-such-user"}, {"group": "no-such-group"}])
def test_an_unknown_user_or_group_exits_3(conf_file, wrong):
    done = run("-f", conf_file(conf(1883, global_=wrong)))
    assert done.returncode == NOT_STARTED
    assert "no-such" in done.stderr
