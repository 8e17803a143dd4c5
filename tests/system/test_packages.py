"""What make bindist and make deb make: what it needs, what is in it, and that it works."""
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

from mqgate import DEADLINE_S, HERE, SANITIZER, until
from servers import Echo, free_port

pytestmark = [pytest.mark.skipif(SANITIZER is not None, reason="packages are made without a sanitizer"),
              pytest.mark.limit(300)]
SCRIPTS = HERE.parent.parent / "scripts"
GLIBC_OF_ORACLE_LINUX_9 = (2, 34)


def made(script, directory):
    environment = {**os.environ, "DEBFULLNAME": "Packager", "DEBEMAIL": "packager@debian.org"}
    done = subprocess.run([SCRIPTS / script, directory], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    package = pathlib.Path(done.stdout.splitlines()[-1])
    subprocess.run(["sha256sum", "--check", "--quiet", f"{package.name}.sha256"], cwd=directory, check=True)
    return package


@pytest.fixture(scope="module")
def bindist(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bindist")
    with tarfile.open(made("bindist", directory)) as tar:
        tar.extractall(directory)
    return directory / "mqgate"


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    return made("deb", tmp_path_factory.mktemp("deb"))


@pytest.mark.parametrize("program", ["sbin/mqgate", "bin/mqgatectl"])
def test_the_tarball_needs_glibc_and_openssl_only(bindist, program):
    shown = subprocess.run(["readelf", "-dV", bindist / program], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", shown))
    assert needed <= {"libssl.so.3", "libcrypto.so.3", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2",
                      "ld-linux-aarch64.so.1"}
    versions = [tuple(map(int, each.split("."))) for each in re.findall(r"Name: GLIBC_([\d.]+)", shown)]
    assert versions and max(versions) <= GLIBC_OF_ORACLE_LINUX_9
    assert set(re.findall(r"Name: OPENSSL_([\d.]+)", shown)) <= {"3.0.0"}


LIBRARIES = ["libc.so.6", "libm.so.6", "libssl.so.3", "libcrypto.so.3"]
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_a_system_with_glibc_and_openssl_is_enough(bindist, tmp_path, pki):
    """What the tarball says of itself, run: nothing else of this system is there."""
    root = tmp_path / "root"
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    loader = LOADERS[os.uname().machine]
    for file in [loader] + [re.search(rf"{re.escape(name)} .*=> (\S+)", known)[1] for name in LIBRARIES]:
        (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / file[1:])
    shutil.copytree(bindist, root / "mqgate")
    for name, file in zip(("chain.pem", "key.pem"), pki.leaf("gate.test")):
        shutil.copy(file, root / name)
    port = free_port()
    (root / "mqgate.conf").write_text(f'''
        global: {{ control_socket = "/control"; }};
        listeners = ( {{ name = "in"; bind = "127.0.0.1:{port}"; protocol = "mqtt"; backend = "out"; tls = "edge"; }} );
        tls = ( {{ name = "edge"; certificates = ( {{ chain = "/chain.pem"; key = "/key.pem"; }} ); }} );
        backends = ( {{ name = "out"; servers = ( {{ name = "s"; address = "127.0.0.1:1"; }} ); }} );
        admin: {{ bind = ""; }};''', encoding="utf-8")
    with subprocess.Popen(["/usr/sbin/chroot", root, "/mqgate/sbin/mqgate", "-f", "/mqgate.conf"], stdout=subprocess.DEVNULL) as process:
        try:
            until((root / "control").exists, "the control socket")
            asked = subprocess.run(["/usr/sbin/chroot", root, "/mqgate/bin/mqgatectl", "-s", "/control", "show", "info"],
                                   capture_output=True, text=True, check=True, timeout=DEADLINE_S)
            assert "mqgate" in asked.stdout
            shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-CAfile", pki.ca],
                                   capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=DEADLINE_S)
            assert "Verify return code: 0 (ok)" in shown.stdout
        finally:
            process.terminate()
        assert process.wait(DEADLINE_S) == 0


def test_what_is_in_the_tarball_works(bindist, serve, tmp_path):
    echo, port, admin = serve(Echo), free_port(), free_port()
    conf = tmp_path / "mqgate.conf"
    conf.write_text(f'''
        global: {{ control_socket = "{tmp_path}/control"; }};
        listeners = ( {{ name = "in"; bind = "127.0.0.1:{port}"; protocol = "tcp"; backend = "out"; }} );
        backends = ( {{ name = "out"; servers = ( {{ name = "s"; address = "localhost:{echo.port}"; }} ); }} );
        admin: {{ bind = "127.0.0.1:{admin}"; }};''', encoding="utf-8")
    with subprocess.Popen([bindist / "sbin" / "mqgate", "-f", conf], stdout=subprocess.DEVNULL) as process:
        try:
            def health():
                return subprocess.run(["curl", "-s", "-o", tmp_path / "page", "-w", "%{http_code}",
                                       f"http://127.0.0.1:{admin}/haproxy_health"], capture_output=True, text=True,
                                      check=False).stdout
            until(lambda: health() == "200", "health")
            asked = subprocess.run([bindist / "bin" / "mqgatectl", "-s", tmp_path / "control", "show", "info"],
                                   capture_output=True, text=True, check=True, timeout=DEADLINE_S)
            assert "mqgate" in asked.stdout
        finally:
            process.terminate()
        assert process.wait(DEADLINE_S) == 0


def test_lintian_finds_no_error(deb):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", deb], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_package_has_its_place_on_a_system(deb, tmp_path):
    root = tmp_path / "root"
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/info").mkdir()
    (root / "var/lib/dpkg/status").touch()
    subprocess.run(["dpkg", f"--root={root}", "--force-not-root", "--force-depends", "--log=/dev/null", "--unpack", deb],
                   check=True, capture_output=True)
    checked = subprocess.run([root / "usr/sbin/mqgate", "-c", "-f", root / "etc/mqgate/mqgate.conf.dpkg-new"], check=False,
                             capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    unit = (root / "lib/systemd/system/mqgate.service").read_text(encoding="utf-8")
    assert "ExecStart=/usr/sbin/mqgate -f /etc/mqgate/mqgate.conf" in unit
    assert (root / "etc/mqgate/tls").is_dir()
    assert (root / "var/lib/dpkg/info/mqgate.conffiles").read_text(encoding="utf-8") == "/etc/mqgate/mqgate.conf\n"


def test_its_user_is_made_once(deb, tmp_path):
    subprocess.run(["dpkg-deb", "--control", deb, tmp_path / "control"], check=True)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("getent", f'grep -q "^$2" {tmp_path}/users'), ("adduser", f'echo mqgate >>{tmp_path}/users'),
                       ("chown", f'echo chown "$@" >>{tmp_path}/log'), ("chmod", f'echo chmod "$@" >>{tmp_path}/log'),
                       ("systemctl", "true")):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        os.chmod(tools / name, 0o755)
    (tmp_path / "users").touch()
    for _ in range(2):
        subprocess.run(["sh", tmp_path / "control" / "postinst", "configure"], check=True,
                       env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert (tmp_path / "users").read_text(encoding="utf-8") == "mqgate\n"
    assert (tmp_path / "log").read_text(encoding="utf-8").split("\n")[:2] == [
        "chown root:mqgate /etc/mqgate/tls", "chmod 750 /etc/mqgate/tls"]
