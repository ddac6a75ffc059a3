"""Values of every type, as texts in the grammar of overrides and as plain objects for YAML and JSON."""

from __future__ import annotations

import random
from typing import Any

LONG = "x" * 5000

TEXTS = (
    "", " ", "a", "a b", "pos", "null", "None", "true", "no", "yes", "~", "-", "--", "*", "é", "e\u0301",
    "\u00e9\u0301", "\u200b", "\u00a0x\u00a0", "ａ", "🙂", "👩‍👩‍👧", "日本語", "שלום", "\u202eabc", "\x07", "\x1b[31mred",
    "\n", "a\nb", "\r\n", "\t", "\ufeff", "\ud800", "\udcff", "%s", "%(x)s", "{0}", "{}", "<b>", "\\", "'", '"',
    "a'b", 'a"b', "0", "-1", "01", "1.0", "1e3", "nan", "inf", "=", "a=b", "a:b", "a@b", "a/b", "../up", ".", "..",
    "/dev/null", "/nonexistent/x", "~no_such_user/x", "a.b.c", "...", "__class__", "__import__('os')", "os.system",
    "builtins.eval", "$x", "${seed}", "\N{LATIN SMALL LETTER DOTLESS I}", "İ", "ß", "ǆ", LONG, "ab " * 700,
    "é" * 300, "x" * 260, ".hidden", "con", "nul.txt", "a\u2028b", "1,2", "a|b", "a;b",
)  # fmt: skip

NUMBERS = (
    0, 1, -1, 2, 3, 7, 10, 0.0, -0.0, 0.5, 1.5, -0.5, 1e-9, 1e-320, 1e308, 2**31, 2**63, 2**64, -(2**63), 10**30,
    10**400, 1e16, 0.1 + 0.2,
)  # fmt: skip

RAW = (
    "", "null", "NULL", "true", "False", "yes", "0", "-1", "1", "2", "3.5", "1e-4", "1e999", "-inf", "inf", "nan",
    "NaN", ".nan", "9" * 30, "9" * 400, "0x10", "1_000", "'a b'", '"a,b"', "a b", "é", "'e\u0301'", "e\u0301",
    "\u200b", "'\u00a0'", "🙂", "\x07", "'\n'", LONG, f"'{LONG}'", f"[{','.join('a' * 900)}]", "../up", "/dev/null",
    "/nonexistent/x", "~", "${seed}", "${oc.env:HOME}", "${oc.env:FUZZ_SECRET}", "${nope}", "${seed",
    "${oc.env:NOPE}", "${oc.env:NOPE,1}", "${oc.decode:x}", "${a:b}", "${oc.create:[1]}", "${oc.select:seed,3}",
    "${.seed}", "${..seed}", "${...}", "$x", "\\", "'", '"', "'unclosed", "[", "[a", "]", "[]", "[1,2]",
    "[a,[b,[c]]]", "[null]", "[[]]", "{", "{}", "{a:1}", "{a:{b:{c:1}}}", "{1:2}", "{a:null}", "{null:1}",
    "{true:1}", "{'':1}", "{a:1,a:2}", "{a:[1,{b:2}]}", "a,b", "1,2,3", ",", "a,", "range(1,3)", "range(3,1)",
    "range(0,1,0)", "range(0,1e9)", "choice(a,b)", "choice()", "interval(0,1)", "interval(1,0)", "interval(a,b)",
    "glob(*)", "shuffle(1,2)", "sort(2,1)", "tag(x,interval(0,1))", "tag(log,interval(0.1,1))", "int(3)", "int(a)",
    "str(3)", "float(nan)", "bool(1)", "json_str(1)", "extend_list(1)", "???", "!!python/object:os.system", "=",
    "==", "a=b", "a:b", "a@b", "[" * 60 + "]" * 60, "{a:" * 60 + "1" + "}" * 60, "'min(1, step/500)'", "'1/0'",
    "'step/(step-step)'", "'step**step**step'", "'9**9**9**9'", "'__import__(1)'", "'step if'", "'((((1))))'",
    f"'{'(' * 300}1{')' * 300}'", f"'{'-' * 3000}1'", f"'{'+'.join('1' * 3000)}'", "-", "--", "*", "%s", "%(x)s",
    "{0}", "\x1b[31m", "\ud800", "a.b", "_target_", "{_target_:os.abort}", "{_target_:a.b,name:x}", "{name:x}",
    "{name:null}", "{name:[a]}", "{name:tiny}", "{name:tiny,layers:x}", "[0.9,0.999]", "[0,1,2]", "[-1,2]", "[true]",
    "best", "last", "mean", "auto", "cpu", "cuda", "tpu", "all", "nothing", "encoder", "none", "end", "epoch",
    "16-mixed", "bf16-true", "ddp", "fsdp", "step_000001", "'.*'", "'('", "'[z-a]'", "'(a+)+$'", "2:3", "1:2:3",
    "12:30:45", "2020-01-01", "0o7", "1.", ".5", "+1", "1e", "i", "1j",
)  # fmt: skip


