import json
import sys
import numpy
from safetensors.numpy import load_file

path, user, item = sys.argv[1:]
model, card = load_file(path), json.load(open(path.replace(".safetensors", ".json")))
u, i = card["user_ids"].index(user), card["item_ids"].index(item)
taste = numpy.dot(model["user_factors"][u], model["item_factors"][i])
print(model["global_mean"][0] + model["user_bias"][u] + model["item_bias"][i] + taste)
