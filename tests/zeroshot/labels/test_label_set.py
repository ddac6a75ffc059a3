import re

import pytest

from mtl_cli.errors import ConfigError, DataError
from mtl_cli.zeroshot.labels.label_set import SHORT, Label, Word, empty_faults, make_labels, parse_labels


def texts(given, templates=("{}",)):
    return {label.name: label.texts for label in make_labels(given, templates)[0]}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("good,bad", {"good": None, "bad": None}),
        (" good , so so ", {"good": None, "so so": None}),
        ("pos=very good,neg = bad", {"pos": "very good", "neg": "bad"}),
        ("pos=a=b,neg=", {"pos": "a=b", "neg": None}),
        ('"good, really",bad', {"good, really": None, "bad": None}),
        ('"pos=good, really", neg', {"pos": "good, really", "neg": None}),
        ('"say ""hm""",b', {'say "hm"': None, "b": None}),
        ("a.yaml,b.yaml", {"a.yaml": None, "b.yaml": None}),
    ],
)
def test_labels_stand_between_commas(text, labels):
    assert parse_labels(text) == labels
    assert list(parse_labels(text)) == list(labels)


@pytest.mark.parametrize("text", ["", ",", "good,", "good,,bad", "=good,bad", '"",b'])
def test_an_empty_label_is_refused(text):
    with pytest.raises(ConfigError, match="there is an empty label; write --labels pos,neg"):
        parse_labels(text)


def test_a_label_that_stands_twice_is_named():
    with pytest.raises(ConfigError, match=r"^--labels: b, c stands more than once$"):
        parse_labels("c,b=1,a,b=2,c")


def test_quotes_inside_an_entry_are_refused_since_its_comma_would_cut_it():
    with pytest.raises(ConfigError, match='the quotes of pos="good do not close; quote the whole entry'):
        parse_labels('pos="good, really",bad')


def test_labels_on_several_lines_are_refused():
    with pytest.raises(ConfigError, match="labels stand on one line"):
        parse_labels("good\nbad")


@pytest.mark.parametrize("name", ["l.yaml", "l.yml"])
def test_a_yaml_file_holds_a_list_or_a_mapping(tmp_path, name):
    (tmp_path / name).write_text("[b, 1]")
    assert parse_labels(f"{tmp_path}/{name}") == {"b": None, "1": None}
    (tmp_path / name).write_text("b: text\n1: {description: d}\n")
    assert parse_labels(f"{tmp_path}/{name}") == {"b": "text", "1": {"description": "d"}}


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"[a, b, a]", ConfigError, "--labels: a stands more than once"),
        (b"[a, '']", ConfigError, "there is an empty label"),
        (b"just words", DataError, "l.yaml: must hold a list of labels, or a mapping of label to text"),
        (b"", DataError, "l.yaml: must hold a list of labels"),
        (b"a: {", DataError, "l.yaml: not readable as YAML"),
        (b"a: \xff\nb: c", DataError, "l.yaml: not UTF-8 text"),
        (b"a: 2020-13-45\nb: c", DataError, "l.yaml:1: month must be in 1..12: put it in quotes"),
        (b"? %s\n: a\n" % (b"[" * 100), DataError, "l.yaml: it is nested deeper than 64 levels"),
        (b"[" * 5000, DataError, "nest"),
        (b"a: &x [b, *x]\nb: c", DataError, "l.yaml: it holds more than 100,000 values"),
        (
            b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b"*a%d, " % (i - 1) * 10) for i in range(1, 9)),
            DataError,
            "l.yaml: it holds more than 100,000 values",
        ),
    ],
)
def test_a_yaml_file_that_is_not_that_says_so(tmp_path, content, error, message):
    (tmp_path / "l.yaml").write_bytes(content)
    with pytest.raises(error, match=re.escape(message)):
        parse_labels(f"{tmp_path}/l.yaml")


def test_a_yaml_file_that_is_not_there_is_told():
    with pytest.raises(DataError, match=r"--labels: there is no file nowhere\.yaml"):
        parse_labels("nowhere.yaml")


def test_every_template_gives_a_text_with_the_labels_word():
    assert texts({"a": "x", "b": None}, ["{}", "about {}."]) == {"a": ("x", "about x."), "b": ("b", "about b.")}


def test_a_description_stands_for_itself_and_takes_no_template():
    assert texts({"a": {"description": "news of firms"}, "b": None}, ["about {}"])["a"] == ("news of firms",)


def test_a_description_with_a_text_or_templates_stands_beside_them():
    given = {"a": {"description": "d", "text": "x"}, "b": {"description": "d", "templates": ["on {}"]}}
    assert texts(given, ["about {}"]) == {"a": ("d", "about x"), "b": ("d", "on b")}


@pytest.mark.parametrize("templates", ["on {}", ["on {}"]])
def test_a_labels_own_templates_take_the_place_of_the_common_ones(templates):
    assert texts({"a": {"templates": templates}, "b": None}, ["about {}"]) == {"a": ("on a",), "b": ("about b",)}


def test_an_entry_that_is_left_empty_is_as_if_it_were_not_there():
    assert texts({"a": {"description": None, "text": None}, "b": {}}) == {"a": ("a",), "b": ("b",)}


def test_a_list_of_names_will_do():
    assert make_labels(["a", 1], ["{}"]) == ([Label("a", (Word("a"),), ("{}",)), Label("1", (Word("1"),), ("{}",))], [])


