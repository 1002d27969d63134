"""Every setting: what there is (fields), how it is read (reading), how it is written down (texts)."""

from app.settings.fields import (
    LONGEST_ACCESS_TOKEN_SECONDS,
    LONGEST_GUEST_TOKEN_SECONDS,
    LogFormat,
    LogLevel,
    PaymentProviderName,
    Settings,
)
from app.settings.reading import EXIT_BAD_SETTING, BadSettings, read_settings, set_for_workers, settings_or_exit, slips
from app.settings.strength import without_runs

__all__ = [
    "EXIT_BAD_SETTING",
    "LONGEST_ACCESS_TOKEN_SECONDS",
    "LONGEST_GUEST_TOKEN_SECONDS",
    "BadSettings",
    "LogFormat",
    "LogLevel",
    "PaymentProviderName",
    "Settings",
    "read_settings",
    "set_for_workers",
    "settings_or_exit",
    "slips",
    "without_runs",
]
