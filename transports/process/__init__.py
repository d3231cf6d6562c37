"""The core in one process: what others say comes in, what the core says goes out.

A message goes one way, and enters each room once, but `incoming.py`, which counts it in and out:

    bytes, frame, envelope    transports/net
    is there room for it      incoming.py    it waits in queue.py, and is handed to one of these:
      for the host here       calls.py       a node elsewhere has said it
      for nodes here          following.py   a host elsewhere has said it
      for the process         member.py      something begins, or all is over
      for its large values    values.py      bytes are asked for, or come
    is it allowed             trust.py       with wellformed.py; of whole replicas, soundness.py
    are its values here       held.py        a call waits until they are; needed.py says which
    the core                  core.Host, core.Replica; views.py finds the view of a node
    what the core says        port.py        a node here speaks to a host
                              carrier.py     the host here speaks to a node
    envelope, frame, bytes    outgoing.py    and transports/net again

Who speaks to whom tells which room it is:

                   from elsewhere    from here
    to a host      calls.py          port.py
    to a node      following.py      carrier.py

Whether what another process says is believed is decided in two places: in `trust.py` for all that
the core is to hear, in `member.py` for what begins and that all is over. Both raise
RemoteProtocolError where it is not, and `incoming.py` has the connection cut. Whether a node may
say that is the core's to judge (`core/sessions/roles.py`), which tells `carrier.py` of an offence.

In which order to read it: `queue.py`, `incoming.py`, `calls.py` with `trust.py` and `held.py`,
`following.py`, `views.py`, `port.py`, `carrier.py`, `outgoing.py`, `member.py`; then `process.py`,
which makes all of these and joins them. `backups.py`, `keys.py` and `values.py` can wait until you
meet them. So can two ways to say less: `shortcut.py`, with `leader.py`, by which short sessions are
computed and not opened, and `gathered.py`. `store.py` is the disk below the host, `storefile.py`
the file on it, and `sealedfile.py` what any such file is.

Who may call whom: a room calls those after it on the way, the queue, the views and the member. A
later room reaches an earlier one only by posting to the queue. `process.py` knows all rooms; rooms
see it only as a `Member`. Commands import `process.py`, `store.py` and `keys.py` only; a
fleet's store is a `sealedfile.py`, too.
"""
