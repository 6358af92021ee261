"""Graphs from files: edges by name or number, sparse matrices, and what is none."""

import io
import re

import numpy as np
import pytest
from scipy import sparse

from tinyticket.data import read_connections
from tinyticket.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write(text, name="graph.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_edges_by_name_are_numbered_in_their_order_or_in_a_given_one(write):
    path = write("gene;pathway\nTP53;apoptosis\nMYC;growth\n\nTP53;growth\nTP53;growth\n")
    graph = read_connections(path)
    assert (graph.input_names, graph.output_names) == (("TP53", "MYC"), ("apoptosis", "growth"))
    assert graph.matrix(np.ones(3)).todense().tolist() == [[1, 0], [1, 1]]
    wide = read_connections(path, input_names=["BRCA1", "MYC", "TP53"])
    assert wide.shape == (2, 3)
    assert wide.matrix(np.ones(3)).todense().tolist() == [[0, 0, 1], [0, 1, 1]]
    with pytest.raises(InputError, match=r"graph.csv: an edge ends at 'TP53', which is not among the 1 names"):
        read_connections(path, input_names=["MYC"])


def test_edges_by_number(write):
    graph = read_connections(write("input,output\n2,0\n0,1\n"))
    assert graph.shape == (2, 3)
    assert graph.input_names is None
    assert graph.columns.tolist() == [2, 0]


def test_numbers_are_names_where_a_given_name_is_one(write):
    path = write("entrez,pathway\n2,0\n0,1\n")
    graph = read_connections(path, input_names=["7157", "0", "2"])
    assert graph.input_names == ("7157", "0", "2")
    assert graph.output_names == ("0", "1")
    assert graph.matrix(np.ones(2)).todense().tolist() == [[0, 0, 1], [0, 1, 0]]
    assert read_connections(path, input_names=["a", "b", "c"]).columns.tolist() == [2, 0]


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", [sparse.coo_array, sparse.coo_matrix])
def test_a_matrix_of_scipy(tmp_path, format, kind):
    places = np.array([[1, 0, 1, 1], [3, 2, 0, 3]])
    sparse.save_npz(tmp_path / "m.npz", kind((np.ones(4), places), shape=(2, 5)).asformat(format))
    graph = read_connections(tmp_path / "m.npz", output_names=["a", "b"])
    assert graph.shape == (2, 5)
    assert graph.positions().tolist() == [2, 5, 8]
    assert graph.output_names == ("a", "b")


def test_whole_numbers_of_any_type_are_numbers(tmp_path):
    np.savez(tmp_path / "m.npz", **{**WHOLE, "indices": WHOLE["indices"].astype(np.uint64)})
    graph = read_connections(tmp_path / "m.npz")
    assert graph.input_names is None
    assert graph.positions().tolist() == [0, 5]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 columns"),
        ("a,b,c\n1,2,3\n", "3 columns"),
        ("0,1\n1,2\n", "begins with numbers"),
        ("a,b\n", "at least one"),
        ("a,b\nx\n", "line 2 has 1 cells"),
        ("a,b\nx,\n", "line 2 lacks a name"),
        ("a,b\n0,999999999\n", "numbers an end 999,999,999"),
        ('a,b\n"x,y\n', "no CSV file"),
    ],
)
def test_tables_that_are_no_edges_are_refused(write, text, words):
    with pytest.raises(InputError, match=words):
        read_connections(write(text))


WHOLE = {
    "format": np.array(b"csr"),
    "shape": np.array([2, 3]),
    "indptr": np.array([0, 1, 2]),
    "indices": np.array([0, 2]),
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"indptr": np.array([0, 5, 2])}, "row starts that do not rise"),
        ({"indptr": np.array([0, 2])}, "row starts that do not rise"),
        ({"indices": np.array([0, 3])}, "the csr matrix names the column"),
        ({"indices": np.array([0, -1])}, "the csr matrix names the column"),
        ({"indices": np.array([0.5, 1])}, "whole numbers"),
        ({"shape": np.array([2, 2**40])}, "more rows and columns"),
        ({"shape": np.array([2, 3, 4])}, "whole numbers"),
        ({"format": np.array(b"dia")}, "the format dia"),
        ({"format": np.array("cs\u0159")}, "the format cs"),
        ({"format": np.array(b"coo")}, "the format coo"),
        ({"indptr": None}, "holds the keys"),
    ],
)
def test_matrices_that_are_none_are_refused(tmp_path, change, words):
    arrays = {name: value for name, value in {**WHOLE, **change}.items() if value is not None}
    np.savez(content := io.BytesIO(), **arrays)
    (tmp_path / "m.npz").write_bytes(content.getvalue())
    with pytest.raises(InputError, match=re.escape("m.npz: ") + f".*{words}"):
        read_connections(tmp_path / "m.npz")
