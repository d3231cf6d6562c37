"""Scripts of faults: every form, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.faults import script
from sim.faults.actions import (
    Action,
    Break,
    Crash,
    CrashBeforeSession,
    Diverge,
    Drop,
    Duplicate,
    Everyone,
    Fault,
    Flap,
    Hang,
    Heal,
    Hold,
    HostOf,
    LeaderOf,
    Nodes,
    Partition,
    Restart,
    Share,
    Slow,
    SlowLink,
    Subtree,
)

SOME = Nodes((3, 4, 5, 12))
FORMS: list[tuple[str, Action]] = [
    ("crash node 17", Crash(Nodes((17,)))),
    ("crash node 17 silently", Crash(Nodes((17,)), silently=True)),
    ("crash the host of 0-3", Crash(HostOf("0-3"))),
    ("crash the leader of 0-3", Crash(LeaderOf("0-3"))),
    ("crash everyone in 0-3 silently", Crash(Everyone("0-3"), silently=True)),
    ("crash the subtree of 0-0-12", Crash(Subtree("0-0-12"))),
    ("crash 50 % of the nodes", Crash(Share(0.5))),
    ("crash nodes 3-5, 12 before its next session", CrashBeforeSession(SOME)),
    ("restart node 0", Restart(Nodes((0,)))),
    ("restart nodes 3-5, 12 with memory", Restart(SOME, memory=True)),
    ("partition nodes 3-5, 12", Partition(SOME)),
    ("partition node 3 from node 0", Partition(Nodes((3,)), Nodes((0,)))),
    ("partition nodes 3-5, 12 one-way", Partition(SOME, one_way=True)),
    (
        "partition the host of 0 from 2.5 % of the nodes one-way",
        Partition(HostOf("0"), Share(0.025), one_way=True),
    ),
    ("heal", Heal()),
    ("slow node 5 by 10", Slow(Nodes((5,)), 10)),
    ("slow the subtree of 0 by 0.5", Slow(Subtree("0"), 0.5)),
    ("break node 5", Break(Nodes((5,)))),
    ("hang the leader of 0-3", Hang(LeaderOf("0-3"))),
    ("slow the link of nodes 0 and 8 by 10", SlowLink(0, 8, 10)),
    ("flap node 5 every 0.5 for 4 times", Flap(Nodes((5,)), 0.5, 4)),
    ("diverge 0-3", Diverge("0-3")),
    ("diverge 0-3 on node 0", Diverge("0-3", 0)),
    ("drop 1 % of the messages", Drop(0.01)),
    ("duplicate 7 % of the publications", Duplicate(0.07)),
    ("hold 5 % of the messages for 2", Hold(0.05, 2)),
]


@pytest.mark.parametrize(("text", "action"), FORMS)
def test_each_form_is_read_and_written(text: str, action: Action) -> None:
    assert script.read(f"at 3 {text}") == (Fault(3, action),)
    assert script.line(Fault(3, action)) == f"at 3 {text}"


@pytest.mark.parametrize(
    ("liberty", "form"),
    [
        ("at 3.0 heal", "at 3 heal"),
        ("  at   3 heal  # at last", "at 3 heal"),
        ("AT 3 Crash Node 17", "at 3 crash node 17"),
        ("at 3 s slow node 5 by 10", "at 3 slow node 5 by 10"),
        ("at 3s heal", "at 3 heal"),
        ("at 3 seconds heal", "at 3 heal"),
        ("at 1 second heal", "at 1 heal"),
        ("at 3e-1 heal", "at 0.3 heal"),
        ("at 3 kill the subtree of 0-3", "at 3 crash the subtree of 0-3"),
        ("at 3 kill node 1 silently", "at 3 crash node 1 silently"),
        ("at 3 crash host of 0", "at 3 crash the host of 0"),
        ("at 3 crash the nodes 17", "at 3 crash node 17"),
        ("at 3 crash node 7-7,9 , 8 and 9", "at 3 crash nodes 7, 9, 8-9"),
        ("at 3 crash nodes 7 - 9", "at 3 crash nodes 7-9"),
        ("at 3 crash 50% of nodes", "at 3 crash 50 % of the nodes"),
        ("at 3 partition node 3 one way", "at 3 partition node 3 one-way"),
        ("at 3 slow link of nodes 5 and 8 by 2", "at 3 slow the link of nodes 5 and 8 by 2"),
        ("at 3 flap node 5 every 2 s for 1 time", "at 3 flap node 5 every 2 for 1 times"),
        ("at 3 drop 1.0% of messages", "at 3 drop 1 % of the messages"),
        (
            "at 3 hold 5 % of the messages for 2 seconds",
            "at 3 hold 5 % of the messages for 2",
        ),
    ],
)
def test_a_person_may_write_it_differently(liberty: str, form: str) -> None:
    (fault,) = script.read(liberty)
    assert script.line(fault) == form


def test_faults_come_in_order_of_time_then_of_lines() -> None:
    text = "\n# first\nat 4 heal\n\nat 2 crash node 2  # a comment\nat 4 crash node 1\r\nat 2 heal"
    in_order = ["at 2 crash node 2", "at 2 heal", "at 4 heal", "at 4 crash node 1"]
    assert [script.line(fault) for fault in script.read(text)] == in_order


def test_nothing_is_no_fault() -> None:
    assert script.read("\n  \n# nothing\n") == ()


# -- there and back ------------------------------------------------------------------------


numbers = st.integers(min_value=0, max_value=10**15)
near_numbers = st.integers(min_value=0, max_value=20)  # so that there are runs
sessions = st.lists(near_numbers, max_size=3).map(lambda slots: "-".join(map(str, [0, *slots])))
shares = st.floats(min_value=0, max_value=1)
seconds = st.floats(min_value=0, max_value=1e6)
factors = st.floats(min_value=0, exclude_min=True, max_value=1e6)
targets = st.one_of(
    st.builds(Nodes, st.lists(near_numbers | numbers, min_size=1).map(tuple)),
    *(st.builds(target, sessions) for target in (HostOf, LeaderOf, Everyone, Subtree)),
    st.builds(Share, shares),
)
some_actions = st.one_of(
    st.builds(Crash, targets, st.booleans()),
    st.builds(Restart, targets, st.booleans()),
    st.builds(Partition, targets, st.none() | targets, st.booleans()),
    st.builds(Heal),
    st.builds(Slow, targets, factors),
    st.builds(SlowLink, numbers, numbers, factors),
    st.builds(Flap, targets, seconds, st.integers(min_value=1, max_value=10**6)),
    st.builds(Diverge, sessions, st.none() | numbers),
    st.builds(Drop, shares),
    st.builds(Duplicate, shares),
    st.builds(Hold, shares, seconds),
)
some_faults = st.lists(st.builds(Fault, st.sampled_from((0.0, 1.0, 2.5)) | seconds, some_actions))


@given(some_faults)
def test_what_is_written_reads_as_it_was(faults: list[Fault]) -> None:
    in_order = sorted(faults, key=lambda fault: fault.at)
    assert script.read("\n".join(map(script.line, faults))) == tuple(in_order)


@given(st.integers(min_value=0, max_value=10_000))
def test_a_share_of_two_decimals_is_written_as_a_person_would(hundredths: int) -> None:
    percent = f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")
    assert (
        script.line(Fault(0, Drop(hundredths / 10_000))) == f"at 0 drop {percent} % of the messages"
    )


# -- help ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*script._ACTIONS, *script._TARGETS])
def test_the_help_explains_each_form(form: str) -> None:
    begins = [line for line in script.HELP.splitlines() if line.startswith(f"  {form}")]
    assert len(begins) == 1


def test_the_help_fits_a_line_and_its_example_is_right() -> None:
    lines = script.HELP.splitlines()
    assert max(map(len, lines)) <= 100
    assert [script.read(line) for line in lines if line.startswith("  at ")] == [
        (Fault(3, Crash(Nodes((17,)), silently=True)),)
    ]
