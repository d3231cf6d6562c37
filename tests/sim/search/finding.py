"""How many seeds it takes to find each wrong core: `python -m tests.sim.search.finding [WORDS]`.

To be run when worlds are drawn in another way; three times as many stand in `mutants/`. The seeds
are kept in `mutants/found.json`, with which the tests begin.
"""

from __future__ import annotations

import json
import sys

from tests.sim.search.mutants import FOUND_FILE, MUTANTS, applied, found
from tests.sim.search.test_mutants import violations

SEEDS_MAX = 1500


def main(words: str) -> None:
    seeds = found()
    for mutant in MUTANTS:
        if words in mutant.wrong:
            tried = range(max(SEEDS_MAX, mutant.within))
            with applied(mutant):
                seed, violation = next(violations(tried, mutant.lied), (None, None))
            name = violation.invariant if violation else "not found"
            note = "" if name in mutant.found_by else ", which is not what it says"
            print(f"{mutant.wrong}: seed {seed}, says {mutant.within}, {name}{note}", flush=True)
            if seed is not None:
                seeds[mutant.wrong] = seed
    kept = {mutant.wrong: seeds[mutant.wrong] for mutant in MUTANTS if mutant.wrong in seeds}
    FOUND_FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
