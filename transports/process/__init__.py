"""The core's port and carrier for one process, and whom it believes what."""
