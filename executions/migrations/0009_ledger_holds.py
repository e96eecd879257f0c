"""What the ledger holds by itself: lines are added and never changed, and those of a posting come to zero.

Payments that were made before get their charge and its entries; what is under way is settled once it ends.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION ledger_entry_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the ledger are added, never changed' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER ledger_entry_is_final BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_entry_is_final();

CREATE FUNCTION ledger_posting_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_entry WHERE source = NEW.source AND posting = NEW.posting
               HAVING sum(amount) <> 0 OR count(DISTINCT currency) <> 1 OR count(DISTINCT payment_id) <> 1) THEN
        RAISE EXCEPTION 'the entries of a posting come to zero' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER ledger_posting_balances AFTER INSERT ON ledger_entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_posting_balances();
"""
BACKWARD = """
DROP TRIGGER ledger_posting_balances ON ledger_entry;
DROP FUNCTION ledger_posting_balances();
DROP TRIGGER ledger_entry_is_final ON ledger_entry;
DROP FUNCTION ledger_entry_is_final();
"""
EARLIER = """
INSERT INTO charge (id, payment_id, tenant_id, provider, reference, amount, currency, main, reserved_amount,
    refunded_amount, received_at)
SELECT order_id, order_id, tenant_id, provider, COALESCE(reference, ''), amount, currency, true, 0, 0, paid_at
FROM payment WHERE status = 'paid';
INSERT INTO ledger_entry (payment_id, posting, source, account, amount, currency, created_at)
SELECT payment_id, 'paid', c.id, line.account, line.amount, currency, received_at
FROM charge c, LATERAL (VALUES ('provider', amount), ('fees', 0), ('sales', -amount)) AS line(account, amount);
UPDATE execution SET unsettled = true FROM payment
WHERE payment.execution_id = execution.id AND payment.status = 'paid' AND execution.finished_at IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("executions", "0008_money")]
    operations = [
        migrations.RunSQL(EARLIER, "DELETE FROM ledger_entry; DELETE FROM charge;"),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
