# SPDX-License-Identifier: Apache-2.0
"""A proxy before the API server: stale lists, watches that lie, stall or end, refused requests.

TLS on both sides with the cluster's certificates. Who asks is told by the bearer token, which passes
through: nothing is judged or signed here. A watch passes event by event, so that a rule may drop, hold
or break one; what is held keeps back what comes after it on the same watch.
"""
import base64
import dataclasses
import json
import os
import re
import select
import ssl

from streamjob_e2e import http_proxy, sockets
from streamjob_e2e.http_proxy import (Broken, Exchange, HttpProxy, Reader, Request, Response, header,
                                      read_response_head, status)
from streamjob_e2e.rules import Rule

GONE = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version: 1 (2)", "reason": "Expired", "code": 410}
SELECT_SECONDS = 1.0


def failure(code, reason, message, **headers):
    """A refusal in the API server's form."""
    body = {**GONE, "code": code, "reason": reason, "message": message}
    return status(code, reason, json.dumps(body).encode(), Content_Type="application/json", **headers)


CONFLICT = failure(409, "Conflict", "the object has been modified; please apply your changes to the "
                                    "latest version and try again")
EXPIRED = failure(410, "Expired", GONE["message"])
UNAVAILABLE = failure(503, "ServiceUnavailable", "the server is currently unable to handle the request")
INTERNAL = failure(500, "InternalError", "Internal error occurred")


def too_many(seconds):
    return failure(429, "TooManyRequests", "the server has received too many requests",
                   Retry_After=str(seconds))


def pod_of(request):
    """The pod a request comes from, by its token; "" for other clients."""
    parts = header(request.headers, "authorization").removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return ""
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return claims.get("kubernetes.io", {}).get("pod", {}).get("name", "")


@dataclasses.dataclass
class Event:
    """One line of a watch."""
    line: bytes
    request: Request
    stream: object

    @property
    def type(self):
        return json.loads(self.line)["type"]

    @property
    def object(self):
        return json.loads(self.line)["object"]

    def send(self, line=None):
        self.stream.send(self.line if line is None else line)

    def end(self):
        self.stream.ended = True


# --- what can befall an event -----------------------------------------------------------------------

def drop(_event, _rule):
    """This watch never tells it."""


def hold(event, rule):
    rule.gate.wait()
    event.send()


def twice(event, _rule):
    event.send()
    event.send()


def gone(event, _rule):
    """410 as an ERROR event, and the end of the watch; the event is not told."""
    event.send(json.dumps({"type": "ERROR", "object": GONE}).encode() + b"\n")
    event.end()


def cut_inside(event, _rule):
    """Half of the event, and the end of the connection."""
    event.send(event.line[:len(event.line) // 2])
    event.stream.exchange.close()
    event.end()


def garbage(event, _rule):
    event.send(b'{"type":"MODIFIED","object":{"kind":\n')
    event.send()


# --- what can befall a request ----------------------------------------------------------------------

def edit(change):
    """The answer's object, changed by `change(object)`."""
    def act(exchange, _rule):
        response = exchange.forward()
        if response.status == 200:
            thing = json.loads(response.body)
            change(thing)
            response.body = json.dumps(thing).encode()
        exchange.answer(response)
    return act


def pretend(exchange, _rule):
    """A write is answered as if it had been done."""
    exchange.answer(Response(200, "OK", [("Content-Type", "application/json")],
                             exchange.request.body))


class ApiExchange(Exchange):
    def pass_on(self):
        if self.request.query.get("watch") in ("true", "1"):
            _Stream(self).run()
            return
        response = self.forward()
        self.proxy.remember(self.request, response)
        self.answer(response)


class _Stream:
    """A watch on its way through. Owned by the exchange's thread."""

    def __init__(self, exchange):
        self.exchange, self.ended, self._rest = exchange, False, b""

    def send(self, data):
        self.exchange.client.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def run(self):
        exchange = self.exchange
        upstream = exchange.proxy.dial()
        try:
            upstream.sendall(exchange.request.packed())
            reader = Reader(upstream)
            response = read_response_head(reader)
            exchange.proxy.note(exchange.request, response.status)
            if "chunked" not in header(response.headers, "transfer-encoding").lower():
                exchange.answer(http_proxy.read_body(reader, response, "GET"))
                return
            head = "".join(f"{k}: {v}\r\n" for k, v in response.headers)
            exchange.client.sendall(f"HTTP/1.1 {response.status} {response.reason}\r\n{head}\r\n"
                                    .encode("latin-1"))
            self._pump(reader, upstream)
            if exchange.open:
                exchange.client.sendall(b"0\r\n\r\n")
        except Broken:
            exchange.close()
        finally:
            sockets.close(upstream)

    def _pump(self, reader, upstream):
        while not self.ended:
            if not reader.buffered() and not upstream.pending():
                ready, _, _ = select.select([upstream, self.exchange.client], [], [], SELECT_SECONDS)
                if self.exchange.client in ready:
                    self.exchange.close()  # it says something or nothing more: it has left
                    return
                if not ready:
                    continue
            chunk = reader.chunk()
            if chunk is None:
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                if not self.ended:
                    self._pass(line + b"\n")

    def _pass(self, line):
        event = Event(line, self.exchange.request, self)
        rule = self.exchange.proxy.rules.find(event)
        if rule is None:
            event.send()
        else:
            rule.act(event, rule)


class ApiProxy(HttpProxy):
    """`pki` is the folder with the cluster's ca.crt, apiserver.crt and apiserver.key."""

    exchange = ApiExchange

    def __init__(self, upstream, pki, host="127.0.0.1", port=0, name="apiserver"):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(os.path.join(pki, f"{name}.crt"), os.path.join(pki, f"{name}.key"))
        client = ssl.create_default_context(cafile=os.path.join(pki, "ca.crt"))
        self._lists, self._old = {}, {}
        super().__init__(upstream, host, port, server, client)

    def who(self, request):
        """The pod, or the address of a client that is none."""
        return pod_of(request) or request.peer

    @staticmethod
    def _list_key(request):
        ignored = {"resourceVersion", "resourceVersionMatch", "limit", "timeoutSeconds"}
        return request.target.partition("?")[0], tuple(sorted(
            (k, v) for k, v in request.query.items() if k not in ignored))

    def remember(self, request, response):
        if request.method == "GET" and response.status == 200:
            with self._lock:
                self._lists[self._list_key(request)] = response

    def age(self):
        """From now on `stale` answers what was answered before now."""
        with self._lock:
            self._old = dict(self._lists)

    def stale(self, exchange, _rule):
        """An answer as of `age()`; the true one where nothing was asked before."""
        with self._lock:
            old = self._old.get(self._list_key(exchange.request))
        if old is None:
            exchange.pass_on()
        else:
            exchange.answer(old)

    def on_event(self, act, path="", match=None, **how):
        """A rule for events of watches, by a pattern in path and query and by `match(event)`.
        Bookmarks are left alone."""
        def matches(thing):
            return (isinstance(thing, Event) and re.search(path, thing.request.target) is not None and
                    thing.type != "BOOKMARK" and (match is None or match(thing)))
        return self.rules.add(Rule(matches, act, **how))
