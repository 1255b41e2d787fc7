"""Loops as LLVM IR, and the frames that their rounds leave for the reverse sweep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from custodiet.autodiff.compiler.ir import (
    Arr,
    Const,
    Loop,
    Ref,
    Restore,
    ReverseLoop,
    Save,
)
from custodiet.autodiff.compiler.llvm_operations import LLVM_TYPE, Operations

__all__ = ["LONG", "Loops", "num_slots"]

LONG = 2**32
"""rounds of a loop that CPython has to start: it may raise early, which the flag would tell only at the end"""


def num_slots(ref: Ref) -> int:
    """8-byte slots that a name takes in a frame or an argument block."""
    return 2 + ref.type.ndim if isinstance(ref.type, Arr) else 1


class Loops(Operations):
    """The part of the emitter that knows loops."""

    put: Any
    start: Any
    fresh_label: Any
    slot: Any
    parts: Any
    block: Any
    loops: list[Loop]
    _at: Any
    _copy: Any
    _entered: Any
    is_callee: bool
    new_words: Any

    # -- loops --------------------------------------------------------------------------------------------------------

    def _do_loop(self, stmt: Loop) -> None:
        head, body, end = (self.fresh_label(one) for one in ("loop", "round", "after"))
        for header in stmt.headers:
            if isinstance(header.var.type, Arr):
                self._copy(header.var, header.init)  # type: ignore[arg-type]
            else:
                self.set(header.var, self.get(header.init))
        trips = None if stmt.trips is None else self.get(stmt.trips)
        at_once = trips is not None and stmt.stop is None  # a loop that may end early takes room as it goes
        if at_once:
            self.leave_if(self.new(f"icmp sgt i64 {trips}, {LONG}"))
            if stmt.frame:
                self._reserve(stmt, trips or "0")
        self.set(stmt.counter, "0")
        self.put(f"br label %{head}")
        self.start(head)
        if trips is not None:
            go = self.new(f"icmp slt i64 {self.get(stmt.counter)}, {trips}")
        else:
            trapped = self.new(f"load i1, ptr {self.slot('trap', 'i1')}")
            self.leave_if(trapped)  # a program that should have raised may not end here
            self.block(stmt.pre)
            go = self.get(stmt.cond or Const(True))
        self.put(f"br i1 {go}, label %{body}, label %{end}")
        self.start(body)
        self._entered(stmt.line)
        if trips is not None and not at_once:
            self.leave_if(self.new(f"load i1, ptr {self.slot('trap', 'i1')}"))
        if stmt.frame:
            if not at_once:
                self._reserve(stmt, "1")
            self._push(stmt)
        self.block(stmt.body)
        self._latch(stmt)
        rounds = self.new(f"add nsw i64 {self.get(stmt.counter)}, 1")
        self.set(stmt.counter, rounds)
        if stmt.stop is not None:
            self.put(f"br i1 {self.get(stmt.stop)}, label %{end}, label %{head}")
        else:
            self.put(f"br label %{head}")
        self.start(end)
        self.set(stmt.count, self.get(stmt.counter))

    def _latch(self, stmt: Loop) -> None:
        moves: list[tuple[str, str, str]] = []
        for header in stmt.headers:
            if isinstance(header.var.type, Arr):
                sources = self.parts(header.latch)  # type: ignore[arg-type]
                for (slot, kind), (source, _) in zip(self.parts(header.var), sources, strict=True):
                    moves.append((kind, self.new(f"load {kind}, ptr {source}"), slot))
            else:
                kind = LLVM_TYPE[header.var.type]
                moves.append((kind, self.get(header.latch), self.slot(header.var.name, kind)))
        for kind, value, slot in moves:
            self.put(f"store {kind} {value}, ptr {slot}")

    def _frame_size(self, loop: Loop) -> int:
        return sum(num_slots(ref) for ref in loop.frame)

    def _reserve(self, loop: Loop, more: str) -> None:
        """Room for `more` frames; doubled at least, so that growing costs nothing on the whole."""
        top = self.new(f"load i64, ptr %{loop.name}.top")
        room = self.new(f"load i64, ptr %{loop.name}.room")
        need = self.new(f"add i64 {top}, {more}")
        grow, after = self.fresh_label("grow"), self.fresh_label("roomy")
        self.put(f"br i1 {self.new(f'icmp sgt i64 {need}, {room}')}, label %{grow}, label %{after}")
        self.start(grow)
        self.leave_if(self.new(f"icmp sgt i64 {need}, {2**48 // max(1, self._frame_size(loop))}"))
        twice = self.new(f"shl i64 {room}, 1")
        size = self.new(f"call i64 @llvm.smax.i64(i64 {need}, i64 {twice})")
        size = self.new(f"call i64 @llvm.smax.i64(i64 {size}, i64 16)")
        base = self.new(f"load ptr, ptr %{loop.name}.base")
        if self.is_callee:  # frames outlive this call
            memory = self.new_words(self.new(f"mul i64 {size}, {self._frame_size(loop)}"))
            num_bytes = self.new(f"mul i64 {top}, {8 * self._frame_size(loop)}")
            self.put(f"call void @llvm.memcpy.p0.p0.i64(ptr {memory}, ptr {base}, i64 {num_bytes}, i1 false)")
        else:
            num_bytes = self.new(f"mul i64 {size}, {8 * self._frame_size(loop)}")
            memory = self.new(f"call ptr @realloc(ptr {base}, i64 {num_bytes})")
            self.leave_if(self.new(f"icmp eq ptr {memory}, null"))
        self.put(f"store ptr {memory}, ptr %{loop.name}.base")
        self.put(f"store i64 {size}, ptr %{loop.name}.room")
        self.put(f"br label %{after}")
        self.start(after)

    def _push(self, loop: Loop) -> None:
        top = self.new(f"load i64, ptr %{loop.name}.top")
        self._frame(loop, top)
        self.put(f"store i64 {self.new(f'add i64 {top}, 1')}, ptr %{loop.name}.top")

    def _frame(self, loop: Loop, number: str) -> None:
        base = self.new(f"load ptr, ptr %{loop.name}.base")
        offset = self.new(f"mul i64 {number}, {self._frame_size(loop)}")
        self.put(f"store ptr {self._at(base, offset)}, ptr {self.slot(f'{loop.name}.frame', 'ptr')}")

    def _frame_slots(self, name: str, var: Ref) -> Iterator[tuple[str, str, str]]:
        loop = next(one for one in self.loops if one.name == name)
        place = 0
        for ref in loop.frame:
            if ref.name == var.name:
                break
            place += num_slots(ref)
        frame = self.new(f"load ptr, ptr %{loop.name}.frame")
        for slot, kind in self.parts(var):
            yield slot, kind, self._at(frame, place)
            place += 1

    def _do_save(self, stmt: Save) -> None:
        for slot, kind, pointer in self._frame_slots(stmt.loop, stmt.var):
            value = self.new(f"load {kind}, ptr {slot}")
            if kind == "i1":
                value, kind = self.new(f"zext i1 {value} to i64"), "i64"
            self.put(f"store {kind} {value}, ptr {pointer}")

    def _do_restore(self, stmt: Restore) -> None:
        for slot, kind, pointer in self._frame_slots(stmt.loop, stmt.var):
            if kind == "i1":
                word = self.new(f"load i64, ptr {pointer}")
                value = self.new(f"icmp ne i64 {word}, 0")
            else:
                value = self.new(f"load {kind}, ptr {pointer}")
            self.put(f"store {kind} {value}, ptr {slot}")

    def _do_reverseloop(self, stmt: ReverseLoop) -> None:
        loop = stmt.loop
        head, body, end = (self.fresh_label(one) for one in ("back", "undo", "undone"))
        self.set(loop.counter, self.get(loop.count))
        self.put(f"br label %{head}")
        self.start(head)
        left = self.get(loop.counter)
        self.put(f"br i1 {self.new(f'icmp sgt i64 {left}, 0')}, label %{body}, label %{end}")
        self.start(body)
        self.set(loop.counter, self.new(f"sub nsw i64 {left}, 1"))
        if loop.frame:
            top = self.new(f"sub i64 {self.new(f'load i64, ptr %{loop.name}.top')}, 1")
            self.put(f"store i64 {top}, ptr %{loop.name}.top")
            self._frame(loop, top)
        self.block(stmt.body)
        self.put(f"br label %{head}")
        self.start(end)
