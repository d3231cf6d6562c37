"""How far a job is, in a notebook: a stand-in for IPython shows what is displayed there."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs
import pytest

from tests.processes import until
from transports.fleet.errors import FleetLost
from transports.fleet.line import Watched
from transports.fleet.showing import in_notebook, show
from transports.fleet.submitted import Job
from transports.net import wire


@attrs.define
class Notebook:
    """What a cell shows: a list of the texts that one place has had, for each place."""

    places: list[list[str]] = attrs.Factory(list)

    def display(self, data: dict[str, str], raw: bool, display_id: bool = False) -> Any:
        assert raw
        self.places.append(place := [data["text/plain"]])
        return SimpleNamespace(update=lambda data, raw: place.append(data["text/plain"]))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """As it is in a process with a kernel."""
    monkeypatch.setattr("transports.fleet.showing.LOOK_SECONDS", 0.001)
    return put(monkeypatch, SimpleNamespace(kernel=object()))


def put(monkeypatch: pytest.MonkeyPatch, shell: object) -> Notebook:
    shown = Notebook()
    for name, members in (
        ("IPython", {"get_ipython": lambda: shell}),
        ("IPython.display", {"display": shown.display}),
    ):
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return shown


class Line:
    """It is connected, and nothing comes by it."""

    def is_here(self) -> bool:
        return True


def running(accepted: int) -> wire.Progress:
    return wire.Progress(7, "running", 0, 4, 100, accepted)


def a_job(latest: wire.Progress) -> tuple[Job, Watched]:
    watched = Watched(7, latest)
    return Job("fleet", Line(), watched), watched  # type: ignore[arg-type]


def ended(state: str, accepted: int) -> wire.Outcome:
    return wire.Outcome(7, state, nodes=4, partitions=100, accepted=accepted)


def test_who_waits_in_a_notebook_sees_one_line_that_changes(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, watched = a_job(running(10))
    states = iter([running(60), running(80), ended("done", 100)])

    def news(outcome: Future[wire.Outcome]) -> bool:
        if isinstance(new := next(states), wire.Outcome):
            outcome.set_result(new)
        else:
            watched.latest = new
        return outcome.done()

    monkeypatch.setattr(job, "_is_over", lambda seconds: news(watched.outcome))
    show(job)
    (place,) = notebook.places
    assert place[0].startswith("job 7:  60 %  at ")
    assert place[0].endswith("  4 nodes  60 of 100 partitions")
    assert place[1].startswith("job 7:  80 %  at ")
    assert place[2:] == ["job 7 done, 100 of 100 partitions"]


def test_what_is_over_at_once_shows_nothing(notebook: Notebook) -> None:
    job, watched = a_job(running(10))
    watched.outcome.set_result(ended("done", 100))
    show(job)
    assert notebook.places == []


def test_a_job_that_is_displayed_goes_on_while_other_cells_run(notebook: Notebook) -> None:
    job, watched = a_job(wire.Progress(7, "queued", 2, 0, 0, 0))
    job._ipython_display_()
    until(lambda: bool(notebook.places))
    assert notebook.places[0][0].startswith("job 7: waiting behind 2 jobs")
    watched.latest = running(30)
    until(lambda: "30 of 100" in notebook.places[0][-1])
    watched.outcome.set_result(ended("cancelled", 31))
    until(lambda: notebook.places[0][-1] == "job 7 cancelled, 31 of 100 partitions")
    job._ipython_display_()
    assert notebook.places[1:] == [["job 7 cancelled, 31 of 100 partitions"]]


def test_a_lost_fleet_ends_the_line(notebook: Notebook) -> None:
    job, watched = a_job(running(10))
    job._ipython_display_()
    until(lambda: bool(notebook.places))
    watched.outcome.set_exception(FleetLost("gone"))
    until(lambda: notebook.places[0][-1] == "job 7: gone")
    job._ipython_display_()
    assert notebook.places[1:] == [["job 7: gone"]]


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_elsewhere_nothing_is_displayed(
    shell: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In Python, and in IPython on a terminal."""
    shown = put(monkeypatch, shell)
    job, _ = a_job(running(10))
    assert in_notebook() is None
    show(job)
    job._ipython_display_()
    assert shown.places == []
    assert capsys.readouterr().out == "<job 7 of 'fleet'>\n"


def test_ipython_is_not_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert in_notebook() is None
    assert "IPython" not in sys.modules
