"""The page of a run: what it made of the events, as one HTML file."""
