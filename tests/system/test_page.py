"""The statistics page in a real browser, on a gate that lives. Pictures of it are left in the build directory."""
import contextlib
import csv
import os
import re
import threading
import time

import pytest

from browser import Browser
from mqgate import BINARY, BUILD, DEADLINE_S, conf, until
from pki import section
from servers import Echo, free_port
from test_admin import crypt

PICTURES = BUILD / "tests" / "system" / "page"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
COLOURS = {"up": "rgb(192, 255, 192)", "backup": "rgb(176, 208, 255)", "down": "rgb(255, 144, 144)",
           "maint": "rgb(192, 120, 32)", "drain": "rgb(32, 160, 255)", "unchecked": "rgb(224, 224, 224)",
           "going_down": "rgb(255, 255, 160)", "going_up": "rgb(255, 208, 32)"}
CHECK = {"type": "tcp", "interval": "100ms", "fall": 3, "rise": 2}

# Text that is hard to read: its ratio of contrast to what lies under it, by WCAG 2, is below 4.5.
PALE = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const under = e => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(e).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility({ visibilityProperty: true })) continue;
    if (e.closest("script, noscript, option, .skip")) continue;
    const [high, low] = [light(numbers(getComputedStyle(e).color)), light(under(e))].sort((a, b) => b - a);
    if ((high + 0.05) / (low + 0.05) < 4.5) found.push(`${e.tagName}.${e.className} ${e.textContent.slice(0, 20)}`);
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    PICTURES.mkdir(parents=True, exist_ok=True)
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def browser(chromium):
    """Whatever a test does, the page complains of nothing, and asks nobody but the gate."""
    yield chromium
    seen = chromium.seen()
    assert not seen["complaints"]
    assert {re.match(r"(data:|http://127\.0\.0\.1:\d+/haproxy_stats)", each) is not None
            for each in seen["requests"]} == {True}


def url(gate, options=""):
    host, port = gate.address("admin")
    return f"http://{host}:{port}/haproxy_stats{options}"


def show(browser, gate, options="", **context):
    browser.open(url(gate, options), **{"viewport": WIDE, "colorScheme": "light", **context})
    await_page(browser)


def await_page(browser):
    until(lambda: browser.look("document.querySelectorAll('.proxy').length"), "the tables")


# The row of a server, a listener, "Frontend" or "Backend" of a proxy.
ROW = """((name, proxy) => [...document.querySelectorAll(".proxy")]
  .filter(p => p.querySelector(".tab").textContent === proxy).flatMap(p => [...p.querySelectorAll("tbody tr")])
  .find(tr => tr.querySelector("th").innerText.split("\\n")[0] === name))"""


def row(name, proxy):
    """As an expression of JavaScript."""
    return f"{ROW}('{name}', '{proxy}')"


def cells(browser, name, proxy):
    """Texts of the cells, tooltips left out."""
    return browser.look(f"[...{row(name, proxy)}.querySelectorAll('td:not(.tick)')].map(td => td.innerText)")


def colour(browser, name, proxy="out"):
    return browser.look(f"getComputedStyle({row(name, proxy)}).backgroundColor")


def await_colour(browser, name, wanted, proxy="out"):
    until(lambda: colour(browser, name, proxy) == COLOURS[wanted], f"{name} to be {wanted}")


def csv_rows(gate):
    text = gate.control("show stat").strip().removeprefix("# ")
    return {(line["pxname"], line["svname"]): line for line in csv.DictReader(text.splitlines())}


@contextlib.contextmanager
def traffic(gate, listeners=("in",)):
    """Sessions that come, talk and go, all the time."""
    over = threading.Event()

    def run():
        while not over.is_set():
            for name in listeners:
                with contextlib.suppress(OSError), gate.connect(name) as client:
                    client.sendall(b"x" * 20000)
                    client.recv(100)
                    over.wait(0.02)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(DEADLINE_S)


