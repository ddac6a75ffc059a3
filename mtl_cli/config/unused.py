"""Keys that the user names and that change nothing in a zero-shot call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mtl_cli.config.schema_zeroshot import DoctorConfig, ZeroshotConfig


@dataclass(frozen=True)
class _Rule:
    keys: tuple[str, ...]
    """Dotted keys, or sections of them."""
    applies: Callable[[ZeroshotConfig], bool]
    why: str


def _texts_alone(config: ZeroshotConfig) -> bool:
    return bool(config.input.texts) and config.input.file is None and not config.tasks


_ZEROSHOT = (
    _Rule(("split", "data"), lambda c: not c.tasks, "no task is named whose rows would be read (task=NAME)"),
    _Rule(("limit",), _texts_alone, "--text names every text"),
    _Rule(("weights",), lambda _: True, "tasks are weighted in training alone"),
    _Rule(("checkpoint", "trust"), lambda c: c.run is None, "no run is named (run=outputs/X)"),
    _Rule(("backbone",), lambda c: c.run is not None, "the run brings its own encoder"),
    _Rule(("input.text_column", "input.label_column"), _texts_alone, "--text has no columns"),
    _Rule(("input.text_column",), lambda c: bool(c.tasks), "the task names its column of text"),
    _Rule(("decide.threshold",), lambda c: not c.decide.multi_label, "it is for decide.multi_label=true; else see decide.abstain"),
    _Rule(("decide.hold", "decide.confidence"), lambda c: c.decide.target_precision is None, "decide.target_precision is not set"),
    _Rule(("out.outputs", "out.if_exists"), lambda c: not c.keeps_folder, "no run folder is kept (--out NAME)"),
    _Rule(("out.if_exists",), lambda c: c.keeps_folder and c.out.name is None, "a run folder without a name is new (--out NAME)"),
    _Rule(("format",), lambda c: c.out.name is not None, "with --out the answers are written to the run folder alone"),
)  # fmt: skip

_ANSWERS = ("out", "format", "explain", "words_file", "bootstrap", "calibrate.fit", "calibrate.sample", "decide.abstain",
            "decide.target_precision", "decide.hold", "decide.confidence", "decide.threshold", "decide.curve")  # fmt: skip
"""Keys that matter to answers, of which the doctor gives none."""
_DOCTOR = (
    _Rule(_ANSWERS, lambda _: True, "the doctor looks at labels and answers no text"),
    *(rule for rule in _ZEROSHOT if not set(rule.keys) & set(_ANSWERS) and not rule.keys[0].startswith("out.")),
)


def unused_keys(config: ZeroshotConfig, given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Of the keys that are given those without effect, as (key, reason).

    Args:
        config: of the call.
        given: dotted keys.
    """
    names = list(dict.fromkeys(given))
    for rule in _DOCTOR if isinstance(config, DoctorConfig) else _ZEROSHOT:
        found = [name for name in names if any(f"{name}.".startswith(f"{key}.") for key in rule.keys)]
        if found and rule.applies(config):
            names = [name for name in names if name not in found]
            yield from ((name, rule.why) for name in found)
