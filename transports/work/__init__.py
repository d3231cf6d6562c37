"""The functions of a job, run in processes of their own.

A view asks; the port, `Work`, has a computing process make the call, and the view is told what came
of it between two messages. In the order in which to read it:

- `jobs.py`: which jobs a process computes, and whether two processes have the same one.
- `computing.py`: a computing process, from the inside. It imports nothing of the loop.
- `calls.py`: **`Call`**, what is asked for, and whether that is still wanted. **`Whole`**, the same
  of a session and all that lies below it.
- `functions.py`: **`Work`**, the way in for the rest of the process. It fetches the large values
  that a call needs, and gives it to the crew, or to the loop where `compute` is asynchronous.
- `shares.py`: **`Shares`**, the rule by which one of several jobs is given a core; `cores.py`:
  **`Cores`** and **`Part`**, the same by the loop's clock.
- `crew.py`: **`Crew`**, which computing process is given which call. `computer.py`: **`Computer`**,
  one of them, from the outside. `starting.py`, `waiting.py`: how it is started, and seen to end.
  `page.py`: what both see. `forking.py`: functions that fork. `printing.py`: what they print.
  `warm.py`: those that have loaded a job, and wait for the next one.
- `code.py`, `signed.py`: code that has come with a job, from somebody who is trusted here.
- `describing.py`: what a job is, as one of them says that has loaded it. `sources.py`: what is seen
  of it without that.
- `in_loop.py`: **`InLoop`**, calls that only wait.
- `outcomes.py`: **`Outcomes`**, what views and the trace are told, and when.

`Work` calls `Crew` and `InLoop`, these call `Outcomes`; back goes only what there was no room for,
which `Work` begins again. Of large values this needs handles and files; how they are fetched is
told to `Work` by the process.
"""
