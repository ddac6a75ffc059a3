"""`mtl zeroshot -m`: every combination of values on the same texts; each point is a run in OUTPUTS/<out.name>/<point>."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from mtl_cli.cli.common import print_config, quiet_libraries
from mtl_cli.cli.sweep import point_name

if TYPE_CHECKING:
    from mtl_cli.config.question import Point, Question


def points_of(question: Question) -> list[Point]:
    """Every point, each with a run folder below that of the comparison.

    Raises:
        ConfigError: nothing is varied, or the run folder is; an override is not in Hydra's grammar.
    """
    from mtl_cli.config.question import Point
    from mtl_cli.config.sweep import points, varied
    from mtl_cli.errors import ConfigError
    from mtl_cli.runs.folder import default_name

    axes = varied(question.overrides)
    if not axes:
        raise ConfigError("-m: no override has several values, such as method=embed,nli")
    keys = [axis.partition("=")[0].lstrip("+") for axis in axes]
    if any(key.partition(".")[0] == "out" for key in keys):
        raise ConfigError("-m: the run folder's own keys cannot be varied; each point gets a name of its own")
    found: list[Point] = []
    name = ""
    for chosen in points(question.overrides):
        one = replace(question, overrides=tuple(chosen))
        name = name or str(one.values()["out"]["name"] or default_name("zeroshot"))
        shown = " ".join(text for text in chosen if text.partition("=")[0].lstrip("+") in keys)
        skip = {} if any(text.startswith("out.if_exists=") for text in chosen) else {"out.if_exists": "skip"}
        flags = {**one.flags, "out.name": f"{name}/{point_name(chosen, keys)}", **skip}
        found.append(Point(shown, replace(one, flags=flags)))
    return found


def compare(question: Question, *, show: bool) -> None:
    """Answer every point; the table goes to standard error, the folder alone to standard output."""
    points = points_of(question)
    if show:
        for point in points:
            typer.echo("---")
            print_config(point.question.values())
        return
    first = points[0].question.config()
    from mtl_cli.recipes.preflight import preflight_zeroshot

    for point in points:
        preflight_zeroshot(point.question.config())
    quiet_libraries()
    from mtl_cli.config.paths import outputs_dir
    from mtl_cli.recipes.zeroshot.compare import compare_engines
    from mtl_cli.report.engines import engine_table

    folder = (outputs_dir(first.out.outputs) / str(first.out.name)).parent
    found = compare_engines(points, folder)
    typer.echo(
        engine_table(found) if found else "the points lie side by side; several labels a text are not compared",
        err=True,
    )
    typer.echo(folder)
