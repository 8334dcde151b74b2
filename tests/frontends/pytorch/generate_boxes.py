#!/usr/bin/env python3
"""Makes the PyTorch models of this folder with torchvision's operators: generate_boxes.py. Needs what generate.py needs, and torchvision==0.29.2.

detection has those whose results have fixed sizes. What nms gives has as many elements as boxes stay, so that its model can only be evaluated; what it
chooses is in nms_chosen.npz."""
import sys

import numpy as np
import torch
from torchvision import ops

from generate import HERE, arrays, record, save, uniform, without_debug_info

torch.manual_seed(19)


class Detection(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.plain = ops.DeformConv2d(4, 6, 3, padding=1)
        self.grouped = ops.DeformConv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False)

    def forward(self, maps, boxes, offsets, grouped_offsets, mask):
        results = [ops.roi_align(maps, boxes, size, scale, samples, aligned)
                   for size, scale, samples, aligned in (((3, 2), 0.5, 2, False), ((3, 2), 0.5, 2, True), (2, 1.0, 3, True), ((1, 4), 0.25, 1, False))]
        results += [self.plain(maps, offsets), self.grouped(maps, grouped_offsets, mask), self.grouped(maps, grouped_offsets)]
        return tuple(results)


class Choosing(torch.nn.Module):
    def forward(self, boxes, scores, classes):
        kept = [ops.nms(boxes, scores, limit) for limit in (0.1, 0.5, 0.7, 1.0)]
        return (*kept, ops.batched_nms(boxes, scores, classes, 0.3), boxes[kept[1]], scores[kept[1]] * 2)


class Adaptive(torch.nn.Module):
    def forward(self, maps, boxes):
        return ops.roi_align(maps, boxes, 2), ops.nms(boxes[:, 1:].double(), boxes[:, 0].double(), 0.5)


def some_boxes(count, extent):
    corners = uniform(count, 2, low=-1.0, high=extent)
    return torch.cat([corners, corners + uniform(count, 2, low=0.5, high=extent / 2)], 1)


def detection():
    images = torch.randint(0, 2, (9, 1)).float()
    inputs = {"maps": uniform(2, 4, 7, 6), "boxes": torch.cat([images, some_boxes(9, 12)], 1), "offsets": uniform(2, 18, 7, 6),
              "grouped_offsets": uniform(2, 24, 4, 4), "mask": uniform(2, 12, 4, 4, low=0.0, high=1.0)}
    record("detection", Detection(), inputs, core=False)


def nms():
    """Among them boxes of one score, some that are alike, some without an area, and two that share a tenth, which is more than 0.1 as a float."""
    edges = torch.tensor([[50.0, 50, 60, 51], [50, 50, 51, 51], [70, 70, 70, 75], [70, 70, 70, 75]])
    boxes = some_boxes(24, 8)
    boxes = torch.cat([boxes, boxes[:3], edges])
    scores = torch.rand(len(boxes))
    scores[3:8] = 0.5
    inputs = {"boxes": boxes, "scores": scores, "classes": torch.randint(0, 3, (len(boxes),))}
    model = Choosing().eval()
    save(torch.export.export(model, tuple(inputs.values())), HERE / "nms.pt2")
    torch.jit.save(torch.jit.trace(model, tuple(inputs.values())), str(HERE / "nms.pt"))
    np.savez_compressed(HERE / "nms_chosen.npz", **arrays(inputs, model(*inputs.values())))


def main():
    detection()
    nms()
    torch.jit.save(torch.jit.trace(Adaptive().eval(), (uniform(1, 2, 4, 4), torch.zeros(3, 5))), str(HERE / "unsupported_boxes.pt"))
    for name in ("detection", "nms", "unsupported_boxes"):
        without_debug_info(HERE / f"{name}.pt")


if __name__ == "__main__":
    sys.exit(main())
