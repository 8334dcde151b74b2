"""What the scripts of all frameworks share. `NAME.py list` prints what they can make, `NAME.py make ARCHITECTURE FOLDER` makes one."""
import json
import pathlib
import sys

import numpy as np


def record(folder, models, inputs, outputs):
    """`models`: format -> file. Inputs and outputs are in the order in which the framework takes and gives them."""
    for kind, arrays in (("in", inputs), ("out", outputs)):
        for i, array in enumerate(arrays):
            np.save(folder / f"{kind}{i}.npy", array)
    (folder / "made.json").write_text(json.dumps({"models": models, "inputs": len(inputs), "outputs": len(outputs)}))


def main(families, make, framework):
    if sys.argv[1] == "list":
        print(json.dumps({"framework": framework, "families": families}))
    else:
        make(sys.argv[2], pathlib.Path(sys.argv[3]))
