import collections
import json
import os

with open(os.environ["GODAGS_INPUTS"] + "/words") as words:
    counter = collections.Counter(words.read().split())

top = counter.most_common(int(os.environ["GODAGS_PARAM_TOP"]))
with open(os.environ["GODAGS_OUTPUT"], "w") as output:
    json.dump([{"word": word, "n": n} for word, n in top], output)
