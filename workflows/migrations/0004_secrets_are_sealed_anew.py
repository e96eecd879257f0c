from django.db import migrations

AS_IT_WAS = """
CREATE OR REPLACE FUNCTION workflow_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""
# How the secrets are sealed is no part of the definition: a new SECRET_KEY seals them anew.
SEALED_ANEW = """
CREATE OR REPLACE FUNCTION workflow_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    as_before workflows_workflowversion;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.sealed <> '' AND NEW.sealed <> '' THEN
        as_before := NEW;
        as_before.sealed := OLD.sealed;
        IF as_before IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'a published version is immutable' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    as_before := NEW;
    as_before.published_at := NULL;
    IF as_before IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'a draft is replaced, never changed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0003_inline_definitions")]
    operations = [migrations.RunSQL(SEALED_ANEW, AS_IT_WAS)]
