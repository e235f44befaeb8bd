"""A proxy to a real server that delays, cuts or changes messages, to imitate networks and servers not at hand."""

import contextlib
import queue
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

_HEADER = struct.Struct("<iiii")  # length, request id, response to, operation
_MESSAGE = 2013
_BEFORE_DOCUMENT = {1: 20, _MESSAGE: 5}  # bytes between header and document, in a reply and in a message
_AS_SENT = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)  # including dates that no datetime can hold


class Proxy:
    """Forwards a free port of 127.0.0.1 to a mongod's port, message by message, for the length of a `with` block.

    Args:
        uri: the URI of the real server, on 127.0.0.1.
        delay: seconds added in each direction.
        hello: fields to set in each answer to `hello`; None removes one.
        answer: called with each command and the real server's answer to it; returns the answer to give instead.

    Attributes:
        port: the port on which it listens.
        uri: the real server's URI, with the proxy's port.
        cut_for_good_after: let this many finds through, then cut everything permanently at the next; -1 is never.
    """

    def __init__(
        self,
        uri: str,
        *,
        delay: float = 0.0,
        hello: Mapping[str, Any] | None = None,
        answer: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] | None = None,
    ):
        (port,) = re.findall(r"127\.0\.0\.1:(\d+)", uri)
        self._target, self._delay, self._hello = ("127.0.0.1", int(port)), delay, hello
        self._answer, self._asked = answer, {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = self._listener.getsockname()[1]
        self.uri = uri.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.port}")
        self.cut_for_good_after = -1
        self._cut_at, self._cuts = b"", 0

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for end in self._sockets:
            end.close()

    def cut_at(self, words: bytes, *, times: int = 1) -> None:
        """Cut the connection at each of the next `times` messages from the client that contain these bytes."""
        self._cut_at, self._cuts = words, times

    def cut(self) -> None:
        """Cut every connection and accept no more."""
        _shut_down(self._listener, *self._sockets)
        self._listener.close()

    def _run(self, target, *arguments) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._target)
                except OSError:  # the server is not listening now
                    near.close()
                    continue
                self._sockets += [near, far]
                for source, sink, passes in ((near, far, self._lets_pass), (far, near, None)):
                    under_way: queue.SimpleQueue = queue.SimpleQueue()
                    self._run(self._receive, source, sink, under_way, passes)
                    self._run(self._send, sink, under_way)

    def _receive(self, source: socket.socket, sink: socket.socket, under_way: queue.SimpleQueue, passes) -> None:
        message = b"-"
        try:
            while message:
                try:
                    message = _read(source)
                except OSError:
                    message = b""
                if message and passes is not None and not passes(message):
                    _shut_down(source, sink)
                    message = b""
                elif message and passes is None and (self._hello is not None or self._answer):
                    message = self._changed(message)
                under_way.put((time.monotonic() + self._delay, message))
        except Exception:  # from a test's own `answer`: close the connection, so that nothing waits for a reply
            under_way.put((0.0, b""))
            raise

    def _send(self, sink: socket.socket, under_way: queue.SimpleQueue) -> None:
        with contextlib.suppress(OSError):
            while (sending := under_way.get())[1]:
                time.sleep(max(0.0, sending[0] - time.monotonic()))
                sink.sendall(sending[1])
            sink.shutdown(socket.SHUT_WR)

    def _lets_pass(self, message: bytes) -> bool:
        """Whether a client's message goes on to the server."""
        if self._answer:
            _, request, _, operation = _HEADER.unpack(message[: _HEADER.size])
            if operation == _MESSAGE:
                self._asked[request] = _document(message, operation)
        if self._cuts and self._cut_at in message:
            self._cuts -= 1
            return False
        if self.cut_for_good_after >= 0 and b"find\0" in message:
            self.cut_for_good_after -= 1
            if self.cut_for_good_after < 0:
                self.cut()
                return False
        return True

    def _changed(self, message: bytes) -> bytes:
        """The server's message, or the one that replaces it."""
        _, request, response, operation = _HEADER.unpack(message[: _HEADER.size])
        document = _document(message, operation)
        if self._hello is not None and "maxWireVersion" in document:
            changed = {key: value for key, value in {**document, **self._hello}.items() if value is not None}
        elif command := self._asked.pop(response, None):
            changed = self._answer(command, document)
        else:
            return message
        body = message[_HEADER.size : _HEADER.size + _BEFORE_DOCUMENT[operation]] + bson.encode(changed)
        return _HEADER.pack(_HEADER.size + len(body), request, response, operation) + body


def _shut_down(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _read(source: socket.socket) -> bytes:
    """One whole message; empty if the other side has closed the connection."""
    head = source.recv(_HEADER.size, socket.MSG_WAITALL)
    if len(head) < _HEADER.size:
        return b""
    return head + source.recv(_HEADER.unpack(head)[0] - _HEADER.size, socket.MSG_WAITALL)


def _document(message: bytes, operation: int) -> dict[str, Any]:
    """The command or answer in a message, without the documents that an insert sends separately."""
    start = _HEADER.size + _BEFORE_DOCUMENT[operation]
    if len(message) <= start:
        return {}
    (length,) = struct.unpack("<i", message[start : start + 4])
    return bson.decode(message[start : start + length], _AS_SENT)
