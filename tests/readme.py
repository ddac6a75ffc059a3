"""The commands that README, `mtl help` and `--help` show: as words, and run for real in an environment with the extras that they name.

    python tests/readme.py RUN             # RUN: the folder that the README's first command printed; in an empty folder

Each command runs in a child of this process, which has imported what is slow, on a few rows and steps. Where a command needs an
extra that is not installed, it must print the line that installs it, with exit code 2 and nothing on standard output. What needs
the model hub or data that do not come with `mtl` is left out, and named.
"""

from __future__ import annotations

import csv
import functools
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOPICS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "mtl_cli/help").glob("*.md"))}
BLOCKS: list[tuple[str, str]] = [
    block
    for text in (README, *TOPICS.values())
    for block in re.findall(r"^```(.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]
"""(kind, text) of each fenced block of the README, then of the topics."""

_SOLVED = ("weighting=upgrad", "weighting=cagrad", "weighting=nash_mtl", "weighting=dualproj", "weighting.of=dualproj")
"""Words of commands that need the extra `solvers`."""
_EXTRAS = (
    ("search.trials", "search", "optuna"), ("names", "tagging", "seqeval"),
    ("submitit_slurm", "submitit", "submitit"), ("launcher=ray", "ray", "ray"),
)  # fmt: skip
"""(word of a command, extra that it needs, module of that extra)"""
_ELSEWHERE = ("task=nli_mix", "task=zeroshot_mix", "transfer", "sick_e", "deberta", "task=glue ", "train.steps=300")
"""Parts of commands that need the hub, data that are not here, or minutes."""
_FAULT = "glu_mix"
"""In the command that is shown with its faults."""
_QUICK = {
    "train": (
        "train.steps=2", "batch.size=8", "data.max_length=48", "data.limit=16", "eval.limit=8", "eval.bootstrap=20",
        "train.progress=none",
    ),
    "check": ("data.max_length=48", "data.limit=16"), "eval": ("bootstrap=20",), "zeroshot": ("bootstrap=20",),
}  # fmt: skip
"""What makes a command quick."""
_IMPORTED = (
    "check", "doctor", "evaluate", "studies.affinity", "studies.series", "studies.sweep", "train.run", "zeroshot.run",
)  # fmt: skip
"""Recipes that are imported before the first child is made, so that no child waits for them."""
_PRINTS = ("train", "check", "eval", "zeroshot", "doctor", "affinity", "ls", "runs", "help")


@dataclass(frozen=True)
class Shown:
    """A command as a reader sees it."""

    words: tuple[str, ...]
    """After `mtl`, without comments and redirections."""
    stdin: str | None = None
    """Name of the file behind `<`."""


def shown_in_pages(kinds: Sequence[str] = ("sh", "text")) -> Iterator[Shown]:
    """The commands in blocks of these kinds: of the README, then of the topics."""
    for kind, text in BLOCKS:
        if kind.split(" ")[0] in kinds:
            for line in text.splitlines():
                if found := re.match(r"\s*(?:\$ )?mtl (.*)", line):
                    yield parsed(found[1])


def shown_in_help() -> Iterator[Shown]:
    """The commands under `Examples:` in each `--help`."""
    import typer

    from mtl_cli.cli.app import app

    for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
        for line in (command.help or "").splitlines():
            if found := re.match(r"\s+mtl (.*?)(?:\s{3,}.*)?$", line):
                yield parsed(found[1])


def parsed(line: str) -> Shown:
    """The words of a line of shell."""
    words = shlex.split(line, comments=True)
    redirected = {words[i]: words[i + 1] for i in range(len(words) - 1) if words[i] in ("<", ">")}
    end = min((words.index(sign) for sign in redirected), default=len(words))
    return Shown(tuple(words[:end]), redirected.get("<"))


def main(run: str) -> int:
    """Run all commands; print a line each; return the exit code."""
    _prepare(run)
    failures = 0
    added = _offline()
    seen: set[Shown] = set()
    for shown in [*shown_in_pages(), *shown_in_help(), *_extra_commands()]:
        if shown in seen or shown.words[0] not in _PRINTS:
            continue
        seen.add(shown)
        line = f"mtl {shlex.join(shown.words)}"
        if reason := _left_out(shown.words, added):
            print(f"{'left out':<9} {line}   ({reason})", flush=True)
            continue
        begin = time.monotonic()
        problem = _problem(shown)
        failures += bool(problem)
        print(f"{'FAILS' if problem else 'ok':<9} {line}   ({time.monotonic() - begin:.1f} s) {problem}", flush=True)
    print(f"{failures} commands fail")
    return int(failures > 0)


def _extra_commands() -> list[Shown]:
    """What the pages say of extras in prose."""
    solved = [Shown(("train", word, "sampler=all_tasks")) for word in _SOLVED if not word.startswith("weighting.of")]
    mixed = Shown(("train", "weighting=cr_mogm", "weighting.of=dualproj", "sampler=all_tasks"))
    rays = Shown(("train", "task=[rte,stsb]", "weights.rte=0.5,1", "run.name=rays", "-m", "launcher=ray"))
    return [*solved, mixed, rays]


def _left_out(words: Sequence[str], added: dict[str, bool]) -> str:
    text = " ".join([*words, ""])
    if any(part in text for part in _ELSEWHERE):
        return "needs data, a hub or minutes"
    if "submitit" in text and importlib.util.find_spec("submitit"):
        return "needs Slurm"
    if "launcher=ray" in text and importlib.util.find_spec("ray"):
        return "needs half a minute of Ray"
    if "causal" in text and not added["smollm2"]:
        return "needs `mtl offline add smollm2`, and the package index does not answer"
    if "wordnet" in text and not added["wordnet"]:
        return "needs `mtl offline add wordnet`, and the package index does not answer"
    return ""


def _needed_extra(words: Sequence[str]) -> str:
    """The extra that a command needs and this environment lacks."""
    text = " ".join(words)
    table = [*_EXTRAS, *((word, "solvers", "quadprog") for word in _SOLVED)]
    return next(
        (extra for word, extra, module in table if word in text and importlib.util.find_spec(module) is None), ""
    )


def _problem(shown: Shown) -> str:
    """What is wrong with how a command ends; empty if nothing."""
    words = _made_quick(shown.words)
    name = next((word.removeprefix("run.name=") for word in words if word.startswith("run.name=")), None)
    if name and not any("if_exists" in word for word in words):
        shutil.rmtree(Path("outputs") / name, ignore_errors=True)
    code, out, err = call(words, shown.stdin)
    extra = _needed_extra(shown.words)
    if extra:
        told = f"pip install 'mtl-cli[{extra}]'" in err and not out and code == 2
        return "" if told else f"must name mtl-cli[{extra}] and exit with 2; exit code {code}: {err[-600:]}"
    if _FAULT in " ".join(words):
        return "" if (code, out) == (2, "") else f"must be refused; exit code {code}"
    if code or "Traceback" in err or not out:
        return f"exit code {code}: {err[-1500:]}"
    return ""


def _made_quick(words: Sequence[str]) -> list[str]:
    """With the names of things that are here, few rows and few steps."""
    names = {"DIR_OR_HUB_ID": "outputs/X/checkpoints/best/encoder", "=DIR": "=data", "$rte": "0.5", "$stsb": "2"}
    found = [functools.reduce(lambda text, name: text.replace(name, names[name]), names, word) for word in words]
    if words[0] in ("zeroshot", "doctor"):  # their run folders have names of training runs
        found.append("out.outputs=answers")
    if words[0] == "zeroshot" and "-m" in words:
        found.append("limit=8")
    if "source=metrics" in words:  # computes nothing, and takes no steps
        return found
    if words[0] == "affinity":
        of_run = ("steps=2", "batch_size=12")
        return [*found, *(of_run if "run=outputs/X" in words else (*_QUICK["train"], "measure.every=1"))]
    return [*found, *_QUICK.get(words[0], ())]


def call(words: Sequence[str], stdin: str | None = None) -> tuple[int, str, str]:
    """Run a command in a child; returns exit code, standard output and standard error."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _child(words, stdin)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, Path(".out").read_text(encoding="utf-8"), Path(".err").read_text(encoding="utf-8")


def _child(words: Sequence[str], stdin: str | None) -> None:
    from mtl_cli.cli.app import main as command

    written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, name, flags in ((0, stdin or os.devnull, os.O_RDONLY), (1, ".out", written), (2, ".err", written)):
        os.dup2(os.open(name, flags, 0o644), number)
    sys.argv = ["mtl", *words]
    code: Any = 1
    try:
        command()
        code = 0
    except SystemExit as error:
        code = error.code or 0
    except BaseException:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _offline() -> dict[str, bool]:
    """Add the packages that `mtl offline` knows; whether each is there. What is wrong other than the index is a failure."""
    added = {}
    for name in ("smollm2", "wordnet"):
        begin = time.monotonic()
        code, _, err = call(["offline", "add", name])
        added[name] = code == 0
        if code and "pip could not download" not in err:
            raise SystemExit(f"mtl offline add {name}: exit code {code}: {err}")
        seconds = f"({time.monotonic() - begin:.1f} s)"
        print(
            f"{'ok' if added[name] else 'left out':<9} mtl offline add {name}   {seconds} {err[-300:] * bool(code)}",
            flush=True,
        )
    return added


def _prepare(run: str) -> None:
    """The files that the commands name, each with a few rows."""
    for name in _IMPORTED:
        importlib.import_module(f"mtl_cli.recipes.{name}")
    Path("outputs").mkdir(exist_ok=True)
    shutil.copytree(run, "outputs/X", symlinks=True)
    Path("outputs/X/.summary.json.0123abcd").write_text("what a killed process left", encoding="utf-8")
    shutil.copytree(ROOT / "mtl_cli/tasks/bundled", "data", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for folder in Path("data").iterdir():
        shutil.copy(folder / "validation.jsonl", folder / "test.jsonl")
    shutil.copytree("data/rte", "data/wnli")
    pairs = [json.loads(line) for line in Path("data/rte/validation.jsonl").read_text(encoding="utf-8").splitlines()]
    films = [
        {"text": f"a {'fine' if i % 2 else 'terrible'} film, take {i}", "label": "pos" if i % 2 else "neg"}
        for i in range(240)
    ]
    for name, rows in {
        "news.csv": [{"title": "Shares fell after the bank raised its rates."}],
        "reviews.csv": [{"text": row["text"]} for row in films[:20]],
        "gold.csv": films,
        "train.csv": [
            {"message": row["text"], "label": "urgent" if "fine" in row["text"] else "later"} for row in films[:16]
        ],
    }.items():
        with Path(name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    shutil.copy("train.csv", "dev.csv")
    for name, rows in {
        "my.jsonl": [{k: row[k] for k in ("sentence1", "sentence2")} for row in pairs[:4]],
        "names.jsonl": [
            {"tokens": ["Ada", "wrote", "it"], "tags": ["B-PER", "O", "O"]},
            {"tokens": ["It", "was", "Alan", "Turing"], "tags": "O O B-PER I-PER"},
        ],
        "rows.jsonl": [{"text": "The minister resigned.", "options": ["sports", "politics"]}],
        "ag_news.jsonl": [{"text": "Shares fell.", "label": "Business"}, {"text": "A late goal.", "label": "Sports"}],
        "banking77.jsonl": [{"text": "My card does not work.", "label": "virtual_card_not_working"}],
    }.items():
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("lines.txt", "news.txt"):
        Path(name).write_text(
            "The striker scored twice.\nShares fell after the bank raised its rates.\n", encoding="utf-8"
        )
    for kind, text in BLOCKS:
        if kind == "yaml" and (found := re.match(r"(?:# @package _global_\n)?# ([\w./]+\.yaml)", text)):
            Path(found[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(found[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).resolve())))
