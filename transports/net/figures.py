"""What options say of connections, and connections keep.

It imports nothing, so that a command line can be read and explained without Trio and TLS.
"""

TREE_MAX = 10**9 - 1  # the highest number of a computation
PRIORITY_MAX = 1000  # of a job in a fleet
WEIGHT_MIN, WEIGHT_MAX = 0.001, 1000.0  # of a job in a fleet
REACH_SECONDS = 5.0  # for a client: until somebody listens at the address
PATIENCE_SECONDS = 30.0  # for a client: until a root that is lost is there again
HEARTBEAT_SECONDS = 15.0  # unless another is wanted
TOKEN_VARIABLE = "MILLION_NODES_TOKEN"
TOKEN_BYTES_MIN, TOKEN_BYTES_MAX = 16, 4096
BUNDLE_BYTES_MAX = 2**18  # of modules that travel with a job
DOCUMENT_BYTES_MAX = 2**16  # that says whose they are
SIGNATURE_BYTES = 64
