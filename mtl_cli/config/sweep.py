"""`-m`: overrides with several values -> the list of points, or the axes of a search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from mtl_cli.config.compose import parsed
from mtl_cli.errors import ConfigError

_MOST_POINTS = 10_000
"""Points of a sweep; each is a run."""


def points(overrides: Sequence[str]) -> list[list[str]]:
    """Expand `a=1,2 b=choice(x,y)` to the product of all values, in the order written.

    Raises:
        ConfigError: an override is not in Hydra's grammar, or has more values than can be listed.
    """
    axes: list[list[str]] = []
    for text in overrides:
        override = parsed(text)
        if not override.is_sweep_override():
            axes.append([text])
        elif override.is_discrete_sweep() and not isinstance(override.value(), Glob):
            key = override.get_key_element()
            _check_range(text, override)
            try:
                axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
            except (ValueError, TypeError, HydraException) as error:
                raise ConfigError(f"'{text}' cannot be listed: {error}") from error
        else:
            how = "give values, range() or choice(), or search an interval with search.trials=N"
            raise ConfigError(f"'{text}': interval() and glob() list no points; {how}")
        if not axes[-1]:
            raise ConfigError(f"'{text}' holds no value. Give values, such as KEY=1,2")
    if (count := math.prod(map(len, axes))) > _MOST_POINTS:
        raise ConfigError(
            f"-m: {count:,} combinations of values, each a run; at most {_MOST_POINTS:,}. Give fewer values"
        )
    return [list(point) for point in itertools.product(*axes)]


def _check_range(text: str, override: Override) -> None:
    """Raise `ConfigError` for a range that is too long to be listed."""
    value = override.value()
    if isinstance(value, RangeSweep) and value.start is not None and value.stop is not None:
        count = abs(value.stop - value.start) / (abs(value.step) or 1)
        if count > _MOST_POINTS:
            raise ConfigError(
                f"'{text}' has {count:,.0f} values; at most {_MOST_POINTS:,}. Give fewer, or a larger step"
            )


def varied(overrides: Sequence[str]) -> list[str]:
    """The overrides that `-m` varies, for naming points."""
    return [text for text in overrides if parsed(text).is_sweep_override()]


def first(overrides: Sequence[str]) -> list[str]:
    """Each override with its first value, or the lower end of its interval: what all points have in common with one another.

    Raises:
        ConfigError: an override is not in Hydra's grammar, or holds no value.
    """
    found = []
    for text in overrides:
        override = parsed(text)
        if override.is_interval_sweep():
            found.append(f"{override.get_key_element()}={cast(IntervalSweep, override.value()).start}")
        else:
            found.append(points([text])[0][0])
    return found


@dataclass(frozen=True)
class Axis:
    """What a search may choose of one key."""

    key: str
    """With the `+` of an override that adds it."""
    low: float
    high: float
    log: bool
    whole: bool
    """Whole numbers only."""
    choices: tuple[str, ...] = ()
    """Values as they are written; if there are any, the bounds mean nothing."""

    def probe(self, i: int) -> str:
        """An override with the i-th choice, or with an end of the range."""
        if self.choices:
            return f"{self.key}={self.choices[min(i, len(self.choices) - 1)]}"
        return self.written(self.high if i else self.low)

    def written(self, value: float | str) -> str:
        """The override that gives this value."""
        return f"{self.key}={int(value) if self.whole and not isinstance(value, str) else value}"


def axes(overrides: Sequence[str], scale: str) -> list[Axis]:
    """What a search varies: intervals, and listed values as choices.

    Args:
        overrides: in Hydra's grammar; `tag(linear, interval(0, 1))` and `int(interval(8, 64))` are understood.
        scale: of intervals without a tag, "log" or "linear".

    Raises:
        ConfigError: nothing varies, a range has no inside, or begins at 0 or below on a log scale.
    """
    found = []
    for text in overrides:
        override = parsed(text)
        if not override.is_sweep_override():
            continue
        if override.is_interval_sweep():
            found.append(_interval(text, override, scale))
        else:
            listed = [point[0].partition("=") for point in points([text])]
            found.append(Axis(listed[0][0], 0.0, 0.0, False, False, tuple(value for _, _, value in listed)))
    if not found:
        raise ConfigError("search.trials: no override has a range, such as weights.rte=interval(0.1,10)")
    return found


def _interval(text: str, override: Override, scale: str) -> Axis:
    sweep = cast(IntervalSweep, override.value())
    low, high = cast(float, sweep.start), cast(float, sweep.end)
    tags = {str(tag) for tag in sweep.tags}
    if tags - {"log", "linear"} or len(tags) > 1:
        raise ConfigError(
            f"'{text}': the tag of an interval is log or linear; found {', '.join(sorted(tags))}. Give one of the two"
        )
    log = (tags or {scale}) == {"log"}
    if not -math.inf < low < high < math.inf:
        raise ConfigError(
            f"'{text}': an interval goes from less to more; found {low} and {high}. Give interval(LOW,HIGH)"
        )
    if log and low <= 0:
        raise ConfigError(f"'{text}': a log scale begins above 0. For this one: tag(linear,interval({low},{high}))")
    whole = isinstance(low, int) and isinstance(high, int)
    return Axis(override.get_key_element(), low, high, log, whole)
