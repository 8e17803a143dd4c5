"""A headless Chromium, driven over page.js."""
import json
import os
import shutil
import subprocess

from mqgate import HERE
from node import NODE_MODULES


class Browser:
    """One page at a time. Every call fails when the browser could not do it."""

    def __init__(self, directory):
        assert (NODE_MODULES / "playwright-core").is_dir(), f"playwright-core is not there: run npm ci in {HERE}"
        chromium = shutil.which("chromium")
        assert chromium, "chromium is not there: run scripts/install-deps test"
        self._errors = open(directory / "stderr", "wb")
        self._process = subprocess.Popen(["node", HERE / "page.js", chromium], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=self._errors, text=True,
                                         env={**os.environ, "NODE_PATH": str(NODE_MODULES)})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _order(self, what, **arguments):
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the browser ended: see {self._errors.name}"
        answer = json.loads(answer)
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def open(self, url, **options):
        """options are those of a context of Playwright: viewport, colorScheme, reducedMotion, hasTouch..."""
        self._order("open", url=url, options=options)

    def look(self, expression):
        """The value of an expression of JavaScript in the page."""
        return self._order("look", expression=expression)

    def press(self, key):
        self._order("press", key=key)

    def click(self, selector):
        self._order("click", selector=selector)

    def tap(self, selector):
        self._order("tap", selector=selector)

    def hover(self, selector):
        self._order("hover", selector=selector)

    def fill(self, selector, text):
        self._order("fill", selector=selector, text=text)

    def choose(self, selector, value):
        self._order("choose", selector=selector, value=value)

    def media(self, **options):
        self._order("media", options=options)

    def answer(self, json):
        """What the page is told instead of the truth from now on."""
        self._order("answer", json=json)

    def screenshot(self, path, whole=True):
        """whole: all of the page, not only what the window shows."""
        self._order("screenshot", path=str(path), whole=whole)

    def seen(self):
        """complaints: errors and warnings of the console; requests: addresses asked; loads: of whole pages."""
        return self._order("seen")