def test_the_tables_hold_haproxy_s_columns_and_its_figures(mqgate, serve, browser):
    gate = mqgate(conf([serve(Echo).port, serve(Echo).port], global_={"node": "node-7"}))
    for _ in range(30):
        with gate.connect() as client:
            client.sendall(b"x" * 1000)
            client.recv(1)
    until(lambda: gate.listener_stats()["closed"] == 30, "the sessions to end")
    show(browser, gate)
    assert browser.look("document.title") == "Statistics Report for mqgate on node-7"
    assert f"pid {gate.pid} on node-7" in browser.look("document.querySelector('h2').textContent")
    assert browser.look("[...document.querySelectorAll('.tab')].slice(0, 2).map(t => t.textContent)")[0] == "in"
    groups = browser.look("[...document.querySelector('.proxy thead tr').children].slice(1)"
                          ".map(th => [th.textContent, th.colSpan])")
    assert groups == [["Queue", 3], ["Session rate", 3], ["Sessions", 6], ["Bytes", 2], ["Denied", 2], ["Errors", 3],
                      ["Warnings", 2], ["Server", 9]]
    assert " ".join(browser.look("[...document.querySelectorAll('.proxy thead tr')][1].innerText.split(/\\s+/)")) == (
        "Cur Max Limit Cur Max Limit Cur Max Limit Total LbTot Last In Out Req Resp Req Conn Resp Retr Redis "
        "Status LastChk Wght Act Bck Chk Dwn Dwntme Thrtle")
    columns = ("qcur qmax - rate rate_max - scur smax - stot lbtot - bin bout dreq dresp ereq econ eresp wretr wredis "
               "- - - - - chkfail chkdown").split()
    found = csv_rows(gate)
    for proxy, name, svname in (("in", "Frontend", "FRONTEND"), ("in", "sock-1", "sock-1"), ("out", "s0", "s0"),
                                ("out", "s1", "s1"), ("out", "Backend", "BACKEND")):
        line, shown = found[proxy, svname], cells(browser, name, proxy)
        for column, text in zip(columns, shown):
            if column != "-" and column != "rate":
                assert text == line[column], (proxy, name, column)
    assert cells(browser, "s0", "out")[21] == "no check"


def test_rows_take_haproxy_s_colours_as_servers_go_down_and_come_back(mqgate, serve, browser):
    echo, spare, slow = serve(Echo), serve(Echo), serve(Echo)
    gate = mqgate(conf([echo.port, spare.port, slow.port], backend={"check": CHECK}))
    gate.control("set server out/s1 state drain")
    gate.wait_log(event="backend_up")
    show(browser, gate)
    browser.choose("#interval", "1")
    await_colour(browser, "s0", "up")
    await_colour(browser, "s1", "drain")
    echo.kill()
    await_colour(browser, "s0", "down")
    assert re.match(r"\d+s DOWN$", cells(browser, "s0", "out")[21])
    assert re.match(r"(\* )?L4CON in ", cells(browser, "s0", "out")[22])  # with a star while the next one runs
    until(lambda: "Server out/s0 is DOWN." in browser.look("document.getElementById('said').textContent"), "the word")
    gate.control("set server out/s2 state maint")
    await_colour(browser, "s2", "maint")
    browser.screenshot(PICTURES / "server-down.png")
    echo.revive()
    await_colour(browser, "s0", "up")
    assert browser.seen()["loads"] == 1


@pytest.mark.parametrize("status, backup, wanted", [
    ("UP 2/3", 0, "going_down"), ("DOWN 1/2", 0, "going_up"), ("no check", 0, "unchecked"), ("UP", 1, "backup"),
    ("MAINT", 1, "maint")])
def test_states_on_the_way_have_their_colours_too(mqgate, browser, status, backup, wanted):
    gate = mqgate(conf(1883))
    show(browser, gate)
    told = gate.stats()
    told["backends"][0]["servers"][0]["stat"].update(status=status, bck=backup)
    browser.answer(told)
    browser.click("#now")
    await_colour(browser, "s0", wanted)


