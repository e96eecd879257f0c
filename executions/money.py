"""Amounts of money as people write them. Pure."""

from __future__ import annotations

_WITHOUT_MINOR_UNIT = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_OF_A_THOUSAND = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def formatted(amount: int, currency: str) -> str:
    """`amount` minor units (ISO 4217) of the currency: 123456 EUR is `1,234.56 EUR`, 500 JPY `500 JPY`."""
    digits = 0 if currency in _WITHOUT_MINOR_UNIT else 3 if currency in _OF_A_THOUSAND else 2
    sign, (whole, minor) = "-" if amount < 0 else "", divmod(abs(amount), 10**digits)
    return f"{sign}{whole:,}.{minor:0{digits}} {currency}" if digits else f"{sign}{whole:,} {currency}"
