"""Examples through the model: told segments into the memory, the prompts behind it, the loss on the answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import side_by_side
from infinidoc.model.kernels import State
from infinidoc.model.lora import enable
from infinidoc.training.examples import TrainingExample

SHORT = 200  # tokens up to which plain attention trains faster on a CPU than flash attention
TOLD_TOKENS = 500  # a told segment that is longer is cut: inference never makes one


@dataclass(frozen=True)
class Outcome:
    """A batch's mean loss over answer tokens, and how many of those were the likeliest ones. `prose` is what told prose
    left in the memory, per token, for others' background."""

    loss: Tensor
    right: float
    tokens: int
    prose: list[State] | None = None


def gather(make: Callable[[], TrainingExample], base: BaseModel, tokens: int) -> list[TrainingExample]:
    """As many examples as fit into a batch of so many tokens, padding included; at least one."""
    examples: list[TrainingExample] = []
    told: list[int] = []
    windows: list[int] = []
    while True:
        example = make()
        told += [min(len(base.encode(text)), TOLD_TOKENS) for text in example.told]
        windows.append(len(_window(base, example)[0]))
        if examples and max(told, default=0) * len(told) + max(windows) * len(windows) > tokens:
            return examples
        examples.append(example)


def run(base: BaseModel, examples: Sequence[TrainingExample], background: list[State] | None = None) -> Outcome:
    """Loss and accuracy of a batch. `background` is foreign prose in the memory, per token (see TrainingExample)."""
    state, prose = tell(base, examples)
    if background is not None and any(example.background for example in examples):
        amounts = torch.tensor([example.background for example in examples], dtype=torch.float64)
        layers = [_scaled(layer, amounts) for layer in background]
        state = layers if state is None else [a + b for a, b in zip(state, layers, strict=True)]
    start = base.start
    windows, wanted = zip(*(_window(base, example) for example in examples), strict=True)
    ids, _ = side_by_side(windows, start)
    targets = torch.full(ids.shape, -100)
    for row, positions in enumerate(wanted):
        for position in positions:  # the one before predicts it
            targets[row, len(start) + position - 1] = windows[row][position]
    memory = CompressiveMemory(base.model, state).read_only()
    hidden = _hidden(base, ids, memory)
    scored = (targets >= 0).to(base.device)
    logits = base.model.lm_head(hidden[scored]).float()
    truth = targets.to(base.device)[scored]
    right = (logits.argmax(-1) == truth).float().mean().item()
    return Outcome(F.cross_entropy(logits, truth), right, len(truth), prose)


def _window(base: BaseModel, example: TrainingExample) -> tuple[list[int], list[int]]:
    """The turns' token ids, and the positions of the answers' tokens."""
    ids: list[int] = []
    answers: list[int] = []
    for prompt, answer in example.turns:
        ids += base.encode(prompt)
        said = base.encode(answer)
        answers += range(len(ids), len(ids) + len(said))
        ids += said
    return ids, answers


def tell(base: BaseModel, examples: Sequence[TrainingExample]) -> tuple[list[State] | None, list[State] | None]:
    """The memory of each example (a row each), and that of the prose among the segments, per token."""
    segments = [base.encode(text)[:TOLD_TOKENS] for example in examples for text in example.told]
    if not segments:
        return None, None
    counts = torch.zeros(len(examples), len(segments), dtype=torch.float64)
    prose = torch.zeros(1, len(segments), dtype=torch.float64)
    column = 0
    for row, example in enumerate(examples):
        for index in range(len(example.told)):
            counts[row, column] = example.counts[index] if example.counts else 1.0
            prose[0, column] = float(index in example.prose)
            column += 1
    ids, mask = side_by_side(segments, base.start)
    memory = CompressiveMemory(base.model)
    _hidden(base, ids, memory)
    memory.fold(mask.to(base.device))
    assert memory.state is not None
    state = [_mixed(layer, counts) for layer in memory.state]
    if not prose.any():
        return state, None
    total = [_mixed(layer.detach(), prose) for layer in memory.state]
    return state, [_scaled(layer, 1 / layer.tokens) for layer in total]


def divergence(base: BaseModel, texts: Sequence[str], tokens: int) -> Tensor:
    """How far LoRA has moved the model's predictions on plain text: KL(base ‖ adapted), nats per token."""
    ids, mask = side_by_side([base.encode(text)[:tokens] for text in texts], base.start)
    ids, mask = ids.to(base.device), mask.to(base.device)
    enable(base.model, False)
    with torch.no_grad():
        before = base.model(input_ids=ids, use_cache=False).logits[mask > 0].float().log_softmax(-1)
    enable(base.model, True)
    after = base.model(input_ids=ids, use_cache=False).logits[mask > 0].float().log_softmax(-1)
    return F.kl_div(after, before, reduction="batchmean", log_target=True)


def _hidden(base: BaseModel, ids: Tensor, memory: CompressiveMemory) -> Tensor:
    """The last hidden states (B, N, D) of a batch of token ids (B, N)."""
    plain = base.device.type == "cpu" and ids.shape[1] <= SHORT
    with sdpa_kernel(SDPBackend.MATH if plain else [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        hidden: Tensor = base.model.get_decoder()(
            input_ids=ids.to(base.device), past_key_values=memory
        ).last_hidden_state
    return hidden


def _mixed(layer: State, counts: Tensor) -> State:
    """Rows (R, …) to weighted sums (E, …), counts (E, R)."""
    if torch.equal(counts, torch.eye(*counts.shape).to(counts)):
        return layer
    return State(*(torch.einsum("er,r...->e...", counts.to(t), t) for t in layer.tensors().values()))


def _scaled(layer: State, amounts: Tensor) -> State:
    return State(*(torch.einsum("e,r...->e...", amounts.to(t), t) for t in layer.tensors().values()))
