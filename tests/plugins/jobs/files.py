"""Files of jobs, and the line that says why one cannot be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.jobs.loading import JobError, load

JOB = """
def prepare(input, sizes): return [input] * len(sizes)
def compute(input, index): return {value!r}
def collect(outputs): return outputs[0]
"""


def job_file(path: Path, value: object = 1, more: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JOB.format(value=value) + more)
    return str(path)


def refusal(spec: object, **overrides: str) -> str:
    with pytest.raises(JobError) as caught:
        load(spec, **overrides)
    line = str(caught.value)
    assert "\n" not in line
    return line
