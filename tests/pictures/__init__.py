"""The pictures in ARCHITECTURE.md, drawn from the code: `make pictures`."""
