"""The claim document, the billing providers, and the claim of each number. May import what is no folder."""
