"""How objects of facts show themselves."""

from pbm_lib.display import facts_html, facts_text


def test_values_stand_in_one_column_and_wrap_below_themselves():
    text = facts_text("Thing", {"A": "one", "Longer": "word " * 40})
    title, first, *rest = text.splitlines()
    assert (title, first) == ("Thing", "  A       one")
    assert rest[0].startswith("  Longer  word word")
    assert len(rest) > 1
    assert rest[1].startswith("          word")


def test_values_are_text_and_never_markup():
    shown = facts_html({"Query": "<b>", "Name": "a & b"}, code=("Query",))
    assert "<code>&lt;b&gt;</code>" in shown
    assert "a &amp; b" in shown
