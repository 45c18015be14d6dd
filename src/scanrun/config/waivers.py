"""Which findings somebody has decided to live with, why, and until when."""

import datetime as dt
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scanrun.config.values import Day, Text

WARN_BEFORE = dt.timedelta(days=30)
"""How long before its end a waiver is told."""


class Waiver(BaseModel):
    """One `[[waiver]]`: the short form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Text | None = Field(None, description="Rule id, or one of its aliases (CVE, GHSA, …).")
    fingerprint: Text | None = Field(None, description="`scanrun/v1` of one single finding.")
    reason: Text = Field(description="Why this is acceptable; shown in every report.")
    expires: Day | None = Field(None, description="From 00:00 UTC on this day it no longer counts.")

    @model_validator(mode="after")
    def _one_selector(self) -> Self:
        if (self.id is None) == (self.fingerprint is None):
            raise ValueError("a waiver has either an id or a fingerprint, exactly one of them")
        return self

    @property
    def selector(self) -> str:
        """Return what it is called by."""
        return self.id or self.fingerprint or ""

    def expired(self, today: dt.date) -> bool:
        """Say whether it no longer counts; `today` is the day in UTC."""
        return self.expires is not None and today >= self.expires

    def ends_soon(self, today: dt.date) -> bool:
        """Say whether it still counts, but not for long."""
        if self.expires is None or self.expired(today):
            return False
        return self.expires - today <= WARN_BEFORE
