"""Train and quantize the example: a small residual network that reads handwritten digits (8 x 8 pixels).

    pip install 'hlsgen[example]'
    python examples/train_digits.py

writes beside itself digits_qdq.onnx (int8, QuantizeLinear/DequantizeLinear form), digits_qop.onnx (uint8, QLinear
operators) and digits_samples.npz (test images with their labels). One thread, a few seconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

Float32Array = npt.NDArray[np.float32]

HERE = Path(__file__).resolve().parent
SEED = 0
EPOCHS = 40
BATCH = 64
SAMPLES = 100
OPSET = 17
IR_VERSION = 8  # any ONNX Runtime since 2022 reads it


class DigitsNet(nn.Module):
    """Convolution, residual block, depthwise-separable convolution, global average, dense layer: 5.9 k weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = self.convolution(1, 16, 3)
        self.block = nn.Sequential(
            self.convolution(16, 16, 3),
            nn.ReLU(),
            self.convolution(16, 16, 3),
        )
        self.depthwise = self.convolution(16, 16, 3, groups=16)
        self.pointwise = self.convolution(16, 32, 1)
        self.pool = nn.MaxPool2d(2)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.classes = nn.Linear(32, 10)

    @staticmethod
    def convolution(inputs: int, outputs: int, kernel: int, groups: int = 1) -> nn.Sequential:
        """Convolution of unchanged size with batch norm, which the export folds into it."""
        body = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
        return nn.Sequential(body, nn.BatchNorm2d(outputs))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, 8, 8) in 0..1 to logits (N, 10)."""
        x = torch.relu(self.stem(image))
        x = self.pool(torch.relu(self.block(x) + x))
        x = torch.relu(self.depthwise(x))
        x = torch.relu(self.pointwise(x))
        logits: torch.Tensor = self.classes(self.average(x).flatten(1))
        return logits


class Calibration(CalibrationDataReader):
    """Feeds training images to the quantizer, which measures the range of every tensor."""

    def __init__(self, images: Float32Array) -> None:
        self.feeds: Iterator[dict[str, Float32Array]] = iter([{"image": image[None]} for image in images])

    def get_next(self) -> dict[str, Float32Array] | None:
        """The next image as a feed, None at the end."""
        return next(self.feeds, None)


def train(images: torch.Tensor, labels: torch.Tensor) -> DigitsNet:
    """Train on images (N, 1, 8, 8) and labels (N,)."""
    torch.manual_seed(SEED)
    network = DigitsNet()
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def accuracy(model: Path, images: Float32Array, labels: npt.NDArray[np.int64]) -> float:
    """Share of images that ONNX Runtime classifies correctly with ``model``."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(None, {"image": image[None]})[0] for image in images])
    return float((logits.argmax(1) == labels).mean())


def quantize(float_model: Path, path: Path, form: QuantFormat, activations: QuantType, images: Float32Array) -> None:
    """Quantize to 8 bits, weights per channel, and save under the IR version that older runtimes read."""
    quantize_static(
        float_model,
        path,
        Calibration(images),
        quant_format=form,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    model = onnx.load(path)
    model.ir_version = IR_VERSION
    onnx.save(model, path)


def main() -> None:
    """Train, export, quantize, save the samples and print the accuracies."""
    torch.set_num_threads(1)
    digits = load_digits()
    pixels = (digits.images / 16).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, labels, test_size=500, random_state=SEED, stratify=labels
    )
    network = train(torch.from_numpy(train_x), torch.from_numpy(train_y))

    with tempfile.TemporaryDirectory() as folder:
        exported, prepared = Path(folder) / "exported.onnx", Path(folder) / "prepared.onnx"
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 8, 8),),
            exported,
            input_names=["image"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=False,
        )
        quant_pre_process(exported, prepared, skip_optimization=True)  # the export has folded the batch norms
        qdq, qop = HERE / "digits_qdq.onnx", HERE / "digits_qop.onnx"
        quantize(prepared, qdq, QuantFormat.QDQ, QuantType.QInt8, train_x[:200])
        quantize(prepared, qop, QuantFormat.QOperator, QuantType.QUInt8, train_x[:200])
        for name, path in {"float": prepared, "QDQ int8": qdq, "QOperator uint8": qop}.items():
            print(f"{name:16s} {accuracy(path, test_x, test_y):.1%} of {len(test_x)} test images")

    np.savez_compressed(HERE / "digits_samples.npz", image=test_x[:SAMPLES], labels=test_y[:SAMPLES])


if __name__ == "__main__":
    main()
