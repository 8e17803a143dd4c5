"""What the benchmarks share: free ports, starting and ending the two ends and the proxies between them, what they take."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time


TOP = pathlib.Path(__file__).resolve().parent.parent
IN_NAMESPACE = "BENCH_IN_NAMESPACE"


def enter_namespace():
    """The program begins again in a network namespace of its own, where there are no other connections and none wait in
    TIME-WAIT. False: that is not to be had."""
    if IN_NAMESPACE not in os.environ:
        command = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]
        if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
            return False
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", [*command, sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return True


def set_net(name, value):
    """Of the namespace."""
    pathlib.Path("/proc/sys/net/ipv4", name).write_text(value, encoding="ascii")


def built(directory):
    """A build with the programs of the benchmarks; None: one of its own, made as far as it is not there."""
    if directory is not None:
        return directory.resolve()
    build = TOP / "build/bench"
    for command in ([TOP / "scripts/build-tree", build], ["make", "-s", "-C", build, "bench-programs"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bench: mqgate could not be built (scripts/install-deps build):\n{done.stderr}")
    return build


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    """It and its children, and theirs."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    found = [pid]
    for process in found:
        found.extend(child for child, parent in parents.items() if parent == process)
    return found


def pss_kib(*pids):
    """Proportional set size without files: programs and libraries count the more, the fewer others have them open."""
    return sum(int(line.split()[1]) for pid in pids for line in open(f"/proc/{pid}/smaps_rollup", encoding="ascii")
               if line.startswith("Pss_Anon:"))


def cpu_s(pids):
    """Of all their threads that live."""
    return sum(int(path.read_text(encoding="ascii").split()[0])
               for pid in pids for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def slab_bytes():
    """Of the kernel's objects that are in use; their pages, who may not see that."""
    with contextlib.suppress(PermissionError):
        lines = open("/proc/slabinfo", encoding="ascii").read().splitlines()[2:]
        return sum(int(active) * int(size) for _, active, _, size, *_ in map(str.split, lines))
    for line in open("/proc/meminfo", encoding="ascii"):
        if line.startswith("Slab:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Slab in meminfo")


def settled(figure, seconds):
    """The least of what it tells, once that has not fallen for so long."""
    least, since = figure(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.1)
        now = figure()
        if now < least:
            least, since = now, time.monotonic()
    return least


def await_no_time_wait():
    """Of the namespace."""
    while "tw 0 " not in pathlib.Path("/proc/net/sockstat").read_text(encoding="ascii"):
        time.sleep(0.5)


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
def broker(build, port):
    with running(build / "bench/broker", f"127.0.0.1:{port}", end=signal.SIGKILL, stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, text=True) as process:
        wait_port(port, process)
        yield process


@contextlib.contextmanager
def loading(build, port, what, *options):
    """The clients, once all are there."""
    with running(build / "bench/load", *options, what, f"127.0.0.1:{port}", end=signal.SIGKILL, stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE, text=True) as load:
        await_line(load, "held")
        yield load


def await_line(load, text):
    line = load.stdout.readline()
    if line.strip() != text:
        raise RuntimeError(f"the clients said {line.strip() or 'nothing'!r}, not {text!r}")
