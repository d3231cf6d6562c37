"""A job of which one sees how it was computed."""

from __future__ import annotations

from core.messages import Value


class Spans:
    """A job whose output shows which partitions were computed, in which order combined."""

    def prepare(self, input: Value, sizes: list[int]) -> list[Value]:
        firsts = [input[0] + sum(sizes[:i]) for i in range(len(sizes))]
        return [[first, size] for first, size in zip(firsts, sizes, strict=True)]

    def compute(self, input: Value, index: int) -> Value:
        return [[*input, index]]

    def collect(self, outputs: list[Value]) -> Value:
        return [item for output in outputs for item in output]


def sequential(partitions: int) -> Value:
    """What `Spans` gives for the input [0, partitions]."""
    return [[index, 1, index] for index in range(partitions)]
