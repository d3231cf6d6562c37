"""What carries messages from node to node: links that hold and links that fail.

In the order in which to read it:

- `network.py`: `Network`, the core's port and carrier: hosts, views, and links with a delay. All
  participants of a session share one copy of its state.
- `each.py`: `EachNetwork`, where everyone has a copy of its own, and they are compared.
- `failing.py`: `Links`, once a fault may happen: each of two nodes has its end of one connection,
  which keeps its order and breaks as a whole.
- `places.py`: links that are as long as somebody has measured (`sim/measured/places.py`).

A world makes one of these, and calls it; they call the core, the clock and the work.
"""
