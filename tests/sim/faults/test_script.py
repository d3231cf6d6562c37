"""Scripts of faults: every form, there and back, and what a wrong line is told."""

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


# -- what is wrong -------------------------------------------------------------------------

SESSION = "SESSION must be a name such as 0, 0-3 or 0-3-12"
SECONDS = "SECONDS must be a number from 0 to 1e+06"
FACTOR = "FACTOR must be a number above 0, up to 1e+06"
SHARE = "SHARE must be a number from 0 to 100 and %, such as 5 %"
NODE = "NODE must be a whole number, 0 or more"
TIMES = "TIMES must be a whole number from 1 to 1,000,000"
NUMBERS = "write node numbers, 0 or more, and ranges first-last with first <= last, as in 3-9, 12"
VERBS = (
    "the verbs are crash, kill, restart, partition, heal, slow, break, hang, flap, diverge, "
    "drop, duplicate, hold"
)
TARGETS = (
    "write 'nodes NODES' or 'the host of SESSION' or 'the leader of SESSION' or "
    "'everyone in SESSION' or 'the subtree of SESSION' or 'SHARE of the nodes'"
)
BEGINNING = "write 'at SECONDS' and a fault, such as 'at 3 crash node 17'"


@pytest.mark.parametrize(
    ("text", "value", "remedy"),
    [
        ("crash node 3", "crash node 3", BEGINNING),
        ("at 3", "at 3", BEGINNING),
        ("at", "at", BEGINNING),
        ("at noon heal", "noon", SECONDS),
        ("at -1 heal", "-1", SECONDS),
        ("at inf heal", "inf", SECONDS),
        ("at nan heal", "nan", SECONDS),
        ("at 1e999 heal", "1e999", SECONDS),
        ("at 3 minutes heal", "minutes", VERBS),
        ("at 3 crahs node 17", "crahs", VERBS),
        ("at 3 heal everything", "heal everything", "write 'heal'"),
        (
            "at 3 crash",
            "crash",
            "write 'crash TARGET before its next session' or 'crash TARGET [silently]'",
        ),
        ("at 3 drop 5 %", "drop 5 %", "write 'drop SHARE of the messages'"),
        (
            "at 3 slow node 5",
            "slow node 5",
            "write 'slow the link of nodes NODE and NODE by FACTOR' or 'slow TARGET by FACTOR'",
        ),
        ("at 3 crash 17", "17", TARGETS),
        ("at 3 crash 0-3", "0-3", TARGETS),
        ("at 3 partition node 3 from submitter", "submitter", TARGETS),
        ("at 3 crash nodes -4", "-4", NUMBERS),
        ("at 3 crash nodes 1, 9-3, 4", "9-3", NUMBERS),
        ("at 3 crash nodes 1, 2-, 4", "2-", NUMBERS),
        ("at 3 crash nodes 1,, 4", "", NUMBERS),
        ("at 3 crash node 1.5", "1.5", NUMBERS),
        ("at 3 crash node 17 loudly", "17 loudly", NUMBERS),
        ("at 3 crash nodes 0-9999999, 3", "0-9999999, 3", "name 10 million nodes at most"),
        ("at 3 crash nodes 0-" + "9" * 30, "0-" + "9" * 30, "name 10 million nodes at most"),
        ("at 3 crash the host of 1-3", "1-3", SESSION),
        ("at 3 crash everyone in 0-03", "0-03", SESSION),
        ("at 3 crash the subtree of root", "root", SESSION),
        ("at 3 crash 101 % of the nodes", "101 %", SHARE),
        ("at 3 crash 50 of the nodes", "50", SHARE),
        ("at 3 drop -1 % of the messages", "-1 %", SHARE),
        ("at 3 drop nan% of the messages", "nan%", SHARE),
        ("at 3 duplicate many % of the publications", "many %", SHARE),
        ("at 3 hold 5 % of the messages for ever", "ever", SECONDS),
        ("at 3 slow node 5 by 0", "0", FACTOR),
        ("at 3 slow node 5 by inf", "inf", FACTOR),
        ("at 3 slow node 5 by 10 s", "10 s", FACTOR),
        ("at 3 slow the link of nodes 5 and -8 by 2", "-8", NODE),
        ("at 3 flap node 5 every -2 for 3 times", "-2", SECONDS),
        ("at 3 flap node 5 every 2 for 0 times", "0", TIMES),
        ("at 3 flap node 5 every 2 for 1.5 times", "1.5", TIMES),
        ("at 3 diverge node 5", "node 5", SESSION),
        ("at 3 diverge 0 on node five", "five", NODE),
    ],
)
def test_a_wrong_line_is_named_with_its_value_and_the_remedy(
    text: str, value: str, remedy: str
) -> None:
    with pytest.raises(ValueError, match=r"^line 3, ") as error:
        script.read(f"at 1 heal\n\n  {text}  # a comment\nat 2 heal")
    assert str(error.value) == f"line 3, {text!r}: {value!r} is wrong; {remedy}"


def test_the_message_is_one_short_line_whatever_is_read() -> None:
    with pytest.raises(ValueError, match=r"^line 1, ") as error:
        script.read("at 3 crash \x1b[2J\t\0" + 1000 * "far too much ")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 350


@given(st.text() | st.text(alphabet="at 3 crash nodes host of 0-9,%#\n"))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    message = "line 0"
    try:
        script.read(text)
    except ValueError as error:
        message = str(error)
    assert message.startswith("line ")
    assert message.isprintable()


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        (Fault(-1, Heal()), "-1"),
        (Fault(float("nan"), Heal()), "nan"),
        (Fault(1, Crash(Share(2))), "200 %"),
        (Fault(1, Crash(Nodes((-3,)))), "-3"),
        (Fault(1, Crash(Nodes(()))), "nodes"),
        (Fault(1, Crash(HostOf("root"))), "root"),
        (Fault(1, Slow(Nodes((3,)), 0)), "0"),
    ],
)
def test_what_cannot_be_read_is_not_written(fault: Fault, value: str) -> None:
    with pytest.raises(ValueError, match=f"^'{value}' is wrong; "):
        script.line(fault)


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
