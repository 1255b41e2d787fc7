"""The process that decodes what a `Compressor` made: ``python -m custodiet.nn.verifier SPEC_JSON``.

It reads one JSON object per line, ``{"path": ..., "name": ...}``, and answers with one, ``{"sha256": ...}`` of the decoded bytes
or ``{"error": ...}``; it ends when its standard input does.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from custodiet.errors import CustodietError
from custodiet.nn.compression import decode_bytes
from custodiet.nn.token_model import ModelSpec, open_model

__all__ = ["main"]


def main() -> None:
    """Entry of the child process."""
    try:
        told = json.loads(sys.argv[1])
        model = open_model(ModelSpec(**{**told, "train_on": tuple(told["train_on"])}))
    except CustodietError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            found = decode_bytes(model, Path(job["path"]).read_bytes(), name=job["name"])
            answer = {"sha256": hashlib.sha256(found).hexdigest()}
        except (CustodietError, OSError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
