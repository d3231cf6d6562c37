"""Faults as lines of text, read and written; `HELP` explains the lines.

All follows from the tables of forms: a form such as `crash TARGET [silently]` is the pattern that
reads a line, the line that is written, and what a wrong line is told. What a form leaves open,
the words in capitals and what stands in brackets, are its class's fields in their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

from sim.faults import actions
from sim.faults.actions import Action, Fault, Target

if TYPE_CHECKING:
    from core.messages import Node

NODES_MAX = 10_000_000  # of one list: a digit too many should not fill the memory
SECONDS_MAX = 1e6  # a week and a half
FACTOR_MAX = 1e6
TIMES_MAX = 10**6

HELP = """\
One fault a line, for example:

  at 3 crash node 17 silently     # what follows the sign is a comment

What stands in brackets may be left out, and so may 'the'. Each line begins with 'at SECONDS':

  crash TARGET [silently]       the processes end; silently: no connection is seen to close
  kill TARGET [silently]        the same
  crash TARGET before its next session
                                when it is to open a session: silently, and that is not opened
  restart TARGET [with memory]  what crashed is there again, as newcomers or as it was
  partition TARGET [from TARGET] [one-way]
                                cut off from all or from some; one-way: only not heard there
  heal                          all faults end, but what crashed is not there again
  slow the link of nodes NODE and NODE by FACTOR
                                what passes between the two takes so many times as long
  slow TARGET by FACTOR         what it sends, receives and computes does
  break TARGET                  whatever function of the job is called there raises
  hang TARGET                   a function of the job that is called there never ends
  flap TARGET every SECONDS for TIMES times
                                cut off for so long, then not for so long, and again
  diverge SESSION [on node NODE]
                                the replica on that node, or else on the host, is corrupted
  diverge somewhere             one replica of several of some session, drawn from the seed
  drop SHARE of the messages    lost, and their connections with them
  duplicate SHARE of the publications
                                what nodes publish in a session comes twice
  hold SHARE of the messages for SECONDS
                                they come so much later, and what follows them waits;
                                longer than the heartbeat: the connection breaks

TARGET is one of these, settled when the fault happens:

  nodes NODES                   by number, such as node 17 or nodes 3-9, 12; 0: the submitter
  the host of SESSION           the node on which the session is hosted
  the leader of SESSION         the node that the session's model has as its leader
  everyone in SESSION           its participants, but the submitter
  the subtree of SESSION        the same, and those of all sessions below it
  SHARE of the nodes            so many of all, drawn from the seed, but the submitter;
                                with restart: of those that crashed

