"""`mtl help`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def command(topic: Annotated[str | None, typer.Argument(help="One of those that `mtl help` lists.")] = None) -> None:
    """Explain a topic: how a job is done, what there is to choose from, what a key means.

    Formatted on a terminal, Markdown elsewhere. Options of your own are in the tables if MTL_CONFIGS names their folder.

    Examples:

      mtl help               the topics, with a line each

      mtl help weighting     all weightings, with their keys
    """
    from mtl_cli.cli.topics import markdown
    from mtl_cli.config.paths import user_config_dirs

    if topic is None:
        typer.echo(_listed())
        return
    text = markdown(topic, user_config_dirs(None))
    if not sys.stdout.isatty():
        typer.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(file=sys.stdout).print(Markdown(text))


def _listed() -> str:
    from mtl_cli.cli.topics import all_topics

    topics = all_topics()
    width = max(len(topic.name) for topic in topics)
    lines = [f"{topic.name:<{width}}  {topic.about}" for topic in topics]
    return "\n".join([*lines, "", "mtl help TOPIC shows one; mtl COMMAND --help lists the flags of a command."])