def test_figures_and_charts_move_without_reloading(mqgate, serve, browser, pki):
    configuration = conf(serve(Echo).port, tls=[section("edge", pki.leaf("mqtt.example.com"))])
    configuration["listeners"].append({**configuration["listeners"][0], "name": "mqtts", "tls": "edge"})
    gate = mqgate(configuration)
    show(browser, gate)
    browser.screenshot(PICTURES / "idle.png")
    browser.choose("#interval", "1")
    total = lambda: int(cells(browser, "Frontend", "in")[9])  # noqa: E731
    with traffic(gate):
        until(lambda: total() > 0, "the first figures")
        before = total()
        until(lambda: total() > before, "more")
        rate = "document.querySelector('.proxy .chart.in b').textContent"
        until(lambda: re.match(r"[\d.]+ [kM]B/s", browser.look(rate)), "a rate of bytes")
        until(lambda: len(gate.listener_stats()["history"]["in_rate"]) >= 2, "some history", 30)
        points = "document.querySelector('.chart polyline').getAttribute('points').split(' ').length"
        until(lambda: browser.look(points) >= 3, "a line")
        assert re.search(r"Bytes in: now .*/s, lowest .*, highest .*, in the last minute",
                         browser.look("document.querySelector('.proxy .chart.in svg').getAttribute('aria-label')"))
        browser.screenshot(PICTURES / "busy.png")
    assert browser.seen()["loads"] == 1
    assert "mqtts" in browser.look("document.getElementById('clients').innerText")
    certificate = browser.look("document.querySelector('#certificates tbody').innerText")
    assert "mqtt.example.com" in certificate and "29" in certificate


def test_upgrades_are_shown(mqgate, browser, tmp_path):
    """What came of the last one, and one that is under way."""
    gate = mqgate(conf(free_port()))
    process = "document.getElementById('process').innerText"
    progress = "document.getElementById('progress').innerText"
    show(browser, gate)
    assert "upgrades = 0; last = never" in browser.look(process)
    gate.control(f"upgrade {tmp_path}/missing")
    browser.click("#now")
    until(lambda: f"last = failed: run {tmp_path}/missing: No such file" in browser.look(process), "the failure")
    assert browser.look(progress) == ""
    slow = tmp_path / "slow"
    slow.write_text(f'#!/bin/sh\n[ "$MQGATE_IMAGE" ] || read line <{tmp_path}/go; exec {BINARY} "$@"\n', encoding="ascii")
    slow.chmod(0o755)
    os.mkfifo(tmp_path / "go")
    with gate.control_connect() as operator:
        operator.sendall(f"upgrade {slow}\n".encode())
        gate.wait_log(event="upgrading")
        browser.click("#now")
        until(lambda: "Upgrade" in browser.look(progress) and str(slow) in browser.look(progress), "one under way")
        (tmp_path / "go").write_text("\n", encoding="ascii")
        assert operator.recv(1000).startswith(b"Upgraded from ")
    browser.click("#now")
    until(lambda: re.search(r"upgrades = 1; last = from \S+ by command, 0 sessions, 0 closed, [0-9.]+ ms",
                            browser.look(process)), "the upgrade")
    assert browser.look(progress) == ""


def with_mqtt(told):
    """Figures of MQTT in what the page is told."""
    packets = {"in": {"CONNECT": 12, "PUBLISH": 123456, "SUBSCRIBE": 12, "UNSUBSCRIBE": 1, "PINGREQ": 77, "AUTH": 0},
               "out": {"CONNACK": 12, "PUBLISH": 654321, "DISCONNECT": 3}}
    mqtt = {"sessions": {"3.1": 0, "3.1.1": 7, "5": 4}, "connects": {"3.1": 0, "3.1.1": 8, "5": 4}, "packets": packets,
            "publishes": {"in": {"0": 123000, "1": 450, "2": 6}, "out": {"0": 654000, "1": 321, "2": 0}},
            "connacks": [{"version": "5", "code": 0, "reason": "Success", "count": 3},
                         {"version": "3.x", "code": 5, "reason": "Not authorized", "count": 21},
                         {"version": "5", "code": 0x87, "reason": "Not authorized", "count": 1}],
            "disconnects": [{"sender": "client", "code": 0, "reason": "Normal disconnection", "count": 5},
                            {"sender": "gate", "code": 0x8D, "reason": "Keep Alive timeout", "count": 2},
                            {"sender": "server", "code": None, "reason": "other", "count": 1}],
            "broken": 2, "loose": 0}
    listener = told["listeners"][0]
    listener.update(mqtt=mqtt, refused={"pace": 2, "not_mqtt": 30, "version": 1}, paced=9, keep_alive_ended=2,
                    max_age_ended=4)
    listener["stat"].update(mqgate_mqtt_packets_in=123558, mqgate_mqtt_packets_out=654336)
    listener["history"].update({key: [100, 200, 150, 400] for key in ("sessions", "session_rate", "in_rate", "out_rate",
                                                                      "packets_in_rate", "packets_out_rate")})
    told["backends"][0]["servers"][0]["mqtt"] = mqtt
    return told


