#!/usr/bin/env python3
"""Learning lists and making them, `s3rec` beside `implicit`, in one sitting.

    python3 -m venv venv && venv/bin/pip install numpy scipy implicit
    OPENBLAS_NUM_THREADS=1 venv/bin/python crates/bench/compare/lists.py DIR [--s3rec target/release/s3rec]
        [--ratings FILE | --users 1000000 --items 100000 --choices 50000000] [--rank 64] [--sweeps 5]
        [--threads 1,2] [--unobserved-weight 0.01] [--decay 30] [--gradient-steps 0,3] [--listed 20000]

For each number of threads `s3rec bench lists` learns from the choices, exactly and by conjugate gradients, and
writes them to DIR; `implicit`'s alternating least squares then learns from the same, with its default solver (three
steps of conjugate gradients a row) and exactly (`use_cg=False`). Both minimise the same: confidence (1 + α)/α of a
choice against 1 of none, decay λ/α on every row. Ours counts everything from the matrix to the factors, the last half
sweep over the users included; theirs the sweeps alone. NDCG is of one held-out choice a user. The last line of each
number of threads is our time over theirs, default over default and exact over exact. Lists of the first users are then
made by `recommend` from our factors.
"""

import argparse
import json
import os
import pathlib
import subprocess
import time

import numpy as np
import scipy.sparse as sparse
from threadpoolctl import threadpool_limits


def ours(arguments, threads):
    """The record of `s3rec bench lists`."""
    command = [arguments.s3rec, "bench", "lists", "--json", "--data-out", str(arguments.directory)]
    command += ["--decay-exponent", "0", "--decay", str(arguments.decay)]
    command += ["--unobserved-weight", str(arguments.unobserved_weight), "--rank", str(arguments.rank)]
    command += ["--sweeps", str(arguments.sweeps), "--listed", str(arguments.listed), "--count", str(arguments.count)]
    command += ["--gradient-steps", arguments.gradient_steps]
    if arguments.ratings:
        command += ["--ratings", arguments.ratings]
    else:
        command += ["--users", str(arguments.users), "--items", str(arguments.items)]
        command += ["--choices", str(arguments.choices)]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def read(directory, rank):
    """The matrix of choices, the held-out items and our factors."""
    pairs = np.fromfile(directory / "choices.u32", dtype="<u4").reshape(-1, 2)
    held_out = np.fromfile(directory / "held_out.u32", dtype="<u4")
    users, items = (
        np.fromfile(directory / f"{side}.f64", dtype="<f8").reshape(-1, rank).astype(np.float32)
        for side in ("users", "items")
    )
    ones = np.ones(len(pairs), dtype=np.float32)
    shape = (len(users), len(items))
    matrix = sparse.csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=shape)
    return matrix, held_out, users, items


def ndcg(ids, held_out):
    """Of one relevant item a user who has one."""
    held_out = held_out[: len(ids)]
    known = held_out != 2**32 - 1
    places = np.arange(ids.shape[1])
    hits = ids[known] == held_out[known, None]
    return float((hits / np.log2(places + 2.0)).sum(axis=1).mean())


def learn(matrix, arguments, threads, use_cg):
    """The model and the seconds of its sweeps."""
    from implicit.cpu.als import AlternatingLeastSquares

    weight = arguments.unobserved_weight
    model = AlternatingLeastSquares(
        factors=arguments.rank,
        regularization=arguments.decay / weight,
        alpha=(1.0 + weight) / weight,
        iterations=arguments.sweeps,
        use_cg=use_cg,
        num_threads=threads,
        random_state=0,
    )
    seconds = []
    model.fit(matrix, show_progress=False, callback=lambda _, took, *rest: seconds.append(took))
    return model, sum(seconds)


def lists(model, matrix, held_out, arguments, blas_threads):
    """Users a second, and how good the lists are."""
    users = np.arange(min(arguments.listed, matrix.shape[0]))
    chosen = matrix[: len(users)]
    with threadpool_limits(blas_threads, user_api="blas"):
        began = time.time()
        ids, _ = model.recommend(users, chosen, N=arguments.count, filter_already_liked_items=True)
        took = time.time() - began
    return len(users) / took, ndcg(ids, held_out)


def compare(arguments, threads):
    """Both libraries with so many threads; a line each."""
    say = lambda **record: print(json.dumps({"threads": threads} | record), flush=True)
    before = os.getloadavg()[0]
    record = ours(arguments, threads)
    record = record.get("record", record)
    mine = {}
    for learnt in record["learning"]:
        name = "cg" if learnt["gradient_steps"] else "exact"
        mine[name] = learnt["seconds"]
        say(ours=name, **learnt)
    say(ours="lists", users_a_second=record["users_a_second"], learnt_from=record["learnt_from"])
    matrix, held_out, our_users, our_items = read(arguments.directory, arguments.rank)
    theirs = {}
    for name in arguments.solvers.split(","):
        model, theirs[name] = learn(matrix, arguments, threads, use_cg=name == "cg")
        _, quality = lists(model, matrix, held_out, arguments, threads)
        say(implicit=name, seconds=theirs[name], ndcg=quality)
    say(load_before=before, **{f"ratio_{name}": mine[name] / theirs[name] for name in theirs if name in mine})
    if arguments.recommend:
        model.user_factors, model.item_factors = our_users, our_items
        for blas_threads in sorted({1, threads}):
            rate, quality = lists(model, matrix, held_out, arguments, blas_threads)
            say(implicit="recommend", blas_threads=blas_threads, users_a_second=rate, ndcg=quality)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--s3rec", default="target/release/s3rec")
    parser.add_argument("--ratings")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--choices", type=int, default=50_000_000)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--sweeps", type=int, default=5)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--listed", type=int, default=20_000)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--decay", type=float, default=30.0)
    parser.add_argument("--unobserved-weight", type=float, default=0.01)
    parser.add_argument("--gradient-steps", default="0,3")
    parser.add_argument("--solvers", default="cg,exact")
    parser.add_argument("--recommend", action="store_true")
    arguments = parser.parse_args()
    for threads in arguments.threads.split(","):
        compare(arguments, int(threads))


if __name__ == "__main__":
    main()
