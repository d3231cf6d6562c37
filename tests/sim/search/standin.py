"""Trials without a simulation: what each does is its seed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Event

from sim.faults.actions import Crash, Fault, Nodes
from sim.search.trial import Outcome, Trial, Violation
from sim.world import World

(
    VIOLATES,
    RAISES,
    HANGS,
    DIES,
    IS_HASHED,
    IS_NOT_DRAWN,
    PRINTS,
    CANNOT_BE_BUILT,
    INTERRUPTS,
    IS_HASHED_AT_THE_END,
) = range(1000, 1010)
FAULTS = tuple(Fault(at / 2, Crash(Nodes((at,)))) for at in range(1, 9))
VIOLATION = Violation("all is well", "it is not", 2.5, ("one event", "another"))


def draw(seed: int) -> Trial:
    if seed == IS_NOT_DRAWN:
        raise KeyError("no trial")
    return Trial(seed, {"nodes": 20, "latency": "uniform:1,3"}, FAULTS, 30.0, (4, 7))


def run(trial: Trial, tell: Callable[[str], None] | None = None) -> Outcome:
    for number in (1, 2):
        if tell:
            tell(f"event {number} of {trial.seed}")
    digest, violation = f"{trial.seed:x}", None
    match trial.seed:
        case 1000 if Fault(1.5, Crash(Nodes((3,)))) in trial.faults:
            violation = VIOLATION
        case 1001:
            raise RuntimeError("out of order")
        case 1002:
            Event().wait()
        case 1003:
            os.kill(os.getpid(), signal.SIGKILL)
        case 1004:
            digest = f"{hash('a text'):x}"
            if tell:
                tell(f"event {digest}")
        case 1006:
            print("nothing to do with the answer", flush=True)
            os.write(1, b"nor this\n")
        case 1007:
            World(nodes=0)
        case 1008:
            os.kill(os.getppid(), signal.SIGINT)
            Event().wait()
        case 1009:
            digest = f"{hash('a text'):x}"
    return Outcome(violation, {"even": 1 - trial.seed % 2, "impossible": 0}, digest, 10)
