"""How many seeds it takes to find each wrong core: `python -m tests.sim.search.finding [WORDS]`.

To be run when worlds are drawn in another way; three times as many stand in `mutants/`.
"""

from __future__ import annotations

import sys

from tests.sim.search.mutants import MUTANTS, applied
from tests.sim.search.test_mutants import violations

SEEDS_MAX = 1500


def main(words: str) -> None:
    for mutant in MUTANTS:
        if words in mutant.wrong:
            with applied(mutant):
                seed, violation = next(violations(SEEDS_MAX, mutant.lied), (None, None))
            name = violation.invariant if violation else "not found"
            note = "" if name in mutant.found_by else ", which is not what it says"
            print(f"{mutant.wrong}: seed {seed}, says {mutant.within}, {name}{note}", flush=True)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