def raw(random: random.Random) -> str:
    """The part of an override after `=`."""
    if random.random() < 0.8:
        return random.choice(RAW)
    if random.random() < 0.5:
        return str(random.choice(NUMBERS))
    first, second = random.choice(RAW), random.choice(RAW)
    return random.choice((f"[{first},{second}]", f"{first},{second}", f"{first}{second}", f"{{a:{first},b:{second}}}"))


def plain(random: random.Random, depth: int = 0) -> Any:
    """An object as YAML or JSON holds it."""
    kind = random.randrange(8 if depth < 3 else 6)
    if kind < 3:
        return random.choice(TEXTS)
    if kind < 5:
        return random.choice((*NUMBERS, float("nan"), float("inf"), float("-inf")))
    if kind == 5:
        return random.choice((None, True, False))
    if kind == 6:
        return [plain(random, depth + 1) for _ in range(random.choice((0, 1, 2, 3, 40)))]
    return {key(random): plain(random, depth + 1) for _ in range(random.choice((0, 1, 2, 3)))}


def key(random: random.Random) -> Any:
    """A key of a mapping."""
    return random.choice((random.choice(TEXTS), "a", "name", "label", "text", "_target_", 1, 1.5, True, None))


def typo(random: random.Random, word: str) -> str:
    """The word with a letter too few, too many or other."""
    place = random.randrange(len(word) + 1)
    other = random.choice(("", "x", ".", "..", "=", "\u0301", " ", "[0]", "/", "@a", "\u200b", word[:3].upper()))
    return word[:place] + other + word[place + random.randrange(2) :]


def damaged(random: random.Random, content: bytes) -> bytes:
    """Bytes that are flipped, cut, doubled, or replaced."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 5, 40))):
        place = random.randrange(len(data) + 1)
        way = random.randrange(7)
        if way == 0 and place < len(data):
            data[place] ^= 1 << random.randrange(8)
        elif way == 1:
            del data[place : place + random.choice((1, 2, 10, 1000))]
        elif way == 2:
            data[place:place] = random.choice(
                (
                    b"\x00",
                    b"\xff",
                    b"\xfe\xff",
                    b'"',
                    b"\n",
                    b"\r",
                    b",",
                    b"\t",
                    b"{",
                    b"}",
                    b"[",
                    b"\xef\xbb\xbf",
                    b"\xed\xa0\x80",
                    b"\\",
                    b"'",
                    b":",
                    b"&a",
                    b"*a",
                )
            )
        elif way == 3:
            data[place:place] = data[max(0, place - random.randrange(1, 60)) : place]
        elif way == 4:
            del data[place:]
        elif way == 5:
            text = random.choice(TEXTS[:-8]).encode("utf-8", "surrogatepass")
            data[place : place + len(text) * random.randrange(2)] = text
        else:
            del data[:place]
    return bytes(data)
