"""What the platforms answer, as plain values."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Imported:
    """What an import found. `items` is 0 of links; `rows` are ratings or links after merging."""

    dataset: str
    users: int
    items: int
    rows: int
    duplicates: int
    read_as: str
    warnings: list[str]


@dataclass(frozen=True)
class Event:
    """One event of a job."""

    state: str
    phase: str
    round: int
    rounds: int
    message: str

    @property
    def is_last(self) -> bool:
        return self.state in ("finished", "failed", "cancelled", "rejected")


@dataclass(frozen=True)
class Gain:
    """One group of users under one task of the verdict: the metric without and with friends."""

    task: str
    group: str
    users: int
    used: float
    without: float
    with_friends: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """Whether an opening of friends' sums was worth it, from the rating platform's own held-out ratings."""

    worth_it: bool
    sentence: str
    gains: list[Gain]
    warnings: list[str]


@dataclass(frozen=True)
class Report:
    """A finished job. Errors are None where nothing was held out; `guarantee` is empty and `verdict` None
    of releases other than friends' sums."""

    job: str
    users: int
    items: int
    ratings: int
    common_users: int
    rmse: float | None
    mae: float | None
    seconds: float
    bytes: int
    guarantee: str
    disclosed: list[str]
    verdict: Verdict | None
    warnings: list[str]


@dataclass(frozen=True)
class Proposal:
    """A proposal at the social platform; `warnings` say what consenting gives away."""

    job: str
    peer: str
    purpose: str
    state: str
    protocol: str
    warnings: list[str]


@dataclass(frozen=True)
class Prediction:
    """A rating, in the data's unit. Of an unknown user or item it is what the known parts give."""

    user: str
    item: str
    rating: float
    known_user: bool
    known_item: bool


@dataclass(frozen=True)
class Recommended:
    """One place of a list, from 1, and what its score is made of."""

    user: str
    place: int
    item: str
    score: float
    taste: float = field(default=0.0)
    social: float = field(default=0.0)
    popularity: float = field(default=0.0)
