"""How objects made of facts display themselves."""

import pytest

from pbm_lib.display import facts_html, facts_text, short_count


def test_values_are_in_one_column_and_wrap_within_it():
    text = facts_text("Thing", {"A": "one", "Longer": "word " * 40})
    title, first, *rest = text.splitlines()
    assert (title, first) == ("Thing", "  A       one")
    assert rest[0].startswith("  Longer  word word")
    assert len(rest) > 1
    assert rest[1].startswith("          word")


def test_code_keeps_its_lines_in_the_value_column():
    code = "db.claims.find({\n  a: " + "x" * 150 + "\n\n})"
    assert facts_text("Thing", {"Code": code, "Longer": "one"}, code=("Code",)).splitlines() == [
        "Thing",
        "  Code    db.claims.find({",
        "            a: " + "x" * 150,
        "",
        "          })",
        "  Longer  one",
    ]


def test_values_are_text_and_never_markup():
    shown = facts_html({"Query": "<b>\n</pre>", "Name": "a & b"}, code=("Query",))
    assert ">&lt;b&gt;\n&lt;/pre&gt;</pre></td>" in shown
    assert shown.count("<pre ") == 1
    assert "a &amp; b" in shown


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (250, "250"), (999, "999"), (1_000, "1K"), (2_700, "2.7K"), (90_000, "90K"), (900_000, "900K"),
        (999_999, "999.999K"), (1_000_000, "1M"), (1_500_000, "1.5M"), (30_000_000, "30M"),
    ],
)  # fmt: skip
def test_a_number_of_claims_on_an_axis_is_short(number, text):
    assert short_count(number) == text
