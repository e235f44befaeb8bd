"""Benchmark of the load: run by hand, never a timed test.

    .venv/bin/python tests/benchmarks/load.py [--claims N] [--rounds R] [--tune]

Starts its own mongod with the config's cache. The contestants take turns, in reverse order in every other round: the
ceiling (claims generated and encoded beforehand, inserted by the best number of writers), `load_claims`, the same with
the overlap index, and the loop that anyone would write first. All but the third use the three-field index. Each starts
with an empty collection that has its validator and index, on a server that is warm: it has been running since before
the first round. Prints a table and saves the figures as JSON under outputs/benchmarks/. With `--tune`, tries other
settings instead: index before or after the load, batch sizes, workers, write concerns.
"""

import argparse
import datetime as dt
import math
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from bson import Decimal128
from pymongo import MongoClient
from taking import in_turn, save

import pbm_lib as pbm
from pbm_lib import ClaimStore, Config, connect, stop_local_server
from pbm_lib.claims.generate import claim_generator
from pbm_lib.claims.reference import CLAIM_SYSTEMS, RECOVERY_METHODS
from pbm_lib.load.insert import Added, insert_missing
from pbm_lib.load.state import missing_ranges
from pbm_lib.store.index import VARIANTS, install_index
from pbm_lib.store.local_server import start_local_server
from pbm_lib.vocabulary import OVERLAP, THREE_FIELD

MOST_CLAIMS = 30_000_000
"""More claims would fill the disk of most machines, and the ceiling keeps all of them in memory."""
NAIVE_CLAIMS, NAIVE_BATCH = 100_000, 10_000
NAIVE_NAMES = ("James", "Mary", "Robert", "Patricia", "John", "Jennifer", "Michael", "Linda", "David", "Susan")
GENERATED_AT_30M = 300_000


