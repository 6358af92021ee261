"""CSV files and data frames: what is read of them, and where something else stands in them."""

import gzip

import numpy as np
import pytest

from tinyticket.data import load
from tinyticket.data.tables import LONGEST_LINE, from_frame, is_frame, load_csv
from tinyticket.errors import InputError
from tinyticket.lottery.inputs import load_dataset

from .strangers import memory_below, not_a_file

ROWS = [(0.5 * i, -i, ("round", "square", "round", "blunt")[i % 4]) for i in range(20)]
TEXT = "width,height,shape\n" + "".join(f"{w},{h},{s}\n" for w, h, s in ROWS)


@pytest.fixture
def written(tmp_path):
    def write(content, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def whole(data):
    """Return all examples and targets of a data set, in the order of their first column."""
    x, y = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])
    order = np.argsort(x[:, 0])
    return x[order], y[order]


def test_the_last_column_has_labels_that_are_numbered_by_alphabet(written):
    data = load(written(TEXT))
    assert (data.name, data.classes, data.sizes) == ("mine.csv", 3, {"train": 16, "test": 4})
    x, y = whole(data)
    assert x.tolist() == [[w, h] for w, h, _ in ROWS]
    assert y.tolist() == [["blunt", "round", "square"].index(shape) for *_, shape in ROWS]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (TEXT.replace(",", ";"), "a.csv"),
        (TEXT.replace(",", "\t"), "a.csv"),
        (TEXT.replace("\n", "\r\n"), "a.csv"),
        ("\ufeff" + TEXT, "a.csv"),
        (TEXT.replace("round", '"round"') + "\n\n", "a.CSV"),
        (gzip.compress(TEXT.encode()), "a.csv.gz"),
        (TEXT.rstrip("\n"), "a.csv"),
    ],
)
def test_spellings_of_the_same_table(written, content, name):
    (x, y), (expected_x, expected_y) = whole(load(written(content, name))), whole(load(written(TEXT)))
    assert (x.tolist(), y.tolist()) == (expected_x.tolist(), expected_y.tolist())


def test_another_column_may_be_the_target(written):
    text = "class,a,b\n" + "".join(f"{10 - i % 3},{i},{i / 2}\n" for i in range(12))
    x, y = whole(load_csv(written(text), "class"))
    assert x.tolist() == [[i, i / 2] for i in range(12)]
    assert y.tolist() == [2 - i % 3 for i in range(12)]  # by size: 8, 9, 10


def test_the_target_may_be_numbers(written):
    data = load(written(TEXT.replace("round", "1.5").replace("square", "-2").replace("blunt", "1e3")), numbers=True)
    assert (data.classes, data.outputs, data.y_train.dtype) == (0, 1, np.float32)
    assert whole(data)[1][:4, 0].tolist() == [1.5, -2, 1.5, 1000]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            TEXT.replace("2.5,-5", "2.5,tall"),
            r"mine\.csv, line 7: column 'height' holds 'tall'; expected a finite number",
        ),
        (TEXT.replace("2.5,-5", "2.5,"), r"line 7: column 'height' is empty; expected a finite number"),
        (TEXT.replace("2.5,-5", "nan,-5"), r"line 7: column 'width' holds 'nan'"),
        (TEXT.replace("2.5,-5,square", "2.5,-5,"), r"line 7: column 'shape' is empty; expected a label"),
        (TEXT.replace("2.5,-5", "2.5"), r"line 7 has 2 cells; expected 3"),
        (TEXT.replace("2.5,-5", '"2\n.5",-5'), r"line 8: column 'width'"),
        (
            TEXT.replace("square", "1.5").replace("round", "1").replace("blunt", "2"),
            r"column 'shape' holds '1.5'.*the loss mse",
        ),
        ("1,2,3\n4,5,6\n", r"begins with numbers; expected the names of its columns"),
        ("a,a,b\n1,2,3\n", r"two columns called 'a'"),
        ("a\n1\n", r"has 1 columns"),
        ("", r"has 0 columns"),
        ("a,b\n", r"is empty"),
        ('a,b\n"1,2\n', r"is no CSV file"),
        (b"a,b\n\xff,1\n", r"is no text in UTF-8"),
        ("a,b\n" + "1" * (LONGEST_LINE + 5), r"a line of more than 1,048,576 characters"),
    ],
)
def test_what_stands_where_it_should_not_is_named(written, content, words):
    with pytest.raises(InputError, match=words):
        load(written(content))


