"""What is computed and who starts nodes: jobs and launchers, each to be copied from.

- Jobs: `demo.py` is the smallest one, then `primes.py`, `wordcount.py`, `rollup.py`.
- Launchers of bots: `launching.py` says what one is; `bots_local.py`, `bots_dask.py`.
- `jobs/`: how a job is found, what its functions are given, how they fail.
- `tracing/`: traces, tables and pictures. `console/`: what all command lines share.
- `fanout.py`: the fanout of a tree where nobody names one.

`sim` and `transports` import from here; nothing here imports them.
"""
