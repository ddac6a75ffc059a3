"""Natural-language inference: does a text entail a sentence about a label? Legend: N texts, L labels, H sentences, C classes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from mtl_cli.errors import ConfigError, Fault, did_you_mean
from mtl_cli.model.classifier import load_classifier
from mtl_cli.zeroshot.labels.label_set import Label, Phrase
from mtl_cli.zeroshot.scoring.method import PhraseMethod, best_word
from mtl_cli.zeroshot.scoring.models import Classifier, Head, Layout, Models, weights_digest
from mtl_cli.zeroshot.scoring.packed import PackedPairs
from mtl_cli.zeroshot.scoring.pairs import Pairs, PairScorer
from mtl_cli.zeroshot.scoring.pieces import Pieces
from mtl_cli.zeroshot.scoring.plan import Plan

log = logging.getLogger(__name__)

_SCORERS: Mapping[Layout, type[PairScorer]] = {"joint": Pairs, "packed": PackedPairs}


class NliMethod(PhraseMethod):
    """logit(x, l) = z_entailment(x, h_l), less z_contradiction(x, h_l) if asked for (Yin et al. 2019); h_l are the label's phrases.

    Of a label's words the one that is entailed most counts, and of its templates and its description the mean. A pair that is too
    long loses tokens of the text, never of the label.

    Args:
        models: what there is to build from: the heads of a run.
        path: a sequence classifier, as a folder or an id on the hub; None: a head of the run.
        task: whose head; None: the only one with a class "entailment", or of several the only packed one.
        entailment: name or number of the entailment class; None: found by its name.
        contradiction: subtract the logit of contradiction, or of the other class where there are two; None: where each label is
            a question by itself, since one logit alone says nothing then.

    Raises:
        ConfigError: no model, or two; the class of entailment, or of contradiction, cannot be known.
    """

    def __init__(
        self, models: Models, *, path: str | None, task: str | None, entailment: int | str | None, contradiction: bool | None
    ) -> None:  # fmt: skip
        super().__init__(models.cache, spoken=False)
        model = _hub(models, path, task) if path is not None else _of_run(models, task, entailment)
        self._entailment = _entailment(model, entailment)
        less = models.several if contradiction is None else contradiction
        self._contradiction = _contradiction(model, self._entailment) if less else None
        self._pairs = _SCORERS[model.layout](
            model, models.fabric, max_length=models.max_length, batch_tokens=models.batch_tokens
        )
        self._identity = model.identity
        self._digest = model.digest
        self._known: tuple[tuple[Label, ...], dict[Phrase, np.ndarray]] | None = None

    @property
    def identity(self) -> str:
        """The model."""
        return self._identity

    @property
    def signature(self) -> str:
        """Weights, classes and lengths."""
        return f"nli {self._digest()} {self._entailment} {self._contradiction} {self._pairs.max_length}"

    @property
    def truncated(self) -> int:
        """Texts that were cut so far."""
        return self._pairs.truncated

    def check(self, labels: Sequence[Label]) -> None:
        """Raise `ConfigError` for a label without tokens, or with more than the model takes."""
        key = tuple(labels)
        if self._known is not None and self._known[0] == key:
            return
        told = [(label.name, phrase) for label in labels for phrase in label.phrases]
        found = self._pairs.tokenised([phrase.text for _, phrase in told])
        limit = self._pairs.second_limit
        faults = [
            Fault(
                f"labels.{name}", _no_tokens(phrase.text) if not len(ids) else _too_long(phrase.text, len(ids), limit)
            )
            for (name, phrase), ids in zip(told, found, strict=True)
            if not 0 < len(ids) <= limit
        ]
        if faults:
            raise ConfigError(faults)
        self._known = (key, {phrase: ids for (_, phrase), ids in zip(told, found, strict=True)})

    def scores_phrases_alone(self, texts: Sequence[str]) -> bool:
        """As pairs are put into batches."""
        return self._pairs.scores_seconds_alone(len(texts))

    def score_phrases(self, texts: Sequence[str], phrases: Sequence[Phrase]) -> np.ndarray:
        """Logit of entailment, less that of contradiction where it is asked for."""
        logits_NHC = self._pairs(texts, self._ids(phrases))
        found_NH = logits_NHC[:, :, self._entailment]
        return found_NH if self._contradiction is None else found_NH - logits_NHC[:, :, self._contradiction]

    def combine(self, scores_NH: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
        """The best word of each template, the mean over templates."""
        return best_word(scores_NH, phrases)

    def plan(self, texts: Sequence[str], labels: Sequence[Label]) -> Plan:
        """One row a text and phrase."""
        self.check(labels)
        return self._pairs.plan(texts, self._ids([phrase for label in labels for phrase in label.phrases]))

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """By the model's tokenizer."""
        return self._pairs.pieces(texts)

    def _ids(self, phrases: Sequence[Phrase]) -> list[np.ndarray]:
        assert self._known is not None, "`check` comes first"
        return [self._known[1][phrase] for phrase in phrases]


