"""The pictures in ARCHITECTURE.md are what the code is, and say what they ought to."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.pictures import house
from tests.pictures.page import PAGE, drawn


def test_the_pictures_are_those_of_the_code() -> None:
    text = PAGE.read_text()
    assert drawn(text) == text, f"{PAGE.name} shows what was so before: run `make pictures`"


def test_a_page_without_a_place_for_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="has not one place for the house"):
        drawn("# Architecture\n")


def test_arrows_that_others_lead_to_are_left_out() -> None:
    arrows = Counter([("a", "b"), ("b", "c"), ("a", "c"), ("c", "b"), ("a", "d"), ("d", "c")])
    assert house.thinned(arrows) == {*arrows} - {("a", "b"), ("a", "c")}
    arrows["a", "c"] = house.MANY
    assert house.thinned(arrows) == {*arrows} - {("a", "b")}


def test_an_arrow_up_is_drawn_where_none_leads_down() -> None:
    up, down = ("a/b", "a"), ("a", "a/b")
    assert house.thinned(Counter([up])) == {up}
    assert house.thinned(Counter([up, down])) == {down}
