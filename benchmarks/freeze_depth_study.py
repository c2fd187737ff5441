"""Does `hubel probe` freeze the right layers? Its advice against every fixed choice, on small data sets.

Four tasks (clothing photos; CIFAR-10; digits; patches of electron-microscopy slices by how much noise was added,
which late features have learnt to overlook) × 5, 20 and 100 pictures a class × 5 seeds, EfficientNet-Lite0 with its
ImageNet weights, pictures of 96×96. In every cell the network is trained with each fixed choice (the head alone; from a
middle stage on; all of it, in steps), and as the probe advises, always for the same few epochs and without
augmentation, through `hubel.train`.
Validation pictures choose the epoch, and of the fixed choices the best one per cell (by the mean over the seeds); test
pictures, which no other run has seen and which are the same for all seeds, score them. The regret of a strategy is how
many points of test accuracy the best fixed choice is ahead; below zero, the strategy was better. Seconds are processor
seconds on one thread, which other work on the machine hardly changes.

Rows go into a CSV file as they come; runs that it has already are not done again.

Run: python benchmarks/freeze_depth_study.py --shared ../shared --page docs/freeze_depth_study.md
     python benchmarks/freeze_depth_study.py --shared ../shared --quick
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import resource
import statistics
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

MODEL, WEIGHTS = "timm/tf_efficientnet_lite0", "efficientnet-lite0"
SIZE = 96

# By pictures a class: epochs of every run, and validation pictures a class.
EPOCHS = {5: 20, 20: 10, 100: 5}
VALIDATION = {5: 5, 20: 10, 100: 20}
TEST = 50  # a class, where there are as many
SEEDS = 5

# What is trained in the end: nothing but the head; from a middle stage on; everything.
FIXED = ("head", "stage4", "all")
PROBE = "probe"

# Standard deviations of the noise in the task `grain`, in steps of 255.
GRAIN = (0, 3, 6, 9)

Pixels = np.ndarray
Pool = Mapping[str, Mapping[str, Sequence[bytes]]]  # encoded pictures by split and class


@dataclass(frozen=True)
class Row:
    """One run."""

    data: str
    pictures: int
    seed: int
    choice: str
    trained: str
    validation: float
    test: float
    seconds: float
    probe_seconds: float = 0.0
    probe: str = ""


def clothing(shared: Path) -> Pool:
    """Photos of clothes, in the splits that they come in."""
    root = shared / "data" / "clothing"
    splits = ("train", "validation", "test")
    return {split: {path.name: contents(path) for path in sorted((root / split).iterdir())} for split in splits}


def contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.iterdir())]


def cifar(shared: Path) -> Pool:
    """Of CIFAR-10, every tenth picture; validation comes from the training files."""
    pool = empty_pool()
    with zipfile.ZipFile(shared / "data" / "cifar10.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        for number, name in enumerate(names[::10]):
            split, label = Path(name).parts[-3:-1]
            kept = "validation" if split == "train" and number % 5 == 0 else split
            pool[kept][label].append(archive.read(name))
    return pool


def digits(shared: Path) -> Pool:
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels: 50 of each are for test, the next 20 for validation."""
    from sklearn.datasets import load_digits

    values, pool, seen = load_digits(), empty_pool(), Counter[int]()
    for image, label in zip(values.images, values.target, strict=True):
        split = "test" if seen[label] < 50 else "validation" if seen[label] < 70 else "train"
        pool[split][f"digit {label}"].append(png(image * (255 / 16)))
        seen[label] += 1
    return pool


def grain(shared: Path) -> Pool:
    """Patches of 64×64 with noise of one of four strengths, by that strength: what they show says nothing of it."""
    generator, pool = np.random.default_rng(0), empty_pool()
    for split, patch in slices(shared):
        strength = int(generator.choice(GRAIN))
        pool[split][f"noise {strength}"].append(png(patch + generator.normal(0, strength, patch.shape)))
    return pool


def slices(shared: Path) -> Iterator[tuple[str, Pixels]]:
    """Patches of electron-microscopy slices with their split, in which whole slices are."""
    images = (shared / "data" / "membrane" / "images").iterdir()
    for number, file in enumerate(sorted(images, key=lambda path: int(path.stem))):
        split = "train" if number < 18 else "validation" if number < 22 else "test"
        image = np.asarray(Image.open(file).convert("L"))
        for top in range(0, 512, 64):
            for left in range(0, 512, 64):
                yield split, image[top : top + 64, left : left + 64]


