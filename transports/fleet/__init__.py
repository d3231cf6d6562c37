"""A fleet: processes that stay, and compute jobs for whoever submits.

    with transports.Fleet(nodes=100) as fleet:
        job = fleet.submit("plugins.primes", 10**6)
        print(job.result())

In the order in which to read it:

- `job.py`: one job. `jobs.py`: the queue of a fleet, and what came of its last jobs. `turns.py`: in
  which order they begin. `bulk.py`: inputs and results that are too large for a message, at either
  end.
- `store.py`: the same in a file. `desk.py`: what clients say to the root of a fleet, and what they
  are told of their jobs. `failures.py`, `logs.py`: what has raised in a job, and what was printed;
  `log.py`: the same as a client has it.
- `client.py`: one who submits, on Trio. `thread.py`: a thread in which Trio runs, for programs
  that do not. `line.py`: a client in such a thread, and the jobs that it watches.
- `face.py`, `submitted.py`: `Fleet` and `Job`, as a program sees them. `awaited.py`, `loops.py`:
  the same in a loop of Trio or asyncio, and how one waits there. `asked.py`, `errors.py`,
  `telling.py`: what it may ask for, what it has to expect, how far a job is. `own.py`: a fleet of
  its own, which it starts and ends. `opened.py`: this, or the line to one of others.
- `calling.py`: the job by which functions of a program are called; `mapping.py`, `mapped.py`,
  `executor.py`: how their calls become such jobs; `backend.py`: those of joblib.
- `signing.py`: what is submitted, signed. `signed_calls.py`: the job of calls that are signed;
  `answers.py`: how what comes of any calls is read.

The root of a fleet is a command (`transports.command.serving`); clients speak to it alone. Without
a store a fleet keeps nothing: when its root is gone so are the queue and the results, and everybody
is told so. With one a root that is
started again is the same fleet: jobs that wait and results are there, what ran is computed anew.
"""
