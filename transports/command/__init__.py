"""The command line on real sockets, and one process of a deployment from first to last word.

In the order in which to read it:

- `wanted.py`: all that can be asked for, as classes whose fields are the options. Each default
  stands there; one that depends on another option, in `options.py`.
- `options.py`: which commands there are, and what does not go together. `parsers.py`: which
  command has which options, and in which groups its help shows them.
- `running.py`: what is done then, whichever command it is, and what that ends with.
- `deployment.py`: a process with its sockets, its trace and what computes, for all commands.
- `root.py` (`host`), `joining.py` (`join`), `status.py` (`status`): what each command does.
- `keys.py` (`key`): a key that signs jobs. `trusting.py`: whose signed jobs are computed here.
- `counting.py`, `summary.py`, `progress.py`: what the root's process counts, and tells of it.
- `tracing.py`: what a process writes down, as a Watcher (`transports.watching`).
- `reporting.py`: what the root of a fleet is told of what functions raise and print elsewhere.

`transports.tcp` is the only caller: it reads the options, and only then loads what runs. What is
here calls the folders beside it (`process`, `work`, `values`, `net`); none of these knows of it.
"""
