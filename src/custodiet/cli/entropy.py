"""`custodiet entropy`: how many bits a byte of a text is worth, to whom; and Shannon's guessing game."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, SeedOption, command_line, print_json, run_paths
from custodiet.errors import CorpusError, UsageError

if TYPE_CHECKING:
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.entropy.code_lengths import TokenCode
    from custodiet.records.base import Environment, Measurement
    from custodiet.records.entropy import EntropyRecord, TextFile
    from custodiet.records.run_folder import RunFolder

__all__ = ["entropy"]

SHARED_RUN_BYTES = 50
SHARED_WARNING = 0.01
WIDTH = 110
"""columns of a table that is not written to a terminal"""


def entropy(
    *files: Path,
    train_on: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = (),
    model: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    order: int = 8,
    limit_bytes: int | None = None,
    approximations: int = 0,
    guess: Annotated[bool, Parameter(negative=())] = False,
    num_letters: int = 20,
    out: OutOption = None,
    seed: SeedOption = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Say how many bits a byte of a text is worth: to compressors, to an n-gram, to a language model, to you.

    Args:
        files: the text; several files are read in a row as one.
        train_on: other text that an n-gram learns first; never a file that is coded.
        model: language model: a custodiet run or checkpoint, a Hugging Face directory or hub id; safetensors only.
        revision: branch, tag or commit of a hub model.
        device: auto, cpu, cuda, cuda:N.
        dtype: auto, float32, bfloat16, float16.
        order: longest n-gram.
        limit_bytes: code only so many bytes from the start, to the last whole character.
        approximations: also print Shannon's approximations, texts of so many letters or words drawn from its statistics.
        guess: play Shannon's guessing game on the text instead.
        num_letters: letters to guess.
        out: run folder.
        seed: seed of the intervals, of the approximations and of the place where the game starts.
        json: print one JSON object.
        quiet: no progress.
    """
    from custodiet.entropy.text_report import EntropySettings

    settings = EntropySettings(order=order, num_approximation_units=approximations, seed=seed)
    if limit_bytes is not None and limit_bytes < 1:
        raise UsageError("--limit-bytes is too small", expected="at least 1", got=limit_bytes)
    coded, data, others = _read_all(files, train_on, limit_bytes)
    if guess:
        wrong = {"--model": model, "--approximations": approximations, "--out": out}
        if any(wrong.values()):
            raise UsageError(
                "the game takes no such option", got=", ".join(name for name, value in wrong.items() if value)
            )
        from custodiet.cli.guess import play

        play(data, others, order=order, num_letters=num_letters, seed=seed, json=json)
        return
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.records.run_folder import RunFolder

    folder = RunFolder.create(out, "entropy")
    try:
        with ProgressPrinter(quiet=quiet) as printer:
            record = _measure(
                data, coded, others, settings, printer, model=(model, revision, device, dtype), limit_bytes=limit_bytes,
                asked={"files": [str(one) for one in files], "train_on": [str(one) for one in train_on]}, folder=folder,
            )  # fmt: skip
            render_run(folder)
    except BaseException as error:
        folder.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    _print(record, folder, json=json, quiet=quiet)


def _read_all(
    files: tuple[Path, ...], train_on: tuple[Path, ...], limit_bytes: int | None
) -> tuple[list[TextFile], bytes, list[bytes]]:
    """What is to be coded and the other texts; what is coded is never among these."""
    from hashlib import sha256

    from custodiet.records.entropy import TextFile

    if not files:
        raise UsageError("there is no text", expected="custodiet entropy FILE...", hint="Name a text file.")
    texts, others = [_read(path) for path in files], [_read(path) for path in train_on]
    data = b"".join(texts)
    if limit_bytes is not None and limit_bytes < len(data):
        end = limit_bytes
        while end > max(0, limit_bytes - 3) and data[end] & 0xC0 == 0x80:  # inside a character of UTF-8
            end -= 1
        data = data[: end or limit_bytes]
    if not data:
        raise CorpusError(f"{files[0]} is empty", expected="at least one byte", hint="Name another file.")
    coded = {sha256(one).hexdigest(): path for one, path in zip([data, *texts], [files[0], *files], strict=True)}
    found: list[TextFile] = []
    roles: list[tuple[Literal["coded", "other"], tuple[Path, ...], list[bytes]]]
    roles = [("coded", files, texts), ("other", train_on, others)]
    for role, paths, contents in roles:
        for path, content in zip(paths, contents, strict=True):
            digest = sha256(content).hexdigest()
            if role == "other" and digest in coded:
                raise UsageError(
                    f"--train-on {path} is the text that is coded ({coded[digest]}, SHA-256 {digest[:12]})",
                    expected="other text",
                    hint="A model that has read the text it codes measures nothing; name other files.",
                )
            found.append(TextFile(role=role, path=str(path), sha256=digest, num_bytes=len(content)))
    return found, data, others


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise CorpusError(f"{path} is a folder", expected="a file", hint="Name the files in it.")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path} does not exist") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror})") from None


