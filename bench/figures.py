"""Computes the figures of a bench run: medians and percentiles."""

import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """The median of some measurements."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest measurement that at least ``percent`` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def p50_p99(name: str, values: Sequence[float]) -> dict[str, float]:
    """The two figures of a distribution, under their names."""
    return {f"{name}_p50": round(percentile(values, 50), 3), f"{name}_p99": round(percentile(values, 99), 3)}
