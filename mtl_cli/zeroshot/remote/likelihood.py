"""How likely an endpoint's model finds the words of a label behind a text. Legend: N texts, H phrases."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.remote.client import Client, RefusedError
from mtl_cli.zeroshot.remote.echo import Echo, NoEchoError, Prompt, read_echo
from mtl_cli.zeroshot.scoring.cache import Cache
from mtl_cli.zeroshot.scoring.method import PhraseMethod, any_word, best_word
from mtl_cli.zeroshot.scoring.plan import Plan

log = logging.getLogger(__name__)

Rule = Literal["sum", "mean"]


@dataclass(frozen=True)
class Asking:
    """How an endpoint is asked for log-probabilities."""

    rule: Rule
    """Sum or mean of the tokens' log-probabilities."""
    lead: str
    """Stands before a text."""
    join: str
    """Stands between a text and what is said of the label."""
    batch: int
    """Prompts a request."""
    body: Mapping[str, Any]
    """Added to every request; null takes an entry out."""


class Likelihood(PhraseMethod):
    """score(x, phrase) = log p(words, what follows them | lead, text, join, what stands before them), a sum or mean over tokens.

    The prompts are echoed with their log-probabilities; one more token is generated, since not every server takes 0, and is
    left out. White space before the words belongs to them, as in most tokenizers.

    Args:
        client: of the endpoint.
        cache: remembers scores.
        asking: how it is asked.
    """

    scores_texts_alone = True

    def __init__(self, client: Client, cache: Cache | None, asking: Asking) -> None:
        super().__init__(cache, spoken=True)
        self._client, self._asking = client, asking
        self.sums_tokens = asking.rule == "sum"
        self._warned = False

    @property
    def identity(self) -> str:
        """Model and endpoint."""
        return f"{self._client.model} at {self._client.url}"

    @property
    def truncated(self) -> int:
        """None: texts are cut before they come here."""
        return 0

    @property
    def signature(self) -> str:
        """Endpoint, model, rule and shape of the prompt."""
        asking = self._asking
        said = f"{asking.rule} {asking.lead!r} {asking.join!r} {sorted(asking.body.items())!r}"
        return f"api logprobs {self._client.url} {self._client.model} {said}"

    def check(self, labels: Sequence[Label]) -> None:
        """Raise `ConfigError` for a label without words."""
        empty = [label.name for label in labels if any(not phrase.words.strip() for phrase in label.spoken)]
        if empty:
            raise ConfigError(
                [Fault(f"labels.{name}", f"has no words that could be likely: {name}=words") for name in empty]
            )

    def why_not(self, text: str, labels: Sequence[Label]) -> str | None:
        """Ask once whether the endpoint can do this; the reason if it cannot. Raises `RunError` if it does not answer."""
        prompt = self._prompt(text, labels[0].spoken[0])
        try:
            self._read(self._client.post("completions", self._body([prompt])), [prompt])
        except RefusedError as error:
            return error.told
        except NoEchoError as error:
            return str(error)
        return None

    def score_phrases(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """Sum or mean of log-probabilities; a prompt that stands twice is asked for once."""
        prompts = [self._prompt(text, phrase) for text in texts for phrase in phrases]
        distinct = list(dict.fromkeys(prompts))
        size = self._asking.batch
        batches = [distinct[at : at + size] for at in range(0, len(distinct), size)]
        answers = self._client.post_all("completions", [self._body(batch) for batch in batches])
        found: dict[Prompt, float] = {}
        for batch, answer in zip(batches, answers, strict=True):
            try:
                echoes = self._read(answer, batch)
            except NoEchoError as error:
                raise self._client.wrong(str(error), answer) from None
            self._tell_early(batch, echoes)
            found |= {prompt: self._score(echo) for prompt, echo in zip(batch, echoes, strict=True)}
        return np.array([found[prompt] for prompt in prompts], np.float64).reshape(len(texts), len(phrases))

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """Any of the words in a template, of means over tokens the best word; the mean over templates."""
        return any_word(scores_NH, phrases) if self.sums_tokens else best_word(scores_NH, phrases)

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """Requests, and tokens at four characters each: the endpoint alone knows its tokenizer."""
        prompts = {self._prompt(t, phrase) for t in texts for label in labels for phrase in label.spoken}
        tokens = sum(math.ceil(len(prompt.text) / 4) for prompt in prompts)
        return Plan(tokens, math.ceil(len(prompts) / self._asking.batch))

    def _prompt(self, text: str, phrase: Phrase) -> Prompt:
        before = phrase.before.rstrip()
        space = phrase.before[len(before) :]
        return Prompt(f"{self._asking.lead}{text}{self._asking.join}{before}", f"{space}{phrase.words}{phrase.after}")

    def _body(self, prompts: Sequence[Prompt]) -> dict[str, Any]:
        texts = [prompt.text for prompt in prompts]
        asked = {
            "prompt": texts if len(texts) > 1 else texts[0],
            "echo": True,
            "logprobs": 1,
            "max_tokens": 1,
            "temperature": 0,
        }
        return {key: value for key, value in {**asked, **self._asking.body}.items() if value is not None}

    def _read(self, answer: Mapping[str, Any], prompts: Sequence[Prompt]) -> list[Echo]:
        choices = choices_of(self._client, answer)
        if len(choices) != len(prompts):
            hint = ". If it takes one prompt a request: method.batch=1" if len(prompts) > 1 else ""
            raise self._client.wrong(f"{len(prompts)} prompts got {len(choices)} choices{hint}", answer)
        order = sorted(choices, key=lambda choice: int(choice.get("index") or 0))
        try:
            return [read_echo(choice, prompt) for choice, prompt in zip(order, prompts, strict=True)]
        except NoEchoError:
            raise
        except ValueError as error:
            raise self._client.wrong(str(error), answer) from None

    def _score(self, echo: Echo) -> float:
        return echo.total if self._asking.rule == "sum" else echo.total / echo.tokens

    def _tell_early(self, prompts: Sequence[Prompt], echoes: Sequence[Echo]) -> None:
        """Say once that a token holds the end of the context and the beginning of the label."""
        for prompt, echo in zip(prompts, echoes, strict=True):
            if echo.early and not self._warned:
                self._warned = True
                log.warning(
                    "the model's token at the beginning of %r also holds %r from before it; it is scored whole, so labels whose tokens "
                    "begin elsewhere compare unevenly. A template with a space before {} avoids it", prompt.scored, echo.early,
                )  # fmt: skip


def choices_of(client: Client, answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The choices of an answer. Raises `RunError` if there are none."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise client.wrong("it has no choices", answer)
    return choices