def empty_pool() -> dict[str, dict[str, list[bytes]]]:
    return {split: defaultdict(list) for split in ("train", "validation", "test")}


def png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


DATA_SETS: dict[str, Callable[[Path], Pool]] = {
    "clothing": clothing,
    "cifar10": cifar,
    "digits": digits,
    "grain": grain,
}


def draw(pool: Pool, folder: Path, pictures: int, seed: int) -> None:
    """Write class folders: training and validation pictures drawn by seed, test pictures always the same."""
    for split, wanted in {"train": pictures, "validation": VALIDATION[pictures], "test": TEST}.items():
        generator = np.random.default_rng(0 if split == "test" else seed)
        for label, files in sorted(pool[split].items()):
            if split == "train" and len(files) < pictures:
                sys.exit(f"error: class {label} has {len(files)} training pictures, {pictures} are wanted")
            target = folder / split / label
            target.mkdir(parents=True)
            for number in generator.permutation(len(files))[:wanted]:
                suffix = "jpg" if files[number].startswith(b"\xff\xd8") else "png"
                (target / f"{number}.{suffix}").write_bytes(files[number])


def run_probe(folder: Path, seed: int) -> tuple[str, str, float]:
    """What trains as the probe advises (`stage4`; `head through stage6`), the accuracies it found, and its seconds."""
    from hubel.config import TrainConfig
    from hubel.training.auto import probe_prepared
    from hubel.training.preparation import prepare
    from hubel.training.progress import Reporter

    began = processor_seconds()
    values = {"data": {"path": str(folder), "size": SIZE}, "model": {"name": MODEL, "weights": WEIGHTS}, "seed": seed}
    values |= {"threads": 1}
    reporter = Reporter()
    result = probe_prepared(prepare(TrainConfig.from_values(values), reporter), reporter)
    found = " ".join(f"{row.stage} {row.value:.3f}" for row in result.stages)
    advice = result.advice
    chosen = f"{advice.train} through {advice.through}" if advice.through else advice.train
    return chosen, found, processor_seconds() - began


def train(folder: Path, trained: str, pictures: int, seed: int) -> tuple[float, float, float]:
    """Train for the fixed number of epochs: accuracy on validation and on test, and seconds."""
    import hubel
    from hubel.training.recipes import phases_from

    began = processor_seconds()
    part, _, through = trained.partition(" through ")
    phases = phases_from(part, epochs=EPOCHS[pictures], optimizer="adamw")
    settings = {
        "data.size": SIZE,
        "augment.preset": "none",
        "batch_size": 16,
        "patience": 0,
        "threads": 1,
        "model.arguments": {"through": through} if through else {},
        "seed": seed,
        "phases": [phase.model_dump() for phase in phases],
    }
    with tempfile.TemporaryDirectory() as out:
        run = hubel.train(folder, model=MODEL, weights=WEIGHTS, out=Path(out) / "run", settings=settings)
        figures = run.metrics
    return figures["validation"]["accuracy"], figures["test"]["accuracy"], processor_seconds() - began


