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
Template = Annotated[
    list[str] | None, typer.Option("--template", help="Such as 'This text is about {}.'; several are averaged.")
]


def flags_of(
    labels: str | None,
    texts: list[str] | None,
    file: str | None,
    templates: list[str] | None,
    *,
    trust: bool,
    out: str | None = None,
) -> dict[str, Any]:
    """The flags that are given, by the keys that they set."""
    given: dict[str, Any] = {
        "input.texts": texts or None, "input.file": file, "templates": templates or None, "trust": trust or None,
        "out.name": out,
    }  # fmt: skip
    if labels is not None:
        from mtl_cli.zeroshot.labels.label_set import parse_labels

        given["labels"] = parse_labels(labels)
    return {key: value for key, value in given.items() if value is not None}
