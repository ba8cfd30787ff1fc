"""The rules of which weights to keep, on curves where the answer is known."""

from benchmarks.keeping import RULES, Point, table


def curve(psnr: list[float], loss: list[float]) -> list[Point]:
    return [
        Point(step=10 * i, psnr=(p, p), loss=x, distortion=x, objective=x)
        for i, (p, x) in enumerate(zip(psnr, loss, strict=True), start=1)
    ]


def test_every_rule_keeps_what_it_says_and_its_regret_is_to_the_best() -> None:
    one = curve([20, 21, 23, 22.5, 22], [9, 5, 6, 6.5, 6])
    # The lowest loss is at step 20, the lowest average of three (5.83) ends at step 40.
    kept = {name: one[rule(one)].step for name, rule in RULES.items()}
    assert {kept[name] for name in kept if name.startswith("lowest average")} == {40}
    assert {kept[name] for name in kept if name.startswith("lowest") and "average" not in name} == {20}
    assert kept["last"] == 50
    two = curve([20, 20, 20, 20, 21], [1, 2, 3, 4, 5])
    rows = {row.split("|")[1].strip(): row for row in table([one, two]).splitlines()[2:]}
    assert rows["last"].endswith("| 50, 50 | 22.00, 21.00 | 0.50 | 1.00 |")
    assert "| 30, 50 | 23.00, 21.00 | 0.00 | 0.00 |" in rows["best of all (needs clean images)"]
