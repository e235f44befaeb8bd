"""Reference sets that the claims draw from: codes, amounts, weights. All made up for this demo."""

from dataclasses import dataclass

CURRENCY = "USD"


@dataclass(frozen=True)
class ClaimSystem:
    """A claim system with its share of all claims and its overpayments."""

    code: str
    share: float  # of all claims, 0 to 1
    median_usd: float  # of the overpayments, where there is one
    sigma: float  # spread of the logarithm of the overpayment
    same_day: float  # share of its claims that end on the day they begin


CLAIM_SYSTEMS = (
    ClaimSystem("RETAIL", 0.68, 38.0, 0.9, 0.93),
    ClaimSystem("MAIL", 0.17, 85.0, 0.8, 0.90),
    ClaimSystem("SPECIALTY", 0.06, 1_450.0, 1.0, 0.60),
    ClaimSystem("MEDICAL", 0.09, 240.0, 1.2, 0.35),
)

RECOVERY_METHODS = ("NO_RECOVERY", "PAYMENT_OFFSET", "REFUND_CHECK", "ELECTRONIC_TRANSFER", "PAYMENT_PLAN")
"""`NO_RECOVERY` where nothing was recouped; the others where something was."""

# Prefixes that the IRS assigns to employer identification numbers ("How EINs are assigned and valid EIN prefixes").
TIN_PREFIXES = tuple(
    f"{number:02d}"
    for first, last in (
        (1, 6), (10, 16), (20, 27), (30, 48), (50, 68), (71, 77), (80, 88), (90, 95), (98, 99),
    )
    for number in range(first, last + 1)
)  # fmt: skip
