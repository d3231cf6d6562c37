"""The lobby: a tree of sessions in which the nodes of a standing fleet are at home.

A second model on the session layer. Each session has as many slots as its fanout. A slot is
somebody's place, and under it there is room for one more session, which its holder leads as soon
as somebody is sent there. In the order in which to read it:

- `messages.py`: what is said. `lobby.py`: **`Lobby`**, the model: who has which slot.
- `slots.py`: which slot is free for whom, as columns.
- `guide.py`: where a host sends those for whom there is no slot, by counts that are not replicated.
- `resident.py`: **`Resident`**, the view: one node's own side of one session.

Of jobs nothing is here yet. What a job says here (it is offered, withdrawn, wants more people, a
node is idle) are further messages of `Lobby`, with columns for who works for which.
"""

from core.lobby.guide import Usher
from core.lobby.lobby import Lobby
from core.lobby.messages import Counted, Draining, Opened
from core.lobby.resident import Resident
from core.lobby.slots import FANOUT_MIN, LobbySlots

__all__ = [
    "FANOUT_MIN", "Counted", "Draining", "Lobby", "LobbySlots", "Opened", "Resident", "Usher",
]  # fmt: skip
