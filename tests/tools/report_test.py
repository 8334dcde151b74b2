"""report.html in a browser: Chromium opens it without a word on its console. Skipped where there is none; `./dev reports` installs it.

    LAPIS_BINARY_DIR=build LAPIS_SCREENSHOT=docs/tuning-report.png python3 tests/tools/report_test.py
"""
import os
import pathlib
import shutil
import subprocess
import unittest

from cli import DATA, MODEL, OK, Cli, main
from tune_test import CONFIG

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOT = os.environ.get("LAPIS_SCREENSHOT")


@unittest.skipUnless(CHROMIUM, "chromium is missing (./dev reports installs it)")
class Report(Cli):
    def console(self, page, *flags):
        """What the page says on the console, and its document as the browser has it."""
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
                   "--user-data-dir=" + str(self.folder / "profile"), "--enable-logging=stderr", "--window-size=900,2400", *flags, page.as_uri()]
        run = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        return [line for line in run.stderr.splitlines() if "CONSOLE" in line], run.stdout

    def test_a_broken_page_is_noticed(self):
        page = self.write("broken.html", "<!DOCTYPE html><html><body><script>nothing.here()</script></body></html>")
        self.assertTrue(self.console(page, "--dump-dom")[0])

    def test_the_report_opens(self):
        config = CONFIG.format(model=MODEL, data=DATA, strategy="pareto", criterion="relative: 0.02", objective="latency", trials=4,
                               workspace="tuned", samples=100)
        run = self.lapis("tune", self.write("tune.yaml", config))
        self.assertEqual(run.returncode, OK, run.stderr)
        page = self.folder / "tuned/report.html"
        said, document = self.console(page, "--dump-dom")
        self.assertEqual(said, [])
        for part in ("<svg", "<circle", "<polyline", "<rect", "</table>"):
            self.assertEqual(document.count(part), page.read_text().count(part), part + ": the parser dropped or added some")
        picture = pathlib.Path(SCREENSHOT).resolve() if SCREENSHOT else self.folder / "report.png"
        said, _ = self.console(page, f"--screenshot={picture}", "--hide-scrollbars")
        self.assertEqual(said, [])
        self.assertGreater(picture.stat().st_size, 20000, "not an empty picture")


if __name__ == "__main__":
    main()
