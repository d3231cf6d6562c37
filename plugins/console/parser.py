"""A command line, made of declared options: how it reads, and how its help looks."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import attrs

from plugins.console.checks import RENAME
from plugins.console.distributions import KINDS
from plugins.console.options import BadOption, Option
from plugins.jobs.texts import is_text


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage of 20 options before it."""

    def __init__(self, program: str, usage: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=program,
            usage=f"{program} {usage}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )

    def group(self, title: str, *options: Option) -> None:
        """Have these options, below a title."""
        group = self.add_argument_group(title)
        for option in options:
            _add(group, option)

    def apart(self, *options: Option) -> None:
        """Have these options, below no title."""
        for option in options:
            _add(self, option)

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.removeprefix("argument ").split())
        if "argument" in line:  # what argparse itself finds wrong it does not tell how to mend
            line += "; --help explains every option"
        raise BadOption(line)

    def read(self, arguments: Sequence[str]) -> dict[str, Any]:
        """What was named. Raises BadOption; SystemExit(0) after printing the help, if asked for."""
        for argument in arguments:
            if not is_text(argument):
                raise BadOption(f"{argument!r:.60} has bytes that are no UTF-8 text: {RENAME}")
        return vars(self.parse_args(list(self._joined(arguments))))

    def _joined(self, arguments: Sequence[str]) -> Iterator[str]:
        """The arguments, with `--tick -inf` as `--tick=-inf`: it is a value, if a wrong one."""
        known = self._option_string_actions
        left = iter(arguments)
        for argument in left:
            takes_value = argument in known and known[argument].nargs is None
            value = next(left, None) if takes_value else None
            if value is None:
                yield argument
            elif value.startswith("-") and value.partition("=")[0] not in known:
                yield f"{argument}={value}"
            else:
                yield from (argument, value)


def _add(group: argparse._ActionsContainer, option: Option) -> None:
    named: dict[str, Any] = {"help": option.told, **option.more}
    if option.read is not None:
        named |= {"metavar": option.metavar, "type": _reading(option.read)}
    if option.flags == (option.name,):
        group.add_argument(option.name, default=option.default, **named)
    elif option.default is attrs.NOTHING:
        group.add_argument(option.name, **named)
    else:
        flags = option.flags or (f"--{option.name.replace('_', '-')}",)
        group.add_argument(*flags, dest=option.name, **named)


def _reading(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """In the place of a ValueError, of which argparse tells nothing, one that it tells."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


# -- what the help says besides ------------------------------------------------------------

DISTRIBUTIONS = (
    f"DIST is a number of seconds, or a distribution of them: {KINDS.partition(', ')[2]}. "
    "The last draws from the seconds in a column of a file, each row as likely as another; "
    "COLUMN may be left out where there is but one.",
    "FILE.csv has a header line. FILE.csv.gz will do too.",
    "MODULE_OR_FILE is a dotted module name or the path of a .py file.",
)


def paragraphs(*texts: str) -> str:
    """Each filled to the width of the help."""
    return "\n\n".join(textwrap.fill(text, 80) for text in texts)
