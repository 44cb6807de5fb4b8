#!/usr/bin/env python3
"""rig.py WORK: on the kernel's own dht11 driver in virtual time, what each policy makes of bad frames. Writes WORK/rig.json.
The frames, the boots and their logs are the soak's (tests/kernel/soak.py)."""

import collections
import concurrent.futures
import json
import os
import pathlib
import queue
import random
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/kernel"))
sys.dont_write_bytecode = True

import soak  # noqa: E402

BAD = (0, 10, 30, 50, 70)
POLICIES = {"program": "iio-focus", "retry-after-2s": "the published script's", "retry-at-once": "retry at once",
            "single-try": "single try"}
RUNS = collections.defaultdict(lambda: 200, {"program": 500})
# The program where its promise is, so that one run in a thousand shows.
BOOTS = collections.defaultdict(lambda: 1, {("program", 50): 20})
# Between two tries, at the least: a DHT22's rest, and as long as the driver answers from its cache.
REST_S = 2.0


def frames(policy, bad, number):
    """The same for all policies, as far as they come."""
    rng = random.Random(f"{soak.SEED} bench {bad} {number}")
    return soak.frames(rng, RUNS[policy] * 10 + 1, (number * 7 + 15) * 3600, bad / 100)


def boot(work, cpu, played, policy, bad, number):
    events = [(0.2, "sync"), (0.4, "up"), (RUNS[policy] * soak.MINUTE + 0.5, "off")]
    name = f"{policy}-{bad}-{number}"
    return soak.Boot(work, name, played, events, target=policy, fault="good").boot(cpu)


def kind(frame):
    """What the time that a try takes depends on."""
    return frame.kind, frame.line.partition("late:")[2]


def times_of_tries(boots):
    """The median time of a try by the kind of its frame, from the runs that made only one."""
    times = collections.defaultdict(list)
    for one in boots:
        for run in one.runs:
            if len(run.frames) == 1 and run.ended:
                times[kind(run.frames[0][1])].append((run.sent or run.ended) - run.started)
    return {what: statistics.median(all) for what, all in times.items()}


def sent_in(run, one):
    """The values that this run sent, in 0.1 °C and 0.1 %RH: those of its own, not of the backlog."""
    for sender, (t, h) in one.sent:
        if sender is run:
            return round(t / 100), round(h / 100)
    for sender, record in one.seen:
        if sender is run and record["now"] is None:
            payload = json.loads(record["stdin"])
            return round(payload["temperature"] * 10), round(payload["humidity"] * 10)
    return None


def row(policy, bad, boots, tries):
    count, waits, bounds = collections.Counter(), [], []
    for one in boots:
        by_run = collections.defaultdict(list)
        for sender, what in [*one.sent, *one.seen]:
            by_run[sender].append(what)
        for run in one.runs:
            count["runs"] += 1
            if not by_run[run]:
                continue
            values = sent_in(run, one)
            truth = {frame.value for _, frame in run.frames if frame.value}
            count["with"] += 1
            if values not in truth:
                count["wrong"] += 1
                continue
            # Nothing but waiting takes time there: the program's run ends when its reading arrived.
            waits.append((run.sent or run.ended) - run.started)
            bound = sum(tries.get(kind(frame), 0) for _, frame in run.frames) + REST_S * (len(run.frames) - 1)
            if all(kind(frame) in tries for _, frame in run.frames):
                bounds.append(waits[-1] / bound)
    cuts = statistics.quantiles(waits, n=20, method="inclusive") if len(waits) > 1 else [None] * 19
    # A retry at once keeps no rest, so that the bound is none for it.
    ratio = statistics.median(bounds) if bounds and policy != "retry-at-once" else None
    return {"policy": POLICIES[policy], "bad": bad, "runs": count["runs"], "with": count["with"],
            "right": count["with"] - count["wrong"], "wrong": count["wrong"], "median": statistics.median(waits),
            "p95": cuts[18], "bound_ratio": ratio}


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    if os.uname().machine != "x86_64":
        sys.exit("bench: the rig needs x86_64")
    subprocess.run([ROOT / "tests/kernel/build.sh"], check=True)
    os.environ.setdefault("RIG", os.path.join(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "rig"))
    work = out / "rig"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    processors = queue.Queue()
    for cpu in os.sched_getaffinity(0):
        processors.put(cpu)

    def on_a_processor(*what):
        cpu = processors.get()
        try:
            return boot(work, cpu, *what)
        finally:
            processors.put(cpu)

    with concurrent.futures.ThreadPoolExecutor(processors.qsize()) as pool:
        jobs = {(policy, bad): [pool.submit(on_a_processor, frames(policy, bad, number), policy, bad, number)
                                for number in range(BOOTS[policy, bad])]
                for bad in BAD for policy in POLICIES}
        boots = {what: [job.result() for job in all] for what, all in jobs.items()}
    tries = times_of_tries([one for (policy, _), all in boots.items() if policy == "single-try" for one in all])
    rows = [row(policy, bad, boots[policy, bad], tries) for bad in BAD for policy in POLICIES]
    (out / "rig.json").write_text(json.dumps({"rows": rows, "tries": {" ".join(what): t for what, t in tries.items()}}, indent=1))


if __name__ == "__main__":
    main()
