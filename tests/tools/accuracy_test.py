"""What the table of int8 models beside those of other tools says of a row (benchmarks/accuracy_table.py)."""
import importlib.util
import os
import pathlib
import sys
import unittest

SOURCE = pathlib.Path(os.environ.get("LAPIS_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
HAS_YAML = importlib.util.find_spec("yaml")
if HAS_YAML:
    sys.path.insert(0, str(SOURCE / "benchmarks"))
    import accuracy_table


def cell(value, half=None, sqnr=30.0):
    interval = {} if half is None else {"difference_ci95": [-half, half]}
    return {"metric": "top1", "value": value, "higher_is_better": True, "sqnr": sqnr, "difference": 0.0} | interval


@unittest.skipUnless(HAS_YAML, "pip install pyyaml")
class Verdict(unittest.TestCase):
    def verdict(self, fp32, tune, peer):
        return accuracy_table.verdict({"fp32": cell(fp32), "tune": tune, "NNCF": peer})

    def test_a_row_that_holds(self):
        self.assertEqual(self.verdict(0.8, cell(0.8), cell(0.79)), "loses 0.00%; +0.0100 beside the best peer; SQNR +0.0 dB")

    def test_what_is_lost(self):
        self.assertIn("loses 2.50%, **more than is allowed**", self.verdict(0.8, cell(0.78), cell(0.7)))

    def test_a_better_peer(self):
        self.assertIn("-0.0050 beside the best peer, inside the interval", self.verdict(0.8, cell(0.8, 0.01), cell(0.805, 0.01)))
        self.assertIn("**beyond the interval**;", self.verdict(0.8, cell(0.795, 0.003), cell(0.8, 0.003)))
        self.assertIn("**beyond the interval**, as is fp32;", self.verdict(0.8, cell(0.8, 0.003), cell(0.82, 0.003)))
        self.assertIn("beside the best peer, no interval;", self.verdict(0.8, cell(0.79), cell(0.8)))
        self.assertIn("beside the best peer, no interval, as is fp32;", self.verdict(0.8, cell(0.8), cell(0.82)))

    def test_more_noise(self):
        self.assertTrue(self.verdict(0.8, cell(0.8, sqnr=29.4), cell(0.8)).endswith("SQNR -0.6 dB, **below**"))

    def test_a_peer_that_made_nothing(self):
        self.assertEqual(self.verdict(0.8, cell(0.8), {"problem": "fails"}), "loses 0.00%")


if __name__ == "__main__":
    unittest.main(verbosity=2)
