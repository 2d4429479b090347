"""Runs our program and the peers on the same columns, compares their answers, and says how long each took.

Started by ./run, which see. Each measurement is a process of its own; the best of its rounds is shown, because the
machine has other work, which can only add to a time.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
DATA = "target/data"
OURS = "target/release/bellwether-bench-stats"
PYTHON = {
    "gbstats": "old",
    "spotify-confidence": "old",
    "tea-tasting": "new",
    "duckdb": "new",
    "statsmodels": "new",
    "scipy": "new",
}
BEGIN, END = "<!-- stats: written by bench/stats -->\n", "<!-- stats: end -->\n"
SAID = "### What the numbers of the statistics do not say"
DRAWS = 10_000
# Draws of a peer that would take an hour for all: what is shown is that time, multiplied.
PEER_DRAWS = 40


def measure(*command):
    """What a process says in JSON, or why it said nothing."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=HERE)
    if done.returncode != 0:
        return {"failed": (done.stderr.strip() or "no reason").splitlines()[-1]}
    return json.loads(done.stdout)


def peer(name, what, users, *more):
    return measure(f"target/{PYTHON[name]}/bin/python", "peer.py", name, what, users, DATA, *more)


def agree(name, ours, theirs):
    """Every metric has the same effect within a hundredth of its error, and the same error within 1 %."""
    for metric, (a, b) in enumerate(zip(ours, theirs)):
        if abs(a[0] - b[0]) > 0.01 * a[1] or abs(a[1] / b[1] - 1) > 0.01:
            sys.exit(f"metric {metric}: ours {a}, {name} {b}: no time is reported of a wrong answer")
    worst = max((max(abs(a[i] / b[i] - 1) for i in (0, 1)) for a, b in zip(ours, theirs)), default=None)
    return "sums only" if worst is None else f"{worst:.0e}"


def seconds(s):
    if s < 1e-3:
        return f"{s * 1e6:.1f} µs"
    return f"{s * 1e3:.1f} ms" if s < 1 else f"{s:,.2f} s"


def megabytes(n):
    return f"{n / 1e6:,.0f} MB"


def met(value, aim):
    return "met" if value <= aim else "**not met**"


def raw(users, aim):
    ours = measure(OURS, "raw", users, DATA)
    best = min(ours["seconds"])
    rows = [f"| **bellwether** |  | {seconds(best)} | 1.0 | {megabytes(ours['memory'])} |  |"]
    ratios = []
    for name in ["duckdb", "tea-tasting", "gbstats", "spotify-confidence", "statsmodels"]:
        rounds = 1 if name == "statsmodels" and users > 2_000_000 else 3
        theirs = peer(name, "raw", users, 0, rounds)
        if "failed" in theirs:
            rows.append(f"| {name} |  | failed: {theirs['failed']} |  |  |  |")
            continue
        took = min(theirs["seconds"])
        ratios.append((took / best, name))
        right = agree(name, ours["answers"], theirs["answers"])
        memory = megabytes(max(theirs["memory"], 0))
        label = "gbstats, sums by numpy" if name == "gbstats" else name
        rows.append(f"| {label} | {theirs['version']} | {seconds(took)} | {took / best:.1f} | {memory} | {right} |")
    lines = [
        f"### {users:,} users, 10 metrics with CUPED, from columns in memory",
        "",
        "| library | version | took | × ours | memory beyond the columns | differs from ours by |",
        "|---|---|---:|---:|---:|---:|",
        *rows,
        "",
    ]
    verdict = []
    if aim:
        verdict.append(f"Aim: at most {seconds(aim)}, {met(best, aim)}.")
        verdict.append(f"Aim: at most 100 MB, {met(ours['memory'], 100e6)}.")
    if ratios:
        ratio, name = min(ratios)
        verdict.append(f"The fastest peer, {name}, takes {ratio:.1f} times as long.")
    return lines + [" ".join(verdict), ""]


def moments(users):
    ours = measure(OURS, "moments", users, DATA)
    theirs = peer("gbstats", "moments", users)
    best, took = min(ours["seconds"]), min(theirs["seconds"])
    right = agree("gbstats", ours["answers"], theirs["answers"])
    return [
        "### The same from stored moments",
        "",
        "| library | version | took | × ours | differs from ours by |",
        "|---|---|---:|---:|---:|",
        f"| **bellwether** |  | {seconds(best)} | 1.0 |  |",
        f"| gbstats | {theirs['version']} | {seconds(took)} | {took / best:.0f} | {right} |",
        "",
        f"Aim: at most 100 µs, {met(best, 100e-6)}.",
        "",
    ]


