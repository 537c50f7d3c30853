"""The plots of `make simulate`: grey words and no background, to be read on a light and on a dark page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.scale.model import Day

_GREY = "#727b85"  # a contrast of 4 and more with white and with black
_COLOURS = {10**6: "#3b8fd6", 10**7: "#c98500", 10**8: "#d1495b"}  # by profiles a day
_LINES, _MARKS = {1: "-", 50: "--"}, {1: "o", 50: "x"}  # by clients
_POINTS = 48  # of a line, at most
_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "bulk-profiles",  # the same plot is the same file
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _GREY),
}


def draw(days: list[Day], folder: Path) -> None:
    """Write `scale-ends.svg` and `scale-peaks.svg`."""
    with import_module("matplotlib").rc_context(_STYLE):
        _save(_ends(days), folder / "scale-ends.svg")
        _save(_peaks(days), folder / "scale-peaks.svg")


def _ends(days: list[Day]) -> Any:
    figure, axes = _axes(3.4)
    for day in days:
        hours = sorted(one.hours for one in day.imports)
        last = len(hours) - 1
        chosen = sorted({round(point * last / _POINTS) for point in range(_POINTS + 1)})
        shares = [100 * (place + 1) / len(hours) for place in chosen]
        axes.step(
            [0.0, *(hours[place] for place in chosen)],
            [0.0, *shares],
            where="post",
            color=_colour(day),
            linestyle=_LINES.get(day.scenario.clients, ":"),
            label=_label(day),
        )
    axes.set(xlabel="Hours from the drop to the end of the import", ylabel="Imports ended, %", ylim=(0, 103))
    axes.set_xlim(left=0)
    axes.legend(frameon=False, loc="lower right")
    return figure


def _peaks(days: list[Day]) -> Any:
    figure, axes = _axes(4.0)
    names = [quota.name for quota in days[0].quotas]
    for place, day in enumerate(days):
        shift = (place - (len(days) - 1) / 2) / (2 * len(days))
        axes.plot(
            [100 * day.peaks[quota.name] / quota.limit for quota in day.quotas],
            [row + shift for row in range(len(names))],
            _MARKS.get(day.scenario.clients, "+"),
            color=_colour(day),
            markersize=5,
            label=_label(day),
        )
    axes.axvline(100, color=_GREY, linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    axes.set_xlabel("Peak of the day, % of the limit")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.15), ncols=2)
    return figure


def _axes(height: float) -> tuple[Any, Any]:
    figure = import_module("matplotlib.figure").Figure(figsize=(7.0, height))
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None})


def _colour(day: Day) -> str:
    return _COLOURS.get(day.scenario.profiles, _GREY)


def _label(day: Day) -> str:
    clients = "1 client" if day.scenario.clients == 1 else f"{day.scenario.clients} clients"
    return f"{day.scenario.profiles / 1e6:g} M a day, {clients}"
