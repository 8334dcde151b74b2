#!/usr/bin/env python3
"""Makes the TorchScript modules of this folder that change tensors and lists which they hold under several names: generate_states.py. Needs what generate.py needs.

NAME.npz has in_x and out0; of modules that keep a state, a row for each of the steps that follow each other, from states that are zero."""
import sys

import numpy as np
import torch

from generate import HERE, uniform, without_debug_info

torch.manual_seed(17)


class Cell(torch.nn.Module):
    def __init__(self, h):
        super().__init__()
        self.register_buffer("h", h)

    def forward(self, x):
        self.h.mul_(0.5).add_(x)
        return self.h * 1


class Shared(torch.nn.Module):
    """One tensor in two modules, in a list and under a name of its own."""

    def __init__(self):
        super().__init__()
        h = torch.zeros(1, 3)
        self.first, self.second, self.name = Cell(h), Cell(h), h
        self.cells = [h, torch.ones(1, 3)]

    def forward(self, x):
        y = self.first(x)
        self.cells[0].add_(1)
        return y + self.second(x * 2) * self.name + self.cells[1]


class Listed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = [torch.zeros(1, 3), torch.zeros(1, 3)]
        self.table = {"h": torch.zeros(1, 3)}

    def forward(self, x):
        y = self.cells[0] + self.cells[1] * 2 + self.table["h"]
        self.cells[0] = self.cells[1] + x
        self.cells[1] = x * 3
        self.table["h"] = self.table["h"] * 0.5 + x
        return y


class Delayed(torch.nn.Module):
    """A state that only another one reads."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1, 3)

    def forward(self, x):
        y = self.c * 2
        self.c = self.b
        self.b = self.a
        self.a = x * 1.5
        return y


class Lists(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(3, 3)

    def forward(self, x):
        x = self.dense(x)
        items = [x, x * 2]
        items += [x * 3]
        items.extend([x * 4, x * 5])
        items.insert(1, x * 6)
        items.insert(-1, x * 7)
        first = items.pop(0)
        items.reverse()
        last = items.pop()
        items[-1] = x * 8
        result = first * 10 + last * 100
        for i, item in enumerate(items):
            result = result + item * (i + 1)
        numbers = [1, 2, 3]
        numbers.clear()
        numbers.append(5)
        table = {"a": x}
        table["b"] = x * 9
        table["a"] = table["b"] - x
        return result * len(numbers) + numbers[0] + table["a"]


class PartOfAnother(torch.nn.Module):
    def __init__(self):
        super().__init__()
        h = torch.zeros(1, 3)
        self.register_buffer("whole", h)
        self.register_buffer("part", h[:, :2])

    def forward(self, x):
        self.whole.add_(x)
        return self.part * 2


class OneLater(torch.nn.Module):
    """Two tensors that are one behind the first run."""

    def __init__(self):
        super().__init__()
        self.p, self.q = torch.zeros(1, 3), torch.zeros(1, 3)

    def forward(self, x):
        self.p.add_(x)
        y = self.q * 2
        self.q = self.p
        return y


class TwoLater(torch.nn.Module):
    """One tensor that is two behind the first run."""

    def __init__(self):
        super().__init__()
        self.p = torch.zeros(1, 3)
        self.q = self.p

    def forward(self, x):
        self.p.add_(x)
        self.p = self.p * 2
        return self.q * 2


class IntoAnother(torch.nn.Module):
    def forward(self, x):
        y = torch.zeros(1, 3)
        torch.add(x, x, out=y)
        return y * 2


class Sorted(torch.nn.Module):
    def forward(self, x):
        order = [x.size(0), 1, 2]
        order.sort()
        return x * order[0]


class Turned(torch.nn.Module):
    """Changes a view that is not written back to what is read."""

    def forward(self, x):
        y = x * 1.0
        y.t().add_(1)
        return y


class Rows(torch.nn.Module):
    """Parts and views of one tensor, each changed in its turn; of reshape() nobody knows whether it is a view."""

    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(3, 3)

    def forward(self, x):
        y = self.dense(x)
        first, second, whole = y[0], y[1], y[:]
        first.add_(1)
        second.mul_(2)
        y.sub_(3)
        a, b, c = torch.unsafe_chunk(x * 2, 3, 1)
        a.add_(1)
        b.mul_(c)
        rows = [first]
        kept = [rows]
        rows.append(second * 2)
        parts = [a, b, c, first]
        tail, odd, copy = parts[1:], parts[-3::2], parts.copy()
        parts[1] = a * 5
        return y + whole, second + 0, a + b + c, kept[0][1], tail[0] + odd[1] + len(odd) + copy[1]


class Appending(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = [torch.zeros(1, 3)]

    def forward(self, x):
        self.seen.append(x)
        return self.seen[0] + x


constant = torch.zeros(1, 3)


def remembering(x):
    """Traced, what it changes is a constant."""
    constant.add_(x)
    return constant * 2


def script(name, model):
    save(name, torch.jit.script(model.eval()))


def save(name, module):
    torch.jit.save(module, str(HERE / f"{name}.pt"))
    without_debug_info(HERE / f"{name}.pt")


def main():
    for name, model in (("stateful_shared", Shared()), ("stateful_listed", Listed()), ("stateful_delayed", Delayed())):
        script(name, model)
        model, x = torch.jit.load(str(HERE / f"{name}.pt")), uniform(6, 1, 3)
        np.savez_compressed(HERE / f"{name}_steps.npz", in_x=x.numpy(), out0=torch.stack([model(step).clone() for step in x]).numpy())
    lists, x = Lists(), uniform(2, 3)
    script("lists", lists)
    np.savez_compressed(HERE / "lists.npz", in_x=x.numpy(), out0=lists(x).detach().numpy())
    rows = Rows()
    script("rows", rows)
    np.savez_compressed(HERE / "rows.npz", in_x=x.numpy(), **{f"out{i}": y.detach().numpy() for i, y in enumerate(rows(x))})
    for name, model in (("part", PartOfAnother()), ("one_later", OneLater()), ("two_later", TwoLater()), ("out", IntoAnother()), ("sorted", Sorted()), ("appending", Appending()), ("view", Turned())):
        script(f"unsupported_{name}", model)
    save("unsupported_constant", torch.jit.trace(remembering, torch.ones(1, 3), check_trace=False))


if __name__ == "__main__":
    sys.exit(main())
