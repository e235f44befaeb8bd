"""What the notebooks show: frames, notes, comparisons, the explorer. May import report and what report may import."""
