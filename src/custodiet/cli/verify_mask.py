"""`custodiet verify-mask`: is my goldfish mask what I think it is?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from custodiet.cli.common import JsonFlag, print_json

__all__ = ["verify_mask"]


def verify_mask(
    *paths: Path,
    k: int = 4,
    h: int = 13,
    mask_seed: int = 2971215073,
    strategy: Literal["hash", "static", "random"] = "hash",
    compat: Literal["hans2024"] | None = None,
    tokenizer: Path | None = None,
    text_column: str = "text",
    limit: int | None = None,
    strict: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
) -> None:
    """Report what a goldfish mask really drops on a corpus or on a dump of a loader.

    Args:
        paths: documents (txt, md, JSONL, Parquet, folders), or one .npz dump of a data loader with the arrays
            `tokens` (rows, positions), `keep` (same shape, true where the target is in the loss) and, for packed
            rows, `segments`.
        k: one target in k is dropped.
        h: width of the hashed window of preceding tokens.
        mask_seed: key of the hash.
        strategy: hash, static or random.
        compat: hans2024 reproduces the masks of the reference code.
        tokenizer: directory with tokenizer.json (default: a byte-level BPE trained on the documents).
        text_column: column or key that holds the text.
        limit: read at most this many documents.
        strict: refuse broken lines instead of skipping and counting them.
        json: print one JSON object.
    """
    from custodiet.train.verify_mask import verify_mask_on

    result = verify_mask_on(
        paths,
        k=k,
        h=h,
        seed=mask_seed,
        strategy=strategy,
        compat=compat,
        tokenizer=tokenizer,
        text_column=text_column,
        limit=limit,
        strict=strict,
    )
    if json:
        print_json(result)
        return
    for key, value in result.items():
        if isinstance(value, dict) and "value" in value:
            bounds = "" if value["low"] is None else f"  [{value['low']:.5f}, {value['high']:.5f}]"
            shown = "not measured" if value["value"] is None else f"{value['value']:.5f}"
            why = f"  ({value['why']})" if value.get("why") else ""
            print(f"{key:<34} {shown}{bounds}  n={value['num']}{why}")
        else:
            print(f"{key:<34} {value}")