def _no_tokens(text: str) -> str:
    return f"{text!r} is nothing to the model's tokenizer; give words for it: LABEL=words"


def _too_long(text: str, tokens: int, limit: int) -> str:
    return f"'{text:.40}...' has {tokens} tokens; beside a text there is room for {max(0, limit)} (max_length, or the model's own)"


def _hub(models: Models, path: str, task: str | None) -> Classifier:
    if models.heads():
        raise ConfigError([Fault("method.path", "names a model, and run another: give one of them")])
    if task is not None:
        raise ConfigError([Fault("method.task", "names a head of a run; method.path names a model that has one head")])
    found = load_classifier(path, "method.path")
    models.fabric.to_device(found.model).eval()
    return Classifier(
        found, found.tokenizer, found.classes, found.limit, path, functools.partial(weights_digest, found.model)
    )


def _of_run(models: Models, task: str | None, entailment: int | str | None) -> Classifier:
    heads = models.heads()
    if not heads:
        problem = "nli needs a model that was trained on entailment: method.path=FOLDER (or an id on the hub), or run=outputs/X"
        raise ConfigError([Fault("method.path", problem)])
    if task is None:
        fitting = _preferred([head for head in heads if head.pairs and _named(head.classes, "entail")])
        if len(fitting) != 1:
            found = "several heads tell" if fitting else "none of its heads tells"
            problem = f"{found} entailment in pairs of texts by the names of the classes. Give method.task=NAME"
            raise ConfigError([Fault("method.task", f"{problem}; the run has {_told(heads)}")])
        return models.head(fitting[0].task)
    named = {name: head for head in heads for name in (*head.tasks, head.task)}
    if task not in named:
        raise ConfigError([Fault("method.task", f"the run has no head '{task}'. {did_you_mean(task, named)}")])
    head = named[task]
    if not head.pairs or not head.classes or (entailment is None and not _named(head.classes, "entail")):
        raise ConfigError(
            [Fault("method.task", f"'{task}' does not tell entailment in pairs of texts; the run has {_told(heads)}")]
        )
    return models.head(head.task)


def _preferred(fitting: Sequence[Head]) -> Sequence[Head]:
    """Of several heads the packed one, if there is one alone."""
    packed = [head for head in fitting if head.layout == "packed"]
    if len(fitting) < 2 or len(packed) != 1:
        return fitting
    others = ", ".join(head.task for head in fitting if head is not packed[0])
    log.info(
        "head     %s, since it is packed: one pass for all labels. method.task takes another: %s",
        packed[0].task,
        others,
    )
    return packed


def _told(heads: Sequence[Head]) -> str:
    return "; ".join(
        f"{head.task} ({'pair' if head.pairs else 'one text'}: {', '.join(head.classes[:8]) or 'a number'})" for head in heads
    )  # fmt: skip


def _named(classes: Sequence[str], begin: str) -> list[int]:
    return [i for i, name in enumerate(classes) if name.strip().lower().startswith(begin)]


def _entailment(model: Classifier, given: int | str | None) -> int:
    key, names = "method.entailment", ", ".join(f"{i} {name}" for i, name in enumerate(model.classes[:20]))
    if len(model.classes) < 2:
        raise ConfigError([Fault(key, f"{model.identity} has one output; entailment needs a class beside it")])
    if given is None:
        found = _named(model.classes, "entail")
        if len(found) != 1:
            problem = f"which class is entailment cannot be told by name: {model.identity} has {names}"
            raise ConfigError([Fault(key, f"{problem}. Give method.entailment=NUMBER if you know it")])
        return found[0]
    if isinstance(given, str) and given in model.classes:
        return model.classes.index(given)
    if isinstance(given, int) and 0 <= given < len(model.classes):
        return given
    raise ConfigError([Fault(key, f"{model.identity} has no class {given}; it has {names}")])


def _contradiction(model: Classifier, entailment: int) -> int:
    if len(model.classes) == 2:
        return 1 - entailment
    found = [i for i in _named(model.classes, "contra") if i != entailment]
    if len(found) != 1:
        problem = (
            f"which class is contradiction cannot be told by name: {model.identity} has {', '.join(model.classes[:20])}"
        )
        raise ConfigError([Fault("method.contradiction", f"{problem}. Give method.contradiction=false")])
    return found[0]
