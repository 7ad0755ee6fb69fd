#!/usr/bin/env python3
"""Other libraries on the folds that `s3rec evaluate --folds-out FILE` wrote.

    python3 -m venv venv && venv/bin/pip install numpy scipy scikit-surprise implicit cornac
    venv/bin/pip install torch torch_geometric flgo      # several GB; for FLGo's SeSoRec alone
    venv/bin/python crates/bench/compare/compare.py FOLDS [--links FILE] [--only NAME,...] [--folds-of 0,...]

Prints RMSE and MAE (predictions clipped to the scale of the ratings), RMSE of users with fewer than
five training ratings, and NDCG@10 judged as `s3rec evaluate --rankings` judges it: all items but the
user's training items are ranked, a held-out item is relevant in the top quarter of the scale, at most
2,000 users, evenly spread. Each library with its own documented defaults except where the name says
otherwise; "chosen within" is by ratings held out of the training part once more. Nothing is tuned on
the held-out ratings.
"""

import argparse
import csv
import math
import random
import statistics
import sys
import time
from collections import defaultdict

import numpy as np


def read_folds(path):
    """Rows (user, item, rating, fold), users and items numbered in order of appearance."""
    users, items, rows = {}, {}, []
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            user = users.setdefault(row["user"], len(users))
            item = items.setdefault(row["item"], len(items))
            rows.append((user, item, float(row["rating"]), int(row["fold"])))
    return users, items, rows


def read_links(path, users):
    """Links (truster, trustee, 1) between users who have ratings."""
    links = set()
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if len(fields) >= 2 and fields[0] in users and fields[1] in users:
                links.add((users[fields[0]], users[fields[1]], 1.0))
    return sorted(links)


class Fold:
    """One fold's training and held-out ratings."""

    def __init__(self, rows, fold, users, items, links):
        self.users, self.items, self.links = users, items, links
        self.train = [row[:3] for row in rows if row[3] != fold]
        self.test = [row[:3] for row in rows if row[3] == fold]
        self.mean = statistics.fmean(rating for _, _, rating in self.train)
        self.low = min(row[2] for row in rows)
        self.high = max(row[2] for row in rows)
        self.seen = defaultdict(set)
        for user, item, _ in self.train:
            self.seen[user].add(item)


def surprise_model(make):
    """A Surprise algorithm as a function from a fold to predicted ratings."""

    def run(fold):
        from surprise import Dataset, Reader

        reader = Reader(rating_scale=(fold.low, fold.high))
        rows = [(user, item, rating, None) for user, item, rating in fold.train]
        train = Dataset(reader).construct_trainset(rows)
        model = make().fit(train)
        return [model.predict(user, item).est for user, item, _ in fold.test], None

    return run


def surprise_baseline():
    from surprise import BaselineOnly

    return BaselineOnly(verbose=False)


def surprise_svd():
    from surprise import SVD

    return SVD(random_state=0)


def surprise_svdpp():
    from surprise import SVDpp

    return SVDpp(random_state=0)


def cornac_model(make, social):
    """A Cornac model as a function from a fold to predicted ratings and scores of all items."""

    def run(fold):
        from cornac.data import Dataset, GraphModality

        train = Dataset.from_uir(fold.train, seed=0)
        if social:
            known = train.uid_map
            links = [link for link in fold.links if link[0] in known and link[1] in known]
            graph = GraphModality(data=links)
            train.add_modalities(user_graph=graph)
            graph.build(id_map=known, symmetric=False)
        model = make().fit(train)
        uids, iids = train.uid_map, train.iid_map
        predicted = []
        for user, item, _ in fold.test:
            if user in uids and item in iids:
                predicted.append(float(model.rate(uids[user], iids[item])))
            else:
                predicted.append(fold.mean)
        back = {index: item for item, index in iids.items()}

        def scores(user):
            values = np.full(fold.items, -np.inf)
            if user in uids:
                found = np.asarray(model.score(uids[user]), dtype=float)
                for index, value in enumerate(found[: len(back)]):
                    values[back[index]] = value
            return values

        return predicted, scores

    return run


def cornac_mf():
    from cornac.models import MF

    return MF(seed=0, verbose=False)


def cornac_sorec():
    from cornac.models import SoRec

    return SoRec(seed=0, verbose=False)


