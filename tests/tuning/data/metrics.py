#!/usr/bin/env python3
"""Prints the values that tests/tuning/metric_test.cpp expects, from scikit-learn, SciPy and pycocotools.

    pip install scikit-learn scipy numpy pycocotools && python3 tests/tuning/data/metrics.py
"""
import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy import stats
from sklearn import metrics

SCORES = np.array([.9, .2, .5, .7, .1, .6, .5, .8, .3, .4], np.float32)
LABELS = np.array([1, 0, 1, 1, 0, 0, 0, 1, 1, 1])

print("f1 at 0.5", metrics.f1_score(LABELS, SCORES > .5), "at 0.35", metrics.f1_score(LABELS, SCORES > .35))
print("auc", metrics.roc_auc_score(LABELS, SCORES), "accuracy", metrics.accuracy_score(LABELS, SCORES > .5))
for name, l, s in ("first", LABELS[:5], SCORES[:5]), ("second", LABELS[5:], SCORES[5:]):
    print("dice of the", name, metrics.f1_score(l, s > .5))
print("pearson", stats.pearsonr([1, 0, -1], [100, 3, 1])[0], "spearman", stats.spearmanr([1, 0, -1], [1, 3, 3])[0])
relevance = np.array([[1, 0, 0, 0]])
for row in ([5, 1, 2, 3], [2.1, 1, 2, 3], [0, 1, 2, 3]):  # the second without its tie
    print("ndcg@2", metrics.ndcg_score(relevance, [row], k=2))

SAID, WANTED = [1, 0, 1, 1, 0, 2], [1, 0, 0, 1, 1, 2]
print("class_f1", metrics.f1_score(WANTED, SAID, average=None), "matthews", metrics.matthews_corrcoef(WANTED, SAID))
print("pearson", stats.pearsonr([1.5, 2, 10], [1, 3, 3.5])[0])
print("miou", metrics.jaccard_score([0, 1, 1, 1, 0], [0, 1, 0, 1, 0], average="macro"))

FOUND = [(1, 1, .9, [10, 10, 50, 52]), (1, 1, .8, [60, 60, 90, 95]), (1, 1, .7, [12, 8, 55, 50]), (1, 2, .6, [100, 100, 140, 150]),
         (1, 3, .95, [0, 0, 20, 20]), (2, 1, .65, [30, 30, 70, 70]), (2, 2, .85, [20, 20, 60, 75]), (2, 2, .75, [5, 5, 25, 30])]
BOXES = [(1, 1, [10, 10, 50, 50], 0), (1, 1, [60, 58, 92, 95], 0), (1, 2, [100, 105, 150, 150], 0), (1, 2, [0, 0, 200, 90], 1),
         (2, 1, [28, 33, 70, 72], 0), (2, 2, [22, 18, 66, 70], 0)]


def size(b): return [b[0], b[1], b[2] - b[0], b[3] - b[1]]


with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO()
    truth.dataset = {"images": [{"id": 1}, {"id": 2}], "categories": [{"id": 1}, {"id": 2}, {"id": 3}], "annotations": [
        {"id": n, "image_id": i, "category_id": c, "bbox": size(b), "area": size(b)[2] * size(b)[3], "iscrowd": crowd}
        for n, (i, c, b, crowd) in enumerate(BOXES, 1)]}
    truth.createIndex()
    judged = COCOeval(truth, truth.loadRes([{"image_id": i, "category_id": c, "score": s, "bbox": size(b)} for i, c, s, b in FOUND]), "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
print("coco_map", judged.stats[0], "coco_map50", judged.stats[1])
