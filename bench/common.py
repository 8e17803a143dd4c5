"""What the benchmarks share: free ports, starting and ending the two ends and the proxies between them."""
import contextlib
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pss_kib(pid):
    """Proportional set size without files: programs and libraries count the more, the fewer others have them open."""
    for line in open(f"/proc/{pid}/smaps_rollup", encoding="ascii"):
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1])
    raise RuntimeError("no Pss_Anon in smaps_rollup")


def wait_port(port, process):
    for _ in range(500):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with status {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("nobody listens")


@contextlib.contextmanager
def running(*command, end=signal.SIGTERM, **options):
    process = subprocess.Popen([str(word) for word in command], **options)
    try:
        yield process
    finally:
        process.send_signal(end)
        process.wait()


@contextlib.contextmanager
def holding(load, port, count, tls=None):
    """That many connections, open and idle; tls: "tls1.2" or "tls1.3"."""
    with running(load, "hold", f"127.0.0.1:{port}", count, *([tls] if tls else []), stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, text=True) as holder:
        if not holder.stdout.readline().startswith("held"):
            raise RuntimeError("not all connections could be opened")
        yield holder
