"""Stand-ins for what a question offers its engine."""

from mtl_cli.model.backbone.tiny import byte_tokenizer
from mtl_cli.zeroshot.labels.label_set import Label, Word, make_labels
from mtl_cli.zeroshot.scoring.models import Classifier, Models
from tests.fakes import cpu


def label(name, *words, templates=("{}",), **parts):
    """A label that is called by these words, or by its name."""
    return Label(name, tuple(Word(word) for word in words or (name,)), tuple(templates), **parts)


def named(*names, template="{}"):
    """Labels that are called by their names, in one template."""
    return make_labels(dict.fromkeys(names), [template], least=1)[0]


class Asked(Models):
    """A question on a CPU, with heads that a test names."""

    def __init__(self, *heads, several=False, batch_tokens=512, max_length=128, templates=("{}",), cache=None):
        self.fabric, self.several, self.cache = cpu(), several, cache
        self.batch_tokens, self.max_length, self.templates = batch_tokens, max_length, tuple(templates)
        self._heads, self.taken = heads, []

    def encoder(self):
        raise AssertionError("this engine needs no encoder by itself")

    def member(self, overrides):
        raise AssertionError("this engine has no members")

    def heads(self):
        return self._heads

    def head(self, task):
        self.taken.append(task)
        (head,) = (head for head in self._heads if head.task == task)
        return Classifier(
            lambda inputs: inputs.padded(0).ids_BL, byte_tokenizer(64), head.classes, 64, task, lambda: task
        )
