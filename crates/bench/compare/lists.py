#!/usr/bin/env python3
"""`implicit` on the choices that `s3rec bench lists --data-out DIR` wrote, in the same sitting.

    python3 -m venv venv && venv/bin/pip install numpy scipy implicit
    OPENBLAS_NUM_THREADS=1 venv/bin/python crates/bench/compare/lists.py DIR [--rank 64] [--sweeps 5]
        [--threads 2] [--listed 20000] [--count 10]

Learns with `implicit`'s alternating least squares, both with its default solver (three steps of conjugate
gradients a row) and exactly (`use_cg=False`), times both without making matrices, then makes lists of the
first users from the factors that s3rec learnt: by `recommend` with one thread of the BLAS and with all.
Decays as ours come to on such data; NDCG is of one held-out choice a user, as ours is.
"""

import argparse
import json
import pathlib
import time

import numpy as np
import scipy.sparse as sparse
from threadpoolctl import threadpool_limits


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
    """Of one relevant item a user."""
    hits = ids == held_out[: len(ids), None]
    places = np.arange(ids.shape[1])
    return float((hits / np.log2(places + 2.0)).sum(axis=1).mean())


def learn(matrix, arguments, use_cg):
    """The model and the seconds of its sweeps."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=arguments.rank,
        regularization=arguments.decay,
        alpha=arguments.alpha,
        iterations=arguments.sweeps,
        use_cg=use_cg,
        num_threads=arguments.threads,
        random_state=0,
    )
    seconds = []
    began = time.time()
    model.fit(matrix, show_progress=False, callback=lambda _, took, *rest: seconds.append(took))
    return model, time.time() - began, seconds


def lists(model, matrix, held_out, arguments, blas_threads):
    """Users a second, and how good the lists are."""
    users = np.arange(min(arguments.listed, matrix.shape[0]))
    chosen = matrix[: len(users)]
    with threadpool_limits(blas_threads, user_api="blas"):
        began = time.time()
        ids, _ = model.recommend(users, chosen, N=arguments.count, filter_already_liked_items=True)
        took = time.time() - began
    return len(users) / took, ndcg(ids, held_out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--sweeps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--listed", type=int, default=20_000)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--decay", type=float, default=1.0)
    parser.add_argument("--alpha", type=float, default=300.0)
    parser.add_argument("--solvers", default="cg,exact")
    arguments = parser.parse_args()
    matrix, held_out, our_users, our_items = read(arguments.directory, arguments.rank)
    for name in arguments.solvers.split(","):
        model, took, seconds = learn(matrix, arguments, use_cg=name == "cg")
        _, quality = lists(model, matrix, held_out, arguments, arguments.threads)
        print(json.dumps({"implicit": name, "seconds": took, "sweeps": seconds, "ndcg": quality}), flush=True)
    model.user_factors, model.item_factors = our_users, our_items
    for blas_threads in (1, arguments.threads):
        rate, quality = lists(model, matrix, held_out, arguments, blas_threads)
        record = {"implicit": "recommend", "blas_threads": blas_threads, "users_a_second": rate, "ndcg": quality}
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
