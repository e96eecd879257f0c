"""The rules that hold at every front door: values, identifiers, problems.

Nothing in here knows a tenant, a workflow or an execution.
"""
