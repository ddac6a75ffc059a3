import pytest

from mtl_cli.config.compose import compose, groups, loaded, options
from mtl_cli.config.convert import convert_or_raise
from mtl_cli.config.registry import FAMILIES
from mtl_cli.config.schema import TrainConfig
from mtl_cli.errors import ConfigError
from mtl_cli.redact import as_written, redact

MINE = """# @package _global_
# mtl train task={name}
tasks:
  {name}:
    kind: {{name: classification, labels: [bad, good]}}
    text: [review]
    label: stars
    metrics: [accuracy]
    source: {{files: {{train: train.csv, validation: validation.csv}}}}
weights: {{{name}: 2.0}}
"""


def wrong(*overrides, primary="eval", dirs=()):
    """What is said about overrides, by key. `eval` composes in the least time: it picks no option by itself."""
    with pytest.raises(ConfigError) as caught:
        compose(primary, overrides, dirs)
    return {fault.key: fault.problem for fault in caught.value.faults}


def user_dir(path, **texts):
    """A folder with YAML files of the group `task`."""
    (path / "task").mkdir(parents=True)
    for name, text in texts.items():
        (path / "task" / f"{name}.yaml").write_text(text)
    return path


def test_the_default_is_the_six_tasks_that_are_bundled():
    composed = compose("train", [])
    assert list(composed.values["tasks"]) == ["cola", "sst2", "mrpc", "stsb", "qnli", "rte"]
    assert composed.choices["task"] == "glue_mix"
    assert composed.choices["backbone"] == "minilm"


def test_values_are_plain_and_hold_nothing_of_hydra():
    values = compose("train", ["optim.lr=3e-5", "seed=${batch.size}"]).values
    assert "hydra" not in values
    assert type(values["tasks"]["rte"]["text"]) is list
    assert (values["optim"]["lr"], values["seed"]) == (3e-5, 32)


def test_a_list_selects_several_tasks_in_its_order():
    values = compose("train", ["task=[rte,mrpc]"]).values
    assert list(values["tasks"]) == ["rte", "mrpc"]
    assert values["weights"] == {"rte": 1.0, "mrpc": 1.0}


def test_a_mix_and_a_task_are_selected_together():
    assert list(compose("train", ["task=[glue_mix,wnli]"]).values["tasks"])[-1] == "wnli"


def test_an_option_of_a_group_brings_its_values():
    values = compose("train", ["sampler=temperature", "sampler.temperature=5"]).values
    assert values["sampler"] == {"name": "temperature", "temperature": 5, "cap": None, "per_step": "mixed"}


def test_the_last_of_two_overrides_counts():
    assert compose("train", ["seed=2", "seed=3"]).values["seed"] == 3


def test_eval_takes_the_run_s_own_tasks_unless_others_are_given():
    assert compose("eval", ["run=outputs/x"]).values["tasks"] == {}
    assert list(compose("eval", ["run=outputs/x", "task=rte"]).values["tasks"]) == ["rte"]


def test_an_unknown_task_names_the_closest_and_where_all_are_shown():
    assert wrong("task=rtee") == {"task": "unknown task 'rtee'. Did you mean 'rte'? `mtl ls task` shows all."}


def test_an_unknown_task_far_from_all_lists_them():
    assert "Available: ag_news, banking77, cb, clinc_oos, cola," in wrong("task=xxxx")["task"]


def test_each_unknown_task_of_a_list_is_told():
    with pytest.raises(ConfigError) as caught:
        compose("train", ["task=[rtee,rte,mrcp]"])
    assert [fault.problem.split(".")[0] for fault in caught.value.faults] == [
        "unknown task 'rtee'",
        "unknown task 'mrcp'",
    ]


def test_an_unknown_backbone_names_the_closest():
    assert wrong("backbone=minilmm", primary="train")["backbone"].startswith(
        "unknown backbone 'minilmm'. Did you mean 'minilm'?"
    )


