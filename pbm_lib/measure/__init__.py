"""A performance run: what is called, timed and kept. May import load and what load may."""
