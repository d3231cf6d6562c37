"""What goes wrong in a simulated world: in words, planned, and done.

In the order in which to read it:

- `actions.py`: what can be done, and to whom, as plain data. It knows nothing of a world.
- `script.py`: the same as lines of text, read and written. A new fault begins in these two.
- `plans.py`: `--faults light|heavy|FILE`: faults drawn from a seed, or read from a file.
- `targets.py`: whom "the host of 0-3" means when it happens.
- `injection.py`: `Faults`, which does all that to a network when its time comes.

A world makes `Faults`, and that calls the others. What becomes of a message on a link that fails is
in `sim/links/failing.py`.
"""