@pytest.mark.parametrize("short", sorted(SHORT))
def test_a_short_label_is_read_as_its_word_and_said_so(short):
    labels, said = make_labels([short.upper(), "b"], ["{}"])
    assert labels[0] == Label(short.upper(), (Word(SHORT[short]),), ("{}",))
    assert said == [f"label '{short.upper()}' is read as '{SHORT[short]}'; write {short.upper()}=... for another text"]


@pytest.mark.parametrize("own", ["good", {"text": "good"}, {"description": "good"}])
def test_a_short_label_with_words_of_its_own_keeps_them(own):
    labels, said = make_labels({"pos": own, "b": None}, ["{}"])
    assert (labels[0].texts, said) == (("good",), [])


@pytest.mark.parametrize(("given", "count"), [(None, 0), ({}, 0), ({"a": None}, 1), (["a"], 1)])
def test_two_labels_are_the_least(given, count):
    with pytest.raises(ConfigError, match=f"at least two labels; found {count}"):
        make_labels(given, ["{}"])


def test_all_that_is_wrong_with_labels_is_told_together():
    given = {"a": {"texts": "x"}, "b": ["x", "y"], "c": {"description": ["x"]}, "d": {"templates": "on"}}
    with pytest.raises(ConfigError) as error:
        make_labels(given, ["about", "{} or {}"])
    assert [fault.key for fault in error.value.faults] == [
        "templates",
        "templates",
        "labels.a",
        "labels.b",
        "labels.c",
        "labels.d.templates",
    ]
    assert (
        "labels.a: has text, description, templates, words (more of them) and dropped (which is passed over); found texts"
        in str(error.value)
    )
    assert "templates: 'about' has no place for the label: write {} there" in str(error.value)


def test_no_template_at_all_is_refused():
    with pytest.raises(ConfigError, match="templates: '' has no place for the label"):
        make_labels(["a", "b"], [])


def test_a_label_that_stands_twice_in_a_file_is_refused(tmp_path):
    path = tmp_path / "labels.yaml"
    path.write_text("pos: good\nneg: bad\npos: fine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="pos stands more than once"):
        parse_labels(str(path))


def test_labels_of_a_file_are_named_as_they_are_written(tmp_path):
    path = tmp_path / "l.yaml"
    path.write_text("010: a\n0x10: b\n1_000: c\n1.50: d\n")
    assert parse_labels(str(path)) == {"010": "a", "0x10": "b", "1_000": "c", "1.50": "d"}
    path.write_text("[007, 7]")
    assert list(parse_labels(str(path))) == ["007", "7"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0: good\n0: bad\n", "0 stands more than once"),
        ("1: good\ntrue: bad\n", "l.yaml:2: label 'true' is not text to YAML"),
        ("yes: good\nb: c\n", "l.yaml:1: label 'yes' is not text to YAML"),
        ("2020-01-01: good\nb: c\n", "label '2020-01-01' is not text"),
        ("[a, [b]]", "label 'a list or mapping' is not text"),
    ],
)
def test_a_label_that_yaml_reads_as_something_else_is_shown_as_it_is_written(tmp_path, content, message):
    path = tmp_path / "l.yaml"
    path.write_text(content)
    with pytest.raises((ConfigError, DataError), match=re.escape(message)):
        parse_labels(str(path))


def test_a_text_file_holds_a_label_a_line(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("\ufeffgood, really\n\n bad \n", encoding="utf-8")
    assert parse_labels(str(path)) == {"good, really": None, "bad": None}


def test_brackets_folders_and_other_files_are_no_labels(tmp_path):
    with pytest.raises(ConfigError, match=r"without brackets: --labels 'a,b'"):
        parse_labels("[a,b]")
    with pytest.raises(DataError, match="is a folder: name a file in it; give a file of labels"):
        parse_labels(str(tmp_path))
    (tmp_path / "l.csv").write_text("a")
    with pytest.raises(DataError, match=r"l\.csv is a file, and a file of labels ends in \.yaml"):
        parse_labels(f"{tmp_path}/l.csv")


@pytest.mark.parametrize("entry", ["", {"description": " "}, {"text": ""}, {"description": ""}])
def test_a_label_whose_text_is_empty_is_a_fault(entry):
    labels, _ = make_labels({"a": entry, "b": None, "c": {"description": "d"}}, ["{}"])
    (fault,) = empty_faults(labels)
    assert (fault.key, fault.problem[:17]) == ("labels.a", "its text is empty")


def test_a_label_longer_than_a_file_name_is_a_label():
    assert parse_labels("x" * 5000) == {"x" * 5000: None}
    assert parse_labels("~nobody-has-this-name") == {"~nobody-has-this-name": None}


def test_a_label_of_a_text_file_may_hold_a_line_separator_of_unicode(tmp_path):
    (tmp_path / "l.txt").write_text("a\u2028b\nc\x85d\n", encoding="utf-8")
    assert list(parse_labels(str(tmp_path / "l.txt"))) == ["a\u2028b", "c\x85d"]


def test_a_file_of_texts_given_as_labels_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "l.txt").open("wb") as out:
        out.truncate(1 << 30)
    with pytest.raises(DataError, match="has more than 16 MiB: is it a file of labels"):
        parse_labels(str(tmp_path / "l.txt"))
