"""From the syntax tree to typed SSA: statements. Expressions are in `expressions`.

Names are renamed at every assignment; where paths meet, both assign the merged name. Types are found on the way: a loop is
read again when a round turns an int into a float. Calls of the user's own functions are read in place, recursion aside (`calls`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from custodiet.autodiff.compiler.adjoint import walk
from custodiet.autodiff.compiler.frontend import Declined, Source
from custodiet.autodiff.compiler.ir import (
    Arr,
    Block,
    Const,
    Copy,
    Header,
    If,
    Loop,
    Op,
    Operand,
    Program,
    Ref,
    Require,
    Store,
    Type,
)
from custodiet.autodiff.compiler.statements import BREAK, CONTINUE, RareStatements
from custodiet.autodiff.compiler.syntax import (
    KEYWORDS,
    assigned_names,
    changed_tables,
    grown_names,
    statement_kinds,
    views_gone_through,
)
from custodiet.autodiff.compiler.values import (
    Closure,
    Frame,
    Guarded,
    RangeValue,
    Static,
    Tup,
    Undefined,
    Value,
    is_own,
    join_type,
    leaves,
    let_go,
    rebuild,
    same_shape,
)

__all__ = ["Lowerer"]

RETURN, DONE = "$return", "$done"
FALSE, TRUE = Const(False), Const(True)
MAX_UNROLL = 64


class Lowerer(RareStatements):
    """Reads one function; `program` is what came out."""

    def lower(self, source: Source, arguments: dict[str, Value], params: list[Ref], active: list[bool]) -> Program:
        """Read the function with its parameters bound to `arguments`.

        Raises:
            Declined: the first thing that is not understood.
        """
        self.main = source
        try:
            frame = Frame(source, dict(arguments))
            value = self.run_body(frame, source.node)
        except Declined as declined:
            if not declined.file:
                line = (declined.line or self.line) + source.first_line
                raise Declined(declined.reason, line=line, file=source.file) from None
            raise
        self.result = value
        return Program(
            name=self.function_name(source),
            params=params,
            body=self.block,
            results=leaves(value),
            active=active,
            callees=self.reachable(self.block),
            stores=self.stores,
            told=self.told,
            origins=self.origins,
            places=list(self.places),
        )

    @staticmethod
    def function_name(source: Source) -> str:
        node = source.node
        return node.name if isinstance(node, ast.FunctionDef) else "lambda_"

    def run_body(self, frame: Frame, node: ast.FunctionDef | ast.Lambda) -> Value:
        """The value that a function returns, its body read into the present block."""
        outer, self.frame = self.frame, frame
        try:
            if isinstance(node, ast.Lambda):
                return self.value(node.body)
            frame.env[RETURN], frame.env[DONE] = Static(None), FALSE
            self.sequence(node.body)
            done = frame.env[DONE]
            if frame.env[RETURN] == Static(None):
                return Static(None)
            if isinstance(done, Ref):  # each path has returned, or CPython would hand back None
                self.emit(Require(done, line=node.lineno))
            elif done != TRUE:
                return Static(None)
            if isinstance(frame.env[RETURN], Undefined):
                raise Declined(frame.env[RETURN].reason, line=node.lineno)
            return frame.env[RETURN]
        finally:
            self.frame = outer

    # -- statements ---------------------------------------------------------------------------------------------------

    def sequence(self, nodes: Sequence[ast.stmt]) -> None:
        """Statements one after another; what follows an early exit is read under its negation."""
        for place, node in enumerate(nodes):
            if self._left() == TRUE:
                return
            rest = nodes[place + 1 :]
            if isinstance(node, ast.If) and rest and self._leaves_somewhere(node):
                self._branch(node, rest)
                return
            self.statement(node)
            left = self._left()
            if isinstance(left, Ref) and rest:
                self._guarded(left, rest)
                return

    def _left(self) -> Operand:
        """Whether control has left this sequence: returned, broken out or gone on to the next round."""
        found: Operand = FALSE
        for name in (DONE, BREAK, CONTINUE):
            flag = self.frame.env.get(name, FALSE)
            if isinstance(flag, Undefined | Guarded):
                raise Declined("control leaves a loop in a way that is not followed")
            if flag == TRUE:
                return TRUE
            if isinstance(flag, Ref):
                found = flag if found == FALSE else self.op("or", found, flag)
        return found

    @staticmethod
    def _leaves_somewhere(node: ast.If) -> bool:
        return not statement_kinds(node).isdisjoint((ast.Return, ast.Break, ast.Continue, ast.Raise))

    def _guarded(self, left: Operand, rest: Sequence[ast.stmt]) -> None:
        self.branch(self.op("not", left), lambda: self.sequence(rest), lambda: None, line=rest[0].lineno)

    def _branch(self, node: ast.If, rest: Sequence[ast.stmt]) -> None:
        """An `if` some of whose paths leave: what follows belongs to those that do not."""

        def follow(body: Sequence[ast.stmt]) -> Callable[[], None]:
            def run() -> None:
                self.sequence(body)
                left = self._left()
                if left == FALSE:
                    self.sequence(rest)
                elif isinstance(left, Ref):
                    self._guarded(left, rest)

            return run

        self.line = node.lineno
        cond = self.truth(node.test)
        if isinstance(cond, Const):
            follow(node.body if cond.value else node.orelse)()
            return
        if isinstance(node.body[0], ast.Raise) and not node.orelse:
            self.emit(Require(self.op("not", cond), line=node.body[0].lineno))
            self.sequence(rest)
            return
        self.grow(grown_names(node), node.lineno, rounds=False)
        self.branch(cond, follow(node.body), follow(node.orelse), line=node.lineno)

    def statement(self, node: ast.stmt) -> None:
        """One statement."""
        self.line = node.lineno
        method = getattr(self, f"_do_{type(node).__name__}", None)
        if method is None:
            raise Declined(
                f"`{KEYWORDS.get(type(node).__name__, type(node).__name__)}` is not compiled", line=node.lineno
            )
        method(node)

    def _do_Assert(self, node: ast.Assert) -> None:
        cond = self.truth(node.test)
        if isinstance(cond, Const) and cond.value:
            return
        self.emit(Require(cond, line=node.lineno))

    def _do_Raise(self, node: ast.Raise) -> None:
        self.emit(Require(FALSE, line=node.lineno))
        self.frame.env[DONE] = TRUE
        self.frame.env[RETURN] = Undefined("the function raises on this path")

    def _do_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.decorator_list:
            raise Declined("a nested function has a decorator", line=node.lineno)
        self.frame.env[node.name] = self.closure(node)

    def _do_Return(self, node: ast.Return) -> None:
        value: Value = Static(None) if node.value is None else self.passed(node.value)
        value = self.handed_back(value)
        self.note_return(value)
        self._refuse_int(value, node.lineno)
        self.frame.env[RETURN], self.frame.env[DONE] = value, TRUE

    def _refuse_int(self, value: Value, line: int) -> None:
        """What is differentiated is a float on every path, or the tape says that it is not."""
        if self.frame.depth or self.context is not None:
            return
        first = value.items[0] if isinstance(value, Tup) and value.items else value
        if isinstance(first, Ref | Const) and first.type in ("i", "b"):
            raise Declined("an int or a bool is returned, not one float", line=line)

    def _do_Assign(self, node: ast.Assign) -> None:
        self.refuse_live_view(node.value)
        named = any(isinstance(one, ast.Name) for one in node.targets)
        value = self.kept(node.value) if named else self.hold(self.value(node.value))
        if len(node.targets) > 1:
            value = let_go(value)
        for target in node.targets:
            self.assign(target, value)

    def _do_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.kept(node.value))

    def _do_AugAssign(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Subscript):
            self.update_item(target, lambda old: self.binary(node.op, old, self.value(node.value), node.lineno))
            return
        if not isinstance(target, ast.Name):
            raise Declined("an augmented assignment to an attribute", line=node.lineno)
        old = self.read(target.id, node.lineno)
        if isinstance(old, Ref) and isinstance(old.type, Arr):
            self.update_array(old, self.binary(node.op, old, self.value(node.value), node.lineno), node.lineno)
            return
        self.assign(target, self.binary(node.op, old, self.value(node.value), node.lineno))

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target: a name, a pattern of names, an element."""
        if isinstance(target, ast.Name):
            self.frame.env[target.id] = value
            if isinstance(value, Ref):
                self.told.setdefault(value.name, target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            items = self.items(self.materialize(value, target.lineno), target.lineno)
            stars = [place for place, one in enumerate(target.elts) if isinstance(one, ast.Starred)]
            if stars:
                after = len(target.elts) - stars[0] - 1
                middle = items[stars[0] : len(items) - after]
                items = [*items[: stars[0]], Tup(middle), *items[len(items) - after :]]
            if len(items) != len(target.elts):
                raise Declined("a pattern of another length", line=target.lineno)
            for one, item in zip(target.elts, items, strict=True):
                self.assign(one, item)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value)
        elif isinstance(target, ast.Subscript):
            if not self._set_key(target, value) and not self.set_entry(target, value):
                self.set_item(target, value)
        else:
            raise Declined("an attribute is assigned", line=target.lineno)

    # -- branches -----------------------------------------------------------------------------------------------------

    def _do_If(self, node: ast.If) -> None:
        cond = self.truth(node.test)
        if isinstance(cond, Const):
            self.sequence(node.body if cond.value else node.orelse)
            return
        self.grow(grown_names(node), node.lineno, rounds=False)
        self.branch(cond, lambda: self.sequence(node.body), lambda: self.sequence(node.orelse), line=node.lineno)

    def branch(self, cond: Operand, then: Callable[[], None], orelse: Callable[[], None], *, line: int) -> None:
        """Read both branches and merge what they assigned."""
        before, outer = self.frame.env, self.block
        results: list[tuple[Block, dict[str, Value]]] = []
        for run in (then, orelse):
            self.block, self.frame.env = [], dict(before)
            run()
            results.append((self.block, self.frame.env))
        self.block, self.frame.env = outer, before
        (then_block, then_env), (else_block, else_env) = results
        for name in [*then_env, *(one for one in else_env if one not in then_env)]:
            a, b = then_env.get(name), else_env.get(name)
            before[name] = self._merge(name, a, b, then_block, else_block, then_env, else_env, line)
        self.emit(If(cond, then_block, else_block, line=line))

    def _merge(
        self, name: str, a: Value | None, b: Value | None, then_block: Block, else_block: Block,
        then_env: dict[str, Value], else_env: dict[str, Value], line: int,
    ) -> Value:  # fmt: skip
        if a is b or (a is not None and a == b):
            return a if a is not None else Undefined(f"{name} has no value")
        if name == RETURN:  # the path that has not returned holds nothing that anyone will read
            if then_env.get(DONE) == FALSE or isinstance(a, Undefined):
                a = self._nothing_like(b)
            elif else_env.get(DONE) == FALSE or isinstance(b, Undefined):
                b = self._nothing_like(a)
        what = "what is returned" if name == RETURN else "a value" if name.startswith("$") else name
        if a is None or b is None:
            return Undefined(f"{what} may have no value here")
        for one in (a, b):
            if isinstance(one, Undefined):
                return one
        if isinstance(a, Guarded) or isinstance(b, Guarded) or not same_shape(a, b):
            return Undefined(f"{what} is of two kinds here")
        if is_own(a) != is_own(b):
            a, b = let_go(a), let_go(b)
        merged: list[Operand] = []
        for left, right in zip(leaves(a, line), leaves(b, line), strict=True):
            if left == right:
                merged.append(left)
                continue
            kind = join_type(left.type, right.type, line)
            dst = self.fresh(name, kind)
            self._put(then_block, dst, left, line)
            self._put(else_block, dst, right, line)
            merged.append(dst)
        return rebuild(a, merged)

    def _nothing_like(self, value: Value | None) -> Value:
        if value is None or isinstance(value, Undefined):
            return Undefined("a path returns nothing")
        new: list[Operand] = []
        for leaf in leaves(value):
            if isinstance(leaf.type, Arr):
                raise Declined("an array is returned from within a branch")
            new.append({"f": Const(0.0), "i": Const(0), "b": FALSE}[leaf.type])
        return rebuild(value, new)

    def _put(self, block: Block, dst: Ref, src: Operand, line: int) -> None:
        if isinstance(dst.type, Arr):
            if not isinstance(src, Ref):
                raise Declined("an array on one path only", line=line)
            block.append(Copy(dst, src))
        elif dst.type == src.type:
            block.append(Op(dst, "copy", (src,), line))
        else:
            block.append(Op(dst, "itof", (src,), line))

    # -- loops --------------------------------------------------------------------------------------------------------

    def _do_For(self, node: ast.For) -> None:
        changed = changed_tables(node) & views_gone_through(node.iter)
        changed |= grown_names(node) & {one.id for one in ast.walk(node.iter) if isinstance(one, ast.Name)}
        if changed:
            raise Declined(f"{min(changed)} is changed while it is gone through", line=node.lineno)
        iterable = self.iterable(node.iter)
        if isinstance(iterable, list):
            if len(iterable) > MAX_UNROLL:
                raise Declined(f"a loop over a tuple, list or dict of more than {MAX_UNROLL} items", line=node.lineno)
            self._unrolled(node, iterable, 0)
            return
        trips, item = iterable
        self._loop(node, trips=trips, bind=lambda counter: self.assign(node.target, item(counter)))

    def _do_While(self, node: ast.While) -> None:
        self._loop(node, trips=None, bind=None)

    def _unrolled(self, node: ast.For, items: list[Value], place: int) -> None:
        """A loop over a tuple, one copy of the body per item."""
        env = self.frame.env
        outer = {name: env.get(name) for name in (BREAK, CONTINUE)}
        env[BREAK] = FALSE

        def step(place: int) -> None:
            if place == len(items):
                return
            self.frame.env[CONTINUE] = FALSE
            self.assign(node.target, items[place])
            self.sequence(node.body)
            self.frame.env[CONTINUE] = FALSE
            left = self._left()
            if left == FALSE:
                step(place + 1)
            elif isinstance(left, Ref):
                self.branch(self.op("not", left), lambda: step(place + 1), lambda: None, line=node.lineno)

        step(place)
        broke = self.frame.env[BREAK]
        for name, value in outer.items():
            if value is None:
                self.frame.env.pop(name, None)
            else:
                self.frame.env[name] = value
        self._loop_else(node, broke)

    def _loop_else(self, node: ast.For | ast.While, broke: Value) -> None:
        if not node.orelse:
            return
        if isinstance(broke, Const):
            if not broke.value:
                self.sequence(node.orelse)
        elif isinstance(broke, Ref):
            self.branch(self.op("not", broke), lambda: self.sequence(node.orelse), lambda: None, line=node.lineno)

    def _loop(self, node: ast.For | ast.While, *, trips: Operand | None, bind: Callable[[Ref], None] | None) -> None:
        self.grow(grown_names(node), node.lineno, rounds=True)
        env = self.frame.env
        outer = {name: env.get(name) for name in (BREAK, CONTINUE)}
        env[BREAK], env[CONTINUE] = FALSE, FALSE
        assigned, kinds = set(assigned_names(node) | grown_names(node)), statement_kinds(node)
        assigned |= {name for name in changed_tables(node) if is_own(env.get(name))}
        if not kinds.isdisjoint((ast.Return, ast.Raise)):
            assigned |= {RETURN, DONE}
            if isinstance(env[RETURN], Static):
                env[RETURN] = self._guess_return(node)
        if ast.Break in kinds:
            assigned.add(BREAK)
        carried = [name for name in env if name in assigned]
        types: dict[tuple[str, int], Type] = {}
        constant: set[str] = set()
        while True:
            found = self._try_loop(node, trips, bind, [one for one in carried if one not in constant], types)
            if isinstance(found, set):
                constant |= found
            elif found is not None:
                break
        loop, after, only_inside = found
        self.emit(loop)
        for name, value in after.items():
            self.frame.env[name] = value
        for name, value in only_inside.items():
            self.frame.env[name] = value if isinstance(value, Undefined) else Guarded(value, loop.count)
        broke = self.frame.env.get(BREAK, FALSE)
        for name, value in outer.items():
            if value is None:
                self.frame.env.pop(name, None)
            else:
                self.frame.env[name] = value
        self._loop_else(node, broke)

    def _guess_return(self, node: ast.AST) -> Value:
        """The kind of value that a `return` within a loop gives: a float until a round says otherwise."""
        tuples = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
        for value in tuples:
            if isinstance(value, ast.Tuple):
                return Tup([Const(0.0) for _ in value.elts])
        return Const(0.0)

    def _try_loop(
        self, node: ast.For | ast.While, trips: Operand | None, bind: Callable[[Ref], None] | None, carried: list[str],
        types: dict[tuple[str, int], Type],
    ) -> tuple[Loop, dict[str, Value], dict[str, Value]] | set[str] | None:  # fmt: skip
        """Read the loop once. None: a type grew, read again; a set of names: these do not change, read again."""
        before, outer = dict(self.frame.env), self.block
        name = f"loop{next(self.numbers)}"
        counter, count = self.fresh(f"{name}_round", "i"), self.fresh(f"{name}_rounds", "i")
        headers: dict[str, list[Ref]] = {}
        inits: dict[str, list[Operand]] = {}
        for one in carried:
            value = before[one]
            if isinstance(value, Guarded):
                value = value.value
            if isinstance(value, Undefined | Static | RangeValue | Closure):
                continue
            inits[one] = leaves(value, node.lineno)
            headers[one] = [
                self.fresh(one, types.get((one, place), leaf.type)) for place, leaf in enumerate(inits[one])
            ]
            self.frame.env[one] = rebuild(value, list(headers[one]))
        pre: Block = []
        cond: Operand | None = None
        body: Block = []
        try:
            if isinstance(node, ast.While):
                self.block = pre
                cond = self.truth(node.test)
                if any(isinstance(one, Store) for one in walk(pre)):
                    raise Declined("a loop's condition writes into memory", line=node.lineno)
                inside = {key for key in self.frame.env if key not in before}
                if inside:
                    raise Declined("a name is assigned in a loop's condition", line=node.lineno)
            self.block = body
            if bind is not None:
                bind(counter)
            self.sequence(node.body)
            after_env = self.frame.env
            stop = self._stop_flag(after_env)
        finally:
            self.block = outer
            self.frame.env = before
        unchanged, grew, latches = self._latches(headers, after_env, before, types, node.lineno)
        if grew:  # what does not change may do so once the types are what they are
            return None
        if unchanged:
            return unchanged
        made: list[Header] = []
        for one, refs in headers.items():
            for place, ref in enumerate(refs):
                made.append(
                    Header(ref, self._as(inits[one][place], ref, outer), self._as(latches[one][place], ref, body))
                )
        loop = Loop(name, counter, count, trips, pre, cond, made, body, stop=stop, line=node.lineno)
        after = {one: rebuild(_unguard(before[one]), list(refs)) for one, refs in headers.items()}
        only = {
            key: value
            for key, value in after_env.items()
            if key not in before and not key.startswith("$") and not isinstance(value, Closure)
        }
        after |= {key: value for key, value in after_env.items() if key not in before and isinstance(value, Closure)}
        after |= self.let_go_in_a_round(before, after_env, headers.keys(), node.lineno)
        for one in carried:  # what could not be carried must not be read afterwards
            if one not in headers and before[one] is not after_env.get(one):
                if isinstance(before[one], Static | Closure | RangeValue) and before[one] != after_env.get(one):
                    raise Declined(
                        f"{one} is no number before the loop and another thing after a round", line=node.lineno
                    )
                after[one] = Undefined(f"{one} changes its kind in a loop")
        return loop, after, self._exported(only, loop)

    def _exported(self, only: dict[str, Value], loop: Loop) -> dict[str, Value]:
        """Names that a loop alone assigned: carried out of it as headers of their own."""
        out: dict[str, Value] = {}
        for key, value in only.items():
            try:
                inner = leaves(_unguard(value))
            except Declined as declined:
                out[key] = Undefined(declined.reason)
                continue
            refs: list[Operand] = []
            for leaf in inner:
                if isinstance(leaf.type, Arr):
                    refs = []
                    out[key] = Undefined(f"{key} is an array that only a loop assigns")
                    break
                ref = self.fresh(key, leaf.type)
                zero: Operand = {"f": Const(0.0), "i": Const(0), "b": FALSE}[leaf.type]
                loop.headers.append(Header(ref, zero, leaf))
                refs.append(ref)
            if key not in out:
                out[key] = rebuild(_unguard(value), refs)
        return out

    def _stop_flag(self, env: dict[str, Value]) -> Ref | None:
        flags = [env.get(name, FALSE) for name in (DONE, BREAK)]
        found: Operand = FALSE
        for flag in flags:
            if isinstance(flag, Undefined | Guarded):
                raise Declined("control leaves a loop in a way that is not followed")
            if isinstance(flag, Ref | Const) and flag != FALSE:
                found = flag if found == FALSE else self.op("or", found, flag)
        if found == FALSE:
            return None
        if isinstance(found, Const):
            found = self.op("copy", found)
        return found if isinstance(found, Ref) else None

    def _latches(
        self, headers: dict[str, list[Ref]], after: dict[str, Value], before: dict[str, Value],
        types: dict[tuple[str, int], Type], line: int,
    ) -> tuple[set[str], bool, dict[str, list[Operand]]]:  # fmt: skip
        unchanged: set[str] = set()
        grew = False
        latches: dict[str, list[Operand]] = {}
        for one, refs in headers.items():
            value = _unguard(after[one])
            if isinstance(value, Undefined):
                raise Declined(value.reason, line=line)
            if not same_shape(value, _unguard(before[one])):
                raise Declined(f"{one} changes its kind in a loop", line=line)
            latches[one] = leaves(value, line)
            if all(latch == ref for latch, ref in zip(latches[one], refs, strict=True)):
                unchanged.add(one)
            for place, (ref, latch) in enumerate(zip(refs, latches[one], strict=True)):
                wide = join_type(ref.type, latch.type, line)
                if wide != ref.type:
                    types[(one, place)] = wide
                    grew = True
        return unchanged, grew, latches

    def _as(self, operand: Operand, like: Ref, block: Block) -> Operand:
        """`operand` in the type of `like`, converted at the end of `block` where it must be."""
        if operand.type == like.type:
            return operand
        if isinstance(operand, Const):
            return Const(float(operand.value))
        dst = self.fresh("as_float", "f")
        block.append(Op(dst, "itof", (operand,)))
        return dst


def _unguard(value: Value) -> Value:
    return value.value if isinstance(value, Guarded) else value
