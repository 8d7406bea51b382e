#!/usr/bin/env python3
"""Medians, percentiles and ratios, and how they are written."""

import math
from typing import Iterable, Optional, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share lies, by nearest rank.

    A share of 0.99 of a hundred values is the hundredth but one from below.
    Without values it is not a number.
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    rank = max(1, math.ceil(share * len(ordered) - 1e-9))
    return ordered[rank - 1]


def median(values: Iterable[Optional[float]]) -> Optional[float]:
    """Return the middle value; what is missing or no number is left out.

    Of an even count it is the mean of the two in the middle.
    """
    known = sorted(value for value in values
                   if value is not None and not math.isnan(value))
    if not known:
        return None
    middle = len(known) // 2
    if len(known) % 2:
        return known[middle]
    return (known[middle - 1] + known[middle]) / 2


def spread(values: Sequence[float]) -> Optional[float]:
    """Return how far apart the values of several rounds are, to the median.

    0.2 means that the highest and the lowest differ by a fifth of it.
    """
    middle = median(values)
    if middle is None or not middle:
        return None
    return (max(values) - min(values)) / middle


def ratio(one: Optional[float], other: Optional[float]) -> Optional[float]:
    """Return how many times the other one goes into this; ``None`` if not.
    """
    if one is None or not other:
        return None
    return one / other


def written(value: Optional[float], unit: str = "") -> str:
    """Write a figure with as many digits as it deserves, or a dash."""
    if value is None or math.isnan(value):
        return "–"
    if abs(value) >= 100:
        text = f"{value:,.0f}"
    elif abs(value) >= 10:
        text = f"{value:.1f}"
    elif abs(value) >= 1 or not value:
        text = f"{value:.2f}"
    else:
        text = f"{value:#.2g}"
    return f"{text} {unit}" if unit else text


def duration(seconds: float) -> str:
    """Write a time as people say it: 45 s, 3 min, 1 h 20 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if whole < 600 and whole % 60:
        return f"{whole // 60} min {whole % 60} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
