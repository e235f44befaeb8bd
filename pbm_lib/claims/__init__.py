"""The claim document, the billing providers, and the claim of each number. May import display, mql, config, errors."""
