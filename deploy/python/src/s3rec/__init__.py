"""Secure social recommendation across two platforms.

`Rating` and `Social` are the platforms as their operators see them; `demo` runs both on this machine.
"""

from ._frames import to_frame
from ._messages import Refused
from .answers import Event, Gain, Imported, Prediction, Proposal, Recommended, Report, Verdict
from .local import demo
from .platforms import Job, JobEnded, Rating, Social

__all__ = [
    "Event",
    "Gain",
    "Imported",
    "Job",
    "JobEnded",
    "Prediction",
    "Proposal",
    "Rating",
    "Recommended",
    "Refused",
    "Report",
    "Social",
    "Verdict",
    "demo",
    "to_frame",
]
