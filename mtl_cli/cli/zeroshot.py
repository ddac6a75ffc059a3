"""`mtl zeroshot`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtl_cli.cli.asking import (
    File,
    LabelColumn,
    Labels,
    Model,
    MultiLabel,
    Prior,
    Template,
    TextColumn,
    TextWords,
    chosen_prior,
    labels_of,
    shares_of,
)
from mtl_cli.cli.common import ConfigDir, Debug, Overrides, Quiet, ShowConfig, Trust, print_config, quiet_libraries

if TYPE_CHECKING:
    from mtl_cli.config.question import Question
    from mtl_cli.zeroshot.answer import Answer


def command(
    overrides: Overrides = None,
    labels: Labels = None,
    text: TextWords = None,
    file: File = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    template: Template = None,
    labels_column: Annotated[
        str | None, typer.Option("--labels-column", help="Column of each row's own label set: a list or a|b.")
    ] = None,
    multi_label: MultiLabel = False,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="With --multi-label: probability that a label needs.")
    ] = None,
    prior: Prior = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Logits are divided by it.")] = None,
    fit_temperature: Annotated[
        int | None,
        typer.Option("--fit-temperature", metavar="N", help="Fit it on N gold texts, left out of the scores."),
    ] = None,
    abstain: Annotated[
        float | None, typer.Option("--abstain", metavar="P", help="No label where the top probability is below P.")
    ] = None,
    target_precision: Annotated[
        float | None,
        typer.Option("--target-precision", metavar="P", help="Abstain so that answers are right with share P."),
    ] = None,
    hold: Annotated[
        int | None,
        typer.Option("--hold", metavar="N", help="Gold texts that --target-precision is found on.  [default: 100]"),
    ] = None,
    curve: Annotated[
        str | None, typer.Option("--curve", metavar="FILE.csv", help="Write coverage and accuracy at each threshold.")
    ] = None,
    model: Model = None,
    words: Annotated[
        str | None,
        typer.Option(
            "--words",
            metavar="FILE.yaml",
            help="Write the labels with the words of verbalizer=NAME, for --labels to read.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="With each answer, the template, word or engine that spoke most for it.")
    ] = False,
    cache: Annotated[
        bool,
        typer.Option("--cache", help="Keep scores on disk: texts and labels that are scored already cost nothing."),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="NAME",
            help="Name of the run folder, which alone is printed.",
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--format", help="auto (table on a terminal, else jsonl), table or jsonl.")
    ] = None,
    multirun: Annotated[
        bool,
        typer.Option("--multirun", "-m", help="Compare: every combination of values, such as method=embed,causal."),
    ] = False,
    trust: Trust = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it would take, in tokens, passes and minutes, and stop.")
    ] = False,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Classify texts into labels that no one trained on.

    Texts come from --text, --file or standard input; answers keep their order. With gold labels, scores with intervals, a
    confusion matrix and the calibration error go to standard error.

    Examples:

      mtl zeroshot --labels pos,neg --text "What a film!"

      mtl zeroshot --labels labels.yaml --file reviews.csv > answers.jsonl

      mtl zeroshot --labels pos,neg --file gold.csv --prior pos=.8,neg=.2 --target-precision 0.95 --out NAME

      mtl zeroshot --labels sports,politics run=outputs/X < lines.txt

      mtl zeroshot -m method=embed,causal --labels pos,neg --file gold.csv    engines side by side
    """
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    given = {
        "input.texts": text or None, "input.file": file, "input.text_column": text_column, "input.label_column": label_column,
        "input.labels_column": labels_column, "templates": template or None, "format": output, "prior": shares_of(prior),
        "decide.multi_label": multi_label or None, "decide.threshold": threshold, "decide.abstain": abstain,
        "decide.target_precision": target_precision, "decide.hold": hold, "decide.curve": curve,
        "calibrate.temperature": temperature, "calibrate.fit": fit_temperature, "out.name": out,
        "explain": explain or None, "cache": cache or None, "method.path": model, "words_file": words,
        "trust": trust or None,
    }  # fmt: skip
    given.update(labels_of(labels))
    question = _question([*(overrides or []), *chosen_prior(prior)], given, config_dir)
    if estimate and not cfg:
        typer.echo(_estimated(question, multirun))
        return
    if multirun:
        from mtl_cli.cli.engines import compare

        compare(question, show=cfg)
        return
    values = question.values()
    if threshold is not None and not values["decide"]["multi_label"]:
        from mtl_cli.errors import ConfigError

        raise ConfigError("--threshold is for --multi-label. To give no answer below a probability: --abstain")
    if cfg:
        print_config(values)
        return
    checked = question.config()
    from mtl_cli.recipes.preflight import preflight_zeroshot

    preflight_zeroshot(checked)
    quiet_libraries()
    from mtl_cli.recipes.zeroshot import zeroshot

    if checked.out.name is not None:
        typer.echo(zeroshot(question, lambda _: None))
        return
    as_table = checked.format == "table" or (checked.format == "auto" and sys.stdout.isatty())
    folder = zeroshot(question, _table_writer(list(checked.labels or {})) if as_table else _write_json)
    if folder is not None and not quiet:
        typer.echo(f"answers and summary are kept in {folder}", err=True)


def _estimated(question: Question, several: bool) -> str:
    from mtl_cli.cli.engines import points_of
    from mtl_cli.config.question import Point
    from mtl_cli.report.estimate import cost_table

    points = points_of(question) if several else [Point("", question)]
    from mtl_cli.recipes.preflight import preflight_zeroshot

    for point in points:
        preflight_zeroshot(point.question.config())
    quiet_libraries()
    from mtl_cli.recipes.estimate import estimate

    return cost_table(estimate(points))


def _question(overrides: list[str], given: dict[str, Any], config_dir: str | None) -> Question:
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.question import Question

    flags = {key: value for key, value in given.items() if value is not None}
    return Question(tuple(overrides), flags, tuple(user_config_dirs(config_dir)))


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
