"""The commands of README and help compose, the tree is the tree, the faults are what `mtl` says."""

import re
import shlex

import pytest

from mtl_cli.config.compose import compose
from mtl_cli.config.read import read
from mtl_cli.config.registry import FAMILIES
from mtl_cli.config.schema import TrainConfig
from mtl_cli.config.schema_check import CheckConfig
from tests.readme import BLOCKS, README, ROOT, TOPICS, Shown, parsed, shown_in_help, shown_in_pages


def commands(name):
    """The shell blocks' commands of a subcommand, as words behind it."""
    shown = dict.fromkeys(shown.words for shown in shown_in_pages(["sh"]) if shown.words[0] == name)
    return [list(words[1:]) for words in shown]


def overrides(words):
    return [w for w in words if "=" in w and not w.startswith("-")]


@pytest.mark.parametrize("words", commands("train"), ids=" ".join)
def test_every_training_command_composes_to_a_config(words):
    given = [re.sub(r"\$\w+", "1", w).replace("0.5,1,2", "1") for w in overrides(words)]
    if "--config-dir" in words:
        pytest.skip("needs the user's own file; tests/cli/test_train.py does the same")
    read(TrainConfig, compose("train", given).values)


@pytest.mark.parametrize("words", commands("check"), ids=" ".join)
def test_every_check_composes_to_a_config(words):
    read(CheckConfig, compose("check", overrides(words)).values)


@pytest.mark.parametrize("words", commands("eval"), ids=" ".join)
def test_every_evaluation_command_composes(words):
    assert compose("eval", overrides(words)).values["run"] == "outputs/X"


def test_there_are_enough_commands_to_test():
    assert len(commands("train")) >= 9
    assert len(commands("eval")) >= 4


@pytest.mark.parametrize("name", ["main", "test", "sweep"])
def test_the_blocks_that_ci_runs_are_there_once(name):
    assert [kind for kind, _ in BLOCKS].count(f"sh {name}") == 1


def test_help_shows_commands_too():
    shown = [s.words for s in shown_in_help()]
    assert ("train", "task=rte", "-m", "optim.lr=1e-5,5e-5") in shown
    assert len(shown) >= 15


def test_a_line_of_shell_becomes_words_and_the_file_that_it_reads():
    line = "zeroshot --labels 'a b,c' run=outputs/X < lines.txt   # a run of yours"
    assert parsed(line) == Shown(("zeroshot", "--labels", "a b,c", "run=outputs/X"), "lines.txt")
    assert parsed("zeroshot --file a.csv > b.jsonl") == Shown(("zeroshot", "--file", "a.csv"), None)


def test_the_tree_is_true():
    tree = next(text for _, text in BLOCKS if text.startswith("pyproject.toml"))
    folder = ""
    for line in tree.splitlines():
        name = line.split()[0]
        folder = "" if not line.startswith(" ") else folder
        assert (ROOT / folder / name).exists(), name
        if not line.startswith(" "):
            folder = name if name.endswith("/") else ""


def test_every_room_is_in_the_tree():
    tree = next(text for _, text in BLOCKS if text.startswith("pyproject.toml"))
    rooms = {p.name for p in (ROOT / "mtl_cli").iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert {f"{room}/" for room in rooms} <= set(tree.split())


def test_every_sampler_is_in_the_table():
    for path in (ROOT / "configs/sampler").glob("*.yaml"):
        assert f"| `{path.stem}` |" in TOPICS["sampler"]


def test_the_table_of_what_weightings_look_at_has_each_of_them_once():
    table = TOPICS["weighting"].split("passes over the rows |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(FAMILIES["weighting"])


def test_the_shown_faults_are_what_mtl_says(mtl):
    shown = next(text for _, text in BLOCKS if text.startswith("$ mtl train task=glu_mix")).splitlines()
    assert mtl(*shlex.split(shown[0])[2:]).err.splitlines() == shown[1:]


def test_the_top_level_holds_nothing_else():
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {t for t in top if not t.startswith(".")} <= {
        "pyproject.toml", "mtl_cli", "configs", "tests", "outputs", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
    }  # fmt: skip


def test_every_line_of_the_threat_model_names_a_test_that_is_there():
    lines = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Security")[1].split("\n## ")[0].splitlines()
    )
    rows = [line for line in lines if line.startswith("|")][2:]
    assert len(rows) >= 15
    for row in rows:
        path, name = re.search(r"`(tests/\S+\.py)::(\w+)` \|$", row).groups()
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), row


def test_what_stands_behind_a_command_in_help_is_not_taken_for_its_words():
    for shown in shown_in_help():
        if shown.words[0] == "train":
            assert all("=" in word or word.startswith("-") for word in shown.words[1:]), shown.words


def test_the_readme_is_short_and_names_every_topic():
    assert len(README) < 10_000
    table = README.partition("## Read on")[2].partition("\n## ")[0]
    assert set(TOPICS) <= set(re.findall(r"`(\w+)`", table))


def test_its_links_lead_to_files_and_their_headings():
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#([^)]+))?\)", README)
    assert len(links) >= 4
    for path, heading in links:
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        assert not heading or heading in {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in headings}


def test_every_table_of_results_has_its_command_commit_and_date():
    sections = (ROOT / "tests/benchmarks/RESULTS.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert len(sections) >= 9
    for section in sections:
        assert re.search(r"`(?:python|mtl) [^`]+`.* \| [0-9a-f]{7} \| \d{4}-\d\d-\d\d \|", section), (
            section.splitlines()[0]
        )
