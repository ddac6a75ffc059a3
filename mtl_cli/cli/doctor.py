"""`mtl doctor`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

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
    from mtl_cli.recipes.doctor import Diagnosis


_PRINTED = 20
"""Labels up to which the suggestion is printed."""


def command(
    overrides: Overrides = None,
    labels: Labels = None,
    text: TextWords = None,
    file: File = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    template: Template = None,
    multi_label: MultiLabel = False,
    prior: Prior = None,
    model: Model = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", help="Texts that are scored at most.  [default: 200]")
    ] = None,
    suggest: Annotated[
        str | None,
        typer.Option(
            "--suggest", metavar="FILE.yaml", help="Write the labels as they might be said, for --labels to read."
        ),
    ] = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a report.")] = False,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Look at labels before they are asked: what an engine cannot tell apart, does not read, or reads in another way.

    Texts are welcome (--file, --text; of standard input with --file -), labels for them are not needed. The exit code is 0
    whatever is found.

    Examples:

      mtl doctor --labels pos,neg,"not pos"

      mtl doctor --labels labels.yaml --file reviews.csv --suggest better.yaml

      mtl zeroshot --labels better.yaml --file reviews.csv
    """
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.question import DoctorQuestion
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    given = {
        "input.texts": text or None, "input.file": file, "input.text_column": text_column, "input.label_column": label_column,
        "templates": template or None, "decide.multi_label": multi_label or None, "prior": shares_of(prior), "method.path": model,
        "doctor.sample": sample, "doctor.suggest": suggest, "trust": trust or None, **labels_of(labels),
    }  # fmt: skip
    flags = {key: value for key, value in given.items() if value is not None}
    words = (*(overrides or []), *chosen_prior(prior))
    question = DoctorQuestion(words, flags, tuple(user_config_dirs(config_dir)))
    if cfg:
        print_config(question.values())
        return
    from mtl_cli.recipes.preflight import preflight_zeroshot

    preflight_zeroshot(question.config())
    quiet_libraries()
    from mtl_cli.recipes.doctor import doctor

    found = doctor(question)
    typer.echo(json.dumps(found.record(), ensure_ascii=False) if as_json else _report(found, suggest))


def _report(found: Diagnosis, suggest: str | None) -> str:
    from mtl_cli.report.doctor import findings_text, shares_text

    blocks = [findings_text(found.findings, found.left_out)]
    if found.shares:
        blocks.append(shares_text(found.shares, found.texts))
    if suggest is not None:
        blocks.append(f"the labels as they might be said are in {suggest}; edit it and give it as --labels")
    elif found.labels <= _PRINTED:
        blocks.append(
            f"the labels as they might be said (--suggest FILE.yaml writes them):\n{found.suggested.rstrip()}"
        )
    else:
        blocks.append("--suggest FILE.yaml writes the labels as they might be said, with descriptions to edit")
    return "\n\n".join(blocks)
