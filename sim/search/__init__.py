"""A search for failures: thousands of drawn worlds with drawn faults, each checked all the way.

In the order in which to read it:

- `trial.py`: one trial from its seed to what was found. `kinds.py` draws faults that `--faults
  heavy` has not, `job.py` is what is computed, `liar.py` a node that lies.
- `check.py`: what is looked at after every message. What it asks stands beside it: `sound.py` (the
  model), `failures.py` (what may fail), `lasting.py` (what may be wrong for a while, each a `Wrong`
  of `wrong.py`) with `places.py` and `memory.py`; `taint.py` says what a liar may have spoilt,
  `invariants.py` what all that is called.
- `probes.py`: states that a search should reach, counted. `events.py`: what happened, for people.
- `searching.py`, `pool.py`, `process.py`, `worker.py`, `results.py`: many trials, side by side.
- `failing.py`, `shrink.py`, `numbers.py`: what is done about one that fails.
- `options.py`, `report.py`, `__main__.py`: the command line.

A promise of the core becomes a check here, and a wrong core in `tests/sim/search/mutants/` shows
that it is looked at.
"""
