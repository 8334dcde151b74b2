#!/usr/bin/env python3
"""Fails where functions are longer or more complex than we allow ourselves, where code knows an operator by a string, or where
two arguments of one call add code or nodes: check_hygiene.py ROOT. --self-test breaks each rule. lizard (requirements.txt) does
the measuring."""
import pathlib
import re
import sys
import tempfile

try:
    import lizard
except ImportError:
    print("SKIP: the Python package lizard is missing (requirements.txt)")
    sys.exit(77)

FOLDERS = ["base", "ir", "frontends", "passes", "codegen", "runtime", "driver", "tuning", "tools", "include"]
# Lines of a function, from its head to its closing brace: half of all functions, nine of ten, 98 of 100 have at most so many.
BUDGET = [(0.50, 6), (0.90, 25), (0.98, 60)]
COMPLEXITY = 15  # McCabe's, a switch counting as one decision
# Where operators have names: records, what reads and writes foreign files, lowering rows. Elsewhere they are compared as node.is(ops::X).
NAMED_IN = ["ir/ops/", "frontends/", "codegen/lower/ops/"]

# How a folder declares what adds instructions or nodes, and which names only look like it. C++ leaves the order of arguments to
# the compiler: two of them that add would make code differ with the compiler that Lapis was built by. In braces they have the order
# in which they stand.
EMITTERS = {
    "codegen/llvm/": (r"\b(?:Value ?\*|auto) ?(\w+)(?:\(| = \[)", ["real", "integer", "number", "word", "k", "constant"]),
    "codegen/lower/": (r"\b(?:int|View&?) (\w+)\(", ["permuted", "broadcast_to"]),
    "codegen/scalar/": (r"\bint (\w+)\(", ["mantissa_bits", "bias"]),
    "passes/": (r"\bValue ?\* ?(\w+)\(", []),
    "frontends/": (r"\b(?:Value ?\* ?|(?=\w+\((?:Translation& t, )?Formula&))(\w+)\(", ["size", "constant"]),
}

EXTERN = re.compile(r"^extern const OpDef (.*?);", re.MULTILINE | re.DOTALL)
RECORD = re.compile(r'\bop\("(\w+)"')
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
LITERAL = re.compile(r'"(\w+)"')
TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
CALL = re.compile(r"\b(?!(?:if|for|while|switch|return)\b)(\w+)\(")


def sources(root):
    return sorted(p for f in FOLDERS for p in pathlib.Path(root, f).rglob("*") if p.suffix in (".h", ".cpp"))


def functions(files):
    analyze = lizard.FileAnalyzer(lizard.get_extensions(["modified"]))
    for file in files:
        yield from analyze(str(file)).function_list


def budget(lengths):
    lengths = sorted(lengths)
    for share, most in BUDGET:
        length = lengths[min(int(len(lengths) * share), len(lengths) - 1)] if lengths else 0
        if length > most:
            yield f"{share:.0%} of the functions may have up to {most} lines, here it is {length}"


def complexity(root, found):
    for f in found:
        if f.cyclomatic_complexity > COMPLEXITY:
            where = pathlib.Path(f.filename).relative_to(root).as_posix()
            yield (f"{where}:{f.start_line}: {f.long_name.split('(')[0].strip()} has a complexity of "
                   f"{f.cyclomatic_complexity}, at most {COMPLEXITY} is allowed: take a part out that has a name")


def operator_names(root):
    names = set()
    for file in pathlib.Path(root, "ir/ops").rglob("*"):
        text = file.read_text(encoding="utf-8")
        names.update(RECORD.findall(text))
        for group in EXTERN.findall(text):
            names.update(re.findall(r"\w+", group))
    return names


def blanked(match):
    return re.sub(r"[^\n]", " ", match.group())


def literals(root, files):
    names = operator_names(root)
    for file in files:
        where = file.relative_to(root).as_posix()
        if where.startswith(tuple(NAMED_IN)):
            continue
        text = COMMENT.sub(blanked, file.read_text(encoding="utf-8"))
        for match in LITERAL.finditer(text):
            if match.group(1) in names:
                line = text.count("\n", 0, match.start()) + 1
                yield f'{where}:{line}: "{match.group(1)}" is an operator: compare node.is(ops::{match.group(1)}), or ask its record or row'


def arguments(text, begin):
    parts, depth, last = [], 0, begin
    for i in range(begin, len(text)):
        if text[i] in ")]}" and depth == 0:
            return [*parts, text[last:i]]
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if text[i] == "," and depth == 0:
            parts.append(text[last:i])
            last = i + 1
    return []


