#!/usr/bin/env python3
"""Fails where a file includes what its folder must not see: check_includes.py ROOT. --self-test proves that it can."""
import pathlib
import re
import sys
import tempfile

# What everybody above the frontends may see of them: the one door, ONNX as a format to write, and translators that users bring.
DOORS = ["frontends/frontend.h", "frontends/onnx/export.h", "frontends/public_translators.h"]
# Folder -> folders (or single headers) it may include besides itself. The longest matching prefix counts.
ALLOWED = {
    "base": [],
    "base/archive": ["base"],
    "runtime": ["base", "lapis"],
    "ir": ["base"],
    "frontends": ["base", "ir", "lapis"],
    "frontends/common": ["base", "ir"],
    "frontends/keras": ["base", "ir", "frontends/common"],
    "frontends/mxnet": ["base", "ir", "frontends/common"],
    "frontends/onnx": ["base", "ir", "frontends/common"],
    "frontends/pytorch": ["base", "ir", "frontends/common"],
    "frontends/tensorflow": ["base", "ir", "frontends/common"],
    "frontends/tflite": ["base", "ir", "frontends/common", "frontends/tensorflow/translators.h"],
    "passes": ["base", "ir"],
    "codegen": ["base", "ir", "runtime/abi.h"],
    "codegen/scalar": ["base", "codegen/plan.h"],
    "codegen/kernels": ["base", "codegen/plan.h", "codegen/scalar", "runtime/abi.h"],
    "codegen/onednn": ["base", "codegen/plan.h", "codegen/kernels", "runtime/abi.h"],
    "codegen/x86": ["base", "codegen/plan.h", "codegen/step_code.h", "codegen/scalar", "codegen/kernels", "codegen/onednn/row.h",
                    "runtime/abi.h"],
    "codegen/llvm": ["base", "codegen/plan.h", "codegen/step_code.h", "codegen/scalar", "runtime/abi.h"],
    "codegen/object": ["base", "codegen/plan.h", "codegen/llvm", "runtime/abi.h"],
    "driver": ["base", "ir", *DOORS, "passes", "codegen", "runtime", "lapis"],
    "tuning": ["base", "ir", *DOORS, "passes", "codegen", "runtime", "driver", "lapis"],
    "tools": ["base", "ir", *DOORS, "passes", "codegen", "runtime", "driver", "tuning", "lapis"],
    "include/lapis": [],
}
PUBLIC = "lapis"  # headers of include/lapis are included as <lapis/...>
# Third-party header prefix -> the only folders that may include it, directly or through a header of ours.
THIRD_PARTY = {
    "llvm/": ["codegen/llvm", "codegen/object"],
    "llvm-c/": ["codegen/llvm"],
    "xbyak/": ["codegen/x86"],
    "oneapi/": ["codegen/onednn"],
    "onnx/": ["frontends/onnx"],
    "google/protobuf/": ["frontends"],
    "opencv2/": ["tuning"],
    "turbojpeg.h": ["tuning"],
    "spng.h": ["tuning"],
    "webp/": ["tuning"],
    "yaml-cpp/": ["tuning"],
    "zlib.h": ["base/archive"],
    "nlohmann/": ["frontends", "tuning", "tools"],
    "CLI/": ["tools"],
    "fmt/": ["tools"],
    "spdlog/": ["tools"],
    "Eigen/": ["ir"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)


def prefix_of(path, prefixes):
    matches = [p for p in prefixes if path == p or path.startswith(p + "/")]
    return max(matches, key=len) if matches else None


def direction(path, quote, included):
    """Why the file at `path` must not include `included` as far as our own folders go, or None."""
    here = prefix_of(path, ALLOWED)
    if prefix_of(included, [*ALLOWED, PUBLIC]):
        allowed = [PUBLIC if here == "include/lapis" else here, *ALLOWED[here]]
        return None if prefix_of(included, allowed) else f"{here} may only see {', '.join(allowed)}"
    if quote == '"':
        return 'ours are included as "folder/file.h", others in angle brackets'
    return None


def third_party(path, includes, seen):
    """Third-party prefixes that the file reaches, each with the include that brings it in."""
    found = {}
    for _, included in includes.get(path, []):
        prefix = next((p for p in THIRD_PARTY if included.startswith(p)), None)
        if prefix:
            found[prefix] = included
        elif included not in seen:
            seen.add(included)
            found |= {p: included for p in third_party(included, includes, seen)}
    return found


def violations(root):
    files = {p for f in ALLOWED for p in pathlib.Path(root, f).rglob("*") if p.suffix in (".h", ".cpp")}
    includes = {f.relative_to(root).as_posix(): INCLUDE.findall(f.read_text(encoding="utf-8")) for f in files}
    for path in sorted(includes):
        for quote, included in includes[path]:
            reason = direction(path, quote, included)
            if reason:
                yield f"{path}: includes {included}: {reason}"
        for prefix, included in third_party(path, includes, set()).items():
            if not prefix_of(path, THIRD_PARTY[prefix]):
                allowed = ", ".join(THIRD_PARTY[prefix]) or "no folder"
                yield f"{path}: includes {included}, which brings in {prefix}: only {allowed} may see that"


def self_test():
    good = {
        "codegen/d.cpp": '#include "runtime/abi.h"',
        "codegen/x86/emitter.h": "#include <xbyak/xbyak.h>",
        "codegen/x86/e.cpp": '#include "codegen/x86/emitter.h"',
        "tools/lapis/f.cpp": '#include <lapis/lapis.h>\n#include "tuning/search.h"',
        "include/lapis/g.h": "#include <vector>",
        "driver/h.cpp": '#include "frontends/frontend.h"\n#include "frontends/onnx/export.h"',
        "frontends/i.cpp": '#include "frontends/onnx/import.h"',
    }
    bad = {
        "base/a.cpp": '#include "ir/graph.h"',
        "ir/b.h": "#include <llvm/IR/Module.h>",
        "codegen/c.cpp": '#include "codegen/x86/emitter.h"',
        "codegen/kernels/m.cpp": '#include "codegen/x86/kernels.h"',
        "runtime/d.cpp": '#include "codegen/plan.h"',
        "codegen/e.cpp": '#include "runtime/session.h"',
        "ir/f.cpp": '#include "graph.h"',
        "include/lapis/h.h": '#include "base/result.h"',
        "passes/i.cpp": "#include <lapis/lapis.h>",
        "frontends/common/j.cpp": '#include "frontends/onnx/read.h"',
        "frontends/onnx/l.cpp": '#include "frontends/tflite/read.h"',
        "tools/lapis/k.cpp": '#include "frontends/onnx/import.h"',
    }
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**good, **bad}.items():
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text + "\n")
        found = {v.split(":")[0] for v in violations(root)}
    assert found == set(bad), f"expected {sorted(bad)}, found {sorted(found)}"


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(violations(sys.argv[1]))
    print("\n".join(found) or "every include points the right way")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
