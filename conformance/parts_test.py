"""Conformance: parts are read by DuckDB and pandas as docs/reference/parts.md says, in every version that was ever
written: each event once, each value as it was sent, in the order that is promised. The files are the frozen
corpus of the store, beside the events that went into them."""

import json
import math
import tempfile
import unittest
import uuid
import zlib
from pathlib import Path

import duckdb
import pandas
import pyarrow
import pyarrow.parquet

CORPUS = Path(__file__).resolve().parent.parent / "crates" / "store" / "tests" / "corpus"


def versions():
    return sorted(path for path in CORPUS.iterdir() if path.is_dir())


def sent(version):
    """The events that are in the parts of a version: those that its manifest says are sealed."""
    sealed = json.loads((version / "manifest.json").read_text())["sealed"]
    return json.loads((version / "events.json").read_text())[:sealed]


def parts(version):
    manifest = json.loads((version / "manifest.json").read_text())
    return [str(version / "parts" / part["file"]) for part in manifest["parts"]]


def missing(value):
    return value is None or value is pandas.NaT or (isinstance(value, float) and math.isnan(value))


def ids(who):
    who = who.get("both", who)
    return who.get("user"), who.get("device")


def properties(row, kind, columns):
    """The properties of one kind, put together from their columns by what the fields say."""
    found = {}
    for name, field in columns.items():
        value = row.get(name)
        if missing(value):
            continue
        said = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
        if name == kind:
            found.update(json.loads(value))
        elif name.startswith(f"{kind}."):
            if said.get("bellwether.type") == "json":
                value = json.loads(value)
            elif said.get("bellwether.whole") == "integer" and float(value).is_integer():
                value = int(value)
            elif str(field.type) == "int64":
                value = int(value)
            elif str(field.type) == "bool":
                value = bool(value)
            found[name[len(kind) + 1 :]] = value
    return found


def event(row, columns):
    """A row as the event that was sent, in the words of the corpus."""
    text = lambda name: None if missing(row.get(name)) else row[name]
    number = lambda name: None if missing(row.get(name)) else int(row[name])
    user, device = text("user"), text("device")
    name = text("insert_id")
    if not missing(row.get("insert_uuid")):
        name = str(uuid.UUID(bytes=bytes(row["insert_uuid"])))
    return {
        "environment": row["environment"],
        "event": row["event"],
        "who": (user, device),
        "time": row["time_ms"],
        "received": row["received_ms"],
        "insert_id": name,
        "session": number("session"),
        "revision": number("revision"),
        "properties": properties(row, "p", columns),
        "user_properties": properties(row, "u", columns),
        "groups": json.loads(text("groups") or "{}"),
        "group_properties": json.loads(text("group_properties") or "{}"),
        "user_changes": json.loads(text("user_changes") or "{}"),
        "group_changes": json.loads(text("group_changes") or "{}"),
    }


def expected(event):
    return {
        "environment": event["environment"],
        "event": event["event"],
        "who": ids(event["who"]),
        "time": event["time"],
        "received": event["received"],
        "insert_id": event.get("insert_id"),
        "session": event.get("session"),
        "revision": event.get("revision"),
        "properties": event.get("properties", {}),
        "user_properties": event.get("user_properties", {}),
        "groups": event.get("groups", {}),
        "group_properties": event.get("group_properties", {}),
        "user_changes": event.get("user_changes", {}),
        "group_changes": event.get("group_changes", {}),
    }


class Parts(unittest.TestCase):
    maxDiff = None

    def check(self, version, rows, columns):
        rows = sorted(rows, key=lambda row: row["seq"])
        found = [event(row, columns) for row in rows]
        self.assertEqual(found, [expected(e) for e in sent(version)], version.name)

    def test_duckdb_reads_every_event_as_it_was_sent(self):
        for version in versions():
            for part in parts(version):
                columns = {field.name: field for field in pyarrow.parquet.read_schema(part)}
                query = duckdb.sql(
                    f"SELECT *, epoch_ms(time) AS time_ms, epoch_ms(received) AS received_ms FROM read_parquet('{part}')"
                )
                rows = [dict(zip(query.columns, row)) for row in query.fetchall()]
                self.check(version, rows, columns)

    def test_pandas_reads_every_event_as_it_was_sent(self):
        for version in versions():
            for part in parts(version):
                columns = {field.name: field for field in pyarrow.parquet.read_schema(part)}
                # Integers with gaps stay integers only in a type that has gaps.
                frame = pandas.read_parquet(part, dtype_backend="pyarrow")
                rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
                for row in rows:
                    for name in ("time", "received"):
                        row[f"{name}_ms"] = round(row[name].timestamp() * 1000)
                self.check(version, rows, columns)

    def test_both_versions_are_one_table(self):
        files = [part for version in versions() for part in parts(version)]
        self.assertGreaterEqual(len(files), 2)
        counted = duckdb.sql(
            f"SELECT count(*), count(DISTINCT coalesce(\"user\", device)) FROM read_parquet({files}, union_by_name = true)"
        ).fetchall()[0]
        events = [e for version in versions() for e in sent(version)]
        units = {user or device for user, device in (ids(e["who"]) for e in events)}
        self.assertEqual(counted, (len(events), len(units)))

    def test_names_that_differ_by_case_are_told_apart_as_the_reference_says(self):
        with tempfile.TemporaryDirectory() as directory:
            glob = f"{directory}/*.parquet"
            columns = ({"p.plan": ["a", "b"]}, {"p.Plan": ["X", "Y"]}, {"p.Plan": ["Z"], "p.plan": ["c"]}, {"p.plan": [5]})
            for n, of in enumerate(columns):
                pyarrow.parquet.write_table(pyarrow.table({"p.other": [1] * len(of.get("p.plan", [1, 2])), **of}), f"{directory}/{n}.parquet")
            wrong = duckdb.sql(f"SELECT \"p.plan\" FROM read_parquet('{glob}', union_by_name = true)").fetchall()
            self.assertIn(("X",), wrong, "where DuckDB tells them apart the reference may say less")
            said = duckdb.sql(
                f"SELECT list(DISTINCT name) FROM parquet_schema('{glob}') WHERE name LIKE 'p.%' OR name LIKE 'u.%' "
                "GROUP BY lower(name) HAVING count(DISTINCT name) > 1"
            ).fetchall()
            self.assertEqual([sorted(names) for (names,) in said], [["p.Plan", "p.plan"]])
            files = sorted(Path(directory).glob("*.parquet"))
            for name, expected in (("p.plan", {"a", "b", "c", "5", None}), ("p.Plan", {"X", "Y", "Z", None})):
                events = pandas.concat([pandas.read_parquet(file).reindex(columns=[name]) for file in files])
                self.assertEqual(len(events), 6)
                found = duckdb.sql(f'SELECT DISTINCT "{name}" FROM events').fetchall()
                self.assertEqual({value for (value,) in found}, expected)

    def test_rows_are_in_the_promised_order(self):
        for version in versions():
            for part in parts(version):
                file = pyarrow.parquet.ParquetFile(part)
                said = {k.decode(): v.decode() for k, v in file.metadata.metadata.items()}
                self.assertEqual("v" + said["bellwether.part"], version.name.split("-")[0])
                buckets = int(said["bellwether.buckets"])
                rows = file.read(["user", "device", "time", "seq"]).to_pylist()
                keys = []
                for row in rows:
                    unit = (row["user"] or row["device"]).encode()
                    keys.append((zlib.crc32(unit) % buckets, unit, row["time"], row["seq"]))
                self.assertEqual(keys, sorted(keys))


if __name__ == "__main__":
    unittest.main()
