"""Each kernel against its token-by-token recurrence, and the promises that the collection stands on."""

import pytest
import torch

from infinidoc.model.kernels import KERNELS, State, naive

B, H, N, D, V = 2, 3, 11, 8, 5
CPU = torch.device("cpu")
RIDGE = torch.tensor([0.02, 0.07, 0.3])
ADDITIVE = [name for name, kernel in KERNELS.items() if kernel.additive]


@pytest.fixture(params=KERNELS)
def kernel(request):
    return KERNELS[request.param]


def stream(seed, tokens=N, dtype=torch.float64):
    """Keys, values, write weights, and a mask with the second row two tokens shorter."""
    random = torch.Generator().manual_seed(seed)
    keys = torch.randn(B, H, tokens, D, generator=random, dtype=dtype)
    values = torch.randn(B, H, tokens, V, generator=random, dtype=dtype)
    weights = torch.rand(B, H, tokens, generator=random, dtype=dtype)
    mask = torch.ones(B, tokens, dtype=dtype)
    mask[1, -2:] = 0
    return keys, values, weights, mask


def empty(kernel):
    return kernel.empty(B, H, D, V, CPU)


def assert_close(a: State, b: State, **tolerance):
    for name, tensor in a.tensors().items():
        torch.testing.assert_close(tensor, b.tensors()[name], **tolerance)


def test_write_is_the_recurrence_over_several_segments(kernel):
    fast = slow = empty(kernel)
    for seed in range(3):
        fast = kernel.write(fast, *stream(seed))
        slow = naive.write(kernel, slow, *stream(seed))
    assert fast.tokens.tolist() == [3 * N, 3 * (N - 2)]
    assert_close(fast, slow, rtol=1e-10, atol=1e-12)


def test_padding_writes_nothing(kernel):
    keys, values, weights, mask = stream(0)
    other_keys, other_values = keys.clone(), values.clone()
    other_keys[1, :, -2:] = 9.0
    other_values[1, :, -2:] = -9.0
    written = kernel.write(empty(kernel), keys, values, weights, mask)
    assert_close(written, kernel.write(empty(kernel), other_keys, other_values, weights, mask))


def test_linear_reads_the_normalised_association():
    kernel = KERNELS["linear"]
    keys, values, weights, mask = stream(1)
    state = kernel.write(empty(kernel), keys, values, weights, mask)
    queries = torch.randn(B, H, 4, D, dtype=torch.float64)
    read = kernel.read(kernel.readout(state, RIDGE, torch.float64, CPU), queries)
    for b, h, q in torch.cartesian_prod(torch.arange(B), torch.arange(H), torch.arange(4)).tolist():
        similar = kernel.features(keys[b, h]) @ kernel.features(queries[b, h, q]) * weights[b, h] * mask[b]
        torch.testing.assert_close(read[b, h, q], similar @ values[b, h] / similar.sum(), rtol=1e-5, atol=1e-6)


def test_least_squares_reads_the_ridge_regression():
    """Against a least-squares solver on the augmented system, which never forms G."""
    kernel = KERNELS["least_squares"]
    keys, values, weights, mask = stream(2)
    state = kernel.write(empty(kernel), keys, values, weights, mask)
    queries = torch.randn(B, H, 4, D, dtype=torch.float64)
    read = kernel.read(kernel.readout(state, RIDGE, torch.float64, CPU), queries)
    for b in range(B):
        for h in range(H):
            root = (weights[b, h] * mask[b]).sqrt()[:, None]
            rows = torch.cat([root * kernel.features(keys[b, h]), RIDGE[h].double().sqrt() * torch.eye(D).double()])
            targets = torch.cat([root * values[b, h], torch.zeros(D, V).double()])
            solution = torch.linalg.lstsq(rows, targets).solution
            torch.testing.assert_close(read[b, h], kernel.features(queries[b, h]) @ solution, rtol=1e-6, atol=1e-8)


def test_least_squares_recalls_what_linear_blurs():
    """With as many facts as dimensions, asking with a key gives its value: the reason for the kernel."""
    keys, values = torch.randn(1, 1, D, D).double(), torch.randn(1, 1, D, V).double()
    ones = torch.ones(1, 1, D).double()
    errors = {}
    for name in ("linear", "least_squares"):
        kernel = KERNELS[name]
        state = kernel.write(kernel.empty(1, 1, D, V, CPU), keys, values, ones, ones[0])
        read = kernel.read(kernel.readout(state, torch.tensor([1e-9]), torch.float64, CPU), keys)
        errors[name] = float((read - values).norm() / values.norm())
    assert errors["least_squares"] < 1e-3 < 0.3 < errors["linear"]


def test_delta_does_not_write_twice_what_it_knows():
    kernel = KERNELS["delta"]
    key, value = torch.randn(1, 1, 1, D).double(), torch.randn(1, 1, 1, V).double()
    once = kernel.write(kernel.empty(1, 1, D, V, CPU), key, value, torch.ones(1, 1, 1).double(), torch.ones(1, 1))
    twice = kernel.write(once, key, value, torch.ones(1, 1, 1).double(), torch.ones(1, 1))
    torch.testing.assert_close(once.association, twice.association, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ADDITIVE)