def test_a_target_that_is_no_column_is_named(written):
    with pytest.raises(InputError, match=r"no column called 'form' .*known: height, shape, width"):
        load_csv(written(TEXT), "form")
    with pytest.raises(InputError, match=r"'shape' is a column of a CSV file or data frame, which digits is not"):
        load("digits", target="shape")


def test_a_line_that_never_ends_does_not_fill_the_memory(written):
    path = written(gzip.compress(b"a,b\n" + bytes(1 << 26), 1), "bomb.csv.gz")
    with memory_below(30 << 20), pytest.raises(InputError, match="a line of more than"):
        load(path)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_only_regular_files_are_opened(tmp_path, kind):
    path = tmp_path / "mine.csv"
    not_a_file(path, kind)
    with pytest.raises(InputError, match=r"cannot be read: .*expected a CSV file"):
        load(path)


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_frames_are_read_as_files_are(written, package):
    frames = pytest.importorskip(package)
    frame = frames.read_csv(written(TEXT))
    assert is_frame(frame)
    (x, y), (expected_x, expected_y) = whole(load_dataset(frame, None)), whole(load(written(TEXT)))
    assert (x.tolist(), y.tolist()) == (expected_x.tolist(), expected_y.tolist())
    assert from_frame(frame[["width", "height"]], "width", numbers=True).outputs == 1
    for target, words in (
        ("height", "'round' in row 0, column 'shape'; expected a number"),
        ("size", "no column called 'size'"),
    ):
        with pytest.raises(InputError, match=words):
            from_frame(frame, target)
    gaps = frames.read_csv(written(TEXT.replace("2.5,-5,square", "2.5,,square")))
    with pytest.raises(InputError, match="in row 5, column 'height'; expected a finite number"):
        from_frame(gaps)
    gaps = frames.read_csv(written(TEXT.replace("2.5,-5,square", "2.5,-5,")))
    with pytest.raises(InputError, match="in row 5, column 'shape'; expected a label"):
        from_frame(gaps)


def test_a_missing_label_of_pandas_is_named():
    pandas = pytest.importorskip("pandas")
    for kind, labels in (("Int64", [1, None, 2]), ("string", ["a", None, "b"])):
        frame = pandas.DataFrame({"x": [1.0, 2.0, 3.0], "y": pandas.array(labels, kind)})
        with pytest.raises(InputError, match="in row 1, column 'y'; expected a label"):
            from_frame(frame)


def test_equal_numbers_are_one_class_however_they_are_written(written):
    data = load(
        written("width,height,kind\n" + "".join(f"{i},{-i},{('1', '1.0', '03', '10')[i % 4]}\n" for i in range(20)))
    )
    assert data.classes == 3
    assert whole(data)[1].tolist() == [(0, 0, 1, 2)[i % 4] for i in range(20)]


def test_text_with_an_underscore_is_no_number(written):
    kinds = load(written("width,height,kind\n" + "".join(f"{i},{-i},{('1_000', '1000')[i % 2]}\n" for i in range(20))))
    assert kinds.classes == 2
    assert whole(kinds)[1].tolist() == [1 - i % 2 for i in range(20)]  # as words: "1000" before "1_000"
    with pytest.raises(InputError, match=r"line 2: column 'width' holds '1_000'; expected a finite number"):
        load(written("width,height,kind\n1_000,2,a\n"))
