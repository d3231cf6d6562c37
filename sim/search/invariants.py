"""The names of all that a search checks: what must hold, as it is told when it does not."""

# -- of a world, after every message -------------------------------------------------------

ONE_ORDER = "one order"
SOUND = "the model is sound"
MEMBERSHIP = "membership"
BOUNDED = "connections are bounded"
EQUAL = "replicas are equal"
OUTPUTS = "outputs are right"
ONCE = "accepted once"
NOTHING_LOST = "nothing acknowledged is lost"
ACCUSED = "nobody honest is accused"
ANSWERED = "arrivals are answered"
FORGOTTEN = "memory is bounded"

# -- of a lobby, when nothing goes wrong any more ---------------------------------------------

AT_HOME = "everybody is at home once"
COUNTED = "counts are right"

# -- at its end ----------------------------------------------------------------------------

ENDS = "every run ends"
RESULT = "the result is right"
RELEASED = "everyone is released"

# -- of a fleet, all the time ----------------------------------------------------------------

KEPT = "no job is lost, and none ends twice"
IN_TURN = "jobs run in their turn"
NOBODY_ELSE = "nobody works for a job that is over"

# -- of the run itself ---------------------------------------------------------------------

BUILDABLE = "the world can be built"
NO_EXCEPTION = "no exception"
LIVES = "the worker lives on"
IN_TIME = "the run ends in time"
ALIKE = "two runs of a trial are alike"
