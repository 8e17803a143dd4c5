"""Packages for Node.js, and what is asked of them elsewhere than in a browser: HCL files."""
import functools
import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
# Where "npm ci" in this directory put the packages, unless it was done elsewhere.
NODE_MODULES = pathlib.Path(os.environ.get("MQGATE_NODE_MODULES", HERE / "node_modules"))


@functools.lru_cache(maxsize=None)
def hcl(path):
    """An HCL file, read by HashiCorp's own parser. Expressions stay as they are written."""
    done = subprocess.run(["node", HERE / "hcl2json.js", path], capture_output=True, text=True, check=False,
                          env={**os.environ, "NODE_PATH": str(NODE_MODULES)}, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
