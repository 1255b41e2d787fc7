"""From the source of a Python function to native code for its value and its derivative.

source (`frontend`) -> typed structured SSA (`lower`) -> forward and reverse sweep in the same language (`adjoint`) -> text that a
person can read (`show`) and LLVM IR (`llvm_ir`) -> machine code, kept on disk (`native`).
Functions are read in place where they are called; one that calls itself becomes a program of its own (`calls`), with what it shares
with its callers (`adjoint_calls`) and two native functions (`llvm_calls`) on a stack that is watched (`stack`).
"""
