"""Loading and the cache under conditions that are not hubel's to choose; see also tests/training/test_hardship.py."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from tests.data.shard_files import write_shards
from tests.data.stores import SMALL, decoded

from hubel.data.collecting import labelled_splits
from hubel.data.decoded import store_file
from hubel.data.decoded.store import PictureStore, prepare_store
from hubel.data.files import cache as cache_files
from hubel.data.layouts.finding import find_source
from hubel.runtime import available_cpus


def store_of(root: Path, **options) -> PictureStore:
    source = find_source(root)
    of_split = labelled_splits(source, source.classes)[0]
    settings = {"classes": source.classes, "purpose": "training", "cache_bytes": 10**8, **options}
    return prepare_store(next(iter(of_split.values())), SMALL, **settings)


def sums(store: PictureStore) -> list[int]:
    return [int(store.array(position).sum()) for position in range(len(store))]


def files_in(cache: Path) -> list[str]:
    return sorted(path.suffix for path in (cache / "pictures").glob("*"))


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fills_up_on_the_way_means_no_cache(class_folders, cache, monkeypatch, call):
    """Also where that is found only when the system writes what it was given."""
    root = class_folders(cat=20, dog=20)
    expected = [int(decoded(sample).sum()) for sample in store_of(root, cache_bytes=0).samples]

    def no_room(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", no_room)
    else:
        monkeypatch.setattr(store_file.Space, "write", no_room)
    store = store_of(root)
    assert not store.cached
    assert sums(store) == expected
    assert files_in(cache) == []


def test_a_cache_file_that_is_cut_off_while_it_is_used(class_folders, cache):
    store = store_of(class_folders(cat=5, dog=5))
    expected = sums(store)
    (file,) = (cache / "pictures").iterdir()
    os.truncate(file, 3 * 9 * 10 * 3 + 5)
    assert sums(store) == expected  # what is missing is decoded again


def test_without_what_only_posix_has(class_folders, cache, monkeypatch, tmp_path):
    """As on Windows: no locks, no reading at an offset, no hints to the system, no affinity."""
    write_shards(tmp_path / "shards", shards=2, pictures=5)
    folders = class_folders(cat=5, dog=5)
    expected = [
        sums(store_of(data, cache_bytes=size)) for data in (folders, tmp_path / "shards") for size in (0, 10**8)
    ]
    monkeypatch.setattr(cache_files, "fcntl", None)
    for name in ("pread", "posix_fadvise", "posix_fallocate", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    found = [sums(store_of(data, cache_bytes=size)) for data in (folders, tmp_path / "shards") for size in (0, 10**8)]
    assert found == expected
    assert available_cpus() >= 1
    assert cache_files.make_room(cache / "pictures", 10, 15) >= 10  # and it can be emptied
    assert files_in(cache) == []


FLAT = """
    import glob, os, sys
    from pathlib import Path
    from hubel.data.augmentation import Augment
    from hubel.data.collecting import labelled_splits
    from hubel.data.layouts.finding import find_source
    from hubel.data.loading.loader import Loader
    from hubel.data.decoded.store import prepare_store
    from hubel.preprocessing import Preprocess

    def parent(folder):
        try:
            return int(Path(folder, "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # another program's process, which has ended since it was listed
            return None

    def proportional(pid):
        # Not the pages of files: of libraries, other programs share some, and the share changes as they come and go.
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))

    source = find_source(sys.argv[1])
    samples = next(iter(labelled_splits(source, source.classes)[0].values()))
    preprocess = Preprocess(size=(64, 64), resize_to=72)
    store = prepare_store(samples, preprocess, classes=source.classes, purpose="training", cache_bytes=0)
    loader = Loader(store, batch_size=16, preprocess=preprocess, augment=Augment.preset("standard"), shuffle=True,
                    workers=2)
    for epoch in range(20):
        assert sum(len(batch.labels) for batch in loader.epoch(epoch)) == len(samples)
        processes = [pid for pid in map(os.path.basename, glob.glob("/proc/[0-9]*")) if os.path.exists(f"/proc/{pid}")]
        workers = [pid for pid in processes if parent(f"/proc/{pid}") == os.getpid()]
        assert len(workers) == 2
        print(sum(map(proportional, [os.getpid(), *workers])))
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").is_file(), reason="the system does not tell a process's memory")
@pytest.mark.parametrize("layout", ["class folders", "shards"])
def test_memory_stays_flat_over_twenty_epochs_with_workers(class_folders, draw, tmp_path, layout):
    """Of all processes together, shared pages counted once: after the fifth epoch it grows by less than 2 %."""
    root = tmp_path / "photos"
    if layout == "shards":
        write_shards(root, shards=4, pictures=32, size=(150, 120))
    for number in range(128 if layout == "class folders" else 0):
        draw(root / "ab"[number % 2] / f"{number}.png", number, size=(150, 120))
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(FLAT), str(root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kilobytes = np.array([int(line) for line in done.stdout.split()])
    assert len(kilobytes) == 20
    assert kilobytes[5:].max() - kilobytes[4] < 0.02 * kilobytes[4], kilobytes.tolist()