@pytest.fixture(scope="module")
def unknown_keys():
    """What is said of several unknown keys in one call."""
    return wrong("optim.lrr=1", "lr=1", "backbon=tiny", "weights.rtee=2", "run.zzzzzz=2", "~sede", primary="train")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("optim.lrr", "Did you mean 'optim.lr'?"),
        ("lr", "Did you mean 'optim.lr'?"),
        ("backbon", "Did you mean 'backbone'?"),
        ("weights.rtee", "Did you mean 'weights.rte'?"),
        ("run.zzzzzz", "Available: run.if_exists, run.name, run.outputs."),
        ("sede", "Did you mean 'seed'?"),
    ],
)
def test_an_unknown_key_names_the_closest(unknown_keys, key, hint):
    assert unknown_keys[key].startswith("unknown key.")
    assert hint in unknown_keys[key]


def test_an_unknown_key_can_be_added_as_its_message_says():
    assert (
        "To add it: +tasks.rte.max_length=..."
        in wrong("tasks.rte.max_length=9", primary="train")["tasks.rte.max_length"]
    )
    assert compose("train", ["+tasks.rte.max_length=9"]).values["tasks"]["rte"]["max_length"] == 9


@pytest.mark.parametrize(
    "key",
    [
        "optim.extra",
        "search.foo",
        "sampler.xx",
        "tasks.rte.foo",
        "foo",
        "run.foo.bar",
        "backbone.foo",
        "eval.foo",
        "weights.foo",
        "tasks.foo.label",
    ],
)
def test_no_message_says_how_to_add_a_key_that_is_refused_afterwards(key):
    found = wrong(f"{key}=1", primary="train")[key]
    assert found.startswith("unknown key. ")
    assert "To add it" not in found


@pytest.mark.parametrize("key", ["tasks.rte.source.files.train", "tasks.rte.head"])
def test_names_of_mappings_and_optional_fields_can_be_added(key):
    assert f"To add it: +{key}=..." in wrong(f"{key}=1", primary="train")[key]


def test_a_key_far_from_all_of_its_section_lists_them_and_not_the_nearest_by_its_section():
    found = wrong("optim.extra=1", primary="train")["optim.extra"]
    assert found.startswith("unknown key. Available: optim.betas, optim.bad_step") or "optim.bad_step" in found
    assert "Did you mean" not in found


def test_all_wrong_overrides_of_one_call_are_told_and_no_right_one():
    found = wrong(
        "task=[rte,mrcp]",
        "seed=3",
        "optim.lrr=1",
        "backbone=minilmm",
        "sede=1",
        "weights.rte=2",
        "a b",
        primary="train",
    )
    assert set(found) == {"task", "optim.lrr", "backbone", "sede", ""}
    assert "'a b' is not KEY=VALUE" in found[""]


def test_keys_are_looked_up_in_the_tasks_that_were_chosen():
    assert set(wrong("task=wnli", "weights.wnli=2", "bootstrapp=1")) == {"bootstrapp"}


@pytest.mark.parametrize("text", ["seed", "foo bar", "--seed=3", ""])
def test_what_is_no_override_is_shown_as_it_was_written(text):
    assert wrong(text)[""].startswith(f"'{text}' is not KEY=VALUE")


@pytest.mark.parametrize("value", ["null", "3", "{a:1}", "[3]"])
def test_a_group_takes_names_only(value):
    assert wrong(f"task={value}")["task"].startswith("must be a name or a list of names; `mtl ls task` shows all.")


def test_several_values_without_m_are_told_how_to_go_on():
    found = wrong("task=rte,mrpc", "optim.lr=1,2", primary="train")
    assert "add -m to sweep over them, or write [a,b] to take them together" in found["task"]
    assert "add -m to sweep over them" in found["optim.lr"]


def test_every_missing_value_is_told_by_its_key():
    assert wrong("backbone=hf", "sampler=explicit", primary="train") == {
        "backbone.path": "missing: give backbone.path=VALUE",
        "sampler.chances": "missing: give sampler.chances=VALUE",
    }


def test_eval_needs_a_run():
    assert wrong(primary="eval") == {"run": "missing: give run=VALUE"}


@pytest.mark.parametrize("text", ["seed=${oops}", "seed=${env:oops}"])
def test_an_interpolation_that_leads_nowhere_is_told_by_its_key(text):
    (key,) = (found := wrong(text))
    assert key == "seed"
    assert "\n" not in found[key]


def test_adding_what_is_there_is_told():
    assert "An item is already at 'seed'" in wrong("+seed=3")[""]