def processor_seconds() -> float:
    """What this process and its children that have ended have taken so far."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def study(pools: Mapping[str, Pool], counts: Sequence[int], seeds: Sequence[int], table: Path) -> list[Row]:
    """All runs that the table does not have yet; each is appended as it comes."""
    done = {(row.data, row.pictures, row.seed, row.choice): row for row in read(table)}
    for pictures in counts:
        for seed in seeds:
            for name, pool in pools.items():
                cell = (name, pictures, seed)
                missing = [choice for choice in (*FIXED, PROBE) if (*cell, choice) not in done]
                if not missing:
                    continue
                with tempfile.TemporaryDirectory() as temporary:
                    folder = Path(temporary) / name
                    draw(pool, folder, pictures, seed)
                    for choice in missing:
                        row = run_choice(folder, cell, choice, done)
                        done[*cell, choice] = row
                        append(table, row)
                        print(
                            f"{name}, {pictures} a class, seed {seed}: {choice}"
                            f"{f' (train {row.trained})' if choice == PROBE else ''}, "
                            f"test {100 * row.test:.1f} %, {row.seconds + row.probe_seconds:.0f} s",
                            flush=True,
                        )
    return [row for key, row in done.items() if key[0] in pools and key[1] in counts and key[2] in seeds]


def run_choice(
    folder: Path, cell: tuple[str, int, int], choice: str, done: Mapping[tuple[str, int, int, str], Row]
) -> Row:
    """One run; where the probe advises a fixed choice, that one's run is its own."""
    _, pictures, seed = cell
    trained, found, probe_seconds = run_probe(folder, seed) if choice == PROBE else (choice, "", 0.0)
    same = done.get((*cell, trained)) if choice == PROBE else None
    if same is not None:
        validation, test, seconds = same.validation, same.test, same.seconds
    else:
        validation, test, seconds = train(folder, trained, pictures, seed)
    return Row(*cell, choice, trained, validation, test, round(seconds, 1), round(probe_seconds, 1), found)


def read(table: Path) -> list[Row]:
    if not table.is_file():
        return []
    kinds = {"pictures": int, "seed": int, "validation": float, "test": float, "seconds": float, "probe_seconds": float}
    with table.open(newline="") as file:
        return [Row(**{k: kinds.get(k, str)(v) for k, v in line.items()}) for line in csv.DictReader(file)]


def append(table: Path, row: Row) -> None:
    new = not table.is_file()
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        if new:
            writer.writeheader()
        writer.writerow(asdict(row))


Cells = dict[tuple[str, int], dict[str, dict[int, Row]]]


def by_cell(rows: Iterable[Row]) -> Cells:
    """Rows by cell, choice and seed."""
    cells: Cells = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        cells[row.data, row.pictures][row.choice][row.seed] = row
    return cells


def mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def best_fixed(choices: Mapping[str, Mapping[int, Row]]) -> str:
    """The fixed choice that validation prefers in a cell; of equals, the one that trains less."""
    return max(FIXED, key=lambda choice: mean(row.validation for row in choices[choice].values()))


def regrets(choices: Mapping[str, Mapping[int, Row]], strategy: str) -> list[float]:
    """By seed, how many points of test accuracy the best fixed choice is ahead."""
    best = choices[best_fixed(choices)]
    return [100 * (best[seed].test - row.test) for seed, row in sorted(choices[strategy].items())]


