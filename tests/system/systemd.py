"""The real systemd, as the manager of one user, in a mount namespace and a control group of its own."""
import os
import signal
import subprocess

from mqgate import DEADLINE_S, until

# systemd wants to see that the machine runs it, and a control group to put its services into.
BEGIN = """
set -e
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/mqgate-test-$$
echo $$ >/sys/fs/cgroup/mqgate-test-$$/cgroup.procs
mount -t tmpfs none /run/systemd
mkdir /run/systemd/system
exec /lib/systemd/systemd --user --unit=basic.target
"""
END = "mount -t cgroup2 none /sys/fs/cgroup; find /sys/fs/cgroup/mqgate-test-%d -depth -type d -exec rmdir {} +"


class Systemd:
    """Units stand in `directory`; what its services say goes to files there."""

    def __init__(self, directory):
        self.directory = directory
        self._units = directory / "systemd" / "user"
        self._units.mkdir(parents=True)
        directory.chmod(0o700)
        env = {**os.environ, "XDG_RUNTIME_DIR": str(directory), "SYSTEMD_LOG_TARGET": "null"}
        env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        self._env = env
        with open(directory / "systemd.log", "wb") as log:
            self.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", BEGIN],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                            start_new_session=True)
        until(lambda: self._ctl("is-system-running", check=False).stdout.strip() in ("running", "degraded"),
              "systemd; it says: " + (directory / "systemd.log").read_text(encoding="utf-8"))

    def _ctl(self, *arguments, check=True):
        answer = subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", "systemctl", "--user", "--no-pager",
                                 *arguments], capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False,
                                env=self._env)
        assert answer.returncode == 0 or not check, answer.stdout + answer.stderr
        return answer

    def write(self, name, lines):
        """A unit of these lines of its [Service]."""
        (self._units / f"{name}.service").write_text("[Service]\n" + "\n".join(lines) + "\n", encoding="utf-8")
        self._ctl("daemon-reload")

    def read(self, name):
        return (self._units / f"{name}.service").read_text(encoding="utf-8").splitlines()[1:]

    def ctl(self, *arguments):
        return self._ctl(*arguments).stdout

    def show(self, name, what):
        return self._ctl("show", name, "--value", "-p", what).stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ctl("exit", check=False)
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", END % self.process.pid],
                       check=False, timeout=DEADLINE_S)
