"""Arguments of the commands that ask about labels, and how they become a question."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Labels = Annotated[
    str | None,
    typer.Option("--labels", "-l", help="pos,neg or pos=positive,neg=negative or a YAML file of label: text."),
]
TextWords = Annotated[list[str] | None, typer.Option("--text", "-t", help="A text; may be given several times.")]
File = Annotated[
    str | None,
    typer.Option("--file", "-f", help="Texts: .txt (one a line), .csv, .tsv, .jsonl, .parquet; - for standard input."),
]
TextColumn = Annotated[str | None, typer.Option("--text-column", help="Column of the text.  [default: text]")]
LabelColumn = Annotated[
    str | None, typer.Option("--label-column", help="Column of gold labels.  [default: label, if there]")
]
Template = Annotated[
    list[str] | None, typer.Option("--template", help="Such as 'This text is about {}.'; several are averaged.")
]
MultiLabel = Annotated[bool, typer.Option("--multi-label", help="Any number of labels a text.")]
Prior = Annotated[
    str | None, typer.Option("--prior", help="Shares of the labels: none, uniform, pos=.8,neg=.2, em or sample.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="Folder or hub id of a model; the engine that fits it is chosen."),
]


def labels_of(labels: str | None) -> dict[str, Any]:
    """What --labels says, as a flag of a question; nothing if it was not given."""
    if labels is None:
        return {}
    from mtl_cli.zeroshot.labels import parse_labels

    return {"labels": parse_labels(labels)}


def chosen_prior(prior: str | None) -> list[str]:
    """A prior by its name, as an override; shares are no name."""
    return [f"prior={prior}"] if prior is not None and "=" not in prior else []


def shares_of(prior: str | None) -> dict[str, Any] | None:
    """`pos=.8,neg=.2` as the prior of these shares; a label with a comma is put in double quotes, as in --labels."""
    if prior is None or "=" not in prior:
        return None
    from mtl_cli.errors import ConfigError, Fault
    from mtl_cli.zeroshot.labels import split_entries

    pairs = [entry.rpartition("=") for entry in split_entries(prior, "--prior")]
    shares: dict[str, float] = {}
    faults = []
    for name, _, share in pairs:
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            faults.append(
                Fault(
                    "--prior", f"the share of '{name or share}' must be a number, as in pos=.8,neg=.2; found '{share}'"
                )
            )
    if faults:
        raise ConfigError(faults)
    return {"name": "shares", "shares": shares}
