"""Statistics over HTTP as HAProxy serves them: every form of the URI, the CSV's rules, the admin form."""
import csv
import http.client
import json
import re
import threading

import pytest

from mqgate import DEADLINE_S, conf, until
from servers import Echo, HAProxy
from test_admin import basic, crypt

# The fixed part of the header, as HAProxy 3.5 writes it.
HEADER = ("# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,"
          "act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,"
          "check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,"
          "req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,"
          "qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,"
          "check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,"
          "intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,"
          "rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,"
          "agg_server_check_status,agg_check_status,srid,sess_other,h1sess,h2sess,h3sess,req_other,h1req,h2req,h3req,"
          "proto,priv_idle_cur,reqbin,reqbout,resbin,resbout,cache_hint_hits,-,")
TEXTS = {"pxname", "svname", "status", "check_status", "tracked", "last_chk", "last_agt", "check_desc", "agent_status",
         "agent_desc", "addr", "cookie", "mode", "algo", "proto", "-"}


def get(gate, path, **headers):
    status, found, body = gate.get(path, headers)
    return status, found, body.decode()


def table(gate, path="/haproxy_stats;csv", headers=None):
    status, _, body = gate.get(path, headers)
    assert status == 200
    return {(row["# pxname"], row["svname"]): row for row in csv.DictReader(body.decode().splitlines())}


@pytest.fixture
def gate(mqgate, serve):
    return mqgate(conf(serve(Echo).port, backend={"check": {"type": "tcp"}}))


@pytest.mark.parametrize("path, kind, begins", [
    (";csv", "text/plain", "# pxname,"), ("/;csv", "text/plain", "# pxname,"),
    ("/;csv;norefresh", "text/plain", "# pxname,"), ("?x;csv", "text/plain", "# pxname,"),
    ("XYZ;csv", "text/plain", "# pxname,"), (";norefresh;csv", "text/plain", "# pxname,"),
    (";typed", "text/plain", "F."), (";csv;typed", "text/plain", "F."),
    (";json", "application/json", "[[{"), (";json;norefresh", "application/json", "[[{"),
    (";json-schema", "application/json", "{"), (";json;mqgate", "application/json", "{"),
])
def test_every_form_of_the_uri_is_answered_in_its_form(gate, path, kind, begins):
    status, headers, body = get(gate, "/haproxy_stats" + path)
    assert (status, headers["content-type"], headers["cache-control"]) == (200, kind, "no-cache")
    assert body.startswith(begins)
    connection = http.client.HTTPConnection(*gate.address("admin"), timeout=DEADLINE_S)
    connection.request("HEAD", "/haproxy_stats" + path)
    answer = connection.getresponse()
    assert answer.status == 200 and answer.headers["content-type"] == kind and answer.read() == b""
    connection.close()


def test_the_csv_keeps_the_ten_rules(gate):
    with gate.connect() as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        body = get(gate, "/haproxy_stats;csv")[2]
    lines = body.split("\n")
    assert lines[0].startswith(HEADER) and lines[-1] == "" and "" not in lines[:-1] and "\r" not in body
    columns = lines[0].split(",")
    assert len(set(columns[:-1])) == len(columns) - 1
    for line in lines[1:-1]:
        assert line.endswith(",")
        fields = next(csv.reader([line]))
        assert len(fields) == len(columns)
        row = dict(zip((name.removeprefix("# ") for name in columns), fields))
        assert row["type"] in "0123" and row["-"] == "-"
        assert (row["svname"] == "FRONTEND") == (row["type"] == "0") and (row["svname"] == "BACKEND") == (row["type"] == "1")
        assert (int(row["sid"]) > 0) == (row["type"] in "23")
        for name, value in row.items():
            if name and name not in TEXTS:
                assert re.fullmatch(r"\d*" if name != "lastsess" else r"-1|\d*", value), (name, value)
        assert '"' not in ",".join(line.split(",")[:51])  # hatop splits at commas there
    proxies = {}
    for row in table(gate).values():
        proxies.setdefault(row["# pxname"], set()).add(row["iid"])
    assert all(len(iids) == 1 for iids in proxies.values())


def test_a_counter_of_commas_finds_no_fault_under_load(gate):
    faults, stop = [], threading.Event()

    def count():
        while not stop.is_set():
            lines = get(gate, "/haproxy_stats/;csv")[2].splitlines()
            wanted = lines[0].count(",")
            faults.extend(line for line in lines if next(csv.reader([line])) and len(next(csv.reader([line]))) != wanted + 1)

    counters = [threading.Thread(target=count) for _ in range(2)]
    for counter in counters:
        counter.start()
    for n in range(300):
        with gate.connect() as client:
            client.sendall(b"x" * (n + 1))
            assert client.recv(1)
        if n % 50 == 0:
            gate.control(f"{'disable' if n % 100 else 'enable'} server out/s0")
            gate.control("enable server out/s0")
    stop.set()
    for counter in counters:
        counter.join()
    assert not faults


def test_options_choose_what_is_shown(gate):
    assert ("admin", "FRONTEND") in table(gate)
    assert set(table(gate, "/haproxy_stats;csv?scope=OU")) == {("out", "s0"), ("out", "BACKEND")}
    gate.control("disable server out/s0")
    assert ("out", "s0") not in table(gate, "/haproxy_stats;csv;up")
    assert ("out", "s0") not in table(gate, "/haproxy_stats;csv;no-maint")
    assert table(gate, "/haproxy_stats;csv;up")["out", "BACKEND"]["status"] == "DOWN (0/1)"
    assert table(gate)["out", "s0"]["status"] == "MAINT"


