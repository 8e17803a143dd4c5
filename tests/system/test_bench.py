"""The benchmarks run, and tell what they are for; what they measure is not looked at."""
import json
import os
import pathlib
import subprocess

import pytest

from mqgate import HERE, SANITIZER

TOP = HERE.parent.parent
BUILD = pathlib.Path(os.environ["MQGATE_BUILD"])

pytestmark = pytest.mark.skipif(SANITIZER is not None, reason="it is not what a sanitizer would measure")


@pytest.fixture(scope="module", autouse=True)
def ends():
    subprocess.run(["make", "-s", "-C", BUILD, "bench-programs"], check=True, capture_output=True)


def bench(*words):
    done = subprocess.run([TOP / "bench" / words[0], "--build", BUILD, *words[1:]], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_proxies_are_measured_side_by_side(tmp_path):
    kept = tmp_path / "results"
    said = bench("run", "rate", "pull-tls", "churn-resumed", "--vs", "haproxy,direct", "--rounds", "1", "--seconds", "0.2", "--json", kept)
    assert "**mqgate / haproxy**" in said and "| direct |" in said
    results = json.loads(kept.read_text(encoding="utf-8"))["results"]
    assert set(results["rate"]) == {"mqgate", "haproxy", "direct"} and set(results["pull-tls"]) == {"mqgate", "haproxy"}
    assert results["churn-resumed"]["mqgate"][0]["cpu"] > 0 < results["rate"]["mqgate"][0]["p99"]


def test_a_proxy_that_is_not_there_is_named():
    done = subprocess.run([TOP / "bench/run", "churn", "--build", BUILD, "--vs", "haproxy=/nowhere/haproxy", "--rounds", "1", "--seconds", "0.2"],
                          check=True, capture_output=True, text=True)
    assert "haproxy=/nowhere/haproxy is not installed" in done.stderr and "| mqgate |" in done.stdout


def test_memory_is_drawn_and_latency_too(tmp_path):
    rounds = {"mqgate": [{"p50": 100., "pss": 1000.}], "haproxy": [{"p50": 120., "pss": 18000.}]}
    cases = {f"{name}@{number}": rounds for name in ("latency", "memory") for number in (1000, 9000)}
    (tmp_path / "json").write_text(json.dumps({"results": cases}), encoding="utf-8")
    subprocess.run([TOP / "bench/plot", tmp_path / "json", "--out", tmp_path], check=True)
    for name in ("latency", "memory"):
        drawn = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert drawn.count("<polyline") == 2 and ">haproxy</text>" in drawn
