"""An audit record with plausible numbers, for tests of what reads records."""

import numpy as np
import polars as pl

from custodiet.memorization.exposure import CANARY_SCHEMA
from custodiet.memorization.forecast import estimate_forecast
from custodiet.memorization.score import ROW_SCHEMA
from custodiet.memorization.summary import summarize_arm
from custodiet.records.audit import AuditRecord, CorpusSummary, ExampleRecord, InputFile, MaskRecord, TrainingSummary
from custodiet.records.base import Environment, Measurement

REPEATS = (1, 4, 16, 64)
HOSTILE = '<script>alert("x")</script> & "quotes" \u2028'


def make_rows(*, goldfish=False, repeats=REPEATS, num=12, num_controls=110, seed=0):
    """Rows of an arm that remembers what it saw sixteen times or more, unless it is the goldfish."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, times, count in [("control", None, num_controls), ("validation", None, 20)] + [
        ("member", one, num) for one in repeats
    ]:
        for index in range(count):
            strength = 0.0 if times is None else min(1.0, np.log2(times + 1) / 5)
            hit = bool(split == "member" and not goldfish and times is not None and times >= 16)
            loss = 4 - 3 * strength + rng.normal(0, 0.3)
            rows.append(
                {
                    "arm": "a",
                    "document_id": f"{split}-{times}-{index}",
                    "split": split,
                    "repeats": times,
                    "exposures": times and float(times),
                    "num_tokens": 120,
                    "num_tokens_cut": 0,
                    "loss_nats": loss,
                    "total_bits": loss * 173,
                    "reference_bits": 700 + rng.normal(0, 20),
                    "zlib_nats_per_byte": loss / 3,
                    "min_k_nats": -2 * loss,
                    "min_k_plus_plus": -loss,
                    "extraction_50": hit,
                    "num_ties": 0,
                    "suffix_num": 50,
                    "suffix_num_correct": 50 if hit else int(rng.integers(5, 30)),
                    "kept_num": 38 if goldfish else None,
                    "kept_num_correct": 30 if goldfish else None,
                    "dropped_num": 12 if goldfish else None,
                    "dropped_num_correct": 3 if goldfish else None,
                    "opening_num": 12,
                    "opening_num_correct": 12 if hit else 4,
                    "rouge_l": 1.0 if hit else 0.2,
                    "normalized_edit_distance": 0.0 if hit else 0.9,
                    "generated_exact": hit,
                    "generated_num_matching": 50 if hit else 3,
                    "text_sha256": "0" * 64,
                }
            )
    return pl.DataFrame(rows, schema=ROW_SCHEMA)


def make_canaries(seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        {
            "canary_id": f"c{index}",
            "inserted": index % 2 == 0,
            "repeats": 4 ** (index % 3) if index % 2 == 0 else 0,
            "rank": 1.0,
            "num_candidates": 512,
            "exposure_bits": float(rng.uniform(0, 9)),
        }
        for index in range(24)
    ]
    return pl.DataFrame(rows, schema=CANARY_SCHEMA)


def make_environment():
    return Environment(
        custodiet="0.1.0",
        python="3.11.7",
        numpy="2.4.0",
        torch="2.13.0",
        platform="Linux",
        machine="x86_64",
        cpu="some CPU",
        num_cores=2,
        instruction_set="AVX512",
        device="cpu",
        dtype="bfloat16",
        num_threads=1,
    )


def make_training(loss):
    return TrainingSummary(
        num_params=1_556_160,
        num_steps=2000,
        num_input_tokens=2_000_000,
        num_supervised_tokens=1_500_000,
        num_dropped_tokens=500_000,
        dtype="bfloat16",
        num_threads=1,
        elapsed_s=200.0,
        peak_rss_bytes=10**9,
        loss=loss,
        settings={"width": 192},
        curve=[(500_000, 4.5, 4.2, None), (1_500_000, 4.0, 3.5, 4.4)],
    )


def make_record(*, one_arm=False, hostile=False):
    """A whole record: both default arms, or one model without repeats, canaries, training and forecast."""
    arms = {}
    for name in ["model"] if one_arm else ["cross_entropy", "goldfish"]:
        arms[name] = summarize_arm(
            make_rows(goldfish=name == "goldfish", repeats=(None,) if one_arm else REPEATS),
            None if one_arm else make_canaries(),
            description=HOSTILE if hostile else f"arm {name}",
            num_params=1_556_160,
            training=None if one_arm else make_training("goldfish" if name == "goldfish" else "cross_entropy"),
        )
    share = Measurement(value=0.25, low=0.24, high=0.26, num=1000)
    return AuditRecord(
        title=HOSTILE if hostile else "What two small models memorized",
        created_utc="2026-01-31T12:00:00Z",
        seed=0,
        elapsed_s=300.0,
        environment=make_environment(),
        inputs=[InputFile(role="embedded", path="pydoc", sha256="0" * 64, num_documents=10)],
        corpus=CorpusSummary(
            num_members=48, num_controls=110, num_member_tokens=5000, num_control_tokens=12000, notes=["a note"]
        ),
        arms=arms,
        comparisons={} if one_arm else {
            "goldfish_over_cross_entropy_validation_loss": Measurement(value=1.01, low=1.0, high=1.02, num=96)
        },
        mask=None if one_arm else MaskRecord(strategy="hash", k=4, h=13, seed=1, effective_drop_rate=share),
        forecast=None if one_arm else estimate_forecast(
            num_params=1_556_160, corpus_bits=3.5e6, num_tokens=660_000, corpus_bits_source="an n-gram"
        ),
        examples=[
            ExampleRecord(
                arm=next(iter(arms)),
                document_id="d",
                repeats=64,
                prefix=HOSTILE if hostile else None,
                truth=HOSTILE if hostile else None,
                generated=HOSTILE if hostile else None,
                num_matching_tokens=50,
            )
        ],
        redacted=not hostile,
        command=HOSTILE if hostile else "custodiet audit",
        not_tested=["sampled decoding", HOSTILE if hostile else "other seeds"],
    )  # fmt: skip
