"""Third-party models: their code does not run, their pickles are not read."""

import ast
import io
import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

import mtl_cli
from mtl_cli.errors import ConfigError
from mtl_cli.model.loading import from_pretrained
from tests.fakes import tiny_backbone

CODE = """
import pathlib
pathlib.Path({marker!r}).write_text("ran")
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
class Config(BertConfig):
    model_type = "stranger"
class Model(BertModel):
    config_class = Config
class Tokenizer(PreTrainedTokenizerFast):
    pass
"""
OWN = {
    "AutoConfig": "stranger.Config",
    **dict.fromkeys(("AutoModel", "AutoModelForCausalLM", "AutoModelForMaskedLM"), "stranger.Model"),
}


def change(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / "model"
    tiny_backbone().save(folder)
    (folder / "stranger.py").write_text(CODE.format(marker=str(tmp_path / "marker")))
    return folder


@pytest.fixture
def stranger(folder, tmp_path, monkeypatch):
    """A model of an unknown kind with code of its own, while the first line of standard input says yes; the code must not run."""
    change(
        folder / "config.json",
        model_type="stranger",
        auto_map={**OWN, "AutoModelForSequenceClassification": "stranger.Model"},
    )
    stream = io.TextIOWrapper(io.BytesIO(b"y\ny\ny\n"))
    monkeypatch.setattr(sys, "stdin", stream)
    yield folder
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("auto", [AutoConfig, AutoModel])
def test_code_of_a_model_is_not_run_and_nobody_is_asked(stranger, auto):
    with pytest.raises(
        ConfigError,
        match=r"^method.path: '.*model' needs Python code of its own .* which mtl does not run",
    ):
        from_pretrained(auto, stranger, "method.path")
    assert sys.stdin.read() == "y\ny\ny\n"


def test_code_of_a_tokenizer_is_not_run(folder, tmp_path):
    change(
        folder / "tokenizer_config.json",
        tokenizer_class="Tokenizer",
        auto_map={"AutoTokenizer": ["stranger.Tokenizer", None]},
    )
    change(folder / "config.json", model_type="stranger")
    with pytest.raises(ConfigError, match=r"backbone.path: "):
        from_pretrained(AutoTokenizer, folder, "backbone.path")
    assert not (tmp_path / "marker").exists()


def test_a_model_that_the_library_knows_is_loaded_without_its_code_and_that_is_reported(folder, tmp_path, caplog):
    change(folder / "config.json", auto_map=OWN)
    assert type(from_pretrained(AutoModel, folder, "backbone.path")).__name__ == "BertModel"
    assert (
        "brings Python code of its own (auto_map in its config), which is not run: it is loaded as BertModel"
        in caplog.text
    )
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("method.path={}",),
        ("method=nli", "method.path={}"),
        ("method=causal", "method.path={}"),
        ("method=cloze", "method.path={}"),
        ("method=embed", "backbone=hf", "backbone.path={}"),
    ],
)
def test_no_command_runs_code_of_a_model(mtl, stranger, words):
    result = mtl("zeroshot", "--labels", "a,b", *(word.format(stranger) for word in words))
    assert (result.code, result.out) == (2, "")
    assert "needs Python code of its own" in result.err
    assert "Traceback" not in result.err


def test_training_runs_no_code_of_a_model(mtl, stranger):
    result = mtl("train", "task=rte", "data.source=bundled", "backbone=hf", f"backbone.path={stranger}")
    assert (result.code, result.out) == (2, "")
    assert "backbone.path: " in result.err
    assert "needs Python code of its own" in result.err


def test_a_pickle_is_refused_with_the_way_to_convert_it(folder):
    (folder / "model.safetensors").unlink()
    torch.save(tiny_backbone().encoder.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ConfigError) as caught:
        from_pretrained(AutoModel, folder, "backbone.path")
    message = str(caught.value)
    assert f"backbone.path: '{folder}' has no safetensors file, only a pickle (pytorch_model.bin)" in message
    assert f"M.from_pretrained('{folder}').save_pretrained('DIR')" in message


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ("weights.bin", "weights.bin is a pickle, which can run code"),
        ("../outside.safetensors", "names weights outside its folder"),
    ],
)
def test_an_index_leads_to_no_pickle_and_to_no_file_outside_its_folder(folder, shard, message):
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    torch.save(tensors, folder / "weights.bin")
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": dict.fromkeys(tensors, shard)})
    )
    with pytest.raises(ConfigError, match=f"^backbone.path: .*{message}"):
        from_pretrained(AutoModel, folder, "backbone.path")
    assert torch.load(folder / "weights.bin", weights_only=True).keys() == tensors.keys()  # afterwards as before


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"_attn_implementation": "stranger/kernel"}, "asks for an attention kernel of the hub, stranger/kernel"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers 1,000,000,000; at most 1,000 layers are built"),
    ],
)
def test_a_config_fetches_no_kernel_and_builds_no_model_without_bound(folder, entry, message):
    change(folder / "config.json", **entry)
    with pytest.raises(ConfigError, match=f"^backbone.path: cannot load .*{message}"):
        from_pretrained(AutoModel, folder, "backbone.path")


def test_a_folder_without_weights_is_told_as_such(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"cannot load .*: Error no file named model.safetensors"):
        from_pretrained(AutoModel, folder, "backbone.path")


@pytest.mark.parametrize("damage", [lambda data: data[:-200], lambda data: b"\xff" * 50, lambda _: b""])
def test_weights_that_are_damaged_are_told(folder, damage):
    path = folder / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConfigError, match=r"backbone.path: cannot load .*model'"):
        from_pretrained(AutoModel, folder, "backbone.path")


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            own = name == "from_pretrained" and isinstance(node.func, ast.Name)
            if name in ("from_pretrained", "load_dataset", "pipeline", "from_config") and not own:
                yield name, node


def test_every_load_says_that_no_code_is_trusted():
    found = [
        (path, name, node)
        for path in sorted(Path(mtl_cli.__file__).parent.rglob("*.py"))
        for name, node in calls(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(found) >= 4
    for path, name, node in found:
        said = [keyword.value for keyword in node.keywords if keyword.arg == "trust_remote_code"]
        assert said, f"{path}:{node.lineno}: {name} without trust_remote_code=False"
        assert isinstance(said[0], ast.Constant), f"{path}:{node.lineno}"
        assert said[0].value is False, f"{path}:{node.lineno}"
