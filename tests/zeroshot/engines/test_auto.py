import json

import pytest

from mtl_cli.errors import ConfigError
from mtl_cli.zeroshot.engines.auto import Auto
from mtl_cli.zeroshot.scoring.models import Head
from tests.zeroshot.fakes import Asked

ENTAILMENT = ("entailment", "not_entailment")


def means(*heads, path=None):
    return Auto(Asked(*heads), path=path).means()


def saved(folder, architecture, model_type="bert", **config):
    (folder / "config.json").write_text(
        json.dumps({"architectures": [architecture], "model_type": model_type, **config})
    )
    return str(folder)


def test_with_nothing_the_backbone_is_asked_for_similarity():
    found = means()
    assert (found.choices, found.values) == ({"method": "embed"}, {})
    assert found.why.startswith("embed: the backbone compares texts and labels")


def test_a_run_with_a_packed_head_is_asked_by_it():
    found = means(
        Head("sst2", ("a", "b"), False), Head("mix", ENTAILMENT, True, "packed"), Head("rte", ENTAILMENT, True)
    )
    assert (found.choices, found.values) == ({"method": "nli"}, {"method.task": "mix"})
    assert "head 'mix' of the run tells entailment" in found.why


@pytest.mark.parametrize(
    ("heads", "hint"),
    [
        ([Head("sst2", ("a", "b"), False)], ""),
        ([Head("rte", ENTAILMENT, True)], "; method=nli asks rte"),
        ([Head("a", ENTAILMENT, True, "packed"), Head("b", ENTAILMENT, True, "packed")], "; method=nli asks a or b"),
    ],
)
def test_any_other_run_is_asked_by_its_encoder_and_its_telling_heads_are_named(heads, hint):
    found = means(*heads)
    assert found.choices == {"method": "embed"}
    assert found.why == f"embed: the run's encoder compares texts and labels{hint}"


@pytest.mark.parametrize(
    ("architecture", "config", "choices"),
    [
        ("BertForSequenceClassification", {"id2label": {"0": "ENTAILMENT", "1": "neutral"}}, {"method": "nli"}),
        ("LlamaForCausalLM", {"model_type": "llama"}, {"method": "causal"}),
        ("GPT2LMHeadModel", {"model_type": "gpt2"}, {"method": "causal"}),
        ("RobertaForMaskedLM", {"model_type": "roberta"}, {"method": "cloze"}),
        ("BertModel", {}, {"method": "embed", "backbone": "hf"}),
    ],
)
def test_a_model_is_asked_as_it_was_trained(tmp_path, architecture, config, choices):
    path = saved(tmp_path, architecture, **config)
    found = means(path=path)
    assert found.choices == choices
    assert found.values["backbone.path" if "backbone" in choices else "method.path"] == path
    assert path in found.why


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_max_tokens": True}, "max"),
    ],
)
def test_a_sentence_encoder_is_one_whatever_it_was_trained_from_and_pools_as_it_says(tmp_path, pooling, expected):
    path = saved(tmp_path, "BertForMaskedLM")
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    found = means(path=path)
    assert (found.choices["method"], found.values["backbone.pooling"]) == ("embed", expected)


@pytest.mark.parametrize(
    ("architecture", "config", "message"),
    [
        ("BertForSequenceClassification", {"id2label": {"0": "spam", "1": "ham"}}, "is a classifier of spam, ham, none of which is"),
        ("T5ForConditionalGeneration", {"model_type": "t5"}, "its config says T5ForConditionalGeneration. Name the engine: method=embed"),
    ],
)  # fmt: skip
def test_a_model_that_no_engine_fits_is_refused(tmp_path, architecture, config, message):
    with pytest.raises(ConfigError, match=message):
        means(path=saved(tmp_path, architecture, **config))


def test_a_folder_that_is_not_there_and_one_without_a_config_are_told(tmp_path):
    with pytest.raises(ConfigError, match=r"method\.path: there is no folder \./nowhere"):
        means(path="./nowhere")
    with pytest.raises(ConfigError, match=r"method\.path: cannot read the config of"):
        means(path=str(tmp_path))


def test_a_run_and_a_model_are_one_too_many(tmp_path):
    with pytest.raises(ConfigError, match="names a model, and run another: give one of them"):
        means(Head("rte", ENTAILMENT, True), path=saved(tmp_path, "BertModel"))