def test_removing_a_task_and_its_weight_leaves_the_others():
    values = compose("train", ["task=[rte,mrpc]", "~tasks.rte", "~weights.rte"]).values
    assert list(convert_or_raise(TrainConfig, values).tasks) == ["mrpc"]


def test_removing_a_task_alone_says_what_else_to_drop():
    values = compose("train", ["task=[rte,mrpc]", "~tasks.rte"]).values
    with pytest.raises(ConfigError, match=r"^weights\.rte: no task has this name\..* To drop it: ~weights\.rte$"):
        convert_or_raise(TrainConfig, values)


def test_an_added_task_without_weight_says_what_to_add():
    values = compose("train", ["task=[rte,mrpc]", "~weights.rte"]).values
    with pytest.raises(
        ConfigError, match=r"^weights\.rte: missing: every task has a weight\. Add \+weights\.rte=1\.0$"
    ):
        convert_or_raise(TrainConfig, values)


def test_composing_twice_gives_the_same():
    assert compose("train", ["task=glue", "seed=3"]) == compose("train", ["task=glue", "seed=3"])


def test_a_wrong_call_leaves_nothing_behind_for_the_next():
    before = compose("eval", ["run=x", "task=rte"])
    wrong("task=rtee")
    assert compose("eval", ["run=x", "task=rte"]) == before


# The user's own YAML files


def test_a_user_s_task_is_chosen_like_ours(tmp_path):
    folder = user_dir(tmp_path, mine=MINE.format(name="mine"))
    config = convert_or_raise(TrainConfig, compose("train", ["task=[rte,mine]", "weights.mine=3"], [folder]).values)
    assert config.tasks["mine"].source.files == {"train": "train.csv", "validation": "validation.csv"}
    assert config.weights == {"rte": 1.0, "mine": 3.0}


def test_a_user_s_mix_may_name_our_tasks(tmp_path):
    folder = user_dir(tmp_path, both="# @package _global_\ndefaults: [rte, mine]\n", mine=MINE.format(name="mine"))
    assert list(compose("train", ["task=both"], [folder]).values["tasks"]) == ["rte", "mine"]


def test_tasks_of_several_folders_are_found_and_the_first_folder_goes_first(tmp_path):
    first = user_dir(tmp_path / "1", a=MINE.format(name="a"), both=MINE.format(name="first"))
    second = user_dir(tmp_path / "2", b=MINE.format(name="b"), both=MINE.format(name="second"))
    values = compose("eval", ["run=x", "task=[a,b,both]"], [first, second]).values
    assert list(values["tasks"]) == ["a", "b", "first"]


@pytest.mark.parametrize("name", ["with space", "a,b", "x=1", "(é)", "it's", "[x]", "$y"])
def test_a_folder_may_have_any_name(tmp_path, name):
    folder = user_dir(tmp_path / name, mine=MINE.format(name="mine"))
    assert list(compose("eval", ["run=x", "task=mine"], [folder]).values["tasks"]) == ["mine"]


def test_a_user_s_task_is_known_when_something_else_is_wrong(tmp_path):
    folder = user_dir(tmp_path, mine=MINE.format(name="mine"))
    assert set(wrong("task=mine", "bootstrapp=1", "weights.mine=2", dirs=[folder])) == {"bootstrapp"}


def test_a_misspelt_task_of_the_user_is_recognised(tmp_path):
    folder = user_dir(tmp_path, reviews=MINE.format(name="reviews"))
    assert "Did you mean 'reviews'?" in wrong("task=reveiws", dirs=[folder])["task"]


def test_a_user_s_options_and_groups_are_listed_with_ours(tmp_path):
    folder = user_dir(tmp_path, mine=MINE.format(name="mine"))
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "fast.yaml").write_text("steps: 3\n")
    with loaded([folder]) as loader:
        assert {"mine", "rte", "glue_mix"} <= set(options(loader, "task"))
        assert {"recipe", "task"} <= set(groups(loader))


