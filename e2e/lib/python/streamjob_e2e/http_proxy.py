# SPDX-License-Identifier: Apache-2.0
"""A proxy that understands HTTP/1.1, and what can befall a request or its answer.

Headers pass as they came, Host included, so that signatures stay true. Bodies are held in memory as a
whole; streams are a matter of api_proxy. Rules look at a Request and act on an Exchange.
"""
import dataclasses
import re
import threading
import time
import urllib.parse

from streamjob_e2e import sockets
from streamjob_e2e.rules import Rule, Rules

HEAD_MAX, BODY_MAX = 1 << 20, 1 << 28
UPSTREAM_SECONDS = 120


class Broken(Exception):
    """The other side's bytes are no HTTP, or end early."""


class Reader:
    """Lines and counted bytes of a connection."""

    def __init__(self, connection):
        self.connection, self._buffer = connection, bytearray()

    def _more(self):
        piece = self.connection.recv(1 << 16)
        if not piece:
            raise Broken("the connection ended")
        self._buffer += piece

    def buffered(self):
        return bool(self._buffer)

    def head(self):
        """The lines before the empty one; None at the end of the stream."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_MAX:
                raise Broken("a head without end")
            try:
                self._more()
            except Broken:
                if self._buffer:
                    raise
                return None
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        return head.decode("latin-1").split("\r\n")

    def exactly(self, count):
        while len(self._buffer) < count:
            self._more()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def line(self):
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        self._buffer = bytearray(rest)
        return line

    def chunk(self):
        """The next chunk's content; None at the last one."""
        size = int(self.line().split(b";")[0], 16)
        if size == 0:
            while self.line():
                pass
            return None
        content = self.exactly(size)
        self.exactly(2)
        return content


def header(headers, name):
    return next((value for key, value in headers if key.lower() == name), "")


def _headers(lines):
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: list
    body: bytes
    peer: str

    @property
    def path(self):
        return urllib.parse.unquote(self.target.partition("?")[0])

    @property
    def query(self):
        text = self.target.partition("?")[2]
        return dict(urllib.parse.parse_qsl(text, keep_blank_values=True))

    def packed(self):
        return _packed(f"{self.method} {self.target} HTTP/1.1", self.headers, self.body)


@dataclasses.dataclass
class Response:
    status: int
    reason: str
    headers: list
    body: bytes = b""
    bodiless: bool = False  # to HEAD: the length in its head is of another answer

    def packed(self):
        headers = self.headers
        if not self.bodiless:
            headers = [(k, v) for k, v in headers
                       if k.lower() not in ("content-length", "transfer-encoding")]
            headers.append(("Content-Length", str(len(self.body))))
        return _packed(f"HTTP/1.1 {self.status} {self.reason}", headers, self.body)


