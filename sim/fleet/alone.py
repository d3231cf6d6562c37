"""A job run by one, without any tree: what the result of many has to be."""

from __future__ import annotations

from typing import Any

from core import Shape
from plugins.jobs.loading import Job, cut
from plugins.jobs.values import all_given, all_plain, given, plain


def result(job: Job, shape: Shape, value: Any) -> Any:
    """As plain data. Raises what the job's functions raise."""
    job = job.synchronous()
    inputs = all_plain(cut(job.prepare(given(value), shape.sizes()), shape.slots))
    if shape.leaf:
        outputs = [plain(job.compute(given(v), shape.first + i)) for i, v in enumerate(inputs)]
    else:
        outputs = [result(job, shape.child(i), v) for i, v in enumerate(inputs)]
    return plain(job.collect(all_given(outputs)))
