"""Waiting on the event loop for what another thread will answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

__all__ = ["answer_of"]

T = TypeVar("T")


def answer_of(future: Future[T]) -> asyncio.Future[T]:
    """A future of this loop for one of the journal's.

    Unlike `asyncio.wrap_future` it never cancels the other: a sender who goes away does not unsay a request.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[T] = loop.create_future()

    def settle(done: Future[T]) -> None:
        if waiter.done():
            return
        error = done.exception()
        if error is None:
            waiter.set_result(done.result())
        else:
            waiter.set_exception(error)

    def tell(done: Future[T]) -> None:
        # A loop that has ended has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, done)

    if future.done():
        settle(future)
    else:
        future.add_done_callback(tell)
    return waiter
