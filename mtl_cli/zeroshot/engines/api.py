"""A language model behind an OpenAI-compatible endpoint. Legend: N texts, L labels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mtl_cli.errors import ConfigError, Fault
from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.remote.answers import Answers
from mtl_cli.zeroshot.remote.client import Client, Limits
from mtl_cli.zeroshot.remote.likelihood import Asking, Likelihood, Rule
from mtl_cli.zeroshot.scoring.method import Method, Scores
from mtl_cli.zeroshot.scoring.models import Models
from mtl_cli.zeroshot.scoring.plan import Plan

log = logging.getLogger(__name__)

_BLOCK = 32
"""Texts whose answers are waited for, and kept by a cache, at once."""


class ApiMethod(Method):
    """Scores by log-probabilities where the endpoint gives them, else by answers.

    Args:
        likelihood: asks for log-probabilities; None: they are not wanted.
        answers: asks for labels; None: they are not wanted, or no answer to the question that is asked.
        text_chars: characters of a text at most; the rest is cut off.
    """

    remote = scores_texts_alone = True

    def __init__(self, likelihood: Likelihood | None, answers: Answers | None, *, text_chars: int) -> None:
        self._likelihood, self._answers, self._text_chars = likelihood, answers, text_chars
        self._engine: Likelihood | Answers | None = None
        self._truncated = 0
        self.sums_tokens = likelihood is not None and likelihood.sums_tokens

    @property
    def identity(self) -> str:
        """Model and endpoint."""
        return self._planned.identity

    @property
    def truncated(self) -> int:
        """Texts that were cut so far."""
        return self._truncated

    def score(self, texts: Sequence[str], labels: Sequence[Label]) -> Scores:
        """Log-probabilities, or logarithms of shares of answers."""
        self._truncated += sum(len(text) > self._text_chars for text in texts)
        cut = self._cut(texts)
        if self._engine is None:
            self._engine = self._chosen(cut[0] if cut else "", labels)
        blocks = [cut[at : at + _BLOCK] for at in range(0, max(1, len(cut)), _BLOCK)]
        found = [self._engine.score(block, labels) for block in blocks]
        logits_NL = np.concatenate([scores.logits_NL for scores in found])
        return Scores(logits_NL, found[0].parts, np.concatenate([scores.parts_NP for scores in found]))

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """Requests and about how many tokens; before the first request log-probabilities are expected where they may be had."""
        return self._planned.plan(self._cut(texts), labels)

    def phrases_of(self, label: Label) -> tuple[Phrase, ...]:
        """Every word in every template."""
        return label.spoken

    @property
    def _planned(self) -> Likelihood | Answers:
        engine = self._engine or self._likelihood or self._answers
        assert engine is not None
        return engine

    def _cut(self, texts: Sequence[str]) -> list[str]:
        return [text[: self._text_chars] for text in texts]

    def _chosen(self, text: str, labels: Sequence[Label]) -> Likelihood | Answers:
        """Ask for log-probabilities once, and for answers if there are none."""
        if self._likelihood is None:
            assert self._answers is not None
            log.info("api      scores say how often the model named each label, not how likely the label's words are")
            return self._answers
        self._likelihood.check(labels)
        reason = self._likelihood.why_not(text, labels)
        if reason is None:
            log.info("api      scores are log-probabilities that the model gives to the labels' words behind the text")
            return self._likelihood
        if self._answers is None:
            problem = f"logprobs cannot be had, and answers do not replace them here: {reason}"
            raise ConfigError([Fault("method.answers", problem)])
        log.warning(
            "no log-probabilities of a prompt can be had (%s); the model is asked for one of the labels instead. Scores now say how "
            "often it named each label, not how likely the label's words are; templates and further words are not used. "
            "method.answers=labels asks so from the start", reason,
        )  # fmt: skip
        return self._answers


def api(
    models: Models, *, url: str | None, model: str | None, key_env: str, answers: Literal["auto", "logprobs", "labels"], rule: Rule,
    lead: str, join: str, samples: int, batch: int, parallel: int, per_minute: float | None, retries: int, timeout: float, text_chars: int,
    body: dict[str, Any],
) -> ApiMethod:  # fmt: skip
    """The engine of an endpoint.

    Args:
        models: for the cache, and whether each label is a question by itself.
        url: base of the endpoint, such as http://localhost:8000/v1.
        model: name of the model at the endpoint.
        key_env: environment variable with the key.
        answers: log-probabilities of the labels' words, labels as answers, or the first if it can be had.
        rule: sum or mean of the tokens' log-probabilities.
        lead: stands before a text, where log-probabilities are asked for.
        join: stands between a text and what is said of the label.
        samples: answers a text, where labels are asked for.
        batch: prompts a request, where log-probabilities are asked for.
        parallel: requests at once.
        per_minute: requests a minute at most.
        retries: further tries of a request that failed.
        timeout: seconds that the endpoint may be silent.
        text_chars: characters of a text at most.
        body: added to every request.

    Raises:
        ConfigError: no address or model, a number out of its range, or labels asked for where a text may have several.
    """
    least = {"samples": samples, "batch": batch, "parallel": parallel, "text_chars": text_chars}
    above = {"timeout": timeout, "per_minute": 1.0 if per_minute is None else per_minute}
    faults = [Fault(f"method.{name}", f"must be at least 1; found {n}") for name, n in least.items() if n < 1]
    faults += [Fault(f"method.{name}", f"must be above 0; found {n:g}") for name, n in above.items() if n <= 0]
    faults += [Fault("method.retries", f"must be at least 0; found {retries}")] if retries < 0 else []
    faults += [
        Fault(f"method.{name}", "is missing: method.url=http://localhost:8000/v1 method.model=NAME")
        for name, value in (("url", url), ("model", model)) if not value
    ]  # fmt: skip
    if answers == "labels" and models.several:
        faults.append(
            Fault("method.answers", "labels: one label a text is asked for; decide.multi_label=true needs logprobs")
        )
    if faults or url is None or model is None:
        raise ConfigError(faults)
    client = Client(url, model, key_env, Limits(timeout, retries, per_minute, parallel))
    likelihood = (
        Likelihood(client, models.cache, Asking(rule, lead, join, batch, body)) if answers != "labels" else None
    )
    wanted = answers != "logprobs" and not models.several
    return ApiMethod(
        likelihood, Answers(client, models.cache, samples=samples, body=body) if wanted else None, text_chars=text_chars
    )