def scaled(config: Config, claims: int) -> Config:
    """Return the config with every provider scaled to reach this number of claims."""
    data = config.data_generation
    tiers = tuple(
        replace(tier, claims_per_provider=tier.claims_per_provider * claims // data.target_volume)
        for tier in data.tiers
    )
    return replace(config, data_generation=replace(data, tiers=tiers, target_volume=claims))


@contextmanager
def server_for(config: Config) -> Iterator[Config]:
    """Yield a config for a separate local server, on a free port and in an empty folder. Stop the server at the end."""
    with tempfile.TemporaryDirectory(prefix="pbm-load-") as folder:
        local = replace(config.local_server, port=0, data_dir=str(Path(folder) / "data"))
        config = replace(config, local_server=local)
        try:
            yield config
        finally:
            stop_local_server(config)


@contextmanager
def empty_store(config: Config, uri_options: str = "") -> Iterator[ClaimStore]:
    """Yield a store whose collection is empty but has its validator and index."""
    uri = start_local_server(config).uri + uri_options
    with MongoClient(uri) as client:
        client.drop_database(config.mongodb.database)
    with temporary_uri(uri), connect(config) as store:
        yield pbm.setup_collection(store, progress=False)


@contextmanager
def temporary_uri(uri: str) -> Iterator[None]:
    os.environ["MONGODB_URI"] = uri
    try:
        yield
    finally:
        del os.environ["MONGODB_URI"]


@contextmanager
def opened(config: Config) -> Iterator[ClaimStore]:
    """Yield a store on the config's own server. Start the server if it is not running."""
    with temporary_uri(start_local_server(config).uri):
        store = connect(config)
    with store:
        yield store


def write_encoded(uri: str, config: Config, writer: int, writers: int, ready, go) -> None:
    """Act as one writer of the ceiling: encode its batches, wait for the other writers, then insert the batches."""
    data = config.data_generation
    batches, generator = [], claim_generator(data)
    for number, start in enumerate(range(0, data.target_volume, data.batch_size)):
        if number % writers == writer:
            stop = min(start + data.batch_size, data.target_volume)
            batches.append(generator.documents(start, stop))
    with MongoClient(uri) as client:
        collection = client[config.mongodb.database][config.mongodb.collection]
        collection.find_one()
        ready.wait()
        go.wait()
        for batch in batches:
            collection.insert_many(batch, ordered=False)


def ceiling(config: Config, writers: int) -> float:
    """Return the claims per second of writers that do nothing but send."""
    context = multiprocessing.get_context("spawn")
    with empty_store(config) as store:
        ready, go = context.Barrier(writers + 1), context.Event()
        crowd = [
            context.Process(target=write_encoded, args=(store.uri, config, number, writers, ready, go))
            for number in range(writers)
        ]
        for process in crowd:
            process.start()
        ready.wait()
        started = time.perf_counter()
        go.set()
        for process in crowd:
            process.join()
        seconds = time.perf_counter() - started
        assert store.collection.count_documents({}) == config.data_generation.target_volume
    return config.data_generation.target_volume / seconds


def loaded(config: Config, **figures: Any) -> dict[str, float]:
    """Call load_claims twice. `rate` is that of the whole first call, including checks and start-up."""
    with empty_store(config) as store, peak_memory(store) as peak:
        started = time.perf_counter()
        report = pbm.load_claims(store, progress=False, **figures)
        seconds = time.perf_counter() - started
        again = time.perf_counter()
        assert pbm.load_claims(store, progress=False).inserted == 0
        again = time.perf_counter() - again
    volume = config.data_generation.target_volume
    assert report.inserted == volume
    return {
        "rate": volume / seconds,
        "rate_without_checks": report.claims_per_second,
        "second_call_s": again,
        "peak_mib": peak["mib"],
    }


def naive(config: Config) -> float:
    """Return the claims per second of the obvious loop: one process, `random`, and `insert_many` of 10,000 claims."""
    data, providers = config.data_generation, pbm.list_providers(config)
    draw, first = random.Random(1), dt.datetime.combine(data.first_service_date, dt.time())
    days, volume = (data.last_service_date - data.first_service_date).days, min(NAIVE_CLAIMS, data.target_volume)
    with empty_store(config) as store:
        started = time.perf_counter()
        for number in range(0, volume, NAIVE_BATCH):
            numbers = range(number, min(number + NAIVE_BATCH, volume))
            store.collection.insert_many([_naive_claim(draw, draw.choice(providers), n, first, days) for n in numbers])
        seconds = time.perf_counter() - started
        assert store.collection.count_documents({}) == volume
    return volume / seconds


def _naive_claim(draw: random.Random, provider: pbm.Provider, number: int, first: dt.datetime, days: int) -> dict:
    begin = first + dt.timedelta(days=draw.randint(0, days))
    end = begin + dt.timedelta(days=draw.randint(0, 29))
    overpaid = draw.randint(1, 100_000)
    recouped = draw.randint(0, overpaid)

    def money(cents: int) -> dict[str, Any]:
        return {"amount": Decimal128(f"{cents // 100}.{cents % 100:02d}")}

    system = draw.choice(CLAIM_SYSTEMS).code
    return {
        "renderingProvider": {"providerName": f"Dr. {draw.choice(NAIVE_NAMES)} {draw.choice(NAIVE_NAMES)}"},
        "billingProvider": {
            "providerTin": provider.tin,
            "patientAccountNumber": f"{provider.provider_id}-{draw.randint(0, 9_999_999):07d}",
            "providerId": provider.provider_id,
            "providerNpi": provider.npi,
            "providerName": provider.name,
        },
        "serviceBeginDate": begin,
        "serviceEndDate": end,
        "lastUpdatedTs": end + dt.timedelta(days=draw.randint(0, 60)),
        "patientInformation": {"fullName": f"{draw.choice(NAIVE_NAMES)} {draw.choice(NAIVE_NAMES)}"},
        "identifiers": {"claimSystemCode": system, "claimSystemClaimId": f"{system}-{number:012d}"},
        "processedAmounts": {
            "overpaymentBalance": money(overpaid - recouped),
            "overpaymentAmount": money(overpaid),
            "recoupedAmount": money(recouped),
        },
        "recoveryMethod": draw.choice(list(RECOVERY_METHODS)),
    }


@contextmanager
def peak_memory(store: ClaimStore | None = None) -> Iterator[dict[str, float]]:
    """Track the peak of the summed resident memory of this process and its children, excluding mongod."""
    peak, over = {"mib": 0.0}, threading.Event()

    def watch() -> None:
        this = psutil.Process()
        while not over.wait(0.5):
            total = 0
            for process in [this, *this.children(recursive=True)]:
                try:
                    total += 0 if process.name().startswith("mongod") else process.memory_info().rss
                except psutil.Error:
                    continue
            peak["mib"] = max(peak["mib"], total / 2**20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def generate_part(config: Config) -> None:
    """Generate stretches of the volume, as a worker does, and discard them."""
    data = config.data_generation
    generator = claim_generator(data)
    pieces = GENERATED_AT_30M // data.batch_size
    for piece in range(pieces):
        start = (data.target_volume - data.batch_size) * piece // (pieces - 1)
        generator.documents(start, start + data.batch_size)


def in_own_process(function: Callable[[Config], Any], config: Config) -> Any:
    """Call the function with a config in a new process, and return its result."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, config).result()


def generator_memory(config: Config) -> float:
    """Return the peak resident memory (MiB) of one process that generates claims from across the whole volume."""
    process = multiprocessing.get_context("spawn").Process(target=generate_part, args=(config,))
    process.start()
    peak = 0.0
    while process.is_alive():
        try:
            peak = max(peak, psutil.Process(process.pid).memory_info().rss / 2**20)
        except psutil.Error:
            break
        time.sleep(0.02)
    process.join()
    assert process.exitcode == 0
    return peak


def compare(config: Config, rounds: int) -> dict[str, Any]:
    """Run the contestants in turn, after finding the best number of writers."""
    small = scaled(config, min(config.data_generation.target_volume, 300_000))
    by_writers = {writers: ceiling(small, writers) for writers in (1, 2, 3, 4)}
    best = max(by_writers, key=by_writers.get)
    print("ceiling by writers:", {writers: f"{rate:,.0f}/s" for writers, rate in by_writers.items()})
    with_overlap = replace(config, mongodb=replace(config.mongodb, index=OVERLAP))
    figures: dict[str, list[float]] = {}
    for number in range(rounds):
        top, ours, overlap, loop = in_turn(
            number,
            lambda: ceiling(config, best),
            # In its own process, so that its memory includes nothing that earlier contestants left behind.
            lambda: in_own_process(loaded, config),
            lambda: in_own_process(loaded, with_overlap),
            lambda: naive(config),
        )
        taken = {"ceiling": top, **ours, "overlap_rate": overlap["rate"], "naive": loop}
        for name, value in taken.items():
            figures.setdefault(name, []).append(value)
        print({name: f"{value:,.1f}" for name, value in taken.items()})
    middle = {name: statistics.median(values) for name, values in figures.items()}
    memory = {f"{claims:,}": generator_memory(scaled(config, claims)) for claims in (3_000_000, 30_000_000)}
    table = [
        ("load_claims / ceiling, claims per second", middle["rate"] / middle["ceiling"], ">=", 0.7),
        ("  the same without start-up and checks", middle["rate_without_checks"] / middle["ceiling"], ">=", 0.7),
        ("load_claims / naive loop", middle["rate"] / middle["naive"], ">=", 2),
        ("load_claims with overlap / three_field", middle["overlap_rate"] / middle["rate"], ">=", 0.9),
        ("peak memory of all load processes, MiB", max(figures["peak_mib"]), "<=", 350),
        ("generating at 30M / at 3M, peak memory", memory["30,000,000"] / memory["3,000,000"], "<=", 1.1),
        ("second load_claims, seconds", middle["second_call_s"], "<=", 3),
    ]
    for measure, value, sign, aim in table:
        reached = value >= aim if sign == ">=" else value <= aim
        print(f"{measure:<42} {value:>10,.2f}   {sign} {aim:<6} {'reached' if reached else 'NOT REACHED'}")
    return {"ceiling_by_writers": by_writers, "figures": figures, "generator_mib": memory, "table": table}


def tune(config: Config, rounds: int) -> dict[str, Any]:
    """Try other settings, one at a time. They take turns, so that a busy minute affects all of them."""
    contestants: dict[str, Callable[[], float]] = {"index before": lambda: timed(config)}
    contestants["index after"] = lambda: timed(config, index_after=True)
    for size in (1_000, 2_000, 5_000, 10_000, 20_000):
        contestants[f"batch {size:,}"] = lambda size=size: timed(config, batch_size=size)
    for workers in (1, 2, 3, 4):
        contestants[f"workers {workers}"] = lambda workers=workers: timed(config, workers=workers)
    for options in ("w=1&journal=false", "w=1&journal=true", "w=majority", "w=0"):
        contestants[options] = lambda options=options: timed(config, uri_options=f"&{options}")
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, rate in zip(contestants, in_turn(number, *contestants.values()), strict=True):
            rates[name].append(rate)
            print(f"{name:<20} {rate:>10,.0f} claims/s")
    print()
    for name, values in rates.items():
        print(f"{name:<20} median {statistics.median(values):>10,.0f} claims/s")
    return {"claims_per_second": rates}


def timed(
    config: Config,
    *,
    workers: int = 2,
    batch_size: int | None = None,
    index_after: bool = False,
    uri_options: str = "",
) -> float:
    """Return the claims per second of inserting alone, plus the index build if that comes after."""
    with empty_store(config, uri_options) as store:
        if index_after:
            store.collection.drop_index(store.index_name)
        missing = missing_ranges(store, batch_size or config.data_generation.batch_size)
        started = time.perf_counter()
        insert_missing(store, missing, workers, Added(), progress=False)
        if index_after:
            install_index(store.collection, VARIANTS[THREE_FIELD], progress=False)
        return config.data_generation.target_volume / (time.perf_counter() - started)


def whole(text: str, least: int, most: int, step: int = 1) -> int:
    """Return an option's whole number, or raise the error that argparse reports."""
    multiples = "" if step == 1 else f", in steps of {step:,}, so that every provider has whole claims"
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most or value % step:
        raise argparse.ArgumentTypeError(f"must be {least:,} to {most:,}{multiples}, got {text!r}.")
    return value


def parser_with(config: Config, description: str, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options --claims and --rounds."""
    data = config.data_generation
    step = data.target_volume // math.gcd(data.target_volume, *(tier.claims_per_provider for tier in data.tiers))
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=lambda text: whole(text, step, MOST_CLAIMS, step), default=300_000)
    parser.add_argument("--rounds", type=lambda text: whole(text, 1, 1_000), default=rounds)
    return parser


def parsed(config: Config, words: list[str] | None = None) -> argparse.Namespace:
    """Parse the given words, or the command line if there are none."""
    parser = parser_with(config, __doc__, rounds=3)
    parser.add_argument("--tune", action="store_true")
    return parser.parse_args(words)


def main() -> None:
    config = pbm.load_config()
    config = replace(config, mongodb=replace(config.mongodb, index=THREE_FIELD))
    arguments = parsed(config)
    started = dt.datetime.now(dt.UTC)
    with server_for(scaled(config, arguments.claims)) as config:
        with empty_store(config) as store:
            server = str(store.server)
        taken = (tune if arguments.tune else compare)(config, arguments.rounds)
    save("load", started, {"server": server, "claims": arguments.claims, "rounds": arguments.rounds, **taken})


if __name__ == "__main__":
    main()
