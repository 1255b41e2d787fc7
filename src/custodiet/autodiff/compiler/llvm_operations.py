"""Scalar operations as LLVM IR, with a trap wherever CPython would raise."""

from __future__ import annotations

import math

from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Const, Op, Operand, Ref
from custodiet.autodiff.compiler.operations import SPECIAL

__all__ = ["FLOAT_COMPARE", "INTRINSICS", "LIBM", "LIBM_BINARY", "LLVM_TYPE", "Operations"]

LLVM_TYPE = {"f": "double", "i": "i64", "b": "i1"}
INTRINSICS = ("sin", "cos", "exp", "exp2", "log", "log2", "log10", "sqrt", "fabs", "floor", "ceil", "trunc", "rint")
LIBM = (
    "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "expm1", "log1p", "cbrt", "erf", "erfc", "lgamma",
    "tgamma",
)  # fmt: skip
LIBM_BINARY = ("hypot", "atan2")
FLOAT_COMPARE = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
INT_COMPARE = {"lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge", "eq": "eq", "ne": "ne"}
TRAPS_IF_NOT_FINITE = {
    "exp", "exp2", "expm1", "sinh", "cosh", "tan", "asin", "acos", "acosh", "atanh", "fpow", "lgamma", "log1p", "sin", "cos", "hypot",
    "tgamma",
}  # fmt: skip
EXACT_INT = 2**53


