"""The record of an execution outside of its installation: its container, and the one verification of it.

Nothing in here knows the API or the network; docs/provenance.md is the format.
"""

from traceway.records.container import Damaged, load, open_bundle, pack, pack_into, unpack
from traceway.records.files import read_jwks, verify_bytes, verify_file, verify_receipt
from traceway.records.findings import Finding, Unreadable, Verdict
from traceway.records.telling import as_members, in_words
from traceway.records.texts import canonical, digest
from traceway.records.verifying import verify

__all__ = [
    "Damaged",
    "Finding",
    "Unreadable",
    "Verdict",
    "as_members",
    "canonical",
    "digest",
    "in_words",
    "load",
    "open_bundle",
    "pack",
    "pack_into",
    "read_jwks",
    "unpack",
    "verify",
    "verify_bytes",
    "verify_file",
    "verify_receipt",
]
