# SPDX-License-Identifier: Apache-2.0
"""A proxy before the S3 server, and the faults that object stores are known for."""
from urllib.parse import urlparse

from streamjob_e2e import http_proxy
from streamjob_e2e.http_proxy import HttpProxy, Response, status


def _error(code, words):
    return (f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
            f"<Message>{words}</Message></Error>").encode()


SLOW_DOWN = status(503, "Slow Down", _error("SlowDown", "Please reduce your request rate."),
                   Content_Type="application/xml")
INTERNAL = status(500, "Internal Server Error", _error("InternalError", "We are sorry."),
                  Content_Type="application/xml")
NO_SUCH_KEY = status(404, "Not Found", _error("NoSuchKey", "The key does not exist."),
                     Content_Type="application/xml")
# 200 with an error inside: the server has not stored anything.
ERROR_IN_200 = status(200, "OK", _error("InternalError", "We are sorry."),
                      Content_Type="application/xml")


def store_half(put):
    """PUT answers 200 and the store has half of it; `put(key, bytes)` writes there."""
    def act(exchange, _rule):
        key = exchange.request.path.lstrip("/").partition("/")[2]
        put(key, exchange.request.body[:len(exchange.request.body) // 2])
        exchange.answer(Response(200, "OK", []))
    return act


lose_answer, reset, hold = http_proxy.lose_answer, http_proxy.reset, http_proxy.hold
delay, truncate, flip_bit, shorten = (http_proxy.delay, http_proxy.truncate, http_proxy.flip_bit,
                                      http_proxy.shorten)


class S3Proxy(HttpProxy):
    """`with S3Proxy(s3.endpoint) as proxy`; its endpoint goes into the job's manifest."""

    def __init__(self, endpoint, host="127.0.0.1"):
        where = urlparse(endpoint)
        super().__init__((where.hostname, where.port), host)
