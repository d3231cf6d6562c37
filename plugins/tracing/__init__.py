"""Traces: what happened in a run, written while it goes on, read as tables, drawn as pictures."""

from plugins.tracing.reading import Trace, read
from plugins.tracing.schema import TraceError

__all__ = ["Trace", "TraceError", "read"]
