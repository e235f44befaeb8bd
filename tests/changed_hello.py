"""A way to a real server that changes what it says of itself, for servers that cannot be had here: mongos, old ones."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Any

import bson

_HEADER = struct.Struct("<iiii")  # length, request id, response to, operation
_BEFORE_DOCUMENT = {1: 20, 2013: 5}  # bytes between header and document, in a reply and in a message


@contextlib.contextmanager
def changed_hello(port: int, changes: dict[str, Any]) -> Iterator[int]:
    """Forward a free port to a mongod's, with these fields in each answer to `hello`; None removes one.

    Args:
        port: of the real server, on 127.0.0.1.
        changes: fields to set.

    Yields:
        The port to connect to.
    """

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server, contextlib.suppress(OSError):
                threading.Thread(target=_forward, args=(self.request, server), daemon=True).start()
                while message := _read(server):
                    self.request.sendall(_changed(message, changes))

    class Proxy(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Proxy(("127.0.0.1", 0), Connection) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        yield proxy.server_address[1]
        proxy.shutdown()


def _forward(client: socket.socket, server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while message := _read(client):
            server.sendall(message)
        server.shutdown(socket.SHUT_RDWR)


def _read(source: socket.socket) -> bytes:
    """One whole message; nothing when the other side has closed."""
    head = source.recv(_HEADER.size, socket.MSG_WAITALL)
    if len(head) < _HEADER.size:
        return b""
    return head + source.recv(_HEADER.unpack(head)[0] - _HEADER.size, socket.MSG_WAITALL)


def _changed(message: bytes, changes: dict[str, Any]) -> bytes:
    _, request, response, operation = _HEADER.unpack(message[: _HEADER.size])
    start = _HEADER.size + _BEFORE_DOCUMENT[operation]
    document = bson.decode(message[start:]) if len(message) > start else {}
    if "maxWireVersion" not in document:
        return message
    document = {key: value for key, value in {**document, **changes}.items() if value is not None}
    body = message[_HEADER.size : start] + bson.encode(document)
    return _HEADER.pack(_HEADER.size + len(body), request, response, operation) + body
