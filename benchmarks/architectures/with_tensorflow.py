"""Architectures of keras.applications with random weights, as Keras and TensorFlow save them and as they are converted to TFLite: see ../architectures.py.

    pip install tensorflow-cpu
"""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import numpy as np

import common  # beside this file

SIZES = {"ConvNeXtTiny": 224, "DenseNet121": 224, "EfficientNetB0": 224, "EfficientNetV2B0": 224, "InceptionV3": 299, "MobileNet": 224, "MobileNetV2": 224,
         "MobileNetV3Small": 224, "NASNetMobile": 224, "ResNet50": 224, "ResNet50V2": 224, "Xception": 299}
TFLITE = {"DenseNet121": 224, "EfficientNetB0": 224, "InceptionV3": 299, "MobileNetV2": 224, "MobileNetV3Small": 224, "NASNetMobile": 224, "ResNet50V2": 224}


def network(name):
    import keras
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, classes=100)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(random.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(random.uniform(0.5, 1.5, layer.moving_variance.shape))
    size = SIZES[name]
    # Some have their normalization inside and take bytes.
    return model, random.uniform(0, 255 if "Efficient" in name or "V3Small" in name or "ConvNeXt" in name else 1, (1, size, size, 3)).astype(np.float32)


def make(name, folder):
    model, image = network(name.removeprefix("tflite "))
    result = model(image, training=False).numpy()
    if name.startswith("tflite "):
        import tensorflow as tf
        (folder / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
        models = {".tflite": "model.tflite"}
    else:
        model.save(folder / "model.keras")
        model.save(folder / "model.h5")
        model.export(str(folder / "saved"), verbose=False)
        models = {".keras": "model.keras", ".h5": "model.h5", "SavedModel": "saved"}
    common.record(folder, models, [image], [result])


if __name__ == "__main__":
    from importlib.metadata import version
    common.main({"keras.applications": list(SIZES), "TFLite": ["tflite " + name for name in TFLITE]}, make,
                f"Keras {version('keras')}, TensorFlow {version('tensorflow-cpu')}")
