"""Every command that README and docs name runs as it stands there, in a folder with the example network under the names that the pages use.

Commands are lines behind "$ " and lines indented by four spaces that begin with `lapis` or `./dev`. What cannot run here is listed in
NOT_RUN with the reason; a command that is neither run nor listed fails the test, and so does an entry that no page names any more.
"""
import re
import shlex
import shutil
import subprocess
import unittest

from cli import *  # noqa: F403

PAGES = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", *sorted((SOURCE / "docs").glob("*.md"))]
NOT_RUN = {
    "./dev demo": "builds everything and takes minutes; CI runs it by itself",
    "./dev test": "runs this test",
    "./dev test -L ir": "needs a build of its own",
    "./dev build": "is what built this",
    "./dev build asan": "builds everything once more",
    "./dev bench": "installs other runtimes and measures for minutes",
    "./dev format": "changes the source tree",
    "./dev lint FILE...": "needs clang-tidy",
    "cd examples/fashion_mnist": "the folder of this test has its files",
    "lapis bench M --against onnxruntime,openvino --threads 1": "openvino is not among the packages of the tests",
    "lapis bench Q.onnx --against onnxruntime,openvino --peer-model Q_ort.onnx,Q_ort.onnx --threads 1": "the same",
}
SHORTER = {"bench": ["--rounds", "1", "--round-seconds", "0.01"]}
MODELS, QUANTIZED = ("M", "M.onnx", "model.onnx", "old.onnx", "fashion_mnist.onnx"), ("Q.onnx", "int8.onnx")


def commands(page):
    for line in page.read_text().splitlines():
        found = re.match(r"(?:\$ |    (?=lapis |\./dev ))(.*)", line)
        if found:
            yield re.sub(r"\s+#.*|\s*\[[^]]*\]", "", found[1]).strip()


def named_flags(page):
    """(verb, flag) of every `lapis VERB ... --flag` in the text of a page."""
    for text in re.findall(r"`(lapis [^`]*)`", page.read_text()) + list(commands(page)):
        words = text.split()
        if len(words) > 2 and words[0] == "lapis" and words[1].islower():
            yield from ((words[1], re.match(r"--[a-z-]+", w)[0]) for w in words[2:] if re.match(r"--[a-z]", w))


class Docs(Cli):
    @classmethod
    def setUpClass(cls):
        shared = tempfile.TemporaryDirectory(prefix="lapis_docs_")
        cls.addClassCleanup(shared.cleanup)
        cls.template = pathlib.Path(shared.name) / "files"
        shutil.copytree(EXAMPLE, cls.template)
        shutil.copytree(EXAMPLE, cls.template / "examples/fashion_mnist")
        for name in MODELS:
            shutil.copyfile(MODEL, cls.template / name)
        floats(cls.template / "image.npy", [1, 1, 28, 28])
        subprocess.run([LAPIS, "quantize", MODEL, "--calibration", DATA, "--samples", "20", "-o", cls.template / "Q.onnx"],
                       check=True, capture_output=True)
        shutil.copy(cls.template / "Q.onnx", cls.template / "int8.onnx")

    def run_page(self, page):
        self.folder = self.folder / page.stem
        shutil.copytree(self.template, self.folder)
        for command in commands(page):
            if command in NOT_RUN:
                continue
            with self.subTest(page=page.name, command=command):
                words = shlex.split(command)
                self.assertEqual(words[0], "lapis")
                self.prepare(words)
                run = self.lapis(*words[1:], *SHORTER.get(words[1], []))
                self.assertEqual(run.returncode, OK, run.stderr)

    def prepare(self, words):
        """Folders that a command writes into exist in a source tree."""
        for word in words:
            if "/" in word and not word.startswith("-"):
                (self.folder / word).parent.mkdir(parents=True, exist_ok=True)

    def test_flags_exist(self):
        help_of = {}
        for page in PAGES:
            for verb, flag in named_flags(page):
                if verb not in help_of:
                    help_of[verb] = self.passes(verb, "--help")
                self.assertRegex(help_of[verb], rf"(?<![\w-]){re.escape(flag)}(?![\w-])", f"{page.name}: lapis {verb} {flag}")

    def test_dev_verbs_exist(self):
        text = subprocess.run([SOURCE / "dev", "--help"], capture_output=True, text=True, check=True).stdout
        for page in PAGES:
            for verb in re.findall(r"\./dev ([a-z]+)", page.read_text()):
                self.assertRegex(text, rf"(?m)^  {verb}\b", page.name)

    def test_list_is_not_stale(self):
        named = {command for page in PAGES for command in commands(page)}
        self.assertEqual(set(NOT_RUN) - named, set())


def page_test(page):
    return lambda self: self.run_page(page)


for _page in PAGES:
    setattr(Docs, f"test_{re.sub('[^a-z]', '_', _page.stem.lower())}", page_test(_page))


if __name__ == "__main__":
    main()
