"""The network of the Fashion-MNIST example: small, but with the shapes that make int8 compilers work.

Depthwise convolutions and ReLU6 (inverted residuals), plain 3x3 convolutions and ReLU, residual adds after which a ReLU
follows or does not, Concat of branches with different ranges, max, average and global pooling, and a Gemm.
"""
import torch
from torch import nn


def conv(inputs, outputs, kernel, stride=1, groups=1, activation=None):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
              nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class InvertedResidual(nn.Module):
    """x + project(depthwise(expand(x))), no activation after the sum (MobileNetV2)."""

    def __init__(self, channels, expansion=2):
        super().__init__()
        inner = channels * expansion
        self.body = nn.Sequential(conv(channels, inner, 1, activation=nn.ReLU6),
                                  conv(inner, inner, 3, groups=inner, activation=nn.ReLU6),
                                  conv(inner, channels, 1))

    def forward(self, x):
        return x + self.body(x)


class Residual(nn.Module):
    """relu(x + conv(conv(x))) with plain 3x3 convolutions (ResNet)."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels, 3, activation=nn.ReLU), conv(channels, channels, 3))

    def forward(self, x):
        return torch.relu(x + self.body(x))


class Reduction(nn.Module):
    """concat(strided convolution, pool): halves height and width and adds `grow` channels."""

    def __init__(self, inputs, grow, pool):
        super().__init__()
        self.conv = conv(inputs, grow, 3, stride=2, activation=nn.ReLU)
        self.pool = pool

    def forward(self, x):
        return torch.cat([self.conv(x), self.pool(x)], dim=1)


class Network(nn.Module):
    """float32 images [N,1,28,28] -> logits [N,10]; 184,858 parameters, 19 million multiply-adds an image."""

    def __init__(self, classes=10):
        super().__init__()
        self.features = nn.Sequential(
            conv(1, 16, 3, activation=nn.ReLU6),     # 28x28
            Reduction(16, 32, nn.MaxPool2d(2)),      # 14x14, 48 channels
            InvertedResidual(48),
            Residual(48),
            InvertedResidual(48),
            Reduction(48, 48, nn.AvgPool2d(2)),      # 7x7, 96 channels
            InvertedResidual(96),
            InvertedResidual(96),
            conv(96, 160, 1, activation=nn.ReLU),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten())
        self.classifier = nn.Linear(160, classes)

    def forward(self, image):
        return self.classifier(self.features(image))
