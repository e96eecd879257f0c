"""Money: providers behind one port, orders, charges, refunds, the ledger, and what the sweeper settles.

Everything that concerns one order happens under its execution's lock, then the payment's (orders.py), and no provider
is ever asked inside a transaction. What an order is for, and its price, is creation.py.
"""