def test_without_a_folder_only_ours_are_listed():
    with loaded() as loader:
        found = [
            "backbone",
            "launcher",
            "method",
            "prior",
            "sampler",
            "schedule",
            "sharing",
            "task",
            "verbalizer",
            "weighting",
        ]
        assert groups(loader) == found
        assert set(options(loader, "sharing")) == FAMILIES["sharing"].keys()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    found = wrong(dirs=[tmp_path / "nowhere"])[""]
    assert found.startswith(
        f"--config-dir: there is no folder {tmp_path / 'nowhere'}. Give one with files such as task/NAME.yaml"
    )


def test_a_file_as_folder_is_told(tmp_path):
    (tmp_path / "a.yaml").write_text("")
    assert "there is no folder" in wrong(dirs=[tmp_path / "a.yaml"])[""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks: {a: [1\n", r"mine.yaml"),
        ("# @package _global_\na: 1\na: 2\n", "found duplicate key a"),
        ("# @package _global_\ndefaults: [rtee]\n", "Could not load 'task/rtee'"),
    ],
)
def test_a_broken_file_of_the_user_is_told_without_a_traceback(tmp_path, text, said):
    assert said in wrong("task=mine", dirs=[user_dir(tmp_path, mine=text)])[""]


def test_a_file_that_is_not_utf8_is_told_without_a_traceback(tmp_path):
    folder = user_dir(tmp_path)
    (folder / "task" / "mine.yaml").write_bytes(b"# \xff\xfe\n")
    assert "utf-8" in wrong("task=mine", dirs=[folder])[""]


def test_a_list_for_a_family_whose_last_member_would_win_is_refused():
    with pytest.raises(ConfigError, match=r"weighting: takes one, not 2: .* -m weighting=pcgrad,mgda"):
        compose("train", ["weighting=[pcgrad,mgda]"])


@pytest.mark.parametrize(
    ("primary", "override", "says"),
    [
        ("zeroshot", "input=3", "input: is a section of keys, such as input.texts, input.file,"),
        ("zeroshot", "calibrate=null", "calibrate: is a section of keys, such as calibrate.temperature,"),
        ("zeroshot", "~out", "out: is a section of keys, such as out.name, "),
        (
            "zeroshot",
            "~method",
            "method: is a section of keys, such as method.name; it is removed. Set its keys instead",
        ),
        ("train", "~run", "run: is a section of keys"),
        ("train", "search=null", "search: is a section of keys"),
        ("train", "tasks=3", "tasks: is a section of keys, each with a name; found 3. Choose tasks with task=[A,B]"),
        ("eval", "data=[1]", "data: is a section of keys"),
        ("transfer", "~families", "families: is a section of keys, each with a name; it is removed"),
    ],
)
def test_a_section_that_is_no_section_any_more_is_refused_before_anything_looks_into_it(primary, override, says):
    given = ["run=x"] if primary == "eval" else []
    with pytest.raises(ConfigError) as caught:
        compose(primary, [override, *given])
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    "override", ["hydra.searchpath=[pkg://x]", "hydra/launcher=basic", "+hydra.job.chdir=true", "~hydra.run", "hydra=3"]
)
def test_hydra_s_own_settings_are_refused(override):
    (problem,) = wrong(override).values()
    assert problem == "Hydra's own settings have no effect here. Folders with YAML files: --config-dir DIR"


@pytest.mark.parametrize("text", ["seed=" + "[" * 300 + "]" * 300, "+a=" + "{a:" * 90 + "1" + "}" * 90])
def test_an_override_that_is_nested_too_deep_is_told_in_a_line(text):
    with pytest.raises(
        ConfigError, match=r"is nested deeper than 64 levels\. Put such values into a YAML file"
    ) as caught:
        compose("eval", ["run=x", text])
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text", ["x" * 5000, "=" + "x" * 5000, "x" * 5000 + "=1", "task=" + "x" * 5000, "seed=[" + "x" * 5000]
)
def test_an_override_of_five_thousand_letters_is_not_echoed(text):
    with pytest.raises(ConfigError) as caught:
        compose("eval", ["run=x", text])
    assert len(str(caught.value)) < 1500


