"""`custodiet compress` and `custodiet decompress`: files through a model and a range coder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, QuietFlag, print_json
from custodiet.errors import UsageError

__all__ = ["compress", "decompress"]

OutFile = Annotated[Path | None, Parameter(["--out", "-o"])]
Paths = Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())]
Flag = Annotated[bool, Parameter(negative=())]


def compress(
    *files: Path,
    model: str,
    out: OutFile = None,
    train_on: Paths = (),
    lanes: int | None = None,
    history: float = 0.5,
    revision: str | None = None,
    trust_remote_code: Flag = False,
    device: str = "cpu",
    dtype: str = "auto",
    force: Flag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Compress files with a model: as many bits as the model's cross-entropy.

    Another process decodes every file before it is put in place. Decoding needs the same model, machine and libraries,
    and fails rather than give other bytes.

    Args:
        files: files to compress; they stay.
        model: custodiet or Hugging Face directory, hub id, or ngram[:ORDER], an n-gram of bytes that learns as it reads.
        out: compressed file, for a single input (default: the name with .cdt behind it).
        train_on: other files that an n-gram learns first; decoding needs them too.
        lanes: sequences in lockstep (default: up to 64, each four windows long at least).
        history: share of a window that repeats the end of the one before; 0 is faster, 0.5 codes shorter.
        revision: branch, tag or commit of a hub model.
        trust_remote_code: run the code that comes with a hub model.
        device: cpu, cuda, cuda:N, auto.
        dtype: auto, float32, bfloat16, float16.
        force: replace existing files.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.nn.compression import SUFFIX, Compressor, check_output
    from custodiet.nn.token_model import ModelSpec

    if not files:
        raise UsageError("no file to compress", expected="custodiet compress FILE --model M")
    if out is not None and len(files) > 1:
        raise UsageError("--out names one file", expected="one input", got=len(files))
    spec = ModelSpec(
        model=model,
        train_on=tuple(map(str, train_on)),
        device=device,
        dtype=dtype,
        revision=revision,
        trust_remote_code=trust_remote_code,
    )
    targets = [out or Path(f"{path}{SUFFIX}") for path in files]
    for path, target in zip(files, targets, strict=True):
        check_output(target, path, force)
    results = []
    with ProgressPrinter(quiet=quiet) as printer, Compressor(spec, num_lanes=lanes, history=history) as compressor:
        for path, target in zip(files, targets, strict=True):
            found = compressor.compress(path, target, force=force, on_progress=printer)
            rate = "empty" if found.bits_per_byte is None else f"{found.bits_per_byte:.3f} bits per byte"
            printer.say(
                f"{found.out}  {found.num_bytes:,} -> {found.file_bytes:,} bytes, {rate}, decoded to the same bytes"
            )
            results.append(asdict(found))
    if json:
        print_json({"schema": "custodiet.compress/1", "files": results})


def decompress(
    file: Path,
    /,
    *,
    model: str,
    out: OutFile = None,
    train_on: Paths = (),
    revision: str | None = None,
    trust_remote_code: Flag = False,
    device: str = "cpu",
    dtype: str = "auto",
    try_anyway: Flag = False,
    force: Flag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Give back the exact bytes of a file of `custodiet compress`, or fail and write nothing.

    Args:
        file: compressed file.
        model: the model that it was compressed with.
        out: file to write (default: the name without .cdt).
        train_on: the files that the n-gram learned first.
        revision: branch, tag or commit of a hub model.
        trust_remote_code: run the code that comes with a hub model.
        device: as in `custodiet compress`.
        dtype: as in `custodiet compress`.
        try_anyway: also decode what another machine made; the data's checksum is still checked.
        force: replace an existing file.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.nn.compression import decompress_file
    from custodiet.nn.token_model import ModelSpec

    spec = ModelSpec(
        model=model,
        train_on=tuple(map(str, train_on)),
        device=device,
        dtype=dtype,
        revision=revision,
        trust_remote_code=trust_remote_code,
    )
    with ProgressPrinter(quiet=quiet) as printer:
        target = decompress_file(file, spec, out=out, try_anyway=try_anyway, force=force, on_progress=printer)
        printer.say(str(target))
    if json:
        print_json(
            {
                "schema": "custodiet.decompress/1",
                "path": str(file),
                "out": str(target),
                "num_bytes": target.stat().st_size,
            }
        )
