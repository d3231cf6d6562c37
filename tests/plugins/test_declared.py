"""Options that are declared once, as fields; and how a command begins and ends."""

from __future__ import annotations

import inspect
import re

import attrs
import pytest

from plugins.console import checks, ending
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from plugins.console.options import OPTION, BadOption, Must, Option, of, one, option, switch
from plugins.console.parser import Parser
from sim import World
from sim.options import Job, Times, Tree, Trouble, WorldOptions

PROGRAM = "a program"


@attrs.frozen
class Asked:
    where: str = attrs.field(metadata={OPTION: Option("WHERE", str, "where to go")})
    apart: int = 7  # no option
    speed: float = option(
        1.5, "KNOTS", checks.SECONDS, "how fast", must=Must(lambda x: x < 100, "below 100")
    )
    wind: str | None = option(None, "FROM", str, "whence it blows", "nobody knows")
    big_sail: bool = switch("set it", "it is not set")
    careful: bool = switch("do not look", "one looks", default=True, flags=("--careless",))


def parser() -> Parser:
    made = Parser(PROGRAM, "WHERE [options]", "Sails.", "The end.")
    where, *others = of(Asked)
    made.apart(where)
    made.group("how", *others)
    return made


def test_only_what_was_named_is_read_and_the_rest_keeps_its_default() -> None:
    assert parser().read(["home"]) == {"where": "home"}
    named = parser().read(["home", "--speed", "3", "--big-sail", "--careless"])
    assert named == {"where": "home", "speed": 3.0, "big_sail": True, "careful": False}
    assert Asked(**named) == Asked("home", speed=3.0, big_sail=True, careful=False)


def test_the_help_tells_each_default_in_its_words() -> None:
    text = " ".join(parser().format_help().split())
    assert "--speed KNOTS how fast (default: 1.5)" in text
    assert "--wind FROM whence it blows (default: nobody knows)" in text
    assert "--big-sail set it (default: it is not set)" in text
    assert "WHERE where to go" in text
    assert "apart" not in text


def test_one_command_may_have_other_words() -> None:
    shown = one(Asked, "speed", said="as fast as it goes", metavar="M/S")
    assert shown.told == "how fast (default: as fast as it goes)"
    assert (shown.name, shown.default) == ("speed", 1.5)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["x", "--speed", "-1"], "--speed: '-1' is wrong, give a number from 0 to 1e+09"),
        (["x", "--speed"], "--speed: expected one argument; --help explains every option"),
        (["x", "--sped", "1"], "unrecognized arguments: --sped 1; --help explains every option"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], line: str) -> None:
    with pytest.raises(BadOption) as refused:
        parser().read(arguments)
    assert str(refused.value) == line


def test_python_is_told_what_a_value_must_be() -> None:
    with pytest.raises(ValueError, match=r"^speed must be below 100, not 200\.0$"):
        Asked("x", speed=200.0)


def test_a_world_takes_what_is_declared() -> None:
    names = list(attrs.fields_dict(WorldOptions))
    assert list(inspect.signature(World).parameters) == names
    assert {option.name for group in (Tree, Job, Times, Trouble) for option in of(group)} < {*names}
    with pytest.raises(TypeError, match="nodez"):
        World(nodez=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", list(attrs.fields_dict(WorldOptions)))
def test_every_option_of_a_world_has_words(name: str) -> None:
    (shown,) = of(WorldOptions, name)
    assert re.search(r"\(default: .+\)$", shown.told, re.DOTALL)


# -- the beginning and the end -------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (SystemExit(0), Exit.FINISHED, ""),
        (ValueError("no such sea"), Exit.MISUSED, f"{PROGRAM}: no such sea\n"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, f"{PROGRAM}: in the harbour\n"),
        (Ended(Exit.FAILED, "sunk"), Exit.FAILED, f"{PROGRAM}: sunk\n"),
    ],
)
def test_a_command_that_ends_early_says_why(
    raised: BaseException, code: Exit, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(arguments: object) -> int:
        with ending.asking("in the harbour"):
            raise raised

    assert ending.run(PROGRAM, command, []) == code
    assert capsys.readouterr().err == said


def test_what_is_no_mistake_of_who_asks_is_not_told_as_one() -> None:
    def command(arguments: object) -> int:
        with ending.asking(wrong=(BadOption,)):
            raise ValueError("of ours")

    with pytest.raises(ValueError, match="of ours"):
        ending.run(PROGRAM, command, [])
