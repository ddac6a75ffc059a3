"""Label sets in every form in which people write them, on the command line, in YAML, and as classes of a task."""

from __future__ import annotations

from tests.fuzz import shelf, values
from tests.fuzz.case import Case, Stage
from tests.fuzz.configs import _dumped, _replace
from tests.fuzz.files import of_task

_NAMES = (
    "pos", "neg", "0", "1", "2", "-1", "1.0", "01", "true", "False", "no", "yes", "null", "nan", "a b", " pos",
    "pos ", "Pos", "POS", "é", "e\u0301", "a\u00a0b", "a\u200bb", "ａ", "日本語", "🙂", "", "x" * 300, "a,b", "a=b",
    "a|b", "it's", 'say "x"', "a\tb", "a\nb", "ß", "ss", "İ", "i", "{}", "%s", "$x", "${seed}", "not pos", "a.b",
    "[x]", "1,5", "١", "²", "∞", "1e3", "0x1", "+1",
)  # fmt: skip


def case(stage: Stage) -> Case:
    """A label set and a command that reads it."""
    random = stage.random
    names = [random.choice(_NAMES) for _ in range(random.choice((1, 2, 2, 2, 3, 5, 30)))]
    way = random.randrange(8)  # most are tasks, which cost least
    if way == 0:
        return _flag(stage, names)
    if way == 1:
        return _file(stage)
    return _task(stage, names)


def _flag(stage: Stage, names: list[str]) -> Case:
    random = stage.random
    entries = [name if random.random() < 0.7 else f"{name}={random.choice(_NAMES)}" for name in names]
    if random.random() < 0.3:
        entries = [f'"{entry}"' for entry in entries]
    text = random.choice((",", ",", ",", ", ", ";", "|", ",,")).join(entries)
    if random.random() < 0.15:
        text = values.typo(random, text)
    if random.random() < 0.3:
        return Case(["doctor", "backbone=tiny", "--labels", text])
    words = [
        "zeroshot",
        "backbone=tiny",
        "--labels",
        text,
        "--text",
        random.choice(("a", "", " ", "\u200b", "日本語", "x" * 3000)),
    ]
    if random.random() < 0.3:
        shares = ",".join(f"{name}={random.choice(('.5', '0', '-1', 'x', '1e999', 'nan'))}" for name in names)
        words += ["prior=shares", f'prior.shares="{shares}"']
    if random.random() < 0.2:
        words += ["--template", random.choice(("{}", "no place", "{} {}", "{0}", "{label}", "{", "", "{}" * 400))]
    return Case([word.replace("\0", "") for word in words])


def _file(stage: Stage) -> Case:
    import yaml

    random = stage.random
    content: bytes = shelf.LABELS.encode()
    if random.random() < 0.5:
        content = values.damaged(random, content)
    else:
        tree = yaml.safe_load(shelf.LABELS)
        for _ in range(random.choice((1, 2, 4))):
            _replace(random, tree)
        content = _dumped(tree).encode("utf-8", "surrogatepass")
    name = random.choice(("set.yaml", "set.yaml", "set.yml", "set.json", "set.txt", "set"))
    stage.write(name, content)
    return Case([random.choice(("zeroshot", "doctor")), "backbone=tiny", "--labels", name, "--text", "a fine film"])


def _task(stage: Stage, names: list[str]) -> Case:
    import yaml

    random = stage.random
    tree = yaml.safe_load(shelf.TASK)
    classes = (
        names
        if random.random() < 0.9
        else random.choice((2, 0, -1, "neg", {"a": 1}, [[1]], [None, True], [0, 1], [-1, 0, 1], [0.5, 1.5], ["pos", 1]))
    )
    tree["tasks"]["mine"]["kind"] = {"name": "classification", "labels": classes}
    if random.random() < 0.2:
        tree["tasks"]["mine"]["kind"]["merge"] = {random.choice(names): random.choice(_NAMES)}
    form = random.choice(("jsonl", "csv", "tsv"))
    tree["tasks"]["mine"]["source"] = {"files": dict.fromkeys(("train", "validation"), f"rows.{form}")}
    column = [*names, *(random.choice(_NAMES) for _ in range(random.randrange(2)))]
    if random.random() < 0.3:
        column = [random.choice((0, 1, -1, 1.0, True, False, None, *names)) for _ in range(8)]  # type: ignore[misc]
    rows = [{"text": f"text {i}", "label": label} for i, label in enumerate(column * 2)]
    content = shelf.lines(rows) if form == "jsonl" else shelf.delimited(rows, "," if form == "csv" else "\t")
    stage.write(f"rows.{form}", content)
    return of_task(stage, f"# @package _global_\n{_dumped(tree)}")