def table(browser, section):
    """Its rows as texts, the first cell included."""
    return browser.look(f"[...document.querySelectorAll('#{section} tbody tr')].map(tr => [...tr.children].map("
                        "c => (c.querySelector('.tip')?.firstChild || c).textContent))")


def test_figures_of_mqtt_are_shown_when_there_are_some(mqgate, browser):
    gate = mqgate(conf(1883, listener={"protocol": "mqtt"}))
    show(browser, gate)
    hidden = "document.querySelector('#mqtt').hidden"
    charts = "[...document.querySelectorAll('.proxy .chart:not([hidden]) figcaption')].map(c => c.firstChild.textContent)"
    until(lambda: table(browser, "clients"), "the first answer")
    assert browser.look(hidden) and "Packets in" not in browser.look(charts)
    keys = gate.listener_stats()["mqtt"].keys()
    told = with_mqtt(gate.stats())
    assert told["listeners"][0]["mqtt"].keys() == keys
    browser.answer(told)
    browser.click("#now")
    until(lambda: not browser.look(hidden), "figures of MQTT")
    assert {"Packets in", "Packets out"} <= set(browser.look(charts))
    packets = table(browser, "mqtt-packets")
    assert [row[0] for row in packets] == ["in", "out/s0"]
    assert packets[0][1:] == ["0", "0", "123558", "654336", "123000", "450", "6", "654000", "321", "0", "12", "12", "1",
                              "77", "", "2", "0"]
    assert table(browser, "mqtt-codes")[:5] == [
        ["in", "CONNACK", "3.x", "the server", "0x05", "Not authorized", "21"],
        ["in", "CONNACK", "5", "the server", "0x87", "Not authorized", "1"],
        ["in", "DISCONNECT", "5", "the client", "0x00", "Normal disconnection", "5"],
        ["in", "DISCONNECT", "5", "mqgate", "0x8D", "Keep Alive timeout", "2"],
        ["in", "DISCONNECT", "5", "the server", "other", "other", "1"]]
    client = dict(zip(browser.look("[...document.querySelectorAll('#clients thead th')].map(th => th.textContent)"),
                      table(browser, "clients")[0]))
    assert (client["MQTT 3.1"], client["MQTT 3.1.1"], client["MQTT 5"]) == ("0", "7", "4")
    assert (client["Refused"], client["Waited"], client["Silent"], client["Too old"]) == ("33", "9", "2", "4")
    for direction, by in ("in", 400), ("out", 800):
        told["listeners"][0]["mqtt"]["packets"][direction]["PUBLISH"] += by
    browser.answer(told)
    browser.click("#now")
    until(lambda: table(browser, "mqtt-packets")[0][1] != "0", "a rate")
    browser.screenshot(PICTURES / "mqtt.png")
    browser.media(colorScheme="dark")
    browser.screenshot(PICTURES / "mqtt-dark.png")
    show(browser, gate, viewport=PHONE, hasTouch=True, isMobile=True)
    browser.answer(told)
    browser.click("#now")
    until(lambda: not browser.look(hidden), "figures of MQTT on a phone")
    assert browser.look("document.documentElement.scrollWidth") == PHONE["width"]
    browser.screenshot(PICTURES / "mqtt-phone.png")


def test_a_certificate_that_expires_soon_is_told_first(mqgate, browser, pki):
    gate = mqgate(conf(1883, listener={"tls": "edge"}, tls=[section("edge", pki.leaf("a.test", expired=True))]))
    show(browser, gate)
    notices = "document.getElementById('notices').innerText"
    its_row = "document.querySelector('#certificates tbody tr')"
    assert "certificate of a.test (TLS section edge) has expired" in browser.look(notices)
    assert browser.look(f"getComputedStyle({its_row}).backgroundColor") == COLOURS["down"]
    told = gate.stats()
    told["certificates"][0].update(expired=False, days_left=13)
    browser.answer(told)
    browser.click("#now")
    until(lambda: "expires in 13 days" in browser.look(notices), "the notice")
    assert browser.look(f"getComputedStyle({its_row}).backgroundColor") == COLOURS["going_down"]


