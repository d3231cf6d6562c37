"""One connection for each pair of processes: bytes become envelopes, and envelopes become bytes.

What an envelope means is for `transports/process` to know. On its way in, a message is

    bytes         reading.py   of one connection, which is read on when what came is taken
    a frame       frames.py    cut from the stream by the length that stands before it
    an envelope   wire.py      one of all that two processes may say (forms.py: as arrays); those
                               of a fleet stand in fleets.py, and what a field may be in fields.py

and then it is handed to whoever made the `Connections`. On its way out it is encoded by `wire.py`,
waits with its `Peer` (`peer.py`), and is sent by `writing.py`. `connection.py` is about how a
connection begins and ends, and says to whom a frame goes.

Where too much is refused:

    a frame that is too long            `Frames.take`, as soon as its length and its kind are there
    a frame of which too much is made   `wire.heard`
    a greeting above 4 KB               `greeting.py`, by a lower limit for the same `Frames`
    too much that waits for a peer      `writing.py`
    too many who have not greeted       `strangers.py`
    a peer that says nothing            `heartbeat.py`

`limits.py` has the figures for frames. The type of an exception tells whose fault it is
(`errors.py`).

Before two processes talk they meet: `meeting.py`, for who dials and for who is dialled. It uses
`dialling.py` (sockets, and when to try again), `tls.py`, and `greeting.py` (who is there, and
whether it may take part). `directory.py` knows who is called what, `addresses.py` how an address is
written, `security.py` what options say of tokens and certificates, `figures.py` which numbers their
help names.

In which order to read it: `wire.py`, `frames.py`, `limits.py`, `peer.py`, `reading.py`,
`writing.py`, `connection.py`; then `greeting.py` and `meeting.py`. Nothing here imports
`transports/process`.

A stream need not be a TCP socket: all files here ask for a `trio.abc.Stream`, and tests use streams
in memory. Sockets are known in two places only: `dialling.dial`, for who dials, and where somebody
listens and calls `Connections.accept`. WebSocket would be put around such a stream in `meeting.py`,
on both sides, after TLS and before the greeting, by the address or by the first bytes;
`addresses.py`, `_ADDRESS` in `forms.py` and `dialling.origin` would learn such addresses. (Today
`greeting.py` refuses HTTP.)
"""
