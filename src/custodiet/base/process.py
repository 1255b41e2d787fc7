"""What this process has used, and what it runs on."""

from __future__ import annotations

import hashlib
import platform
import sys
from pathlib import Path

__all__ = ["instruction_set_digest", "peak_rss_bytes"]


def peak_rss_bytes() -> int | None:
    """Largest resident memory of this program so far; None where the system does not tell.

    Linux's own `ru_maxrss` is not used: a child inherits its parent's peak through fork and exec.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def instruction_set_digest() -> str:
    """Eight hexadecimal digits that differ where the processor does: its model, its cache and its instructions.

    Libraries choose kernels by these, and two kernels add in another order.
    """
    told = [platform.machine(), platform.processor()]
    try:
        wanted = ("vendor_id", "cpu family", "model", "cache size", "flags", "Features", "CPU implementer", "CPU part")
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if not key:
                break  # the first core stands for all
            if key.strip() in wanted:
                told.append(" ".join(sorted(value.split())))
    except OSError:
        pass
    return hashlib.blake2b("\0".join(told).encode(), digest_size=4).hexdigest()
