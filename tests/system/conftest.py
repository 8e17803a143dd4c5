"""Fixtures: everything a test starts is stopped when it ends, however it ends."""
import contextlib
import faulthandler
import resource
import signal
import sys

import pytest

import pki as pki_module
import servers
from mqgate import SLACK, Gate

LIMIT_S = 60


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long the test may take, instead of %d" % LIMIT_S)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(autouse=True)
def time_limit(request):
    marker = request.node.get_closest_marker("limit")
    seconds = (marker.args[0] if marker else LIMIT_S) * SLACK

    def on_alarm(_number, _frame):
        faulthandler.dump_traceback(sys.__stderr__)
        raise TimeoutError(f"the test took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def starting_gates(tmp_path):
    gates = []

    def start(configuration, **options):
        gates.append(Gate(configuration, tmp_path / f"gate{len(gates)}", **options))
        return gates[-1]

    try:
        yield start
        for gate in gates:
            gate.stop()
    finally:
        for gate in gates:
            if gate.process.poll() is None:
                gate.kill()


@pytest.fixture
def mqgate(tmp_path):
    """mqgate(configuration, ...) starts one."""
    with starting_gates(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def module_mqgate(tmp_path_factory):
    """The same, for what all tests of a file share."""
    with starting_gates(tmp_path_factory.mktemp("gates")) as start:
        yield start


@pytest.fixture
def serve():
    """serve(SomeServer, ...) makes a server for the time of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda kind, *args, **kwargs: stack.enter_context(kind(*args, **kwargs))


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return pki_module.Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory):
    with servers.Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory):
    with servers.RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker
