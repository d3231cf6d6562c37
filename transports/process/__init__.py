"""The core in one process: what others say comes in, what the core says goes out.

A message goes one way, and enters each room once:

    bytes, frame, envelope      transports/net
    how much, to whom           incoming.py   as much as there is room for, then one after the other
    what it means               calls.py      a node elsewhere speaks to the host here
                                following.py  a host elsewhere speaks to nodes here
                                member.py     the computation begins, or is over
                                values.py     bytes of large values are asked for, or come
    is it allowed               trust.py      of those two; soundness.py for a whole replica
    are its values here         bringing.py   a call waits until they are; needed.py says which
    the core                    core.Host, core.Replica, and the views of nodes (views.py)
    what the core answers       port.py       nodes here speak to hosts
                                carrier.py    the host here speaks to nodes
    envelope, frame, bytes      outgoing.py   and transports/net again

So who speaks to whom tells which room it is:

                      from elsewhere    from here
    to the host       calls.py          port.py
    to nodes          following.py      carrier.py

Whether what another process says is believed is decided in two places: `trust.py`, for all that
the core is to hear, and `member.py`, for what begins and that it is over. Where that raises
RemoteProtocolError, `incoming.py` has the connection cut. Whether a node may say so is the core's
to judge (`core/sessions/roles.py`); it tells `carrier.py` of an offence.

In which order to read it: `queue.py` (what is to be done, and `timers.py`), `incoming.py`,
`calls.py` with `trust.py` and `bringing.py`, `following.py`, `views.py`, `port.py`, `carrier.py`,
`outgoing.py`, `member.py`; then `process.py`, which makes all of these and joins them. Look into
`keeping.py`, `keys.py` and `values.py` when you meet them. `store.py` is the disk below the host.

Who may call whom: a room calls the queue, the views, the member and what goes out; it never calls
one that comes before it on the way, but through the queue. `process.py` knows all rooms, no room
knows it: they see the `Member` that it is. The commands (`transports/command`) know only
`process.py`, `store.py` and `keys.py`.
"""
