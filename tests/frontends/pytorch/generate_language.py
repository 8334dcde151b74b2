#!/usr/bin/env python3
"""Makes the TorchScript modules of this folder that use the language beside operators: numbers, strings, lists, dicts, tuples with names, loops over sizes:
generate_language.py. Needs what generate.py needs.

NAME_sized.npz has in_x, whose sizes are to be given, and out0, out1, ...; of stateful_paired, a row for each of the steps that follow each other, from states that are zero."""
import math
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import torch

from generate import HERE, uniform, without_debug_info

torch.manual_seed(19)


class LanguageNumbers(torch.nn.Module):
    """Each function twice: of what the compiler of TorchScript folds, and of what only the sizes tell."""

    def __init__(self):
        super().__init__()
        self.five, self.half, self.big = 5, -2.5, 9007199254740993

    def forward(self, x):
        five, half, n = self.five, self.half, x.size(1)
        whole = (five & 3) + (five | 8) * 2 + (five ^ 1) * 3 + (five << 2) * 5 + (five >> 1) * 7 + abs(-five)
        real = abs(half) + round(half) * 3 + math.floor(half) * 5 + math.ceil(half) * 7 + int(half) + math.fabs(half) + math.fmod(half, 2.0) + math.atan2(half, 1.0)
        real += math.exp(half) + math.log(-half) + math.sin(half) + math.sqrt(-half) + math.tanh(half) + math.copysign(1.0, half)
        largest = max([n, 2, x.size(0)]) * 10 + min([five, n]) + sum([n, five, 1]) + min(n, 7) * 100 + max(half, 0.5)
        if self.big == 9007199254740992:
            whole += 1000
        return x * whole, x + real, x - largest, x * -(-n // 3), x * sum([0.5, half])


class LanguageLists(torch.nn.Module):
    def forward(self, x):
        numbers = [3, 1, 2, 1]
        y = x * numbers.index(2) + numbers.count(1) * 10
        ordered = sorted(numbers)
        numbers.sort(reverse=True)
        y = y + ordered[0] * 100 + numbers[0] * 1000 + numbers[3]
        numbers.remove(1)
        del numbers[0]
        twice, many = [2, 5] * 2, [x.size(0)] * x.dim()
        twice *= 2
        y = y * len(numbers) + numbers[1] + twice[7] + many[1]
        words = ["b", "a"]
        words.sort()
        if words == ["a", "b"] and x.shape == [2, 4] and x.shape[1:] != torch.Size([2]):
            y = y * 1.5
        if any([False, x.size(0) == 2]) and all([x.dim() == 2, True]):
            y = y + 0.25
        rows, columns = x.shape
        parts = torch.split(x, 3, dim=1)
        total = x.sum()
        for part in parts:
            total = total * 2 + part.sum()
        for row in x.unbind(0):
            total = total - row.max()
        a, b, c = torch.tensor_split(x, 3, dim=1)
        p = torch.tensor_split(x, [1, -1], dim=1)
        left, right = torch.hsplit(x, 2)
        i, j = torch.meshgrid(torch.arange(2), torch.arange(4), indexing="ij")
        table = torch.tensor([[1, 2], [3, columns]])
        return (y, y.view(columns, rows), x.reshape(x.shape[:-1] + [2, 2]), torch.zeros(x.shape) + total, a, c, p[0] + p[2], p[-2], left - right, i * 10 + j, table,
                torch.tensor([0.5, 1.5])[table[0] - 1], torch.tensor([[True, False]]), torch.cat(torch.chunk(x, 2, 1)[::-1] if rows > 5 else torch.chunk(x, 2, 1)))


class LanguageDicts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.by_level = torch.jit.Attribute({1: 5, 2: 7}, Dict[int, int])

    def forward(self, x):
        levels: Dict[int, torch.Tensor] = {}
        for level in range(3):
            levels[level * 2] = x * level
        y = levels[4] + self.by_level[2]
        counts = {"a": 1, "b": 2}
        y = y * counts.pop("b") + counts.get("c", 9)
        counts.setdefault("a", 50)
        counts.update({"d": 4, "e": 5})
        other = counts.copy()
        del other["d"]
        for key, value in counts.items():
            y = y + value * len(key) + (0 if key in other else 100)
        for k in levels.keys():
            y = y + k
        for v in levels.values():
            y = y - v
        missing = levels.get(1)
        if missing is None and 2 in levels:
            y = y * 2
        names: Dict[str, torch.Tensor] = {}
        for n in range(3):
            names["layer{}".format(n)] = x + n
            names["old" + str(n)] = x - n
            names["%s%d" % ("new", n)] = x * n
        result: Dict[str, torch.Tensor] = {"y": y, "names": names["layer2"] * names["old1"] + names["new2"]}
        return result


class LanguageStrings(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = "Bilinear_x2"

    def forward(self, x):
        mode = self.mode
        parts = mode.split("_")
        if mode.lower() == "bilinear_x2" and mode.startswith("Bi") and mode.endswith("2") and "lin" in mode:
            x = x * 3
        if "-".join(parts) == "Bilinear-x2" and mode.replace("_x2", "") == parts[0] and parts[1][1:] == "2" and mode[0] == "B":
            x = x + 0.5
        if parts[1].upper() == "X2" and mode.find("_") == 8 and len("{} of {}".format(1, mode)) == 16:
            x = x * 2
        print("seen", x.shape)
        if x.sum() > 1e9:
            raise ValueError("a sum of {}".format(x.sum()))
        return x


class Pair(NamedTuple):
    first: torch.Tensor
    count: int
    second: Optional[torch.Tensor]


@torch.jit.script
class Scaled:
    def __init__(self, of: torch.Tensor, by: int):
        self.of = of
        self.by = by

    def value(self) -> torch.Tensor:
        self.by += 1
        return self.of * self.by


class LanguageObjects(torch.nn.Module):
    """Tuples with names, objects that the code makes, questions about types and devices."""

    def swapped(self, pair: Pair) -> Pair:
        second = pair.second
        return Pair(pair.first if second is None else second, pair.count + 1, pair.first)

    def forward(self, x):
        pair = self.swapped(Pair(x, 1, x * 2))
        if pair.first.sum() > 0:
            pair = Pair(pair.first - 1, pair.count + 2, pair.second)
        scaled = Scaled(x, 2)
        y = scaled.value() + scaled.value()
        if x.is_cuda or x.requires_grad or not x.is_floating_point() or x.device.type != "cpu":
            y = y * 1000
        if torch.equal(x, x) and not torch.equal(x, x[:1]):
            y = y + 1
        second = pair.second
        assert second is not None
        return pair.first * pair.count + second, y


class LanguageLoops(torch.nn.Module):
    """Lists that loops over sizes fill, and attributes that they change: written out, turn by turn."""

    def __init__(self):
        super().__init__()
        self.cell = torch.nn.LSTMCell(4, 3)
        self.attention = torch.nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        h, c = torch.zeros(1, 3), torch.zeros(1, 3)
        steps: List[torch.Tensor] = []
        for t in range(x.size(0)):
            h, c = self.cell(x[t : t + 1], (h, c))
            steps.append(h)
        rows = torch.jit.annotate(List[torch.Tensor], [])
        i = 0
        while i < x.size(0):
            rows += [x[i] * i]
            i += 1
        masked = x.clone()
        masked[masked > 0] = 0.5
        filled = x.index_fill(1, torch.tensor([0, 3]), 9.0).index_add(0, torch.tensor([1, 1]), x, alpha=2)
        y, weights = self.attention(x[None], x[None], x[None])
        larger = torch.nn.functional.interpolate(x[None, None], scale_factor=2.0, mode="bilinear", align_corners=False)
        return torch.cat(steps), torch.stack(rows), masked, filled, y, weights, larger, torch.einsum("ij,kj->ik", x, x), torch.einsum("ij, ij", x, x)


class Paired(torch.nn.Module):
    """States in a tuple that is None at first, in a list that is assigned as a whole, and in an attribute that a loop changes."""

    pair: Optional[Tuple[torch.Tensor, torch.Tensor]]

    def __init__(self):
        super().__init__()
        self.pair = None
        self.states: List[torch.Tensor] = [torch.zeros(2, 3), torch.zeros(2, 3)]
        self.last = torch.zeros(3)

    def forward(self, x):
        pair = self.pair
        if pair is None:
            pair = (torch.zeros(2, 3), torch.zeros(2, 3))
        y = pair[0] + x + self.states[1]
        self.pair = (pair[1], x)
        self.states = [x * 2, self.states[0]]
        for t in range(x.size(0)):
            self.last = self.last * 0.5 + x[t]
        return y + self.last


def record(name, model, x):
    model = torch.jit.script(model.eval())
    torch.jit.save(model, str(HERE / f"{name}.pt"))
    without_debug_info(HERE / f"{name}.pt")
    with torch.no_grad():
        result = model(x)
    results = list(result.values()) if isinstance(result, dict) else result if isinstance(result, tuple) else (result,)
    np.savez_compressed(HERE / f"{name}_sized.npz", in_x=x.numpy(), **{f"out{i}": r.contiguous().numpy() for i, r in enumerate(results)})


def main():
    models = {"numbers": LanguageNumbers(), "lists": LanguageLists(), "dicts": LanguageDicts(), "strings": LanguageStrings(), "objects": LanguageObjects(), "loops": LanguageLoops()}
    for name, model in models.items():
        record(f"language_{name}", model, uniform(2, 4))
    model, x = torch.jit.script(Paired().eval()), uniform(6, 2, 3)
    torch.jit.save(model, str(HERE / "stateful_paired.pt"))
    without_debug_info(HERE / "stateful_paired.pt")
    np.savez_compressed(HERE / "stateful_paired_steps.npz", in_x=x.numpy(), out0=torch.stack([model(step).clone() for step in x]).numpy())


if __name__ == "__main__":
    sys.exit(main())
