"""What is estimated is what a run takes."""

import io
import json

import pytest

from mtl_cli.config.question import Point, Question
from mtl_cli.errors import ConfigError, DataError
from mtl_cli.model.backbone.base import Backbone
from mtl_cli.recipes import estimate as recipe
from mtl_cli.recipes.estimate import estimate
from mtl_cli.recipes.zeroshot.run import zeroshot

TEXTS = [f"text {i} {'x' * (i % 37)}" for i in range(60)]


def asked(*overrides, **flags):
    known = {"input.texts": TEXTS, "labels": dict.fromkeys(["good", "bad"]), **flags}
    words = ("backbone=tiny", "method=embed", "batch_tokens=256", "bootstrap=0", *overrides)
    return Point(" ".join(overrides), Question(words, known))


@pytest.fixture
def used(monkeypatch):
    """Tokens and passes that go through the encoder."""
    found = []
    forward = Backbone.forward

    def counted(self, inputs):
        found.append(inputs.tokens)
        return forward(self, inputs)

    monkeypatch.setattr(Backbone, "forward", counted)
    return found


@pytest.mark.parametrize("overrides", [(), ("prior=sample", "calibrate.sample=20"), ("batch_tokens=4096",)])
def test_tokens_and_passes_are_those_of_the_run(used, overrides):
    (cost,) = estimate([asked(*overrides)])
    used.clear()
    answers = []
    zeroshot(asked(*overrides).question, answers.append)
    assert (cost.tokens, cost.passes) == (sum(used), len(used))
    assert (cost.rows, cost.planned_rows, cost.labels, len(answers)) == (60, 60, 2, 60)


def test_a_run_folder_is_filled_in_the_same_blocks(used, tmp_path):
    texts = [f"{'y' * (i % 50)}" for i in range(300)]
    point = asked(**{"input.texts": texts, "out.name": "one", "out.outputs": str(tmp_path)})
    (cost,) = estimate([point])
    used.clear()
    zeroshot(point.question, lambda _: None)
    assert (cost.tokens, cost.passes) == (sum(used), len(used))


def test_rows_with_label_sets_of_their_own_are_planned_by_set(used, tmp_path):
    rows = [{"text": f"t{i}", "l": ["a", "b"] if i % 2 else ["c", "d", "e"]} for i in range(10)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = {"input.texts": [], "input.file": str(tmp_path / "t.jsonl"), "input.labels_column": "l", "labels": None}
    (cost,) = estimate([asked("out.folder=never", **own)])
    assert (cost.rows, cost.labels) == (10, 3)


def test_minutes_are_measured_and_where_is_said():
    (cost,) = estimate([asked()])
    assert cost.minutes > 0
    assert cost.measured.startswith("cpu, ")
    assert cost.measured.endswith(" 60 texts")


def test_behind_the_first_blocks_a_few_are_planned_and_scaled_up(monkeypatch):
    monkeypatch.setattr(recipe, "_WHOLE", 1)
    monkeypatch.setattr(recipe, "_EVERY", 4)
    monkeypatch.setattr(recipe, "BLOCK", 10)
    (cost,) = estimate([asked(**{"input.texts": ["same"] * 85})])
    (whole,) = estimate([asked(**{"input.texts": ["same"] * 10})])
    (more,) = estimate([asked(**{"input.texts": ["same"] * 20})])
    assert (cost.rows, cost.planned_rows) == (85, 30)  # blocks 0, 1 and 5
    assert cost.tokens - whole.tokens == 7.5 * (more.tokens - whole.tokens)


def test_an_engine_that_sends_texts_is_not_tried(monkeypatch):
    from mtl_cli.zeroshot.engines.embed import EmbedMethod

    def never(*_):
        raise AssertionError("a text was sent")

    monkeypatch.setattr(EmbedMethod, "remote", True)
    monkeypatch.setattr(EmbedMethod, "score", never)
    (cost,) = estimate([asked()])
    assert (cost.minutes, cost.measured) == (None, "not tried: texts would be sent")
    assert cost.tokens > 0


def test_several_questions_cannot_be_asked_of_a_stream():
    points = [asked(**{"input.texts": [], "input.file": "-"})] * 2
    with pytest.raises(ConfigError, match="standard input can be read once only: give --file to compare engines"):
        estimate(points)


def test_without_texts_there_is_nothing_to_estimate(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="there are no texts: give --text, --file, or lines on standard input"):
        estimate([asked(**{"input.texts": []})])


def test_a_stream_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\nthree\n")))
    (cost,) = estimate([asked("prior=sample", **{"input.texts": []})])
    assert (cost.rows, cost.planned_rows) == (3, 3)


def test_the_flag_prints_a_table_and_answers_nothing(mtl):
    found = mtl("zeroshot", "backbone=tiny", "--labels", "a,b", "--text", "x", "--estimate")
    assert found.code == 0, found.err
    assert found.out.splitlines()[2].split()[:3] == ["embed", "1", "2"]


def test_the_flag_compares_engines(mtl):
    found = mtl(
        "zeroshot", "backbone=tiny", "-m", "max_length=8,64", "--labels", "a,b", "--text", "x" * 50, "--estimate"
    )
    assert found.code == 0, found.err
    first, second = (int(line.split()[3].replace(",", "")) for line in found.out.splitlines()[2:4])
    assert first < second
