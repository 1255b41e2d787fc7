"""Every exception that custodiet raises on purpose.

CustodietError                 exit code 1; carries argument, expected, got and the next step
├── UsageError                 exit code 2: what the user typed cannot mean anything here
│   └── MissingExtraError      an optional dependency is not installed
├── InputError                 a file or a value that was handed in is not usable
│   ├── CorpusError            documents: missing, empty, binary, broken lines, wrong column
│   ├── TokenizerError         missing tokenizer, vocabulary mismatch
│   ├── ModelLoadError         truncated safetensors, pickle weights, unknown layout
│   ├── CheckpointError        a checkpoint that cannot be continued from
│   ├── DecodeError            a compressed file: damaged, of another model, of another machine
│   ├── DifferentiationError   a program that cannot be differentiated as it stands; names the line where it is known
│   └── FormulaError           a formula, a sentence or a proof that cannot be read, or can be read in two ways
├── OutputError                a folder or file that cannot be written
├── EndpointError              a model behind HTTP that does not answer, or not in the form agreed
├── RecordError                a record on disk that does not match its schema
├── TooFewSamplesError         a statistic was asked of too few samples
├── NonFiniteLossError         training met NaN or infinity; the last good checkpoint is kept
└── GateError                  exit code 3 (failed) or 4 (inconclusive), raised after the record is written
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "CorpusError",
    "CustodietError",
    "DecodeError",
    "DifferentiationError",
    "EndpointError",
    "FormulaError",
    "GateError",
    "InputError",
    "MissingExtraError",
    "ModelLoadError",
    "NonFiniteLossError",
    "OutputError",
    "RecordError",
    "TokenizerError",
    "TooFewSamplesError",
    "UsageError",
]


class CustodietError(Exception):
    """A mistake that can be explained in one line.

    Args:
        message: what went wrong, naming the argument or file.
        expected: what would have been right.
        got: what came instead.
        hint: the next step for the reader.
    """

    exit_code = 1

    def __init__(self, message: str, *, expected: object = None, got: object = None, hint: str | None = None) -> None:
        parts = [message]
        if expected is not None:
            parts.append(f"expected {expected}")
        if got is not None:
            parts.append(f"got {got}")
        line = "; ".join(parts)
        super().__init__(f"{line}. {hint}" if hint else line)
        self.expected = expected
        self.got = got
        self.hint = hint


class UsageError(CustodietError):
    """The command line or the arguments contradict themselves."""

    exit_code = 2


class MissingExtraError(UsageError):
    """An optional dependency is not installed."""


class InputError(CustodietError):
    """A file or a value that was handed in is not usable."""


class CorpusError(InputError):
    """Documents that cannot be read."""


class TokenizerError(InputError):
    """No tokenizer, or one that does not fit the model."""


class ModelLoadError(InputError):
    """Weights that cannot be loaded safely."""


class CheckpointError(InputError):
    """A checkpoint that cannot be continued from."""


class DecodeError(InputError):
    """A compressed file that cannot be decoded: damaged, of another model, or of another machine."""


class DifferentiationError(InputError):
    """A program that cannot be differentiated as it stands.

    Args:
        message: what went wrong.
        expected: what would have been right.
        got: what came instead.
        hint: the next step, the nearest supported form.
        where: ``file:line`` of the user's code, where it is known; printed after the message.
    """

    def __init__(
        self,
        message: str,
        *,
        expected: object = None,
        got: object = None,
        hint: str | None = None,
        where: str | None = None,
    ) -> None:
        super().__init__(f"{message} ({where})" if where else message, expected=expected, got=got, hint=hint)
        self.where = where


class FormulaError(InputError):
    """A formula, a sentence or a proof that cannot be read, or that can be read in two ways."""


class OutputError(CustodietError):
    """A folder or file that cannot be written."""


class EndpointError(CustodietError):
    """A model behind HTTP that does not answer, or not in the form agreed.

    Args:
        message: what went wrong.
        expected: what would have been right.
        got: what came instead.
        hint: the next step.
        status: the HTTP status; None where there was no answer.
        may_pass: whether the same request may succeed later.
        retry_after_s: how long the server asks to wait.
        too_long: whether the server refused the request as longer than the model's context.
    """

    def __init__(
        self,
        message: str,
        *,
        expected: object = None,
        got: object = None,
        hint: str | None = None,
        status: int | None = None,
        may_pass: bool = False,
        retry_after_s: float = 0.0,
        too_long: bool = False,
    ) -> None:
        super().__init__(message, expected=expected, got=got, hint=hint)
        self.status, self.may_pass = status, may_pass
        self.retry_after_s, self.too_long = retry_after_s, too_long


class RecordError(CustodietError):
    """A record on disk that does not match its schema."""


class TooFewSamplesError(CustodietError):
    """A statistic was asked of too few samples."""


class NonFiniteLossError(CustodietError):
    """Training met a loss that is not finite."""


class GateError(CustodietError):
    """A ``--fail-if`` gate failed (exit code 3) or could not be decided (exit code 4)."""

    def __init__(self, message: str, *, inconclusive: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 4 if inconclusive else 3
