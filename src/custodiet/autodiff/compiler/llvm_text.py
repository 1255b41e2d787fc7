"""What every module begins with, and the product of matrices."""

from __future__ import annotations

__all__ = ["GEMM", "PRELUDE", "TRIGAMMA"]

PRELUDE = """
declare ptr @calloc(i64, i64)
declare ptr @malloc(i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)
declare {i64, i1} @llvm.sadd.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.ssub.with.overflow.i64(i64, i64)
declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)
declare double @llvm.pow.f64(double, double)
declare double @llvm.copysign.f64(double, double)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""


GEMM = """
declare void @custodiet_dgemm(ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr)
@flag_n = private constant i8 78
@flag_t = private constant i8 84

define private void @custodiet_gemm(i1 %ta, i1 %tb, i64 %m, i64 %n, i64 %k, i64 %lda, i64 %ldb, double %beta, ptr %c, ptr %a, ptr %b) {
  %any0 = icmp sgt i64 %m, 0
  %any1 = icmp sgt i64 %n, 0
  %any = and i1 %any0, %any1
  br i1 %any, label %work, label %none
work:
  %slots = alloca [6 x i32]
  %scale = alloca [2 x double]
  %pm = getelementptr i32, ptr %slots, i64 0
  %pn = getelementptr i32, ptr %slots, i64 1
  %pk = getelementptr i32, ptr %slots, i64 2
  %pa = getelementptr i32, ptr %slots, i64 3
  %pb = getelementptr i32, ptr %slots, i64 4
  %m4 = trunc i64 %m to i32
  %n4 = trunc i64 %n to i32
  %k4 = trunc i64 %k to i32
  %la0 = trunc i64 %lda to i32
  %lb0 = trunc i64 %ldb to i32
  %la = call i32 @llvm.smax.i32(i32 %la0, i32 1)
  %lb = call i32 @llvm.smax.i32(i32 %lb0, i32 1)
  store i32 %m4, ptr %pm
  store i32 %n4, ptr %pn
  store i32 %k4, ptr %pk
  store i32 %la, ptr %pa
  store i32 %lb, ptr %pb
  %beta_at = getelementptr double, ptr %scale, i64 1
  store double 1.0, ptr %scale
  store double %beta, ptr %beta_at
  %fa = select i1 %ta, ptr @flag_t, ptr @flag_n
  %fb = select i1 %tb, ptr @flag_t, ptr @flag_n
  call void @custodiet_dgemm(
    ptr %fb, ptr %fa, ptr %pn, ptr %pm, ptr %pk, ptr %scale, ptr %b, ptr %pb, ptr %a, ptr %pa, ptr %beta_at, ptr %c, ptr %pn)
  br label %none
none:
  ret void
}
declare i32 @llvm.smax.i32(i32, i32)
"""
"""c = op(a) @ op(b) + beta c, row-major, with BLAS's dgemm"""


TRIGAMMA = """
define private double @custodiet_trigamma(double %x) {
entry:
  %far = fcmp olt double %x, -1.0e6
  br i1 %far, label %unknown, label %head
unknown:
  ret double 0x7FF8000000000000
head:
  %at = phi double [%x, %entry], [%next, %step]
  %sum = phi double [0.0, %entry], [%more, %step]
  %small = fcmp olt double %at, 12.0
  br i1 %small, label %step, label %end
step:
  %square = fmul double %at, %at
  %part = fdiv double 1.0, %square
  %more = fadd double %sum, %part
  %next = fadd double %at, 1.0
  br label %head
end:
  %r = fdiv double 1.0, %at
  %r2 = fmul double %r, %r
  %t0 = fmul double %r2, 0x3FB364D9364D9365
  %t1 = fadd double %t0, 0xBFA1111111111111
  %t2 = fmul double %r2, %t1
  %t3 = fadd double %t2, 0x3F98618618618618
  %t4 = fmul double %r2, %t3
  %t5 = fadd double %t4, 0xBFA1111111111111
  %t6 = fmul double %r2, %t5
  %t7 = fadd double %t6, 0x3FC5555555555555
  %t8 = fmul double %r2, %t7
  %t9 = fmul double %r, 0.5
  %t10 = fadd double 1.0, %t9
  %t11 = fadd double %t10, %t8
  %t12 = fmul double %r, %t11
  %found = fadd double %sum, %t12
  ret double %found
}
"""
"""the second derivative of log gamma: the recurrence up to 12, from there the asymptotic series to the power -11 (Abramowitz and
Stegun 6.4.12); NaN far below zero, where the recurrence is long and the tape decides"""
