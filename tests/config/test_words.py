"""Words of other trainers lead to keys that are really there."""

import pytest

from mtl_cli.config.compose import compose, groups, loaded
from mtl_cli.config.words import FIELD_WORDS, WITHOUT_KEY, field_word
from mtl_cli.errors import ConfigError


def dotted(value, key=""):
    found = set()
    if isinstance(value, dict):
        for name, item in value.items():
            inner = f"{key}.{name}" if key else name
            found |= {inner} | dotted(item, inner)
    return found


@pytest.fixture(scope="module")
def known():
    """Keys and groups of each command, with a sampler and an engine that have most options."""
    given = {
        "train": ["sampler=temperature"], "eval": ["run=x"], "zeroshot": [], "affinity_run": ["run=x"], "transfer": [],
    }  # fmt: skip
    with loaded() as loader:
        names = set(groups(loader))
    return {primary: dotted(compose(primary, overrides).values) | names for primary, overrides in given.items()}


@pytest.mark.parametrize("ours", FIELD_WORDS)
def test_every_key_that_a_word_leads_to_is_there(known, ours):
    assert any(ours in keys for keys in known.values())


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("learning_rate", "optim.lr"),
        ("optim.learning_rate", "optim.lr"),
        ("num_train_epochs", "train.epochs"),
        ("max_steps", "train.steps"),
        ("per_device_train_batch_size", "batch.size"),
        ("warmup_ratio", "schedule.warmup"),
        ("weight_decay", "optim.weight_decay"),
        ("max_grad_norm", "optim.clip_norm"),
        ("gradient_accumulation_steps", "batch.micro_size"),
        ("fp16", "fabric.precision"),
        ("output_dir", "run.outputs"),
        ("model_name_or_path", "backbone.path"),
        ("max_seq_length", "data.max_length"),
        ("eval_steps", "eval.every"),
        ("save_steps", "checkpoint.every"),
        ("metric_for_best_model", "eval.select"),
        ("early_stopping_patience", "eval.patience"),
        ("data_dir", "data.root"),
        ("dataset", "task"),
        ("lr_scheduler_type", "schedule"),
    ],
)
def test_a_word_of_the_field_is_answered_with_our_key(word, ours):
    with pytest.raises(ConfigError) as caught:
        compose("train", [f"{word}=1"])
    assert str(caught.value).startswith(f"{word}: unknown key. Did you mean '{ours}'?")


@pytest.mark.parametrize("word", WITHOUT_KEY)
def test_a_word_without_a_key_gets_a_sentence_that_says_so(known, word):
    assert field_word(word, known["train"]) == WITHOUT_KEY[word]


def test_a_zero_shot_word_leads_to_the_zero_shot_key(known):
    assert field_word("candidate_labels", known["zeroshot"]) == "Did you mean 'labels'?"
    assert field_word("model_name_or_path", known["zeroshot"]) == "Did you mean 'backbone.path'?"
    assert field_word("batch_size", known["eval"]) == "Did you mean 'batch_tokens'?"
