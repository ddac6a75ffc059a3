from mtl_cli.report.estimate import Cost, cost_table


def test_engines_stand_side_by_side_and_what_was_scaled_is_said():
    whole = Cost("embed", 800, 4, 55155, 17, 800, 0.84, "cpu, 1 thread, 16 texts")
    sampled = Cost("method=api", 2_000_000, 4, 900_000, 70_000, 80_000, None, "not tried: texts would be sent")
    lines = cost_table([whole, sampled]).splitlines()
    assert lines[0].split() == ["engine", "rows", "labels", "tokens", "passes", "minutes", "minutes", "measured"]
    assert lines[2].split()[:6] == ["embed", "800", "4", "55,155", "17", "0.8"]
    assert lines[3].split()[5] == "-"
    assert lines[4] == "method=api: tokens and passes were counted on 80,000 of 2,000,000 rows and scaled up"
    assert "what a cache may know already is not taken off" in lines[5]


def test_many_minutes_have_no_decimals():
    assert "1,234 " in cost_table([Cost("x", 1, 2, 3, 4, 1, 1234.4, "cpu")])
