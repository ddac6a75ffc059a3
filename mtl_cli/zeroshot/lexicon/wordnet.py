"""WordNet as its own files hold it (wndb(5WN)): `index.POS` leads from a word to its senses, `data.POS` holds them.

Only the lines that are asked for are parsed. The files of different releases and packagers differ in the places of the senses, and
some have other line ends than those that the places were counted with: what the index says is looked for, not trusted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_cli.errors import DataError

KINDS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
"""Parts of speech and how their files end."""
FULL = {"n": "noun", "v": "verb", "a": "adjective", "r": "adverb"}
_OF_DIGIT = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
_ENDINGS = {
    "n": (("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y")),
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}  # fmt: skip
"""What a base form may have become (morphy(7WN))."""


@dataclass(frozen=True)
class Pointer:
    """A relation of a sense."""

    symbol: str
    """As the files write it: `~` hyponym, `+` derivation, `&` similar, ..."""
    kind: str
    offset: int
    source: int
    """Place of the word that it starts from, from 1 on; 0: it is of the whole sense."""
    target: int
    """The same in the other sense."""


@dataclass(frozen=True)
class Synset:
    """Words with one meaning."""

    kind: str
    offset: int
    words: tuple[str, ...]
    gloss: str
    """Its definition, without the examples; may be empty."""
    pointers: tuple[Pointer, ...]


@dataclass(frozen=True)
class Sense:
    """One meaning of a word."""

    lemma: str
    """The word as WordNet has it, with spaces."""
    number: int
    """Among those of its part of speech, from 1 on; lower ones are more frequent."""
    of: int
    """How many there are."""
    count: int
    """How often it was met in the tagged texts; 0 also where the files do not say."""
    synset: Synset

    @property
    def name(self) -> str:
        """Such as `sport, noun 1 of 7`."""
        return f"{self.lemma}, {FULL[self.synset.kind]} {self.number} of {self.of}"


class WordNet:
    """The files of one folder.

    Args:
        folder: with `index.POS` and `data.POS` for POS noun, verb, adj and adv; `index.sense` and `POS.exc` are used if they are there.

    Raises:
        DataError: a file is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        needed = [f"{part}.{end}" for end in KINDS.values() for part in ("index", "data")]
        missing = [name for name in needed if not (folder / name).is_file()]
        if missing:
            raise DataError(f"{folder} is not WordNet: there is no {', no '.join(missing)}")

    def senses(self, text: str) -> tuple[Sense, ...]:
        """Meanings of a word or phrase and of its base forms, the most frequent first; none if WordNet does not have it.

        Args:
            text: in lower case.

        Raises:
            DataError: the files contradict one another.
        """
        lemmas = dict.fromkeys(lemma for lemma in _spellings(text) if lemma)
        found = [
            sense
            for lemma in lemmas
            for kind in KINDS
            for form in self._forms(lemma, kind)
            for sense in self._of(form, kind)
        ]
        unique = {(sense.synset.kind, sense.synset.offset): sense for sense in reversed(found)}
        ranks = list(KINDS)
        return tuple(sorted(unique.values(), key=lambda s: (-s.count, s.number, ranks.index(s.synset.kind))))

    def at(self, pointer: Pointer) -> Synset:
        """The sense that a pointer leads to."""
        return self._synset(pointer.kind, pointer.offset)

    def neighbours(self, synset: Synset, symbols: Sequence[str]) -> Iterator[Synset]:
        """Senses that it points to as a whole by one of these relations."""
        return (self.at(pointer) for pointer in synset.pointers if pointer.symbol in symbols and not pointer.source)

    def derived(self, synset: Synset, lemma: str) -> Iterator[str]:
        """Words that are derived from one of the words of a sense, or that it is derived from."""
        for pointer in synset.pointers:
            if pointer.symbol == "+" and pointer.source and synset.words[pointer.source - 1].lower() == lemma:
                yield self.at(pointer).words[pointer.target - 1]

    def _forms(self, lemma: str, kind: str) -> Iterator[str]:
        """The word itself, then its base forms: irregular ones from the list, else by ending."""
        yield lemma
        listed = self._exceptions(kind).get(lemma)
        if listed:
            yield from listed
            return
        yield from (
            lemma[: -len(end)] + base
            for end, base in _ENDINGS[kind]
            if lemma.endswith(end) and len(lemma) > len(end) + 1
        )

    def _of(self, lemma: str, kind: str) -> list[Sense]:
        line = self._index(kind).get(lemma.encode("utf-8"))
        if line is None:
            return []
        fields = line.split()
        try:
            number = int(fields[2])
            offsets = [int(field) for field in fields[len(fields) - number :]]
        except (IndexError, ValueError) as error:
            raise DataError(f"{self.folder}/index.{KINDS[kind]} is damaged at '{lemma}'") from error
        counts = self._counts(lemma)
        shown = lemma.replace("_", " ")
        return [
            Sense(shown, i, number, counts.get((kind, offset), 0), self._synset(kind, offset))
            for i, offset in enumerate(offsets, start=1)
        ]

    @functools.cache  # noqa: B019  (one reader lives as long as a question)
    def _index(self, kind: str) -> dict[bytes, bytes]:
        """Lemma -> its line."""
        return {line.partition(b" ")[0]: line for line in self._file("index", kind).split(b"\n")}

    @functools.cache  # noqa: B019
    def _synset(self, kind: str, offset: int) -> Synset:
        content, key = self._file("data", kind), b"%08d " % offset
        # Where the line ends were made longer, the line stands further on.
        at = offset if content.startswith(key, offset) else content.find(b"\n" + key, max(0, offset - 1)) + 1
        try:
            if not content.startswith(key, at):
                raise ValueError
            return _parsed(content[at : content.find(b"\n", at) + 1 or len(content)].decode("utf-8"), kind)
        except (ValueError, IndexError) as error:
            raise DataError(
                f"{self.folder}/data.{KINDS[kind]} is damaged: there is no sense at {offset:08d}"
            ) from error

    def _counts(self, lemma: str) -> dict[tuple[str, int], int]:
        """Kind and place of each sense -> how often it was met."""
        content, start = self._optional("index.sense"), lemma.encode("utf-8") + b"%"
        counts = {}
        at = 0 if content.startswith(start) else content.find(b"\n" + start) + 1
        while content.startswith(start, at):
            end = content.find(b"\n", at) + 1 or len(content)
            fields = content[at:end].split()
            digit = fields[0].partition(b"%")[2][:1].decode("utf-8")
            if len(fields) == 4 and digit in _OF_DIGIT:
                counts[_OF_DIGIT[digit], int(fields[1])] = int(fields[3])
            at = end
        return counts

    @functools.cache  # noqa: B019
    def _exceptions(self, kind: str) -> dict[str, list[str]]:
        lines = self._optional(f"{KINDS[kind]}.exc").decode("utf-8").splitlines()
        return {words[0]: words[1:] for words in map(str.split, lines) if words}

    def _file(self, part: str, kind: str) -> bytes:
        return self._optional(f"{part}.{KINDS[kind]}")

    @functools.cache  # noqa: B019
    def _optional(self, name: str) -> bytes:
        """A file's content; empty if it is not there."""
        path = self.folder / name
        try:
            return path.read_bytes() if path.is_file() else b""
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _spellings(text: str) -> tuple[str, ...]:
    """A phrase as the index may write it: words joined by `_`, by hyphens as they are, or not at all."""
    joined = text.replace(" ", "_")
    return joined, joined.replace("-", "_"), joined.replace("_", "-"), joined.replace("_", "").replace("-", "")


def _parsed(line: str, kind: str) -> Synset:
    """`offset lex type words pointers [frames] | gloss`; the numbers of words are hexadecimal."""
    body, _, gloss = line.partition("|")
    fields = body.split()
    words = int(fields[3], 16)
    begin = 4 + 2 * words
    names = tuple(field.partition("(")[0].replace("_", " ") for field in fields[4:begin:2])
    pointers = []
    for i in range(int(fields[begin])):
        symbol, offset, other, ends = fields[begin + 1 + 4 * i : begin + 5 + 4 * i]
        pointers.append(
            Pointer(symbol, "a" if other == "s" else other, int(offset), int(ends[:2], 16), int(ends[2:], 16))
        )
    return Synset(kind, int(fields[0]), names, _definition(gloss), tuple(pointers))


def _definition(gloss: str) -> str:
    """What stands before the first example."""
    return " ".join(gloss.partition('"')[0].strip().rstrip(";:").split())
