"""Products of the base model's matrices in fewer bits, beside fp32: how fast, and how exact?

    python benchmarks/low_bits.py
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python benchmarks/low_bits.py    # without VNNI

512 rows times each kind of matrix in a layer of SmolLM2-135M, one thread, in turns; medians of processor seconds,
inputs rounded in them where rounding is part of it. `error` is the root mean square over that of what is exact, `worst`
the same where all inputs and weights are as large as they can be: a sum that overflows shows there. ONNX Runtime (with
onnx) and OpenVINO take part where they are installed. What is forced above binds oneDNN, and so OpenVINO: fbgemm (which
is "x86" as well) and ONNX Runtime choose their instructions themselves.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infinidoc.model.quantization import Inputs, Int8Linear, quantised

ROWS = 512
SHAPES = ((576, 576), (576, 1_536), (1_536, 576))  # inputs, outputs
TURNS = 15

Product = Callable[[Tensor], Tensor]


def seven_bits(linear: nn.Linear) -> Product:
    """Weights to ±64: two products with inputs of 8 bits then fit into 16, which is all that AVX2 sums in."""
    product = Int8Linear(linear, Inputs())
    exact = linear.weight.float()
    product.scale = exact.abs().amax(-1, keepdim=True) / 64
    product.weight = (exact / product.scale).round().to(torch.int8)
    return lambda x: product(x.clone())  # another tensor: inputs are rounded once each


def in_torch(weight: Tensor) -> Iterator[tuple[str, Product]]:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False).requires_grad_(False)
    linear.weight.copy_(weight)
    half, int8 = weight.bfloat16(), Int8Linear(linear, Inputs())
    small, (rounded, _) = int8.weight.T, quantised(torch.randn(ROWS, weight.shape[1]))
    yield "torch fp32", lambda x: F.linear(x, weight)
    yield "torch bf16", lambda x: F.linear(x.bfloat16(), half).float()
    yield "torch int8, as infinidoc has it", lambda x: int8(x.clone())
    yield "torch int8, weights of 7 bits", seven_bits(linear)
    yield "torch int8, the product alone", lambda x: torch._int_mm(rounded, small).float()
    for engine in ("x86", "fbgemm", "onednn"):
        if engine in torch.backends.quantized.supported_engines:
            torch.backends.quantized.engine = engine
            dynamic = torch.ao.nn.quantized.dynamic.Linear(weight.shape[1], weight.shape[0])
            scales = weight.abs().amax(-1).double() / 127
            packed = torch.quantize_per_channel(weight, scales, torch.zeros(len(scales)).long(), 0, torch.qint8)
            dynamic.set_weight_bias(packed, None)
            yield f"torch dynamic int8, {engine}", dynamic


def in_onnx(weight: Tensor) -> Iterator[tuple[str, Product]]:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    inputs, outputs = weight.shape[1], weight.shape[0]

    def session(nodes: list[object], constants: dict[str, np.ndarray]) -> Product:
        graph = helper.make_graph(
            nodes,
            "product",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, inputs])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [ROWS, outputs])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        running = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return lambda x: torch.from_numpy(running.run(None, {"x": x.numpy()})[0])

    assert onnx
    plain = weight.T.contiguous().numpy()
    yield "ONNX Runtime fp32", session([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": plain})
    scales = np.abs(plain).max(0) / 127
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "scales"], ["both"]),
        helper.make_node("Mul", ["f", "both"], ["y"]),
    ]
    constants = {"w": np.round(plain / scales).astype(np.int8), "scales": scales.astype(np.float32)}
    yield "ONNX Runtime int8 (MatMulInteger)", session(nodes, constants)
    for bits in (4, 8):
        block, most = 32, 2 ** (bits - 1) - 1
        blocks = weight.view(outputs, -1, block)
        scale = blocks.abs().amax(-1, keepdim=True) / most
        values = (blocks / scale).round().to(torch.int16) + (most + 1)
        packed = values.to(torch.uint8) if bits == 8 else (values[..., ::2] | values[..., 1::2] << 4).to(torch.uint8)
        settings = {"K": inputs, "N": outputs, "bits": bits, "block_size": block, "accuracy_level": 4}
        node = helper.make_node("MatMulNBits", ["x", "w", "scales"], ["y"], domain="com.microsoft", **settings)
        constants = {"w": packed.numpy(), "scales": scale.flatten().numpy()}
        yield f"ONNX Runtime {bits} bits (MatMulNBits)", session([node], constants)


def in_openvino(weight: Tensor) -> Iterator[tuple[str, Product]]:
    import openvino as ov
    from openvino import opset13 as op

    def compiled(matrix: object, settings: dict[str, object]) -> Product:
        x = op.parameter([ROWS, weight.shape[1]], np.float32)
        model = ov.Model([op.matmul(x, matrix, False, True)], [x])
        settings |= {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        running = ov.Core().compile_model(model, "CPU", settings)
        return lambda x: torch.from_numpy(running([x.numpy()])[0])

    yield "OpenVINO fp32", compiled(op.constant(weight.numpy()), {})
    rounded, scale = quantised(weight)
    small = op.multiply(op.convert(op.constant(rounded.numpy()), "f32"), op.constant(scale.numpy()))
    with suppress(RuntimeError):  # it has no such product for some processors
        settings = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 32}
        yield "OpenVINO int8, inputs rounded in groups", compiled(small, settings)


def error(found: Tensor, exact: Tensor) -> float:
    return float((found.double() - exact).pow(2).mean().sqrt() / exact.pow(2).mean().sqrt())


def measured(weight: Tensor, x: Tensor) -> dict[str, tuple[float, float]]:
    """Of each: median processor seconds, and the error."""
    makers = [in_torch]
    makers += [in_onnx] if find_spec("onnxruntime") and find_spec("onnx") else []
    makers += [in_openvino] if find_spec("openvino") else []
    products = {name: product for maker in makers for name, product in maker(weight)}
    exact = x.double() @ weight.double().T
    seconds: dict[str, list[float]] = {name: [] for name in products}
    for _ in range(TURNS + 1):
        for name, product in products.items():
            began = time.process_time()
            product(x)
            seconds[name].append(time.process_time() - began)
    return {n: (statistics.median(seconds[n][1:]), error(product(x), exact)) for n, product in products.items()}


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"PyTorch with {torch.backends.cpu.get_cpu_capability()}")
    print(f"{'':42}" + "".join(f"{f'{inputs} to {outputs}':>20}" for inputs, outputs in SHAPES) + "   error   worst")
    results = [measured(torch.randn(outputs, inputs) * 0.05, torch.randn(ROWS, inputs)) for inputs, outputs in SHAPES]
    worst = measured(torch.full((576, 576), 0.05), torch.ones(ROWS, 576))
    for name, (_, wrong) in results[0].items():
        cells = [(found[name][0] * 1e3, found["torch fp32"][0] / found[name][0]) for found in results]
        timed = "".join(f"{f'{ms:.2f} ms {times:5.2f}x':>20}" for ms, times in cells)
        shown = " " * 16 if name.endswith("alone") else f"{wrong:8.4f}{worst[name][1]:8.4f}"
        print(f"{name:42}{timed}{shown}", flush=True)


if __name__ == "__main__":
    main()
