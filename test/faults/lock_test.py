#!/usr/bin/env python3
"""Several processes and one database file.

    lock_test.py VOW SCALE [NAME...]
"""
import json
import os
import sqlite3
import threading
import time

import common
from common import FaultTest

NOTES = "notes.*,kv.*"


class Lock:
    """The write lock, or with `exclusive` the whole file, in this process."""

    def __init__(self, file, exclusive=False):
        self.connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        if exclusive:
            self.connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self.connection.execute("BEGIN IMMEDIATE")

    def __enter__(self):
        return self

    def release_after(self, seconds):
        threading.Timer(seconds, self.release).start()

    def release(self):
        self.connection.rollback()

    def __exit__(self, *_):
        self.connection.close()


class Locked(FaultTest):
    def setUp(self):
        super().setUp()
        self.write("one.jsonl", '{"id":"one","title":"one"}\n')
        self.assertEqual(self.vow("notes", "put", "--file", "one.jsonl").status, 0)

    def test_for_a_second(self):
        """Everything is done, a second later."""
        for command in (["eval", "--allow", NOTES, self.write("s.js", (
                            "await Promise.all([notes.create({id: 'two', title: 'x'}), "
                            "kv.set('k', 1), notes.update('one', {title: 'y'})]); 1"))],
                        ["notes", "put", "--file", "one.jsonl"],
                        ["notes", "delete", "one"]):
            with Lock(self.path("vow.db")) as lock:
                begun = time.monotonic()
                lock.release_after(1)
                result = self.vow(*command)
            self.assertEqual(result.status, 0, result)
            self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assertEqual(self.check_database(), {"two"})

    def test_for_good(self):
        """A minute is for good: each write gives up after 2 seconds, told as transient; the
        reads beside them wait for nothing, also when there are more writes than threads."""
        source = """
          const now = performance.now(), since = () => performance.now() - now;
          const writes = [...Array(12).keys()].map((n) =>
            [() => notes.create({ title: "x" }), () => notes.update("one", { title: "x" }),
             () => notes.delete("one"), () => kv.set("k", n)][n % 4]().then(
              () => ["done"], (e) => [e.name, e.code, e.transient, since()]));
          const reads = [];
          for (let i = 0; i < 20; i++) {
            reads.push((await notes.get("one")).title === "one" && since());
            reads.push((await kv.get("k")) === undefined && since());
          }
          ({ writes: await Promise.all(writes), reads })"""
        with Lock(self.path("vow.db")):
            result = self.script(source, "--allow", NOTES, "--report", "r")
        self.assertEqual(result.status, 0, result)
        for write in result.value["writes"]:
            self.assertEqual(write[:3], ["ApiError", "SQLITE_BUSY", True], result)
            self.assertGreater(write[3], 1900)
            self.assertLess(write[3], 4000 * common.SCALE)
        self.assertNotIn(False, result.value["reads"])
        first = min(write[3] for write in result.value["writes"])
        self.assertLess(max(result.value["reads"]), first, result)

    def test_own_timeout(self):
        source = """
          const now = performance.now();
          await notes.create({ title: "x" }, { timeout: 300 }).then(
            () => ["done"], (e) => [e.name, performance.now() - now])"""
        with Lock(self.path("vow.db")):
            result = self.script(source, "--allow", NOTES)
        self.assertEqual(result.value[0], "TimeoutError", result)
        self.assertGreaterEqual(result.value[1], 299)
        self.assertLess(result.value[1], 2000, "as long as without one")
        self.assertEqual(self.check_database(), {"one"})

    def test_command(self):
        with Lock(self.path("vow.db")):
            put = self.vow("notes", "put", "--file", "one.jsonl")
            read = self.vow("notes", "get", "one")
        self.assertEqual((put.status, put.out), (1, ""), put)
        self.assertEqual(put.err, "vow notes put: the database is busy with another writer; "
                                  "nothing was put\n")
        self.assertEqual(read.status, 0, read)
        self.assertLess(read.seconds, put.seconds, "which gives up after 2 seconds")

    def test_whole_file(self):
        """Somebody lets nobody read either: told before any code runs."""
        with Lock(self.path("vow.db"), exclusive=True):
            result = self.script("console.log('ran')", "--allow", NOTES)
        self.assertEqual(result.status, 2, result)
        self.assertEqual(result.err, "vow eval: vow.db: is locked by another process\n")
        self.assertLess(result.seconds, 5 * common.SCALE)


class Writers(FaultTest):
    def test_many_processes(self):
        """Five start with no file at all and write at once; everything arrives."""
        source = """
          for (let i = 0; i < 150; i += 3)
            await Promise.all([0, 1, 2].map((n) =>
              notes.create({ id: context + "-" + (i + n), title: "x", body: "y".repeat(500) })));
          for (let i = 0; i < 150; i += 10) await notes.update(context + "-" + i, { title: "z" });"""
        self.write("writer.js", source)
        writers = [self.start("eval", "--allow", NOTES, "--context", json.dumps(f"w{i}"),
                              "writer.js") for i in range(4)]
        imported = 3000 // common.SCALE  # one transaction, which others wait for
        lines = "".join(f'{{"id":"put-{i}","title":"x"}}\n' for i in range(imported))
        self.write("put.jsonl", lines)
        writers.append(self.start("notes", "put", "--file", "put.jsonl"))
        for writer in writers:
            result = self.end(writer, 60)
            self.assertEqual(result.status, 0, result)
        expected = {f"w{w}-{i}" for w in range(4) for i in range(150)}
        expected |= {f"put-{i}" for i in range(imported)}
        self.assertEqual(self.check_database(), expected)
        self.assertEqual([n for n in os.listdir(self.folder) if ".new-" in n], [])


if __name__ == "__main__":
    common.main()
