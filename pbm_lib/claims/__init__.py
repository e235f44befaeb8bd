"""The claim document, the billing providers, and the claim with each number. May not import other folders."""
