"""Machine code from LLVM IR: compiled for this processor, kept on disk by everything that it depends on."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import threading
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from custodiet._version import __version__
from custodiet.autodiff.compiler.operations import SPECIAL

__all__ = ["NativeFunction", "cache_folder", "keep", "kept", "load_kept", "load_native", "native_key", "vector_lanes"]

ENTRY = "custodiet_entry"
SPEED_LEVEL = 3
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""names of glibc's mallopt"""
_LOCK = threading.Lock()
_STATE: dict[str, Any] = {}
FunctionType = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


def cache_folder() -> Path | None:
    """Where machine code is kept: ``$CUSTODIET_CACHE``, or a folder of the user's cache; None when it is set to nothing."""
    named = os.environ.get("CUSTODIET_CACHE")
    if named is not None:
        return Path(named) / "autodiff" if named else None
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "custodiet" / "autodiff"


class NativeFunction:
    """A compiled entry point; called with the addresses of its two blocks, it answers 0, or 1 for a trap.

    Attributes:
        symbols: library functions that it calls.
    """

    def __init__(self, engine: Any, address: int, symbols: list[str]) -> None:
        self._engine = engine  # keeps the machine code alive
        self.call = FunctionType(address)
        self.symbols = symbols


def _target() -> Any:
    if "machine" not in _STATE:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        llvm.load_library_permanently("")  # the process itself: libm and the allocator
        _keep_freed_memory()
        target = llvm.Target.from_default_triple()
        _STATE["cpu"] = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
        name, features = _STATE["cpu"]
        _STATE["machine"] = target.create_target_machine(cpu=name, features=features, opt=SPEED_LEVEL, jit=True)
    return _STATE["machine"]


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed at the end of a call: the next call wants as much, and pages are dear to get again.

    Three times the run time of a gradient of large arrays, measured. Other systems' allocators are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, 1 << 30)


LIBRARY = {
    "custodiet_dgemm": ("scipy.linalg.cython_blas", "dgemm"),
    **{f"custodiet_{op}": ("scipy.special.cython_special", name) for op, name in SPECIAL.items()},
}
"""what generated code may call beyond libm: its name there, module and name in SciPy"""


def _symbols_of(text: str) -> list[str]:
    """The library functions that a module calls."""
    return [one for one in LIBRARY if f"call double @{one}(" in text or f"call void @{one}(" in text]


def _tell_symbols(symbols: list[str]) -> None:
    """Tell LLVM where library functions are."""
    for symbol in symbols:
        if symbol not in _STATE:
            llvm.add_symbol(symbol, _address_of(*LIBRARY[symbol]))
            _STATE[symbol] = True


def _address_of(module: str, name: str) -> int:
    """The address of a C function that SciPy brings."""
    capsule = importlib.import_module(module).__pyx_capi__[name]
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer_of(capsule, name_of(capsule)))


def vector_lanes() -> int:
    """Doubles in a vector register of this processor."""
    _target()
    features = set(_STATE["cpu"][1].split(","))
    return 8 if "+avx512f" in features else 4 if "+avx" in features else 2


def native_key(text: str) -> str:
    """Hash of a source's identity with compiler, processor and our own version."""
    _target()
    told = "\0".join([__version__, llvmlite.__version__, *_STATE["cpu"], text])
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def load_native(text: str, *, name: str = ENTRY) -> NativeFunction:
    """Compile LLVM IR, or take its machine code from the disk.

    Args:
        text: a module that defines `name`.
        name: the entry point.
    """
    with _LOCK:
        machine = _target()
        symbols = _symbols_of(text)
        file = f"{native_key(text)}.code"
        code = kept(file)
        if code is None:
            code = _compile(machine, text)
            keep(file, code)
        return _link(code, name, symbols)


def load_kept(key: str, symbols: list[str], *, name: str = ENTRY) -> NativeFunction | None:
    """Machine code from the disk.

    Args:
        key: `native_key` of the module that it was compiled from.
        symbols: library functions that it calls.
        name: the entry point.

    Returns:
        None where it is missing or damaged.
    """
    with _LOCK:
        _target()
        code = kept(f"{key}.code")
        return None if code is None else _link(code, name, symbols)


def _compile(machine: Any, text: str) -> bytes:
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_default_triple()
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=SPEED_LEVEL)
    options.loop_vectorization = True
    options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


def _link(code: bytes, name: str, symbols: list[str]) -> NativeFunction:
    _tell_symbols(symbols)
    empty = llvm.parse_assembly("")
    engine = llvm.create_mcjit_compiler(empty, _fresh_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return NativeFunction(engine, engine.get_function_address(name), symbols)


def _fresh_machine() -> Any:
    """An engine owns its machine, so that each gets one."""
    name, features = _STATE["cpu"]
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=SPEED_LEVEL, jit=True)


def _checksum(code: bytes) -> bytes:
    return hashlib.blake2b(code, digest_size=16).digest()


def kept(file: str) -> bytes | None:
    """A file of the cache; None where it is missing, unreadable or damaged, or no cache is wanted."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        told = (folder / file).read_bytes()
    except OSError:
        return None
    return told[16:] if told[:16] == _checksum(told[16:]) else None


def keep(file: str, data: bytes) -> None:
    """Write beside and rename; a cache that cannot be written is no error."""
    folder = cache_folder()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{file}.{os.getpid()}.{threading.get_ident()}.tmp"
        part.write_bytes(_checksum(data) + data)
        part.replace(folder / file)
    except OSError:
        return
