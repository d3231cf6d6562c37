"""One connection for each pair of processes: addresses, sockets, frames, who is there."""
