"""Reference data for the generated claims: code sets, shares, and amounts in US dollars. The figures are made up."""

from dataclasses import dataclass

RECOVERY_METHODS = {
    "PENDING": "Nothing is being recovered: nothing was overpaid, or no method has been agreed on yet.",
    "IMMEDIATE_RECOUPMENT": "The whole overpayment is withheld from the next payment to the provider.",
    "OFFSET": "The overpayment is deducted from payments for later claims, as they come.",
    "EXTENDED_REPAYMENT_SCHEDULE": "The provider pays it back in installments on an agreed schedule.",
    "DIRECT_PAYMENT": "The provider sends the money back by check or transfer.",
}
"""How an overpayment is recovered: code to its meaning, in one line."""


@dataclass(frozen=True)
class ClaimSystem:
    """A system that claims come from, with its share of all claims and the distribution of its overpayments."""

    code: str
    meaning: str  # in one line, for a reader outside the field
    share: float  # of all claims, 0 to 1
    median_usd: float  # of its overpayments, excluding claims without one
    sigma: float  # spread of the logarithm of the overpayment
    same_day: float  # share of its claims that end on the day they begin
    in_full: dict[str, float]  # recovery method to its share, if all of an overpayment was recouped
    in_part: dict[str, float]  # the same, if only part of it was


CLAIM_SYSTEMS = (
    ClaimSystem(
        "NCPDP_D0",
        "A pharmacy's real-time claim, in today's telecommunication standard (NCPDP D.0).",
        *(0.58, 38.0, 0.9, 0.95),
        in_full={"IMMEDIATE_RECOUPMENT": 0.60, "OFFSET": 0.30, "DIRECT_PAYMENT": 0.10},
        in_part={"OFFSET": 0.60, "EXTENDED_REPAYMENT_SCHEDULE": 0.40},
    ),
    ClaimSystem(
        "NCPDP_5",
        "A pharmacy's claim in the previous standard (NCPDP 5.1), from systems that were never upgraded.",
        *(0.05, 32.0, 0.9, 0.93),
        in_full={"IMMEDIATE_RECOUPMENT": 0.30, "OFFSET": 0.50, "DIRECT_PAYMENT": 0.20},
        in_part={"OFFSET": 0.70, "EXTENDED_REPAYMENT_SCHEDULE": 0.30},
    ),
    ClaimSystem(
        "X12_837P",
        "A medical practice's claim for services and for drugs administered there (ASC X12 837 Professional).",
        *(0.15, 240.0, 1.2, 0.45),
        in_full={"DIRECT_PAYMENT": 0.45, "OFFSET": 0.45, "IMMEDIATE_RECOUPMENT": 0.10},
        in_part={"EXTENDED_REPAYMENT_SCHEDULE": 0.70, "OFFSET": 0.30},
    ),
    ClaimSystem(
        "PDE",
        "A Prescription Drug Event: the record of a filled prescription that goes to Medicare Part D.",
        *(0.18, 85.0, 0.8, 0.96),
        in_full={"OFFSET": 0.70, "IMMEDIATE_RECOUPMENT": 0.20, "DIRECT_PAYMENT": 0.10},
        in_part={"OFFSET": 0.75, "EXTENDED_REPAYMENT_SCHEDULE": 0.25},
    ),
    ClaimSystem(
        "INTERNAL",
        "A claim that the PBM enters itself, such as a correction after an audit.",
        *(0.04, 410.0, 1.1, 0.60),
        in_full={"OFFSET": 0.55, "DIRECT_PAYMENT": 0.45},
        in_part={"EXTENDED_REPAYMENT_SCHEDULE": 0.80, "OFFSET": 0.20},
    ),
)

# Prefixes that the IRS assigns to employer identification numbers ("How EINs are assigned and valid EIN prefixes").
TIN_PREFIXES = tuple(
    f"{number:02d}"
    for first, last in (
        (1, 6), (10, 16), (20, 27), (30, 48), (50, 68), (71, 77), (80, 88), (90, 95), (98, 99),
    )
    for number in range(first, last + 1)
)  # fmt: skip
