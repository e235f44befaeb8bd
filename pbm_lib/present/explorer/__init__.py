"""The claim explorer of notebook 03: its steps, its moments (snapshots of what it shows), and how they look."""
