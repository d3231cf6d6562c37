"""Large values: files beside the messages, and how they come from other processes.

A value above 2 KB does not travel in a message. It is a *blob*: a file named by the SHA-256 of its
content, in the folder of each process that needs it. The message carries its *handle*. In the
order in which to read it:

- `handles.py`: what a handle is, and which are in a message. `files.py`: values as files, written
  under another name until they are complete. `folder.py`: whose a folder is. `figures.py`: what is
  large, and how much room is left, in numbers that help names.
- `blobs.py`: **`Blobs`**, all that one process has, also what there is no room for on its disk now.
- `transfer.py`: **`Transfers`**, the way in for the rest of the process: `fetch` what is wanted,
  `received` what others say of blobs, `lost` who is gone. It has one `Fetching` for each blob that
  is on its way here.
- `fetching.py`: **`Fetching`**, from asking the first source to the last byte. Below it stand
  `sources.py` (whom to ask next), `content.py` (what has come so far) and `asked.py` (what is asked
  of each process, for all blobs together).
- `giving.py`: **`Giving`**, what others ask for: answered, or held until it is here.

Who calls whom: `Transfers` calls `Fetching` and `Giving`; `Fetching` calls the three below it, and
`Giving` to tell those who wait; `Giving` and `Content` call `Blobs`; that calls files, a folder,
handles. Nobody calls back, but that `Content` asks how much is to come of all blobs. Computing
processes use `files.py` and nothing above it. Nothing here knows of sessions: who may ask for what,
and who is near, is told to `Transfers` by the process.
"""
