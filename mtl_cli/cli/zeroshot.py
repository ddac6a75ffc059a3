"""`mtl zeroshot`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtl_cli.cli.common import ConfigDir, Debug, Overrides, Quiet, ShowConfig, composed, print_config, quiet_libraries

if TYPE_CHECKING:
    from mtl_cli.recipes.zeroshot import Answer


def command(
    overrides: Overrides = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", "-l", help="pos,neg or pos=positive,neg=negative or a YAML file of label: text."),
    ] = None,
    text: Annotated[list[str] | None, typer.Option("--text", "-t", help="A text; may be given several times.")] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", help="Texts: .txt (one a line), .csv, .tsv, .jsonl, .parquet; - for standard input."
        ),
    ] = None,
    text_column: Annotated[
        str | None, typer.Option("--text-column", help="Column of the text.  [default: text]")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option("--label-column", help="Column of gold labels.  [default: label, if there]")
    ] = None,
    template: Annotated[
        list[str] | None, typer.Option("--template", help="Such as 'This text is about {}.'; several are averaged.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--format", help="auto (table on a terminal, else jsonl), table or jsonl.")
    ] = None,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Classify texts into labels that no one trained on.

    Texts come from --text, --file or standard input; answers keep their order. With gold labels, accuracy and macro-F1 go to
    standard error.

    Examples:

      mtl zeroshot --labels pos,neg --text "What a film!"

      mtl zeroshot --labels labels.yaml --file reviews.csv > answers.jsonl

      mtl zeroshot --labels sports,politics run=outputs/X < lines.txt
    """
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    config = composed("zeroshot", overrides, config_dir)
    _apply(config.values, labels, text, file, text_column, label_column, template, output)
    if cfg:
        print_config(config.values)
        return
    from mtl_cli.config.read import read
    from mtl_cli.config.schema import ZeroshotConfig

    checked = read(ZeroshotConfig, config.values)
    quiet_libraries()
    from mtl_cli.recipes.zeroshot import zeroshot

    as_table = checked.format == "table" or (checked.format == "auto" and sys.stdout.isatty())
    zeroshot(checked, _table_writer(list(checked.labels or {})) if as_table else _write_json)


def _apply(
    values: dict[str, Any], labels: str | None, text: list[str] | None, file: str | None, text_column: str | None, label_column: str | None,
    template: list[str] | None, output: str | None,
) -> None:  # fmt: skip
    """Write flags into the composed config: their words may hold what an override's grammar does not allow."""
    if labels is not None:
        from mtl_cli.zeroshot.labels import parse_labels

        values["labels"] = parse_labels(labels)
    given = {"texts": text or None, "file": file, "text_column": text_column, "label_column": label_column}
    values["input"].update({name: value for name, value in given.items() if value is not None})
    values.update(
        {name: value for name, value in (("templates", template or None), ("format", output)) if value is not None}
    )


def _write_json(answer: Answer) -> None:
    record = {"text": answer.text, "label": answer.label, "scores": {n: round(p, 6) for n, p in answer.scores.items()}}
    if answer.gold is not None:
        record["gold"] = answer.gold
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _table_writer(names: list[str]) -> Callable[[Answer], None]:
    """Rows as they come: the best label with its score, the runner-up, the text."""
    width = max(5, *map(len, names))
    head = f"{'label':<{width}}  score  {'next':<{width}}  score  text"
    lines = [head, "-" * len(head)]

    def write(answer: Answer) -> None:
        # Not before there is an answer: what is refused leaves standard output empty.
        while lines:
            sys.stdout.write(f"{lines.pop(0)}\n")
        first, second = sorted(answer.scores.items(), key=lambda item: -item[1])[:2]
        shown = " ".join(answer.text.split())
        shown = shown if len(shown) <= 80 else shown[:79] + "…"
        sys.stdout.write(f"{first[0]:<{width}}  {first[1]:.3f}  {second[0]:<{width}}  {second[1]:.3f}  {shown}\n")

    return write
