"""What the tests of faults share: a folder, and the real command run in it."""
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

VOW = None
SCALE = 1  # how much longer everything takes in a build with sanitizers


class Result:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def __repr__(self):
        return f"status {self.status} after {self.seconds:.2f} s\n{self.out[-3000:]}\n{self.err[-3000:]}"

    @property
    def value(self):
        return json.loads(self.out)


class FaultTest(unittest.TestCase):
    """Every test has an empty folder as `self.folder`, where commands run."""
    longMessage = True

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def start(self, *command, **popen):
        if command[0] == "eval":
            command = ("eval", "--debug", *command[1:])
        return subprocess.Popen([VOW, *command], cwd=self.folder, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **popen)

    def end(self, process, seconds=20, leaks=()):
        """What became of it: no crash, no hang, no trace of a sanitizer, and nothing outlived
        the run but `leaks`."""
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=seconds * SCALE)
        except subprocess.TimeoutExpired:
            process.kill()
            self.fail(f"hangs: {process.args} {process.communicate()}")
        result = Result(process.returncode, out, err, time.monotonic() - began)
        self.assertIn(result.status, (0, 1, 2, 3), result)
        self.assertNotIn("Sanitizer", err)
        self.assertNotIn("runtime error", err)
        self.assertLessEqual(set(re.findall("outlived the run: (.*), ", err)), set(leaks))
        if result.status == 2:
            self.assertEqual(err.count("\n"), 1, result)
        return result

    def vow(self, *command, seconds=20, leaks=(), **popen):
        return self.end(self.start(*command, **popen), seconds, leaks)

    def script(self, source, *options, name="script.js", **popen):
        return self.vow("eval", *options, self.write(name, source), **popen)

    def check_database(self, name="vow.db"):
        """Sound; gives the ids of the notes."""
        connection = sqlite3.connect(self.path(name))
        try:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            connection.execute("INSERT INTO notes_text(notes_text, rank) "
                               "VALUES('integrity-check', 1)")
            return {row[0] for row in connection.execute("SELECT id FROM notes")}
        finally:
            connection.rollback()
            connection.close()


def main():
    """TEST.py VOW SCALE [NAME...]"""
    global VOW, SCALE
    VOW, SCALE = os.path.realpath(sys.argv[1]), int(sys.argv[2])
    unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[3:]])
