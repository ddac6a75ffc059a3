"""Labels by answers: an endpoint's model names one of them, once or several times. Legend: N texts, L labels."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.remote.client import Client, RefusedError
from mtl_cli.zeroshot.remote.likelihood import choices_of
from mtl_cli.zeroshot.scoring.cache import Cache
from mtl_cli.zeroshot.scoring.method import Method, Part, Scores
from mtl_cli.zeroshot.scoring.plan import Plan

log = logging.getLogger(__name__)

_CUT_STATUSES = {400, 404, 405, 415, 422, 500, 501}
"""Refusals after which the next way is tried; a server may say so of a whole path, or of one entry of the body."""


@dataclass(frozen=True)
class Way:
    """A way to have one of the labels named."""

    name: str
    path: str
    constraint: Callable[[Sequence[str]], Mapping[str, Any]]
    """The entry of the body that holds the model to the labels."""

    def body(self, question: str, names: Sequence[str]) -> dict[str, Any]:
        """What is sent, but for how the answer is drawn."""
        asked: dict[str, Any] = (
            {"messages": [{"role": "user", "content": question}]}
            if self.path.startswith("chat")
            else {"prompt": f"{question}\nLabel:"}
        )
        return {**asked, **self.constraint(names)}


def _schema(names: Sequence[str]) -> Mapping[str, Any]:
    label = {"type": "string", "enum": list(names)}
    schema = {"type": "object", "properties": {"label": label}, "required": ["label"], "additionalProperties": False}
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "label", "strict": True, "schema": schema}}
    }


WAYS = (
    Way("a JSON schema", "chat/completions", _schema),
    Way("structured_outputs.choice", "chat/completions", lambda names: {"structured_outputs": {"choice": list(names)}}),
    Way("guided_choice", "chat/completions", lambda names: {"guided_choice": list(names)}),
    Way("an instruction alone", "chat/completions", lambda _: {}),
    Way("an instruction alone, as a completion", "completions", lambda _: {}),
)
"""In the order in which they are tried: the first that the server does not refuse is taken. Whatever it is, the answer is read."""


class Answers(Method):
    """logit(x, l) = log((n_l + 1 / L) / (S + 1)), n_l of S answers being l.

    The mean of a Dirichlet posterior whose prior counts sum to one answer (Perks 1947), so that a label that was never named
    keeps a probability. One answer (S = 1) is asked for at temperature 0, several at temperature 1. An answer that is no label
    counts for none.

    Args:
        client: of the endpoint.
        cache: remembers the logits of a text under all labels.
        samples: S.
        body: added to every request; null takes an entry out.
    """

    def __init__(self, client: Client, cache: Cache | None, *, samples: int, body: Mapping[str, Any]) -> None:
        self._client, self._cache, self._samples, self._body = client, cache, samples, body
        self._way: Way | None = None
        self._asked = self._unread = 0

    @property
    def identity(self) -> str:
        """Model and endpoint."""
        return f"{self._client.model} at {self._client.url}"

    @property
    def truncated(self) -> int:
        """None: texts are cut before they come here."""
        return 0

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Logits, shape [N, L], from the counts of the answers; each label is one part."""
        names = _called(labels)
        asked = _told(labels)
        columns = [Phrase("", label.name, "") for label in labels]

        def ask(new: Sequence[str], _: Sequence[Phrase]) -> np.ndarray:
            return self._logits(new, names, asked)

        if self._cache is None:
            logits_NL = ask(texts, columns)
        else:
            shape = f"{self._samples} {sorted(self._body.items())!r} {[label.name for label in labels]!r} {asked!r}"
            signature = f"api labels {self._client.url} {self._client.model} {shape}"
            logits_NL = self._cache.filled(signature, texts, columns, ask)
        return Scores(logits_NL, tuple(Part(i, name) for i, name in enumerate(names)), logits_NL)

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """Requests, and tokens at four characters each: the endpoint alone knows its tokenizer."""
        asked = _told(labels)
        distinct = set(texts)
        tokens = sum(math.ceil(len(_question(text, asked)) / 4) for text in distinct)
        return Plan(tokens * self._samples, len(distinct) * self._samples)

    def _logits(self, texts: Sequence[str], names: Sequence[str], asked: str) -> np.ndarray:
        distinct = list(dict.fromkeys(texts))
        questions = [_question(text, asked) for text in distinct]
        if not questions:
            return np.zeros((0, len(names)))
        way = self._way = self._way or self._find_way(questions[0], names)
        bodies = [self._request(way, question, names, s) for question in questions for s in range(self._samples)]
        answers = self._client.post_all(way.path, bodies)
        counts_NL = np.zeros((len(distinct), len(names)))
        for i, answer in enumerate(answers):
            place = self._read(answer, names)
            if place is not None:
                counts_NL[i // self._samples, place] += 1
        logits_NL = np.log((counts_NL + 1 / len(names)) / (self._samples + 1))
        rows = {text: i for i, text in enumerate(distinct)}
        return logits_NL[[rows[text] for text in texts]]

    def _find_way(self, question: str, names: Sequence[str]) -> Way:
        """The first way that the server does not refuse. Raises `RefusedError` as it does if it refuses all."""
        for way in WAYS:
            try:
                choices_of(self._client, self._client.post(way.path, self._request(way, question, names, 0)))
            except RefusedError as error:
                if error.status not in _CUT_STATUSES or way is WAYS[-1]:
                    raise
            else:
                log.info("api      labels are asked for with %s", way.name)
                return way
        raise AssertionError("the last way is taken or raises")

    def _request(self, way: Way, question: str, names: Sequence[str], sample: int) -> dict[str, Any]:
        drawn = {"temperature": 0} if self._samples == 1 else {"temperature": 1, "seed": sample}
        # A label has fewer tokens than bytes; the rest is for quotes and braces.
        longest = max(len(name.encode("utf-8", "surrogatepass")) for name in names)
        body = {**way.body(question, names), "max_tokens": longest + 24, **drawn, **self._body}
        return {key: value for key, value in body.items() if value is not None}

    def _read(self, answer: Mapping[str, Any], names: Sequence[str]) -> int | None:
        """Which label the answer is; None: none of them, which is told now and then."""
        choice = choices_of(self._client, answer)[0]
        message = choice.get("message")
        said = message.get("content") if isinstance(message, dict) else choice.get("text")
        place = which_label(said, names) if isinstance(said, str) else None
        self._asked += 1
        if place is None:
            self._unread += 1
            if math.log10(self._unread).is_integer():
                told = f"{self._unread:,} of {self._asked:,} answers so far"
                log.warning("an answer is no label and counts for none (%s); it begins %r", told, str(said)[:60])
        return place


def which_label(said: str, names: Sequence[str]) -> int | None:
    """Place of the label that an answer is, written alone or as {"label": ...}, whatever its case, quotes or full stop."""
    found: Any = said.strip().strip("`").removeprefix("json").strip()
    try:
        parsed = json.loads(found)
    except ValueError:
        parsed = found
    found = parsed.get("label") if isinstance(parsed, dict) else parsed
    plain = [_plain(name) for name in names]
    given = _plain(str(found))
    return plain.index(given) if given in plain else None


def _plain(text: str) -> str:
    return text.strip().strip("\"'`*.").strip().casefold()


def _called(labels: Sequence[Label]) -> list[str]:
    """What the model calls each label: its first word. Raises `ConfigError` if answers could not be told apart."""
    names = [label.words[0].text for label in labels]
    plain = [_plain(name) for name in names]
    faults = [
        Fault(
            f"labels.{label.name}",
            f"is called '{name}', which an answer cannot tell from nothing or from another label",
        )
        for label, name, own in zip(labels, names, plain, strict=True)
        if not own or plain.count(own) > 1
    ]
    if faults:
        raise ConfigError(faults)
    return names


def _told(labels: Sequence[Label]) -> str:
    lines = [f"- {x.words[0].text}{f': {x.description}' if x.description else ''}" for x in labels]
    return "\n".join(lines)


def _question(text: str, asked: str) -> str:
    return (
        f"Which label fits the text best?\n\nLabels:\n{asked}\n\nText:\n{text}\n\n"
        "Answer with one of the labels, as it is written above, and nothing else."
    )
