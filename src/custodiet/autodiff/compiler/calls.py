"""Recursion: a function that is called while it is being read becomes a program of its own, once per signature.

Its parameters are the leaves of its arguments, and of what it reads from the frames around it (`captures`): those are handed
over at each call, so that a nested function sees what its names mean then. What it returns is found by reading it with an
assumption (ints, which is the least of the number types) until what comes out is what was assumed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from custodiet.autodiff.compiler.call_expressions import CallExpressions
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Arr, Block, Call, Const, If, Loop, Operand, Program, Ref
from custodiet.autodiff.compiler.values import (
    Closure,
    Frame,
    Guarded,
    Mapping,
    Static,
    Tup,
    Value,
    leaves,
    rebuild,
    same_shape,
)

__all__ = ["Callee", "Recursion"]

MAX_CALLEES, MAX_NESTED = 32, 12
MAX_GUESSES, MAX_READINGS = 8, 100
ZEROS: dict[str, Const] = {"i": Const(0), "b": Const(False), "f": Const(0.0)}
Place = tuple[int, Any]
"""identity of a frame (0: the function that was asked for reads it from outside), name"""


@dataclass
class Capture:
    """A name of an enclosing frame: what it meant when the function was read, and what stands for it inside."""

    frame: Frame | None
    name: Any
    outside: Value
    inside: Value

    def arguments(self, now: Value, line: int) -> list[Operand] | None:
        """What to hand over where the name means `now`; None where the function was read for something else."""
        if isinstance(self.inside, Static | Closure):
            return [] if _same_object(now, self.outside) else None
        if not same_shape(now, self.outside):
            return None
        found: list[Operand] = []
        for given, inner in zip(leaves(now, line), leaves(self.inside, line), strict=True):
            if isinstance(inner, Const):
                if given != inner or given.type != inner.type:
                    return None
            elif given.type != inner.type:
                return None
            else:
                found.append(given)
        return found


@dataclass
class Callee:
    """A function that is compiled apart, while it is read and afterwards."""

    name: str
    outer: Callee | None
    result: Value
    keep: tuple[Any, ...]
    """frames and trees whose identity is part of a key"""
    params: list[Ref] = field(default_factory=list)
    captures: dict[Place, Capture] = field(default_factory=dict)
    root: Frame | None = None
    returned: list[Value] = field(default_factory=list)
    """what its `return` statements gave, to guess from"""
    done: bool = False


@dataclass
class Site:
    """A call, the function that it stands in, and what it hands over so far."""

    call: Call
    home: Callee | None
    callee: Callee
    args: tuple[Operand, ...]
    given: dict[Place, list[Operand]] = field(default_factory=dict)


class Recursion(CallExpressions):
    """The part of the lowerer that reads functions apart."""

    def __init__(self) -> None:
        super().__init__()
        self.instances: dict[Any, list[Callee]] = {}
        self.call_sites: list[Site] = []
        self.num_readings = 0

    # -- names from outside -------------------------------------------------------------------------------------------

    def captured(self, frame: Frame | None, name: Any, line: int) -> Value:
        """What a name of another function's frame is called in the function that is read now."""
        return self._seen_from(self.context, frame, name, line)

    def _seen_from(self, context: Callee | None, frame: Frame | None, name: Any, line: int) -> Value:
        home = None if frame is None else frame.home
        if home is context:
            return self.free_inputs[name] if frame is None else frame.env[name]
        if context is None:
            raise Declined("a nested function outlives the call that made it", line=line)
        place: Place = (0 if frame is None else id(frame), name)
        if place not in context.captures:
            outside = self._seen_from(context.outer, frame, name, line)
            context.captures[place] = Capture(frame, name, outside, self._inside(context, outside, line))
        return context.captures[place].inside

    def _inside(self, context: Callee, outside: Value, line: int) -> Value:
        if isinstance(outside, Static | Closure):
            return outside
        if isinstance(outside, Guarded):
            raise Declined("a recursive function reads a name that only a loop assigned", line=line)
        inner = [
            self._param(context, "captured", one) if isinstance(one, Ref) else one for one in leaves(outside, line)
        ]
        return rebuild(outside, inner)

    def _param(self, callee: Callee, hint: str, like: Operand) -> Ref:
        ref = self.fresh(hint, like.type)
        callee.params.append(ref)
        return ref

    # -- calls --------------------------------------------------------------------------------------------------------

    def recursive_call(
        self,
        body: ast.FunctionDef | ast.Lambda,
        source: Any,
        parent: Frame | None,
        env: dict[str, Value],
        node: ast.Call,
    ) -> Value:
        """A call of a function that is being read: of its own program."""
        signature = tuple((name, _signature(value, node.lineno)) for name, value in env.items())
        key = (id(body), id(parent), signature)
        callee = None
        for one in self.instances.get(key, []):
            if not one.done or self._fits(one, node.lineno):
                callee = one
        if callee is None:
            callee = self._read_apart(key, body, source, parent, env, node.lineno)
        args = tuple(_all_carried(env, node.lineno))
        results = [self.fresh("returned", leaf.type) for leaf in leaves(callee.result)]
        call = Call((*results, self.fresh("record", "i")), callee.name, args, line=node.lineno)
        call.depth = self.frame.depth + 1
        self.call_sites.append(Site(call, self.context, callee, args))
        self._supply(node.lineno)
        self.emit(call)
        return rebuild(callee.result, list(results))

    def _fits(self, callee: Callee, line: int) -> bool:
        """Whether the names that a function captured still mean the same kind of thing."""
        try:
            return all(
                one.arguments(self._seen_from(self.context, one.frame, one.name, line), line) is not None
                for one in callee.captures.values()
            )
        except (Declined, KeyError):
            return False

    def _supply(self, line: int) -> None:
        """Hand over at every call what its function turned out to capture."""
        changed = True
        while changed:
            changed = False
            for site in self.call_sites:
                missing = [place for place in site.callee.captures if place not in site.given]
                for place in missing:
                    one = site.callee.captures[place]
                    found = one.arguments(self._seen_from(site.home, one.frame, one.name, line), line)
                    if found is None:
                        raise Declined("a name that a recursive function captures changes its kind", line=line)
                    site.given[place] = found
                if missing:
                    changed = True
                    more = [one for place in site.callee.captures for one in site.given[place]]
                    site.call.args = (*site.args, *more)

    def note_return(self, value: Value) -> None:
        """See what a `return` gives while its function is read apart."""
        if self.context is not None and self.frame is self.context.root:
            self.context.returned.append(value)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read_apart(
        self, key: Any, body: ast.FunctionDef | ast.Lambda, source: Any, parent: Frame | None, env: dict[str, Value], line: int
    ) -> Callee:  # fmt: skip
        """Read a function as a program of its own, until what it returns is what its own calls assumed."""
        chain, depth = self.context, 0
        while chain is not None:
            chain, depth = chain.outer, depth + 1
        if len(self.callees) >= MAX_CALLEES or depth >= MAX_NESTED:
            raise Declined("recursion over too many kinds of arguments", line=line)
        kinds: list[Operand] = [*ZEROS.values()]
        kinds += {one.type: Ref("", one.type) for one in _all_carried(env, line) if isinstance(one.type, Arr)}.values()
        guess = _guess(body, kinds.pop(0))
        failed: Declined | None = None
        tried = [guess]
        for _ in range(MAX_GUESSES):
            before = (
                len(self.call_sites),
                dict(self.callees),
                {one: list(found) for one, found in self.instances.items()},
            )
            callee = Callee(self._name_of(body), self.context, guess, (body, parent, env))
            try:
                value = self._read_once(key, callee, body, source, parent, env, line)
                if same_shape(value, guess) and _types(value) == _types(guess):
                    callee.done = True
                    self._supply(line)
                    return callee
                guess = _blank(value, line)
            except Declined as declined:
                failed = failed or declined
                other = [one for one in map(_maybe_blank, callee.returned) if one is not None and one not in tried]
                if self.num_readings > MAX_READINGS or not (other or kinds):
                    raise failed from None
                guess = other[0] if other else _guess(body, kinds.pop(0))
            tried.append(guess)
            del self.call_sites[before[0] :]
            self.callees, self.instances = before[1], before[2]
        raise failed or Declined("what a recursive function returns does not settle", line=line)

    def _read_once(
        self, key: Any, callee: Callee, body: ast.FunctionDef | ast.Lambda, source: Any, parent: Frame | None,
        env: dict[str, Value], line: int,
    ) -> Value:  # fmt: skip
        self.num_readings += 1
        self.instances.setdefault(key, []).append(callee)
        inner = {
            name: rebuild(value, [self._param(callee, name, leaf) for leaf in _carried(value, line)])
            for name, value in env.items()
        }
        outer = self.block, self.frame, self.active_nodes, self.context
        # what a nested function calls must not make its enclosing function anew, and so on without an end
        self.active_nodes = [body] if parent is None else [*self.active_nodes, body]
        self.block, self.context = [], callee
        try:
            callee.root = Frame(source, inner, parent, home=callee)
            value = self.run_body(callee.root, body)
            self.callees[callee.name] = Program(
                callee.name, callee.params, self.block, leaves(value), told=self.told, origins=self.origins
            )
        except Declined as declined:
            if declined.line and not declined.file and parent is None:
                raise Declined(declined.reason, line=declined.line + source.first_line, file=source.file) from None
            raise
        finally:
            self.block, self.frame, self.active_nodes, self.context = outer
        return value

    def _name_of(self, body: ast.FunctionDef | ast.Lambda) -> str:
        name = body.name if isinstance(body, ast.FunctionDef) else "lambda"
        clean = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
        return f"{clean}.{next(self.numbers)}"

    def reachable(self, block: Block) -> dict[str, Program]:
        """Functions that a program really calls, directly or through others."""
        found: dict[str, Program] = {}
        todo = [block]
        while todo:
            for stmt in todo.pop():
                if isinstance(stmt, If):
                    todo += [stmt.then, stmt.orelse]
                elif isinstance(stmt, Loop):
                    todo += [stmt.pre, stmt.body]
                elif isinstance(stmt, Call) and stmt.function not in found:
                    found[stmt.function] = self.callees[stmt.function]
                    todo.append(found[stmt.function].body)
        return found


