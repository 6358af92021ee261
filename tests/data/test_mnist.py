import gzip
import hashlib

import numpy as np
import pytest

from tinyticket.data import load
from tinyticket.data.idx import read_idx
from tinyticket.data.mnist import FASHION_MNIST, MNIST, load_mnist
from tinyticket.errors import InputError

from .strangers import memory_below, not_a_file, zeros_gz
from .writers import idx_bytes, small_mnist, write_mnist


@pytest.mark.parametrize("gzipped", [True, False])
def test_small(tmp_path, gzipped):
    place = write_mnist(tmp_path, gzipped=gzipped)
    data = load_mnist(MNIST, tmp_path)
    assert (data.name, data.classes, data.input_shape) == ("mnist", 10, (1, 28, 28))
    assert data.sizes == {"train": 20, "test": 10}
    pixels = read_idx(MNIST.files[2].find(place))
    np.testing.assert_array_equal(data.x_test[:, 0], (pixels / 255).astype(np.float32))


def test_fashion_mnist_lies_in_a_folder_of_its_own(tmp_path):
    write_mnist(tmp_path, name="fashion-mnist")
    assert load_mnist(FASHION_MNIST, tmp_path).name == "fashion-mnist"
    with pytest.raises(InputError, match="mnist: train-images"):
        load_mnist(MNIST, tmp_path)


def test_some_files_unpacked(tmp_path):
    place = write_mnist(tmp_path)
    zipped = place / "train-images-idx3-ubyte.gz"
    (place / "train-images-idx3-ubyte").write_bytes(gzip.decompress(zipped.read_bytes()))
    zipped.unlink()
    assert load_mnist(MNIST, tmp_path).sizes["train"] == 20


def test_images_and_labels_that_disagree(tmp_path):
    files = small_mnist()
    files["train-labels-idx1-ubyte"] = idx_bytes(np.zeros(19, np.uint8))
    write_mnist(tmp_path, files)
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz has 20 images but .*train-labels.* 19 labels"):
        load_mnist(MNIST, tmp_path)


def test_images_in_the_place_of_labels(tmp_path):
    files = small_mnist()
    files["t10k-labels-idx1-ubyte"] = files["t10k-images-idx3-ubyte"]
    write_mnist(tmp_path, files)
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte.gz has magic number 0x00000803"):
        load_mnist(MNIST, tmp_path)


def test_a_label_out_of_range(tmp_path):
    files = small_mnist()
    files["t10k-labels-idx1-ubyte"] = idx_bytes(np.full(10, 10, np.uint8))
    write_mnist(tmp_path, files)
    with pytest.raises(InputError, match=r"mnist in .*: y_test holds the label 10"):
        load_mnist(MNIST, tmp_path)


def test_larger_files_than_were_published(tmp_path):
    place = write_mnist(tmp_path)
    header = bytes([0, 0, 8, 3]) + np.array([1 << 17, 28, 28], ">u4").tobytes()
    (place / "t10k-images-idx3-ubyte.gz").write_bytes(zeros_gz(header, 784 << 17))
    with (
        memory_below(1 << 24),
        pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz unpacks to 102760464 bytes"),
    ):
        load_mnist(MNIST, tmp_path)


@pytest.mark.parametrize("kind", ["fifo", "symlink", "socket", "device", "folder"])
def test_a_file_that_is_none(tmp_path, kind):
    place = write_mnist(tmp_path)
    (place / "t10k-images-idx3-ubyte.gz").unlink()
    not_a_file(place / "t10k-images-idx3-ubyte.gz", kind)
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz not found"):
        load_mnist(MNIST, tmp_path)


@pytest.mark.data
def test_the_real_one(mnist_folder):
    data = load("mnist", mnist_folder)
    assert data.sizes == {"train": 60000, "test": 10000}
    assert data.x_train.max() == 1
    assert data.y_train[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert data.x_train.mean() == pytest.approx(0.1307, abs=5e-5)  # the constants that everybody normalises with
    assert data.x_train.std() == pytest.approx(0.3081, abs=5e-5)


@pytest.mark.parametrize("publication", [MNIST, FASHION_MNIST])
def test_the_tables_are_well_formed(publication):
    assert [file.unpacked for file in publication.files] == list(small_mnist())
    for file in publication.files:
        assert len(bytes.fromhex(file.sha256)) == hashlib.sha256().digest_size
        assert file.size > 0
    assert all(mirror.startswith("http") for mirror in publication.mirrors)
