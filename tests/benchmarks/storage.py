"""Benchmark of leaf page sizes, their costs and benefits: run by hand, never a timed test.

    .venv/bin/python tests/benchmarks/storage.py [--claims N] [--rounds R] [--index VARIANT]

For each leaf page size, starts a separate mongod with the config's cache and loads the same claims. The sizes then take
turns, in reverse order in every other round: a page of a newly drawn 90-day range of the largest provider and of a
small one, and a stream of all claims of a provider of the third tier as raw BSON. The answers of all sizes are
compared. All of this runs twice, each time on servers that were just started and warmed up: once with the machine's
memory free, and once, where a memory cgroup can be written (Linux, mostly as root), with each mongod and its file cache
limited to 1.8 GB, which is about what an Atlas M10 leaves it. Prints tables and saves every sample as JSON under
outputs/benchmarks/. 3,000,000 claims take 8 GB of disk.
"""

import datetime as dt
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from load import opened, parser_with, scaled, server_for
from taking import Samples, Windows, in_turn, save

import pbm_lib as pbm
from pbm_lib import ClaimStore, Config, stop_local_server
from pbm_lib.claims.document import ID, TIN
from pbm_lib.store.footprint import measure_footprint
from pbm_lib.store.local_server import running_server
from pbm_lib.vocabulary import INDEXES, OVERLAP

SIZES_KB = (8, 16, 32)
HELD_BYTES = int(1.8 * 2**30)
STREAM_EVERY = 20  # rounds of pages per round of streams
WARM_UP = 10
BATCH = 1_000
# Where a memory cgroup is created, and the file that holds its limit: cgroup version 1, then version 2.
GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)


@contextmanager
def memory_group(name: str) -> Iterator[Path | None]:
    """Yield a cgroup whose processes may use HELD_BYTES of memory, or None if none can be created."""
    group = next((root / name for root, limit in GROUPS if limited(root / name, limit)), None)
    try:
        yield group
    finally:
        if group:
            group.rmdir()


def limited(group: Path, limit: str) -> bool:
    """Create a cgroup and set its limit; return whether that worked."""
    try:
        group.mkdir()
    except OSError:
        return False
    try:
        (group / limit).write_text(str(HELD_BYTES), encoding="ascii")
    except OSError:
        group.rmdir()
        return False
    return True


def can_be_held() -> bool:
    with memory_group("pbm_storage") as group:
        return group is not None


def drop_file_cache(folder: Path) -> None:
    """Drop a stopped server's files from the system's file cache, so that they are read again within the limit."""
    os.sync()
    for file in folder.rglob("*.wt"):
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def started_anew(config: Config, *, held: bool) -> Iterator[ClaimStore]:
    """Yield a store on a newly started server, optionally in a memory cgroup, and stop the server at the end."""
    stop_local_server(config)
    with memory_group(f"pbm_storage_{config.mongodb.leaf_page_kb}") if held else nullcontext() as group:
        if group:
            drop_file_cache(config.data_dir)
        try:
            with opened(config) as store:
                if group:  # what the server used while starting does not count
                    (group / "cgroup.procs").write_text(str(running_server(config).pid), encoding="ascii")
                yield store
        finally:
            stop_local_server(config)  # before the group is removed


def page(bench: Windows, tin: str, window: tuple[dt.date, dt.date]) -> list[Any]:
    return [claim[ID] for claim in pbm.find_claims(bench.store, tin, *window, with_total=False)]


def stream(store: ClaimStore, tin: str) -> list[bytes]:
    """Return all claims of a provider in order, as raw BSON."""
    raw = store.collection.with_options(
        codec_options=store.collection.codec_options.with_options(document_class=RawBSONDocument)
    )
    order = dict.fromkeys(store.variant.order, 1)
    found = raw.find({TIN: tin}, sort=order, hint=store.index_name, batch_size=BATCH)
    return [claim.raw for claim in found]


def measures(config: Config) -> dict[str, tuple[str, int]]:
    """Map the name of each measurement to its title and the number of claims behind its rate (0 for a time)."""
    large, _, third, *_, small = sorted(config.data_generation.tiers, key=lambda tier: -tier.claims_per_provider)
    return {
        "large": (f"range page, {large.name}, p50 / p95 in ms", 0),
        "small": (f"range page, {small.name}, p50 / p95 in ms", 0),
        "stream": (f"stream, {third.name}, raw, claims per second", third.claims_per_provider),
    }


