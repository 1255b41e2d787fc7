"""Strict, versioned records: what leaves the house as JSON.

NaN policy: no float in a record is NaN or infinite. A number that could not be measured is ``null`` with a ``why``;
writing a NaN raises `RecordError` at the field that holds it. Reading is strict: an unknown key, a missing key or a
wrong type is an error, never a guess. A record of an older schema version is first taken through `migrate`.
"""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from custodiet.base.stats import Estimate
from custodiet.errors import RecordError
from custodiet.records.files import write_text_atomic

__all__ = ["MIGRATIONS", "Environment", "Measurement", "Part", "Raw", "Record", "load_record", "migration"]

Raw = dict[str, Any]
MIGRATIONS: dict[str, tuple[str, Callable[[Raw], Raw]]] = {}
"""old schema id -> (new schema id, function from the old JSON object to the new one)"""


class Part(BaseModel):
    """Base of everything inside a record: strict types, no unknown keys, no NaN, immutable."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        populate_by_name=True,
        ser_json_inf_nan="null",
    )


class Measurement(Part):
    """A value with its interval and the number of samples, or the reason why it has none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    num: int
    why: str | None = None

    @model_validator(mode="after")
    def _bounds_or_reason(self) -> Self:
        if (self.value is None or self.low is None or self.high is None) and not self.why:
            raise ValueError("a measurement without a value or without bounds needs a `why`")
        return self

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """Take an `Estimate`; NaN becomes null, which demands that the estimate says why."""

        def clean(number: float | None) -> float | None:
            return None if number is None or not math.isfinite(number) else float(number)

        return cls(
            value=clean(estimate.value),
            low=clean(estimate.low),
            high=clean(estimate.high),
            num=int(estimate.num),
            why=estimate.why,
        )

    @classmethod
    def missing(cls, why: str, *, num: int = 0) -> Self:
        """A measurement that was not made."""
        return cls(value=None, num=num, why=why)


class Environment(Part):
    """Where the numbers come from: enough to say why two runs differ."""

    custodiet: str
    python: str
    numpy: str
    torch: str | None
    platform: str
    machine: str
    cpu: str
    num_cores: int
    instruction_set: str
    device: str
    dtype: str
    num_threads: int
    commit: str | None = None

    @classmethod
    def here(cls, *, torch: str | None, device: str, dtype: str, num_threads: int, instruction_set: str) -> Self:
        """Describe this process; what only torch knows is passed in, so that records import no torch."""
        import os

        import numpy

        from custodiet._version import __version__

        cpu = platform.processor() or "unknown"
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    cpu = line.split(":", 1)[1].strip()
                    break
        except OSError:
            pass
        return cls(
            custodiet=__version__,
            python=platform.python_version(),
            numpy=numpy.__version__,
            torch=torch,
            platform=platform.platform(terse=True),
            machine=platform.machine(),
            cpu=cpu,
            num_cores=os.cpu_count() or 1,
            instruction_set=instruction_set,
            device=device,
            dtype=dtype,
            num_threads=num_threads,
            commit=os.environ.get("CUSTODIET_COMMIT") or _checkout_commit(),
        )


def _checkout_commit() -> str | None:
    """Commit of the checkout that this package is imported from, with a "+" where tracked files differ from it."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


R = TypeVar("R", bound="Record")


class Record(Part):
    """A top-level record; every subclass pins its schema id as ``schema_id`` (JSON key ``schema``)."""

    schema_id: str

    def to_json(self) -> str:
        """Stable JSON text: same record, same bytes.

        Raises:
            RecordError: a number is NaN or infinite.
        """
        payload = self.model_dump(mode="json", by_alias=True)
        _forbid_nonfinite(self.model_dump(mode="python", by_alias=True), "$")
        return json.dumps(payload, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: Path) -> None:
        """Write atomically: a reader sees the old file or the new one, never half of it."""
        write_text_atomic(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and validate strictly, migrating an older schema version first.

        Raises:
            RecordError: not JSON, another schema, or a field that does not fit.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RecordError(f"record {path} does not exist", hint="Name the run folder that holds it.") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise RecordError(f"record {path} is not readable JSON ({error})") from None
        return cls.parse(raw, where=str(path))

    @classmethod
    def parse(cls, raw: Raw, *, where: str = "record") -> Self:
        """Validate a JSON object.

        Raises:
            RecordError: another schema, or a field that does not fit.
        """
        if not isinstance(raw, dict):
            raise RecordError(f"{where} is not a JSON object", got=type(raw).__name__)
        want = cls.model_fields["schema_id"].default
        raw = migrate(raw)
        if raw.get("schema") != want:
            raise RecordError(
                f"{where} has another schema",
                expected=want,
                got=raw.get("schema"),
                hint="Read it with the version of custodiet that wrote it, or write a migration.",
            )
        try:
            return cls.model_validate_json(json.dumps(raw))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "$"
            raise RecordError(f"{where} does not fit {want}: {place}: {first['msg']}") from None

    @classmethod
    def json_schema(cls) -> Raw:
        """JSON Schema of the record as it lies on disk."""
        return cls.model_json_schema(by_alias=True, mode="serialization")


def migration(old: str, new: str) -> Callable[[Callable[[Raw], Raw]], Callable[[Raw], Raw]]:
    """Register a function that lifts a JSON object from schema id `old` to `new`."""

    def register(function: Callable[[Raw], Raw]) -> Callable[[Raw], Raw]:
        MIGRATIONS[old] = (new, function)
        return function

    return register


def migrate(raw: Raw) -> Raw:
    """Lift a JSON object to the newest schema version that a chain of migrations reaches."""
    seen: set[str] = set()
    while (name := str(raw.get("schema"))) in MIGRATIONS and name not in seen:
        seen.add(name)
        new, function = MIGRATIONS[name]
        raw = {**function(raw), "schema": new}
    return raw


def load_record(path: Path, kinds: tuple[type[R], ...]) -> R:
    """Load a record whose schema id decides the class.

    Raises:
        RecordError: the schema is none of `kinds`.
    """
    try:
        name = str(migrate(json.loads(path.read_text(encoding="utf-8"))).get("schema"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, AttributeError) as error:
        raise RecordError(f"record {path} is not readable JSON ({error})") from None
    for kind in kinds:
        if kind.model_fields["schema_id"].default == name:
            return kind.load(path)
    known = ", ".join(str(kind.model_fields["schema_id"].default) for kind in kinds)
    raise RecordError(f"record {path} has an unknown schema", expected=f"one of {known}", got=name)


def _forbid_nonfinite(value: object, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError(
            f"{where} is {value}", expected="a finite number or null with a `why`", hint="Say why it was not measured."
        )
    if isinstance(value, dict):
        for key, item in value.items():
            _forbid_nonfinite(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _forbid_nonfinite(item, f"{where}[{index}]")