def closure(code, path):
    """The file and the headers that it includes, themselves or others for it, as far as they are given."""
    found, left = set(), [path]
    while left:
        path = left.pop()
        if path in code and path not in found:
            found.add(path)
            left += INCLUDE.findall(code[path])
    return found


def unordered(root, files):
    for folder, (declaration, silent) in EMITTERS.items():
        paths = [(file, file.relative_to(root).as_posix()) for file in files]
        code = {path: COMMENT.sub(blanked, file.read_text(encoding="utf-8")) for file, path in paths if path.startswith(folder)}
        declared = {path: re.findall(declaration, text) for path, text in code.items()}
        for where in sorted(code):
            names = {"Create[A-Z]\\w+"}.union(*(declared[path] for path in closure(code, where))) - set(silent)
            emits = re.compile(rf"(?<!std::)\b(?:{'|'.join(sorted(names))})\(")
            text = TEXT.sub(blanked, code[where])
            for call in CALL.finditer(text):
                adding = [a.strip() for a in arguments(text, call.end()) if not a.lstrip().startswith("[") and emits.search(a)]
                if len(adding) > 1:
                    line = text.count("\n", 0, call.start()) + 1
                    yield (f"{where}:{line}: both {' '.join(adding[0].split())} and {' '.join(adding[1].split())} add code or nodes, "
                           f"and {call.group(1)}() leaves open which comes first: name the first one before, or use braces")


def violations(root):
    files = sources(root)
    found = list(functions(files))
    yield from budget([f.end_line - f.start_line + 1 for f in found])
    yield from complexity(root, found)
    yield from literals(root, files)
    yield from unordered(root, files)


def function(name, lines, decisions=0):
    body = [f"  if (x == {i}) ++x;" for i in range(decisions)] + ["  ++x;"] * (lines - 2 - decisions)
    return "\n".join([f"int {name}(int x) {{", *body, "}"]) + "\n"


def self_test():
    records = {"ir/ops/ops.h": "extern const OpDef Conv, Relu;\nextern const OpDef ShapeOf;\n",
               "ir/ops/shape.cpp": 'const OpDef ShapeOf = op("Shape").since(15);\n'}
    clean = {"base/a.cpp": "".join(function(f"f{i}", 5) for i in range(98)) + function("long", 61) + function("most", 20, 14),
             "passes/b.cpp": '// "Conv" in a comment\nconst char* kText = "Convolution";\n',
             "codegen/lower/ops/c.cpp": 'const char* kName = "Relu";\n',
             "codegen/llvm/f.h": "Value* negated(B& b, Value* x);\n",
             "codegen/llvm/f.cpp": "Value* f(B& b) { return b.CreateOr(negated(b, x), l.real(x, 0)); }  // or(not(), not())\n",
             "frontends/g.cpp": "Value* twice(F& f) { return f.add({twice(f), twice(f)}); }\n"}
    broken = {
        "50% of": {"base/a.cpp": "".join(function(f"f{i}", 7) for i in range(9))},
        "90% of": {"base/a.cpp": "".join(function(f"f{i}", 5 if i < 8 else 26) for i in range(10))},
        "98% of": {"base/a.cpp": "".join(function(f"f{i}", 5 if i < 97 else 61) for i in range(100))},
        "complexity of 16": {**clean, "driver/d.cpp": function("branchy", 20, 15)},
        '"Conv" is an operator': {**clean, "passes/b.cpp": 'bool f(const Node& n) { return n.name == "Conv"; }\n'},
        "CreateOr() leaves open": {**clean, "codegen/llvm/g.cpp": "Value* g(B& b) { return b.CreateOr(b.CreateNot(x), g(b)); }\n"},
        "CreateAnd() leaves open": {
            **clean, "codegen/llvm/g.cpp":
                '#include "codegen/llvm/f.h"\nValue* g(B& b) { return b.CreateAnd(negated(b, x), negated(b, y)); }\n'},
        '"Shape" is an operator': {**clean, "codegen/lower/e.cpp": 'bool f(const Node& n) { return n.name == "Shape"; }\n'},
    }
    for expected, tree in {"": clean, **broken}.items():
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**records, **tree}.items():
                file = pathlib.Path(root, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            found = list(violations(root))
        if expected:
            assert len(found) == 1 and expected in found[0], f"expected {expected!r}, found {found}"
        else:
            assert not found, found


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(violations(sys.argv[1]))
    print("\n".join(found) or "functions are short and plain, operators have their names in one place, and what adds code has an order")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
