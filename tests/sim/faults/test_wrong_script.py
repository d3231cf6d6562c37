"""What a wrong line of a script is told: its value, and the remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.faults import script
from sim.faults.actions import Crash, Fault, Heal, HostOf, Nodes, Share, Slow

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
        ("at 3 crash the host of 01-3", "01-3", SESSION),
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