def test_scope_and_hidden_servers_are_kept_in_the_address(mqgate, browser):
    gate = mqgate(conf([free_port()], backend={"check": CHECK}))
    gate.wait_log(event="backend_down")
    show(browser, gate)
    await_colour(browser, "s0", "down")
    browser.fill("#scope", "OU")
    visible = "[...document.querySelectorAll('.proxy:not([hidden]) .tab')].map(t => t.textContent)"
    until(lambda: browser.look(visible) == ["out"], "only one proxy")
    browser.click("#hide-down")
    assert browser.look("document.querySelector('tr.down').hidden")
    assert browser.look("location.pathname + location.search") == "/haproxy_stats;up?scope=OU"
    assert browser.look("document.getElementById('csv').href").endswith("/haproxy_stats;up;csv?scope=OU")
    browser.fill("#scope", "nobody")
    until(lambda: browser.look("!document.getElementById('nothing').hidden"), "a word of it")


def test_the_keyboard_reaches_everything(mqgate, browser):
    gate = mqgate(conf(free_port(), backend={"check": CHECK}))
    gate.wait_log(event="backend_down")
    show(browser, gate)
    await_colour(browser, "s0", "down")
    browser.press("Tab")
    assert browser.look("document.activeElement.textContent") == "Skip to the proxies"
    browser.press("Enter")
    told = set()
    for _ in range(60):
        browser.press("Tab")
        if browser.look("document.activeElement.matches('.tip')"):
            assert browser.look("!document.getElementById('tip').hidden")
            told.add(browser.look("document.getElementById('tip').textContent"))
            described = "document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent"
            assert browser.look(f"{described} === document.getElementById('tip').textContent")
    assert any(text.startswith("Layer4 connection problem: ") for text in told)
    assert any(text.startswith("Current connection rate: 0/s") for text in told)
    assert any("Max / Avg over last 1024" in text for text in told)
    browser.look("document.querySelector('.tip').focus()")
    browser.press("Escape")
    assert browser.look("document.getElementById('tip').hidden")


def test_tables_say_what_they_are_to_a_screen_reader(mqgate, browser):
    show(browser, mqgate(conf(1883)))
    assert browser.look("[...document.querySelectorAll('table')].every(t => t.caption?.textContent)")
    assert browser.look("[...document.querySelectorAll('thead th')].every(th => /^col(group)?$/.test(th.scope))")
    assert browser.look("[...document.querySelectorAll('tbody th')].every(th => th.scope === 'row')")
    assert browser.look("[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-label'))")
    assert browser.look("document.documentElement.lang") == "en"
    assert browser.look("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
                        " === document.querySelectorAll('[id]').length")


