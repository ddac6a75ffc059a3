from mtl_cli.report.doctor import Share, findings_text, shares_text
from mtl_cli.zeroshot.doctor.base import Finding


def test_findings_have_severity_what_and_remedy_and_are_counted():
    found = [Finding("problem", "names", ("a",), "'a' is a code", "say what it means")] + [
        Finding("note", "senses", ("b",), "'b' has two meanings", "describe it")
    ] * 2
    assert findings_text(found, ["tokens: no tokenizer"]).splitlines() == [
        "problem  'a' is a code. To do: say what it means.",
        "note     'b' has two meanings. To do: describe it.",
        "note     'b' has two meanings. To do: describe it.",
        "not seen tokens: no tokenizer.",
        "1 problem, 2 notes",
    ]


def test_nothing_found_is_said():
    assert findings_text([], []) == "nothing was found against these labels"


def test_long_findings_are_wrapped_under_their_text():
    lines = findings_text([Finding("note", "x", (), "word " * 40, "do")], []).splitlines()
    assert all(line.startswith(" " * 9) for line in lines[1:-1])
    assert max(map(len, lines)) <= 110


def test_shares_stand_side_by_side():
    lines = shares_text([Share("World", 0.25, 0.5), Share("Sports", 0.75, 0.5)], 200).splitlines()
    assert lines[0] == "best label of how many of 200 sampled texts"
    assert [line.split() for line in lines[3:]] == [["World", "25.0", "50.0"], ["Sports", "75.0", "50.0"]]


def test_of_many_labels_those_that_move_most_are_shown():
    shares = [Share(f"l{i}", 0.0, i / 100) for i in range(20)]
    lines = shares_text(shares, 10).splitlines()
    assert "(the 12 of 20 labels that move most)" in lines[0]
    assert [line.split()[0] for line in lines[3:]] == [f"l{i}" for i in range(8, 20)]
