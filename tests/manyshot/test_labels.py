"""Calibration: probabilities and the threshold, from left-out examples."""

import torch
import torch.nn.functional as F

from infinidoc.manyshot.labels import KEPT, Classifier, calibrate, fit
from infinidoc.manyshot.ridge import similarities


def clusters(labels=4, each=30, noise=0.05, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.eye(labels, 16)
    keys = centres.repeat_interleave(each, 0) + noise * torch.randn(labels * each, 16, generator=generator)
    return F.normalize(keys, dim=-1), [label for label in range(labels) for _ in range(each)]


def test_sharpness_makes_the_probabilities_as_sure_as_they_are_right():
    torch.manual_seed(0)
    scores = torch.randn(20_000, 5)
    wanted = torch.distributions.Categorical(logits=7 * scores).sample()
    assert abs(calibrate(scores, wanted) - 7) < 0.3


def test_the_threshold_keeps_most_of_the_tasks_own_texts_and_rejects_others():
    keys, labels = clusters()
    readout = fit(keys, labels, 4)
    own, _ = clusters(seed=1)
    passed = (readout.scores(similarities(own, keys)).max(-1).values >= readout.threshold).float().mean()
    assert KEPT - 0.1 < passed <= 1
    strangers = F.normalize(torch.eye(16)[8:] + 0.05 * torch.randn(8, 16), dim=-1)
    assert (readout.scores(similarities(strangers, keys)).max(-1).values < readout.threshold).all()


def test_few_examples_have_no_threshold():
    keys, labels = clusters(labels=3, each=2)
    assert fit(keys, labels, 3).threshold == float("-inf")


def test_mislabelled_examples_lower_the_probabilities():
    keys, labels = clusters(labels=2, each=50)
    noisy = [1 - label if row % 5 == 0 else label for row, label in enumerate(labels)]
    clean, doubtful = fit(keys, labels, 2), fit(keys, noisy, 2)
    sure = [r.probabilities(r.scores(similarities(keys[1:2], keys))).max() for r in (clean, doubtful)]
    assert sure[0] > 0.95
    assert 0.6 < sure[1] < 0.9


def test_the_parts_of_all_examples_add_up_to_what_is_special_about_the_score():
    keys, labels = clusters(each=5)
    readout = fit(keys, labels, 4)
    query = F.normalize(torch.ones(16), dim=-1)
    similar = similarities(query[None], keys)
    rows, weights = readout.decided(similar[0], 2, top=len(keys))
    assert sorted(rows) == list(range(len(keys)))
    common = readout.scores(similar.mean().expand(1, len(keys)))
    assert abs(sum(weights) - float((readout.scores(similar) - common)[0, 2])) < 1e-4


def test_an_odd_example_which_weighs_much_is_not_what_decides_about_the_others():
    keys, labels = clusters(each=20)
    keys[0] = F.normalize(torch.eye(16)[5], dim=-1)
    readout = fit(keys, labels, 4)
    assert readout.coefficients[:20, 0].argmax() == 0
    for row in range(1, 20):
        decided, _ = readout.decided(similarities(keys[row : row + 1], keys)[0], 0, top=3)
        assert 0 not in decided


def test_tensors_bring_a_readout_back():
    keys, labels = clusters()
    readout = fit(keys, labels, 4)
    again = Classifier.from_tensors(readout.tensors())
    assert torch.equal(again.coefficients, readout.coefficients)
    assert (again.sharpness, again.threshold) == (readout.sharpness, readout.threshold)
