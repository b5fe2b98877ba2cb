"""Train the digits networks and write their float ONNX files and held-out images.

Needs PyTorch and scikit-learn, which nothing else in the project does: the files that this
script writes are shipped. Training is seeded; the last digits of the weights still depend on
the PyTorch build.

    python examples/digits/train.py            # writes into the script's own folder
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 2024
TEST_IMAGES = 540
CALIBRATION_IMAGES = 128


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm, and the input added before the last rectifier."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.skip = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.skip(x))


def residual_network() -> nn.Module:
    """A small residual network: 8x8 grey images to ten classes."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 1, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Residual(16, 16, 1),
        Residual(16, 32, 2),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


def _separable(channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in, bias=False),
        nn.BatchNorm2d(channels_in),
        nn.ReLU6(),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU6(),
    ]


def depthwise_network() -> nn.Module:
    """A small depthwise-separable network; 24 channels are no multiple of a block."""
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, 1, 1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU6(),
        *_separable(24, 48, 1),
        nn.MaxPool2d(2),
        *_separable(48, 64, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def _images() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    data = load_digits()
    pixels = data.images.astype(np.uint8)[:, None]  # 0..16
    return train_test_split(
        pixels, data.target, test_size=TEST_IMAGES, random_state=SEED, stratify=data.target
    )


def as_float(pixels: np.ndarray) -> np.ndarray:
    """Pixels 0..16 as the float32 in -1..1 that the networks take."""
    return pixels.astype(np.float32) / 8 - 1


def _augment(x: torch.Tensor) -> torch.Tensor:
    dy, dx = (int(v) for v in torch.randint(-1, 2, (2,)))
    return torch.roll(x, (dy, dx), (2, 3))


def train(network: nn.Module, x: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Fit with Adam and a one-cycle schedule."""
    inputs, labels = torch.from_numpy(as_float(x)), torch.from_numpy(y.astype(np.int64))
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2, weight_decay=1e-2)
    batches = -(-len(inputs) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, epochs * batches)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(64):
            loss = nn.functional.cross_entropy(network(_augment(inputs[rows])), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    network.eval()


def accuracy(network: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """Share of images whose largest score is their label's."""
    with torch.no_grad():
        scores = network(torch.from_numpy(as_float(x))).numpy()
    return float((scores.argmax(1) == y).mean())


def export(network: nn.Module, path: Path) -> None:
    """Write the ONNX file with a free batch extent."""
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, 8, 8),),
        str(path),
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main() -> None:
    """Train both networks and write everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    x, x_test, y, y_test = _images()
    np.savez_compressed(options.out / "test_images.npz", images=x_test, labels=y_test)
    np.savez_compressed(options.out / "calibration_images.npz", images=x[:CALIBRATION_IMAGES])
    for name, build in (("residual", residual_network), ("depthwise", depthwise_network)):
        torch.manual_seed(SEED)
        network = build()
        train(network, x, y, options.epochs)
        path = options.out / f"digits_{name}.onnx"
        export(network, path)
        share = accuracy(network, x_test, y_test)
        print(f"{path.name}: {100 * share:.2f} % of {len(x_test)} held-out images")


if __name__ == "__main__":
    main()
