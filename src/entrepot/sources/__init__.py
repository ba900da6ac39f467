"""Where tables come from: pinned packages, fetched and checked; the only network code."""
