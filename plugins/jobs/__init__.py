"""What a job is: how it is found, what its functions are given, how they fail.

- `loading.py`: a module name or a file becomes a job's functions, or one line says why not.
- `values.py`: plain data, the one definition of what travels, with the check and the copies.
- `texts.py`: text that can be written anywhere.
- `failing.py`: what a person needs to know of an exception.
- `files.py`: for jobs themselves: files that they are given by their path.

The simulator and the transport both call these, and so do the same with the same job. Jobs may
import `files.py`; none of these imports a job but `loading.py`, by its name.
"""
