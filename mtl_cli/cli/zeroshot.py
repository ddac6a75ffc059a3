"""`mtl zeroshot`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_cli.cli.asking import File, Labels, Template, TextWords, flags_of
from mtl_cli.cli.common import ConfigDir, Debug, Overrides, Quiet, ShowConfig, Trust, print_config, quiet_libraries
from mtl_cli.cli.engines import compare, points_of

if TYPE_CHECKING:
    from mtl_cli.config.question import Question
    from mtl_cli.zeroshot.decide.answer import Answer

Out = Annotated[
    str | None, typer.Option("--out", "-o", metavar="NAME", help="Name of the run folder, which alone is printed.")
]
Compare = Annotated[
    bool, typer.Option("--multirun", "-m", help="Compare: every combination of values, such as method=embed,causal.")
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Say what it would take, in tokens, passes and minutes, and stop.")
]


def command(
    overrides: Overrides = None,
    labels: Labels = None,
    text: TextWords = None,
    file: File = None,
    template: Template = None,
    out: Out = None,
    multirun: Compare = False,
    estimate: Estimate = False,
    trust: Trust = False,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Classify texts into labels that the model was not trained on.

    Texts come from --text, --file or standard input; answers keep their order. With gold labels, scores with intervals, a
    confusion matrix and the calibration error go to standard error.

    Examples:

      mtl zeroshot --labels pos,neg --text "What a film!"

      mtl zeroshot --labels pos,neg --file gold.csv prior=uniform decide.target_precision=0.85 --out NAME

      mtl zeroshot --labels sports,politics run=outputs/X < lines.txt

      mtl zeroshot -m method=embed,causal --labels pos,neg --file gold.csv    engines side by side
    """
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.question import Question
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    flags = flags_of(labels, text, file, template, trust=trust, out=out)
    question = Question(tuple(overrides or []), flags, tuple(user_config_dirs(config_dir)))
    if estimate and not cfg:
        typer.echo(_estimated(question, multirun))
    elif multirun:
        compare(question, show=cfg)
    elif cfg:
        print_config(question.values())
    else:
        _answer(question, quiet)


def _answer(question: Question, quiet: bool) -> None:
    """Answer the texts: to standard output, or to a named run folder, which is then printed."""
    config = question.config()
    from mtl_cli.recipes.preflight import preflight_zeroshot

    preflight_zeroshot(config)
    quiet_libraries()
    from mtl_cli.recipes.zeroshot.run import zeroshot

    if config.out.name is not None:
        typer.echo(zeroshot(question, lambda _: None))
        return
    as_table = config.format == "table" or (config.format == "auto" and sys.stdout.isatty())
    folder = zeroshot(question, _table_writer(list(config.labels or {})) if as_table else _write_json)
    if folder is not None and not quiet:
        typer.echo(f"answers and summary are kept in {folder}", err=True)


def _estimated(question: Question, several: bool) -> str:
    from mtl_cli.config.question import Point
    from mtl_cli.report.estimate import cost_table

    points = points_of(question) if several else [Point("", question)]
    from mtl_cli.recipes.preflight import preflight_zeroshot

    for point in points:
        preflight_zeroshot(point.question.config())
    quiet_libraries()
    from mtl_cli.recipes.estimate import estimate

    return cost_table(estimate(points))


def _write_json(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer.record(), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _table_writer(names: list[str]) -> Callable[[Answer], None]:
    """Rows as they come: what was answered, the two best labels with their scores, the text."""
    width = max(5, *map(len, names), 5)
    head = f"{'label':<{width}}  score  {'next':<{width}}  score  text"
    lines = [head, "-" * len(head)]

    def write(answer: Answer) -> None:
        # Not before there is an answer: what is refused leaves standard output empty.
        while lines:
            sys.stdout.write(f"{lines.pop(0)}\n")
        ranked = sorted(answer.scores.items(), key=lambda item: -item[1])
        given = {*(answer.decided.labels or ()), answer.decided.label}
        cells = [f"{name if i or name in given else '-':<{width}}  {p:.3f}" for i, (name, p) in enumerate(ranked[:2])]
        cells += [" " * (width + 7)] * (2 - len(cells))
        shown = " ".join(answer.text.split())
        sys.stdout.write(f"{'  '.join(cells)}  {shown if len(shown) <= 80 else shown[:79] + '…'}\n")

    return write
