"""`mtl doctor`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_cli.cli.asking import File, Labels, Template, TextWords, flags_of
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
    template: Template = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a report.")] = False,
    cfg: ShowConfig = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Check a label set before you spend compute: what an engine cannot tell apart, does not read, or reads in another way.

    Texts are welcome (--file, --text; of standard input with --file -), labels for them are not needed. The exit code is 0
    whatever is found.

    Examples:

      mtl doctor --labels pos,neg,"not pos"

      mtl doctor --labels labels.yaml --file reviews.csv doctor.suggest=better.yaml

      mtl zeroshot --labels better.yaml --file reviews.csv
    """
    from mtl_cli.config.paths import user_config_dirs
    from mtl_cli.config.question import DoctorQuestion
    from mtl_cli.report.console import setup_messages

    setup_messages(quiet)
    flags = flags_of(labels, text, file, template, trust=trust)
    question = DoctorQuestion(tuple(overrides or []), flags, tuple(user_config_dirs(config_dir)))
    if cfg:
        print_config(question.values())
        return
    config = question.config()
    from mtl_cli.recipes.preflight import preflight_zeroshot

    preflight_zeroshot(config)
    quiet_libraries()
    from mtl_cli.recipes.doctor import doctor

    found = doctor(question)
    typer.echo(json.dumps(found.record(), ensure_ascii=False) if as_json else _report(found, config.doctor.suggest))


def _report(found: Diagnosis, suggest: str | None) -> str:
    from mtl_cli.report.doctor import findings_text, shares_text

    blocks = [findings_text(found.findings, found.left_out)]
    if found.shares:
        blocks.append(shares_text(found.shares, found.texts))
    if suggest is not None:
        blocks.append(f"the labels as they might be said are in {suggest}; edit it and give it as --labels")
    elif found.labels <= _PRINTED:
        blocks.append(
            f"the labels as they might be said (doctor.suggest=FILE.yaml writes them):\n{found.suggested.rstrip()}"
        )
    else:
        blocks.append("doctor.suggest=FILE.yaml writes the labels as they might be said, with descriptions to edit")
    return "\n\n".join(blocks)
