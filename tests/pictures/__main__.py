"""Draws the pictures in ARCHITECTURE.md anew."""

from tests.pictures.page import PAGE, drawn

if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