def _signature(value: Value, line: int) -> Any:
    """What an argument must share with another so that one program serves both."""
    if isinstance(value, Ref | Const):
        return value.type
    if isinstance(value, Tup):
        return ("t", *(_signature(one, line) for one in value.items))
    if isinstance(value, Mapping):
        return ("m", value.attributes, *((key, _signature(one, line)) for key, one in value.items.items()))
    if isinstance(value, Static):
        known = value.value is None or isinstance(value.value, str)
        return ("s", value.value if known else id(value.value))
    if isinstance(value, Closure):
        return ("c", id(value.node), id(value.frame))
    raise Declined("an argument of a recursive call is no number, array or tuple", line=line)


def _carried(value: Value, line: int) -> list[Operand]:
    """Numbers and arrays inside an argument; a function that is passed carries none itself."""
    if isinstance(value, Closure):
        return []
    if isinstance(value, Tup | Mapping):
        items = value.items if isinstance(value, Tup) else list(value.items.values())
        return [leaf for item in items for leaf in _carried(item, line)]
    return leaves(value, line)


def _all_carried(env: dict[str, Value], line: int) -> list[Operand]:
    return [leaf for value in env.values() for leaf in _carried(value, line)]


def _same_object(a: Value, b: Value) -> bool:
    """Whether two functions or other objects of the program are the same one."""
    if isinstance(a, Closure) and isinstance(b, Closure):
        same = a.node is b.node and a.frame is b.frame and a.defaults.keys() == b.defaults.keys()
        return same and all(one is b.defaults[name] or one == b.defaults[name] for name, one in a.defaults.items())
    return isinstance(a, Static) and isinstance(b, Static) and (a.value is b.value or a is b)


