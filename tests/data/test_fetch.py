import gzip
import hashlib
import os
import resource
import sys

import pytest

import tinyticket.data as data
from tests import windows
from tinyticket.data.catalogue import CATALOGUE, Entry
from tinyticket.data.mnist import load_mnist
from tinyticket.data.published import Publication, PublishedFile
from tinyticket.errors import InputError

from .loopback import Mirror
from .writers import small_mnist

FILES = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in small_mnist(train=200).items()}
NAMES = sorted(FILES)
LARGEST = "train-images-idx3-ubyte.gz"


@pytest.fixture
def serve(monkeypatch):
    """Start mirrors that are closed after the test."""
    monkeypatch.setenv("no_proxy", "*")
    mirrors = []

    def start(files=FILES, **habits):
        mirrors.append(Mirror(files, **habits))
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.close()


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """A data set like MNIST but small, published by nobody."""
    files = tuple(PublishedFile(name, len(c), hashlib.sha256(c).hexdigest()) for name, c in FILES.items())
    publication = Publication("tiny", files, mirrors=())
    entry = Entry("small", lambda folder: load_mnist(publication, folder), publication.locate, publication)
    monkeypatch.setitem(CATALOGUE, "tiny", entry)


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_fetch_then_load(serve, tmp_path):
    mirror = serve()
    place = data.fetch("tiny", tmp_path, mirrors=[mirror.url])
    assert place == tmp_path / "tiny"
    assert contents(place) == FILES
    assert data.load("tiny", tmp_path).sizes == {"train": 200, "test": 10}
    data.fetch("tiny", tmp_path, mirrors=[mirror.url])
    assert len(mirror.ranges) == 4  # nothing was asked for twice


def test_where_it_goes(serve, tmp_path, monkeypatch):
    mirror = serve()
    assert data.fetch("tiny", mirrors=[mirror.url]) == tmp_path / "cache" / "tinyticket" / "data" / "tiny"
    monkeypatch.setenv("TINYTICKET_DATA", str(tmp_path / "named"))
    assert data.fetch("tiny", mirrors=[mirror.url]) == tmp_path / "named" / "tiny"
    assert data.path("tiny") == tmp_path / "named" / "tiny"


def test_the_published_mirrors_by_default(serve, tmp_path, monkeypatch):
    publication = CATALOGUE["tiny"].publication
    known = Publication("tiny", publication.files, mirrors=(serve().url,))
    monkeypatch.setitem(CATALOGUE, "tiny", Entry("small", lambda folder: None, known.locate, known))
    assert contents(data.fetch("tiny", tmp_path)) == FILES


def test_progress(serve, tmp_path):
    seen = []
    data.fetch("tiny", tmp_path, [serve().url], progress=lambda *args: seen.append(args))
    for name, content in FILES.items():
        done = [bytes_so_far for file, bytes_so_far, _ in seen if file == name]
        assert done == sorted(done)
        assert done[-1] == len(content)
    assert {(name, total) for name, _, total in seen} == {(name, len(content)) for name, content in FILES.items()}


@pytest.mark.parametrize(
    "habits", [{"status": 404}, {"flips": True}, {"cut_after": 0, "cuts": 100}, {"announces": False, "flips": True}]
)
def test_the_next_mirror_helps_out(serve, tmp_path, habits):
    bad, good = serve(**habits), serve()
    assert contents(data.fetch("tiny", tmp_path, [bad.url, good.url])) == FILES
    assert len(bad.ranges) == 4


def test_the_next_mirror_goes_on_from_what_came(serve, tmp_path):
    bad, good = serve(cut_after=10, cuts=1000, resumes=False), serve()
    assert contents(data.fetch("tiny", tmp_path, [bad.url, good.url])) == FILES
    assert good.ranges == ["bytes=10-"] * 4


def test_the_next_call_goes_on_from_what_came(serve, tmp_path):
    with pytest.raises(InputError, match=f"{LARGEST} could not be downloaded"):
        data.fetch("tiny", tmp_path, [serve(cut_after=100, cuts=1000, resumes=False).url])
    assert contents(tmp_path / "tiny") == {f"{LARGEST}.part": FILES[LARGEST][:100]}
    good = serve()
    assert contents(data.fetch("tiny", tmp_path, [good.url])) == FILES
    assert good.ranges[0] == "bytes=100-"


def test_every_mirror_gives_its_reason(serve, tmp_path):
    gone, wrong = serve(status=404), serve(flips=True)
    with pytest.raises(InputError) as caught:
        data.fetch("tiny", tmp_path, [gone.url, wrong.url])
    sentence = str(caught.value)
    assert f"{gone.url.rstrip('/')}: HTTP 404" in sentence
    assert f"{wrong.url.rstrip('/')}: the SHA-256 digest" in sentence
    assert contents(tmp_path / "tiny") == {}  # no empty .part either