def _measure(
    data: bytes,
    files: list[TextFile],
    others: list[bytes],
    settings: Any,
    printer: ProgressPrinter,
    *,
    model: tuple[str | None, str | None, str, str],
    limit_bytes: int | None,
    asked: dict[str, Any],
    folder: RunFolder,
) -> EntropyRecord:
    import time
    from dataclasses import asdict

    from custodiet.entropy.text_report import measure_text
    from custodiet.report.entropy import entropy_sentences

    started = time.monotonic()
    folder.begin({**asked, **asdict(settings), "model": model[0], "revision": model[1], "limit_bytes": limit_bytes})
    shared = _shared(data, others, printer)
    codes, environment = _run_model(data, *model, printer=printer)
    coded = [Path(one.path) for one in files if one.role == "coded"]
    name = coded[0].name + (f" and {len(coded) - 1} more" if len(coded) > 1 else "")
    record = measure_text(
        data,
        title=f"How many bits a byte of {name} is worth",
        files=files,
        settings=settings,
        environment=environment,
        other=b"".join(others) if others else None,
        shared_with_other=shared,
        models=codes,
        limit_bytes=limit_bytes,
        command=command_line(),
        started=started,
        on_progress=printer,
    )
    record.save(folder.record_json)
    folder.finish("done", title=record.title, headline=entropy_sentences(record)[0])
    return record


def _shared(data: bytes, others: list[bytes], printer: ProgressPrinter) -> Measurement | None:
    import numpy as np

    from custodiet.data.overlap import share_of_shared_windows
    from custodiet.records.base import Measurement

    if not others:
        return None
    mine, *theirs = (np.frombuffer(one, dtype=np.uint8).astype(np.int64) for one in (data, *others))
    share, num = share_of_shared_windows(mine, theirs, n=SHARED_RUN_BYTES)
    if share > SHARED_WARNING:
        printer.say(
            f"warning: {share:.1%} of the runs of {SHARED_RUN_BYTES} bytes of the text also stand in --train-on: "
            "the primed n-gram copies them"
        )
    return Measurement(value=share, num=num, why="a count, not a sample")


def _run_model(
    data: bytes, model: str | None, revision: str | None, device: str, dtype: str, *, printer: ProgressPrinter
) -> tuple[list[TokenCode], Environment]:
    """The language model's code lengths, and what this process is."""
    from custodiet.records.base import Environment

    if model is None:
        import numpy as np

        simd: Any = np.show_config(mode="dicts")
        found = simd.get("SIMD Extensions", {}).get("found") or ["baseline"]
        here = Environment.here(torch=None, device="cpu", dtype="float64", num_threads=1, instruction_set=found[-1])
        return [], here
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        hint = "Leave out --model; compressors and n-grams take any bytes."
        raise CorpusError(
            "a language model reads text", expected="UTF-8", got=f"byte {error.start:,} is no UTF-8", hint=hint
        ) from None
    from dataclasses import replace

    import torch

    from custodiet.nn.code_length import lm_code_length
    from custodiet.nn.loading import load_model

    loaded = load_model(model, revision=revision, device=device, dtype=dtype)
    code = lm_code_length(
        loaded, text, on_progress=lambda done, total: printer("language model", done, total, "tokens")
    )
    here = Environment.here(
        torch=str(torch.__version__),
        device=loaded.device,
        dtype=loaded.dtype,
        num_threads=torch.get_num_threads(),
        instruction_set=torch.backends.cpu.get_cpu_capability(),
    )
    return [replace(code, name=Path(model).name if Path(model).is_dir() else model)], here


def _print(record: EntropyRecord, folder: RunFolder, *, json: bool, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from custodiet.report.entropy import CODE_HEAD, LETTER_HEAD, code_rows, entropy_sentences, letter_rows

    paths = run_paths(folder)
    if json:
        print_json({**record.model_dump(mode="json", by_alias=True), **paths})
        return
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"{record.title}: {record.num_bytes:,} bytes\n", style="bold", soft_wrap=True)
    for head, rows in ((CODE_HEAD, code_rows(record)), (LETTER_HEAD, letter_rows(record))):
        if rows:
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
            for index, name in enumerate(head):
                table.add_column(name, justify="left" if index in (0, len(head) - 1) and head is CODE_HEAD else "right")
            for row in rows:
                table.add_row(*row)
            console.print(table)
            console.print()
    for one in record.approximations:
        console.print(f"{one.unit}s, order {one.order}: {one.text}\n", soft_wrap=True)
    for sentence in entropy_sentences(record):
        console.print(sentence, soft_wrap=True)
    if not quiet:
        console.print(f"report  {paths['report_html']}\nrecord  {paths['record_json']}", soft_wrap=True)
