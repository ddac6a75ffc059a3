"""`mtl check`: a table for what is good, and everything that is wrong at once; it leaves nothing behind."""

import pytest

from tests.cli.test_eval import write

TINY = ("backbone=tiny", "data.max_length=256")


@pytest.fixture
def data(tmp_path):
    """Write both splits of some tasks; returns the words that use them."""

    def make(**tasks):
        for name, rows in tasks.items():
            train, validation = rows if isinstance(rows, tuple) else (rows, rows)
            write(tmp_path / f"data/{name}/train.jsonl", train)
            write(tmp_path / f"data/{name}/validation.jsonl", validation)
        return ("check", *TINY, "data.source=local", f"data.root={tmp_path}/data", f"task=[{','.join(tasks)}]")

    return make


@pytest.fixture
def refused(mtl, tmp_path):
    def call(*words):
        result = mtl(*words)
        assert (result.code, result.out) == (2, ""), result.err
        assert "Traceback" not in result.err
        assert not (tmp_path / "outputs").exists()
        return result.err

    return call


def pairs(labels):
    return [{"sentence1": f"text {i}", "sentence2": "b", "label": label} for i, label in enumerate(labels)]


def columns(table):
    head, rule, *rows = table.splitlines()
    starts = [0, *(i + 2 for i in range(len(rule) - 1) if rule[i : i + 2] == "  ")]
    ends = [*(s - 2 for s in starts[1:]), None]
    return [[line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for line in (head, *rows)]


def test_a_table_says_what_was_found_of_each_task(mtl, tmp_path):
    result = mtl("check", *TINY, "data.source=bundled", "task=[rte,stsb]")
    assert result.code == 0, result.err
    head, rte, stsb = columns(result.out)
    assert head == ["task", "data", "train/validation rows", "tokens a row", "first loss", "labels of train"]
    assert rte[:3] == ["rte", "bundled sample, not GLUE", "120/60"]
    assert rte[5] == "entailment 60, not_entailment 60"
    assert stsb[5].startswith("0 to 5, mean 2.")
    assert 0.4 < float(rte[4]) < 1.2  # near ln 2
    assert not (tmp_path / "outputs").exists()


def test_a_check_gives_the_same_table_each_time(mtl, data):
    words = data(rte=pairs([0, 1, 1, 1]))
    assert mtl(*words).out == mtl(*words).out


def test_tokens_and_labels_are_counted(mtl, data):
    row = columns(mtl(*data(rte=(pairs([0, 1, 1, -1]), pairs([1, 0])))).out)[1]
    assert row[1:4] == ["local", "3/2", "10"]  # six bytes, one byte, three special tokens
    assert row[5] == "entailment 1, not_entailment 2"


def test_both_validation_sets_of_mnli_are_counted(mtl, tmp_path):
    for name, n in (("train", 3), ("validation_matched", 2), ("validation_mismatched", 1)):
        rows = [{"premise": "a", "hypothesis": "b", "label": i % 3} for i in range(n)]
        write(tmp_path / f"data/mnli/{name}.jsonl", rows)
    result = mtl("check", *TINY, "data.source=local", f"data.root={tmp_path}/data", "task=mnli")
    assert columns(result.out)[1][2] == "3/2/1"


def test_what_is_wrong_with_several_tasks_is_told_in_one_message(refused, data):
    message = refused(
        *data(
            rte=pairs([0, "entailed"]),
            sst2=[{"text": "a", "label": 1}],
            stsb=pairs([2.5, 2.5]),
            mrpc=(pairs([0, 1]), pairs([-1, -1])),
        )
    )
    for part in (
        "tasks.rte: ",
        "rte/train.jsonl:2: column 'label': label 'entailed' is outside the label set",
        "rte/validation.jsonl:2",
        "sst2/train.jsonl:1: task 'sst2' reads column 'sentence', which is missing",
        "tasks.stsb: all 2 training targets are 2.5: there is nothing to learn",
        "tasks.mrpc: no validation row has a label in column 'label'",
    ):
        assert part in message
    assert "mrpc: no train row" not in message


def test_a_training_split_without_labels_is_told(refused, data):
    assert "tasks.rte: no train row has a label" in refused(*data(rte=(pairs([-1, -1]), pairs([0, 1]))))


def test_a_task_whose_rows_are_not_there_says_where_was_looked(refused, data, tmp_path):
    message = refused(*data(rte=pairs([0, 1])), "task=[rte,cola]")
    assert "tasks.cola: no train rows found" in message
    assert f"local: {tmp_path}/data/cola has no train.jsonl" in message
    assert "tasks.cola: no validation rows found" in message


def test_a_length_beyond_the_encoder_is_told_once_a_task(refused, data):
    message = refused(*data(rte=pairs([0, 1]), stsb=pairs([1, 2])), "data.max_length=600")
    assert message.count("task 'rte' asks for 600 tokens, but the backbone takes at most 512") == 1
    assert message.count("task 'stsb' asks for 600 tokens") == 1


def test_texts_that_are_cut_are_counted(mtl, data):
    result = mtl(*data(rte=pairs([0, 1, 1])), "data.max_length=9")
    assert columns(result.out)[1][3] == "9, 3 cut"


def test_a_batch_without_room_for_every_task_is_told(refused, data):
    words = data(rte=pairs([0, 1]), stsb=pairs([1, 2]))
    assert "sampler: batch.size=1 has no room for all 2 tasks" in refused(*words, "sampler=all_tasks", "batch.size=1")


def test_options_of_several_families_are_checked_together(refused):
    message = refused("check", "task=rte", "optim.lr=-1", "sampler=temperature", "sampler.temperature=hot")
    assert "optim.lr: must be more than 0; found -1.0" in message
    assert "sampler.temperature: must be a number; found 'hot'" in message


def test_what_a_builder_refuses_once_it_knows_the_tasks_is_told(refused, data):
    words = data(rte=pairs([0, 1]), stsb=pairs([1, 2]))
    assert "sampler: chances must name each task: no chance for 'stsb'" in refused(
        *words, "sampler=explicit", "sampler.chances={rte:1}"
    )


def test_parameters_that_a_weighting_looks_at_in_vain_are_told(refused, data):
    words = (*data(rte=pairs([0, 1]), stsb=pairs([1, 2])), "weighting=pcgrad")
    assert "weighting.params: 'all' means none" in refused(*words, "optim.freeze=encoder")
    alone = refused(*words, "sharing=groups", "sharing.groups=[[rte],[stsb]]")
    assert "weighting.params: 'all' means none" in alone
