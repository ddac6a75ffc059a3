"""`-m`: one override with several values -> the list of points, each a list of plain overrides."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.errors import HydraException

from mtl_cli.errors import ConfigError


def points(overrides: Sequence[str]) -> list[list[str]]:
    """Expand `a=1,2 b=choice(x,y)` to the product of all values, in the order written.

    Raises:
        ConfigError: an override is not in Hydra's grammar, or has more values than can be listed.
    """
    axes: list[list[str]] = []
    for text in overrides:
        try:
            override = OverridesParser.create().parse_overrides([text])[0]
        except HydraException as error:
            raise ConfigError(f"'{text}' is not KEY=VALUE in Hydra's grammar: {error}") from error
        if not override.is_sweep_override():
            axes.append([text])
        elif override.is_discrete_sweep() and not isinstance(override.value(), Glob):
            key = override.get_key_element()
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            raise ConfigError(f"'{text}': interval() and glob() list no points; give values, range() or choice()")
        if not axes[-1]:
            raise ConfigError(f"'{text}' holds no value")
    return [list(point) for point in itertools.product(*axes)]


def varied(overrides: Sequence[str]) -> list[str]:
    """The overrides that `-m` varies, for naming points."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [text for text, override in zip(overrides, parsed, strict=True) if override.is_sweep_override()]