def _packed(first, headers, body):
    lines = [first, *(f"{key}: {value}" for key, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def read_request(reader, peer, say_continue):
    lines = reader.head()
    if lines is None:
        return None
    method, target, _ = lines[0].split(" ", 2)
    headers = _headers(lines[1:])
    if header(headers, "expect"):
        say_continue()
        headers = [(k, v) for k, v in headers if k.lower() != "expect"]
    body = b""
    if "chunked" in header(headers, "transfer-encoding").lower():
        while (chunk := reader.chunk()) is not None:
            body += chunk
        headers = [(k, v) for k, v in headers if k.lower() != "transfer-encoding"]
        headers.append(("Content-Length", str(len(body))))
    elif header(headers, "content-length"):
        length = int(header(headers, "content-length"))
        if length > BODY_MAX:
            raise Broken("a body without bound")
        body = reader.exactly(length)
    return Request(method, target, headers, body, peer)


def read_response_head(reader):
    lines = reader.head()
    if lines is None:
        raise Broken("no answer")
    _, status, *reason = lines[0].split(" ", 2)
    if status == "100":
        return read_response_head(reader)
    return Response(int(status), reason[0] if reason else "", _headers(lines[1:]))


def read_body(reader, response, method):
    if method == "HEAD" or response.status in (204, 304):
        response.bodiless = True
    elif "chunked" in header(response.headers, "transfer-encoding").lower():
        while (chunk := reader.chunk()) is not None:
            response.body += chunk
    else:
        response.body = reader.exactly(int(header(response.headers, "content-length") or 0))
    return response


class Exchange:
    """One request on its way, with what can be done about it. Owned by one thread."""

    def __init__(self, proxy, request, client):
        self.proxy, self.request, self.client = proxy, request, client
        self.open = True  # the client's connection may be used again

    def forward(self):
        """Sends the request to the server and returns its answer."""
        upstream = self.proxy.dial()
        try:
            upstream.sendall(self.request.packed())
            reader = Reader(upstream)
            return read_body(reader, read_response_head(reader), self.request.method)
        finally:
            sockets.close(upstream)

    def answer(self, response):
        self.proxy.note(self.request, response.status)
        self.client.sendall(response.packed())
        if header(response.headers, "connection").lower() == "close":
            self.close()

    def pass_on(self):
        self.answer(self.forward())

    def close(self):
        self.proxy.note(self.request, 0)
        self.open = False
        sockets.close(self.client)

    def reset(self):
        self.open = False
        self.proxy.note(self.request, 0)
        sockets.reset(self.client)


# --- what can befall a request ----------------------------------------------------------------------

def status(code, reason="", body=b"", **headers):
    """This answer, and the server never sees the request. `Retry_After="2"` makes a header."""
    made = [(key.replace("_", "-"), value) for key, value in headers.items()]

    def act(exchange, _rule):
        exchange.answer(Response(code, reason or "Error", list(made), body,
                                 bodiless=exchange.request.method == "HEAD"))
    return act


def lose_answer(exchange, _rule):
    """The server does it; the client sees its connection end."""
    exchange.forward()
    exchange.close()


def reset(exchange, _rule):
    exchange.reset()


def hold(exchange, rule):
    """Until the rule is released; then as if nothing had been."""
    rule.gate.wait()
    exchange.pass_on()


def delay(seconds):
    def act(exchange, rule):
        rule.gate.wait(seconds)
        exchange.pass_on()
    return act


def truncate(exchange, _rule):
    """Half of the body, under the head of the whole."""
    whole = exchange.forward()
    packed = whole.packed()
    exchange.client.sendall(packed[:len(packed) - (len(whole.body) + 1) // 2])
    exchange.close()


def shorten(exchange, _rule):
    """Half of the body as if it were all of it."""
    response = exchange.forward()
    response.body = response.body[:len(response.body) // 2]
    exchange.answer(response)


def flip_bit(exchange, _rule):
    """One bit in the middle of the answer's body."""
    response = exchange.forward()
    if response.body:
        middle = len(response.body) // 2
        changed = bytearray(response.body)
        changed[middle] ^= 1
        response.body = bytes(changed)
    exchange.answer(response)


class HttpProxy:
    """Between clients and one server; plain, or TLS on both sides by `server_tls` and `client_tls`."""

    exchange = Exchange

    def __init__(self, upstream, host="127.0.0.1", port=0, server_tls=None, client_tls=None):
        self._upstream, self._server_tls, self._client_tls = upstream, server_tls, client_tls
        self.rules, self._lock, self.history = Rules(), threading.Lock(), []
        self._server = sockets.Server(host, port, self._serve, server_tls)
        self.host, self.port = self._server.host, self._server.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def endpoint(self):
        return f"{'https' if self._server_tls else 'http'}://{self.host}:{self.port}"

    def close(self):
        self.rules.clear()
        self._server.close()

    def cut(self):
        self._server.cut()

    def dial(self):
        upstream = sockets.connect(self._upstream)
        if self._client_tls is not None:
            upstream = self._client_tls.wrap_socket(upstream, server_hostname=self._upstream[0])
        upstream.settimeout(UPSTREAM_SECONDS)
        return upstream

    def who(self, request):
        return request.peer

    def note(self, request, code):
        with self._lock:
            self.history.append((time.monotonic(), request.method, request.target, code,
                                 self.who(request)))

    def seen(self, method=None, path="", since=0.0, who=None):
        """[(when, method, target, status, who)] of the answered requests; status 0: none was given."""
        with self._lock:
            history = list(self.history)
        return [entry for entry in history if entry[0] >= since and who in (None, entry[4]) and
                (method is None or entry[1] in method.split("|")) and
                re.search(path, urllib.parse.unquote(entry[2]))]

    def on(self, act, method=None, path="", match=None, **how):
        """A rule for requests by method (or several, "PUT|PATCH"), by a pattern in path and query, and
        by `match(request)`. `how`: skip, times, chance, seed."""
        def matches(thing):
            return (isinstance(thing, Request) and
                    (method is None or thing.method in method.split("|")) and
                    re.search(path, urllib.parse.unquote(thing.target)) is not None and
                    (match is None or match(thing)))
        return self.rules.add(Rule(matches, act, **how))

    def _serve(self, connection, peer):
        reader = Reader(connection)
        try:
            while True:
                request = read_request(reader, peer[0], lambda: connection.sendall(
                    b"HTTP/1.1 100 Continue\r\n\r\n"))
                if request is None:
                    return
                exchange = self.exchange(self, request, connection)
                self._handle(exchange)
                if not exchange.open:
                    return
        except (Broken, ValueError):
            return

    def _handle(self, exchange):
        rule = self.rules.find(exchange.request)
        try:
            if rule is None:
                exchange.pass_on()
            else:
                rule.act(exchange, rule)
        except (OSError, Broken):
            exchange.reset()  # the server is away: so are we
