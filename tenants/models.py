"""Tenants, their API keys, trusted issuers and agents, and the answers kept for idempotent requests."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from contract.identifiers import new_id
from tenants import jwks, published_keys
from tenants import scopes as scope_words

HIGHEST_RATE_LIMIT = 100_000


def rate_limit(whose: str) -> models.PositiveIntegerField[int | None, int | None]:
    """A column: how many requests a minute, at most; none if there is no limit."""
    return models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(HIGHEST_RATE_LIMIT)],
        help_text=f"How many requests a minute {whose} may make, from 1 to {HIGHEST_RATE_LIMIT}. Empty: no limit.",
    )


class Tenant(models.Model):
    """An organisation whose things nobody else sees."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=63, unique=True)
    name = models.CharField(max_length=255)
    rate_limit_per_minute = rate_limit("all of the tenant's callers together")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(rate_limit_per_minute__gt=0), name="tenant_rate_limit"),
            models.CheckConstraint(condition=Q(slug__regex=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), name="tenant_slug"),
        )

    def __str__(self) -> str:
        return self.slug


class ApiKey(models.Model):
    """A key of a tenant. The key itself is shown once, when it is made; its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=255)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=16, editable=False)
    scopes = ArrayField(models.CharField(max_length=64))
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    rate_limit_per_minute = rate_limit("the key")
    rotated_from = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="rotated_to", editable=False
    )
    created_by = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(rate_limit_per_minute__gt=0), name="api_key_rate_limit"),
            models.CheckConstraint(condition=Q(hash__regex=r"^[0-9a-f]{64}$"), name="api_key_hash_is_sha256"),
            models.CheckConstraint(condition=Q(scopes__len__gt=0), name="api_key_has_scopes"),
        )
        indexes = (models.Index(fields=("tenant", "id"), name="api_key_by_tenant"),)

    def __str__(self) -> str:
        return f"{self.prefix}... ({self.name})"


class TrustedIssuer(models.Model):
    """Who vouches for users of a tenant: a token with this `iss` and `aud` is taken if one of its keys signed it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.PROTECT, related_name="+", db_index=False, help_text="Whose users the tokens are about."
    )
    issuer = models.CharField(max_length=255, help_text="The token's iss, to the letter.")
    audience = models.CharField(max_length=255, help_text="What the token's aud has to be, or to hold.")
    algorithms = ArrayField(
        models.CharField(max_length=8),
        help_text="What the issuer signs with; a token that names another algorithm is refused.",
    )
    jwks: models.JSONField[Any, Any] = models.JSONField(
        "JWKS",
        null=True,
        blank=True,
        help_text='The public keys, {"keys": [...]}, each with a kid. Empty: they are fetched from the JWKS URL.',
    )
    jwks_url = models.CharField(
        "JWKS URL",
        max_length=1024,
        blank=True,
        default="",
        help_text="Where the issuer publishes its keys, by https. They are kept for five minutes.",
    )
    scopes = ArrayField(
        models.CharField(max_length=64),
        help_text=(
            "The most that its tokens may do, separated by commas. With keys:write, users may make keys that outlive "
            "their tokens."
        ),
    )
    rate_limit_per_minute = rate_limit("each of its users")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("issuer", "audience"),
                name="trusted_issuer_is_unique",
                violation_error_message="This issuer is trusted for this audience already, by this tenant or another.",
            ),
            models.CheckConstraint(
                condition=Q(jwks__isnull=True) ^ Q(jwks_url=""),
                name="trusted_issuer_has_keys",
                violation_error_message="Either the JWKS or its URL is wanted.",
            ),
            models.CheckConstraint(
                condition=Q(algorithms__len__gt=0, algorithms__contained_by=list(jwks.ALGORITHMS)),
                name="trusted_issuer_algorithms",
                violation_error_message=f"One or more of {', '.join(jwks.ALGORITHMS)} are wanted.",
            ),
            models.CheckConstraint(condition=Q(scopes__len__gt=0), name="trusted_issuer_has_scopes"),
            models.CheckConstraint(condition=Q(rate_limit_per_minute__gt=0), name="trusted_issuer_rate_limit"),
        )

    def __str__(self) -> str:
        return f"{self.issuer} for {self.audience}"

    def clean(self) -> None:
        """Raises ValidationError, by field, for keys, an address or scopes that are not taken."""
        wrong = {}
        try:
            if self.jwks is not None:
                jwks.read(self.jwks)
        except jwks.UnusableKey as error:
            wrong["jwks"] = str(error)
        try:
            if self.jwks_url:
                published_keys.check_address(self.jwks_url)
        except ValueError as error:
            wrong["jwks_url"] = str(error)
        if unknown := scope_words.unknown(self.scopes or []):
            wrong["scopes"] = f"there is no scope {unknown[0]!r}"
        if wrong:
            raise ValidationError(wrong)


class Agent(models.Model):
    """Who carries out a workflow, and which actions it may take."""

    class Status(models.TextChoices):
        """A suspended agent may come back, a revoked one does not."""

        ACTIVE = "active"
        SUSPENDED = "suspended"
        REVOKED = "revoked"

    DEFAULT_NAME = "default"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="agents")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    actions = ArrayField(models.CharField(max_length=255))
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="agent_name_is_unique"),
            models.CheckConstraint(condition=Q(status__in=("active", "suspended", "revoked")), name="agent_status"),
        )
        indexes = (models.Index(fields=("tenant", "id"), name="agent_by_tenant"),)

    def __str__(self) -> str:
        return self.name


class Secret(models.Model):
    """A secret of a tenant, which the configs of steps that call out name. Its value is sealed, and is never shown."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="secrets", db_index=False)
    name = models.CharField(max_length=100)
    sealed = models.TextField(editable=False)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Raised by every new value.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="secret_name_is_unique"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"),
                name="secret_name",
                violation_error_message="1 to 100 letters, digits and underscores are wanted, a digit not first.",
            ),
            models.CheckConstraint(condition=~Q(sealed=""), name="secret_is_sealed"),
            models.CheckConstraint(condition=Q(version__gt=0), name="secret_version"),
        )
        indexes = (models.Index(fields=("tenant", "id"), name="secret_by_tenant"),)

    def __str__(self) -> str:
        return self.name


class IdempotentRequest(models.Model):
    """The answer given to a mutation under a key, written in the mutation's own transaction."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+")
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=1024)
    key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "method", "path", "key"), name="idempotent_request_is_unique"),
            models.CheckConstraint(condition=Q(status__gte=200, status__lt=300), name="idempotent_request_succeeded"),
        )
        indexes = (models.Index(fields=("created_at",), name="idempotent_request_by_age"),)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"
