"""Vectors: how they are kept, and how alike two are.

Kept as 32-bit floats of length 1, so that likeness (the cosine) is one sum of products. No numpy: a hundred vectors of 1,536
take some 6 ms in plain Python, which is nothing beside the request for the vector itself, and a dependency is not.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from operator import mul


def packed(vector: Iterable[float]) -> bytes:
    """The vector with length 1, as bytes; empty for one that has no direction."""
    values = [float(value) for value in vector]
    length = math.sqrt(sum(map(mul, values, values)))
    if not length or not math.isfinite(length):
        return b""
    return array("f", [value / length for value in values]).tobytes()


def unpacked(content: bytes) -> "array[float]":
    """What `packed` was given, with length 1."""
    values: array[float] = array("f")
    values.frombytes(content[: len(content) // values.itemsize * values.itemsize])
    return values


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors of length 1, −1 to 1; 0 for vectors of different models."""
    return sum(map(mul, one, other)) if len(one) == len(other) else 0.0