def flgo_sesorec(gamma, epochs=20, rate=0.1, batch=64):
    """FLGo's SeSoRec, by its own steps at both parties, its own defaults (10 factors, λ 0.01, rate 0.1,
    batches of 64), on our folds instead of the files that its task would download."""

    def predict(model, fold):
        import torch

        test = list(zip(*fold.test))
        with torch.no_grad():
            asked = (torch.tensor(test[0]), torch.tensor(test[1]), None)
            predicted = model(asked)
        lost = int(predicted.isnan().sum())
        if lost:
            print(f"SeSoRec diverged: {lost} predictions are no numbers; the mean is", file=sys.stderr)
        return predicted.nan_to_num(fold.mean).tolist()

    def run(fold):
        import torch
        from flgo.algorithm import sesorec

        torch.manual_seed(0)
        users, items = list(range(fold.users)), list(range(fold.items))
        passive = object.__new__(sesorec.PassiveParty)
        passive.device, passive.userID_data = torch.device("cpu"), users
        ends = [[link[0] for link in fold.links], [link[1] for link in fold.links]]
        passive.social_data = type("Social", (), {"edge_index": torch.tensor(ends)})
        passive.initialize()
        active = object.__new__(sesorec.ActiveParty)
        active.gamma, active.lambda_l2, active.learning_rate = gamma, 0.01, rate
        active.calculator = type("Calculator", (), {"to_device": staticmethod(lambda data: data)})
        active.local_module = sesorec.MF(fold.users, fold.items, 10)
        active.communicate_with = lambda _, package: passive.actions[package["__mtype__"]](package)
        columns = list(zip(*fold.train))
        user = torch.tensor(columns[0])
        item = torch.tensor(columns[1])
        rating = torch.tensor(columns[2], dtype=torch.float32)
        started = time.time()
        for epoch in range(epochs):
            order = torch.randperm(len(user))
            for start in range(0, len(order), batch):
                part = order[start : start + batch]
                active.get_batch_data = lambda: (user[part], item[part], rating[part])
                active.iterate()
            predicted = predict(active.local_module, fold)
            spent, rmse = time.time() - started, errors(fold, predicted)[0]
            passed = f"SeSoRec: {epoch + 1} of {epochs} passes, {spent:.0f} s, RMSE {rmse:.4f}"
            print(passed, file=sys.stderr, flush=True)
        model = active.local_module
        left, right = model.user_embedding.weight, model.item_embedding.weight
        return predicted, lambda user: (right @ left[user]).detach().nan_to_num(0.0).numpy()

    return run


def chosen_within(make, choices):
    """A lister with the best of `choices` for each fold, by NDCG on a tenth of its training ratings,
    held out once more; nobody sees a held-out rating."""

    def run(fold):
        draw = random.Random(0)
        rows = [(*row, int(draw.random() < 0.1)) for row in fold.train]
        inner = Fold(rows, 1, fold.users, fold.items, fold.links)
        inner.low, inner.high = fold.low, fold.high
        found = [(ndcg(inner, make(inner, *choice), most=500), choice) for choice in choices]
        best = max(found)[1]
        print(f"chosen: {best} of {found}", file=sys.stderr, flush=True)
        return None, make(fold, *best)

    return run


def matrix_of(fold):
    """Ones where a user has rated an item."""
    from scipy.sparse import csr_matrix

    users, items, _ = zip(*fold.train)
    ones = np.ones(len(users), dtype=np.float32)
    return csr_matrix((ones, (users, items)), shape=(fold.users, fold.items))


def implicit_als(fold, factors=16, alpha=1.0, regularization=0.01):
    """implicit's weighted ALS on which items were chosen."""
    import os

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=factors,
        alpha=alpha,
        regularization=regularization,
        random_state=0,
        num_threads=2,
    )
    model.fit(matrix_of(fold), show_progress=False)
    return lambda user: model.item_factors @ model.user_factors[user]


ALS_CHOICES = [(32, a, r) for a in (3.0, 30.0, 300.0) for r in (1.0, 100.0, 3000.0)]

EASE_ITEMS = 5000
EASE_CHOICES = [(100.0,), (500.0,), (2000.0,)]


def ease(fold, decay=500.0):
    """EASE (Steck, WWW 2019) among the most rated items, for its matrix is items x items."""
    matrix = matrix_of(fold)
    counts = np.asarray(matrix.sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-counts, kind="stable")[:EASE_ITEMS])
    matrix = matrix[:, kept]
    gram = np.asarray((matrix.T @ matrix).todense(), dtype=np.float32)
    gram[np.diag_indices_from(gram)] += decay
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)

    def scores(user):
        values = np.full(fold.items, -1e9)
        values[kept] = matrix[user] @ weights
        return values

    return scores