def _types(value: Value) -> list[Any]:
    return [leaf.type for leaf in leaves(value)]


def _blank(value: Value, line: int) -> Value:
    """A value's structure around zeros."""
    found: list[Operand] = []
    for leaf in leaves(value, line):
        found.append(Ref("", leaf.type) if isinstance(leaf.type, Arr) else ZEROS[leaf.type])
    return rebuild(value, found)


def _maybe_blank(value: Value) -> Value | None:
    """Likewise, None where it holds something else."""
    try:
        return _blank(value, 0)
    except Declined:
        return None


def _guess(body: ast.FunctionDef | ast.Lambda, leaf: Operand) -> Value:
    """What a function may return, by the look of its `return` statements."""
    found: Value = Static(None)
    todo: list[ast.AST] = [body.body] if isinstance(body, ast.Lambda) else list(body.body)
    if isinstance(body, ast.Lambda):
        return _shape(body.body, leaf)
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Return) and one.value is not None and not isinstance(found, Tup):
            found = _shape(one.value, leaf)
        if not isinstance(one, ast.FunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(one))
    return found


def _shape(node: ast.expr, leaf: Operand) -> Value:
    if isinstance(node, ast.Tuple):
        return Tup([_shape(one, leaf) for one in node.elts])
    if isinstance(node, ast.Constant) and node.value is None:
        return Static(None)
    return leaf
