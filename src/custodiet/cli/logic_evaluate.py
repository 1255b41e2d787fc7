"""`custodiet logic evaluate`: can a model follow a chain of inference, or does it guess with style?"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, OutOption, QuietFlag, SeedOption, command_line, print_json, run_paths
from custodiet.errors import CustodietError, GateError, UsageError

if TYPE_CHECKING:
    from custodiet.logic.evaluation_record import AskedModel
    from custodiet.records.logic_evaluation import LogicEvaluationRecord
    from custodiet.records.run_folder import RunFolder

__all__ = ["evaluate"]

_CUE = "\nAnswer: "
_STOP = ("\nPremises:",)  # who begins another problem has ended the answer
_MAX_TOKENS = {"answer": 32, "proof": 1024}


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A model that is ready to be asked."""

    ask: Callable[..., list[dict[str, Any]]]
    model: AskedModel
    batch_size: int
    num_threads: int


def evaluate(
    model: str,
    file: Path,
    /,
    *,
    mode: Literal["choices", "answer", "proof"] = "choices",
    limit: int | None = None,
    metamorphic: int = 0,
    cue: str | None = None,
    chat: Annotated[bool, Parameter(negative=())] = False,
    max_tokens: int | None = None,
    model_name: str | None = None,
    api_key_env: str | None = None,
    api: Literal["chat", "completions"] | None = None,
    concurrency: int | None = None,
    timeout: float | None = None,
    revision: str | None = None,
    trust_remote_code: Annotated[bool, Parameter(negative=())] = False,
    device: str | None = None,
    dtype: str | None = None,
    batch_tokens: int | None = None,
    fail_if: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    resume: Annotated[bool, Parameter(negative=())] = False,
    out: OutOption = None,
    seed: SeedOption = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Put the items of a data set to a model and say how often, where and how consistently it is right.

    Args:
        model: Hugging Face directory or hub id, a custodiet checkpoint, or the base URL of an OpenAI-compatible endpoint
            such as http://127.0.0.1:8000/v1.
        file: items made by `custodiet logic generate`, or JSONL with prompt, choices and answer.
        mode: choices compares the log-probabilities of the words of the answer; answer lets the model write after the
            prompt as it is; proof asks for numbered steps or counter-models and judges each.
        limit: ask at most this many items, twins together.
        metamorphic: ask variants of this many items too, whose labels are proved to be the same.
        cue: what stands between the prompt and the answer (default a new line and "Answer: " for choices, else nothing; with --chat
            nothing).
        chat: put each prompt into the model's chat template.
        max_tokens: most tokens of an answer (default 32, for proofs 1024).
        model_name: name of the model at the endpoint.
        api_key_env: environment variable that holds the endpoint's key (default OPENAI_API_KEY).
        api: where text is asked of an endpoint: /chat/completions (default) or /completions.
        concurrency: requests to an endpoint at once (default 4).
        timeout: seconds to wait for one answer of an endpoint (default 120).
        revision: branch, tag or commit of a hub model.
        trust_remote_code: run the code that comes with a hub model.
        device: auto (default), cpu, cuda, cuda:N.
        dtype: auto (default), float32, bfloat16, float16.
        batch_tokens: tokens per forward pass where choices are scored (default 16384).
        fail_if: gate such as "accuracy < 0.9" or "by.depth[value=5].accuracy < 0.5"; may be given several times.
        resume: continue the run in --out; items that were answered are not asked again.
        out: run folder.
        seed: seed of every random choice.
        json: print one JSON object.
        quiet: no progress.
    """
    import time

    from custodiet.base.gates import parse_gate
    from custodiet.cli.progress import ProgressPrinter
    from custodiet.cli.report import render_run
    from custodiet.logic.evaluation import answer_items, read_items, with_variants
    from custodiet.logic.evaluation_record import make_record
    from custodiet.records.files import sha256_file
    from custodiet.records.gates import judge_gates
    from custodiet.records.logic_evaluation import ItemsFile
    from custodiet.records.run_folder import RunFolder

    for name, value, least in (("--limit", limit, 1), ("--metamorphic", metamorphic, 0), ("--max-tokens", max_tokens, 1),
                               ("--concurrency", concurrency, 1), ("--batch-tokens", batch_tokens, 1)):  # fmt: skip
        if value is not None and value < least:
            raise UsageError(f"{name} is too small", expected=f"at least {least}", got=value)
    if timeout is not None and timeout <= 0:
        raise UsageError("--timeout is no time", expected="seconds, more than 0", got=timeout)
    if mode == "choices" and max_tokens is not None:
        raise UsageError("--max-tokens goes with --mode answer or proof", got="--mode choices", hint="Leave it out.")
    if mode != "choices" and batch_tokens is not None:
        raise UsageError("--batch-tokens goes with --mode choices", got=f"--mode {mode}", hint="Leave it out.")
    if mode == "choices" and api is not None:
        raise UsageError("--api goes with --mode answer or proof", got="--mode choices",
                         hint="Choices are always asked of /completions.")  # fmt: skip
    gates = [parse_gate(text) for text in fail_if]
    is_url = model.startswith(("http://", "https://"))
    _refuse_other_options(
        is_url,
        {"--model-name": model_name, "--api-key-env": api_key_env, "--api": api, "--concurrency": concurrency,
         "--timeout": timeout},
        {"--revision": revision, "--trust-remote-code": trust_remote_code or None, "--chat": chat or None, "--device": device,
         "--dtype": dtype, "--batch-tokens": batch_tokens},
    )  # fmt: skip
    longest = None if mode == "choices" else max_tokens or _MAX_TOKENS[mode]
    between = (_CUE if mode == "choices" and not chat else "") if cue is None else cue
    items, left_out, num_lines = read_items(file, mode=mode, limit=limit, seed=seed)
    variants, impossible = with_variants(items, metamorphic, seed=seed) if metamorphic else ([], {})
    folder = RunFolder.create(out, "logic-evaluate", resume=resume)
    started, begun = time.monotonic(), False
    with ProgressPrinter(quiet=quiet) as printer:
        try:
            if is_url:
                asked = _open_endpoint(
                    model,
                    model_name,
                    api_key_env or "OPENAI_API_KEY",
                    api or "chat",
                    mode,
                    between,
                    longest,
                    concurrency or 4,
                    timeout or 120.0,
                )
            else:
                asked = _open_model(
                    model,
                    mode,
                    between,
                    longest,
                    chat,
                    revision,
                    trust_remote_code,
                    device or "auto",
                    dtype or "auto",
                    batch_tokens or 16384,
                )
            digest = sha256_file(file)
            folder.begin({
                "job": "logic-evaluate", "items_sha256": digest, "model": asked.model.name, "model_sha256": asked.model.sha256,
                "mode": mode, "cue": between, "chat": chat, "api": (api or "chat") if is_url else None, "max_tokens": longest,
                "limit": limit, "metamorphic": metamorphic, "seed": seed, "dtype": asked.model.environment.dtype,
            })  # fmt: skip
            begun = True
            rows = answer_items(
                [*items, *variants], asked.ask, _answers(folder), batch_size=asked.batch_size,
                num_threads=asked.num_threads, on_progress=printer,
            )  # fmt: skip
            record = make_record(
                rows,
                asked.model,
                ItemsFile(path=str(file), sha256=digest, num_items=num_lines, num_asked=len(items)),
                title=f"{asked.model.name} on {file.name}",
                mode=mode,
                cue=between,
                max_tokens=longest,
                seed=seed,
                started=started,
                command=command_line(),
                left_out=left_out,
                impossible=impossible,
            )
            record = judge_gates(record, gates)
            record.save(folder.record_json)
            headline = None if record.accuracy.value is None else f"{record.accuracy.value:.1%} right"
            folder.finish("done", title=record.title, headline=headline)
            render_run(folder)
        except BaseException as error:
            if not begun:
                folder.abandon()
                raise
            folder.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            if isinstance(error, CustodietError) and not isinstance(error, UsageError):
                printer.say(f"what was answered is kept in {folder.path}; go on with --resume --out {folder.path}")
            raise
    if json:
        print_json({**record.model_dump(mode="json", by_alias=True), **run_paths(folder),
                    "answers_jsonl": str(_answers(folder).resolve())})  # fmt: skip
    else:
        _print(record, folder)
    _leave_by_gates(record)


def _refuse_other_options(is_url: bool, of_endpoint: Mapping[str, Any], of_local: Mapping[str, Any]) -> None:
    wanted, got = ("a local model", "an endpoint") if is_url else ("an endpoint", "a local model")
    for name, value in (of_local if is_url else of_endpoint).items():
        if value is not None:
            raise UsageError(f"{name} is an option for {wanted}", got=got, hint=f"Leave out {name}.")
    if is_url and not of_endpoint["--model-name"]:
        raise UsageError("--model-name is missing", expected="a name", hint="Name the model as the endpoint knows it.")


def _open_endpoint(
    url: str, model_name: str | None, key_env: str, api: str, mode: str, cue: str, max_tokens: int | None,
    concurrency: int, timeout_s: float,
) -> _Asked:  # fmt: skip
    from custodiet.logic.evaluation import ask_by_choices, ask_by_text
    from custodiet.logic.evaluation_record import AskedModel
    from custodiet.nn.endpoint import Endpoint, EndpointChoiceScorer, EndpointTextGenerator
    from custodiet.records.base import Environment

    endpoint = Endpoint(url=url, model=str(model_name), key=os.environ.get(key_env) or None, timeout_s=timeout_s)
    if max_tokens is None:
        ask = ask_by_choices(EndpointChoiceScorer(endpoint), lambda text: text, cue)
    else:
        writer = EndpointTextGenerator(endpoint, max_tokens=max_tokens, chat=api == "chat", stop=_STOP)
        ask = ask_by_text(writer, lambda text: text, cue, proof=mode == "proof")
    here = Environment.here(torch=None, device="remote", dtype="unknown", num_threads=1, instruction_set="unknown")
    asked = AskedModel(name=str(model_name), description=f"{model_name} at {url}", sha256=None, environment=here)
    return _Asked(ask=ask, model=asked, batch_size=1, num_threads=concurrency)


def _open_model(
    model: str, mode: str, cue: str, max_tokens: int | None, chat: bool, revision: str | None, trust: bool, device: str,
    dtype: str, batch_tokens: int,
) -> _Asked:  # fmt: skip
    import torch

    from custodiet.logic.evaluation import ask_by_choices, ask_by_text
    from custodiet.logic.evaluation_record import AskedModel
    from custodiet.nn.answering import LocalChoiceScorer, LocalTextGenerator
    from custodiet.nn.loading import load_model
    from custodiet.records.base import Environment

    loaded = load_model(model, revision=revision, device=device, dtype=dtype, trust_remote_code=trust)
    if chat and loaded.chat_prompt is None:
        raise UsageError(f"{loaded.name} has no chat template", hint="Leave out --chat.")
    wrap = loaded.chat_prompt if chat and loaded.chat_prompt is not None else lambda text: text
    if max_tokens is None:
        ask = ask_by_choices(LocalChoiceScorer.of(loaded, batch_tokens=batch_tokens), wrap, cue)
    else:
        writer = LocalTextGenerator.of(loaded, max_tokens=max_tokens, stop=_STOP)
        ask = ask_by_text(writer, wrap, cue, proof=mode == "proof")
    here = Environment.here(
        torch=str(torch.__version__), device=loaded.device, dtype=loaded.dtype, num_threads=torch.get_num_threads(),
        instruction_set=torch.backends.cpu.get_cpu_capability(),
    )  # fmt: skip
    asked = AskedModel(
        name=loaded.name, description=loaded.description, sha256=loaded.identity_sha256, environment=here
    )
    return _Asked(ask=ask, model=asked, batch_size=64, num_threads=1)


def _answers(folder: RunFolder) -> Path:
    return folder.path / "answers.jsonl"


def _print(record: LogicEvaluationRecord, folder: RunFolder) -> None:
    from custodiet.report.logic_evaluation import evaluation_lines

    print("\n".join(evaluation_lines(record)))
    print(f"report  {folder.report_html.resolve()}\nrecord  {folder.record_json.resolve()}\n"
          f"answers {_answers(folder).resolve()}")  # fmt: skip


def _leave_by_gates(record: LogicEvaluationRecord) -> None:
    failed = [one for one in record.gates if one.outcome == "fail"]
    open_ = [one for one in record.gates if one.outcome == "inconclusive"]
    if failed:
        raise GateError("; ".join(f"gate failed: {one.expression} ({one.reason})" for one in failed))
    if open_:
        told = "; ".join(f"gate inconclusive: {one.expression} ({one.reason})" for one in open_)
        raise GateError(told, inconclusive=True)
