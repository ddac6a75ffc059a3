"""Log-probabilities of the end of a prompt, from a completion that echoes it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LONG_TOKEN = 32
"""Characters that a token before the scored end may have."""


@dataclass(frozen=True)
class Prompt:
    """A prompt whose end is scored."""

    context: str
    """Not scored."""
    scored: str

    @property
    def text(self) -> str:
        """The whole."""
        return self.context + self.scored


@dataclass(frozen=True)
class Echo:
    """What the model says of the scored end of a prompt."""

    total: float
    """Sum of the tokens' log-probabilities."""
    tokens: int
    early: str
    """What the first scored token holds before the scored end begins; empty where a token begins there."""


class NoEchoError(ValueError):
    """The server gives no log-probabilities of the prompt."""


def read_echo(choice: Mapping[str, Any], prompt: Prompt) -> Echo:
    """Find the scored end among the tokens of a choice.

    Every token that holds a character of it counts, whole. The tokens' own texts say where they stand, counted from the end, so
    that a begin-of-text token or a broken character earlier on does no harm; where they do not spell the prompt's end (as
    "Ġnews"), `text_offset` says it.

    Args:
        choice: of an answer to a request with `echo` and `logprobs`.
        prompt: as it was sent.

    Raises:
        NoEchoError: there are no log-probabilities of the prompt.
        ValueError: there are, but not as they must be.
    """
    tokens, values, offsets = _tokens(choice)
    spans = _spelt(tokens, prompt) or _by_offset(offsets, len(tokens), prompt)
    begin = len(prompt.context)
    places = [i for i, (start, end) in enumerate(spans) if end > begin and start < len(prompt.text) and end > start]
    if not places:
        raise NoEchoError("the log-probabilities are not those of the prompt")
    scored = [values[i] for i in places]
    if any(value is None for value in scored):
        raise NoEchoError("tokens of the prompt have no log-probability")
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in scored):
        raise ValueError(f"the log-probabilities {scored} are not numbers")
    if max(scored) > 1e-3:
        raise ValueError(f"the log-probabilities {scored} are above 0")
    start = spans[places[0]][0]
    return Echo(float(sum(scored)), len(scored), prompt.context[start:] if start < begin else "")


def _tokens(choice: Mapping[str, Any]) -> tuple[list[str], list[Any], object]:
    """Tokens, their log-probabilities, and whatever stands for their offsets."""
    told = choice.get("logprobs")
    if not isinstance(told, Mapping) or not told.get("tokens") or not told.get("token_logprobs"):
        raise NoEchoError("there are no log-probabilities of tokens")
    tokens, values = told["tokens"], told["token_logprobs"]
    if not isinstance(tokens, list) or not isinstance(values, list) or not all(isinstance(t, str) for t in tokens):
        raise ValueError("logprobs.tokens and logprobs.token_logprobs are not lists of texts and numbers")
    if len(values) != len(tokens):
        raise ValueError(f"{len(tokens)} tokens have {len(values)} log-probabilities")
    return tokens, values, told.get("text_offset")


def _spelt(tokens: Sequence[str], prompt: Prompt) -> list[tuple[int, int]]:
    """Characters of the prompt that each token holds, if the tokens, but for one that was generated, spell its end; else none."""
    whole = "".join(tokens)
    ways = [whole.removesuffix(tokens[-1]), whole]
    found = [w for w in ways if w.endswith(prompt.text)] or [w for w in ways if _near(w, prompt)]
    if not found:
        return []
    shift = len(prompt.text) - len(found[0])
    ends = list(itertools.accumulate(map(len, tokens)))
    return [(end - len(token) + shift, end + shift) for token, end in zip(tokens, ends, strict=True)]


def _near(spelt: str, prompt: Prompt) -> bool:
    """Whether the scored end and the characters right before it are there: further off a token may hold a part of a character."""
    tail = prompt.context[-8:]
    return bool(tail) and spelt.endswith(tail + prompt.scored)


def _by_offset(offsets: object, count: int, prompt: Prompt) -> list[tuple[int, int]]:
    """The same from `text_offset`; none if it does not fit the prompt."""
    if not isinstance(offsets, list) or len(offsets) != count or not all(type(o) is int for o in offsets):
        return []
    begin, end = len(prompt.context), len(prompt.text)
    # Of a completion that echoes nothing the one token may stand at 0, or behind the prompt.
    if count < 2 or offsets[0] != 0 or offsets != sorted(offsets) or not begin - _LONG_TOKEN <= offsets[-1] <= end:
        return []
    return list(itertools.pairwise([*offsets, end]))
