"""Jobs as a user would write them, each the text of a file."""

# What most have in common: each piece is given the input, and the answer is the sum of what they
# come to.
SUMMING = """
def prepare(input, sizes):
    return [input] * len(sizes)

def collect(outputs):
    return sum(outputs)
"""

# The answer is the sum of all partitions' indices; each takes `input` seconds.
SLEEPING = (
    SUMMING
    + """
import time

def compute(input, index):
    time.sleep(input)
    return index
"""
)

# The same; each partition that is done is a line of the file `log`: its index, and who did it.
# Who has done `most` begins no other before there is the file `go`.
LOGGING = (
    SUMMING
    + """
import os, pathlib, time

def compute(input, index):
    log, mine = pathlib.Path(input["log"]), f" {os.getppid()}\\n"
    while log.read_text().count(mine) >= input["most"] and not os.path.exists(input["go"]):
        time.sleep(0.02)
    time.sleep(input["seconds"])
    with log.open("a") as lines:
        lines.write(f"{index}{mine}")
    return index
"""
)

PRINTING = """
print("loaded")

def prepare(input, sizes):
    print("prepared")
    return [input] * len(sizes)

def compute(input, index):
    print("computed")
    return 1

def collect(outputs):
    print("collected")
    return sum(outputs)

def mine(input, index):
    return input

def apart(input, sizes):
    return [2 * input] * len(sizes)

def largest(outputs):
    return max(outputs)
"""

FAULTY = """
def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    if index == 7:
        return {1, 2} if input == "set" else [][index]
    return index

def collect(outputs):
    return 0
"""

# The process that comes to partition `victim` first kills itself, once.
SUICIDAL = (
    SUMMING
    + """
import os, signal

def compute(input, index):
    if index == input["victim"]:
        try:
            os.close(os.open(input["flag"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return index
        os.kill(os.getppid(), signal.SIGKILL)
    return index
"""
)

# Each piece keeps the interpreter to itself, in C, for so many whole seconds.
BUSY = (
    SUMMING
    + """
import ctypes, pathlib

def compute(input, index):
    if input["flag"]:
        pathlib.Path(input["flag"]).touch()
    return ctypes.PyDLL(None).sleep(input["seconds"]) == 0
"""
)

# Inputs and outputs of `size` bytes each, one kind for each slot of the root. Of outputs it is the
# hashes that count; below the root something of them is handed on as well. One piece may be made
# to wait for a file.
LARGE = """
import hashlib, os, time

def prepare(input, sizes):
    if isinstance(input, bytes):
        return [input] * len(sizes)
    return [bytes([65 + slot]) * input["size"] for slot in range(len(sizes))]

def compute(input, index):
    while os.environ.get("WAITS") == str(index) and not os.path.exists(os.environ["GO"]):
        time.sleep(0.02)
    time.sleep(0.02)
    return input.lower()

def collect(outputs):
    if isinstance(outputs[0], bytes):
        hashes = [hashlib.sha256(output).hexdigest() for output in outputs]
        return {"hashes": hashes, "more": outputs[0][:100_000]}
    return {"hashes": [found for output in outputs for found in output["hashes"]]}
"""

# Pieces from the one with the index `half` on wait for the file `go`; who had the last one of these
# stands in a file beside it.
WAITING = (
    SUMMING
    + """
import os, pathlib, time

def compute(input, index):
    if index >= input["half"]:
        pathlib.Path(input["go"]).with_suffix(".waits").write_text(str(os.getppid()))
    while index >= input["half"] and not os.path.exists(input["go"]):
        time.sleep(0.02)
    time.sleep(0.02)
    return index
"""
)
