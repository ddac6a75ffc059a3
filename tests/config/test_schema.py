import dataclasses

import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.schema import EvalConfig, RunSection, SourceConfig, TrainConfig
from mtl_cli.config.schema_zeroshot import ZeroshotConfig
from mtl_cli.expression import Expression

NAN = float("nan")


def put(values, key, value):
    """Set a value by its dotted key."""
    *path, last = key.split(".")
    for name in path:
        values = values[name]
    values[last] = value


def test_the_shipped_values_make_a_config(values):
    config = convert_or_raise(TrainConfig, values)
    assert config.optim.betas == (0.9, 0.999)
    assert config.tasks["stsb"].kind.options == {"scale": "standard", "missing": -1}
    assert config.backbone.name == "pretrained"


def test_a_config_cannot_be_changed(values):
    config = convert_or_raise(TrainConfig, values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 2


@pytest.mark.parametrize(("primary", "cls"), [("eval", EvalConfig), ("zeroshot", ZeroshotConfig)])
def test_the_other_commands_shipped_values_make_a_config(primary, cls):
    values = compose(primary, ["run=outputs/x"]).values
    assert convert_or_raise(cls, values).run == "outputs/x"


def test_a_seed_that_is_no_number_is_told(values, problems):
    values["seed"] = "one"
    assert problems(values) == {"seed": "must be a whole number; found 'one'"}


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_out_of_range_is_told(values, problems, seed):
    values["seed"] = seed
    assert problems(values) == {"seed": f"must lie between 0 and 2147483647; found {seed}"}


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_ends_of_the_range_are_seeds(values, problems, seed):
    values["seed"] = seed
    assert problems(values) == {}


def test_faults_of_all_sections_are_told_at_once(values, problems):
    for key, value in {
        "seed": "x", "optim.lr": "x", "optim.betas": [0.9], "batch.size": 0, "eval.every": "epoc",
        "data.source": "lokal", "tasks.rte.text": [], "tasks.stsb.metrics": "f1", "weights.rte": None,
        "fabric.devices": [], "train.stepz": 3,
    }.items():  # fmt: skip
        put(values, key, value)
    assert set(problems(values)) == {
        "seed", "optim.lr", "optim.betas", "batch.size", "eval.every", "data.source", "tasks.rte.text",
        "tasks.stsb.metrics", "weights.rte", "fabric.devices", "train.stepz",
    }  # fmt: skip


def test_several_faults_of_one_section_are_told_at_once(values, problems):
    for key, value in {"lr": 0, "eps": 0, "weight_decay": -1, "layer_decay": 2, "betas": [1, 0], "freeze": -1}.items():
        put(values, f"optim.{key}", value)
    assert set(problems(values)) == {
        f"optim.{n}" for n in ("lr", "eps", "weight_decay", "layer_decay", "betas", "freeze")
    }


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("optim.lr", 0, "must be more than 0; found 0"),
        ("optim.lr", NAN, "must be a number; found nan"),
        ("optim.head_lr", 0, "must be more than 0"),
        ("optim.clip_norm", -1, "must be more than 0"),
        ("optim.weight_decay", -0.1, "must be 0 or more; found -0.1"),
        ("optim.weight_decay", NAN, "must be a number; found nan"),
        ("optim.layer_decay", 1.1, "must be at most 1; found 1.1"),
        ("optim.betas", [0.9, 1.0], r"must lie in [0, 1); found [0.9, 1.0]"),
        ("optim.betas", [-0.1, 0.9], r"must lie in [0, 1)"),
        ("optim.freeze", -1, "must be 0 or more layers; found -1"),
        ("optim.freeze", "encodr", "Did you mean 'encoder'?"),
        ("data.max_length", 0, "must be at least 8 tokens"),
        ("data.limit", 0, "must be more than 0"),
        ("data.source", "lokal", "Did you mean 'local'?"),
        ("batch.size", 0, "must be more than 0"),
        ("batch.micro_size", 0, "must be more than 0"),
        ("batch.pass_cost", -1, "must be 0 or more"),
        ("batch.window", 0, "must be more than 0"),
        ("train.steps", 0, "must be more than 0"),
        ("train.epochs", 0, "must be more than 0"),
        ("train.compile", "yes", "must be true or false; found 'yes'"),
        ("eval.every", 0, "must be more than 0"),
        ("eval.patience", 0, "must be more than 0"),
        ("eval.bootstrap", -1, "must be 0 or more"),
        ("checkpoint.keep", 0, "must be more than 0"),
        ("checkpoint.every", 0, "must be more than 0"),
        ("fabric.threads", 0, "must be more than 0; found 0"),
        ("fabric.threads", 4097, "must be at most 4096; found 4097"),
        ("run.if_exists", "overwrite", "'overwrite' is not one of 'error', 'resume', 'skip'."),
        ("weights.rte", NAN, "must be a number or must be an expression such as 'min(1, step/500)'; found nan"),
        ("weights.rte", "stp/500", "'stp/500': unknown name 'stp'. Did you mean 'step'?"),
        ("weights.rte", "step.real", "is not allowed. An expression may hold numbers, step, steps, epoch"),
        ("weights.rte", "1 - 2", "must be 0 or more; '1 - 2' is -1 at step 0"),
        ("weights.rte", "log(step)", "'log(step)' has no finite value at step 0"),
        ("weights.rte", "epoch - 1", "must be 0 or more; 'epoch - 1' is -1 at step 0"),
        ("weights.rte", -0.5, "must be 0 or more; found -0.5"),
        ("tasks.rte.max_length", 7, "must be at least 8 tokens"),
        ("tasks.rte.text", [], "must name one column, or two for a pair; found 0"),
        ("tasks.rte.layout", "packed", "is now input: text or packed"),
        ("tasks.rte.head", "a.b", "may hold letters, digits, '_' and '-'; found 'a.b'"),
        ("tasks.rte.head", "", "may hold letters"),
        ("tasks.rte.source.hub_splits", {"validation": "test"}, None),
        ("tasks.rte.source.hubb", "x", "Did you mean 'hub'?"),
        ("tasks.rte.source.splits", {"validation": 3.5, "test": []}, None),
    ],
)
def test_a_value_out_of_its_range_is_told_by_its_key(values, problems, key, value, said):
    put(values, key, value)
    found = problems(values)
    assert said in found[key] if said else found == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optim.freeze", 0), ("optim.freeze", 3), ("optim.freeze", "encoder"), ("optim.clip_norm", None),
        ("optim.betas", [0, 0]), ("optim.layer_decay", 1), ("optim.weight_decay", 0), ("eval.every", 7),
        ("eval.every", "end"), ("eval.bootstrap", 0), ("batch.pass_cost", 0), ("weights.rte", 0),
        ("fabric.devices", "auto"), ("fabric.devices", 2), ("fabric.threads", 1), ("fabric.threads", 4096),
    ],
)  # fmt: skip
def test_a_value_at_the_end_of_its_range_is_taken(values, problems, key, value):
    put(values, key, value)
    assert problems(values) == {}