def test_an_unpacked_file_is_left_alone(serve, tmp_path):
    place = tmp_path / "tiny"
    place.mkdir()
    (place / LARGEST.removesuffix(".gz")).write_bytes(b"mine")
    mirror = serve()
    data.fetch("tiny", tmp_path, [mirror.url])
    assert sorted(contents(place)) == sorted([LARGEST.removesuffix(".gz"), *(n for n in NAMES if n != LARGEST)])
    assert (place / LARGEST.removesuffix(".gz")).read_bytes() == b"mine"


def test_a_file_with_another_digest_is_replaced_but_only_by_the_right_one(serve, tmp_path, caplog):
    data.fetch("tiny", tmp_path, [serve().url])
    file = tmp_path / "tiny" / LARGEST
    file.write_bytes(b"truncated")
    with pytest.raises(InputError):
        data.fetch("tiny", tmp_path, [serve(flips=True).url])
    assert file.read_bytes() == b"truncated"
    assert "has not the published SHA-256 digest" in caplog.text
    assert contents(data.fetch("tiny", tmp_path, [serve().url])) == FILES


def test_a_gzip_recompressed_by_hand_still_loads(serve, tmp_path):
    data.fetch("tiny", tmp_path, [serve().url])
    expected = data.load("tiny", tmp_path).fingerprints()
    file = tmp_path / "tiny" / LARGEST
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), compresslevel=1))
    assert data.load("tiny", tmp_path).fingerprints() == expected


def test_an_interrupt_keeps_what_came(serve, tmp_path):
    def interrupt(name, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data.fetch("tiny", tmp_path, [serve().url], progress=interrupt)
    (part,) = (tmp_path / "tiny").iterdir()
    assert part.name == f"{LARGEST}.part"
    assert FILES[LARGEST].startswith(part.read_bytes())
    assert part.stat().st_size > 0


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"tiny: cannot write to .*file/tiny: Not a directory"):
        data.fetch("tiny", tmp_path / "file")


def test_a_part_that_cannot_be_written(tmp_path):
    (tmp_path / "tiny" / f"{LARGEST}.part").mkdir(parents=True)
    with pytest.raises(InputError, match=r"tiny: cannot write to .*tiny: Is a directory"):
        data.fetch("tiny", tmp_path, ["http://127.0.0.1:9/"])


def test_a_part_that_leads_elsewhere(tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "tiny" / f"{LARGEST}.part").symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match=r"tiny: cannot write to .*\.part is no regular file"):
        data.fetch("tiny", tmp_path, ["http://127.0.0.1:9/"])
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_part_that_is_a_pipe(tmp_path):
    (tmp_path / "tiny").mkdir()
    os.mkfifo(tmp_path / "tiny" / f"{LARGEST}.part")
    with pytest.raises(InputError, match=r"tiny: cannot write to .*\.part is no regular file"):
        data.fetch("tiny", tmp_path, ["http://127.0.0.1:9/"])


def test_a_full_disk(serve, tmp_path):
    mirror = serve()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(FILES[LARGEST]) - 1000, old[1]))  # as near as a test comes to one
    try:
        with pytest.raises(InputError, match=r"tiny: cannot write to .*: File too large"):
            data.fetch("tiny", tmp_path, [mirror.url])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert contents(data.fetch("tiny", tmp_path, [mirror.url])) == FILES
    assert mirror.ranges[1].startswith("bytes=")  # what fitted was kept


def test_two_at_once(serve, tmp_path):
    mirror = serve()
    sentences = []

    def fetch_again(name, done, total):
        if not sentences:
            with pytest.raises(InputError, match=r"\.part is being written by another process") as caught:
                data.fetch("tiny", tmp_path, [mirror.url])
            sentences.append(str(caught.value))

    assert contents(data.fetch("tiny", tmp_path, [mirror.url], fetch_again)) == FILES
    assert sentences


def test_where_open_files_cannot_be_moved(serve, tmp_path, monkeypatch):
    windows.install(monkeypatch.setattr)
    with pytest.raises(InputError, match="could not be downloaded"):
        data.fetch("tiny", tmp_path, [serve(status=404).url])
    assert contents(tmp_path / "tiny") == {}
    assert contents(data.fetch("tiny", tmp_path, [serve().url])) == FILES


def test_nothing_to_download():
    with pytest.raises(InputError, match=r"digits needs no download: .*shipped with scikit-learn"):
        data.fetch("digits")


@pytest.mark.parametrize("mirror", ["ftp://somewhere/", "file:///etc/", "somewhere"])
def test_mirrors_are_web_addresses(tmp_path, mirror):
    with pytest.raises(InputError, match=f"the mirror '{mirror}' is no address; expected .*http"):
        data.fetch("tiny", tmp_path, [mirror])
    assert list(tmp_path.iterdir()) == []


def test_no_mirror_at_all(tmp_path):
    with pytest.raises(InputError, match="no mirror was given"):
        data.fetch("tiny", tmp_path, [])


def test_fetch_is_the_function_although_its_module_has_the_same_name():
    assert sys.modules["tinyticket.data.fetch"].fetch is data.fetch