def bootstrap(users):
    ours = measure(OURS, "bootstrap", users, DATA, DRAWS)
    theirs = peer("scipy", "bootstrap", users, PEER_DRAWS)
    (took,), (theirs_took,) = ours["seconds"], theirs["seconds"]
    whole = theirs_took * DRAWS / PEER_DRAWS
    ((effect, se, high),), ((their_effect, their_se, _),) = ours["answers"], theirs["answers"]
    if abs(effect - their_effect) > 1e-9 or abs(se / their_se - 1) > 4 / (2 * PEER_DRAWS) ** 0.5:
        sys.exit(f"bootstrap: ours {effect} ± {se}, scipy {their_effect} ± {their_se}")
    return [
        f"### The difference of means of {users:,} users by {DRAWS:,} bootstrap draws",
        "",
        "| library | version | draws | took | a draw | memory beyond the columns |",
        "|---|---|---:|---:|---:|---:|",
        f"| **bellwether**, Poisson weights |  | {DRAWS:,} | {seconds(took)} | {seconds(took / DRAWS)} | {megabytes(ours['memory'])} |",
        f"| scipy, places drawn | {theirs['version']} | {PEER_DRAWS} | {seconds(theirs_took)} ({DRAWS:,} would be {seconds(whole)}) "
        f"| {seconds(theirs_took / PEER_DRAWS)} | {megabytes(max(theirs['memory'], 0))} |",
        "",
        f"scipy takes {whole / took:.0f} times as long for a draw.",
        "",
    ]


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, cwd=HERE, check=True).stdout.strip()


def circumstances(arguments, load):
    cpu = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in open("/proc/cpuinfo"))
    }
    rooms = ["../../libs/stats", "../../Cargo.lock"]
    edited = said("git", "status", "--porcelain", "--", *rooms)
    commit = said("git", "log", "-1", "--format=%h", "--", *rooms) + (" and what is not committed" if edited else "")
    return "\n".join(
        [
            f"- Machine: {os.cpu_count()} cores of {cpu.get('model name', 'unknown')} (family {cpu.get('cpu family')}, "
            f"model {cpu.get('model')}), virtual and shared with other work; load {load[0]:.2f} before, {os.getloadavg()[0]:.2f} after.",
            f"- Library: `libs/stats` at commit {commit}.",
            f"- Built with {said('rustc', '--version')}, `lto = \"fat\"`, one codegen unit, for plain x86-64; two threads. Python {platform.python_version()}.",
            f"- Command: `bench/stats/run {' '.join(arguments)}`; best of 7 rounds, of the peers best of 3 (one round for statsmodels at "
            "10,000,000).",
            f"- Date: {datetime.date.today()}.",
            "",
        ]
    )


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("--write", action="store_true")
    asked.add_argument("--users", type=int)
    asked = asked.parse_args()
    if asked.write and asked.users:
        sys.exit("only the numbers of users that the aims are about are written down")
    load = os.getloadavg()
    sizes = [(asked.users, None)] if asked.users else [(1_000_000, 0.05), (10_000_000, 0.6)]
    for users, _ in sizes:
        if not (HERE / DATA / f"{users}-y9.bin").exists():
            measure(OURS, "make", users, DATA)
    first = sizes[0][0]
    sections = [line for users, aim in sizes for line in raw(users, aim)] + moments(first) + bootstrap(first)
    text = "\n".join(sections)
    print(text)
    if asked.write:
        path = HERE / "../RESULTS.md"
        old = path.read_text()
        before, _, rest = old.partition(BEGIN)
        inside, _, after = rest.partition(END)
        if not rest:
            sys.exit("../RESULTS.md has no part for the statistics")
        _, _, words = inside.partition(SAID)
        path.write_text(f"{before}{BEGIN}{circumstances(sys.argv[1:], load)}\n{text}\n{SAID}{words or chr(10)}{END}{after}")


if __name__ == "__main__":
    main()
