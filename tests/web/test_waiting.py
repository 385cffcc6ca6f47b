"""Waiting for the journal without holding it up."""

import asyncio
from concurrent.futures import Future

import pytest

from obligor.kernel import Conflict
from obligor.web.waiting import answer_of


def test_an_answer_comes_over_from_another_thread():
    async def wait():
        future = Future()
        asyncio.get_running_loop().run_in_executor(None, future.set_result, 7)
        return await answer_of(future)

    assert asyncio.run(wait()) == 7


def test_an_answer_that_is_there_already_is_taken_at_once():
    async def wait():
        future = Future()
        future.set_exception(Conflict("no"))
        waiter = answer_of(future)
        assert waiter.done()
        with pytest.raises(Conflict):
            await waiter

    asyncio.run(wait())


def test_a_sender_who_goes_away_does_not_unsay_the_request():
    async def leave():
        future = Future()
        task = asyncio.ensure_future(answer_of(future))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not future.cancelled()
        future.set_result(1)
        await asyncio.sleep(0)
        return future.result()

    assert asyncio.run(leave()) == 1


def test_an_answer_after_the_loop_has_ended_harms_nobody():
    future = Future()

    async def ask():
        answer_of(future)

    asyncio.run(ask())
    future.set_result(1)
    assert future.result() == 1
