"""Tables as text."""

from tinyticket.report.text import csv_text, latex, markdown


def test_csv():
    assert csv_text([{"a": 1, "b": "x,y"}, {"a": None, "b": 0.5}]).split() == ["a,b", '1,"x,y"', ",0.5"]


def test_markdown():
    assert markdown(["a|b", "c"], [["1", "2"]]) == "| a\\|b | c |\n| --: | --: |\n| 1 | 2 |\n"


def test_latex_escapes_what_it_would_obey():
    text = latex(["my_file: accuracy %", "~^"], [["{1} & \\", "$2 #3"]])
    assert text.splitlines() == [
        r"\begin{tabular}{rr}",
        r"my\_file: accuracy \% & \textasciitilde{}\textasciicircum{} \\",
        r"\hline",
        r"\{1\} \& \textbackslash{} & \$2 \#3 \\",
        r"\end{tabular}",
    ]
