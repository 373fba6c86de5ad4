# SPDX-License-Identifier: Apache-2.0
"""The proxies before S3 and the API server are transparent without a rule, and do the harm they name.

A plain client and a small server of the standard library; real ones are in the scenarios.
"""
import http.client
import http.server
import json
import ssl
import subprocess
import threading

import pytest

from streamjob_e2e import api_proxy, http_proxy, s3_proxy
from streamjob_e2e.api_proxy import ApiProxy
from streamjob_e2e.s3_proxy import S3Proxy

BODY = bytes(range(256)) * 100


class Handler(http.server.BaseHTTPRequestHandler):
    """GET answers what was PUT; a watch tells three changes, each when it is asked to."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self, code, body=b"", send=True):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send:
            self.wfile.write(body)

    def do_PUT(self):  # pylint: disable=invalid-name
        self.server.things[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hosts.append(self.headers["Host"])
        self._answer(200)

    def do_HEAD(self):  # pylint: disable=invalid-name
        self._answer(200, self.server.things.get(self.path, b""), send=False)

    def do_GET(self):  # pylint: disable=invalid-name
        if "watch=true" not in self.path:
            body = self.server.things.get(self.path)
            self._answer(404 if body is None else 200, body or b"")
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name in ("one", "two", "three"):
            event = {"type": "MODIFIED", "object": {"metadata": {"name": name}}}
            self._chunk(json.dumps(event).encode() + b"\n")
        self._chunk(b"")

    def _chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that leave are the point

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.things, self.hosts = {}, []
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=lambda: self.serve_forever(0.02), daemon=True).start()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def proxy(server):
    with S3Proxy(f"http://127.0.0.1:{server.server_port}") as made:
        yield made


def ask(proxy, method, path, body=None):
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    try:
        client.request(method, path, body)
        answer = client.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        client.close()


def test_passes_everything(server, proxy):
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    for key in ("/b/one", "/b/two"):  # on one connection
        client.request("PUT", key, BODY)
        assert client.getresponse().read() == b""
        client.request("HEAD", key)
        head = client.getresponse()
        assert head.read() == b"" and head.getheader("Content-Length") == str(len(BODY))
        client.request("GET", key)
        assert client.getresponse().read() == BODY
    client.close()
    assert server.things == {"/b/one": BODY, "/b/two": BODY}
    assert server.hosts == [f"{proxy.host}:{proxy.port}"] * 2, "the signed Host header must not change"
    assert len(proxy.seen("PUT", "/b/", 0)) == 2


def test_refuses_without_the_server(server, proxy):
    proxy.on(s3_proxy.SLOW_DOWN, "PUT", times=1)
    status, body, _ = ask(proxy, "PUT", "/b/k", BODY)
    assert status == 503 and b"SlowDown" in body and not server.things
    assert ask(proxy, "PUT", "/b/k", BODY)[0] == 200 and server.things


def test_says_200_with_an_error(server, proxy):
    proxy.on(s3_proxy.ERROR_IN_200, "PUT", times=1)
    status, body, _ = ask(proxy, "PUT", "/b/k", BODY)
    assert status == 200 and b"<Error>" in body and not server.things


def test_loses_the_answer_after_the_write(server, proxy):
    proxy.on(s3_proxy.lose_answer, "PUT", times=1)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(proxy, "PUT", "/b/k", BODY)
    assert server.things == {"/b/k": BODY}


def test_resets(server, proxy):
    proxy.on(s3_proxy.reset, "PUT", times=1)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(proxy, "PUT", "/b/k", BODY)
    assert not server.things


def test_truncates_and_shortens(server, proxy):
    server.things["/b/k"] = BODY
    proxy.on(s3_proxy.truncate, "GET", times=1)
    with pytest.raises(http.client.IncompleteRead):
        ask(proxy, "GET", "/b/k")
    proxy.on(s3_proxy.shorten, "GET", times=1)
    assert ask(proxy, "GET", "/b/k")[1] == BODY[:len(BODY) // 2]


def test_stores_half(server, proxy):
    proxy.on(s3_proxy.store_half(lambda key, data: server.things.update({f"/b/{key}": data})), "PUT")
    assert ask(proxy, "PUT", "/b/k", BODY)[0] == 200
    assert server.things["/b/k"] == BODY[:len(BODY) // 2]


def test_flips_one_bit(server, proxy):
    server.things["/b/k"] = BODY
    proxy.on(s3_proxy.flip_bit, "GET", times=1)
    got = ask(proxy, "GET", "/b/k")[1]
    assert sum(a != b for a, b in zip(got, BODY)) == 1 and len(got) == len(BODY)
    assert ask(proxy, "GET", "/b/k")[1] == BODY


def test_delays_until_released(server, proxy):
    server.things["/b/k"] = BODY
    rule = proxy.on(s3_proxy.hold, "GET", times=1)
    got = []
    thread = threading.Thread(target=lambda: got.append(ask(proxy, "GET", "/b/k")[0]))
    thread.start()
    rule.wait(1, 10)
    assert not got
    rule.release()
    thread.join(10)
    assert got == [200]


def test_counts_skips_and_chances(server, proxy):
    server.things["/b/k"] = BODY
    proxy.on(s3_proxy.INTERNAL, "GET", skip=1, times=2)
    assert [ask(proxy, "GET", "/b/k")[0] for _ in range(5)] == [200, 500, 500, 200, 200]
    half = proxy.on(s3_proxy.INTERNAL, "GET", chance=0.5, seed=5)
    codes = [ask(proxy, "GET", "/b/k")[0] for _ in range(40)]
    assert 8 < codes.count(500) < 32 and half.hits == codes.count(500)


def test_a_server_that_is_away(server, proxy):
    server.shutdown()
    server.server_close()
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(proxy, "GET", "/b/k")


# --- the API server's -------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", folder / "apiserver.key", "-out",
                    folder / "apiserver.crt"], check=True, capture_output=True)
    (folder / "ca.crt").write_bytes((folder / "apiserver.crt").read_bytes())
    return str(folder)


@pytest.fixture
def api(pki):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{pki}/apiserver.crt", f"{pki}/apiserver.key")
    server = Server(tls)
    with ApiProxy(("127.0.0.1", server.server_port), pki) as made:
        made.server = server
        made.tls = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        yield made
    server.shutdown()
    server.server_close()


def ask_api(api, path, method="GET", body=None):
    """(status, body) or (status, lines) of a watch; a broken stream ends with None."""
    client = http.client.HTTPSConnection(api.host, api.port, timeout=10, context=api.tls)
    try:
        client.request(method, path, body)
        answer = client.getresponse()
        if "watch=true" not in path:
            return answer.status, answer.read()
        lines = []
        try:
            while line := answer.readline():
                lines.append(line)
        except (http.client.HTTPException, OSError):
            lines.append(None)
        return answer.status, lines
    finally:
        client.close()


def names(lines):
    return [json.loads(line)["object"]["metadata"].get("name") for line in lines]


def test_a_watch_passes(api):
    assert names(ask_api(api, "/x?watch=true")[1]) == ["one", "two", "three"]


def two(event):
    return event.object["metadata"]["name"] == "two"


@pytest.mark.parametrize("act,expected", [(api_proxy.drop, ["one", "three"]),
                                          (api_proxy.twice, ["one", "two", "two", "three"]),
                                          (api_proxy.gone, ["one", None])])
def test_a_watch_lies(api, act, expected):
    api.on_event(act, match=two)
    lines = ask_api(api, "/x?watch=true")[1]
    assert names(lines) == expected
    if act is api_proxy.gone:
        assert json.loads(lines[-1])["object"]["code"] == 410


def test_a_watch_breaks_inside_an_event(api):
    api.on_event(api_proxy.cut_inside, match=two)
    lines = ask_api(api, "/x?watch=true")[1]
    assert names(lines[:1]) == ["one"] and len(lines) <= 3 and lines[-1] != b""
    with pytest.raises((ValueError, TypeError)):
        json.loads(lines[1])


def test_a_watch_stalls(api):
    rule = api.on_event(api_proxy.hold, match=two)
    got = []
    thread = threading.Thread(target=lambda: got.append(ask_api(api, "/x?watch=true")))
    thread.start()
    rule.wait(1, 10)
    assert not got
    rule.release()
    thread.join(10)
    assert names(got[0][1]) == ["one", "two", "three"]


def test_a_stale_list(api):
    api.server.things["/l?limit=5"] = b'{"items": ["old"]}'
    assert ask_api(api, "/l?limit=5")[1] == b'{"items": ["old"]}'
    api.age()
    api.server.things["/l?limit=5"] = b'{"items": ["new"]}'
    api.on(api.stale, "GET", "^/l", times=1)
    assert ask_api(api, "/l?limit=5")[1] == b'{"items": ["old"]}'
    assert ask_api(api, "/l?limit=5")[1] == b'{"items": ["new"]}'


def test_refusals_edits_and_pretence(api):
    api.server.things["/l"] = b'{"spec": {"holder": "a"}}'
    api.on(api_proxy.CONFLICT, "PUT", times=1)
    status, body = ask_api(api, "/o", "PUT", b"{}")
    assert status == 409 and json.loads(body)["reason"] == "Conflict"
    api.on(api_proxy.pretend, "PUT", times=1)
    assert ask_api(api, "/o", "PUT", b'{"a": 1}') == (200, b'{"a": 1}') and "/o" not in api.server.things
    api.on(api_proxy.edit(lambda thing: thing["spec"].update(holder="b")), "GET", times=1)
    assert b'"b"' in ask_api(api, "/l")[1]
    api.on(api_proxy.too_many(2), "GET", times=1)
    client = http.client.HTTPSConnection(api.host, api.port, timeout=10, context=api.tls)
    client.request("GET", "/l")
    answer = client.getresponse()
    assert (answer.status, answer.getheader("Retry-After")) == (429, "2")
    client.close()


def test_who_asks():
    token = "e30.eyJrdWJlcm5ldGVzLmlvIjp7InBvZCI6eyJuYW1lIjoib3AtMSJ9fX0.x"
    asked = http_proxy.Request("GET", "/", [("Authorization", f"Bearer {token}")], b"", "127.0.0.1")
    assert api_proxy.pod_of(asked) == "op-1"
    assert api_proxy.pod_of(http_proxy.Request("GET", "/", [], b"", "127.0.0.1")) == ""
