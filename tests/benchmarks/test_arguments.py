"""Bad input gets one sentence and exit code 2, before anything is measured."""

import re
from pathlib import Path

import pytest

import benchmarks
from benchmarks.arguments import CASES, parse
from benchmarks.kernels import PARTS
from benchmarks.program import main

FOLDER = Path(benchmarks.__file__).parent


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "required"),
        (["steps"], "did you mean 'step'"),
        (["step", "--peers", "torhc"], "did you mean 'torch'"),
        (["step", "--densities", "1,0"], "holds '0'"),
        (["step", "--densities", "1.5"], "up to 1"),
        (["step", "--densities", "many"], "'many'"),
        (["step", "--densities", ","], "names nothing"),
        (["step", "--threads", "0"], "expected 1 to"),
        (["step", "--threads", "9999"], "expected 1 to"),
        (["step", "--threads", "two"], "invalid int"),
        (["step", "--batch-size", "0"], "--batch-size is 0"),
        (["step", "--models", "lenet-7"], "no model is called 'lenet-7'"),
        (["step", "--masks", "nowhere.h5"], "no file nowhere.h5"),
        (["step", "--what"], "unrecognized"),
        (["step", "--json", "nowhere/rows.json"], "no folder"),
        (["step", "--json", "."], "is a folder"),
        (["step", "--plot", "setup.cfg"], "expected a folder"),
        (["step", "--processes", "0"], "--processes is 0"),
        (["step", "--cases", "linear"], "belongs to kernels"),
        (["kernels", "--cases", "lineal"], "did you mean 'linear'"),
        (["kernels", "--layers", "linear-20"], "holds 'linear-20'; expected such as linear-784x300-b60"),
        (["kernels", "--layers", "linear-9x9", "--cases", "softmax"], "shapes of linear, which --cases leaves out"),
        (["kernels", "--layers", "linear-0x9"], "holds 'linear-0x9'"),
        (["kernels", "--layers", "convolution-8x9x7"], "holds 'convolution-8x9x7'"),
        (["kernels", "--layers", "convolution-8x9x9-k4"], "holds 'convolution-8x9x9-k4'"),
        (["memory", "--plot", "pictures"], "--plot belongs to kernels and step and run, not to memory"),
        (["kernels", "--models", "lenet-300-100"], "belongs to step"),
    ],
)
def test_bad_input(given, said, capsys, tiny, eager_step):
    assert main(given, tiny) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert error.startswith("benchmarks: ")


def test_a_file_that_is_no_result_is_bad_input(tmp_path, capsys, tiny, eager_step):
    path = tmp_path / "result.h5"
    path.write_text("no")
    assert main(["step", "--masks", str(path)], tiny) == 2
    assert str(path) in capsys.readouterr().err


def test_without_a_compiled_step_there_is_a_sentence(monkeypatch, capsys, tiny, few_examples):
    import tinyticket as tt

    monkeypatch.setitem(vars(tt), "compile", None)
    assert main(["step", "--threads", "1"], tiny) == 2
    assert "no tt.compile" in capsys.readouterr().err


def test_what_is_asked_arrives():
    options = parse(["step", "--models", "lenet-300-100,mlp-784-20-10", "--densities", "1,0.51,2e-2", "--threads", "1"])
    assert options.models == ("lenet-300-100", "mlp-784-20-10")
    assert options.densities == (1.0, 0.51, 0.02)
    assert (options.threads, options.masks, options.peers, options.batch_size) == (1, "uniform", (), None)


def test_help_says_what_there_is(capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["--help"])
    assert leaving.value.code == 0
    said = capsys.readouterr().out
    assert "--densities" in said
    named = set(re.findall(r"benchmarks\.\w+", said))
    own = {f"benchmarks.{path.stem}" for path in FOLDER.glob("*.py") if "\nif __name__" in path.read_text()}
    assert named == own - {"benchmarks.__main__"}


def test_the_help_lists_the_cases(capsys):
    assert tuple(PARTS) == CASES
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert ", ".join(CASES) in " ".join(capsys.readouterr().out.split())
