"""A few senses in WordNet's own files, with places counted as the real ones count them."""

from dataclasses import dataclass

ENDS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
DIGITS = {"n": 1, "v": 2, "a": 3, "r": 4, "s": 5}
LICENCE = "  1 This software and database is provided to no one.  \n"


@dataclass(frozen=True)
class Entry:
    """A sense: its key, words, gloss, and pointers as (symbol, key, source, target)."""

    key: str
    words: tuple[str, ...]
    gloss: str
    pointers: tuple[tuple[str, str, int, int], ...] = ()
    kind: str = "n"


BANK = (
    Entry("bank.money", ("bank", "banking_company"), 'a firm that lends money; "he went to the bank"', (
        ("~", "savings", 0, 0), ("+", "bank.verb", 1, 1), ("~i", "lloyds", 0, 0),
    )),
    Entry("savings", ("savings_bank", "thrift"), "a bank for small savings", (("~", "mutual", 0, 0),)),
    Entry("mutual", ("mutual_savings_bank",), "a bank that its savers own"),
    Entry("lloyds", ("Lloyds",), "a bank of London"),
    Entry("bank.river", ("bank",), "sloping land beside water", (("~", "riverside", 0, 0),)),
    Entry("riverside", ("riverbank", "riverside"), "the bank of a river"),
    Entry("card", ("card",), "a piece of plastic"),
    Entry("credit", ("credit_card", "charge_card"), "a card to pay with"),
    Entry("arrival", ("arrival", "reaching"), "the act of coming"),
    Entry("esteem", ("self-esteem", "pride"), "a feeling of worth"),
    Entry("man", ("man",), ""),
    Entry("bank.verb", ("deposit", "bank"), "put into a bank", (("+", "bank.money", 2, 1),), "v"),
    Entry("good", ("good",), "having the right qualities", (("&", "superb", 0, 0),), "a"),
    Entry("superb", ("superb(p)",), "of high quality", (("&", "good", 0, 0),), "s"),
)  # fmt: skip
COUNTS = {("bank", "bank.river"): 20, ("bank", "bank.money"): 15, ("bank", "bank.verb"): 30}


def write_wordnet(folder, entries=BANK, *, counts=COUNTS, newline="\n", exceptions=("men man",)):
    """Write the files; the senses of a word stand in the order of the entries."""
    folder.mkdir(parents=True, exist_ok=True)
    places = _places(entries)
    for end in sorted(set(ENDS.values())):
        own = [entry for entry in entries if ENDS[entry.kind] == end]
        data = LICENCE + "".join(_line(entry, places) for entry in own)
        words = sorted({word.partition("(")[0].lower() for entry in own for word in entry.words})
        index = LICENCE + "".join(_index_line(word, own, places) for word in words)
        _write(folder / f"data.{end}", data, newline)
        _write(folder / f"index.{end}", index, newline)
    lines = sorted(
        f"{word}%{DIGITS[entry.kind]}:00:00:: {places[entry.key]:08d} 1 {counts[word, entry.key]}\n"
        for entry in entries for word in entry.words if (word, entry.key) in counts
    )  # fmt: skip
    _write(folder / "index.sense", "".join(lines), newline)
    _write(folder / "noun.exc", "".join(f"{line}\n" for line in exceptions), newline)
    return folder


def _write(path, text, newline):
    path.write_bytes(text.replace("\n", newline).encode())


def _places(entries):
    """Bytes before each line; the numbers are of one width, so that the lines can be counted before they are known."""
    at, places, none = dict.fromkeys(set(ENDS.values()), len(LICENCE)), {}, dict.fromkeys((e.key for e in entries), 0)
    for entry in entries:
        places[entry.key] = at[ENDS[entry.kind]]
        at[ENDS[entry.kind]] += len(_line(entry, none))
    return places


def _line(entry, places):
    kinds = {other.key: other.kind for other in BANK}
    words = " ".join(f"{word} 0" for word in entry.words)
    pointers = "".join(f"{s} {places[key]:08d} {kinds[key]} {a:02x}{b:02x} " for s, key, a, b in entry.pointers)
    frames = "01 + 02 00 " if entry.kind == "v" else ""
    head = f"{places[entry.key]:08d} 03 {entry.kind} {len(entry.words):02x} {words}"
    return f"{head} {len(entry.pointers):03d} {pointers}{frames}| {entry.gloss}  \n"


def _index_line(word, own, places):
    found = [places[e.key] for e in own if word in [w.partition("(")[0].lower() for w in e.words]]
    offsets = " ".join(f"{place:08d}" for place in found)
    return f"{word} {'a' if own[0].kind == 's' else own[0].kind} {len(found)} 1 @ {len(found)} 0 {offsets}  \n"
