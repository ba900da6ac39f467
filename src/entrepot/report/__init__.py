"""Views of a result: terminal, files, page."""