def test_a_run_needs_a_length(values, problems):
    values["train"] |= {"steps": None, "epochs": None}
    assert problems(values) == {"train": "give train.steps or train.epochs"}


@pytest.mark.parametrize(("steps", "epochs"), [(5, None), (None, 0.5), (5, 3)])
def test_either_measure_of_length_will_do(values, problems, steps, epochs):
    values["train"] |= {"steps": steps, "epochs": epochs}
    assert problems(values) == {}


def test_a_task_without_weight_and_a_weight_without_task_are_told(values, problems):
    values["weights"] = {"rte": 1.0, "stbs": 1.0}
    found = problems(values)
    assert found["weights.stsb"] == "missing: every task has a weight. Add +weights.stsb=1.0"
    assert found["weights.stbs"] == "no task has this name. Did you mean 'stsb'? To drop it: ~weights.stbs"


def test_a_weight_may_be_an_expression_and_a_number_stays_one(values):
    values["weights"] = {"rte": "min(1, step/500)", "stsb": 2}
    assert convert_or_raise(TrainConfig, values).weights == {"rte": Expression("min(1, step/500)"), "stsb": 2.0}


@pytest.mark.parametrize("text", ["300 - step", "1 if step < 301 else -1", "300 - step * 301 / steps"])
def test_every_step_of_a_run_of_known_length_must_have_a_weight(values, problems, text):
    values["weights"]["rte"], values["train"]["steps"] = text, 302
    assert problems(values)["weights.rte"].endswith("at step 301")


def test_where_the_length_follows_from_the_rows_only_the_first_step_is_looked_at(values, problems):
    values["weights"]["rte"] = "300 - step"
    assert problems(values) == {}


