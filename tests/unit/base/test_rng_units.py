"""Seeds and numbers for people."""

import math

import numpy as np
import pytest

from custodiet.base.rng import derive_seed, numpy_rng
from custodiet.base.units import bits_to_nats, format_bytes, format_count, format_duration_s, nats_to_bits


def test_streams_are_named_and_independent():
    assert len({derive_seed(seed, name) for seed in range(50) for name in "abc"}) == 150
    assert derive_seed(1, "a", 2) != derive_seed(1, "a2")
    a, b = numpy_rng(0, "x").random(20000), numpy_rng(0, "y").random(20000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03


def test_units():
    assert nats_to_bits(math.log(8)) == pytest.approx(3)
    assert bits_to_nats(nats_to_bits(1.7)) == pytest.approx(1.7)
    assert format_bytes(1536) == "1.5 KiB"
    assert format_duration_s(3675) == "1:01:15" and format_duration_s(75) == "1:15"
    assert format_count(1_556_160) == "1.56 M"
