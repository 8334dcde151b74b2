#!/usr/bin/env python3
"""Fails where a file includes what its folder must not see: check_includes.py ROOT. With --self-test it proves that it can fail."""
import pathlib
import re
import sys
import tempfile

# Folder -> folders it may include besides itself. The longest matching prefix counts.
ALLOWED = {
    "base": [],
    "runtime": ["base"],
    "ir": ["base"],
    "frontends": ["base", "ir"],
    "passes": ["base", "ir"],
    "codegen": ["base", "ir", "runtime/abi.h"],
    "codegen/kernels": ["base", "codegen/plan.h", "codegen/x86", "runtime/abi.h"],
    "codegen/x86": ["base", "codegen/plan.h", "codegen/kernels", "runtime/abi.h"],
    "codegen/llvm": ["base", "codegen/plan.h", "runtime/abi.h"],
    "codegen/object": ["base", "codegen/plan.h", "codegen/llvm", "runtime/abi.h"],
    "driver": ["base", "ir", "frontends", "passes", "codegen", "runtime"],
    "tuning": ["base", "ir", "frontends", "passes", "codegen", "runtime", "driver"],
    "tools": ["base", "ir", "frontends", "passes", "codegen", "runtime", "driver", "tuning", "lapis"],
    "include": ["lapis"],
}
# Third-party header prefix -> the only folders that may include it, in .cpp files only.
THIRD_PARTY = {
    "llvm/": ["codegen/llvm", "codegen/object"],
    "xbyak/": ["codegen/x86"],
    "onnx/": ["frontends/onnx"],
    "google/protobuf/": ["frontends"],
    "opencv2/": ["tuning"],
    "yaml-cpp/": ["tuning"],
    "nlohmann/": ["tuning", "tools"],
    "CLI/": ["tools"],
    "fmt/": ["tools", "tuning"],
    "Eigen/": ["ir"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)


def folder_of(path, folders):
    matches = [f for f in folders if path == f or path.startswith(f + "/")]
    return max(matches, key=len) if matches else None


def violations(root):
    root = pathlib.Path(root)
    for file in sorted(p for f in ALLOWED for p in root.glob(f + "/**/*") if p.suffix in (".h", ".cpp")):
        path = file.relative_to(root).as_posix()
        here = folder_of(path, ALLOWED)
        if path.split("/")[0] != here.split("/")[0]:
            continue
        for included in INCLUDE.findall(file.read_text(encoding="utf-8")):
            third = next((p for p in THIRD_PARTY if included.startswith(p)), None)
            if third:
                if not folder_of(path, THIRD_PARTY[third]) or file.suffix == ".h":
                    yield f"{path}: includes <{included}>, which only .cpp files of {', '.join(THIRD_PARTY[third])} may"
            elif folder_of(included, ALLOWED) and not folder_of(included, [here] + ALLOWED[here]):
                yield f"{path}: includes \"{included}\", but {here} may only see {', '.join(ALLOWED[here]) or 'itself'}"


def self_test():
    with tempfile.TemporaryDirectory() as tmp:
        for path, text in {"base/a.cpp": '#include "ir/graph.h"\n', "ir/b.h": "#include <llvm/IR/Module.h>\n",
                           "runtime/c.cpp": '#include "codegen/plan.h"\n', "codegen/d.cpp": '#include "runtime/abi.h"\n'}.items():
            file = pathlib.Path(tmp, path)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        found = list(violations(tmp))
    assert len(found) == 3 and not any("d.cpp" in f for f in found), found


if __name__ == "__main__":
    self_test()
    found = list(violations(sys.argv[1])) if sys.argv[1:] != ["--self-test"] else []
    print("\n".join(found) or "every include points the right way")
    sys.exit(bool(found))
