"""Well-known topologies with seeded random weights, for performance and coverage.

python -m examples.models.topologies resnet18 -o resnet18.onnx
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import onnx

from examples.models.network import Network

__all__ = ["TOPOLOGIES", "build"]

CLASSES = 1000
TINY_YOLO_OUTPUTS = 255  # three boxes of 80 classes and five numbers


def _basic_block(net: Network, x: str, channels: int, stride: int) -> str:
    y = net.relu(net.conv(x, channels, 3, stride))
    y = net.conv(y, channels, 3, gain=1.0)
    if stride != 1 or net.channels(x) != channels:
        x = net.conv(x, channels, 1, stride, gain=1.0)
    return net.relu(net.add(y, x))


def _bottleneck(net: Network, x: str, channels: int, stride: int) -> str:
    y = net.relu(net.conv(x, channels, 1))
    y = net.relu(net.conv(y, channels, 3, stride))
    y = net.conv(y, 4 * channels, 1, gain=0.5)
    if stride != 1 or net.channels(x) != 4 * channels:
        x = net.conv(x, 4 * channels, 1, stride, gain=1.0)
    return net.relu(net.add(y, x))


def _resnet(
    name: str, size: int, block: Callable[[Network, str, int, int], str], depths: tuple[int, ...]
) -> onnx.ModelProto:
    net = Network(name, 18, (1, 3, size, size))
    x = net.relu(net.conv("image", 64, 7, 2))
    x = net.max_pool(x, 3, 2, (1, 1, 1, 1))
    for stage, depth in enumerate(depths):
        for i in range(depth):
            x = block(net, x, 64 << stage, 2 if stage and not i else 1)
    return net.model({net.classifier(x, CLASSES): (1, CLASSES)})


def resnet18(size: int = 224) -> onnx.ModelProto:
    """ResNet-18."""
    return _resnet("resnet18", size, _basic_block, (2, 2, 2, 2))


def resnet50(size: int = 224) -> onnx.ModelProto:
    """ResNet-50 (stride on the 3x3 convolution)."""
    return _resnet("resnet50", size, _bottleneck, (3, 4, 6, 3))


def mobilenet_v1(size: int = 224) -> onnx.ModelProto:
    """MobileNet version 1, width 1."""
    net = Network("mobilenet_v1", 1, (1, 3, size, size))
    x = net.relu(net.conv("image", 32, 3, 2))
    for channels, stride in (
        (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
        *[(512, 1)] * 5, (1024, 2), (1024, 1),
    ):  # fmt: skip
        x = net.relu(net.conv(x, net.channels(x), 3, stride, group=net.channels(x)))
        x = net.relu(net.conv(x, channels, 1))
    return net.model({net.classifier(x, CLASSES): (1, CLASSES)})


def _inverted_residual(net: Network, x: str, channels: int, stride: int, expansion: int) -> str:
    hidden = net.channels(x) * expansion
    y = x if expansion == 1 else net.relu6(net.conv(x, hidden, 1))
    y = net.relu6(net.conv(y, hidden, 3, stride, group=hidden))
    y = net.conv(y, channels, 1, gain=1.0)
    return net.add(x, y) if stride == 1 and net.channels(x) == channels else y


def mobilenet_v2(size: int = 224) -> onnx.ModelProto:
    """MobileNet version 2, width 1."""
    net = Network("mobilenet_v2", 2, (1, 3, size, size))
    x = net.relu6(net.conv("image", 32, 3, 2))
    for expansion, channels, depth, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(depth):
            x = _inverted_residual(net, x, channels, stride if not i else 1, expansion)
    x = net.relu6(net.conv(x, 1280, 1))
    return net.model({net.classifier(x, CLASSES): (1, CLASSES)})


def tiny_yolo(size: int = 416) -> onnx.ModelProto:
    """The tiny YOLO version 3 topology: two detection heads, leaky rectifiers of slope 1/8."""
    net = Network("tiny_yolo", 3, (1, 3, size, size))

    def layer(x: str, channels: int, kernel: int) -> str:
        return net.leaky_relu(net.conv(x, channels, kernel), 0.125)

    x, route = "image", ""
    for channels in (16, 32, 64, 128, 256):
        x = layer(x, channels, 3)
        route = x
        x = net.max_pool(x, 2, 2)
    x = net.max_pool(layer(x, 512, 3), 2, 1, (0, 0, 1, 1))
    x = layer(layer(x, 1024, 3), 256, 1)
    coarse = net.conv(layer(x, 512, 3), TINY_YOLO_OUTPUTS, 1, gain=1.0, norm=False)
    x = net.concat([net.upsample(layer(x, 128, 1), 2), route])
    fine = net.conv(layer(x, 256, 3), TINY_YOLO_OUTPUTS, 1, gain=1.0, norm=False)
    grid = size // 32
    return net.model(
        {
            coarse: (1, TINY_YOLO_OUTPUTS, grid, grid),
            fine: (1, TINY_YOLO_OUTPUTS, 2 * grid, 2 * grid),
        }
    )


TOPOLOGIES = {
    "resnet18": resnet18,
    "resnet50": resnet50,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "tiny_yolo": tiny_yolo,
}
"""Every topology by name; each takes the image's height and width."""


def build(name: str, size: int | None = None) -> onnx.ModelProto:
    """Build a topology, at its usual image size unless `size` (a multiple of 32) is given."""
    function = TOPOLOGIES[name]
    return function() if size is None else function(size)


def main() -> None:
    """Write one topology."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("name", choices=TOPOLOGIES)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--size", type=int, help="image height and width, a multiple of 32")
    options = parser.parse_args()
    onnx.save(build(options.name, options.size), options.output)


if __name__ == "__main__":
    main()
