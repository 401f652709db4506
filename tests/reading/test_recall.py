"""Exact search over several address files, against the naive score."""

import torch
import torch.nn.functional as F

from infinidoc.memory.records import AddressBlock
from infinidoc.model import naive
from infinidoc.reading.recall import recall


def test_the_best_passages_of_all_blocks_best_first():
    torch.manual_seed(0)
    question, weights = F.normalize(torch.randn(5, 128), dim=-1), torch.rand(5).softmax(0)
    blocks, scores = [], {}
    for number in range(5):
        stored, rows = torch.randint(-127, 128, (40, 128), dtype=torch.int8), [0, 7, 8, 25]
        passages = [100 * number + index for index in range(len(rows))]
        blocks.append(AddressBlock(stored, passages, rows))
        scores |= dict(zip(passages, naive.score(question, weights, stored, rows).tolist(), strict=True))
    found = recall(blocks, question, weights, 6)
    assert [recalled.passage for recalled in found] == sorted(scores, key=lambda passage: -scores[passage])[:6]
    torch.testing.assert_close(torch.tensor([r.score for r in found]), torch.tensor([scores[r.passage] for r in found]))
    assert len(recall(blocks, question, weights, 50)) == 20
    assert recall([], question, weights, 4) == []
