"""Both platforms as their operators see them."""

import math
import os
import tomllib
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Iterable, Iterator, Self

from blake3 import blake3

from ._frames import Table, as_bytes
from ._messages import Calls, message, name_of, number
from ._progress import Line
from .answers import Event, Gain, Imported, Prediction, Proposal, Recommended, Report, Verdict

_CHUNK_BYTES = 256 << 10


class _Platform:
    _service: str
    _role: str

    def __init__(self, client: str | os.PathLike[str] | None = None) -> None:
        """Connects by a client file (address, ca, certificate, key; paths relative to the file), as
        `s3rec init` writes it; the one that S3REC_CLIENT or the context in use names unless given.

        Raises FileNotFoundError where there is none, KeyError for what it lacks.
        """
        path = Path(client) if client is not None else _usual_client(self._role)
        file = tomllib.loads(path.read_text())
        keys = {name: path.parent / file[name] for name in ("ca", "certificate", "key")}
        self._calls = Calls(self._service, file["address"], **keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._calls.close()

    def datasets(self) -> list[str]:
        """Names of the imported data sets."""
        return [one.dataset for one in self._calls.call("ListDatasets").datasets]

    def disclosed(self) -> list[str]:
        """What was opened over all jobs, in words."""
        accounts = self._calls.call("ListDisclosures").accounts
        return [statement for account in accounts for statement in account.statements]

    def _send(self, verb: str, table: Table, users: Table | None, header: dict[str, Any]) -> Any:
        name, data = as_bytes(table)
        parts = []
        if users is not None:
            listed, more = as_bytes(users)
            parts.append(message("FilePart", kind="users", file_name=listed, length=len(more)))
            data += more
        first = message(
            "FileHeader", file_name=name, length=len(data), digest=blake3(data).digest(), parts=parts, **header
        )

        def chunks() -> Iterator[Any]:
            yield message("FileChunk", header=first)
            for start in range(0, len(data), _CHUNK_BYTES):
                yield message("FileChunk", data=data[start : start + _CHUNK_BYTES])

        return self._calls.call(verb, chunks())

    def _events(self, verb: str, job: str) -> Iterator[Event]:
        for event in self._calls.stream(verb, job_id=job):
            phase = name_of("Phase", event.phase) if event.phase else ""
            yield Event(name_of("JobState", event.state), phase, event.round, event.rounds, event.message)


class Social(_Platform):
    """The social platform (P1), which knows who trusts whom."""

    _service = "SocialPlatform"
    _role = "social"

    def import_links(self, links: Table, *, dataset: str = "default", users: Table | None = None, **how: Any) -> Imported:
        """Reads links, truster and trustee: a file that the command reads too, a DataFrame, or rows.

        `users` lists users beside them. `how` are fields of the conversation's FileHeader, such as
        undirected=True. Raises Refused naming line and field of a bad row; then nothing is imported.
        """
        found = self._send("ImportLinks", links, users, {"dataset": dataset, **how})
        return _imported(found, 0, found.links)

    def proposals(self, *, pending: bool = True) -> list[Proposal]:
        """Those that wait for a decision, or all."""
        return [
            Proposal(
                one.job_id,
                one.peer,
                one.purpose,
                name_of("JobState", one.last_event.state),
                name_of("Protocol", one.protocol),
                list(one.warnings),
            )
            for one in self._calls.call("ListProposals", pending_only=pending).proposals
        ]

    def approve(self, job: str, *, dataset: str = "", degree_bound: int = 0, links_bound: int = 0) -> None:
        """Consents to one proposal, exactly as stated; read its warnings before.

        The bounds are what is stated of the links to the rating platform: links of one user, and in all;
        the policy's or the configuration's unless given.
        """
        bounds = {"degree_bound": degree_bound, "links_bound": links_bound}
        self._calls.call("ApproveProposal", job_id=job, dataset=dataset, **bounds)

    def reject(self, job: str, reason: str = "") -> None:
        """Declines a proposal; the rating platform is told the reason."""
        self._calls.call("RejectProposal", job_id=job, reason=reason)

    def revoke(self, job: str, reason: str = "") -> None:
        """Takes consent back before the next opening."""
        self._calls.call("RevokeApproval", job_id=job, reason=reason)

    def watch(self, job: str) -> Iterator[Event]:
        """Events of a job from its beginning to its end."""
        return self._events("WatchProposal", job)


class Rating(_Platform):
    """The rating platform (P0), which has ratings and ends with the model."""

    _service = "RatingPlatform"
    _role = "rating"

    def import_ratings(self, ratings: Table, *, dataset: str = "default", users: Table | None = None, **how: Any) -> Imported:
        """Reads ratings, user, item and value: a file that the command reads too, a DataFrame, or rows.

        `users` lists users beside them. `how` are fields of the conversation's FileHeader, such as
        counts=True. Raises Refused naming line and field of a bad row; then nothing is imported.
        """
        found = self._send("ImportRatings", ratings, users, {"dataset": dataset, **how})
        return _imported(found, found.items, found.ratings)

    def propose(
        self,
        purpose: str,
        *,
        dataset: str = "default",
        operator: str = "normalized-laplacian",
        protocol: str | None = None,
        solver: str = "als",
        rank: int = 10,
        rounds: int = 0,
        social_weight: float | None = None,
        mu: float = 0.0,
        few_below: int = 0,
        calibration_share: float = 0.0,
        two_sided: bool = False,
        held_out_share: float = 0.2,
        seed: int = 0,
    ) -> "Job":
        """Proposes a job to the social platform; nothing of either side's data moves.

        operator="friends" is one noised opening of friends' sums that spends `mu`; the others train. 0 and
        None are the documented defaults. Raises ValueError for a name that there is not, Refused.
        """
        friends = operator == "friends"
        model = {"operator": number("Operator", operator)}
        release = {"kind": number("ReleaseKind", "friends" if friends else "exact")}
        if friends:
            sides = number("Sides", "two" if two_sided else "one")
            release["friends"] = message(
                "FriendsRelease", mu=mu, sides=sides, few_below=few_below, calibration_share=calibration_share
            )
            model["social_weight"] = 0.0
        else:
            model |= {"solver": number("Solver", solver), "rank": rank, "rounds": rounds}
            if social_weight is not None:
                model["social_weight"] = social_weight
        proposed = self._calls.call(
            "ProposeJob",
            dataset=dataset,
            purpose=purpose,
            model=message("ModelSettings", **model),
            protocol=number("Protocol", protocol) if protocol else 0,
            pattern_policy=number("PatternPolicy", "nothing"),
            release_policy=message("ReleasePolicy", **release),
            held_out_share=held_out_share,
            seed=seed,
        )
        return Job(self, proposed.job_id)

    def job(self, job: str) -> "Job":
        """A job that was proposed before."""
        return Job(self, job)

    def jobs(self) -> dict[str, str]:
        """States of all jobs by their ids."""
        listed = self._calls.call("ListJobs").jobs
        return {one.job_id: name_of("JobState", one.last_event.state) for one in listed}

    def models(self) -> list[str]:
        """Ids of the stored models."""
        return [one.model_id for one in self._calls.call("ListModels").models]

    def predict(self, pairs: Iterable[tuple[str, str]], *, model: str = "") -> list[Prediction]:
        """Ratings of pairs of user and item, by the newest model unless one is named."""
        answers = []
        for user, item in pairs:
            told = self._calls.call("Predict", model_id=model, user_id=user, item_id=item)
            answers.append(Prediction(user, item, told.rating, told.known_user, told.known_item))
        return answers

    def recommend(self, *users: str, count: int = 10, include_rated: bool = False, model: str = "") -> list[Recommended]:
        """The best items of each user that they have not rated, best first."""
        rows = []
        for user in users:
            told = self._calls.call(
                "Recommend", model_id=model, user_id=user, count=count, include_rated=include_rated
            )
            for place, one in enumerate(told.items, 1):
                parts = one.parts
                rows.append(
                    Recommended(user, place, one.item_id, one.score, parts.taste, parts.social, parts.popularity)
                )
        return rows


class Job:
    """A job of the rating platform."""

    def __init__(self, platform: Rating, job: str) -> None:
        self._platform = platform
        self.id = job

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def start(self, *, wait: bool = True) -> Self:
        """Starts it; where the social platform has not decided, once it has (wait), or not at all (Refused)."""
        self._platform._calls.call("StartJob", job_id=self.id, wait_for_approval=wait)
        return self

    def cancel(self, reason: str = "") -> None:
        """Ends it before its next opening."""
        self._platform._calls.call("CancelJob", job_id=self.id, reason=reason)

    def watch(self) -> Iterator[Event]:
        """Its events from its beginning to its end."""
        return self._platform._events("WatchJob", self.id)

    def wait(self, *, on_event: Callable[[Event], None] | None = None, progress: bool = True) -> Report:
        """Follows it to its end and gives its report; shows one line meanwhile, in a notebook too.

        Raises JobEnded where it ends without a model.
        """
        line = Line() if progress else None
        last = None
        for last in self.watch():
            if line:
                line.show(last)
            if on_event:
                on_event(last)
        if line:
            line.close()
        if last is None or last.state != "finished":
            raise JobEnded(self.id, last)
        return self.report()

    def report(self) -> Report:
        """Of the finished job."""
        told = self._platform._calls.call("JobReport", job_id=self.id)
        judged = told.HasField("quality") and told.quality.ratings > 0
        costs = (told.offline, told.online)
        return Report(
            job=self.id,
            users=told.users,
            items=told.items,
            ratings=told.ratings,
            common_users=told.disclosure.common_users,
            rmse=told.quality.rmse if judged else None,
            mae=told.quality.mae if judged else None,
            seconds=math.fsum(cost.seconds for cost in costs),
            bytes=sum(cost.bytes_to_social + cost.bytes_to_rating for cost in costs),
            guarantee=told.guarantee_statement,
            disclosed=list(told.disclosure.own_statements) or list(told.disclosure.statements),
            verdict=_verdict(told.verdict) if told.HasField("verdict") else None,
            warnings=list(told.warnings),
        )


class JobEnded(Exception):
    """A job has ended without a model; `last` is its last event."""

    def __init__(self, job: str, last: Event | None) -> None:
        self.last = last
        state = last.state if last else "unknown"
        super().__init__(f"job {job} is {state}" + (f": {last.message}" if last and last.message else ""))


def _verdict(told: Any) -> Verdict:
    gains = [
        Gain(one.task, one.group, one.users, one.used, one.without, getattr(one, "with"), one.low, one.high)
        for one in told.groups
    ]
    return Verdict(told.worth_it, told.sentence, gains, list(told.warnings))


def _imported(found: Any, items: int, rows: int) -> Imported:
    odd = [one.text for one in found.reading.suspicions]
    return Imported(found.dataset, found.users, items, rows, found.duplicates, found.reading.read_as, odd)


def _usual_client(role: str) -> Path:
    """The client file as the command finds it: S3REC_CLIENT, the context, client.toml beside the contexts."""
    if named := os.environ.get("S3REC_CLIENT"):
        return Path(named)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "s3rec"
    contexts = tomllib.loads((home / "contexts.toml").read_text()) if (home / "contexts.toml").is_file() else {}
    name = os.environ.get("S3REC_CONTEXT") or contexts.get("current")
    if not name:
        if (home / "client.toml").is_file():
            return home / "client.toml"
        raise FileNotFoundError(f"no client file: give one, set S3REC_CLIENT, or choose a context (s3rec context use)")
    context = contexts.get("contexts", {}).get(name, {})
    if role not in context:
        raise FileNotFoundError(f"the context {name} has no client file for the {role} platform (s3rec context add)")
    return Path(context[role])
