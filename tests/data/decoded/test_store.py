from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.data.stores import PLENTY, SMALL, decoded, files_in, prepare, samples_of

from hubel.data.decoded.store_file import read_index
from hubel.data.decoding import UnreadableImage, load_image, read_array, reasons
from hubel.errors import DataError
from hubel.preprocessing import Preprocess


def forbid_decoding(monkeypatch) -> None:
    def never(source, preprocess):
        raise AssertionError(f"{source} was decoded")

    for name in ("load_for", "load_array_for"):
        monkeypatch.setattr(f"hubel.data.decoded.pixels.{name}", never)


def in_own_process(code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
def test_jpegs_that_have_the_size_already_are_kept_each_with_its_own_pixels(class_folders, draw, cache_bytes):
    root = class_folders(cat=1)
    for number in range(20):
        draw(root / "dog" / f"{number:02d}.jpg", number, size=(10, 10))
    store = prepare(samples_of(root), Preprocess(size=(8, 8), resize_to=10), cache_bytes=cache_bytes)
    kept = [store.array(position) for position in range(len(store))]
    for sample, array in zip(store.samples, kept, strict=True):
        if sample.name.endswith(".jpg"):
            np.testing.assert_array_equal(array, np.asarray(load_image(sample.path, 3)), err_msg=sample.name)


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
@pytest.mark.parametrize("channels", [1, 3])
def test_training_pictures_are_resized_not_cropped(class_folders, draw, cache_bytes, channels):
    root = class_folders(cat=3)
    draw(root / "dog" / "wide.png", size=(20, 50))
    preprocess = Preprocess(channels=channels, size=(8, 8), resize_to=9, mean=(0.5,) * channels, std=(0.5,) * channels)
    store = prepare(samples_of(root), preprocess, cache_bytes=cache_bytes)
    assert store.cached == (cache_bytes > 0)
    assert store.labels.dtype == np.int64
    assert store.labels.tolist() == [0, 0, 0, 1]
    assert store.array(3).shape == (9, 22, channels)
    for position, sample in enumerate(store.samples):
        resized = np.asarray(preprocess.resized(load_image(sample.path, channels))).astype(int)
        difference = np.abs(store.array(position) - resized.reshape(store.array(position).shape))
        assert difference.max() <= (1 if channels == 3 else 0)  # torch's filter instead of Pillow's
        assert difference.mean() < 0.1


@pytest.mark.parametrize("fields", [{"interpolation": "lanczos"}, {"interpolation": "nearest"}, {"antialias": False}])
def test_filters_that_only_the_reference_has(class_folders, fields):
    preprocess = Preprocess(size=(8, 8), resize_to=9, **fields)
    store = prepare(samples_of(class_folders(cat=2, dog=2)), preprocess)
    for position, sample in enumerate(store.samples):
        assert (store.array(position) == np.asarray(preprocess.resized(load_image(sample.path, 3)))).all()


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
@pytest.mark.parametrize("resize", ["shorter_side", "stretch"])
def test_evaluation_pictures_are_bit_equal_to_what_predict_reads(class_folders, cache_bytes, resize):
    samples = samples_of(class_folders(cat=4, dog=4))
    preprocess = Preprocess(size=(8, 7), resize_to=9, resize=resize)
    store = prepare(samples, preprocess, purpose="evaluation", cache_bytes=cache_bytes)
    for position, sample in enumerate(samples):
        assert (store.array(position) == read_array(sample.path, preprocess)).all()


def test_real_photos_are_bit_equal_too(shared):
    root = shared / "data/clothing/test"
    samples = samples_of(root)[::20]
    for cache_bytes in (0, PLENTY):
        store = prepare(samples, Preprocess(), purpose="evaluation", cache_bytes=cache_bytes, classes=["a"] * 10)
        for position, sample in enumerate(samples):
            assert (store.array(position) == read_array(sample.path.read_bytes(), Preprocess())).all()


def test_a_second_start_decodes_nothing(class_folders, monkeypatch):
    samples = samples_of(class_folders(cat=4, dog=4))
    before = [prepare(samples).array(n).tolist() for n in range(8)]
    prepare(samples, cache_bytes=0)
    forbid_decoding(monkeypatch)
    assert [prepare(samples).array(n).tolist() for n in range(8)] == before
    assert len(prepare(samples, cache_bytes=0)) == 8  # the verdicts are remembered, too


@pytest.mark.parametrize(
    ("preprocess", "purpose", "shared"),
    [
        (Preprocess(size=(8, 8), resize_to=9, mean=(0.1, 0.1, 0.1)), "training", True),
        (Preprocess(size=(7, 8), resize_to=9), "training", True),  # the crop comes later
        (Preprocess(size=(8, 8), resize_to=10), "training", False),
        (Preprocess(size=(8, 8), resize_to=9, interpolation="bicubic"), "training", False),
        (Preprocess(size=(8, 8), resize_to=9, antialias=False), "training", False),
        (Preprocess(size=(8, 8), resize="stretch"), "training", False),
        (Preprocess(channels=1, size=(8, 8), resize_to=9, mean=(0.5,), std=(0.5,)), "training", False),
        (SMALL, "evaluation", False),
    ],
)
def test_the_file_is_keyed_by_what_the_pixels_depend_on(class_folders, cache, preprocess, purpose, shared):
    samples = samples_of(class_folders(cat=2, dog=2))
    prepare(samples)
    prepare(samples, preprocess, purpose=purpose)
    assert len(files_in(cache)) == (1 if shared else 2)


def test_the_crop_counts_for_evaluation(class_folders, cache):
    samples = samples_of(class_folders(cat=2, dog=2))
    for size in ((8, 8), (7, 8)):
        prepare(samples, Preprocess(size=size, resize_to=9), purpose="evaluation")
    assert len(files_in(cache)) == 2


def test_changed_and_reordered_pictures_are_noticed(class_folders, draw):
    root = class_folders(cat=2, dog=2)
    before = prepare(samples_of(root))
    draw(root / "cat/0.png", 999)
    after = prepare(samples_of(root))
    assert after.array(0).tolist() != before.array(0).tolist()
    assert after.array(1).tolist() == before.array(1).tolist()
    turned = prepare(samples_of(root)[::-1])
    assert turned.array(3).tolist() == after.array(0).tolist()


def test_progress_is_told(class_folders):
    told: list[tuple[int, int]] = []
    prepare(samples_of(class_folders(cat=10, dog=10)), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (20, 20)
    assert told == sorted(told)


@pytest.fixture
def some_unreadable(class_folders):
    root = class_folders(cat=10, dog=10)
    content = (root / "cat/1.png").read_bytes()
    (root / "cat/1.png").write_bytes(content[: len(content) // 2])
    (root / "dog/2.png").write_bytes(b"")
    (root / "dog/3.png").write_text("no image")
    return samples_of(root)


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
@pytest.mark.parametrize("start", ["first", "second"])
def test_unreadable_pictures_are_left_out_with_reasons(some_unreadable, cache_bytes, start):
    for _ in range(1 if start == "first" else 2):
        store = prepare(some_unreadable, cache_bytes=cache_bytes, max_unreadable=0.2)
    assert [(item.sample.name, item.reason) for item in store.unreadable] == [
        ("cat/1.png", "it is truncated"),
        ("dog/2.png", "it has zero bytes"),
        ("dog/3.png", "it is no image that Pillow knows"),
    ]
    assert len(store) == len(store.samples) == len(store.labels) == 17
    for position, sample in enumerate(store.samples):
        assert (store.array(position) == decoded(sample.path)).all()
    assert store.samples[1].name == "cat/2.png"


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
def test_too_many_unreadable_pictures_stop_at_once(some_unreadable, cache_bytes):
    message = (
        r"3 of 20 images cannot be read \(15\.0%; 1\.0% may\): cat/1\.png \(it is truncated\), "
        r"dog/2\.png \(it has zero bytes\), dog/3\.png \(it is no image that Pillow knows\); "
        r".* --set data\.max_unreadable=0\.15$"
    )
    for _ in range(2):
        with pytest.raises(DataError, match=message):
            prepare(some_unreadable, cache_bytes=cache_bytes)


def test_the_share_that_the_error_offers_is_enough(some_unreadable):
    assert len(prepare(some_unreadable, max_unreadable=0.15)) == 17


def test_a_class_without_a_readable_picture(class_folders):
    root = class_folders(cat=300, dog=1)
    (root / "dog/0.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no image of class 'dog' can be read: dog/0\.png \(it is no image"):
        prepare(samples_of(root))


def test_identical_unreadable_files_share_a_verdict(class_folders):
    root = class_folders(cat=5, dog=5)
    for name in ("cat/1.png", "dog/1.png"):
        (root / name).write_bytes(b"x")
    assert len(prepare(samples_of(root), cache_bytes=0, max_unreadable=1).unreadable) == 2


def test_a_picture_that_breaks_later_is_named(class_folders):
    store = prepare(samples_of(class_folders(cat=3, dog=3)), cache_bytes=0)
    store.samples[2].path.write_bytes(b"x")
    with pytest.raises(UnreadableImage, match=r"cat/2\.png: it is no image"):
        store.array(2)


def test_block_is_all_pictures_of_one_shape(class_folders, draw):
    root = class_folders(cat=3, dog=3)
    (root / "cat/1.png").write_bytes(b"x")
    store = prepare(samples_of(root), max_unreadable=1)
    assert store.block().pixels.shape == (5, 10, 9, 3)
    assert all((store.block()[n] == store.array(n)).all() for n in range(5))
    assert prepare(samples_of(root), max_unreadable=1, cache_bytes=0).block() is None
    draw(root / "dog/other.png", size=(30, 20))
    assert prepare(samples_of(root), max_unreadable=1).block() is None


def test_a_store_travels_to_other_processes(class_folders, cache):
    store = prepare(samples_of(class_folders(cat=3, dog=3)))
    again = pickle.loads(pickle.dumps(store))
    assert again.cached
    assert again.array(4).tolist() == store.array(4).tolist()
    packed = pickle.dumps(store)
    files_in(cache)[0].unlink()  # somebody emptied the cache: pictures are decoded instead
    assert pickle.loads(packed).array(4).tolist() == store.array(4).tolist()


def test_pixels_cannot_be_written(class_folders):
    store = prepare(samples_of(class_folders(cat=3, dog=3)))
    with pytest.raises(ValueError, match="read-only"):
        store.array(0)[0, 0, 0] = 1


@pytest.mark.parametrize("damage", ["truncated", "empty", "other", "index"])
def test_a_damaged_file_is_written_anew(class_folders, cache, damage):
    samples = samples_of(class_folders(cat=3, dog=3))
    expected = prepare(samples).array(5).tolist()
    file = files_in(cache)[0]
    content = file.read_bytes()
    replaced = {"truncated": content[:-5], "empty": b"", "other": b"x" * 100, "index": content[100:]}[damage]
    file.write_bytes(replaced)
    assert read_index(file) is None
    assert prepare(samples).array(5).tolist() == expected
    assert file.read_bytes() == content


PREPARE = """
    import sys, time
    from pathlib import Path
    from hubel.data.layouts.finding import find_source
    from hubel.data.collecting import labelled_splits
    from hubel.data.decoded.store import prepare_store
    from hubel.preprocessing import Preprocess
    root = Path({root!r})
    samples = labelled_splits(find_source(root), ["cat", "dog"])[0][None]
    def progress(done, total):
        print(done, flush=True)
        time.sleep({pause})
    store = prepare_store(samples, Preprocess(size=(8, 8), resize_to=9), classes=["cat", "dog"], purpose="training",
                          cache_bytes={cache_bytes}, progress=progress)
    print("cached" if store.cached else "not cached", int(sum(store.array(n).sum() for n in range(len(store)))))
"""


@pytest.mark.parametrize("lines", [1, 3, 8])
def test_a_kill_while_the_file_is_written_leaves_nothing_stale(class_folders, cache, lines):
    root = class_folders(cat=40, dog=40)
    process = in_own_process(PREPARE.format(root=str(root), pause=0.1, cache_bytes=PLENTY))
    for _ in range(lines):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [path.suffix for path in files_in(cache)] == [".tmp"]
    samples = samples_of(root)
    store = prepare(samples)
    assert [path.suffix for path in files_in(cache)] == [".pictures"]
    for position, sample in enumerate(samples):
        assert (store.array(position) == decoded(sample.path)).all()


def test_two_processes_may_build_it_at_once(class_folders, cache):
    root = class_folders(cat=20, dog=20)
    code = PREPARE.format(root=str(root), pause=0.05, cache_bytes=PLENTY)
    processes = [in_own_process(code) for _ in range(2)]
    results = {process.communicate()[0].splitlines()[-1] for process in processes}
    store = prepare(samples_of(root))
    assert results == {f"cached {sum(int(store.array(n).sum()) for n in range(40))}"}
    assert [path.suffix for path in files_in(cache)] == [".pictures"]


def test_a_disk_that_is_full_means_no_cache(class_folders, cache):
    """The operating system refuses files above a size, as it refuses them on a full disk: with an OSError."""
    pytest.importorskip("resource")
    root = class_folders(cat=40, dog=40)
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
    code = limit + textwrap.dedent(PREPARE.format(root=str(root), pause=0, cache_bytes=PLENTY))
    output = in_own_process(code).communicate()[0].splitlines()
    expected = sum(int(decoded(sample.path).sum()) for sample in samples_of(root))
    assert output[-1] == f"not cached {expected}"
    assert files_in(cache) == []


def test_an_unwritable_cache_means_no_cache(class_folders, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HUBEL_CACHE", str(tmp_path / "file" / "cache"))
    store = prepare(samples_of(class_folders(cat=3, dog=3)))
    assert not store.cached
    assert store.array(0).shape == (10, 9, 3)


def test_too_little_disk_means_no_cache(class_folders, cache, monkeypatch):
    monkeypatch.setattr("hubel.data.decoded.filling.shutil.disk_usage", lambda path: SimpleNamespace(free=2**28 + 100))
    assert not prepare(samples_of(class_folders(cat=3, dog=3))).cached
    assert files_in(cache) == []


BYTES = 9 * 10 * 3 * 6  # of six pictures


def test_a_set_that_does_not_fit_the_limit_is_not_cached(class_folders, cache):
    samples = samples_of(class_folders(cat=3, dog=3))
    assert not prepare(samples, cache_bytes=BYTES - 1).cached
    assert files_in(cache) == []
    assert prepare(samples, cache_bytes=BYTES + 1000).cached


def test_a_set_that_turns_out_larger_than_estimated_is_not_cached(class_folders, cache, monkeypatch):
    samples = samples_of(class_folders(cat=30, dog=30))
    monkeypatch.setattr("hubel.data.decoded.pixels.Decoding.estimate", lambda *arguments: 10)
    store = prepare(samples, cache_bytes=3 * BYTES)
    assert not store.cached
    assert len(store) == 60
    assert files_in(cache) == []


def test_the_least_recently_used_makes_room_but_never_what_is_in_use(class_folders, cache):
    samples = samples_of(class_folders(cat=3, dog=3))
    limit = int(3.5 * (BYTES + 250))

    def with_filter(interpolation: str):
        return prepare(samples, Preprocess(size=(8, 8), resize_to=9, interpolation=interpolation), cache_bytes=limit)

    kept = with_filter("nearest")
    in_use = files_in(cache)
    with_filter("bilinear")
    second = set(files_in(cache)) - set(in_use)
    time.sleep(0.02)
    with_filter("bicubic")
    time.sleep(0.02)
    with_filter("bilinear")  # used again: now the third is the oldest that nobody holds
    with_filter("lanczos")
    left = set(files_in(cache))
    assert set(in_use) | second <= left
    assert len(left) == 3
    assert kept.array(0).shape == (10, 9, 3)
    assert sum(path.stat().st_size for path in left) <= limit


def test_ribbons_and_bombs_are_among_the_unreadable(class_folders, monkeypatch):
    monkeypatch.setattr(reasons, "MAX_PIXELS", 5000)
    root = class_folders(cat=5, dog=5)
    Image.new("RGB", (3000, 10)).save(root / "cat/ribbon.png")
    Image.new("RGB", (100, 100)).save(root / "dog/bomb.png")
    store = prepare(samples_of(root), max_unreadable=0.5)
    assert [item.sample.name for item in store.unreadable] == ["cat/ribbon.png", "dog/bomb.png"]


def test_no_pictures_at_all(cache):
    store = prepare(())
    assert (len(store), store.cached, store.labels.shape) == (0, False, (0,))


def test_a_wrong_purpose():
    with pytest.raises(ValueError, match="purpose is 'testing'"):
        prepare((), purpose="testing")