SESSION is a name such as 0, 0-3 or 0-3-12; in a fleet 7-3 is one of job 7, and 0-3 one of the
job that began first; SHARE a number from 0 to 100 and %, such as 5 %; SECONDS a number, 0 or
more, such as 0.5 or 2 s; FACTOR a number above 0.
"""

_ACTIONS: Mapping[str, Callable[..., Action]] = {
    "crash TARGET before its next session": actions.CrashBeforeSession,
    "crash TARGET [silently]": actions.Crash,
    "kill TARGET [silently]": actions.Crash,
    "restart TARGET [with memory]": actions.Restart,
    "partition TARGET [from TARGET] [one-way]": actions.Partition,
    "heal": actions.Heal,
    "slow the link of nodes NODE and NODE by FACTOR": actions.SlowLink,
    "slow TARGET by FACTOR": actions.Slow,
    "break TARGET": actions.Break,
    "hang TARGET": actions.Hang,
    "flap TARGET every SECONDS for TIMES times": actions.Flap,
    "diverge somewhere": actions.DivergeSomewhere,
    "diverge SESSION [on node NODE]": actions.Diverge,
    "drop SHARE of the messages": actions.Drop,
    "duplicate SHARE of the publications": actions.Duplicate,
    "hold SHARE of the messages for SECONDS": actions.Hold,
}
_TARGETS: Mapping[str, Callable[..., Target]] = {
    "nodes NODES": actions.Nodes,
    "the host of SESSION": actions.HostOf,
    "the leader of SESSION": actions.LeaderOf,
    "everyone in SESSION": actions.Everyone,
    "the subtree of SESSION": actions.Subtree,
    "SHARE of the nodes": actions.Share,
}
_VERBS = tuple(dict.fromkeys(form.split()[0] for form in _ACTIONS))


def read(text: str) -> tuple[Fault, ...]:
    """The faults of a script in order of time, those of the same time in order of the lines.

    Raises ValueError with one line: the line's number and text, what is wrong, what to do.
    """
    faults = []
    for number, whole in enumerate(text.splitlines(), 1):
        if content := whole.partition("#")[0].strip():
            try:
                faults.append(_fault(content))
            except _Wrong as wrong:
                raise ValueError(f"line {number}, {_brief(content)}: {wrong}") from None
    return tuple(sorted(faults, key=attrgetter("at")))


def line(fault: Fault) -> str:
    """The line that reads as this fault, without an end of line.

    Raises ValueError where it holds what cannot be read, such as a share of 2.
    """
    text = f"at {_number(fault.at)} {_written(fault.action, _ACTIONS)}"
    _fault(text)  # what cannot be read is not written
    return text


def said(action: Action) -> str:
    """The words of an action: `crash node 3`."""
    return line(Fault(0.0, action)).removeprefix("at 0 ")


def action(text: str) -> Action:
    """What a fault does, without its time: `crash node 3`. Raises ValueError with one line."""
    words = _words(text)
    if words.startswith("at "):
        raise _Wrong(text, "it is to happen now: leave the time out")
    if not words:
        raise _Wrong(text, f"the verbs are {', '.join(_VERBS)}")
    try:
        return _action(words)
    except _Wrong as wrong:
        raise ValueError(f"{_brief(text)}: {wrong}") from None


class _Wrong(ValueError):
    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(f"{_brief(text)} is wrong; {remedy}")


def _brief(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


# -- forms ---------------------------------------------------------------------------------

_OPEN = re.compile(r" \[([a-z -]+)([A-Z]*)\]|([A-Z]+)")  # words, slot in brackets; slot alone


def _fault(text: str) -> Fault:
    at = re.fullmatch(r"at (\S+(?: s| seconds?)?) (.+)", _words(text))
    if at is None:
        raise _Wrong(text, "write 'at SECONDS' and a fault, such as 'at 3 crash node 17'")
    return Fault(_value("SECONDS", at[1]), _action(at[2]))


def _words(text: str) -> str:
    words = text.lower().replace("one-way", "one way").split()
    return " ".join(word for word in words if word != "the")


def _action(text: str) -> Action:
    verb = text.split()[0]
    if verb not in _VERBS:
        raise _Wrong(verb, f"the verbs are {', '.join(_VERBS)}")
    forms = {form: makes for form, makes in _ACTIONS.items() if form.split()[0] == verb}
    action: Action = _made(text, forms)
    return action


def _made(text: str, forms: Mapping[str, Callable[..., Any]]) -> Any:
    for form, makes in forms.items():
        if match := _pattern(form).fullmatch(text):
            slots = [slot or optional for _, optional, slot in _OPEN.findall(form)]
            return makes(*map(_value, slots, match.groups()))
    raise _Wrong(text, f"write {' or '.join(map(repr, forms))}")


@cache
def _pattern(form: str) -> re.Pattern[str]:
    """With each open part as a group. A singular is as good as a plural; `the` is not expected."""

    def group(open_part: re.Match[str]) -> str:
        words, optional, slot = open_part.groups()
        return "(.+?)" if slot else f"(?: {words}(.+?))?" if optional else f"( {words})?"

    words = form.replace("the ", "").replace("one-way", "one way")
    return re.compile(re.sub(r"s\b", "s?", _OPEN.sub(group, words)))


def _value(slot: str, text: str | None) -> Any:
    if not slot:  # words that are there or not
        return text is not None
    if text is None:
        return None
    try:
        value = _SLOTS[slot].read(text)
    except _Wrong:
        raise
    except (ValueError, ArithmeticError):
        value = None
    if value is None or not _SLOTS[slot].allows(value):
        raise _Wrong(text, _SLOTS[slot].remedy)
    return value


def _written(made: Action | Target, forms: Mapping[str, Callable[..., Any]]) -> str:
    values = iter(attrs.astuple(made, recurse=False))

    def filled(open_part: re.Match[str]) -> str:
        words, optional, slot = open_part.groups()
        value = next(values)
        if slot:
            return _SLOTS[slot].write(value)
        if value is None or value is False:
            return ""
        return f" {words}{_SLOTS[optional].write(value) if optional else ''}"

    return _OPEN.sub(filled, next(form for form, makes in forms.items() if makes is type(made)))


# -- slots ---------------------------------------------------------------------------------


@attrs.frozen
class _Slot:
    """What a word in capitals stands for; `read` may raise what `float` and `Decimal` raise."""

    remedy: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    allows: Callable[[Any], object] = lambda value: True


def _read_seconds(text: str) -> float:
    return float(re.sub(r" ?(s|seconds?)$", "", text))


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _read_share(text: str) -> float | None:
    """In decimals, as 100 * 0.07 is not 7."""
    return float(Decimal(text[:-1].strip()) / 100) if text.endswith("%") else None


def _write_share(share: float) -> str:
    return f"{(Decimal(repr(float(share))) * 100).normalize():f} %"


def _read_range(text: str) -> range:
    first, dash, last = text.partition("-")
    return range(int(first), int(last if dash else first) + 1)


def _read_nodes(text: str) -> tuple[Node, ...] | None:
    ranges = [_value("RANGE", part.strip()) for part in re.split(r",| and ", text)]
    return tuple(chain(*ranges)) if sum(map(len, ranges)) <= NODES_MAX else None


def _write_nodes(numbers: Sequence[Node]) -> str:
    """In the order given; what counts up by one is a range."""
    ranges: list[list[Node]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(map(str, ends)) for ends in ranges)


def _read_target(text: str) -> Any:
    return _made(text, _TARGETS)


def _write_target(target: Target) -> str:
    text = _written(target, _TARGETS)
    single = isinstance(target, actions.Nodes) and len(target.numbers) == 1
    return text.replace("nodes", "node") if single else text


_SLOTS = {
    "TARGET": _Slot("write a target", _read_target, _write_target),
    "NODES": _Slot("name 10 million nodes at most", _read_nodes, _write_nodes),
    "RANGE": _Slot(
        "write node numbers, 0 or more, and ranges first-last with first <= last, as in 3-9, 12",
        _read_range,
        str,
        lambda nodes: 0 <= nodes.start < nodes.stop,
    ),
    "NODE": _Slot("NODE must be a whole number, 0 or more", int, str, lambda node: node >= 0),
    "TIMES": _Slot(
        f"TIMES must be a whole number from 1 to {TIMES_MAX:,}",
        int,
        str,
        lambda times: 1 <= times <= TIMES_MAX,
    ),
    "SESSION": _Slot(
        "SESSION must be a name such as 0, 0-3 or 0-3-12",
        str,
        str,
        re.compile("(0|[1-9][0-9]*)(-(0|[1-9][0-9]*))*").fullmatch,
    ),
    "SECONDS": _Slot(
        f"SECONDS must be a number from 0 to {SECONDS_MAX:g}",
        _read_seconds,
        _number,
        lambda seconds: 0 <= seconds <= SECONDS_MAX,
    ),
    "FACTOR": _Slot(
        f"FACTOR must be a number above 0, up to {FACTOR_MAX:g}",
        float,
        _number,
        lambda factor: 0 < factor <= FACTOR_MAX,
    ),
    "SHARE": _Slot(
        "SHARE must be a number from 0 to 100 and %, such as 5 %",
        _read_share,
        _write_share,
        lambda share: 0 <= share <= 1,
    ),
}
