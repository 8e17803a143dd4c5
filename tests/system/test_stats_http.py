"""Statistics over HTTP, as HAProxy's: every form of the URI, every format, and the form that acts on servers."""
import collections
import contextlib
import csv
import http.client
import json
import threading

import pytest

from mqgate import DEADLINE_S, conf, until
from servers import Echo, HAProxy, Listener
from test_admin import basic, crypt

# HAProxy 3.5's, which ends with "-,".
FIXED = (
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,"
    "bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,"
    "check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,"
    "req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,"
    "rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,"
    "agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,"
    "wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,"
    "idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,"
    "agg_check_status,srid,sess_other,h1sess,h2sess,h3sess,req_other,h1req,h2req,h3req,proto,priv_idle_cur,reqbin,"
    "reqbout,resbin,resbout,cache_hint_hits,-,")
TEXTS = {"# pxname", "svname", "status", "tracked", "check_status", "last_chk", "last_agt", "agent_status",
         "check_desc", "agent_desc", "addr", "cookie", "mode", "algo", "proto", "-"}
URI = "/haproxy_stats"


class Side:
    """An admin port, of mqgate or of HAProxy."""

    def __init__(self, port, headers=None):
        self.port, self.headers = port, headers or {}

    def ask(self, method, path, body=None, headers=None):
        """Status, headers with their names in lower case, and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()

    def get(self, options):
        status, headers, body = self.ask("GET", URI + options)
        assert status == 200, options
        return headers, body.decode()

    def rows(self, options=";csv"):
        """By proxy and name; those of the admin frontends themselves left out."""
        rows = csv.DictReader(self.get(options)[1].splitlines())
        return {(row["# pxname"], row["svname"]): row for row in rows if row["# pxname"] != "admin"}

    def post(self, body, headers=None, path=URI):
        status, answer, rest = self.ask("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded",
                                                             **(headers or {})})
        assert rest == b"" or status != 303
        return status, answer.get("location"), answer.get("content-length"), answer.get("content-type")

    def code(self, body, headers=None):
        status, location, _, _ = self.post(body, headers)
        assert status == 303
        return location.removeprefix(URI + ";st=")


def admin_of(gate, **headers):
    return Side(gate.port("admin"), headers)


def start_both(mqgate, serve, directory):
    """The same proxies in mqgate and HAProxy: "out" with a checked and an unchecked server, "other" with one."""
    up = serve(Listener).port
    groups = conf([up, up])
    groups["listeners"][0]["name"] = "in"
    groups["backends"] = [
        {"name": "out", "check": {"type": "tcp", "interval": "200ms"},
         "servers": [{"name": "s0", "address": f"127.0.0.1:{up}"}, {"name": "s1", "address": f"127.0.0.1:{up}"}]},
        {"name": "other", "check": {"type": "none"}, "servers": [{"name": "o0", "address": f"127.0.0.1:{up}"}]}]
    groups["admin"]["stats_auth"] = [f"ops:{crypt('secret', '$6$rounds=1000$salt$')}"]
    gate = mqgate(groups)
    proxy = serve(HAProxy, directory, f"""
frontend in
  option socket-stats
  bind {{front}} name sock-1
  default_backend out
frontend admin
  mode http
  bind {{admin}}
  stats enable
  stats uri {URI}
  stats auth ops:secret
  stats admin if TRUE
backend out
  default-server inter 200 fall 3 rise 2
  server s0 127.0.0.1:{up} check
  server s1 127.0.0.1:{up} check
backend other
  server o0 127.0.0.1:{up}
