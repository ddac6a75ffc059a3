"""`mtl zeroshot`: texts and labels -> scores, in the order of the texts, in constant memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtl_cli.config.question import Question
from mtl_cli.recipes.zeroshot.filling import into_folder
from mtl_cli.recipes.zeroshot.session import Session
from mtl_cli.zeroshot.decide.answer import Answer


def zeroshot(question: Question, write: Callable[[Answer], None]) -> Path | None:
    """Score every text and hand on the answers one by one; those of a file, or where it is asked for, into a run folder too.

    A run folder that was interrupted goes on behind its last whole answer, and hands on the new ones.

    Args:
        question: what is asked.
        write: takes each answer.

    Returns:
        The run folder, if there is one.

    Raises:
        ConfigError: labels, templates, engine, prior or run are not as they must be; there is a run folder of that name already,
            or one of another question.
        DataError: the input is missing or broken, or is not the one that the run began with.
        Interrupted: it was told to stop; what was answered is saved.
    """
    session = Session(question)
    if session.config.keeps_folder:
        return into_folder(session, write)
    loaded = session.load()
    for answer in loaded.answers():
        session.tally.add(answer)
        write(answer)
    loaded.report()
    return None
