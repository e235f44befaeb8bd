"""The claim document, the billing providers, and the claim with each number. May import no other folder."""
