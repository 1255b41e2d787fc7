"""How deep native code may recurse: as deep as CPython would, and never beyond the stack.

A call first gets a part of the stack that its thread has anyway. Where that is too small it is run again on a thread of its own
with a large one, which costs address space and half a millisecond; beyond that it is CPython's turn.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["STACK_TOO_SMALL", "call_limits", "on_large_stack"]

T = TypeVar("T")
STACK_TOO_SMALL = 2
SMALL_BYTES = 192 * 1024
MAIN_BYTES = 2 * 1024 * 1024
"""of the main thread's stack, where that is four times as large"""
LARGE_BYTES = 256 * 1024 * 1024
SPARE_BYTES = 1024 * 1024
_LOCK = threading.Lock()


def _main_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows: a megabyte in all
        return SMALL_BYTES
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return MAIN_BYTES if soft == resource.RLIM_INFINITY or soft >= 4 * MAIN_BYTES else SMALL_BYTES


_MAIN_BYTES = _main_bytes()
_MAIN_THREAD = threading.main_thread().ident


def call_limits(deep: bool) -> tuple[int, int]:
    """CPython's recursion limit, and bytes of the stack that native code may use.

    Args:
        deep: on a thread of `on_large_stack`.
    """
    if deep:
        return sys.getrecursionlimit(), LARGE_BYTES - SPARE_BYTES
    return sys.getrecursionlimit(), _MAIN_BYTES if threading.get_ident() == _MAIN_THREAD else SMALL_BYTES


def on_large_stack(work: Callable[[], T]) -> T:
    """Run something on a thread with a large stack.

    Raises:
        RecursionError: there is no such thread to be had.
    """
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="custodiet-deep-recursion")
    with _LOCK:
        before = threading.stack_size()
        try:
            threading.stack_size(LARGE_BYTES)
            thread.start()
        except (RuntimeError, ValueError):
            raise RecursionError("no thread with a stack for recursion this deep") from None
        finally:
            threading.stack_size(before)
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
