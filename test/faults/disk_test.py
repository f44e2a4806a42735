#!/usr/bin/env python3
"""Disks that are full or read-only: small file systems of our own.

    disk_test.py VOW SCALE [NAME...]

Runs in a mount namespace of its own; where none can be had, status 77.
"""
import json
import os
import subprocess
import sys
import unittest

import common
from common import FaultTest

NOTES = ["--allow", "notes.*"]
INSIDE = "VOW_TEST_MOUNTS"
# Makes notes until that fails, then reads, then waits for room (the test makes some
# when it hears "full").
FILL = """
  let made = 0, error;
  while (!error && made < 2000)
    await notes.create({ id: "n" + made, title: "x", body: "y".repeat(3000) }).then(
      () => made++, (e) => error = [e.name, e.code, e.message, e.transient]);
  const readable = made === 0 || (await notes.get("n" + (made - 1))).title === "x";
  console.log("full");
  let again = 0;
  while (again < 300 && !await notes.create({ id: "again", title: "x" }).then(() => 1, () => 0)) {
    again++;
    await sleep(20);
  }
  ({ made, error, readable, again })
"""


class Disk(FaultTest):
    MIB = 4

    def setUp(self):
        super().setUp()
        self.mount("size=%dm" % self.MIB)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", self.folder], check=True))

    def mount(self, options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", self.folder], check=True)

    def fill(self, left_kib):
        """Leaves room for so many KiB."""
        with open(self.path("ballast"), "wb") as file:
            facts = os.statvfs(self.folder)
            file.write(bytes(max(0, facts.f_bavail * facts.f_frsize - left_kib * 1024)))

    def drop(self):
        os.unlink(self.path("ballast"))

    def put_one(self):
        self.write("one.jsonl", '{"id":"one","title":"one"}\n')
        result = self.vow("notes", "put", "--file", "one.jsonl")
        self.assertEqual(result.status, 0, result)

    def beside(self):
        return sorted(set(os.listdir(self.folder)) - {"ballast", "s.js", "put.jsonl"})


class Full(Disk):
    def test_notes(self):
        """Typed error; what is there is read; with room again it goes on."""
        self.write("s.js", FILL)
        self.put_one()
        expected = {"one"}
        for left_kib in (44, 64, 200, 1000):  # for less see test_start
            with self.subTest(left_kib=left_kib):
                self.fill(left_kib)
                process = self.start("eval", *NOTES, "s.js")
                self.assertEqual(process.stderr.readline(), "full\n")
                self.drop()
                result = self.end(process)
                self.assertEqual(result.status, 0, result)
                value = result.value
                self.assertEqual(value["error"][:2], ["ApiError", "SQLITE_FULL"], value)
                self.assertEqual(value["error"][2], "the disk is full")
                self.assertTrue(value["readable"])
                self.assertLess(value["again"], 300, "it never went on")
                made = {f"n{i}" for i in range(value["made"])} | {"one", "again"}
                self.assertEqual(self.check_database(), made)
                self.assertEqual(self.vow("notes", "delete", *sorted(made - {"one"})).status, 0)

    def test_start(self):
        """So full that SQLite gets no room for the files beside the database: one line
        before any code runs, or all works."""
        self.put_one()
        self.write("s.js", "(await notes.get('one')).title")
        statuses = []
        for left_kib in range(0, 48, 4):
            self.fill(left_kib)
            result = self.vow("eval", *NOTES, "s.js")
            if result.status:
                self.assertEqual(result.status, 2, result)
                self.assertRegex(result.err, "vow eval: vow.db: .*(No space left|full)")
            statuses.append(result.status)
            self.drop()
            self.assertEqual(self.check_database(), {"one"})
        self.assertEqual(statuses[-1], 0)

    def test_import(self):
        """All or nothing, and told so."""
        self.put_one()
        lines = (json.dumps({"id": f"p{i}", "title": "x", "body": "y" * 900}) + "\n"
                 for i in range(1000))
        self.write("put.jsonl", "".join(lines))
        for left_kib in (0, 60, 200, 700):
            self.fill(left_kib)
            result = self.vow("notes", "put", "--file", "put.jsonl")
            self.assertIn(result.status, (1, 2), result)
            self.assertEqual((result.out, result.err.count("\n")), ("", 1), result)
            self.assertRegex(result.err, "the disk is full; nothing was put|No space left on device")
            self.drop()
            self.assertEqual(self.check_database(), {"one"})
        self.assertEqual(self.vow("notes", "put", "--file", "put.jsonl").status, 0)

    def test_new_database(self):
        """No room for one: none is begun."""
        self.write("s.js", "console.log('ran')")
        for left_kib in range(0, 160, 8):
            self.fill(left_kib)
            result = self.vow("eval", *NOTES, "s.js")
            if result.status == 0:
                break
            self.assertEqual(result.status, 2, result)
            self.assertRegex(result.err, "vow eval: vow.db: cannot be created: "
                                         "(No space left on device|database or disk is full)")
            self.assertEqual(self.beside(), [])
            self.drop()
        self.assertEqual(result.status, 0, result)
        self.assertGreater(left_kib, 0)

    def test_outputs(self):
        """Each file that cannot be written is named; the value is not lost."""
        self.write("s.js", "42")
        for option in ("--report", "--metrics", "--audit"):
            with self.subTest(option=option):
                self.write("file", "")
                self.fill(0)
                result = self.vow("eval", option, "file", "s.js")
                self.assertEqual((result.status, result.out), (1, "42\n"), result)
                self.assertEqual(result.err.count("\n"), 1)
                self.assertIn(f"vow eval: {option} file: ", result.err)
                self.assertIn("No space left on device", result.err)
                self.drop()
                result = self.vow("eval", option, "file", "s.js")
                self.assertEqual((result.status, result.out), (0, "42\n"), result)

    def test_audit_chain(self):
        """The disk fills up under a run: what is in the file is whole lines, the rest is
        counted, and a later run continues the chain."""
        self.write("s.js", "for (let i = 0; i < 300; i++) await notes.list(); 42")
        self.put_one()
        self.fill(72)
        result = self.vow("eval", *NOTES, "--audit", "a", "s.js")
        self.assertEqual((result.status, result.out), (1, "42\n"), result)
        self.assertRegex(result.err, "^vow eval: --audit a: [0-9]+ events could not be written: "
                                     "No space left on device\n$")
        self.drop()
        self.assertEqual(self.vow("audit", "verify", "a").status, 0)
        self.assertEqual(self.vow("eval", *NOTES, "--audit", "a", "s.js").status, 0)
        self.assertEqual(self.vow("audit", "verify", "a").status, 0)


class ReadOnly(Disk):
    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)

    def test_file_system(self):
        self.put_one()
        self.write("s.js", "console.log('ran')")
        self.remount("ro")
        refused = "cannot be written: Read-only file system\n"
        for command, message in (
                (["eval", *NOTES, "s.js"], "vow eval: vow.db: " + refused),
                (["eval", "--report", "r", "s.js"], "vow eval: --report r: " + refused),
                (["eval", "--audit", "a", "s.js"], "vow eval: --audit a: " + refused),
                (["notes", "put", "--file", "one.jsonl"], "vow notes put: vow.db: " + refused),
                (["host", *NOTES], "vow host: vow.db: " + refused),
                (["eval", *NOTES, "--db", "sqlite:new.db", "s.js"],
                 "vow eval: new.db: cannot be created: Read-only file system\n")):
            result = self.vow(*command)
            self.assertEqual((result.status, result.out, result.err), (2, "", message))
        self.remount("rw")
        self.assertEqual(self.check_database(), {"one"})

    @unittest.skipUnless(os.geteuid() == 0 and not os.environ.get(INSIDE) == "user",
                         "needs to become another user")
    def test_permissions(self):
        """A file, and a folder, of somebody else."""
        self.put_one()
        self.write("s.js", "console.log('ran')")

        def become():
            os.setgroups([])
            os.setgid(54321)
            os.setuid(54321)
        for file_mode, folder_mode, reason in (
                (0o644, 0o777, "cannot be written: Permission denied"),
                (0o666, 0o755, "its folder cannot be written (SQLite keeps a log beside the file): "
                               "Permission denied"),
                (0o600, 0o777, "cannot be read: Permission denied")):
            os.chmod(self.path("vow.db"), file_mode)
            os.chmod(self.folder, folder_mode)
            try:
                result = self.vow("eval", *NOTES, "s.js", preexec_fn=become)
            except PermissionError:
                self.skipTest("another user cannot reach the command")
            self.assertEqual((result.status, result.err), (2, f"vow eval: vow.db: {reason}\n"))
        self.assertEqual(self.check_database(), {"one"})


def enter():
    """Once more, in a namespace where this process may mount."""
    for kind, options in (("root", ["-m"]), ("user", ["-rm"])):
        probe = ["unshare", *options, "sh", "-c", "mount -t tmpfs none /mnt"]
        try:
            if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
                continue
        except FileNotFoundError:
            break
        os.environ[INSIDE] = kind
        os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])
    print("no file system can be mounted here")
    sys.exit(77)


if __name__ == "__main__":
    if INSIDE in os.environ:
        common.main()
    else:
        enter()
