"""The core on real sockets: many processes, many nodes in each, one connection between any two.

`python -m transports.tcp` submits a computation and starts the bots that do it.
"""

import sys

if sys.argv[:1] == ["-m"]:  # as a program: what is in the folder where it is started comes later
    sys.path.insert(0, __file__.removesuffix("__init__.py").removesuffix("transports/"))
    from plugins.console import early

    early.hear()
