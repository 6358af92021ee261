"""`tinyticket find --masks-from`."""

import tinyticket as tt
from tests.cli.commands import find_arguments, one_sentence, save_npz
from tests.lottery.experiments import clusters


def test_tickets_on_other_data(command, ticket, tmp_path, out):
    other = save_npz(tmp_path / "other.npz", clusters(seed=4))
    given = find_arguments(other, out, "--masks-from", ticket, "--quiet", model=None, rounds=None, trials=None)
    assert command(*given).code == 0
    assert [len(trial.rounds) for trial in tt.load(out).trials] == [3, 3]
    assert tt.load(out).config["data"] == "other.npz"
    assert "leave prune out" in one_sentence(command(*given, "--prune", "0.3"))
    assert "does not exist" in one_sentence(command(*given, "--masks-from", tmp_path / "no.h5"))
