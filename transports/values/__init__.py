"""Large values: files beside the messages, and how they come from other processes.

A value above 2 KB does not travel in a message. It is a *blob*: a file named by the SHA-256 of its
content, in the folder of each process that needs it. The message carries its *handle*. In the
order in which to read it:

- `handles.py`: what a handle is, and which are in a message. `files.py`: values as files, written
  under another name until they are complete. `folder.py`: whose a folder is.
- `blobs.py`: **`Blobs`**, all that one process has, also what there is no room for on its disk now.
- `transfer.py`: **`Transfers`**, the way in for the rest of the process: `fetch` what is wanted,
  `received` what others say of blobs, `lost` who is gone. It has one `Bringing` for each blob that
  is on its way here.
- `bringing.py`: **`Bringing`**, from asking the first source to the last byte. It has three things
  of its own: `sources.py` (whom to ask next), `content.py` (what has come so far), and its place in
  `asked.py` (what is asked of each process, for all blobs together).
- `giving.py`: **`Giving`**, what others ask for: answered, or held until it is here.

Each file calls only those named before it, but that `Transfers` is above `Bringing` and `Giving`.
Computing processes use `files.py` and nothing else of this. Nothing here knows of sessions: who may
ask for what, and who is near, is told to `Transfers` by the process.
"""
