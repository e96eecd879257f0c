"""Events as they happen: what an open stream sends (stream.py), and the one reader that feeds them all (feed.py)."""
