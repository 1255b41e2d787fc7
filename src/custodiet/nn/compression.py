"""Files through the arithmetic coder: `custodiet.compress` and `custodiet.decompress`.

A floating-point model gives the same probabilities only on the same machine, with the same libraries, asked in the same
shapes. So a compressed file names all of these, and is renamed into place only after another process has decoded it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from custodiet.base.workers import ONE_THREAD
from custodiet.entropy.coder import Layout, decode_tokens, encode_tokens
from custodiet.entropy.container import CodedHeader, pack, unpack
from custodiet.errors import CustodietError, DecodeError, OutputError, UsageError
from custodiet.nn.token_model import HASH_DIGITS, ModelSpec, TokenModel, open_model, read_file
from custodiet.records.files import atomic_path, write_bytes_atomic

__all__ = [
    "SUFFIX",
    "CompressionResult",
    "Compressor",
    "check_output",
    "compress",
    "decode_bytes",
    "decompress",
    "decompress_file",
]

Progress = Callable[[str, float, float, str], None]
SUFFIX = ".cdt"


@dataclass(frozen=True, kw_only=True)
class CompressionResult:
    """Sizes of a compressed file; bits where the name says so."""

    path: str
    out: str
    num_bytes: int
    num_tokens: int
    file_bytes: int
    header_bytes: int
    payload_bits: int
    model_bits: float
    """cross-entropy of the tokens under the model, over the same windows"""
    bits_per_byte: float | None
    """of the whole file, header included; None for an empty one"""
    num_lanes: int
    model_name: str
    verified: bool
    """decoded to the same bytes by another process"""
    elapsed_s: float


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch's products depend on the number of threads: encoder and decoder use one."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def decode_bytes(
    model: TokenModel, data: bytes, *, name: str, try_anyway: bool = False, on_progress: Progress | None = None
) -> bytes:
    """The bytes that a compressed file stands for.

    Args:
        model: the model that it was compressed with.
        data: the compressed file.
        name: what errors call it.
        try_anyway: also decode what another machine or other libraries made; the data's checksum is still checked.
        on_progress: called with (task, done, total, note).

    Raises:
        DecodeError: damaged, another model, another machine, or the model did not say again what it said then.
    """
    header, payload = unpack(data, name=name)
    if header.model_sha256 != model.sha256 or header.vocab_size != model.predictor.vocab_size:
        raise DecodeError(
            f"{name} was compressed with another model",
            expected=f"{header.model_name} ({header.model_sha256[:12]})",
            got=f"{model.name} ({model.sha256[:12]})",
            hint="Give the same weights, tokenizer and training text; a name is not enough.",
        )
    mine = (model.dtype, model.fingerprint)
    if (header.dtype, header.fingerprint) != mine and not try_anyway:
        raise DecodeError(
            f"{name} was compressed on another machine or with other libraries, where probabilities may differ in a bit",
            expected=f"{header.dtype}, {header.fingerprint}",
            got=", ".join(mine),
            hint="--try-anyway decodes it and still checks the data.",
        )
    say = on_progress or (lambda *_: None)
    with _one_thread():
        tokens, digest = decode_tokens(
            model.predictor,
            payload,
            header.layout,
            on_progress=lambda done, total: say("decode", done, total, "tokens"),
        )
    if digest.hex() != header.probability_digest and not try_anyway:
        raise DecodeError(
            f"{name} cannot be decoded here: the model did not give the probabilities that it gave the encoder",
            hint="No bytes were written.",
        )
    found = model.to_bytes(tokens)
    if len(found) != header.num_bytes or _data_hash(found) != header.data_sha256:
        raise DecodeError(
            f"{name} cannot be decoded here: the data's checksum does not fit", hint="No bytes were written."
        )
    return found


def _data_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:HASH_DIGITS]


class Compressor:
    """Compresses files with one model, and has each decoded by one other process that lives as long.

    Args:
        spec: what predicts.
        num_lanes: sequences in lockstep; None takes up to 64, each at least four windows long.
        history: share of a window that repeats the end of the one before; 0 is faster, .5 codes shorter.

    Raises:
        UsageError, ModelLoadError, TokenizerError, InputError: the model cannot be loaded.
    """

    def __init__(self, spec: ModelSpec, *, num_lanes: int | None = None, history: float = 0.5) -> None:
        if num_lanes is not None and num_lanes < 1:
            raise UsageError("--lanes is too small", expected="at least 1", got=num_lanes)
        if not 0 <= history < 1:
            raise UsageError("--history is not a share", expected="0 <= history < 1", got=history)
        self.model = open_model(spec)
        self._num_lanes, self._history = num_lanes, history
        self._verifier = _Verifier(spec)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._verifier.close()

    def compress(
        self, path: Path | str, out: Path | str, *, force: bool = False, on_progress: Progress | None = None
    ) -> CompressionResult:
        """Compress a file.

        Raises:
            InputError: it cannot be read, or the model lacks a symbol of it.
            OutputError: `out` exists and `force` is false, or cannot be written.
            DecodeError: the other process did not get the same bytes back; nothing is written.
        """
        begun = time.monotonic()
        path, out = Path(path), Path(out)
        check_output(out, path, force)
        data = read_file(path)
        tokens = self.model.to_tokens(data, path.name)
        layout = Layout.choose(len(tokens), self.model.predictor, num_lanes=self._num_lanes, history=self._history)
        say = on_progress or (lambda *_: None)
        with _one_thread():
            coded = encode_tokens(
                self.model.predictor,
                tokens,
                layout,
                on_progress=lambda done, total: say("encode", done, total, path.name),
            )
        header = CodedHeader(
            model_name=self.model.name,
            model_sha256=self.model.sha256,
            dtype=self.model.dtype,
            vocab_size=self.model.predictor.vocab_size,
            window_tokens=layout.window_tokens,
            history_tokens=layout.history_tokens,
            num_lanes=layout.num_lanes,
            num_tokens=layout.num_tokens,
            num_bytes=len(data),
            data_sha256=_data_hash(data),
            probability_digest=coded.probability_digest.hex(),
            fingerprint=self.model.fingerprint,
        )
        packed = pack(header, coded.payload)
        with atomic_path(out) as temporary:
            temporary.write_bytes(packed)
            say("verify", 0, 1, out.name)
            self._verifier.check(temporary, data, name=out.name)
            say("verify", 1, 1, out.name)
        return CompressionResult(
            path=str(path),
            out=str(out),
            num_bytes=len(data),
            num_tokens=len(tokens),
            file_bytes=len(packed),
            header_bytes=len(packed) - len(coded.payload),
            payload_bits=coded.payload_bits,
            model_bits=coded.model_bits,
            bits_per_byte=8 * len(packed) / len(data) if data else None,
            num_lanes=layout.num_lanes,
            model_name=self.model.name,
            verified=True,
            elapsed_s=time.monotonic() - begun,
        )


def check_output(out: Path, path: Path, force: bool) -> None:
    """Before any work is done: whether `out` may be written.

    Raises:
        OutputError: it exists and `force` is false.
        UsageError: it is the input.
    """
    if out.exists() and not force:
        raise OutputError(f"{out} exists", hint="Name another --out, or add --force.")
    if out.exists() and path.exists() and out.samefile(path):
        raise UsageError("input and output are one file", got=str(out))


class _Verifier:
    """A process that has loaded the same model by itself and decodes what it is told to."""

    def __init__(self, spec: ModelSpec) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "custodiet.nn.verifier", json.dumps(asdict(spec))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **ONE_THREAD},
        )

    def check(self, packed: Path, data: bytes, *, name: str) -> None:
        """Have `packed` decoded.

        Raises:
            DecodeError: it does not stand for `data`, or could not be decoded.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise CustodietError("the verifier has no pipes")
        try:
            self._process.stdin.write(json.dumps({"path": str(packed), "name": name}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            code = self._process.wait()
            raise DecodeError(f"the verifier ended with exit code {code} before it had decoded {name}")
        found = json.loads(answer)
        if found.get("sha256") != hashlib.sha256(data).hexdigest():
            raise DecodeError(
                f"{name} was not decoded to the same bytes by another process, and was not kept",
                got=found.get("error", "other bytes"),
            )

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with suppress(OSError):  # it may be dead, and a line still on its way
                self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def compress(
    path: Path | str,
    *,
    model: str,
    out: Path | str | None = None,
    train_on: Sequence[Path | str] = (),
    num_lanes: int | None = None,
    history: float = 0.5,
    device: str = "cpu",
    dtype: str = "auto",
    force: bool = False,
    on_progress: Progress | None = None,
) -> CompressionResult:
    """Compress a file with a language model or an n-gram; decoding it needs the same model and machine.

    Args:
        path: the file.
        model: custodiet or Hugging Face directory, hub id, or ``ngram[:ORDER]``.
        out: the compressed file; None appends ``.cdt``.
        train_on: other files that an n-gram learns first.
        num_lanes: sequences in lockstep.
        history: share of a window that repeats the end of the one before.
        device: cpu, cuda or auto.
        dtype: auto, float32, bfloat16, float16.
        force: replace `out`.
        on_progress: called with (task, done, total, note).

    Returns:
        Sizes; `payload_bits` is within .1 % and 64 bits of `model_bits`.

    Raises:
        CustodietError: each names what is wrong; nothing half-written stays.
    """
    spec = ModelSpec(model=model, train_on=tuple(map(str, train_on)), device=device, dtype=dtype)
    target = Path(f"{path}{SUFFIX}") if out is None else Path(out)
    check_output(target, Path(path), force)
    with Compressor(spec, num_lanes=num_lanes, history=history) as compressor:
        return compressor.compress(path, target, force=force, on_progress=on_progress)


def decompress(
    path: Path | str,
    *,
    model: str,
    out: Path | str | None = None,
    train_on: Sequence[Path | str] = (),
    device: str = "cpu",
    dtype: str = "auto",
    try_anyway: bool = False,
    force: bool = False,
    on_progress: Progress | None = None,
) -> Path:
    """Write the bytes that a file of `compress` stands for, exactly, or fail and write nothing.

    Args:
        path: the compressed file.
        model, train_on, device, dtype: as given to `compress`.
        out: file to write; None takes ``.cdt`` off.
        try_anyway: decode what another machine made; the data's checksum is still checked.
        force: replace `out`.
        on_progress: called with (task, done, total, note).

    Returns:
        The file written.

    Raises:
        DecodeError: damaged, another model, another machine.
        CustodietError: each names what is wrong.
    """
    spec = ModelSpec(model=model, train_on=tuple(map(str, train_on)), device=device, dtype=dtype)
    return decompress_file(path, spec, out=out, try_anyway=try_anyway, force=force, on_progress=on_progress)


def decompress_file(
    path: Path | str,
    spec: ModelSpec,
    *,
    out: Path | str | None = None,
    try_anyway: bool = False,
    force: bool = False,
    on_progress: Progress | None = None,
) -> Path:
    """`decompress` with all that a `ModelSpec` can say of the model."""
    source = Path(path)
    if out is None and source.suffix != SUFFIX:
        raise UsageError(f"{path} does not end in {SUFFIX}", hint="Name the file to write with --out.")
    target = source.with_suffix("") if out is None else Path(out)
    check_output(target, source, force)
    data = read_file(source)
    unpack(data, name=source.name)  # a damaged file is not worth loading a model for
    found = decode_bytes(open_model(spec), data, name=source.name, try_anyway=try_anyway, on_progress=on_progress)
    write_bytes_atomic(target, found)
    return target
