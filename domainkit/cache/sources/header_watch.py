"""An end to waiting for the headers of an answer.

httpx limits the time without a single byte. Who sends a byte of a header now and then would hold a
fetch for ever; here the time for all of them is limited, by shutting the connection down.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import httpx

from domainkit.cache.sources.base import Retry

__all__ = ["HeaderWatch"]


class HeaderWatch:
    """Ends requests whose headers take too long, connecting included.

    A request on a connection of its own loses that one. One on a connection that was kept open does
    not say which: all of the same watch are ended, whose transfers are then taken up again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakSet[socket.socket] = WeakSet()

    def know(self, response: httpx.Response) -> None:
        """Notes the connection of an answer, which may be used again."""
        found = response.extensions["network_stream"].get_extra_info("socket")
        if isinstance(found, socket.socket):
            with self._lock:
                self._known.add(found)

    @contextmanager
    def over(self, request: httpx.Request, seconds: float) -> Iterator[None]:
        """Around the sending of a request; raises Retry where its headers take longer."""
        own: list[socket.socket] = []  # a second handle, which outlives the step from TCP to TLS
        state = {"late": False, "over": False}
        lock = threading.Lock()

        def end() -> None:
            with lock:
                if state["over"]:
                    return
                state["late"] = True
                with self._lock:
                    ended = own or list(self._known)
                for one in ended:
                    _shut(one)

        def trace(name: str, info: Mapping[str, Any]) -> None:
            if not name.endswith("connect_tcp.complete"):
                return
            with lock, suppress(OSError):  # no handle is left: then there is no watch
                if not state["over"]:
                    own.append(info["return_value"].get_extra_info("socket").dup())
                    if state["late"]:
                        _shut(own[-1])

        request.extensions = {**request.extensions, "trace": trace}
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), end)
        timer.daemon = True
        with suppress(RuntimeError):  # the system gives no more threads: then there is no watch
            timer.start()
        try:
            yield
        except (httpx.RequestError, OSError) as error:
            if state["late"]:
                raise Retry("sends its headers too slowly") from error
            raise
        finally:
            timer.cancel()
            with lock:
                state["over"] = True
                for one in own:
                    one.close()


def _shut(one: socket.socket) -> None:
    with suppress(OSError):  # not its own method: TLS would say goodbye first
        socket.socket.shutdown(one, socket.SHUT_RDWR)
