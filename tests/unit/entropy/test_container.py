"""The compressed file: small in front, and no bit of it can change unseen."""

from dataclasses import replace

import numpy as np
import pytest

from custodiet.entropy.container import MAX_HEADER_BYTES, CodedHeader, pack, unpack
from custodiet.errors import DecodeError, InputError

HEADER = CodedHeader(
    model_name="m" * 80, model_sha256="a" * 32, dtype="bfloat16", vocab_size=262_144, window_tokens=131_072,
    history_tokens=65_536, num_lanes=64, num_tokens=10**12, num_bytes=10**13, data_sha256="b" * 32,
    probability_digest="c" * 16,
    fingerprint="custodiet 10.10.10, torch 2.13.0+cu130, AVX512, transformers 5.10.10, NVIDIA H100 80GB HBM3, numpy 2.10.10, "
    "constriction 0.5.0, cpu 5f488989",
)  # fmt: skip


def test_a_large_header_fits_and_comes_back():
    data = pack(HEADER, b"1234")
    assert len(data) - 4 <= MAX_HEADER_BYTES
    header, payload = unpack(data, name="f")
    assert payload == b"1234" and header == replace(HEADER, model_name="m" * 48)
    assert header.layout.num_lanes == 64
    with pytest.raises(InputError, match="512"):
        pack(replace(HEADER, fingerprint="x" * 400), b"")


def test_names_of_many_bytes_are_cut_between_characters():
    header, _ = unpack(pack(replace(HEADER, model_name="é" * 40, fingerprint="x"), b""), name="f")
    assert header.model_name == "é" * 24


def test_every_flipped_bit_and_every_truncation_of_twenty_files_is_seen():
    rng = np.random.default_rng(0)
    for size in range(20):
        header = replace(HEADER, num_bytes=size, fingerprint=f"cpu {size}")
        data = pack(header, rng.bytes(4 * size))
        for bit in range(8 * len(data)):
            bad = bytearray(data)
            bad[bit // 8] ^= 1 << (bit % 8)
            with pytest.raises(DecodeError):
                unpack(bytes(bad), name="f")
        for length in range(len(data)):
            with pytest.raises(DecodeError):
                unpack(data[:length], name="f")
        with pytest.raises(DecodeError):
            unpack(data + b"\0", name="f")


def test_what_is_no_such_file():
    for data in (b"", b"CDT", b"%PDF-1.7 ...", b"CDT1\xff\xff"):
        with pytest.raises(DecodeError):
            unpack(data, name="f")
