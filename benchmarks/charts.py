#!/usr/bin/env python3
"""Draws charts of bars as SVG, with matplotlib, in its own environment.

It reads a JSON array of charts from standard input and takes the folder to
write to; nothing else of the benchmarks needs matplotlib.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any, Dict, List

import matplotlib
from matplotlib import pyplot

OURS, OTHERS = "#1b7f5c", "#9aa5b1"
# The same figures give the same file.
STEADY = {"svg.hashsalt": "vestibule", "svg.fonttype": "none"}
# A scale of powers of ten, where bars would differ more than this.
MOST_TIMES = 20


def main() -> None:
    """Draw every chart that is handed in."""
    matplotlib.use("svg")
    matplotlib.rcParams.update(STEADY)
    for chart in json.load(sys.stdin):
        draw(chart, Path(sys.argv[1]))


def draw(chart: Dict[str, Any], folder: Path) -> None:
    """Draw one chart, the first service on top."""
    names: List[str] = [name for name, _ in chart["bars"]]
    values: List[float] = [value for _, value in chart["bars"]]
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.36 * len(names)))
    colours = [OURS if name.startswith("Vestibule") else OTHERS
               for name in names]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, labels=[_label(value) for value in values],
                   padding=3, fontsize=9)
    axes.invert_yaxis()
    if max(values) > MOST_TIMES * min(values) > 0:
        axes.set_xscale("log")
        axes.set_xlim(left=10 ** math.floor(math.log10(min(values) / 2)))
        axes.set_xlabel(f"{chart['unit']} (each step is ten times more)")
    else:
        axes.set_xlabel(chart["unit"])
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(chart["title"], loc="left")
    figure.savefig(str(folder / chart["file"]), bbox_inches="tight",
                   metadata={"Date": None})
    pyplot.close(figure)


def _label(value: float) -> str:
    """Write a value beside its bar."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