def test_operators_requests_are_a_frontend_of_their_own(gate):
    before = table(gate)["admin", "FRONTEND"]
    table(gate)
    after = table(gate)["admin", "FRONTEND"]
    assert int(after["conn_tot"]) == int(before["conn_tot"]) + 2 and int(after["bout"]) > int(before["bout"])
    assert after["status"] == "OPEN" and after["slim"] == "128" and int(after["scur"]) >= 1
    assert gate.control("show info").count("CumConns: 0\n") == 1  # clients only


def test_addresses_are_for_those_with_a_level(gate):
    assert {row["addr"] for row in table(gate).values()} == {""}


@pytest.fixture
def guarded(mqgate, serve):
    entry = f"ops:{crypt('secret', '$5$saltsalt$')}"
    return mqgate(conf([serve(Echo).port, serve(Echo).port], backend={"check": {"type": "tcp"}},
                       admin={"stats_auth": [entry]}))


def post(gate, body, headers=None, path="/haproxy_stats", login=True):
    connection = http.client.HTTPConnection(*gate.address("admin"), timeout=DEADLINE_S)
    connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded",
                                            **(basic("ops", "secret") if login else {}), **(headers or {})})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get("location")


def state(gate, server="s0"):
    return table(gate, headers=basic("ops", "secret"))["out", server]["status"]


def test_a_form_acts_on_servers_and_says_how_it_went(guarded):
    gate = guarded
    until(lambda: state(gate) == "UP", "the first check")
    assert post(gate, "s=s0&action=maint&b=out") == (303, "/haproxy_stats;st=DONE")
    assert state(gate) == "MAINT"
    assert post(gate, "s=s0&s=s1&action=maint&b=out") == (303, "/haproxy_stats;st=PART")  # s0 was there already
    iid = table(gate, headers=basic("ops", "secret"))["out", "BACKEND"]["iid"]
    assert post(gate, f"b=%23{iid}&action=ready&s=s0&s=s1") == (303, "/haproxy_stats;st=DONE")
    until(lambda: state(gate) == state(gate, "s1") == "UP", "both to be back")
    for action, status in (("drain", "DRAIN"), ("ready", "UP"), ("dhlth", "no check"), ("ehlth", "UP"),
                           ("disable", "MAINT"), ("enable", "UP"), ("stop", "DRAIN"), ("start", "UP")):
        assert post(gate, f"s=s0&action={action}&b=out")[1].endswith(";st=DONE"), action
        until(lambda status=status: state(gate) == status, f"{action} to show")
    for body, code in (("s=s9&action=maint&b=out", "NONE"), ("action=maint&b=out", "NONE"),
                       ("s=s0&action=maint&b=nobody", "ERRP"), ("s=s0&action=explode&b=out", "ERRP"),
                       ("s=s0&action=eagent&b=out", "NONE"), ("", "ERRP"), ("%%%&&&===", "ERRP"),
                       ("s=s0&action=maint&b=out&x=" + "y" * 20000, "EXCD")):
        assert post(gate, body) == (303, f"/haproxy_stats;st={code}"), body[:40]
    assert state(gate) == "UP"


def test_a_form_ends_sessions(guarded):
    with guarded.connect() as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        assert post(guarded, "s=s0&action=shutdown&b=out")[1].endswith(";st=DONE")
        assert client.recv(1) == b""
    guarded.wait_end(why="killed")


def test_only_who_may_act_acts(guarded, mqgate):
    body = "s=s0&action=maint&b=out"
    host = "%s:%d" % guarded.address("admin")
    assert post(guarded, body, login=False)[0] == 401
    assert post(guarded, body, basic("ops", "wrong"))[0] == 401
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Referer": "http://evil.example/"},
                    {"Origin": f"http://{host}", "Sec-Fetch-Site": "cross-site"}):
        assert post(guarded, body, headers) == (303, "/haproxy_stats;st=DENY"), headers
    assert state(guarded) != "MAINT"
    assert post(guarded, body, {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"})[1].endswith("DONE")
    open_to_all = mqgate(conf(1883))
    assert post(open_to_all, body, login=False) == (303, "/haproxy_stats;st=DENY")
    stranger = mqgate(conf(1883, admin={"stats_allow": ["10.0.0.0/8"]}))
    assert post(stranger, body, login=False)[0] == 403


def test_it_answers_as_haproxy_does(gate, serve, tmp_path):
    """Status, type and beginning of each answer, beside a real HAProxy."""
    directory = tmp_path / "haproxy"
    directory.mkdir()
    proxy = serve(HAProxy, directory, """
listen stats
  mode http
  bind {stats}
  stats enable
  stats uri /haproxy_stats
""", "stats")
    until(lambda: "mode" in http_get(proxy.ports["stats"], "/haproxy_stats;csv")[2], "HAProxy")
    for path in (";csv", "/;csv;norefresh", ";json", ";json-schema", "?x;csv", ";typed", ";up;csv"):
        theirs, ours = http_get(proxy.ports["stats"], "/haproxy_stats" + path), get(gate, "/haproxy_stats" + path)
        assert (ours[0], ours[1]["content-type"], ours[1]["cache-control"]) == (
            theirs[0], theirs[1]["content-type"], theirs[1]["cache-control"]), path
        assert ours[2][:3] == theirs[2][:3], path
    schema = json.loads(get(gate, "/haproxy_stats;json-schema")[2])
    assert schema["oneOf"][1]["title"] == json.loads(http_get(proxy.ports["stats"], "/haproxy_stats;json-schema")[2])[
        "oneOf"][1]["title"]


def http_get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body
