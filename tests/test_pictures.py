"""The pictures in ARCHITECTURE.md are what the code is, and say what they ought to."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests import TOP
from tests.pictures import house
from tests.pictures.page import PAGE, drawn


def test_the_pictures_are_those_of_the_code() -> None:
    text = PAGE.read_text()
    assert drawn(text) == text, f"{PAGE.name} shows what was so before: run `make pictures`"


def test_every_file_that_the_page_names_is_there() -> None:
    there = [f"/{path.relative_to(TOP)}" for path in TOP.glob("[!.]*/**/*.py")]
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE.read_text()))
    assert len(named) > 100
    assert not {name for name in named if not any(path.endswith(f"/{name}") for path in there)}


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
    over, further = ("a", "a/c"), ("a/c", "a/b")
    assert house.thinned(Counter([up, over, further])) == {over, further}
