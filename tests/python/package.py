"""The package s3rec against two daemons of this machine: from data to a verdict, and what is refused."""
import inspect
import sys
from pathlib import Path

import grpc
import s3rec

RATINGS, LINKS = map(Path, sys.argv[1:])


def refuses(kind, call, *named):
    try:
        call()
    except kind as error:
        assert all(name in str(error) for name in named), error
        return error
    raise AssertionError(f"{call} was not refused")


rows = [line.split("\t") for line in RATINGS.read_text().splitlines()]
assert (Path(inspect.getfile(s3rec)).parent / "py.typed").exists()
with s3rec.demo() as pair:
    place = Path(pair._place.name)
    rating, social = pair.rating, pair.social
    imported = rating.import_ratings(RATINGS)
    assert (imported.users, imported.rows) == (len({row[0] for row in rows}), len({tuple(row[:2]) for row in rows}))
    assert social.import_links([line.split("\t") for line in LINKS.read_text().splitlines()]).rows > 0
    assert (rating.datasets(), social.datasets()) == (["default"], ["default"])

    bad = refuses(s3rec.Refused, lambda: rating.import_ratings([("ann", "f1", "4"), ("ann", "f2", "many")], dataset="bad"), "many")
    assert bad.code == "INVALID_ARGUMENT" and bad.reason, bad.reason
    assert rating.datasets() == ["default"]
    refuses(TypeError, lambda: rating.import_ratings(7))
    refuses(ValueError, lambda: rating.propose("x", operator="enemies"), "enemies", "friends")

    # The paper's way: a training.
    job = rating.propose("a training", rank=4, rounds=2)
    not_yet = refuses(s3rec.Refused, lambda: job.start(wait=False))
    assert not_yet.reason == "NOT_APPROVED" and "review" in str(not_yet), not_yet
    [proposal] = social.proposals()
    assert (proposal.job, proposal.purpose, proposal.state) == (job.id, "a training", "proposed") and proposal.warnings
    social.approve(job.id)
    seen = []
    trained = job.start().wait(on_event=seen.append)
    assert trained.rmse and trained.common_users and trained.bytes and trained.verdict is None
    assert seen[-1].is_last and [event.round for event in seen if event.round][-1] == 2
    assert rating.jobs() == {job.id: "finished"} and rating.models() == [job.id]

    # One noised opening, with its promise and its verdict.
    job = rating.propose("an opening", operator="friends", mu=1.0)
    social.approve(job.id)
    opened = job.start().wait()
    assert opened.guarantee and opened.verdict.sentence and opened.verdict.gains
    assert opened.disclosed and social.disclosed() and rating.disclosed()

    user, item = rows[0][:2]
    [told] = rating.predict([(user, item)], model=trained.job)
    assert told.known_user and told.known_item and 1 <= told.rating <= 5
    [unknown] = rating.predict([("nobody", item)], model=trained.job)
    assert not unknown.known_user
    best = rating.recommend(user, rows[-1][0], count=3)
    assert [(one.user, one.place) for one in best] == [(u, p) for u in (user, rows[-1][0]) for p in (1, 2, 3)]
    assert not {one.item for one in best if one.user == user} & {row[1] for row in rows if row[0] == user}

    rejected = rating.propose("no")
    social.reject(rejected.id, "not this year")
    ended = refuses(s3rec.JobEnded, rejected.wait, "not this year")
    assert ended.last.state == "rejected"

    try:
        import pandas
    except ModuleNotFoundError:
        refuses(ModuleNotFoundError, lambda: s3rec.to_frame(best), "s3rec[pandas]")
    else:
        frame = pandas.DataFrame(rows, columns=["user", "item", "rating"])
        assert rating.import_ratings(frame, dataset="frame").rows == imported.rows
        assert list(s3rec.to_frame(best).item) == [one.item for one in best]
assert not place.exists(), "the demonstration has left something"
refuses(FileNotFoundError, lambda: s3rec.Rating("/nowhere/client.toml"))
print("ok", len(best))
