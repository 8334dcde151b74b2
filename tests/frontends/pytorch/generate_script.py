#!/usr/bin/env python3
"""Makes the TorchScript modules of this folder that decide, repeat, keep a state and change views: generate_script.py. Needs what generate.py needs.

NAME.npz has arrays in_NAME and out0, out1, ...; of modules that keep a state, a row for each of the steps that follow each other."""
import sys
from typing import Optional

import numpy as np
import torch

from generate import HERE, arrays, uniform, without_debug_info

torch.manual_seed(23)


class Scripted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)])
        self.scale: float = 0.5

    def forward(self, x, times: int = 2):
        parts = []
        for layer in self.layers:
            for _ in range(times):
                x = torch.relu(layer(x))
            parts.append(x)
        if self.training:
            x = x * 2
        i = 0
        while i < 2:
            x = x + i * self.scale
            i += 1
        return torch.cat(parts, 1), x


class Deciding(torch.nn.Module):
    """Branches and loops of TorchScript that only the values decide; what they do is in methods, since a branch that returns ends its function."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm = torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3)

    def early(self, x, limit: float):
        if x.sum() > limit:
            return self.linear(x)
        y = x * 2
        if y.max() > 1e6:
            return y
        return y - 1

    def optional(self, x, limit: float):
        h: Optional[torch.Tensor] = None
        if x.sum() > limit:
            h = self.linear(x)
        if h is None:
            return x
        return x + h

    def tuples(self, x):
        pair, n, r = (x, x * 2), 0, 0.5
        if x[0, 0] < 100:
            pair, n = (pair[1], pair[0] + 1), n + 3
        else:
            r = 2.0
        both = [x, pair[0]]
        if n > 2:
            both = [pair[1], x * n]
        return both[0] - both[1] * r

    def in_place(self, x, limit: float):
        a, b = x.clone(), x * 3
        if x.sum() > limit:
            a[0] = 1.0
            b.add_(1)
        else:
            a += 2
        for _ in range(int(b.abs().max())):
            b.mul_(0.5)
        return a + b

    def turns(self, x):
        """Two conditions, a break, and numbers that are counted."""
        y, i = x, 0
        while y.sum() < 400 and i < 10:
            y = y + self.linear(y).abs()
            i += 1
            if y.max() > 30:
                break
        while True:
            y = y * 1.5
            i += 2
            if y.max() > 60:
                break
        return y, i

    def counted(self, x, rows):
        """As many turns as the rows say, one left out, the state a tuple, and a state that is None at first."""
        state, last = (x, x * 2), torch.jit.annotate(Optional[torch.Tensor], None)
        for k in range(int(rows.abs().max())):
            if k == 2:
                continue
            state = (state[1], state[0] + rows[k % 2] * k)
            last = state[0] if last is None else last + state[0]
        return state[0] if last is None else last * state[1]

    def left_early(self, x, limit: float):
        y = x * 1.5
        for i in range(int(x.abs().sum() + 3)):
            y = self.norm(y) + i
            if y.sum() > limit:
                return y * 2
        assert y.sum() > -1e9
        return y

    def nested(self, x):
        total, n = x * 0, 0
        while n < int(x.abs().max() * 2):
            m = 0
            while total.sum() < n * 3:
                total = total + self.linear.weight[0].abs()
                m += 1
                if m > 4:
                    total = total + 1
            n += 1
        return total

    def forward(self, x, rows):
        x, rows = self.linear(x) + x * 2, self.linear(rows) + rows  # which tells how many axes they have
        y, i = self.turns(x)
        return (self.optional(x, -1e3), self.optional(x, 1e3), self.early(x, -1e3), self.early(x, 1e3), self.tuples(x), self.in_place(x, -1e3), self.in_place(x, 1e3),
                y, i + x, self.counted(x, rows), self.left_early(x, 30.0), self.left_early(x, 1e6), self.nested(x))


class GrowingList(torch.nn.Module):
    def forward(self, x):
        rows = []
        while x.sum() < 10:
            x = x + 1
            rows.append(x)
        return torch.stack(rows)


class BranchingState(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("state", torch.zeros(3))

    def forward(self, x):
        if x.sum() > 0:
            self.state = x
        return x


class BranchingLength(torch.nn.Module):
    def forward(self, x):
        rows = [x]
        if x.sum() > 0:
            rows = [x, x]
        return torch.cat(rows)


class Stateful(torch.nn.Module):
    """Keeps what it has seen, in sizes that the first call decides."""

    def __init__(self):
        super().__init__()
        self.state = torch.zeros([0])
        self.rate = 0

    def reset(self):
        self.state = torch.zeros([0])
        self.rate = 0

    def forward(self, x, rate: int):
        if x.dim() == 1:
            x = x.unsqueeze(0)
        if x.shape[-1] != 4:
            raise ValueError("four samples at a time")
        if self.rate != 0 and self.rate != rate:
            self.reset()
        if len(self.state) == 0:
            self.state = torch.zeros([x.shape[0], 3])
        joined = torch.cat([self.state, x], 1)
        self.state = joined[:, -3:] * 0.5
        self.rate = rate
        return joined.sum(1) + rate


class Counting(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, x):
        self.count += 1
        return x * self.count


class Remembering(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = torch.zeros([0, 3])

    def forward(self, x):
        self.seen = torch.cat([self.seen, x])
        return self.seen.sum()


class ViewChangedTwice(torch.nn.Module):
    def forward(self, x):
        whole = x * 1.0
        view = whole[:, 1:3]
        view.add_(1)
        view.mul_(2)
        return whole + 0, view + 0


class ViewBehindItsBase(torch.nn.Module):
    def forward(self, x):
        whole = x * 1.0
        view = whole[:, 1:3]
        view.add_(1)
        whole[:, :2].mul_(2)
        return view + 0


def control_flow_of_torchscript():
    deciding, x, rows = torch.jit.script(Deciding().eval()), uniform(2, 3), uniform(2, 3, low=-6.0, high=6.0)
    torch.jit.save(deciding, str(HERE / "deciding.pt"))
    np.savez_compressed(HERE / "deciding.npz", **arrays({"x": x, "rows": rows}, deciding(x, rows)))
    refused = {"growing_list": GrowingList(), "branching_state": BranchingState(), "branching_length": BranchingLength(), "stateful_counting": Counting(), "stateful_remembering": Remembering()}
    for name, model in refused.items():
        torch.jit.save(torch.jit.script(model), str(HERE / f"{name}.pt"))


def views_changed_in_place():
    x = uniform(2, 4)
    twice = torch.jit.trace(ViewChangedTwice().eval(), x)
    torch.jit.save(twice, str(HERE / "view_changed_twice.pt"))
    np.savez_compressed(HERE / "view_changed_twice.npz", **arrays({"x": x}, twice(x)))
    behind = torch.jit.trace(ViewBehindItsBase().eval(), x)
    torch.jit.save(behind, str(HERE / "view_behind_its_base.pt"))
    np.savez_compressed(HERE / "view_behind_its_base.npz", **arrays({"x": x}, behind(x)))


def states():
    """out0 has a row for each of the steps of in_x, which follow each other."""
    model, x = torch.jit.script(Stateful().eval()), uniform(3, 2, 4)
    torch.jit.save(model, str(HERE / "stateful.pt"))
    np.savez_compressed(HERE / "stateful_steps.npz", **arrays({"x": x}, torch.stack([model(step, 8) for step in x])))


def main():
    scripted, x = torch.jit.script(Scripted().eval()), uniform(2, 4)
    torch.jit.save(scripted, str(HERE / "scripted.pt"))
    np.savez_compressed(HERE / "scripted.npz", **arrays({"x": x}, scripted(x)))
    control_flow_of_torchscript()
    views_changed_in_place()
    states()
    for file in HERE.glob("*.pt"):
        without_debug_info(file)


if __name__ == "__main__":
    sys.exit(main())
