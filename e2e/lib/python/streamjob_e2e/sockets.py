# SPDX-License-Identifier: Apache-2.0
"""Sockets for the proxies: accepting on a thread, one thread for each connection, ends that are sharp.

Listens on loopback or on the environment's own bridge only.
"""
import socket
import struct
import threading

CONNECT_SECONDS = 10


def read_exactly(connection, count):
    """`count` bytes, or None at the end of the stream."""
    parts = bytearray()
    while len(parts) < count:
        piece = connection.recv(min(count - len(parts), 1 << 20))
        if not piece:
            return None
        parts += piece
    return bytes(parts)


def interrupt(connection):
    """Ends a connection that another thread uses; that thread closes it."""
    try:
        # Of TLS the plain socket below: its own shutdown would wait for the other side.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        pass


def close(connection):
    """Also wakes a thread that reads from it."""
    for step in (lambda: connection.shutdown(socket.SHUT_RDWR), connection.close):
        try:
            step()
        except OSError:
            pass


def reset(connection):
    """RST instead of FIN: the other side sees "connection reset by peer"."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    except OSError:
        pass


def connect(address):
    connection = socket.create_connection(address, CONNECT_SECONDS)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Server:
    """Calls `serve(connection, peer)` on a thread of its own for each connection. Port 0: any."""

    def __init__(self, host, port, serve, tls=None):
        self._serve, self._tls, self._lock, self._open = serve, tls, threading.Lock(), set()
        self._listener = socket.create_server((host, port), backlog=128, reuse_port=False)
        self.host, self.port = self._listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._run, args=(connection, peer), daemon=True).start()

    def _run(self, connection, peer):
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._open.add(connection)
            self._serve(connection, peer)
        except OSError:
            pass  # the other side went away
        finally:
            close(connection)
            with self._lock:
                self._open.discard(connection)

    def connections(self):
        with self._lock:
            return list(self._open)

    def cut(self):
        """Ends every connection there is; new ones are served."""
        for connection in self.connections():
            interrupt(connection)

    def close(self):
        close(self._listener)
        self._thread.join(10)
        self.cut()
