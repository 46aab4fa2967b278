"""A measurement beside its budget, and how a list of them is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Budget:
    """What is allowed. `most` or `least` bounds the value, `ratio` its distance from the floor."""

    unit: str
    most: float | None = None
    least: float | None = None
    ratio: float | None = None


BUDGETS = {
    "cli_help_cpu_s": Budget("s CPU", most=0.25),
    "render_issue_ms": Budget("ms CPU", most=20),
    "mjml_ms": Budget("ms CPU"),
    "personalise_us": Budget("us CPU", most=8, ratio=6),
    "mime_us": Budget("us CPU", most=40),
    "outbox_us": Budget("us CPU"),
    "import_million_s": Budget("s CPU", most=30),
    "freeze_million_s": Budget("s CPU", most=2),
    "campaign_merge_cpu_s_per_million": Budget("s CPU", most=12),
    "campaign_merge_rss_mb": Budget("MB", most=64),
    "campaign_batch_cpu_s_per_million": Budget("s CPU", most=90),
    "campaign_batch_rss_mb": Budget("MB", most=64),
    "campaign_single_cpu_s_per_million": Budget("s CPU", most=500),
    "campaign_merge_growth": Budget("x", most=1.15),
    "confirm_p99_s_during_campaign": Budget("s", most=30),
    "one_click_p99_ms_during_campaign": Budget("ms", most=250),
    "webhook_events_per_s": Budget("1/CPU-s", least=1000),
    "webhook_requests_per_s": Budget("1/CPU-s"),
    "signup_ratio": Budget("x", most=2),
    "signup_per_s": Budget("1/s", least=700),
    "signup_p99_ms": Budget("ms", most=150),
    "import_million_s_pg": Budget("s CPU", most=20),
    "freeze_million_s_pg": Budget("s CPU", most=5),
}
"""The agreed names. One without a bound is measured to be known."""


@dataclass(frozen=True)
class Figure:
    """One line of the result. None where something does not apply."""

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    budget: float | None
    ok: bool | None


def figure(name: str, value: float, floor: float | None = None) -> Figure:
    """A measured value against its budget.

    In: an agreed name, the value in the budget's unit, the floor in the same unit. Raises: KeyError for a
    name that was not agreed.
    """
    budget = BUDGETS[name]
    ratio = value / floor if floor else None
    held = [
        *([value <= budget.most] if budget.most is not None else []),
        *([value >= budget.least] if budget.least is not None else []),
        *([ratio <= budget.ratio] if budget.ratio is not None and ratio is not None else []),
    ]
    return Figure(
        name=name,
        value=_short(value),
        unit=budget.unit,
        floor=None if floor is None else _short(floor),
        ratio=None if ratio is None else _short(ratio),
        budget=budget.least if budget.most is None else budget.most,
        ok=all(held) if held else None,
    )


def _short(value: float) -> float:
    """Three digits that mean something, and all those before the point."""
    return float(f"{value:.3g}") if abs(value) < 100 else round(value)  # noqa: PLR2004


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """The list as it goes to the file."""
    return [asdict(one) for one in figures]


HEAD = f"{'name':<36}{'value':>9}  {'unit':<8}{'floor':>8}{'ratio':>7}{'budget':>8}  ok"


def line(one: Figure) -> str:
    """One figure as a line under `HEAD`."""
    verdict = {True: "ok", False: "over", None: ""}[one.ok]
    numbers = f"{_cell(one.floor):>8}{_cell(one.ratio):>7}{_cell(one.budget):>8}"
    return f"{one.name:<36}{_cell(one.value):>9}  {one.unit:<8}{numbers}  {verdict}".rstrip()


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
