import json

import pytest

from xorjax.dashboard.points import PointFiles


@pytest.mark.parametrize("rate", [0.95, 0.0])
def test_the_prune_rate_is_the_points_and_not_its_first_layers(tmp_path, rate):
    row = {"baseline": False, "prune_rate": 0.8}
    point = {"point": "p", "status": "ok", "config": {"prune": {"rate": rate}}, "rows": [row]}
    (tmp_path / "p.json").write_text(json.dumps(point))
    files = PointFiles(tmp_path)
    assert files.look(["p"], 10) == 1
    assert files.results["p"].prune_rate == rate
