"""A performance run: what is called, timed and kept. May import live and what live may."""
