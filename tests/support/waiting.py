"""Waits for what other programs do; it must not decide what is waited for."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

T = TypeVar("T")

DEADLINE = 60.0
SHORTEST, LONGEST = 0.03, 0.3


def eventually(ask: Callable[[], T], within: float = DEADLINE) -> T:
    """Ask until the answer is true, or an assertion in it holds; then return it."""
    begin = time.monotonic()
    pacer = threading.Event()
    while True:
        waited = time.monotonic() - begin
        try:
            answer = ask()
        except (AssertionError, httpx.TransportError):
            if waited > within:
                raise
        else:
            if answer:
                return answer
            assert waited < within, f"not within {within:g} s; the last answer: {answer!r}"
        # What takes long is asked for less often: to answer takes the time of what is waited for.
        pacer.wait(min(max(SHORTEST, waited / 10), LONGEST))
