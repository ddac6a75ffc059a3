"""Texts and phrases as tokens for a language model that is to go on behind the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.model.lm import CausalLM
from mtl_cli.zeroshot.labels.label_set import Phrase
from mtl_cli.zeroshot.scoring.likelihood import Row
from mtl_cli.zeroshot.scoring.trie import Tokens

_PROBES = ("", "a", "A b", "1", ".", "é", ")", "語")
"""Ends of texts, behind each of which a phrase must have the same tokens."""
_MARK = "TEXT STANDS HERE"
_LEAST_ROOM = 16


class UnspokenError(ValueError):
    """A phrase has no tokens, or none of its own."""


@dataclass(frozen=True)
class Spoken:
    """A phrase behind a text."""

    before: str
    """What stands between the text and the tokens that are asked for."""
    ids: Tokens
    """The tokens that are asked for."""

    @property
    def room(self) -> int:
        """Tokens kept free for it: 16, 32, 64 ...; so a text is cut at the same place for nearly all phrases, whatever the others are."""
        room = _LEAST_ROOM
        while room < len(self.ids):
            room *= 2
        return room


@dataclass(frozen=True)
class Prompt:
    """What stands before a continuation."""

    ids: Tokens
    cut: bool
    """The text was longer than the model takes."""


class Prompts:
    """Puts texts and phrases together as a string and finds the tokens of each part.

    A phrase's tokens begin where its words begin, with the space before them: a byte-level or SentencePiece vocabulary joins the
    two. A token that holds an end of what stands before the words and their beginning is asked for as a whole.

    Args:
        model: whose tokenizer it is.
        lead: stands before the text.
        join: stands between text and phrase.
        chat: the text and what stands before the words are the user's turn in the tokenizer's chat template.
        max_length: tokens of prompt and continuation, beside the limit of the model.

    Raises:
        ConfigError: there is no chat template.
    """

    def __init__(self, model: CausalLM, *, lead: str, join: str, chat: bool, max_length: int) -> None:
        self._tokenizer, self._join = model.tokenizer, join
        self.limit = min(max_length, model.limit or max_length)
        """Tokens of prompt and continuation at most."""
        head, self._tail = self._turns() if chat else ("", "")
        self._head = head + lead
        self._special = () if chat else self._specials()
        self._strips = " " if chat else ""  # the user's turn does not end in the space before the label

    def spoken(self, phrases: Sequence[Phrase]) -> list[Spoken | UnspokenError]:
        """The tokens of each phrase, or what is wrong with it."""
        return [self._checked(phrase) for phrase in phrases]

    def prompts(self, texts: Sequence[str], before: str, room: int) -> list[Prompt]:
        """Tokens of texts with what stands behind them; a long text is cut. White space at its end is left out.

        Args:
            texts: any.
            before: of a phrase.
            room: tokens to be kept free for continuations.
        """
        stripped = [text.rstrip() for text in texts]
        encodings = self._encoded([f"{self._head}{text}{before}" for text in stripped])
        begin = len(self._head)
        found = []
        for text, e in zip(stripped, encodings, strict=True):
            ids, cut = self._fitted(e, begin, begin + len(text), self.limit - room)
            found.append(Prompt(ids or self._nothing(), cut))
        return found

    def channel(self, texts: Sequence[str], phrase: Phrase) -> list[tuple[Row, bool]]:
        """Rows in which a text is asked for behind a phrase, and whether it was cut, to the same tokens behind every phrase.

        A quarter of the limit is kept for phrases.
        """
        before = f"{phrase.text}{self._join}"
        stripped = [text.rstrip() for text in texts]
        found = []
        for text, e in zip(stripped, self._encoded([before + text for text in stripped]), strict=True):
            start = _count(e, len(before))
            most = self.limit - self.limit // 4 + start
            ids, cut = self._fitted(e, len(before), len(before) + len(text), most + len(self._special))
            start += len(self._special)
            found.append((Row(ids, start) if start else Row((*self._nothing(), *ids), 1), cut))
        return found

    def most(self, spoken: Spoken) -> int:
        """Tokens that a phrase may have, so that a text of one token has a place."""
        fixed = len(self._special) + len(self._encoded([f"{self._head}{spoken.before}"])[0].ids)
        return self.limit - fixed - 1

    def _encoded(self, texts: Sequence[str]) -> list[Any]:
        if not texts:
            return []
        encodings: list[Any] = self._tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        ).encodings
        return encodings

    def _checked(self, phrase: Phrase) -> Spoken | UnspokenError:
        context = f"{self._join}{phrase.before.rstrip(self._strips)}{self._tail}"
        whole = f"{context}{phrase.words}{phrase.after}"
        begin = len(self._head) + 1
        (e,) = self._encoded([f"{self._head}a{whole}"])
        words = (begin + len(context), begin + len(context) + len(phrase.words))
        if not any(a < words[1] and b > words[0] for a, b in e.offsets):
            return UnspokenError(
                f"{phrase.words!r} is nothing to the model's tokenizer; give words for it: LABEL=words"
            )
        first = next(i for i, (_, end) in enumerate(e.offsets) if end > begin + len(context.rstrip(" ")))
        split = e.offsets[first - 1][1] - begin if first else -1
        if split < 0:
            return UnspokenError(f"{phrase.words!r} runs into the text before it; {_REMEDY}")
        found = Spoken(whole[:split], tuple(e.ids[first:]))
        return (
            found
            if self._same_behind_all(found, whole)
            else UnspokenError(f"{phrase.words!r} has other tokens behind other texts; {_REMEDY}")
        )

    def _same_behind_all(self, spoken: Spoken, whole: str) -> bool:
        apart = self._encoded([f"{self._head}{probe}{spoken.before}" for probe in _PROBES])
        joined = self._encoded([f"{self._head}{probe}{whole}" for probe in _PROBES])
        return all((*a.ids, *spoken.ids) == tuple(b.ids) for a, b in zip(apart, joined, strict=True))

    def _fitted(self, encoding: Any, begin: int, end: int, most: int) -> tuple[Tokens, bool]:
        """Token ids, at most so many, without some of those between two characters if need be."""
        ids = encoding.ids
        over = len(self._special) + len(ids) - most
        if over <= 0:
            return (*self._special, *ids), False
        first, last = _count(encoding, begin), _count(encoding, end)
        over = min(over, last - first)
        a, b = (first, first + over) if self._tokenizer.truncation_side == "left" else (last - over, last)
        return (*self._special, *ids[:a], *ids[b:]), over > 0

    def _specials(self) -> Tokens:
        """What the tokenizer puts before a text."""
        plain, whole = self._encoded(["a"])[0].ids, self._tokenizer("a")["input_ids"]
        at = next(i for i in range(len(whole)) if whole[i : i + len(plain)] == plain)
        return tuple(whole[:at])

    def _nothing(self) -> Tokens:
        """Something to go on from where there is nothing: the beginning of a text, else the end of the one before."""
        given = (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id, 0)
        return (next(token for token in given if token is not None),)

    def _turns(self) -> tuple[str, str]:
        """What the chat template puts before and behind the user's words."""
        key = "method.chat"
        if not self._tokenizer.chat_template:
            raise ConfigError([Fault(key, "the model's tokenizer has no chat template; give method.chat=false")])
        turns = [{"role": "user", "content": _MARK}]
        rendered = str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        head, mark, tail = rendered.partition(_MARK)
        if not mark or _MARK in tail:
            raise ConfigError(
                [Fault(key, "the chat template does not hold the user's words once; give method.chat=false")]
            )
        return head, tail


_REMEDY = "put a word or a line break before it: --template 'Topic: {}', or method.join"


def _count(encoding: Any, end: int) -> int:
    """Tokens that end at a character or before it."""
    return int(np.searchsorted([b for _, b in encoding.offsets], end, side="right"))
