"""Other processes by what they are called, which may be more than one address."""

from __future__ import annotations

from transports.net.peer import Peer


class Directory:
    """`peers`: those that are connected, or being dialled, by name."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        self._aliases: dict[str, Peer] = {}  # by other addresses that were dialled

    def found(self, name: str) -> Peer | None:
        """The one that is called so, or was dialled there."""
        return self.peers.get(name) or self._aliases.get(name)

    def named(self, name: str) -> Peer:
        """The same; made where there is none."""
        if name not in self.peers:
            self.peers[name] = Peer(name)
        return self.peers[name]

    def add_alias(self, peer: Peer, address: str) -> None:
        """It was dialled there, too."""
        self._aliases[address] = peer
        peer.aliases = (*peer.aliases, address)

    def rename(self, peer: Peer, name: str) -> None:
        """It calls itself by another name than the one by which it was dialled."""
        del self.peers[peer.name]
        self.add_alias(peer, peer.name)
        peer.name = name
        self.peers[name] = peer

    def remove(self, peer: Peer) -> None:
        """Nobody is called so any more, unless somebody else is by now."""
        for name in (peer.name, *peer.aliases):
            for names in (self.peers, self._aliases):
                if names.get(name) is peer:
                    del names[name]