BOMB = "a0: &a0 [1,2]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "it holds more than 100,000 values, each alias"),
        ("a: &x [*x]\n", "it holds more than 100,000 values"),
        ("a: " + "[" * 100 + "]" * 100, "it is nested deeper than 64 levels (line 1)"),
        ("- " * 100 + "a", "it is nested deeper than 64 levels"),
    ],
)
def test_a_yaml_file_that_would_grow_without_bound_is_refused(tmp_path, text, says):
    folder = user_dir(tmp_path / "conf", bomb=text)
    with pytest.raises(ConfigError) as caught:
        compose("train", ["task=bomb"], [folder])
    assert str(caught.value).startswith(f"--config-dir: {folder / 'task/bomb.yaml'} cannot be used: {says}")


def test_a_yaml_file_with_a_python_object_runs_nothing(tmp_path):
    folder = user_dir(tmp_path / "conf", evil=f"a: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(ConfigError, match="python/object/apply"):
        compose("train", ["task=evil"], [folder])
    assert not (tmp_path / "made").exists()


def test_what_comes_from_the_environment_is_used_and_written_as_it_was_given(monkeypatch):
    monkeypatch.setenv("MTL_TEST_PLACE", "/secret/place")
    values = compose("train", ["data.root=${oc.env:MTL_TEST_PLACE}/x", "data.cache=${data.root}", "seed=2"]).values
    assert (values["data"]["root"], values["data"]["cache"]) == ("/secret/place/x", "/secret/place/x")
    written = as_written(values)
    assert written["data"]["root"] == "${oc.env:MTL_TEST_PLACE}/x"
    assert written["data"]["cache"] == "${oc.env:MTL_TEST_PLACE}/x"
    assert written["seed"] == 2
    assert redact("there is no /secret/place/x") == "there is no ${oc.env:MTL_TEST_PLACE}/x"


def test_a_default_of_an_interpolation_is_a_plain_value(monkeypatch):
    monkeypatch.delenv("MTL_TEST_PLACE", raising=False)
    assert as_written(compose("train", ["data.root=${oc.env:MTL_TEST_PLACE,here}"]).values)["data"]["root"] == "here"


def test_a_number_from_the_environment_is_written_as_it_was_given_too(monkeypatch):
    monkeypatch.setenv("MTL_TEST_SIZE", "12")
    values = compose("train", ['batch.size="${oc.decode:${oc.env:MTL_TEST_SIZE}}"']).values
    assert values["batch"]["size"] == 12
    assert as_written(values)["batch"]["size"] == "${oc.decode:${oc.env:MTL_TEST_SIZE}}"


def test_a_variable_that_is_not_set_is_named_with_its_key(monkeypatch):
    monkeypatch.delenv("MTL_TEST_PLACE", raising=False)
    assert wrong("run=x", "data.root=${oc.env:MTL_TEST_PLACE}") == {
        "data.root": "the environment variable MTL_TEST_PLACE is not set. Set it (export MTL_TEST_PLACE=...), "
        "or give the value itself"
    }


@pytest.mark.parametrize(
    "key", ["sk-abcdefghijklmnopqrstuvwx", "a8f5f167f44f4964e6c998dee827110c", "my key", "hf_abcdefghijklmnopqrst"]
)
def test_a_key_where_the_name_of_its_variable_belongs_is_refused_and_not_shown(key):
    found = wrong("method=api", f'method.key_env="{key}"', primary="zeroshot")["method.key_env"]
    assert "must be the name of an environment variable, such as OPENAI_API_KEY" in found
    assert key not in found


def test_a_comma_in_a_path_gets_the_quotes_that_it_needs():
    assert """'data.root="/a,b"'""" in wrong("run=x", "data.root=/a,b")["data.root"]


@pytest.mark.parametrize(("override", "says"), [("task=RTE", "'rte'"), ("TASK=rte", "'task'"), ("Seed=2", "'seed'")])
def test_case_alone_is_enough_to_be_recognised(override, says):
    (problem,) = wrong("run=x", override).values()
    assert f"Did you mean {says}?" in problem


def test_a_name_that_looks_the_same_is_told_by_its_code_points(tmp_path):
    folder = user_dir(tmp_path / "conf", **{"tâche": MINE.format(name="mine")})
    (problem,) = wrong("run=x", 'task="ta\u0302che"', dirs=[folder]).values()
    assert "It looks the same: found U+0061 U+0302" in problem
    assert "not U+00E2" in problem