def interval(groups: Sequence[Sequence[float]], resamples: int = 5000) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean over cells of their means over seeds; seeds are resampled."""
    generator = np.random.default_rng(0)
    means = np.zeros(resamples)
    for values in groups:
        means += generator.choice(np.asarray(values), (resamples, len(values))).mean(axis=1) / len(groups)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


STRATEGIES = {PROBE: "the probe's advice", "head": "always head", "all": "always full"}


def page(cells: Cells, command: str, seconds: float) -> str:
    """The study as Markdown."""
    seeds = len(next(iter(cells.values()))[PROBE])
    lines = [
        "# Does the probe freeze the right layers?",
        "",
        f"Made by `{command}`.",
        "",
        (__doc__ or "").split("Rows go into")[0].split("small data sets.", 1)[1].strip(),
        "",
        f"{len(cells)} cells, {seeds} seed{'s' if seeds > 1 else ''} each; all runs together took "
        f"{seconds / 60:.0f} processor minutes.",
        "",
        "## Regret over all cells",
        "",
        "| strategy | mean regret, points | 95 % interval | worst cell | seconds a cell |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for strategy, title in STRATEGIES.items():
        groups = [regrets(choices, strategy) for choices in cells.values()]
        spread = "{:.2f} to {:.2f}".format(*interval(groups)) if seeds > 1 else "one seed"
        rows = [row for choices in cells.values() for row in choices[strategy].values()]
        lines.append(
            f"| {title} | {mean(map(mean, groups)):.2f} | {spread} | {max(map(mean, groups)):.1f} | "
            f"{mean(row.seconds + row.probe_seconds for row in rows):.0f} |"
        )
    every = mean(
        sum(mean(row.seconds for row in choices[choice].values()) for choice in FIXED) for choices in cells.values()
    )
    lines += [
        f"| trying every fixed choice | 0 | | 0 | {every:.0f} |",
        "",
        "The interval is a bootstrap over seeds: it holds for these tasks, not for others. The seconds of the probe's "
        "advice contain the probe.",
        "",
        "## Every cell",
        "",
        "Test accuracy in percent, mean over the seeds; in brackets what trained. Seconds are of one seed: the probe's "
        "with its training, of which the probe.",
        "",
        f"| data | a class | {' | '.join(FIXED)} | best on validation | probe's advice | regret | seconds "
        f"({', '.join(FIXED)}; probe) |",
        "| --- | ---: | " + "---: | " * len(FIXED) + "--- | --- | ---: | --- |",
        *(cell_line(*cell) for cell in sorted(cells.items())),
        "",
        "## Where the probe lost",
        "",
        *(losses(cells) or ["Nowhere by more than half a point."]),
    ]
    return "\n".join(lines) + "\n"


def cell_line(cell: tuple[str, int], choices: Mapping[str, Mapping[int, Row]]) -> str:
    accuracies = {choice: 100 * mean(row.test for row in rows.values()) for choice, rows in choices.items()}
    advised = sorted({row.trained for row in choices[PROBE].values()})
    seconds = {choice: mean(row.seconds for row in rows.values()) for choice, rows in choices.items()}
    probed = mean(row.probe_seconds for row in choices[PROBE].values())
    return (
        f"| {cell[0]} | {cell[1]} | {' | '.join(f'{accuracies[choice]:.1f}' for choice in FIXED)} | "
        f"{best_fixed(choices)} | {accuracies[PROBE]:.1f} ({', '.join(advised)}) | "
        f"{mean(regrets(choices, PROBE)):.1f} | {', '.join(f'{seconds[choice]:.0f}' for choice in FIXED)}; "
        f"{seconds[PROBE] + probed:.0f}, of which {probed:.0f} |"
    )


def losses(cells: Cells) -> list[str]:
    """A line for every cell in which something else was better than the advice by more than half a point."""
    lines = []
    for (name, pictures), choices in sorted(cells.items()):
        advised = 100 * mean(row.test for row in choices[PROBE].values())
        rivals = {"the best fixed choice": best_fixed(choices), "always head": "head", "always full": "all"}
        ahead = {
            title: 100 * mean(r.test for r in choices[rival].values()) - advised for title, rival in rivals.items()
        }
        lost = [f"{title} {points:.1f}" for title, points in ahead.items() if points > 0.5]
        if lost:
            lines.append(f"- {name}, {pictures} a class: {', '.join(lost)} points ahead")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[1] / "../shared")
    parser.add_argument("--table", type=Path, help="the CSV file of all runs [freeze_depth_study.csv]")
    parser.add_argument("--page", type=Path, help="also write the study as Markdown")
    parser.add_argument("--quick", action="store_true", help="one seed, 5 and 20 pictures a class; some 8 minutes")
    parser.add_argument("--data", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--pictures", nargs="+", type=int, choices=EPOCHS)
    parser.add_argument("--seeds", nargs="+", type=int)
    arguments = parser.parse_args()
    if not (arguments.shared / "data").is_dir():
        sys.exit(f"error: {arguments.shared} has no data folder: give --shared, where clothing, cifar10.zip, ... lie")
    counts = arguments.pictures or ([5, 20] if arguments.quick else list(EPOCHS))
    seeds = arguments.seeds or list(range(1 if arguments.quick else SEEDS))
    table = arguments.table or Path(f"freeze_depth_study{'_quick' if arguments.quick else ''}.csv")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HUBEL_CACHE"] = cache
        pools = {name: DATA_SETS[name](arguments.shared) for name in arguments.data}
        rows = study(pools, counts, seeds, table)
    command = f"python benchmarks/freeze_depth_study.py{' --quick' if arguments.quick else ''}"
    own = [row for row in rows if row.choice != PROBE or row.trained not in FIXED]
    seconds = sum(row.seconds for row in own) + sum(row.probe_seconds for row in rows)
    text = page(by_cell(rows), command, seconds)
    if arguments.page:
        arguments.page.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