def test_two_streams_merge_into_their_concatenation_and_come_apart_again(name):
    kernel = KERNELS[name]
    first, second = stream(3), stream(4)
    a, b = kernel.write(empty(kernel), *first), kernel.write(empty(kernel), *second)
    joined = [torch.cat(pair, dim=-2 if pair[0].dim() == 4 else -1) for pair in zip(first, second, strict=True)]
    assert_close(a + b, kernel.write(empty(kernel), *joined), rtol=1e-12, atol=1e-12)
    assert_close(a + b - b, a, rtol=1e-12, atol=1e-12)


def test_which_kernels_promise_to_merge():
    assert {name: kernel.additive for name, kernel in KERNELS.items()} == {
        "linear": True,
        "delta": False,
        "least_squares": True,
        "least_squares_dpfp1": True,
        "least_squares_dpfp2": True,
    }


@pytest.mark.parametrize("name", ADDITIVE)
def test_ten_million_tokens_lose_no_precision(name):
    """10⁷ tokens in float32, as the model gives them, against exact arithmetic on what was written."""
    kernel = KERNELS[name]
    random = torch.Generator().manual_seed(0)
    tokens = 4096  # a segment
    keys = torch.randn(1, 1, tokens, D, generator=random)
    values = torch.randn(1, 1, tokens, V, generator=random)
    ones = torch.ones(1, 1, tokens)
    once = kernel.write(kernel.empty(1, 1, D, V, CPU), keys, values, ones, ones[0])
    state, segments = kernel.empty(1, 1, D, V, CPU), 10_000_000 // tokens
    for _ in range(segments):
        state = kernel.write(state, keys, values, ones, ones[0])
    assert int(state.tokens) == segments * tokens
    exact = State(*(tensor * segments for tensor in once.tensors().values()))
    assert_close(state, exact, rtol=1e-11, atol=0)
    # One more token still counts: in float32 a step of 1 is lost beyond 2²⁴.
    more = kernel.write(state, keys[:, :, :1], values[:, :, :1], ones[:, :, :1], ones[0, :, :1])
    one = kernel.write(kernel.empty(1, 1, D, V, CPU), keys[:, :, :1], values[:, :, :1], ones[:, :, :1], ones[0, :, :1])
    assert_close(more - state, one, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ADDITIVE)
def test_a_memory_of_ten_million_tokens_is_still_read_exactly(name):
    """The answer of a memory must not depend on how often everything was said (λ aside)."""
    kernel = KERNELS[name]
    keys, values, weights, mask = stream(5, tokens=400, dtype=torch.float32)  # more than the memory has dimensions
    once = kernel.write(empty(kernel), keys, values, weights, mask)
    often = State(*(tensor * 1e6 for tensor in once.tensors().values()))
    tiny = torch.full((H,), 1e-9)
    queries = torch.randn(B, H, 4, D)
    reads = [kernel.read(kernel.readout(state, tiny, torch.float32, CPU), queries) for state in (once, often)]
    torch.testing.assert_close(*reads, rtol=1e-4, atol=1e-4)


def test_gradients_flow_through_the_state(kernel):
    keys, values, weights, mask = (tensor.requires_grad_() for tensor in stream(6))
    state = kernel.write(empty(kernel), keys, values, weights, mask)
    state = kernel.write(state, *stream(7))
    read = kernel.read(kernel.readout(state, RIDGE, torch.float64, CPU), torch.randn(B, H, 4, D).double())
    read.sum().backward()
    for tensor in (keys, values, weights):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


def test_rows_total_and_cat(kernel):
    state = kernel.write(empty(kernel), *stream(8))
    apart = [state.rows(slice(row, row + 1)) for row in range(B)]
    assert_close(State.cat(apart), state, rtol=0, atol=0)
    assert_close(apart[0] + apart[1], state.total(), rtol=1e-12, atol=1e-12)


def test_a_sum_that_lost_its_rank_to_another_rounding_can_still_be_read():
    """What one processor added and another one subtracted, half a per cent off: what is below zero counts as zero."""
    kernel = KERNELS["least_squares"]
    rest = kernel.write(empty(kernel), *stream(10, tokens=D // 2))
    gone = kernel.write(empty(kernel), *stream(11, tokens=400))
    off = State(*(tensor * 1.005 for tensor in gone.tensors().values()))
    left = rest + gone - off
    ridge = torch.full((H,), 0.01)
    assert torch.linalg.eigvalsh(left.normaliser).min() < -0.1
    values, vectors = torch.linalg.eigh(left.normaliser)
    inverse = (vectors / (values.clamp(min=0) + 0.01)[..., None, :]) @ vectors.mT
    matrix = kernel.readout(left, ridge, torch.float64, CPU).matrix
    torch.testing.assert_close(matrix, inverse @ left.association, rtol=1e-6, atol=1e-6)
    sound = kernel.readout(rest, ridge, torch.float64, CPU).matrix
    torch.testing.assert_close(kernel.readout(rest + gone - gone, ridge, torch.float64, CPU).matrix, sound)
