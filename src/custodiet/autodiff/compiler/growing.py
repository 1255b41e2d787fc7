"""From the syntax tree to typed SSA: lists that grow and shrink.

A list of known length is a tuple to the compiler, and its `append` gives the name a longer one. In a loop whose rounds are not known
the list becomes memory with room at its end, which is doubled where it is full; reading the name shows the part that is the list.
Only a list that a literal of the same function made may change its length, and only while nothing else holds it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from custodiet.autodiff.compiler.arrays import is_list
from custodiet.autodiff.compiler.calls import Recursion
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Const, Ref, Require, View
from custodiet.autodiff.compiler.syntax import GROWTH
from custodiet.autodiff.compiler.values import Closure, Frame, Growing, Mapping, Static, Tup, Value, is_own, let_go

__all__ = ["GrowingLists"]

LEAST_ROOM = 8


class GrowingLists(Recursion):
    """The part of the lowerer that knows `append` and `pop`."""

    def _name(self, node: ast.Name) -> Value:
        value = super()._name(node)
        return self._shown(value, node.lineno) if isinstance(value, Growing) else value

    def _shown(self, value: Growing, line: int) -> Ref:
        """The list as it is now."""
        dst = self.fresh("grown", value.memory.type)
        self.emit(View(dst, value.memory, low=Const(0), high=value.size, line=line))
        self._note_view(dst, value.memory, [value.size])
        return dst

    def kept(self, node: ast.expr) -> Value:
        """A growing list gets no second name: that would have to grow with it."""
        if isinstance(node, ast.Name) and isinstance(self.frame.env.get(node.id), Growing):
            raise Declined(f"{node.id}, a list that grows, gets a second name", line=node.lineno)
        return super().kept(node)

    def passed(self, node: ast.expr) -> Value:
        """What a call, a loop or a `return` reads: a growing list is shown as it is now."""
        return super().passed(node)

    def hold(self, value: Value) -> Value:
        """A growing list as it is now, such as a function gives back, gets no name either."""
        for name, one in self.frame.env.items():
            if isinstance(one, Growing) and self._shows(value, one):
                raise Declined(f"{name}, a list that grows, gets a second name", line=self.line)
        return super().hold(value)

    def _shows(self, value: Value, grown: Growing) -> bool:
        if isinstance(value, Tup | Mapping):
            return any(
                self._shows(one, grown) for one in (value.items if isinstance(value, Tup) else value.items.values())
            )
        return is_list(value) and self.base_name(value.name) == self.base_name(grown.memory.name)

    def handed_back(self, value: Value) -> Value:
        """What a function returns: a dict that is only this function's is the caller's own from now on."""
        outer = self.frame.parent
        if isinstance(value, Tup) and value.own:  # a nested function may hold it too
            return let_go(value)
        shared = outer is not None and is_own(value) and any(one is value for one in outer.env.values())
        return self.hold(value) if shared else value

    @staticmethod
    def let_go_in_a_round(
        before: dict[str, Value], after: dict[str, Value], changed: Collection[str], line: int
    ) -> dict[str, Value]:
        """Dicts and lists of before a loop that got another name in it."""
        found: dict[str, Value] = {}
        for key, value in before.items():
            now = after.get(key)
            if is_own(value) and isinstance(now, Mapping | Tup) and not is_own(now):
                if key in changed:
                    raise Declined(f"{key}, which a loop changes, has another name", line=line)
                found[key] = let_go(value)
        return found

    def grow(self, names: frozenset[str], line: int, *, rounds: bool) -> None:
        """Give lists room before a loop or a branch in which they change their length."""
        for name in sorted(names):
            value = self.frame.env.get(name)
            if not isinstance(value, Tup) or not value.is_list:
                continue
            floats = all(isinstance(one, Ref | Const) and one.type == "f" for one in value.items)
            if floats and self._is_own(name, value):
                room = Const(max(LEAST_ROOM, 2 * len(value.items)))
                memory = self.new_array("list", [room], "f", line, is_list=True)
                for place, one in enumerate(value.items):
                    self.store(memory, (Const(place),), one, line)
                self.frame.env[name] = Growing(memory, Const(len(value.items)))
            elif rounds:
                what = "holds something else than floats" if not floats else "is held elsewhere too"
                raise Declined(f"{name} is a list that changes its length in a loop, and {what}", line=line)

    def _is_own(self, name: str, value: Tup) -> bool:
        """Whether a list was made in this function and nothing else holds it."""
        if not value.own:
            return False
        frame: Frame | None = self.frame
        while frame is not None:
            for key, other in frame.env.items():
                if (frame is not self.frame or key != name) and _holds(other, value):
                    return False
            outer = frame.parent
            while outer is not None:
                if outer is not self.frame and any(_holds(one, value) for one in outer.env.values()):
                    return False
                outer = outer.parent
            frame = frame.caller
        return True

    def _call(self, node: ast.Call) -> Value:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in GROWTH and isinstance(function.value, ast.Name):
            value = self.frame.env.get(function.value.id)
            if isinstance(value, Growing) or (isinstance(value, Tup) and value.is_list):
                return self._change_length(function.value.id, function.attr, node)
        return super()._call(node)

    def _change_length(self, name: str, kind: str, node: ast.Call) -> Value:
        line = node.lineno
        if node.keywords or len(node.args) > 1 or (kind == "append" and not node.args):
            raise Declined(f"`.{kind}()` of {len(node.args)} arguments", line=line)
        argument = let_go(self.kept(node.args[0])) if node.args else None
        value = self.frame.env[name]  # the argument may have changed it
        if isinstance(value, Growing):
            if kind == "pop" and argument is not None and argument != Const(-1):
                raise Declined("`.pop()` of a list that grows, from elsewhere than its end", line=line)
            return self._pop(name, value, line) if kind == "pop" else self._append(name, value, argument, line)
        if not self._is_own(name, value):
            raise Declined(
                f"`.{kind}()` of a list that is not this function's own, or is held elsewhere too", line=line
            )
        if kind == "append":
            self.frame.env[name] = Tup([*value.items, argument], is_list=True, own=True)
            return Static(None)
        at = Const(-1) if argument is None else argument
        if not isinstance(at, Const) or at.type != "i" or not -len(value.items) <= at.value < len(value.items):
            raise Declined("`.pop()` from a place that is not known, or is not there", line=line)
        items = list(value.items)
        found = items.pop(int(at.value))
        self.frame.env[name] = Tup(items, is_list=True, own=True)
        return found

    def _append(self, name: str, value: Growing, argument: Value, line: int) -> Value:
        source = self.scalar(argument, line)
        if source.type != "f":
            raise Declined("an int is appended to a list of floats", line=line)
        hidden, env = f"$memory{next(self.numbers)}", self.frame.env
        env[hidden] = value.memory

        def double() -> None:
            room = self.op("imax", self.op("iadd", value.size, value.size), Const(LEAST_ROOM))
            more = self.new_array("list", [room], "f", line, is_list=True)
            old = self.lazy(value.memory, line)
            self.nest([value.size], lambda at: self.store(more, at, old.element(at), line), line)
            self.frame.env[hidden] = more

        full = self.op("ieq", value.size, self.dim(value.memory, 0))
        if full != Const(False):
            self.branch(full, double, lambda: None, line=line)
        memory = self.frame.env.pop(hidden)
        self.store(memory, (value.size,), source, line)
        self.frame.env[name] = Growing(memory, self.op("iadd", value.size, Const(1)))
        return Static(None)

    def _pop(self, name: str, value: Growing, line: int) -> Value:
        last = self.op("isub", value.size, Const(1))
        self.emit(Require(self.op("ige", last, Const(0)), line=line))
        found = self.load(value.memory, (last,), line)
        self.frame.env[name] = Growing(value.memory, last)
        return found

    def set_entry(self, target: ast.Subscript, value: Value) -> bool:
        """``items[2] = value`` on a list of known length that a name of this function stands for."""
        if not isinstance(target.value, ast.Name):
            return False
        name, items = target.value.id, self.frame.env.get(target.value.id)
        if not isinstance(items, Tup) or not items.is_list:
            return False
        at = self.value(target.slice)
        if not isinstance(at, Const) or at.type != "i" or not -len(items.items) <= at.value < len(items.items):
            raise Declined(
                "an element of a list of known length is written at a place that is not known", line=target.lineno
            )
        if not self._is_own(name, items):
            raise Declined(
                "an element of a list that is not this function's own, or is held elsewhere too", line=target.lineno
            )
        changed = list(items.items)
        changed[int(at.value)] = let_go(self.hold(self.materialize(value, target.lineno)))
        self.frame.env[name] = Tup(changed, is_list=True, own=True)
        return True


def _holds(other: Value, value: Tup) -> bool:
    if other is value:
        return True
    if isinstance(other, Tup):
        return any(_holds(one, value) for one in other.items)
    if isinstance(other, Mapping):
        return any(_holds(one, value) for one in other.items.values())
    return isinstance(other, Closure) and any(_holds(one, value) for one in other.defaults.values())
