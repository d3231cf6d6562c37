"""How many processors a process may use: not those that are barred to it."""

from __future__ import annotations

import os

import pytest

from plugins.console.cores import cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no process is bound here")
def test_only_those_count_on_which_the_process_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 8})
    assert cores() == 3


def test_where_no_process_is_bound_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6