class Operations:
    """The part of the emitter that knows numbers."""

    quiet: bool

    def new(self, text: str) -> str:
        raise TypeError("a part of an Emitter")

    def get(self, operand: Operand) -> str:
        raise TypeError("a part of an Emitter")

    def set(self, ref: Ref, value: str) -> None:
        raise TypeError("a part of an Emitter")

    @staticmethod
    def literal(const: Const) -> str:
        raise TypeError("a part of an Emitter")

    def trap_if(self, cond: str) -> None:
        raise TypeError("a part of an Emitter")

    def leave_if(self, cond: str) -> None:
        raise TypeError("a part of an Emitter")

    # -- operations ---------------------------------------------------------------------------------------------------

    def _do_op(self, stmt: Op) -> None:
        self.set(stmt.dst, self._operation(stmt))

    def _operation(self, stmt: Op) -> str:
        op, args = stmt.op, [self.get(one) for one in stmt.args]
        special = getattr(self, f"_op_{op}", None)
        if special is not None:
            return special(*args)
        if op in SPECIAL:  # the last argument is Cython's, and unused
            return self.new(f"call double @custodiet_{op}({''.join(f'double {one}, ' for one in args)}i32 0)")
        if op in ("iand", "ior", "ixor"):
            return self.new(f"{op[1:]} i64 {args[0]}, {args[1]}")
        if op in ("copy", "still"):
            return args[0]
        if op == "fadd_r":  # NumPy's own sums are not in order either
            return self.new(f"fadd reassoc double {args[0]}, {args[1]}")
        if op == "iscale":
            return self.new(f"mul nsw i64 {args[0]}, {args[1]}")
        if op == "select":
            kind = LLVM_TYPE[stmt.dst.type]  # type: ignore[index]
            return self.new(f"select i1 {args[0]}, {kind} {args[1]}, {kind} {args[2]}")
        if op in ("fadd", "fsub", "fmul"):
            return self.new(f"{op} double {args[0]}, {args[1]}")
        if op in ("iadd", "isub", "imul"):
            return self._overflowing(op, args)
        if op[1:] in FLOAT_COMPARE and op[0] == "f":
            return self.new(f"fcmp {FLOAT_COMPARE[op[1:]]} double {args[0]}, {args[1]}")
        if op[1:] in INT_COMPARE and op[0] == "i":
            return self.new(f"icmp {INT_COMPARE[op[1:]]} i64 {args[0]}, {args[1]}")
        if op in INTRINSICS:
            return self._checked(op, args, self.new(f"call double @llvm.{op}.f64(double {args[0]})"))
        if op in LIBM:
            return self._checked(op, args, self.new(f"call double @{op}(double {args[0]})"))
        if op in LIBM_BINARY:
            return self._checked(op, args, self.new(f"call double @{op}(double {args[0]}, double {args[1]})"))
        raise Declined(f"`{op}` has no native form", line=stmt.line)

    def _overflowing(self, op: str, args: list[str]) -> str:
        kind = {"iadd": "sadd", "isub": "ssub", "imul": "smul"}[op]
        if self.quiet:
            return self.new(f"{op[1:]} nsw i64 {args[0]}, {args[1]}")
        pair = self.new(f"call {{i64, i1}} @llvm.{kind}.with.overflow.i64(i64 {args[0]}, i64 {args[1]})")
        self.trap_if(self.new(f"extractvalue {{i64, i1}} {pair}, 1"))
        return self.new(f"extractvalue {{i64, i1}} {pair}, 0")

    def _finite(self, value: str) -> str:
        size = self.new(f"call double @llvm.fabs.f64(double {value})")
        return self.new(f"fcmp olt double {size}, {self.literal(Const(math.inf))}")

    def _checked(self, op: str, args: list[str], value: str) -> str:
        if self.quiet:
            return value
        if op in ("log", "log2", "log10"):
            self.trap_if(self.new(f"fcmp ole double {args[0]}, {self.literal(Const(0.0))}"))
        elif op == "sqrt":
            self.trap_if(self.new(f"fcmp olt double {args[0]}, {self.literal(Const(0.0))}"))
        elif op in TRAPS_IF_NOT_FINITE:
            bad = self.new(f"xor i1 {self._finite(value)}, true")
            for one in args:
                bad = self.new(f"and i1 {bad}, {self._finite(one)}")
            self.trap_if(bad)
            if op in ("sin", "cos", "tan"):  # math.sin(inf) is an error
                self.trap_if(self.new(f"xor i1 {self._finite(args[0])}, true"))
        return value

    def _op_fdiv(self, a: str, b: str) -> str:
        self.trap_if(self.new(f"fcmp oeq double {b}, {self.literal(Const(0.0))}"))
        return self.new(f"fdiv double {a}, {b}")

    def _op_recip(self, a: str) -> str:
        return self._op_fdiv(self.literal(Const(1.0)), a)

    def _op_fneg(self, a: str) -> str:
        return self.new(f"fneg double {a}")

    def _op_square(self, a: str) -> str:
        return self.new(f"fmul double {a}, {a}")

    def _op_pow2(self, a: str) -> str:
        """``a ** 2``, an OverflowError where it leaves the floats."""
        value = self.new(f"fmul double {a}, {a}")
        if not self.quiet:
            self.trap_if(self.new(f"fcmp oeq double {value}, {self.literal(Const(math.inf))}"))
        return value

    def _op_ineg(self, a: str) -> str:
        return self._overflowing("isub", ["0", a])

    def _op_not(self, a: str) -> str:
        return self.new(f"xor i1 {a}, true")

    def _op_and(self, a: str, b: str) -> str:
        return self.new(f"and i1 {a}, {b}")

    def _op_or(self, a: str, b: str) -> str:
        return self.new(f"or i1 {a}, {b}")

    def _op_xor(self, a: str, b: str) -> str:
        return self.new(f"xor i1 {a}, {b}")

    def _op_iand(self, a: str, b: str) -> str:
        return self.new(f"and i64 {a}, {b}")

    def _op_ior(self, a: str, b: str) -> str:
        return self.new(f"or i64 {a}, {b}")

    def _op_ixor(self, a: str, b: str) -> str:
        return self.new(f"xor i64 {a}, {b}")

    def _op_btoi(self, a: str) -> str:
        return self.new(f"zext i1 {a} to i64")

    def _op_itof(self, a: str) -> str:
        shifted = self.new(f"add i64 {a}, {EXACT_INT}")
        self.trap_if(self.new(f"icmp ugt i64 {shifted}, {2 * EXACT_INT}"))
        return self.new(f"sitofp i64 {a} to double")

    def _op_ftoi(self, a: str) -> str:
        size = self.new(f"call double @llvm.fabs.f64(double {a})")
        good = self.new(f"fcmp olt double {size}, {self.literal(Const(9.0e18))}")
        self.leave_if(self.new(f"xor i1 {good}, true"))
        return self.new(f"fptosi double {a} to i64")

    def _shift_count(self, b: str) -> str:
        bad = self.new(f"icmp ugt i64 {b}, 63")  # CPython's ints are longer, or it raises
        self.trap_if(bad)
        return self.new(f"select i1 {bad}, i64 0, i64 {b}")

    def _op_ishr(self, a: str, b: str) -> str:
        self.trap_if(self.new(f"icmp slt i64 {b}, 0"))
        return self.new(f"ashr i64 {a}, {self.new(f'call i64 @llvm.umin.i64(i64 {b}, i64 63)')}")

    def _op_ishl(self, a: str, b: str) -> str:
        count = self._shift_count(b)
        found = self.new(f"shl i64 {a}, {count}")
        self.trap_if(self.new(f"icmp ne i64 {self.new(f'ashr i64 {found}, {count}')}, {a}"))
        return found

    def _op_imax(self, a: str, b: str) -> str:
        return self.new(f"call i64 @llvm.smax.i64(i64 {a}, i64 {b})")

    def _op_imin(self, a: str, b: str) -> str:
        return self.new(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def _op_iabs(self, a: str) -> str:
        return self._op_imax(a, self._op_ineg(a))

    def _int_division(self, a: str, b: str) -> tuple[str, str, str]:
        zero = self.new(f"icmp eq i64 {b}, 0")
        low = self.new(f"icmp eq i64 {b}, -1")
        odd = self.new(f"and i1 {low}, {self.new(f'icmp eq i64 {a}, {-(2**63)}')}")
        self.trap_if(self.new(f"or i1 {zero}, {odd}"))
        safe = self.new(f"select i1 {self.new(f'or i1 {zero}, {odd}')}, i64 1, i64 {b}")
        quotient, remainder = self.new(f"sdiv i64 {a}, {safe}"), self.new(f"srem i64 {a}, {safe}")
        differ = self.new(f"icmp slt i64 {self.new(f'xor i64 {remainder}, {safe}')}, 0")
        adjust = self.new(f"and i1 {differ}, {self.new(f'icmp ne i64 {remainder}, 0')}")
        return quotient, remainder, self.new(f"zext i1 {adjust} to i64") + "|" + safe

    def _op_ifloordiv(self, a: str, b: str) -> str:
        quotient, _, adjust = self._int_division(a, b)
        return self.new(f"sub i64 {quotient}, {adjust.split('|')[0]}")

    def _op_imod(self, a: str, b: str) -> str:
        _, remainder, adjust = self._int_division(a, b)
        step, safe = adjust.split("|")
        return self.new(f"add i64 {remainder}, {self.new(f'mul i64 {step}, {safe}')}")

    def _op_fmod(self, a: str, b: str) -> str:
        zero = self.literal(Const(0.0))
        self.trap_if(self.new(f"fcmp oeq double {b}, {zero}"))
        rest = self.new(f"frem double {a}, {b}")
        is_zero = self.new(f"fcmp oeq double {rest}, {zero}")
        differ = self.new(
            f"xor i1 {self.new(f'fcmp olt double {rest}, {zero}')}, {self.new(f'fcmp olt double {b}, {zero}')}"
        )
        moved = self.new(f"select i1 {differ}, double {self.new(f'fadd double {rest}, {b}')}, double {rest}")
        signed = self.new(f"call double @llvm.copysign.f64(double {zero}, double {b})")
        return self.new(f"select i1 {is_zero}, double {signed}, double {moved}")

    def _op_ffloordiv(self, a: str, b: str) -> str:
        """As CPython's float_divmod, which does not correct the remainder before it divides."""
        zero, one = self.literal(Const(0.0)), self.literal(Const(1.0))
        self.trap_if(self.new(f"fcmp oeq double {b}, {zero}"))
        rest = self.new(f"frem double {a}, {b}")
        quotient = self.new(f"fdiv double {self.new(f'fsub double {a}, {rest}')}, {b}")
        differ = self.new(
            f"xor i1 {self.new(f'fcmp olt double {rest}, {zero}')}, {self.new(f'fcmp olt double {b}, {zero}')}"
        )
        differ = self.new(f"and i1 {differ}, {self.new(f'fcmp une double {rest}, {zero}')}")
        quotient = self.new(
            f"select i1 {differ}, double {self.new(f'fsub double {quotient}, {one}')}, double {quotient}"
        )
        floor = self.new(f"call double @llvm.floor.f64(double {quotient})")
        far = self.new(f"fcmp ogt double {self.new(f'fsub double {quotient}, {floor}')}, {self.literal(Const(0.5))}")
        floor = self.new(f"select i1 {far}, double {self.new(f'fadd double {floor}, {one}')}, double {floor}")
        signed = self.new(f"call double @llvm.copysign.f64(double {zero}, double {self.new(f'fdiv double {a}, {b}')})")
        return self.new(f"select i1 {self.new(f'fcmp oeq double {quotient}, {zero}')}, double {signed}, double {floor}")

    def _op_fpow(self, a: str, b: str) -> str:
        return self._checked("fpow", [a, b], self.new(f"call double @llvm.pow.f64(double {a}, double {b})"))

    def _op_copysign(self, a: str, b: str) -> str:
        return self.new(f"call double @llvm.copysign.f64(double {a}, double {b})")

    def _op_sign(self, a: str) -> str:
        zero = self.literal(Const(0.0))
        one = self.new(f"call double @llvm.copysign.f64(double {self.literal(Const(1.0))}, double {a})")
        rest = self.new(f"fadd double {a}, {zero}")  # zero, without a sign, or NaN
        return self.new(f"select i1 {self.new(f'fcmp one double {a}, {zero}')}, double {one}, double {rest}")

    def _op_cfmod(self, a: str, b: str) -> str:
        """The remainder with the sign of the dividend."""
        self.trap_if(self.new(f"fcmp oeq double {b}, {self.literal(Const(0.0))}"))
        return self.new(f"frem double {a}, {b}")

    def _op_trigamma(self, a: str) -> str:
        return self.new(f"call double @custodiet_trigamma(double {a})")

    def _gap(self, a: str, b: str) -> tuple[str, str, str]:
        """The larger of two numbers, minus their distance, and whether they are equal."""
        larger = self.new(f"select i1 {self.new(f'fcmp ogt double {a}, {b}')}, double {a}, double {b}")
        distance = self.new(f"call double @llvm.fabs.f64(double {self.new(f'fsub double {a}, {b}')})")
        return larger, self.new(f"fneg double {distance}"), self.new(f"fcmp oeq double {a}, {b}")

    def _op_logaddexp(self, a: str, b: str) -> str:
        larger, gap, equal = self._gap(a, b)
        more = self.new(f"call double @log1p(double {self.new(f'call double @llvm.exp.f64(double {gap})')})")
        found = self.new(f"fadd double {larger}, {more}")
        twice = self.new(f"fadd double {a}, {self.literal(Const(math.log(2.0)))}")
        return self.new(f"select i1 {equal}, double {twice}, double {found}")

    def _op_logaddexp2(self, a: str, b: str) -> str:
        larger, gap, equal = self._gap(a, b)
        more = self.new(f"call double @log1p(double {self.new(f'call double @llvm.exp2.f64(double {gap})')})")
        scaled = self.new(f"fmul double {more}, {self.literal(Const(1.0 / math.log(2.0)))}")
        found = self.new(f"fadd double {larger}, {scaled}")
        twice = self.new(f"fadd double {a}, {self.literal(Const(1.0))}")
        return self.new(f"select i1 {equal}, double {twice}, double {found}")

    def _op_half_over(self, y: str, a: str) -> str:
        """The quotient y / a, or its limit 1/2 where a is 0: a part of the slope of a Bessel function of order one."""
        zero = self.new(f"fcmp oeq double {a}, {self.literal(Const(0.0))}")
        return self.new(
            f"select i1 {zero}, double {self.literal(Const(0.5))}, double {self.new(f'fdiv double {y}, {a}')}"
        )

    def _op_log_or_zero(self, a: str, b: str) -> str:
        """The logarithm of b; 0 where a and b are 0."""
        zero = self.literal(Const(0.0))
        both = self.new(
            f"and i1 {self.new(f'fcmp oeq double {a}, {zero}')}, {self.new(f'fcmp oeq double {b}, {zero}')}"
        )
        return self.new(f"select i1 {both}, double {zero}, double {self.new(f'call double @llvm.log.f64(double {b})')}")

    def _op_exprel_slope(self, a: str, y: str) -> str:
        """The derivative of y = (exp(a) - 1) / a: (exp(a) - y) / a, near 0 its series."""
        total = self.literal(Const(1 / 5760))
        for part in (1 / 840, 1 / 144, 1 / 30, 1 / 8, 1 / 3, 0.5):
            total = self.new(f"fadd double {self.new(f'fmul double {total}, {a}')}, {self.literal(Const(part))}")
        size = self.new(f"call double @llvm.fabs.f64(double {a})")
        near = self.new(f"fcmp olt double {size}, {self.literal(Const(1e-2))}")
        over = self.new(f"fsub double {self.new(f'call double @llvm.exp.f64(double {a})')}, {y}")
        return self.new(f"select i1 {near}, double {total}, double {self.new(f'fdiv double {over}, {a}')}")

    def _op_powd(self, a: str, b: str) -> str:
        """The derivative of a ** b by a: b a ** (b - 1), zero where b is."""
        zero = self.literal(Const(0.0))
        less = self.new(f"fsub double {b}, {self.literal(Const(1.0))}")
        full = self.new(f"fmul double {b}, {self.new(f'call double @llvm.pow.f64(double {a}, double {less})')}")
        return self.new(f"select i1 {self.new(f'fcmp oeq double {b}, {zero}')}, double {zero}, double {full}")

    def _op_powl(self, a: str, b: str, y: str) -> str:
        """The derivative of a ** b by b: a ** b log a; zero at a = 0, where it is the limit for b > 0."""
        zero = self.literal(Const(0.0))
        full = self.new(f"fmul double {y}, {self.new(f'call double @llvm.log.f64(double {a})')}")
        return self.new(f"select i1 {self.new(f'fcmp oeq double {a}, {zero}')}, double {zero}, double {full}")
