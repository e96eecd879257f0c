"""Large JSON texts: their content stands in an object store, under its digest, and the column holds a reference.

`references` knows the form of a column, `contents` what is at hand, `objects` where the rest is kept; `reading` is what
everybody else reads texts through. Retention and deletion are `dropping`.
"""
