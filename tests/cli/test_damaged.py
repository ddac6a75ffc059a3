"""Commands over a run folder with a damaged file: prose that names it, never a traceback; the manifest may know the damage."""

import hashlib
import json
import shutil

import pytest

from tests.cli.conftest import command
from tests.conftest import TINY

DAMAGE = {
    "empty": b"",
    "bytes": b"\xff\xfe\x00\x01 no text",
    "number": b"3",
    "list": b"[[1, {}], null]",
    "object": b"{}",
    "text": b'{"step": "one", "kinds": [], "selector": 3, "generators": {"python": 1}}',
    "null": b'{"step": 1, "kinds": {"rte": null, "sst2": 5}, "selector": {"best_step": 1}, "metrics_bytes": 0}',
    "huge": b'{"step": 1' + b"0" * 400 + b"}",
    "deep": b'{"step": ' + b"[" * 50_000,
}
CHECKPOINT = (
    "state.json", "heads.safetensors", "encoder/config.json", "encoder/model.safetensors", "encoder/tokenizer.json",
    "encoder/tokenizer_config.json",
)  # fmt: skip
ANYWHERE = ("config.yaml", "env.json", "summary.json", "overrides.txt", "metrics.jsonl", "checkpoints/{}/manifest.json")


@pytest.fixture
def run(trained, tmp_path):
    path = tmp_path / "outputs/x"
    shutil.copytree(trained, path, symlinks=True, ignore=shutil.ignore_patterns("evals", "affinity"))
    return path


def damage(run, name, content):
    """Put other content into a file; into the manifest too if that is asked for by a place in a checkpoint."""
    best = (run / "checkpoints/best").readlink().name
    path = run / name.format(best)
    if name in (*CHECKPOINT, "training.safetensors"):
        path = run / "checkpoints" / best / name
        manifest = run / "checkpoints" / best / "manifest.json"
        listed = json.loads(manifest.read_text())
        listed[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest.write_text(json.dumps(listed))
    path.write_bytes(content)


def check(result, what):
    assert "Traceback" not in result.err, what
    assert result.code in (0, 1, 2), what
    if result.code:
        assert result.out == "", what
        assert result.err.rpartition("mtl: ")[2].strip(), what


@pytest.mark.parametrize(
    ("name", "how"), [(name, list(DAMAGE)[3 * i % len(DAMAGE)]) for i, name in enumerate([*CHECKPOINT, *ANYWHERE])]
)
def test_no_damage_ends_in_a_traceback(run, mtl, name, how):
    damage(run, name, DAMAGE[how])
    for words in (
        ("eval", "run=outputs/x", "bootstrap=0"),
        ("affinity", "run=outputs/x", "source=metrics", "k=2"),
        ("zeroshot", "run=outputs/x", "method=embed", "--labels", "a,b", "--text", "x", "out.folder=never"),
        ("runs", "ls"),
        ("runs", "show", "outputs/x"),
        ("runs", "compare", "outputs/x"),
        ("runs", "clean", "--dry-run"),
    ):
        check(mtl(*words), words)


@pytest.mark.parametrize("name", CHECKPOINT)
def test_a_damaged_checkpoint_is_named(run, mtl, name):
    damage(run, name, DAMAGE["bytes"])
    result = mtl("eval", "run=outputs/x", "bootstrap=0")
    assert (result.code in (1, 2), result.out) == (True, "")
    assert "checkpoints/step_" in result.err


SHORT = (*TINY, "task=rte", "train.steps=2", "eval.every=2", "run.name=x", "checkpoint.keep_optimizer=true")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, cache):
    """A run that was killed before its summary."""
    folder = tmp_path_factory.mktemp("stopped")
    assert command(folder, cache, "train", *SHORT).code == 0
    (folder / "outputs/x/summary.json").unlink()
    return folder / "outputs/x"


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("env.json", "list", "outputs/x/env.json is damaged: Expected `object`, got `array`"),
        ("env.json", "empty", "outputs/x/env.json is damaged: it is empty or cut short"),
        ("config.yaml", "bytes", "outputs/x/config.yaml is damaged: byte 0 is not UTF-8"),
        ("summary.json", "empty", "outputs/x/summary.json is damaged: it is empty or cut short"),
        ("training.safetensors", "bytes", "step_000002 is damaged: training.safetensors holds no tensors"),
        ("state.json", "object", "state.json is damaged: Object missing required field `step`"),
        ("state.json", "null", "does not hold the state of this run (KeyError"),
    ],
)
def test_a_damaged_run_is_not_resumed_and_says_why(stopped, mtl, tmp_path, name, how, message):
    run = tmp_path / "outputs/x"
    shutil.copytree(stopped, run, symlinks=True)
    damage(run, name, DAMAGE[how])
    result = mtl("train", *SHORT, "run.if_exists=resume")
    assert message in result.err
    assert "Traceback" not in result.err
    # Without a whole checkpoint, a run starts again and says so.
    again = "from the start: there is no whole checkpoint" in result.err
    assert result.code == (0 if again else result.code)
    assert again == (name == "state.json" and how == "object")
    assert again or (result.code in (1, 2) and result.out == "")
