"""Bench of ingest: the same rows into ClickHouse, by chdb. Prints JSON: how fast, and how many bytes they take."""

import json
import resource
import sys
import time

import chdb
from chdb import session

rows, directory = sys.argv[1:]
FIXED = """
    user_id String, device_id UUID, event_type LowCardinality(String), time DateTime64(3, 'UTC'), insert_id UUID,
    session_id Int64
"""
TYPED = """, platform LowCardinality(String), os_name LowCardinality(String), country LowCardinality(String),
    language LowCardinality(String), page LowCardinality(String), plan LowCardinality(String), position Int64,
    duration Float64, logged_in Bool, referrer LowCardinality(String)
"""
KNOWN = ["platform", "os_name", "country", "language"]
FORMS = {
    "typed": (
        TYPED,
        "event_properties Tuple(page String, plan String, position Int64, duration Float64, logged_in Bool, referrer String), "
        + ", ".join(f"{name} String" for name in KNOWN),
        ", ".join(KNOWN)
        + ", "
        + ", ".join(f"event_properties.{name}" for name in ["page", "plan", "position", "duration", "logged_in", "referrer"]),
    ),
    "JSON type": (
        ", event_properties JSON, user_properties JSON",
        "event_properties JSON, " + ", ".join(f"{name} String" for name in KNOWN),
        "event_properties, CAST(map(" + ", ".join(f"'{name}', {name}" for name in KNOWN) + "), 'JSON')",
    ),
}
SETTINGS = "SETTINGS max_threads = 2, max_insert_threads = 2, enable_json_type = 1"
ours = session.Session(directory)


def ask(sql):
    return ours.query(sql, "TabSeparated").bytes().decode().strip()


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def size(table):
    found = ask(
        f"SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = '{table}' AND database = 'bench'"
    )
    count, size = map(int, found.split("\t"))
    return count, size


ask("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
runs = []
for columns, (more, read, chosen) in FORMS.items():
    for codec in ["default (LZ4)", "ZSTD(1)"]:
        table = f"t{len(runs)}"
        fixed = FIXED + more
        settings = "" if codec.startswith("default") else f" SETTINGS default_compression_codec = '{codec}'"
        ask(f"CREATE TABLE bench.{table} ({fixed}) ENGINE = MergeTree ORDER BY (user_id, time){settings}")
        # Its background merges wait until the clock has stopped.
        ask(f"SYSTEM STOP MERGES bench.{table}")
        # The time is whole milliseconds.
        structure = (
            "user_id String, device_id UUID, event_type String, time Int64, insert_id UUID, session_id Int64, " + read
        )
        begun, used = time.monotonic(), processor()
        ask(
            f"INSERT INTO bench.{table} SELECT user_id, device_id, event_type, fromUnixTimestamp64Milli(time, 'UTC'), "
            f"insert_id, session_id, {chosen} FROM file('{rows}', 'JSONEachRow', '{structure}') {SETTINGS}"
        )
        took, used = time.monotonic() - begun, processor() - used
        count, inserted = size(table)
        ask(f"SYSTEM START MERGES bench.{table}")
        ask(f"OPTIMIZE TABLE bench.{table} FINAL")
        count, merged = size(table)
        runs.append(
            {
                "columns": columns,
                "codec": codec,
                "rows": count,
                "rate": count / took,
                "processor": used / count * 1e6,
                "merged": merged / count,
                "inserted": inserted / count,
            }
        )
print(json.dumps({"chdb": chdb.__version__, "clickhouse": ask("SELECT version()"), "runs": runs}))
