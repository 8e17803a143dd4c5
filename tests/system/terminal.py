"""A terminal of tmux, driven by keys and read as lines of text."""
import contextlib
import itertools
import subprocess

from mqgate import DEADLINE_S, environment, until


numbers = itertools.count()


class Terminal:
    """Runs a shell command in cols x lines; what it leaves on the screen can be read until close()."""

    def __init__(self, directory, command, cols=80, lines=24, **env):
        self._socket = directory / f"tmux{next(numbers)}.sock"
        environ = {k: v for k, v in environment().items() if not k.startswith("TMUX")}
        self._env = {**environ, "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh", **{k: str(v) for k, v in env.items()}}
        (directory / "tmux.conf").write_text("set -g status off\nset -g escape-time 0\n", encoding="ascii")
        self._tmux("-f", directory / "tmux.conf", "new-session", "-d", "-x", cols, "-y", lines, f"{command}; cat")

    def _tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", self._socket, *map(str, arguments)], env=self._env, check=True, text=True,
                              capture_output=True, timeout=DEADLINE_S).stdout

    def lines(self):
        return self._tmux("capture-pane", "-p").split("\n")

    def text(self):
        return "\n".join(self.lines())

    def colours(self):
        """The screen with its escape sequences."""
        return self._tmux("capture-pane", "-p", "-e")

    def press(self, *keys):
        self._tmux("send-keys", *keys)

    def pid(self):
        """Of the shell, or of what it executed."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def resize(self, cols, lines):
        self._tmux("resize-window", "-x", cols, "-y", lines)

    def shows(self, *texts, timeout=None):
        """Waits until all of these are on the screen."""
        seen = []

        def there():
            seen[:] = [self.text()]
            return all(text in seen[0] for text in texts)
        try:
            until(there, f"{texts}", timeout)
        except AssertionError as e:
            raise AssertionError(f"{e} on:\n{seen[0]}") from None

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
