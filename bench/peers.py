"""mqgate and the proxies that it is measured against: their commands, with configurations that ask the same of each.

One or more threads (or workers, as nginx and hitch have them), no log, a PROXY header to the broker (version 2; nginx knows
version 1 only), TLS 1.2 and 1.3, everything else as it is by default.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess

CONNECTIONS = 9900  # clients; each takes two of the 20,000 descriptors that a process may have


def mqgate(at, front, back, threads, pem):
    path = at / "mqgate.conf"
    certificate = f"""tls = ( {{ name = "edge"; certificates = ( {{ chain = "{pem}"; key = "{pem}"; }} ); }} );""" if pem else ""
    path.write_text(f"""
global: {{ workers = {threads}; max_connections = {CONNECTIONS}; control_socket = "{at}/control"; log: {{ access = "off"; to = [ "stderr" ]; }}; }};
listeners = ( {{ name = "in"; bind = "127.0.0.1:{front}"; protocol = "mqtt"; backend = "broker"; {'tls = "edge";' if pem else ''} }} );
{certificate}
backends = ( {{ name = "broker"; check: {{ type = "none"; }};
               servers = ( {{ name = "s"; address = "127.0.0.1:{back}"; send_proxy = "v2"; }} ); }} );
admin: {{ bind = ""; }};
""", encoding="ascii")
    return ["-f", path]


def haproxy(at, front, back, threads, pem):
    path = at / "haproxy.cfg"
    path.write_text(f"""
global
    maxconn {CONNECTIONS}
    nbthread {threads}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen in
    bind 127.0.0.1:{front} {f'ssl crt {pem}' if pem else ''}
    server s 127.0.0.1:{back} send-proxy-v2
""", encoding="ascii")
    return ["-db", "-f", path]


def nginx(at, front, back, threads, pem):
    path = at / "nginx.conf"
    certificate = f"ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;" if pem else ""
    path.write_text(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
{'user root;' if os.geteuid() == 0 else ''}
worker_processes {threads};
pid {at}/nginx.pid;
error_log stderr emerg;
worker_rlimit_nofile 20000;
events {{ worker_connections 19900; }}
stream {{
    server {{
        listen 127.0.0.1:{front} {'ssl' if pem else ''} {'reuseport' if threads > 1 else ''};
        {certificate}
        proxy_pass 127.0.0.1:{back};
        proxy_protocol on;
        proxy_timeout 1h;
    }}
}}
""", encoding="ascii")
    return ["-c", path, "-p", at]


def hitch(at, front, back, threads, pem):
    path = at / "hitch.conf"
    path.write_text(f"""
frontend = "[127.0.0.1]:{front}"
backend = "[127.0.0.1]:{back}"
pem-file = "{pem}"
workers = {threads}
write-proxy-v2 = on
daemon = off
quiet = on
ocsp-dir = ""
{'user = "nobody"' if os.geteuid() == 0 else ''}
""", encoding="ascii")
    return ["--config", path]


def bare(_at, front, back, threads, _pem):
    return ["-n", threads, f"127.0.0.1:{front}", f"127.0.0.1:{back}"]


CONFIGURE = {"mqgate": mqgate, "haproxy": haproxy, "nginx": nginx, "hitch": hitch, "bare": bare}
OURS = {"mqgate": "src/mqgate", "bare": "bench/bare"}
SPEAKS = {"hitch": "tls", "bare": "plain"}  # the others both


class Peer:
    """name: one of CONFIGURE, or NAME=PATH for another binary of that kind."""

    def __init__(self, name, build):
        self.kind, _, path = name.partition("=")
        if self.kind not in CONFIGURE:
            raise SystemExit(f"bench: {name}: not one of {', '.join(CONFIGURE)}, direct, or one of these with =PATH")
        self.name = f"{self.kind} ({pathlib.Path(path).name})" if path else self.kind
        self.binary = shutil.which(path or (build / OURS[self.kind] if self.kind in OURS else self.kind))
        self.end = signal.SIGQUIT if self.kind == "mqgate" else signal.SIGTERM  # at once

    def speaks(self, tls):
        return SPEAKS.get(self.kind) in (None, "tls" if tls else "plain")

    def command(self, at, front, back, threads=1, pem=None):
        return [self.binary, *CONFIGURE[self.kind](at, front, back, threads, pem)]

    def version(self):
        if self.kind == "bare":
            return ""
        said = subprocess.run([self.binary, "--version" if self.kind in ("mqgate", "hitch") else "-v"], check=False,
                              capture_output=True, text=True)
        found = re.search(r"\d+\.\d+[\w.-]*", said.stdout + said.stderr)
        return found[0] if found else "?"


def certificate(at, kind):
    """One for localhost, "ec" (P-256) or "rsa" (2048), in one file with its key."""
    pem, chain = at / f"{kind}.pem", at / f"{kind}-chain.pem"
    how = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *how, "-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout", pem,
                    "-out", chain], check=True, stderr=subprocess.DEVNULL)
    pem.write_bytes(pem.read_bytes() + chain.read_bytes())
    pem.chmod(0o600)
    return pem
