"""The claim explorer of notebook 03: its steps, its moments, and how they look."""
