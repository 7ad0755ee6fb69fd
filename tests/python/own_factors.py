"""Factors of implicit's ALS for s3rec: own_factors.py RATINGS CALIBRATION OUT

RATINGS is user <TAB> item <TAB> rating; CALIBRATION has an id a line, of users by whom friends' sums
will be judged: `s3rec evaluate --calibration-out`. Their ratings are left out of the training, or
the verdict would be about what the factors remember of them. OUT becomes a safetensors file, which
`s3rec evaluate --factors` and `s3rec rating import-factors` read.
"""

import json
import sys

import numpy as np
from implicit.als import AlternatingLeastSquares
from safetensors.numpy import save_file
from scipy.sparse import coo_matrix

ratings_file, calibration_file, out = sys.argv[1:4]
with open(calibration_file) as lines:
    left_out = {line.rstrip("\n") for line in lines}
users, items, rows = {}, {}, []
with open(ratings_file) as lines:
    for line in lines:
        user, item, rating = line.split()[:3]
        # Every item has a place, also one that only calibration users rated.
        item = items.setdefault(item, len(items))
        if user not in left_out:
            rows.append((users.setdefault(user, len(users)), item, float(rating)))
user, item, rating = zip(*rows)
shape = (len(users), len(items))
confidence = coo_matrix((np.float32(rating), (user, item)), shape=shape).tocsr()
model = AlternatingLeastSquares(factors=32, regularization=0.05, alpha=2.0, random_state=0)
model.fit(confidence, show_progress=False)
save_file(
    {
        "user_factors": np.ascontiguousarray(model.user_factors, dtype=np.float32),
        "item_factors": np.ascontiguousarray(model.item_factors, dtype=np.float32),
    },
    out,
    metadata={"user_ids": json.dumps(list(users)), "item_ids": json.dumps(list(items))},
)
print(f"{len(users)} users, {len(items)} items, {len(left_out)} left out")