def test_weights_that_are_all_0_are_told(values, problems):
    values["weights"] = {"rte": 0.0, "stsb": 0.0}
    assert problems(values) == {"weights": "all are 0: nothing would be trained"}


def test_no_task_at_all_is_told(values, problems):
    values["tasks"], values["weights"] = {}, {}
    assert problems(values)["tasks"] == "no task is chosen: give task=NAME; `mtl ls task` shows the names"


@pytest.mark.parametrize("name", ["a/b", "a.b", "a b", "..", "", "mean", "-"])
def test_a_task_s_name_must_do_as_a_file_name(values, problems, name):
    values["tasks"][name] = values["tasks"].pop("rte")
    values["weights"][name] = values["weights"].pop("rte")
    assert "may hold letters, digits" in problems(values)[f"tasks.{name}" if name else "tasks."]


@pytest.mark.parametrize("name", ["rte-2", "my_task", "Übung", "2"])
def test_other_names_are_taken(values, problems, name):
    values["tasks"][name] = values["tasks"].pop("rte")
    values["weights"][name] = values["weights"].pop("rte")
    assert problems(values) == {}


@pytest.mark.parametrize("select", ["mean", "rte", "rte/accuracy", "stsb/spearman"])
def test_the_best_checkpoint_is_selected_by_the_mean_a_task_or_its_metric(values, problems, select):
    values["eval"]["select"] = select
    assert problems(values) == {}


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("meen", "'meen' is no task. Did you mean 'mean'?"),
        ("stbs/pearson", "'stbs/pearson' is no task. Did you mean 'stsb'?"),
        ("stsb/pearsn", "task 'stsb' has no metric 'pearsn'. Did you mean 'pearson'?"),
        ("mean/f1", "'mean/f1' is no task."),
    ],
)
def test_what_cannot_be_selected_by_is_told(values, problems, select, said):
    values["eval"]["select"] = select
    assert problems(values)["eval.select"].startswith(said)


@pytest.mark.parametrize("name", ["", ".", "/tmp/x", "~/x", "../x", "a/../../x"])
def test_a_run_s_name_must_stay_below_the_outputs(name):
    (fault,) = RunSection(name=name, if_exists="error", outputs=None).faults()
    assert (fault.key, fault.problem) == (
        "name",
        f"must be a folder name below the outputs folder; found '{name}'",
    )


@pytest.mark.parametrize("name", [None, "x", "a/b", "a..b"])
def test_a_run_s_name_may_be_left_out_or_be_a_path_below_the_outputs(name):
    assert list(RunSection(name=name, if_exists="error", outputs=None).faults()) == []


@pytest.mark.parametrize("place", ["files", "splits", "hub_splits"])
def test_a_split_that_is_not_ours_is_told_wherever_it_stands(values, problems, place):
    values["tasks"]["rte"]["source"] = {place: {"dev": "x"}}
    assert problems(values) == {f"tasks.rte.source.{place}.dev": "unknown split. Available: test, train, validation."}


def test_a_split_that_is_not_ours_is_told(values, problems):
    values["tasks"]["rte"]["source"] |= {"files": {"valid": "x.csv"}, "splits": {"dev": "validation"}}
    assert problems(values) == {
        "tasks.rte.source.files.valid": "unknown split. Did you mean 'validation'?",
        "tasks.rte.source.splits.dev": "unknown split. Available: test, train, validation.",
    }


def test_a_split_is_read_under_its_own_name_unless_the_source_calls_it_otherwise():
    source = SourceConfig(splits={"validation": ["matched", "mismatched"], "test": "held_out"})
    assert [source.sets(split) for split in ("train", "validation", "test")] == [
        ["train"],
        ["matched", "mismatched"],
        ["held_out"],
    ]


def test_labels_to_match_are_a_mapping_or_a_list(values, problems):
    def phrases(labels):
        values["tasks"]["rte"]["matching"] = {"labels": labels}
        return convert_or_raise(TrainConfig, values).tasks["rte"].matching.phrases()

    assert phrases({"a": "x", "b": ["y", "z"], "c": []}) == {"a": ["x"], "b": ["y", "z"], "c": []}
    assert phrases(["a", "b"]) == {"a": ["a"], "b": ["b"]}
    values["tasks"]["rte"]["matching"] = {"labels": ["a", "b", "a"], "template": "x"}
    found = problems(values)
    assert found["tasks.rte.matching.labels"] == "has 'a' more than once"
    assert "Did you mean 'templates'?" in found["tasks.rte.matching.template"]
