"""A simulated fleet: nodes come and stay, jobs come and go, a few at a time.

from sim import Fleet

fleet = Fleet(nodes=100, at_once=2)
first = fleet.submit("plugins.primes", input=10**5, partitions=300)
later = fleet.submit("plugins.primes", input=10**4, at=30.0, priority=5)
fleet.run()
print(first.state, first.result, first.seconds, later.waited)

In the order in which to read it:

- `job.py`: one job, as whoever submits it sees it. `jobs.py`: the queue, which has the rules.
- `fleet.py`: `Fleet`, from which job begins to what came of it.
- `trees.py`: what carries messages: a network for each job, and `Standing`, what they share.
- `members.py`: what the root and the nodes tell each other besides: what runs, what is over.
- `report.py`: how all that went. `alone.py`: what a job's result has to be.

As on TCP, a job's sessions are called by its number (`7`, `7-0-3`), and every node takes part in
every job that runs. A fault that names session `0-3` means that of the job that began first. How
jobs share the cores of a machine is not simulated: a piece takes as long beside others as alone.
"""
