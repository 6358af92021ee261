"""MNIST and what was published in its likeness: two files of images and two of labels, in the IDX format."""

from pathlib import Path

from numpy.typing import NDArray

from tinyticket.data.arrays import from_arrays
from tinyticket.data.dataset import Dataset
from tinyticket.data.folders import Folder
from tinyticket.data.idx import IMAGES, LABELS, read_idx
from tinyticket.data.published import Publication, PublishedFile
from tinyticket.errors import InputError, about

# Sizes and SHA-256 digests: TensorFlow Datasets, tensorflow_datasets/url_checksums/mnist.txt and fashion_mnist.txt.
MNIST = Publication(
    "mnist",
    files=(
        PublishedFile(
            "train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        PublishedFile(
            "train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        PublishedFile(
            "t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        PublishedFile(
            "t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
FASHION_MNIST = Publication(
    "fashion-mnist",
    files=(
        PublishedFile(
            "train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        PublishedFile(
            "train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        PublishedFile(
            "t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        PublishedFile(
            "t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
)
CLASSES = 10
MOST = 1 << 26  # bytes of a file; the largest published one has 47,040,016


def load_mnist(publication: Publication, folder: Folder = None) -> Dataset:
    """Read MNIST or Fashion-MNIST from its published files, gzipped or unpacked.

    Parameters
    ----------
    publication : Publication
        `MNIST`, `FASHION_MNIST`, or another one with four files in the same order.
    folder : path-like, optional
        Look for FOLDER/NAME here alone; by default in the places of `search_folders`.

    Returns
    -------
    Dataset
        Images of shape (N, 1, 28, 28), pixels divided by 255; 60,000 for training and 10,000 for testing.

    Raises
    ------
    InputError
        If a file is missing, truncated or damaged, or if images and labels disagree.
    """
    train_images, train_labels, test_images, test_labels = publication.paths(folder)
    train = _read_pair(train_images, train_labels)
    test = _read_pair(test_images, test_labels)
    with about(f"{publication.name} in {train_images.parent}"):
        return from_arrays(*train, *test, name=publication.name, classes=CLASSES)


def _read_pair(images: Path, labels: Path) -> tuple[NDArray, NDArray]:
    """Return images, with an axis for their one channel, and their labels."""
    x, y = read_idx(images, IMAGES, MOST), read_idx(labels, LABELS, MOST)
    if len(x) != len(y):
        raise InputError(f"{images} has {len(x)} images but {labels} {len(y)} labels; expected as many")
    return x[:, None], y
