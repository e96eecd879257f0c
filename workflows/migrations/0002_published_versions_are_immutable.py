from django.db import migrations

FORWARD = """
CREATE FUNCTION workflow_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unpublished workflows_workflowversion;
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'a published version is immutable' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    unpublished := NEW;
    unpublished.published_at := NULL;
    IF unpublished IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'a draft is replaced, never changed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER workflow_version_is_immutable BEFORE UPDATE OR DELETE ON workflows_workflowversion
    FOR EACH ROW EXECUTE FUNCTION workflow_version_is_immutable();
"""
BACKWARD = """
DROP TRIGGER workflow_version_is_immutable ON workflows_workflowversion;
DROP FUNCTION workflow_version_is_immutable();
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
