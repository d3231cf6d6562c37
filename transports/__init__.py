"""The core on real sockets: many processes, many nodes in each, one connection between any two.

`python -m transports.tcp` submits a computation and starts the bots that do it. In the order in
which to read it:

- `net/`: bytes and envelopes, and who is there. `process/`: from an envelope to the core, and back.
- `values/`: what is too large for an envelope. `work/`: the job's functions, in other processes.
- `command/` and `tcp.py`: the command lines, on top of all these.
- `timers.py`: many timers, one task. `logs.py`: what is logged, one line an event. `watching.py`:
  what a process tells of itself.

`command` calls `process`, `work`, `values` and `net`; `process` calls the three after it. Nothing
is called the other way round.
"""

import sys

if sys.argv[:1] == ["-m"]:  # as a program: what is in the folder where it is started comes later
    sys.path.insert(0, __file__.removesuffix("__init__.py").removesuffix("transports/"))
    from plugins.console import early

    early.hear()
