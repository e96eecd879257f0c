"""The expression language: CEL read by our own grammar, checked, and rendered for the Rust library that evaluates it.

Nothing here knows workflows or scopes; expressions.py says which names an expression may use.
"""
