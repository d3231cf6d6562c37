"""What all command lines share: how an option is declared, read and refused, and the last word.

In the order in which to read it:

- `options.py`: an option, declared once, as a field of the class that it is for. There its default
  stands, and nowhere else.
- `checks.py`: what a value may be. `shared.py`: the options that several command lines have.
- `parser.py`: a command line made of such fields, and the look of its help.
- `ending.py`, `exits.py`: how a command begins and ends, and with which exit code.
- `streams.py`, `signals.py`, `early.py`: its descriptors, what ends it from outside, and what it
  does before it has loaded anything.
- `telling.py`, `summary.py`, `progress.py`: a run in words, as JSON, and while it goes on.
- `distributions.py`, `tables.py`: seconds, drawn or measured. `memory.py`, `cores.py`: what a
  process has.

Where a default stands: for `World` and `python -m sim` in `sim/options.py`, for `python -m
transports.tcp` in `transports/command/wanted.py` (its heartbeat where that is kept, in
`transports/net/figures.py`), of both in `shared.py`; for the search and a sweep in
`Options` of `sim/search/options.py` and `sim/sweep/options.py`, for a page in `sim/report.py`.

What is needed to read options, and to explain them, loads little: not the core, nor anything that
runs. A command imports these once it knows what is wanted, so its help is there at once.

Whoever has a command line calls these; they know of none, and import nothing of it.
"""
