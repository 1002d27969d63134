"""Layouts as files, which can be imported again (`imports`): every seat is the same one then."""

from app.schemas.exports.own import own_file
from app.schemas.exports.pretix import pretix_plan
from app.schemas.exports.tables import table

__all__ = ["own_file", "pretix_plan", "table"]
