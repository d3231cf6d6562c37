"""A fleet: processes that stay, and compute one job after the other for whoever submits.

    with transports.Fleet(nodes=100) as fleet:
        job = fleet.submit("plugins.primes", 10**6)
        print(job.result())

In the order in which to read it:

- `jobs.py`: the queue of a fleet, and what came of its last jobs. `fitting.py`: what is too large
  for one frame.
- `client.py`: one who submits, on Trio. `thread.py`: a thread in which Trio runs, for programs
  that do not.
- `face.py`: `Fleet` and `Job`, as a program sees them. `own.py`: a fleet of its own, which it
  starts and ends.

The root of a fleet is a command (`transports.command.serving`); clients speak to it alone. Inputs
and results travel whole, inside a frame. A fleet keeps nothing on disk: when its root is gone so
are the queue and the results, and everybody is told so.
"""