def measure(benches: dict[int, Windows], rounds: int) -> None:
    """Take every sample of one phase, with the sizes in turn, and compare their answers."""
    first, config = benches[SIZES_KB[0]], benches[SIZES_KB[0]].store.config
    long = measures(config)["stream"][1]
    streamed = [provider for provider in pbm.list_providers(config) if provider.claim_count == long]

    def ask(number: int, name: str, question: Callable[[Windows], Any], *, warm_up: int) -> None:
        def asked(bench: Windows) -> Any:
            return question(bench) if number < warm_up else bench.time(name, question, bench)

        answers = in_turn(number, *(partial(asked, bench) for bench in benches.values()))
        assert all(answer == answers[0] for answer in answers), (name, number)

    for number in range(WARM_UP + rounds):
        window, small = first.any_window(), first.small[number % len(first.small)].tin
        ask(number, "large", lambda bench, window=window: page(bench, first.large.tin, window), warm_up=WARM_UP)
        ask(number, "small", lambda bench, window=window, tin=small: page(bench, tin, window), warm_up=WARM_UP)
    for number in range(1 + max(2, rounds // STREAM_EVERY)):
        tin = streamed[number % len(streamed)].tin
        ask(number, "stream", lambda bench, tin=tin: stream(bench.store, tin), warm_up=1)


def in_short(samples: Samples, claims: int) -> str:
    """Return a time's median, p95, and n; or a rate's median, minimum, maximum, and n."""
    times, n = sorted(samples.seconds), f"n={len(samples.seconds)}"
    if claims:
        return f"{claims / samples.median:,.0f} ({claims / times[-1]:,.0f}-{claims / times[0]:,.0f}, {n})"
    p95 = times[math.ceil(0.95 * len(times)) - 1]
    return f"{1e3 * samples.median:,.1f} / {1e3 * p95:,.1f} ({n})"


def line(title: str, cells: Iterable[str]) -> str:
    return f"{title:<38}" + "".join(f"{cell:>32}" for cell in cells)


def main() -> None:
    config = pbm.load_config()
    parser = parser_with(config, __doc__, rounds=100)
    parser.add_argument("--index", choices=INDEXES, default=OVERLAP)
    arguments = parser.parse_args()
    started = dt.datetime.now(dt.UTC)
    config = scaled(config, arguments.claims)
    config = replace(config, mongodb=replace(config.mongodb, index=arguments.index))
    figures: dict[str, Any] = {"claims": arguments.claims, "rounds": arguments.rounds, "storage_mib": {}, "table": {}}
    seconds: dict[str, Any] = {}
    with ExitStack() as servers:
        configs = {
            kb: servers.enter_context(server_for(replace(config, mongodb=replace(config.mongodb, leaf_page_kb=kb))))
            for kb in SIZES_KB
        }
        for kb, own in configs.items():
            with opened(own) as store:
                pbm.setup_collection(store, progress=False)
                assert store.leaf_page_kb == kb, f"this server rejects leaf pages of {kb} KB"
                pbm.load_claims(store, progress=False)
                figures |= {"server": str(store.server), "index": store.index_name}
                figures["storage_mib"][kb] = measure_footprint(store).storage_bytes / 2**20
        print(line("", (f"{kb} KB" for kb in configs)))
        print(line("storage, MiB", (f"{size:,.0f}" for size in figures["storage_mib"].values())))
        for phase, held in (("memory free", False), (f"limited to {HELD_BYTES / 2**30:.1f} GB", True)):
            if held and not can_be_held():
                print(f"{phase}: not measured, since no memory cgroup can be written here")
                continue
            with ExitStack() as stores:
                benches = {
                    kb: Windows(stores.enter_context(started_anew(own, held=held)), config.performance.seed)
                    for kb, own in configs.items()
                }
                measure(benches, arguments.rounds)
            print(phase)
            for name, (title, claims) in measures(config).items():
                cells = {kb: in_short(bench.samples[name], claims) for kb, bench in benches.items()}
                figures["table"][f"{phase}: {title}"] = cells
                print(line(f"  {title}", cells.values()))
            seconds[phase] = {
                kb: {name: samples.seconds for name, samples in bench.samples.items()} for kb, bench in benches.items()
            }
    save("storage", started, {**figures, "seconds": seconds})


if __name__ == "__main__":
    main()
