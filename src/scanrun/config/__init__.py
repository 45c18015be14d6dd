"""What the user asks for: one file, the environment and flags, as one frozen value."""

from scanrun.config.load import Loaded, load_settings
from scanrun.config.models import (
    EvidenceSettings,
    GateSettings,
    LimitSettings,
    OutputSettings,
    PolicySettings,
    ReportSettings,
    ScannerSettings,
    ScanSettings,
    Settings,
)
from scanrun.config.waivers import Waiver

__all__ = [
    "EvidenceSettings",
    "GateSettings",
    "LimitSettings",
    "Loaded",
    "OutputSettings",
    "PolicySettings",
    "ReportSettings",
    "ScanSettings",
    "ScannerSettings",
    "Settings",
    "Waiver",
    "load_settings",
]
