"""The file that the arithmetic coder writes, ``.cdt``: what a decoder must have, what it must meet, and the payload.

Bytes: magic ``CDT1``, length of the header (2, little-endian), header (JSON), digest (BLAKE2b-128 of every other byte of
the file), payload. Magic, length, header and digest together are at most 512 bytes.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from hashlib import blake2b

from custodiet.entropy.coder import Layout
from custodiet.errors import DecodeError, InputError

__all__ = ["MAX_HEADER_BYTES", "CodedHeader", "pack", "unpack"]

MAGIC = b"CDT1"
DIGEST_BYTES = 16
LENGTH = struct.Struct("<H")
MAX_HEADER_BYTES = 512
MAX_NAME_BYTES = 48


@dataclass(frozen=True, kw_only=True)
class CodedHeader:
    """What stands before the payload."""

    model_name: str
    """for people; cut to 48 bytes"""
    model_sha256: str
    """32 hexadecimal digits of the hash of everything that the prediction depends on"""
    dtype: str
    vocab_size: int
    window_tokens: int | None
    history_tokens: int
    num_lanes: int
    num_tokens: int
    num_bytes: int
    data_sha256: str
    """32 hexadecimal digits of the hash of the data"""
    probability_digest: str
    """hexadecimal; see `custodiet.entropy.coder.Coded`"""
    fingerprint: str
    """libraries and instruction set that the predictor ran on"""

    @property
    def layout(self) -> Layout:
        """Lanes and windows.

        Raises:
            UsageError: they fit no file.
        """
        return Layout(
            num_tokens=self.num_tokens,
            num_lanes=self.num_lanes,
            window_tokens=self.window_tokens,
            history_tokens=self.history_tokens,
        )


def pack(header: CodedHeader, payload: bytes) -> bytes:
    """The whole file.

    Raises:
        InputError: the header would be longer than 512 bytes.
    """
    fields = asdict(header)
    fields["model_name"] = header.model_name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    told = json.dumps(list(fields.values()), ensure_ascii=False, separators=(",", ":")).encode()
    front = MAGIC + LENGTH.pack(len(told)) + told
    if len(front) + DIGEST_BYTES > MAX_HEADER_BYTES:
        raise InputError("the header is too long", expected=f"at most {MAX_HEADER_BYTES} bytes", got=len(front))
    return front + _digest(front, payload) + payload


def unpack(data: bytes, *, name: str) -> tuple[CodedHeader, bytes]:
    """Header and payload of a file whose every bit is as it was written.

    Args:
        data: the file.
        name: what errors call it.

    Raises:
        DecodeError: it is no such file, or damaged: any flipped bit, any byte too few or too many.
    """
    start = len(MAGIC) + LENGTH.size
    if not data.startswith(MAGIC) or len(data) < start:
        raise DecodeError(f"{name} is not a file of `custodiet compress`", expected=f"{MAGIC.decode()} at its start")
    end = start + LENGTH.unpack(data[len(MAGIC) : start])[0]
    payload = data[end + DIGEST_BYTES :]
    if end + DIGEST_BYTES > len(data) or _digest(data[:end], payload) != data[end : end + DIGEST_BYTES]:
        raise DecodeError(f"{name} is damaged: its checksum does not fit", hint="Copy the file again.")
    try:
        values = json.loads(data[start:end])
        return CodedHeader(**dict(zip(CodedHeader.__dataclass_fields__, values, strict=True))), payload
    except (ValueError, TypeError):
        raise DecodeError(f"{name} was written by another version of custodiet") from None


def _digest(front: bytes, payload: bytes) -> bytes:
    return blake2b(front + payload, digest_size=DIGEST_BYTES).digest()