def test_a_phone_scrolls_tables_but_not_the_page(mqgate, serve, browser):
    gate = mqgate(conf([serve(Echo).port, free_port()], backend={"check": CHECK},
                       global_={"node": "a-node-with-quite-a-long-name.example.com"}))
    gate.wait_log(event="server_down")
    show(browser, gate, viewport=PHONE, hasTouch=True, isMobile=True)
    await_colour(browser, "s1", "down")
    assert browser.look("document.documentElement.scrollWidth") == PHONE["width"]
    scroller = f"{row('s1', 'out')}.closest('.scroll')"
    browser.look(f"{scroller}.scrollLeft = 500")
    assert browser.look(f"{scroller}.scrollLeft") == 500
    left = browser.look(f"({row('s1', 'out')}).firstChild.getBoundingClientRect().left")
    assert 0 <= left < 40  # name and status stay
    assert "DOWN" in browser.look(f"({row('s1', 'out')}).firstChild.innerText")
    browser.tap("tr.down th .tip")
    assert browser.look("document.getElementById('tip').textContent").startswith("127.0.0.1:")
    edges = browser.look("(r => [r.left, r.right])(document.getElementById('tip').getBoundingClientRect())")
    assert edges[0] >= 0 and edges[1] <= PHONE["width"]
    browser.screenshot(PICTURES / "phone.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_easy_to_read(mqgate, serve, browser, scheme):
    echo = serve(Echo)
    servers = [echo.port, echo.port, free_port(), echo.port]
    gate = mqgate(conf(servers, backend={"check": CHECK}))
    gate.control("set server out/s1 state drain", "set server out/s3 state maint")
    gate.wait_log(event="server_down", server="s2")
    show(browser, gate, colorScheme=scheme)
    await_page(browser)
    until(lambda: browser.look("document.querySelectorAll('tr.down').length") == 1, "the row")
    told = gate.stats()
    for n, status in enumerate(("UP 2/3", "DOWN 1/2", "UP", "DRAIN", "NOLB", "no check")):
        for backup in (0, 1):
            extra = {**told["backends"][0]["servers"][0], "name": f"x{n}{backup}"}
            extra["stat"] = {**extra["stat"], "status": status, "bck": backup, "sid": 100 + 2 * n + backup}
            told["backends"][0]["servers"].append(extra)
    told["backends"][0]["stat"]["status"] = "DOWN"
    told["state"] = "draining"
    browser.answer(with_mqtt(told))
    browser.click("#now")
    until(lambda: browser.look("document.querySelectorAll('tr.backup-going-down').length"), "all colours")
    browser.hover("tr.backend .tip")
    assert browser.look("document.querySelectorAll('.notice').length") >= 2
    assert browser.look(PALE) == []
    assert browser.look("getComputedStyle(document.body).backgroundColor") == {
        "light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 27)"}[scheme]
    browser.screenshot(PICTURES / f"{scheme}.png")


def test_the_choice_of_colours_outlives_a_reload(mqgate, browser):
    gate = mqgate(conf(1883))
    show(browser, gate)
    browser.choose("#theme", "dark")
    assert browser.look("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 27)"
    browser.look("location.reload()")
    until(lambda: browser.seen()["loads"] == 2, "the reload")
    assert browser.look("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 27)"


def test_who_wants_no_motion_gets_none(mqgate, browser):
    gate = mqgate(conf(1883))
    for wish, animation in (("no-preference", "beat"), ("reduce", "none")):
        show(browser, gate, reducedMotion=wish)
        assert browser.look("getComputedStyle(document.querySelector('.dot')).animationName") == animation


def test_a_page_that_is_paused_or_hidden_asks_nothing(mqgate, browser):
    gate = mqgate(conf(1883))
    show(browser, gate)
    browser.choose("#interval", "1")
    asked = lambda: len(browser.seen()["requests"])  # noqa: E731
    quiet_for = 2.5  # there is nothing to await: two intervals in which nothing happens
    browser.click("#pause")
    until(lambda: browser.look("document.getElementById('live').dataset.state") == "paused", "the pause")
    before = asked()
    time.sleep(quiet_for)
    assert asked() == before
    browser.click("#pause")
    until(lambda: asked() > before, "another request")
    hide = ("Object.defineProperty(document, 'hidden', {{ configurable: true, value: {} }}), "
            "document.dispatchEvent(new Event('visibilitychange'))")
    browser.look(hide.format("true"))
    until(lambda: browser.look("asking === null"), "the last answer")
    before = asked()
    time.sleep(quiet_for)
    assert asked() == before
    browser.look(hide.format("false"))
    until(lambda: asked() > before, "another request")


def test_a_lost_gate_is_told_of_and_found_again(mqgate, chromium):
    port = free_port()
    configuration = conf(1883, admin={"bind": f"127.0.0.1:{port}"})
    first = mqgate(configuration)
    show(chromium, first)
    chromium.choose("#interval", "1")
    first.stop()
    until(lambda: chromium.look("!document.getElementById('lost').hidden"), "the loss to be seen")
    assert re.match(r"No answer since .*trying again", chromium.look("document.getElementById('lost').textContent"))
    second = mqgate(configuration)
    until(lambda: chromium.look("document.getElementById('lost').hidden"), "it to be found again")
    assert f"pid {second.pid}" in chromium.look("document.querySelector('h2').textContent")
    assert chromium.seen()["loads"] == 1


def test_names_and_details_are_text_whatever_they_say(mqgate, browser):
    evil = "<img src=x onerror=\"window.caught=1\"><script>window.caught=1</script>&lt;b&gt;"
    gate = mqgate(conf(free_port(), backend={"check": CHECK}))
    gate.wait_log(event="backend_down")
    show(browser, gate)
    told = gate.stats()
    told["node"] = told["listeners"][0]["name"] = told["listeners"][0]["binds"][0]["svname"] = evil
    told["backends"][0]["name"] = told["backends"][0]["servers"][0]["name"] = evil
    told["backends"][0]["servers"][0]["stat"].update(
        dict.fromkeys(("last_chk", "check_desc", "check_status", "addr", "status"), evil))
    texts = ("tls", "file", "subject", "issuer", "names", "key", "serial", "not_before", "not_after")
    told["certificates"] = [{**dict.fromkeys(texts, evil), "days_left": 3, "expired": False}]
    told["drain"] = {"why": evil, "done": 3, "total": 10}
    with_mqtt(told)["listeners"][0]["mqtt"]["connacks"][1]["reason"] = evil
    told["listeners"][0]["refused"] = {evil: 1}
    browser.answer(told)
    browser.click("#now")
    until(lambda: browser.look("document.title").endswith(evil), "the page to have it")
    for place in (".tab a", "tr.listener .tip", "#certificates td", "#progress dd", "#mqtt-codes .left",
                  "#notices .notice"):
        assert evil in browser.look(f"document.querySelector('{place}').textContent"), place
    assert browser.look("window.caught === undefined && document.images.length === 0 && document.scripts.length === 1")
    assert browser.look("document.querySelector('#progress progress').value") == 3


def test_the_policy_lets_nothing_else_in(mqgate, chromium):
    gate = mqgate(conf(1883))
    status, headers, _ = gate.get("/haproxy_stats")
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", policy["script-src"])
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", policy["style-src"])
    assert (policy["connect-src"], policy["form-action"], policy["img-src"]) == ("'self'", "'self'", "data:")
    show(chromium, gate)
    assert chromium.look("(() => { const s = document.createElement('p'); s.setAttribute('style', 'color: red'); "
                        "document.body.append(s); return getComputedStyle(s).color !== 'rgb(255, 0, 0)'; })()")
    assert [each for each in chromium.seen()["complaints"] if "style" in each]


def test_without_javascript_there_are_links(mqgate, chromium):
    gate = mqgate(conf(1883))
    chromium.open(url(gate), javaScriptEnabled=False)
    chromium.click("noscript a:last-of-type")
    until(lambda: any(each.endswith("/haproxy_stats?;json;mqgate") for each in chromium.seen()["requests"]), "the link")
    assert gate.get("/haproxy_stats?;json;mqgate")[0] == 200


def test_a_password_in_the_address_is_no_hindrance(mqgate, chromium):
    gate = mqgate(conf(1883, admin={"stats_auth": [f"ops:{crypt('secret', '$5$saltsalt$')}"]}))
    chromium.open(url(gate).replace("//", "//ops:secret@"), viewport=WIDE)
    await_page(chromium)
    assert chromium.look("document.querySelectorAll('tbody input[type=checkbox][name=s]').length") == 1


def test_ticked_servers_are_drained_by_the_form(mqgate, serve, chromium):
    echo = serve(Echo)
    gate = mqgate(conf([echo.port, echo.port, echo.port], backend={"check": CHECK},
                       admin={"stats_auth": [f"ops:{crypt('secret', '$5$saltsalt$')}"]}))
    gate.wait_log(event="backend_up")
    chromium.open(url(gate), viewport=WIDE, colorScheme="light",
                  httpCredentials={"username": "ops", "password": "secret"})
    await_page(chromium)
    chromium.click("thead input[type=checkbox]")
    assert chromium.look("document.querySelectorAll('input[name=s]:checked').length") == 3
    assert chromium.look("document.querySelectorAll('form, .admin').length") == 2  # both of the only backend
    chromium.click("input[name=s][value=s2]")
    actions = chromium.look("[...document.querySelectorAll('select[name=action] option')].map(o => o.value)")
    assert actions == ["", "ready", "drain", "maint", "dhlth", "ehlth", "hrunn", "hnolb", "hdown", "dagent", "eagent",
                       "arunn", "adown", "shutdown"]
    asked = len(chromium.seen()["requests"])
    until(lambda: len(chromium.seen()["requests"]) > asked, "an update")
    assert chromium.look("document.querySelectorAll('input[name=s]:checked').length") == 2  # ticks stay
    chromium.choose("select[name=action]", "drain")
    chromium.click(".apply button")
    until(lambda: chromium.look("document.querySelector('#result .notice')?.textContent") ==
          "[X]Action processed successfully.", "the result")
    await_page(chromium)
    await_colour(chromium, "s0", "drain")
    await_colour(chromium, "s1", "drain")
    await_colour(chromium, "s2", "up")
    chromium.screenshot(PICTURES / "drained.png")
    chromium.click("#result .close")
    until(lambda: chromium.look("location.pathname") == "/haproxy_stats" and
          not chromium.look("document.querySelector('#result .notice')"), "the message to go")
