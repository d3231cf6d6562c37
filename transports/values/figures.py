"""What options say of large values, and what is kept of them goes by.

It imports nothing, as `transports/net/figures.py`.
"""

LARGE_BYTES = 2048  # of msgpack; what is longer is a blob
LEFT_SHARE = 20  # of a disk, one part of so many is left free of what others bring,
LEFT_BYTES_MAX = 2**30  # but no more than that
MEMORY_BYTES_MAX = 2**27  # of what cannot be written now
