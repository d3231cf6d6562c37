"""Who has signed what is computed, and whether that one is trusted here.

Code that travels is named by a document that its submitter signs; a node runs none but that of a
key in a file of its own. In the order in which to read it:

- `files.py`: files that must be nobody else's to read, or to change.
- `keys.py`: keys that sign, and what a signature is. `trusted.py`: the keys that are trusted here.
- `document.py`: **`Document`**, what is signed, and its only encoding.
- `bundle.py`: the modules of a job on their way, and how they are unpacked.
- `deciding.py`: **`decided`**, whether what came may run here, before any of it is unpacked.

Nothing of this knows of connections, or of the loop.
"""
