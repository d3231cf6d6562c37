"""The core on real sockets: many processes, many nodes in each, one connection between any two.

`python -m transports.tcp` submits a computation and starts the bots that do it.
"""