def popularity(fold):
    """The most rated items for everybody."""
    counts = np.zeros(fold.items)
    for _, item, _ in fold.train:
        counts[item] += 1
    return None, lambda user: counts


MODELS = {
    "Surprise BaselineOnly": surprise_model(surprise_baseline),
    "Surprise SVD": surprise_model(surprise_svd),
    "Surprise SVD++": surprise_model(surprise_svdpp),
    "Cornac MF": cornac_model(cornac_mf, social=False),
    "Cornac SoRec (links)": cornac_model(cornac_sorec, social=True),
    "FLGo SeSoRec (links, γ = 1)": flgo_sesorec(1.0),
    "FLGo SeSoRec without links (γ = 0)": flgo_sesorec(0.0),
    "implicit ALS, 16 factors": lambda fold: (None, implicit_als(fold)),
    "implicit ALS, 32 factors, chosen within": chosen_within(implicit_als, ALS_CHOICES),
    "EASE, 5,000 items": lambda fold: (None, ease(fold)),
    "EASE, 5,000 items, chosen within": chosen_within(ease, EASE_CHOICES),
    "most rated items": popularity,
}


def errors(fold, predicted):
    """RMSE, MAE and RMSE of cold users."""
    off, cold = [], []
    for (user, _, rating), estimate in zip(fold.test, predicted):
        error = min(max(estimate, fold.low), fold.high) - rating
        off.append(error)
        if len(fold.seen[user]) < 5:
            cold.append(error)
    rmse = lambda of: math.sqrt(statistics.fmean(e * e for e in of)) if of else math.nan
    return rmse(off), statistics.fmean(abs(e) for e in off), rmse(cold)


def ndcg(fold, scores, cutoff=10, most=2000):
    """Mean NDCG at the cutoff over the judged users."""
    relevant = defaultdict(set)
    threshold = fold.high - 0.25 * (fold.high - fold.low)
    for user, item, rating in fold.test:
        if rating >= threshold - 1e-9:
            relevant[user].add(item)
    judged = sorted(relevant)
    judged = judged[:: max(1, math.ceil(len(judged) / most))]
    found = []
    for user in judged:
        values = np.array(scores(user), dtype=float)
        values[list(fold.seen[user])] = -np.inf
        best = np.argpartition(-values, cutoff)[:cutoff]
        best = best[np.argsort(-values[best], kind="stable")]
        gain = sum(1 / math.log2(n + 2) for n, item in enumerate(best) if item in relevant[user])
        ideal = sum(1 / math.log2(n + 2) for n in range(min(cutoff, len(relevant[user]))))
        found.append(gain / ideal)
    return statistics.fmean(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folds")
    parser.add_argument("--links")
    parser.add_argument("--only", default="")
    parser.add_argument("--folds-of", default="", help="numbers of the folds to run, all unless given")
    arguments = parser.parse_args()
    users, items, rows = read_folds(arguments.folds)
    links = read_links(arguments.links, users) if arguments.links else []
    wanted = [name for name in arguments.only.split(",") if name]
    asked = {int(number) for number in arguments.folds_of.split(",") if number}
    numbers = sorted({row[3] for row in rows} & asked if asked else {row[3] for row in rows})
    print(f"{len(rows)} ratings, {len(users)} users, {len(items)} items, {len(numbers)} folds")
    print("| model | RMSE | MAE | RMSE, cold users | NDCG@10 | seconds |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, model in MODELS.items():
        if wanted and not any(word.lower() in name.lower() for word in wanted):
            continue
        started, cells = time.time(), []
        try:
            for number in numbers:
                fold = Fold(rows, number, len(users), len(items), links)
                predicted, scores = model(fold)
                row = errors(fold, predicted) if predicted else (math.nan,) * 3
                cells.append(row + (ndcg(fold, scores) if scores else math.nan,))
        except (ImportError, MemoryError) as error:
            print(f"| {name} | skipped: {error} | | | | |")
            continue
        means = [statistics.fmean(column) for column in zip(*cells)]
        shown = " | ".join("–" if math.isnan(mean) else f"{mean:.4f}" for mean in means)
        print(f"| {name} | {shown} | {time.time() - started:.0f} |", flush=True)


if __name__ == "__main__":
    main()
