"""Architectures of MXNet's Gluon with random weights, as HybridBlock.export writes them: see ../architectures.py.

    pip install mxnet==1.9.1 numpy==1.23.5
"""
import numpy as np

import common  # beside this file

SIZES = {"alexnet": 224, "densenet121": 224, "inceptionv3": 299, "mobilenet1.0": 224, "mobilenetv2_1.0": 224, "resnet18_v1": 224, "resnet50_v2": 224,
         "squeezenet1.1": 224, "vgg11_bn": 224}


def make(name, folder):
    import mxnet as mx
    mx.random.seed(0)
    random = np.random.default_rng(0)
    net = mx.gluon.model_zoo.vision.get_model(name, classes=100)
    net.initialize(mx.init.Xavier())
    net.hybridize()
    image = random.uniform(0, 1, (1, 3, SIZES[name], SIZES[name])).astype(np.float32)
    net(mx.nd.array(image))  # the sizes of parameters follow from the data
    for key, parameter in net.collect_params().items():
        if key.endswith(("running_mean", "running_var")):
            low, high = (-0.1, 0.1) if key.endswith("mean") else (0.5, 1.5)
            parameter.set_data(mx.nd.array(random.uniform(low, high, parameter.shape)))
    result = net(mx.nd.array(image)).asnumpy()
    net.export(str(folder / "model"), epoch=0)
    common.record(folder, {"symbol.json": "model-symbol.json"}, [image], [result])


if __name__ == "__main__":
    common.main({"MXNet Gluon": list(SIZES)}, make, "MXNet 1.9.1")
