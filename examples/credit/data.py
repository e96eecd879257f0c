"""The German Credit data, split as in life: what the applicant says, what the bureau knows, what the bank saw later.

The columns on sex with marital status and on foreign workers stay in the file: no application carries them, because
nobody's credit may hang on them, and a criterion that never enters the system cannot be used by it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CSV = Path(__file__).with_name("german_credit.csv")


@dataclass(frozen=True, slots=True)
class Case:
    """One row: `application` goes to Traceway, `report` to the bureau; `verdict` (good, bad) to neither."""

    reference: str
    application: dict[str, Any]
    report: dict[str, Any]
    verdict: str


def cases(path: Path = CSV) -> list[Case]:
    """Every row of the file, in its order; references run from GC-0001."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_case(f"GC-{number:04d}", row) for number, row in enumerate(csv.DictReader(file), start=1)]


def _case(reference: str, row: dict[str, str]) -> Case:
    return Case(reference, _application(reference, row), _report(reference, row), row["creditability"])


def _application(reference: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "reference": reference,
        "purpose": row["purpose"],
        "amount": int(row["credit_amount"]),
        "duration_months": int(row["duration_in_month"]),
        "installment_rate_percent": int(row["installment_rate_in_percentage_of_disposable_income"]),
        "age_years": int(row["age_in_years"]),
        "employment": row["present_employment_since"],
        "property": row["property"],
        "housing": row["housing"],
        "other_debtors": row["other_debtors_or_guarantors"],
        "other_installment_plans": row["other_installment_plans"],
    }


def _report(reference: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "reference": reference,
        "checking_account": row["status_of_existing_checking_account"],
        "credit_history": row["credit_history"],
        "savings": row["savings_account_and_bonds"],
        "existing_credits": int(row["number_of_existing_credits_at_this_bank"]),
    }