""", "front", "admin")
    password = basic("ops", "secret")
    sides = admin_of(gate, **password), Side(proxy.ports["admin"], password)
    for side in sides:
        until(lambda side=side: all(side.rows()["out", name]["check_status"].endswith("L4OK") for name in ("s0", "s1")),
              "the checks")
    return sides


@pytest.fixture(scope="module")
def both(module_mqgate, tmp_path_factory):
    """For tests that only look."""
    with contextlib.ExitStack() as stack:
        yield start_both(module_mqgate, lambda kind, *args: stack.enter_context(kind(*args)),
                         tmp_path_factory.mktemp("haproxy"))


@pytest.fixture
def fresh_both(mqgate, serve, tmp_path):
    directory = tmp_path / "haproxy"
    directory.mkdir()
    return start_both(mqgate, serve, directory)


# --- the URI ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [
    ";csv", "/;csv", "/;csv;norefresh", "?x;csv", "XYZ;csv", "?;csv", ";csv;up", ";up;csv", ";csvx", ";csv;no-maint",
    ";typed", ";csv;typed", ";typed;csv", ";json", ";json;csv", ";csv;json", ";json;typed", ";json-schema",
    ";json-schema;json", ";json;json-schema", ";norefresh;typed", "", "/", "XYZ", "?x", ";up", ";CSV", ";st=DONE"])
def test_every_form_of_the_uri_brings_what_haproxy_brings(both, options):
    (ours, our_body), (theirs, their_body) = (side.get(options) for side in both)
    assert ours["content-type"].split(";")[0] == theirs["content-type"]
    assert ours["cache-control"] == theirs["cache-control"] == "no-cache"
    begins = {"text/plain": 12, "application/json": 24, "text/html": 9}[theirs["content-type"]]
    assert our_body[:begins].upper() == their_body[:begins].upper()
    status, headers, body = both[0].ask("HEAD", URI + options)
    assert (status, body, headers["content-type"]) == (200, b"", ours["content-type"])
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize("options", [
    ";csv?scope=ou", ";csv;scope=ou", "?scope=OUT;csv", ";csv?scope=in&x=y", ";csv?scope=zzz", ";csv?scope=",
    ";csv?SCOPE=ou", ";csv?scope=ou%74", ";csv?scope=o+u", ";csv?scope=outoutoutoutoutoutoutout", ";csv?xscope=ot",
    ";csv?scope=out&scope=in"])
def test_a_scope_shows_the_proxies_that_haproxy_shows(both, options):
    ours, theirs = (side.rows(options) for side in both)
    assert list(ours) == list(theirs)


def test_what_is_hidden_is_what_haproxy_hides(fresh_both):
    for side in fresh_both:
        assert side.code("s=s0&action=maint&b=out") == "DONE" and side.code("s=o0&action=hdown&b=other") == "DONE"
    for options in (";csv;up", ";csv;no-maint", ";csv;no-maint;up", ";csv"):
        ours, theirs = (side.rows(options) for side in fresh_both)
        assert list(ours) == list(theirs), options
        for name in (("out", "BACKEND"), ("other", "BACKEND")):
            assert ours[name]["status"] == theirs[name]["status"], options


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "DELETE", "PATCH"])
def test_other_methods_are_not_answered(both, method):
    status, headers, _ = both[0].ask(method, URI)
    assert (status, headers["allow"]) == (405, "GET, HEAD, POST")


def test_what_is_nowhere_tells_what_there_is(mqgate):
    gate = mqgate(conf(1883))
    for path in ("/", "/nothing", "/haproxy_stat", "/haproxy%5fstats"):
        status, headers, body = admin_of(gate).ask("GET", path)
        assert status == 404 and headers["content-type"] == "text/plain"
        assert body.decode().split("\n")[1:] == ["/haproxy_health", URI, URI + ";csv", URI + ";json", "/metrics", ""]


def test_http_1_0_is_answered_and_closed_and_http_1_1_goes_on(mqgate):
    gate = mqgate(conf(1883))
    with gate.connect("admin") as client:
        client.sendall(f"GET {URI};csv HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        assert answer.partition(b"\r\n\r\n")[2].startswith(b"# pxname,")
    connection = http.client.HTTPConnection(*gate.address("admin"), timeout=DEADLINE_S)
    with contextlib.closing(connection):
        for options in (";csv", ";json", "", ";typed"):
            connection.request("GET", URI + options)
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read() and not answer.will_close


# --- the formats -----------------------------------------------------------------------------------------------------

def check_csv(text):
    """As the strictest of its readers do."""
    assert text.startswith(FIXED) and text.endswith(",\n") and not text.endswith("\n\n")
    header, *rows = csv.reader(text.splitlines())
    assert rows and header[-1] == ""
    for line, row in zip(text.splitlines()[1:], rows):
        assert len(row) == len(header), line
        assert line.count(",") >= 51 and line.split(",")[:51] == row[:51]  # hatop splits without a look at quotes
        for name, value in zip(header, row):
            if name == "-":
                assert value == "-"
            elif name not in TEXTS:
                assert value == "" or value.isdigit() or (name == "lastsess" and value == "-1"), (name, value)
        found = dict(zip(header, row))
        assert found["type"] in "0123" and found["pid"] == "1" and int(found["iid"]) > 0
        assert found["svname"] == {"0": "FRONTEND", "1": "BACKEND"}.get(found["type"], found["svname"])
        assert (int(found["sid"]) > 0) == (found["type"] in "23")
    return rows


def test_csv_is_what_its_readers_want_under_load_too(mqgate, serve):
    gate = mqgate(conf([serve(Echo).port, 1], backend={"check": {"type": "tcp", "interval": "20ms"}}))
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            with gate.connect() as client:
                client.sendall(b"hello")
                client.recv(10)

    clients = [threading.Thread(target=come_and_go) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(50):
            rows = check_csv(admin_of(gate).get(";csv")[1])
            iids = {(row[0], row[27]) for row in rows}  # one a proxy
            assert len(iids) == len({name for name, _ in iids}) == len({iid for _, iid in iids}) == 3
            assert [tuple(row[:2]) for row in rows] == [
                ("in", "FRONTEND"), ("in", "sock-1"), ("admin", "FRONTEND"), ("out", "s0"), ("out", "s1"),
                ("out", "BACKEND")]
    finally:
        over.set()
        for client in clients:
            client.join()


def test_a_check_s_words_with_commas_and_quotes_are_quoted(mqgate, serve):
    class Rude(Echo):
        def serve(self, sock):
            sock.recv(1000)
            sock.sendall(b'HTTP/1.0 500 no, "never"\r\n\r\n')

    check = {"type": "http", "interval": "50ms"}
    gate = mqgate(conf(serve(Rude).port, backend={"check": check}))
    side = admin_of(gate)
    until(lambda: side.rows()["out", "s0"]["check_status"].startswith(("L7STS", "* L7STS")), "the check to fail")
    check_csv(side.get(";csv")[1])


# What 2.6 has otherwise, by letter of kind and field.
KNOWN = {("L", "conn_tot"): "newer ones have it for listeners too", ("B", "act"): "2.6 leaves out the tags of some fields",
         ("B", "bck"): "of backends, newer ones do not", ("B", "rate"): "the same", ("B", "rate_max"): "the same"}


def typed_fields(side):
    """By kind of row: the fields of all such rows, with tags (the fourth letter is newer than 2.6) and type."""
    fields = collections.defaultdict(dict)
    names = {}
    for line in side.get(";typed")[1].splitlines():
        place, tags, kind, value = line.split(":", 3)
        letter, iid, _, pos, name, number = place.split(".")
        assert number == "1"
        if name == "pxname":
            names[iid] = value
        if names[iid] != "admin":
            fields[letter][name] = (int(pos), tags[:3], kind)
    return fields


def json_fields(side):
    rows = json.loads(side.get(";json")[1])
    assert isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    fields = collections.defaultdict(dict)
    for row in rows:
        if row[0]["value"]["value"] == "admin":
            continue
        for each in row:
            assert set(each) == {"objType", "proxyId", "id", "field", "processNum", "tags", "value"}
            assert set(each["tags"]) == {"origin", "nature", "scope"}
            fields[each["objType"]][each["field"]["name"]] = (
                each["field"]["pos"], tuple(each["tags"].values()), each["value"]["type"])
    return fields


@pytest.mark.parametrize("fields_of", [typed_fields, json_fields])
def test_typed_and_json_have_haproxy_s_fields_with_its_tags_and_types(both, fields_of):
    ours, theirs = (fields_of(side) for side in both)
    assert set(ours) == set(theirs)
    last = FIXED.split(",").index("agg_check_status")  # of 2.6; then come newer ones of ours, its modules' of theirs
    problems = []
    for kind, fields in theirs.items():
        fixed, own = ({name: field for name, field in each.items() if field[0] <= last}
                      for each in (fields, ours[kind]))
        problems += [(kind, name, own.get(name), fixed.get(name)) for name in sorted({*fixed, *own})
                     if own.get(name) != fixed.get(name) and (kind[0], name) not in KNOWN]
    assert not problems, problems


def test_the_schema_is_one_that_its_json_keeps_to(both):
    ours, theirs = (json.loads(side.get(";json-schema")[1]) for side in both)
    assert ours["$schema"] == theirs["$schema"]
    assert [each["title"] for each in ours["oneOf"]] == [each["title"] for each in theirs["oneOf"]]


def test_json_for_people_says_more_and_only_behind_json(both):
    ours = both[0]
    assert json.loads(ours.get(";json;mqgate")[1])["state"] == "running"
    assert json.loads(ours.get(";mqgate;up;json")[1])["state"] == "running"
    assert ours.get(";mqgate;csv")[1].startswith("# pxname,")


# --- who may -----------------------------------------------------------------------------------------------------

def test_answers_bound_what_a_browser_makes_of_them(mqgate):
    side = admin_of(mqgate(conf(1883)))
    for path in (URI, URI + ";csv", URI + ";json", URI + ";typed", "/nothing"):
        _, headers, _ = side.ask("GET", path)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == ("same-origin" if path == URI else "no-referrer")
    assert "frame-ancestors 'none'" in side.ask("GET", URI)[1]["content-security-policy"]


def test_requests_are_counted_in_the_frontend_admin(mqgate):
    gate = mqgate(conf(1883, admin={"stats_auth": [f"ops:{crypt('secret', '$6$rounds=1000$salt$')}"]}))
    side = admin_of(gate, **basic("ops", "secret"))
    assert admin_of(gate).ask("GET", URI)[0] == 401
    first = side.get(";csv")[1]
    row = next(row for row in csv.DictReader(side.get(";csv")[1].splitlines()) if row["# pxname"] == "admin")
    assert (row["svname"], row["type"], row["status"], row["slim"]) == ("FRONTEND", "0", "OPEN", "128")
    assert (row["scur"], row["stot"], row["conn_tot"], row["dses"]) == ("1", "1", "3", "1")
    assert int(row["bout"]) > len(first) and int(row["bin"]) > 100
    assert gate.health() == 200
    assert "admin,FRONTEND,,,0," in gate.control("show stat admin 1 -1")
    assert "\nCumConns: 0\n" in gate.control("show info")  # which tells of clients


def test_addresses_are_for_those_with_a_level(both):
    for side in both:
        assert {row["addr"] for row in side.rows().values()} == {""}


# --- the form --------------------------------------------------------------------------------------------------------

FORMS = [  # in this order: some do only what the one before left to do
    "s=s0&action=maint&b=out", "s=s0&s=s1&action=ready&b=out", "action=drain&b=out&s=s1", "s=s1&action=ready&b=out",
    "s=s0&action=ready&b=#{out}", "s=s0&action=maint&b=%23{out}", "s=s0&action=ready&b=#99", "s=s0&action=ready&b=%23out",
    "s=s0&s=zz&action=ready&b=out", "s=zz&action=ready&b=out", "s=s0&action=foo&b=out", "s=s0&action=READY&b=out",
    "s=s0&b=out", "action=ready&b=out", "s=s0&action=ready", "s=s0&action=ready&b=nope", "s=s0&action=ready&b=", "",
    "s=s0&action=ready&b=in", "junk", "s=s0&action=ready&b=out&x=y&", "action=&s=s0&b=out", "s=s0&action&b=out",
    "s=s0&action=ready&action=maint&b=out", "s=s%30&action=re%61dy&b=o%75t", "s=s0&action=re+ady&b=out",
    "s=o0&action=ready&b=other&s=s0&b=out", "b=out&b=other&s=s0&action=ready", "s=s0&s=s0&action=ready&b=out",
    "s=s0;action=ready;b=out", "s=s0&action=dagent&b=out", "s=s0&s=zz&action=eagent&b=out", "s=s0&action=arunn&b=out",
    "s=s0&action=adown&b=out", "s=o0&action=dhlth&b=other", "s=s0&s=s1&action=dhlth&b=out", "s=s0&action=hdown&b=out",
    "s=s0&action=hrunn&b=out", "s=s0&s=s1&action=ehlth&b=out", "s=o0&action=hdown&b=other", "s=o0&action=hrunn&b=other",
    "s=o0&action=hdown&b=other", "s=o0&action=maint&b=other", "s=o0&action=ready&b=other", "s=o0&action=hdown&b=other",
    "s=o0&action=drain&b=other", "s=o0&action=ready&b=other", "s=o0&action=hrunn&b=other",
    "s=s0&action=disable&b=out", "s=s0&action=disable&b=out", "s=s0&s=s1&action=disable&b=out",
    "s=s0&s=s1&action=enable&b=out", "s=s0&action=enable&b=out", "s=s1&action=stop&b=out", "s=s1&action=stop&b=out",
    "s=s1&action=start&b=out", "s=s1&action=start&b=out", "s=s0&action=shutdown&b=out",
]


def test_every_form_does_and_answers_what_it_does_in_haproxy(fresh_both):
    iids = [{"out": side.rows()["out", "BACKEND"]["iid"]} for side in fresh_both]
    for form in FORMS:
        ours, theirs = (side.post(form.replace("{out}", iid["out"])) for side, iid in zip(fresh_both, iids))
        assert ours == theirs, form
        assert ours[0] == 303 and ours[2:] == ("0", "text/plain")

        def states(side):
            return {key: row["status"].split(" ")[0] for key, row in side.rows().items() if row["type"] == "2"}

        until(lambda: states(fresh_both[0]) == states(fresh_both[1]), f"the same states after {form}")


@pytest.mark.parametrize("path", [URI + ";csv", URI + ";st=DONE", URI + "?scope=ou", URI + "XYZ",
                                  URI + ";up?scope=a%20b", URI + ";up;csv?scope=ab;st=XXXX",
                                  "http://elsewhere" + URI + ";up"])
def test_the_way_back_is_haproxy_s(both, path):
    ours, theirs = (side.post("s=s0&b=out", path=path) for side in both)
    assert ours == theirs and ours[1].startswith(URI + ";st=NONE")


def test_the_way_back_keeps_what_is_hidden(both):
    assert both[0].post("", path=URI + ";no-maint;norefresh;up")[1] == URI + ";st=NONE;up;no-maint;norefresh"


def test_a_form_too_large_is_not_done(both):
    body = "s=s0&action=foo&b=out&" + "x" * 16384
    ours, theirs = (side.code(body) for side in both)
    assert ours == theirs == "EXCD"


def host(side, port=None):
    return f"127.0.0.1:{port or side.port}"


@pytest.mark.parametrize("headers, code", [
    ({}, "DONE"),
    ({"Origin": "http://{own}"}, "DONE"),
    ({"Origin": "https://{own}"}, "DONE"),  # TLS may end in front of us
    ({"Origin": "http://{own}", "Sec-Fetch-Site": "same-origin"}, "DONE"),
    ({"Referer": "http://{own}/haproxy_stats"}, "DONE"),
    ({"Host": "node.example", "Origin": "http://node.example"}, "DONE"),
    ({"Origin": "http://{other}"}, "DENY"),
    ({"Origin": "http://evil.example"}, "DENY"),
    ({"Origin": "null"}, "DENY"),
    ({"Origin": "http://evil.example", "Referer": "http://{own}/"}, "DENY"),
    ({"Referer": "http://evil.example/{own}"}, "DENY"),
    ({"Origin": "http://{own}", "Sec-Fetch-Site": "cross-site"}, "DENY"),
    ({"Sec-Fetch-Site": "cross-site"}, "DENY"),
    ({"Content-Type": "text/plain"}, "IVAL"),
    ({"Content-Type": "multipart/form-data; boundary=x"}, "IVAL")])
def test_a_form_is_done_only_when_it_is_from_the_own_page(both, headers, code):
    side = both[0]
    headers = {key: value.format(own=host(side), other=host(side, 1)) for key, value in headers.items()}
    assert side.code("s=s0&action=hrunn&b=out", headers) == code


def test_only_who_gave_a_password_may_act(mqgate, serve):
    form = "s=s0&action=maint&b=out"
    server = serve(Listener).port
    secret = [f"ops:{crypt('secret', '$6$rounds=1000$salt$')}"]
    gate = mqgate(conf(server))
    assert admin_of(gate).post(form)[:2] == (303, URI + ";st=DENY")
    assert admin_of(gate).post(form, basic("ops", "secret"))[:2] == (303, URI + ";st=DENY")
    gate_auth = mqgate(conf(server, admin={"stats_auth": secret}))
    assert admin_of(gate_auth).post(form)[0] == 401
    assert admin_of(gate_auth).post(form, basic("ops", "wrong"))[0] == 401
    gate_far = mqgate(conf(server, admin={"stats_auth": secret, "stats_allow": ["10.0.0.0/8"]}))
    assert admin_of(gate_far).post(form, basic("ops", "secret"))[0] == 403
    for each in (gate, gate_auth, gate_far):
        assert each.control("show stat out 4 -1").count(",no check,") == 1
    assert admin_of(gate_auth).code(form, basic("ops", "secret")) == "DONE"
    assert gate_auth.control("show stat out 4 -1").count(",MAINT,") == 1
    gate_auth.wait_log(event="admin_post")
    assert [line["code"] for line in gate_auth.logged(event="admin_post")] == ["DONE"]


def test_shutdown_ends_the_sessions_of_a_server(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port, admin={"stats_auth": [f"ops:{crypt('secret', '$6$rounds=1000$salt$')}"]}))
    with gate.connect() as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        assert admin_of(gate, **basic("ops", "secret")).code("s=s0&action=shutdown&b=out") == "DONE"
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
    gate.wait_end(why="killed")


def test_a_listener_cannot_have_the_name_of_admin_s_own_row(mqgate, tmp_path):
    from mqgate import conf_text, run
    path = tmp_path / "mqgate.conf"
    path.write_text(conf_text(conf(1883, listener={"name": "admin"})), encoding="ascii")
    result = run("-c", "-f", path)
    assert result.returncode == 1 and "listeners.admin.name" in result.stderr
