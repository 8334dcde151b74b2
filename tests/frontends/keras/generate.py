#!/usr/bin/env python3
"""Makes the Keras models of this folder and records what Keras computes, in two environments:

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 && python tests/frontends/keras/generate.py 3
    pip install tensorflow-cpu==2.21.0 tf-keras==2.21.0 && python tests/frontends/keras/generate.py 2

Names of parts behind the version make those alone. A model is kV_NAME.h5 or kV_NAME.keras (V: the version of Keras that wrote it) and kV_NAME.npz with the arrays in_INPUT and out0, out1, ... Each has many
layers and an output for each, so that there are few files. Archives are packed again, because Keras stores everything as it is. refused.json says what the
messages about models must say that cannot be imported. The files tiny_*.h5 hold one model in the forms of HDF5 that Keras itself does not choose.
"""
import json
import os
import pathlib
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import h5py
import numpy as np

VERSION = int(sys.argv[1])
if VERSION == 2:
    import tf_keras as keras
else:
    import keras
L = keras.layers
HERE = pathlib.Path(__file__).parent
random = np.random.default_rng(7)


def array(*shape, low=-64, high=64):
    """Few bits, so that the files are small."""
    return (random.integers(low, high, shape) / 64).astype(np.float32)


def randomize(model):
    for weight in model.weights:
        name = getattr(weight, "path", weight.name)
        shape = tuple(weight.shape)
        if "seed" in name or "count" in name:
            continue
        positive = any(kind in name for kind in ("variance", "gamma"))
        weight.assign(array(*shape, low=8 if positive else -48, high=64 if positive else 48))
    for layer in model.layers:
        if isinstance(layer, L.Normalization):
            layer.finalize_state()


def save(model, name, ending):
    path = HERE / f"k{VERSION}_{name}{ending}"
    model.save(path, **({"include_optimizer": False} if ending == ".h5" else {}))
    if ending == ".keras":
        with zipfile.ZipFile(path) as old:
            entries = {entry: old.read(entry) for entry in old.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
            for entry, content in entries.items():
                new.writestr(zipfile.ZipInfo(entry, (2000, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 9)


def record(name, model, feeds, endings=(".h5", ".keras"), twin=None):
    """`twin` gives the outputs where this machine cannot compute the model."""
    if not isinstance(feeds, dict):
        feeds = {model.inputs[0].name.split(":")[0]: feeds}
    randomize(model)
    names = [i.name.split(":")[0] for i in model.inputs]
    values = [feeds[n] for n in names]
    outputs = twin(model, values) if twin else model(values if len(values) > 1 else values[0], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for ending in endings:
        # One name for each file, because the arrays are found by it.
        full = f"{name}{'_archive' if ending == '.keras' and len(endings) > 1 else ''}"
        save(model, full, ending)
        arrays = {f"in_{n}": v for n, v in zip(names, values)} | {f"out{i}": np.asarray(o) for i, o in enumerate(outputs)}
        np.savez_compressed(HERE / f"k{VERSION}_{full}.npz", **arrays)


def branches(name, shape, build, endings=None, dtype="float32", feed=None):
    x = keras.Input(shape, name="x", dtype=dtype)
    outputs = build(x)
    record(name, keras.Model(x, outputs), {"x": array(2, *shape) if feed is None else feed},
           endings or ((".h5",) if VERSION == 2 else (".keras",)))


def images(x):
    y = [L.Conv2D(3, 3)(x), L.Conv2D(4, (3, 2), strides=(2, 1), padding="same", activation="relu")(x),
         L.Conv2D(2, 3, dilation_rate=2, use_bias=False, padding="same")(x), L.DepthwiseConv2D(3, depth_multiplier=2)(x),
         L.DepthwiseConv2D(2, strides=2, padding="same", use_bias=False)(x), L.SeparableConv2D(5, 3, padding="same", activation="tanh")(x),
         L.SeparableConv2D(3, 2, depth_multiplier=2, use_bias=False)(x)]
    y += [L.Conv2DTranspose(3, 3)(x), L.Conv2DTranspose(3, 3, strides=2, padding="same")(x), L.Conv2DTranspose(2, 2, strides=3, padding="same")(x),
          L.Conv2DTranspose(2, 2, strides=3)(x), L.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1)(x),
          L.Conv2DTranspose(2, 3, strides=2, output_padding=1, use_bias=False)(x)]
    y += [L.MaxPooling2D()(x), L.MaxPooling2D(3, strides=2, padding="same")(x), L.AveragePooling2D((2, 3), strides=1)(x),
          L.AveragePooling2D(3, padding="same")(x), L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D(keepdims=True)(x)]
    y += [L.ZeroPadding2D(((1, 2), (0, 3)))(x), L.ZeroPadding2D(2)(x), L.Cropping2D(((1, 0), (2, 1)))(x), L.Cropping2D(1)(x), L.UpSampling2D((2, 3))(x),
          L.UpSampling2D(2, interpolation="bilinear")(x), L.Resizing(5, 11)(x), L.Resizing(6, 7, interpolation="nearest")(x)]
    conv = L.Conv2D(3, 3)(x)
    y += [L.BatchNormalization()(conv), L.BatchNormalization(scale=False, center=False, epsilon=0.01)(x), L.GroupNormalization(2)(x),
          L.GroupNormalization(-1, scale=False)(x), L.LayerNormalization()(x), L.LayerNormalization(axis=[2, 3], center=False)(x),
          L.LayerNormalization(scale=False)(x), L.UnitNormalization()(conv), L.PReLU()(conv), L.PReLU(shared_axes=[1, 2])(conv)]
    y += [L.Dense(3)(L.Flatten()(conv)), L.Dense(2, activation="softmax")(x), L.Reshape((-1, 6))(x), L.Permute((3, 1, 2))(x), L.SpatialDropout2D(0.5)(conv),
          L.Softmax(axis=-2)(conv), L.Softmax()(conv), L.Concatenate()([conv, L.Conv2D(2, 3)(x)]), L.Concatenate(axis=1)([conv, conv])]
    return y


def bicubic(x):
    """TensorFlow takes its coefficients from a table, which costs three digits."""
    return [L.Resizing(12, 10, interpolation="bicubic")(x), L.UpSampling2D(2, interpolation="bicubic")(x)]


def preprocessing(x):
    given = L.Normalization(mean=[0.5, 1.5, 2.5], variance=[1.0, 4.0, 0.25])
    conv = L.Conv2D(2, 3)
    y = [L.Rescaling(1 / 64, offset=-0.5)(x), conv(given(L.Rescaling(1 / 64)(x))), L.Normalization(axis=None, mean=3.0, variance=4.0)(x),
         L.Normalization(mean=[0.5, 1.5, 2.5], variance=[1.0, 4.0, 0.25], invert=True)(x), L.Resizing(14, 12)(x)]
    for layer in (L.RandomFlip(), L.RandomRotation(0.2), L.RandomZoom(0.2), L.RandomContrast(0.2), L.RandomTranslation(0.1, 0.1), L.RandomBrightness(0.2)):
        x = layer(x)
    learnt = L.Normalization()
    learnt.build((None, 7, 6, 3))
    return y + [conv(learnt(x))] + ([conv(L.Rescaling([0.5, 0.25, 0.125], offset=[1.0, 2.0, 3.0])(x))] if VERSION == 3 else [])


def sequences(x):
    y = [L.Conv1D(3, 3)(x), L.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="gelu")(x), L.Conv1D(2, 3, strides=2, padding="same")(x),
         L.DepthwiseConv1D(3, depth_multiplier=2)(x), L.SeparableConv1D(3, 3, padding="same")(x), L.Conv1DTranspose(3, 3, strides=2, padding="same")(x),
         L.MaxPooling1D(2)(x), L.AveragePooling1D(3, strides=2, padding="same")(x), L.GlobalAveragePooling1D()(x), L.GlobalMaxPooling1D()(x)]
    y += [L.ZeroPadding1D((1, 2))(x), L.Cropping1D((1, 2))(x), L.UpSampling1D(3)(x), L.Dense(3, activation="relu")(x), L.BatchNormalization()(x),
          L.BatchNormalization()(L.Conv1D(3, 2)(x)), L.LayerNormalization(epsilon=1e-5)(x), L.LayerNormalization(axis=[1, 2])(x), L.SpatialDropout1D(0.3)(x),
          L.GaussianNoise(0.1)(x), L.GaussianDropout(0.1)(x), L.AlphaDropout(0.1)(x), L.ActivityRegularization(0.1)(x), L.Masking(0.25)(x)]
    y += [L.TimeDistributed(L.Dense(3))(x), L.TimeDistributed(L.BatchNormalization())(x), L.TimeDistributed(L.Reshape((2, 2)))(x),
          L.RepeatVector(3)(L.Flatten()(x)), L.Dropout(0.5)(x)]
    convnext = keras.src.applications.convnext
    y += [L.Identity()(x), convnext.LayerScale(0.5, 4)(x), convnext.StochasticDepth(0.5)(x)]
    if VERSION == 3:
        y += [L.RMSNormalization()(x)]
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="tanh"), L.Dense(2)])
    return y + [L.TimeDistributed(inner)(x)]


def frames(x):
    inner = keras.Sequential([keras.Input((5, 4, 2)), L.Conv2D(2, 2), L.GlobalMaxPooling2D()])
    return [L.TimeDistributed(L.Conv2D(3, 2, activation="relu"))(x), L.TimeDistributed(L.Flatten())(x), L.TimeDistributed(inner)(x)]


def cells():
    """Layers that are made of cells or wrap others, and attentions but for those of `attention`."""
    x, other, ids = keras.Input((6, 4), name="x"), keras.Input((5, 4), name="other"), keras.Input((6,), dtype="int32", name="ids")
    y = [L.RNN(L.LSTMCell(3), return_sequences=True)(x), L.RNN(L.GRUCell(3), go_backwards=True)(x), L.RNN(L.GRUCell(2, reset_after=False))(x),
         L.RNN(L.SimpleRNNCell(3, activation="relu", use_bias=False))(x), *L.RNN(L.LSTMCell(2), return_state=True)(x),
         L.RNN(L.LSTMCell(3))(x, initial_state=[L.Dense(3)(L.Flatten()(x)), L.Dense(3)(L.Flatten()(x))]), L.Bidirectional(L.RNN(L.GRUCell(2)))(x),
         L.TimeDistributed(L.RNN(L.LSTMCell(2)))(L.Reshape((2, 3, 4))(x)), L.RNN(L.LSTMCell(2))(L.Masking(0.5)(x))]
    y += [L.AdditiveAttention()([x, other]), L.AdditiveAttention(use_scale=False)([x, other, other]), L.Attention(score_mode="concat")([x, other]),
          L.Attention(score_mode="concat", use_scale=True)([other, x]), L.AdditiveAttention()([x, L.Masking(0.5)(x)])]
    if VERSION == 3:
        y += [L.SpectralNormalization(L.Dense(3, activation="tanh"))(x), L.SpectralNormalization(L.Conv1D(3, 2))(x)]
        G = L.GroupQueryAttention
        y += [G(2, 4, 2)(x, other), G(3, 4, 1, use_bias=False)(x, x, use_causal_mask=True), G(2, 2, 2)(x, other, other)]
        table, untied = L.ReversibleEmbedding(7, 4, logit_soft_cap=2.0), L.ReversibleEmbedding(7, 4, tie_weights=False)
        y += [table(ids), table(x, reverse=True), untied(x, reverse=True), L.LSTM(2)(L.ReversibleEmbedding(7, 3, mask_zero=True)(ids))]
    values = array(2, 6, 4)
    values[0, 4:] = values[1, ::2] = 0.5
    record("cells", keras.Model([x, other, ids], y), {"x": values, "other": array(2, 5, 4), "ids": random.integers(0, 7, (2, 6)).astype(np.int32)},
           (".h5", ".keras"))


def categories():
    x, single, ids = keras.Input((3, 2), name="x"), keras.Input((1,), name="single"), keras.Input((4,), dtype="int64", name="ids")
    bounds = [-0.5, 0.25, 0.5]
    y = [L.Discretization(bounds)(x), L.Discretization(bounds, output_mode="one_hot")(single), L.Discretization(bounds, output_mode="multi_hot")(L.Flatten()(x)),
         L.Discretization(bounds, output_mode="count")(L.Flatten()(x)), L.CategoryEncoding(6)(ids), L.CategoryEncoding(6, output_mode="count")(ids),
         L.CategoryEncoding(4, output_mode="one_hot")(L.Discretization(bounds)(single))]
    y += [L.IntegerLookup(vocabulary=[5, 1, 3])(ids), L.IntegerLookup(vocabulary=[5, 1, 3], mask_token=0)(ids)]
    values = array(2, 3, 2)
    values[0, 0] = bounds[:2]
    record("categories", keras.Model([x, single, ids], y), {"x": values, "single": array(2, 1), "ids": np.array([[5, 0, 3, 2], [1, 1, 0, 4]])}, (".keras",))


def augmentations(x):
    """They leave pictures as they are, or change all of them alike."""
    names = {"RandomErasing": {}, "RandomPerspective": {}, "RandomShear": {"x_factor": 0.2}, "RandomColorJitter": {"contrast_factor": 0.2}, "RandomHue": {"factor": 0.2},
             "RandomInvert": {}, "RandomPosterization": {"factor": 3}, "RandomSaturation": {"factor": 0.3}, "RandomSharpness": {"factor": 0.3}, "RandomGrayscale": {},
             "RandomGaussianBlur": {}, "RandomElasticTransform": {}, "RandomColorDegeneration": {"factor": 0.4}, "AugMix": {}, "CutMix": {}, "MixUp": {}, "RandAugment": {},
             "Solarization": {}, "RandomFlip": {}}
    y = L.RandomFlip()(x)
    if VERSION == 2:
        return [L.RandomHeight(0.2)(L.RandomWidth(0.2)(y)), L.CenterCrop(5, 4)(x), L.Conv2D(2, 3)(L.CenterCrop(8, 3)(y))]
    for name, options in names.items():
        y = getattr(L, name)(**options)(y)
    shapes = {1: ((8, 18), 4), 2: ((8, 6, 3), (4, 3)), 3: ((4, 2, 6, 3), (2, 1, 3))}
    pools = [getattr(L, f"Adaptive{kind}Pooling{axes}D")(size)(L.Reshape(shape)(y)) for kind in ("Average", "Max") for axes, (shape, size) in shapes.items()]
    return [y, L.CenterCrop(5, 4)(x), L.Conv2D(2, 3)(L.CenterCrop(8, 3)(y)), *pools, L.AdaptiveMaxPooling2D(1)(y)]


def volumes(x):
    return [L.Conv3D(2, 2)(x), L.Conv3D(3, 3, strides=2, padding="same", activation="relu")(x), L.Conv3DTranspose(2, 2, strides=2)(x), L.MaxPooling3D()(x),
            L.AveragePooling3D(2, padding="same")(x), L.GlobalAveragePooling3D()(x), L.GlobalMaxPooling3D()(x), L.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))(x),
            L.Cropping3D(1)(x), L.UpSampling3D((1, 2, 2))(x), L.BatchNormalization()(x), L.SpatialDropout3D(0.5)(x), L.Dense(2)(L.Flatten()(x))]


def activations(x):
    names = ["elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax",
             "softplus", "softsign", "swish", "tanh"]
    if VERSION == 2:
        names = [n for n in names if hasattr(keras.activations, n)]
    else:
        names += ["celu", "hard_silu", "hard_tanh", "log_sigmoid", "tanh_shrink"]
    y = [L.Activation(n)(x) for n in names] + [L.Dense(3, activation=n)(x) for n in ("relu", "softmax")]
    y += [L.ReLU()(x), L.ReLU(max_value=1.0)(x), L.ReLU(max_value=1.0, negative_slope=0.25)(x), L.ReLU(negative_slope=0.25)(x), L.LeakyReLU()(x),
          L.LeakyReLU(0.1)(x), L.ELU(0.5)(x), L.PReLU()(x), L.Softmax()(x)]
    return y + ([L.ThresholdedReLU(0.5)(x)] if VERSION == 2 else [])


def operators(a, b):
    if VERSION == 3:
        o = keras.ops
        y = [o.maximum(a, b), o.minimum(a, 0.25), o.add(a, b), o.divide(a, 2.0), o.absolute(a), o.abs(b), o.exp(a), o.log(o.exp(b)), o.negative(a),
             o.sqrt(o.square(a)), o.relu(a), o.relu6(b * 8.0), o.sigmoid(a), o.silu(a), o.tanh(a), o.power(o.abs(a), 1.5), o.clip(a, -0.5, 0.25), o.softmax(a),
             o.matmul(a, o.transpose(b, (0, 2, 1))), o.expand_dims(a, 1), o.reshape(a, (-1, 2, 6)), o.concatenate([a, b], axis=1)]
        return y + [o.max(a, axis=1), o.mean(a, axis=[1, 2], keepdims=True), o.min(a, axis=-1), o.sum(a, axis=(1, 2))]
    import tensorflow as tf
    m = tf.math
    y = [m.maximum(a, b), m.minimum(a, 0.25), m.add(a, b), m.divide(a, 2.0), m.subtract(a, b), m.multiply(a, b), m.abs(a), m.exp(a), m.log(m.exp(b)),
         m.negative(a), m.sqrt(m.square(a)), tf.nn.relu(a), tf.nn.relu6(b * 8.0), m.sigmoid(a), tf.nn.silu(a), m.tanh(a), m.pow(m.abs(a), 1.5),
         tf.clip_by_value(a, -0.5, 0.25), tf.nn.softmax(a), tf.linalg.matmul(a, tf.transpose(b, (0, 2, 1))), tf.expand_dims(a, 1), tf.reshape(a, (-1, 2, 6)),
         tf.concat([a, b], axis=1)]
    return y + [m.reduce_max(a, axis=1), m.reduce_mean(a, axis=[1, 2], keepdims=True), m.reduce_min(a, axis=-1), m.reduce_sum(a, axis=(1, 2))]


def merging():
    a, b = keras.Input((3, 4), name="a"), keras.Input((3, 4), name="b")
    row, line = keras.Input((4,), name="row"), keras.Input((4,), name="line")
    y = [L.Add()([a, b, a]), L.Subtract()([a, b]), L.Multiply()([a, b]), L.Average()([a, b, b]), L.Maximum()([a, b]), L.Minimum()([a, b]),
         L.Concatenate()([a, b]), L.Concatenate(axis=1)([a, b]), L.Dot(axes=1)([row, line]), L.Dot(axes=(2, 2))([a, b]), L.Dot(axes=1, normalize=True)([row, line]),
         L.Dot(axes=(2, 1))([a, row]), L.Dot(axes=1)([a, b])]
    y += [a + b, a - b, a * b, a / (b + 3.0), a * 2.0, 1.0 - a, a + 1.0]
    y += operators(a, b)
    feeds = {"a": array(2, 3, 4), "b": array(2, 3, 4), "row": array(2, 4), "line": array(2, 4)}
    record("merging", keras.Model([a, b, row, line], y), feeds, (".h5",) if VERSION == 2 else (".keras",))


def recurrent(x):
    y = [L.LSTM(3)(x), L.LSTM(3, return_sequences=True, use_bias=False)(x), L.LSTM(2, go_backwards=True, return_sequences=True)(x), L.GRU(3)(x),
         L.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid")(x), L.GRU(3, reset_after=False, return_sequences=True)(x),
         L.GRU(2, use_bias=False, go_backwards=True)(x), L.SimpleRNN(3, return_sequences=True)(x), L.SimpleRNN(2, activation="linear")(x)]
    y += [*L.LSTM(3, return_state=True)(x), *L.GRU(3, return_state=True, return_sequences=True)(x), *L.SimpleRNN(2, return_state=True)(x)]
    y += [L.Bidirectional(L.LSTM(3))(x), L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum")(x),
          L.Bidirectional(L.SimpleRNN(2, return_sequences=True), merge_mode="ave")(x), L.Bidirectional(L.LSTM(2, return_sequences=True), merge_mode="mul")(x),
          *L.Bidirectional(L.LSTM(2, return_state=True))(x)]
    states = [L.Dense(3)(L.Flatten()(x)), L.Dense(3)(L.Flatten()(x))]
    y += [L.LSTM(3)(x, initial_state=states), L.GRU(3, return_sequences=True)(x, initial_state=states[0])]
    stack = keras.Sequential([keras.Input((5, 4)), L.LSTM(3, return_sequences=True), L.Bidirectional(L.LSTM(2)), L.Dense(2)])
    return y + [stack(x), L.TimeDistributed(L.LSTM(2))(L.Reshape((1, 5, 4))(x))]


def pictures():
    """LSTMs of lines, pictures and volumes."""
    x = keras.Input((3, 5, 4, 2), name="x")
    state = L.Conv2D(3, 3, padding="same")(L.Reshape((5, 4, 6))(x))
    C = L.ConvLSTM2D
    y = [C(3, 3, padding="same")(x), C(2, (3, 2), strides=(2, 1), return_sequences=True, use_bias=False)(x), *C(2, 2, return_state=True, go_backwards=True)(x),
         C(3, 3, padding="same", return_sequences=True, go_backwards=True, activation="relu", recurrent_activation="hard_sigmoid")(x),
         C(3, 3, padding="same")(x, initial_state=[state, L.ReLU()(state)]), C(2, 2, dilation_rate=2)(C(3, 3, padding="same", return_sequences=True)(x)),
         L.ConvLSTM1D(2, 3, padding="same", return_sequences=True)(L.Reshape((3, 5, 8))(x)), L.ConvLSTM3D(2, 2)(L.Reshape((3, 5, 2, 2, 2))(x))]
    record("pictures", keras.Model(x, y), {"x": array(2, 3, 5, 4, 2)}, (".keras",))


def cudnn():
    """What layers that only a GPU runs have written. What they compute is what those give that Keras loads the same file into."""
    from tf_keras.src.layers.rnn.cudnn_gru import CuDNNGRU
    from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM

    def network(lstm, gru, **more):
        x = keras.Input((5, 4), name="x")
        return keras.Model(x, [lstm(3, return_sequences=True)(x), *lstm(2, return_state=True)(x), gru(3, **more)(x), L.Bidirectional(lstm(2))(x)])

    model = network(CuDNNLSTM, CuDNNGRU)
    randomize(model)
    save(model, "cudnn", ".h5")
    same = network(L.LSTM, L.GRU, reset_after=True)
    same.load_weights(HERE / "k2_cudnn.h5")
    x = array(2, 5, 4)
    np.savez_compressed(HERE / "k2_cudnn.npz", in_x=x, **{f"out{i}": y.numpy() for i, y in enumerate(same(x))})


def attention():
    a, b, mask = keras.Input((4, 6), name="a"), keras.Input((5, 6), name="b"), keras.Input((4, 5), dtype="bool", name="mask")
    y = [L.MultiHeadAttention(2, 3)(a, b), L.MultiHeadAttention(2, 3, value_dim=4, use_bias=False)(a, a, use_causal_mask=True),
         L.MultiHeadAttention(1, 4, output_shape=5)(a, b, attention_mask=mask), L.MultiHeadAttention(2, 2)(a, b, key=L.Dense(6)(b)),
         L.Attention()([a, b]), L.Attention(use_scale=True)([a, b, L.Dense(6)(b)])]
    inner_in = keras.Input((4, 6))
    normed = L.LayerNormalization(epsilon=1e-6)(inner_in)
    block = L.Add()([inner_in, L.MultiHeadAttention(3, 2)(normed, normed)])
    block = L.Add()([block, L.Dense(6)(L.Dense(8, activation="gelu")(L.LayerNormalization(epsilon=1e-6)(block)))])
    y += [keras.Model(inner_in, block, name="encoder")(a)]
    mask_values = random.integers(0, 2, (2, 4, 5)).astype(bool)
    mask_values[:, :, 2] = True
    record("attention", keras.Model([a, b, mask], y), {"a": array(2, 4, 6), "b": array(2, 5, 6), "mask": mask_values})


def masks():
    """Steps that are left out: at the end, in the middle, at the beginning, all of a sequence."""
    ids, x = keras.Input((6,), dtype="int32", name="ids"), keras.Input((6, 4), name="x")
    a = L.Embedding(7, 4, mask_zero=True)(ids)
    b = L.Masking(0.5)(x)
    y = [L.LSTM(3)(a), L.LSTM(3, return_sequences=True)(b), *L.LSTM(2, return_state=True)(a), L.GRU(3, go_backwards=True, return_sequences=True)(a),
         L.GRU(2, reset_after=False)(b), L.SimpleRNN(3, return_sequences=True, zero_output_for_mask=True)(a), L.Bidirectional(L.LSTM(2, return_sequences=True))(a),
         L.Bidirectional(L.GRU(2), merge_mode="sum")(b), L.LSTM(3)(b, initial_state=[L.Dense(3)(L.Flatten()(x)), L.Dense(3)(L.Flatten()(x))])]
    y += [L.LSTM(2)(L.Bidirectional(L.LSTM(2, return_sequences=True))(L.Dropout(0.2)(L.Dense(3, activation="relu")(a)))),  # handed on
          L.LSTM(2)(L.Conv1D(3, 1)(a)),  # lost
          L.GRU(2)(L.Add()([a, b])), L.GRU(2)(L.Add()([a, x])), L.GRU(2)(L.Concatenate()([a, b])), L.GRU(2)(L.Concatenate(axis=1)([a, b])),
          L.LSTM(2)(L.TimeDistributed(L.Dense(3))(a)), L.LSTM(2)(L.TimeDistributed(L.LayerNormalization())(b))]
    y += [L.GlobalAveragePooling1D()(a), L.GlobalAveragePooling1D(keepdims=True)(L.LayerNormalization()(b)) if VERSION == 3 else L.GlobalAveragePooling1D()(b)]
    y += [L.MultiHeadAttention(2, 3)(a, b), L.MultiHeadAttention(2, 2)(a, a, use_causal_mask=True), L.MultiHeadAttention(1, 2)(x, a, key=b),
          L.LSTM(2)(L.MultiHeadAttention(1, 2)(a, x)), L.Attention()([a, b]), L.Attention()([x, a]), L.GRU(2)(L.Attention()([b, x]))]
    scores, counts = keras.Input((3, 5), name="scores"), keras.Input((3, 5), dtype="bool", name="counts")
    y += [L.Softmax()(scores, mask=counts)]
    steps = keras.Sequential([keras.Input((6, 4)), L.Masking(0.5), L.GRU(3, return_sequences=True), L.LayerNormalization(), L.LSTM(2)])
    y += [steps(x)]
    values = array(3, 6, 4)
    values[0, 4:] = values[1, ::2] = values[2, :1] = 0.5
    feeds = {"ids": np.array([[3, 1, 5, 2, 0, 0], [0, 4, 0, 6, 1, 0], [0, 0, 2, 0, 0, 3]], np.int32), "x": values, "scores": array(3, 3, 5),
             "counts": (random.integers(0, 3, (3, 3, 5)) > 0) | (np.arange(5) == 2)}
    record("masks", keras.Model([ids, x, scores, counts], y), feeds, (".keras",))
    nothing = np.zeros((2, 6), np.int32)
    nothing[1, 3] = 5
    start = [L.Dense(3)(L.Flatten()(x)), L.Dense(3)(L.Flatten()(x))]
    y = [*L.LSTM(3, return_state=True)(a, initial_state=start), L.GRU(3, return_sequences=True)(a, initial_state=start[0]), L.Bidirectional(L.GRU(2))(a),
         L.MultiHeadAttention(2, 2)(a, a, use_causal_mask=True), L.Attention()([a, a])]
    record("empty_sequences", keras.Model([ids, x], y), {"ids": nothing, "x": values[:2]}, (".h5",) if VERSION == 2 else (".keras",))
    masks_in_steps(x, values)


def masks_in_steps(x, values):
    """Of each step that a wrapper takes apart, and pictures that are left out."""
    T = L.TimeDistributed
    steps = L.Masking(0.5)(L.Reshape((2, 3, 4))(x))
    inner = keras.Sequential([keras.Input((3, 4)), L.Dense(3), L.GRU(3, return_sequences=True), L.GlobalAveragePooling1D()])
    y = [T(L.LSTM(3))(steps), T(L.GRU(2, return_sequences=True))(steps), T(L.Bidirectional(L.LSTM(2)))(steps), T(L.GlobalAveragePooling1D())(steps), T(inner)(steps),
         T(T(L.SimpleRNN(2)))(L.Masking(0.5)(L.Reshape((1, 2, 3, 4))(x)))]
    frames, counts = keras.Input((3, 5, 4, 2), name="frames"), keras.Input((3,), dtype="bool", name="counts")
    state = L.Conv2D(2, 3, padding="same")(L.Reshape((5, 4, 6))(frames))
    C = L.ConvLSTM2D
    y += [C(2, 2)(frames, mask=counts), C(2, 3, padding="same", return_sequences=True, go_backwards=True)(frames, mask=counts),
          *C(2, (3, 2), return_state=True, return_sequences=True, zero_output_for_mask=True)(frames, mask=counts), C(2, 2, zero_output_for_mask=True)(frames, mask=counts),
          C(1, 2)(C(2, 2, return_sequences=True)(frames, mask=counts))]
    if VERSION == 3:
        y += [C(2, 3, padding="same", return_sequences=True)(frames, initial_state=[state, L.ReLU()(state)], mask=counts)]
    feeds = {"x": values, "frames": array(3, 3, 5, 4, 2), "counts": np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)}
    record("masks_in_steps", keras.Model([x, frames, counts], y), feeds, (".keras",))


def einsum(x):
    """Products over each and several axes, of open and of other orders, with a bias along some of the axes of what they give."""
    E = L.EinsumDense
    wide = E("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de")(x)
    return [E("abc,cd->abd", output_shape=(None, 5), bias_axes="d", activation="relu")(x), E("...x,xy->...y", output_shape=5, bias_axes="y")(x), wide,
            E("abcd,cde->abe", output_shape=(None, 4), bias_axes="e")(wide), E("abc,bd->adc", output_shape=(7, 4), bias_axes="d")(x),
            E("abc,cd->abd", output_shape=(None, 3))(x), E("abc,bcd->ad", output_shape=2)(x), E("abcd,de->aebc", output_shape=(2, None, 2))(wide),
            E("abc,bcd->abd", output_shape=(6, 2), bias_axes="bd")(x)]


def graph():
    """Models within models, called once and twice, shared layers, several inputs and outputs, an input that is an output of another."""
    a, b = keras.Input((6, 5, 2), name="a"), keras.Input((6, 5, 2), name="b")
    i = keras.Input((6, 5, 2))
    shared = L.Conv2D(3, 3, padding="same", name="shared")
    inner = keras.Model(i, [shared(i), L.Dense(2, name="inside")(L.GlobalAveragePooling2D()(L.Conv2D(2, 3)(i)))], name="inner")
    deep_in = keras.Input((6, 5, 2))
    deep = keras.Model(deep_in, L.BatchNormalization(name="norm")(L.Conv2D(2, 1, name="point")(deep_in)), name="deep")
    outer_in = keras.Input((6, 5, 2))
    outer = keras.Model(outer_in, L.ReLU()(deep(outer_in)), name="outer")
    head = keras.Sequential([keras.Input((6, 5, 3)), L.Conv2D(2, 3, activation="relu"), L.Flatten(), L.Dense(3, name="last")], name="head")
    image, vector = inner(a)
    image2, vector2 = inner(b)
    y = [head(image), head(image2), L.Add()([vector, vector2]), L.Conv2D(2, 1)(outer(a)), outer(b), shared(a), vector2]
    feeds = {"a": array(2, 6, 5, 2), "b": array(2, 6, 5, 2)}
    record("graph", keras.Model([a, b], y), feeds, (".h5",) if VERSION == 2 else (".h5", ".keras"))
    # Archives of Keras 2 do not say which weights a layer has that several models share.
    alone = keras.Model([a, b], y[:5] + y[6:])
    if VERSION == 2:
        record("nested", alone, feeds, (".keras",))


def sequential():
    record("sequential", keras.Sequential([L.Conv2D(4, 3, input_shape=(8, 8, 3), activation="relu") if VERSION == 2 else keras.Input((8, 8, 3), name="image"),
                                           L.Conv2D(4, 3, use_bias=False), L.BatchNormalization(), L.ReLU(6.0), L.MaxPooling2D(), L.Dropout(0.3), L.Flatten(),
                                           L.Dense(5, activation="softmax", name="scores")]), array(2, 8, 8, 3))


def embedding():
    ids = keras.Input((5,), dtype="int32", name="ids")
    table = L.Embedding(7, 4)
    y = [table(ids), L.Dense(2)(L.Flatten()(L.Embedding(7, 3, mask_zero=True)(ids)))]
    record("embedding", keras.Model(ids, y), {"ids": random.integers(0, 7, (2, 5)).astype(np.int32)}, (".h5",) if VERSION == 2 else (".keras",))


def channels_first_layers(first):
    """The same layers for data in either order."""
    f = "channels_first" if first else "channels_last"
    axis = 1 if first else -1
    return [[L.Conv2D(3, 3, strides=2, padding="same", data_format=f), L.BatchNormalization(axis=axis), L.PReLU(shared_axes=[2, 3] if first else [1, 2]),
             L.MaxPooling2D(2, data_format=f)],
            [L.DepthwiseConv2D(3, data_format=f, activation="relu"), L.GlobalAveragePooling2D(data_format=f)],
            [L.SeparableConv2D(3, 3, data_format=f), L.Flatten(data_format=f), L.Dense(2)],
            [L.Conv2DTranspose(2, 3, strides=2, data_format=f), L.ZeroPadding2D(((1, 0), (2, 1)), data_format=f), L.AveragePooling2D(2, data_format=f)],
            [L.Cropping2D(1, data_format=f), L.UpSampling2D(2, data_format=f)], [L.GlobalMaxPooling2D(data_format=f, keepdims=True)],
            [L.GroupNormalization(2, axis=axis)]]


def channels_first():
    """Computed by layers that have their channels last, because CPUs cannot have them first in TensorFlow."""
    def chained(x, chains):
        outputs = []
        for chain in chains:
            y = x
            for layer in chain:
                y = layer(y)
            outputs.append(y)
        return outputs

    def twin(model, values):
        x = keras.Input((7, 8, 4))
        other = keras.Model(x, chained(x, channels_first_layers(False)))
        other.set_weights([w.reshape(v.shape) for w, v in zip(model.get_weights(), other.get_weights())])
        return [np.moveaxis(np.asarray(y), -1, 1) if len(y.shape) == 4 else y for y in other(np.moveaxis(values[0], 1, -1), training=False)]

    x = keras.Input((4, 7, 8), name="x")
    record("channels_first", keras.Model(x, chained(x, channels_first_layers(True))), array(2, 4, 7, 8), (".h5",) if VERSION == 2 else (".keras",), twin)


def refused():
    """Each with what the messages must say."""
    says = json.loads((HERE / "refused.json").read_text()) if (HERE / "refused.json").exists() else {}

    @keras.saving.register_keras_serializable("shop")
    class Sharpen(L.Layer):
        def call(self, x):
            return x * 2

    x = keras.Input((4,), name="x")
    y = Sharpen(name="sharpen")(L.Lambda(lambda v: v + 1, name="code")(x))
    y = L.Dense(2, activation="relu")(Sharpen(name="sharpen_more")(y))
    save(keras.Model(x, y), "own_classes", ".keras")
    says[f"k{VERSION}_own_classes.keras"] = ["operator Lambda is not supported", "never runs", "operator Sharpen is not supported", "(2 nodes)", "model.export"]
    if VERSION == 3:
        x, counts = keras.Input((2, 3, 4), name="x"), keras.Input((2,), dtype="bool", name="counts")
        save(keras.Model([x, counts], L.TimeDistributed(L.GlobalAveragePooling1D())(x, mask=counts)), "masks_of_steps", ".keras")
        says["k3_masks_of_steps.keras"] = ["operator GlobalAveragePooling1D", "a mask over the steps that TimeDistributed takes apart", "model.export"]
    if VERSION == 3:
        x, ids = keras.Input((5, 4), name="x"), keras.Input((5,), dtype="int64", name="ids")
        save(keras.Model(x, L.SpectralNormalization(L.Dense(2))(L.Masking()(x))), "wrapped", ".keras")
        says["k3_wrapped.keras"] = ["layer 'spectral_normalization", "wraps a layer whose data has a mask"]
        steps = L.Masking()(x)
        y = [L.GroupQueryAttention(2, 2, 1)(steps, steps), L.IntegerLookup(vocabulary=[1, 2], num_oov_indices=2)(ids), L.AdaptiveMaxPooling1D(2)(x),
             L.CenterCrop(6, 2)(L.Reshape((5, 4, 1))(x)), L.CategoryEncoding(3)(L.Reshape((5, 1))(ids))]
        save(keras.Model([x, ids], y), "limits", ".keras")
        says["k3_limits.keras"] = ["a mask over the steps of an attention", "another number of classes for what is not in its vocabulary", "do not divide those of the data",
                                   "smaller than what is cut out of them", "data that is not [N, classes]"]
    if VERSION == 2:
        x = keras.Input((4,), name="x")
        save(keras.Model(x, L.Dropout(0.5)(x, training=True)), "training", ".h5")
        says["k2_training.h5"] = ["training=True"]
        x, inner_x = keras.Input((4,), name="x"), keras.Input((4,))
        shared = L.Dense(4, name="shared")
        save(keras.Model(x, shared(keras.Model(inner_x, shared(inner_x))(x))), "shared", ".keras")
        says["k2_shared.keras"] = ["several models have the layer 'shared'", ".h5"]
    model = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    model.save_weights(HERE / f"k{VERSION}_only.weights.h5")
    says[f"k{VERSION}_only.weights.h5"] = ["an HDF5 file without a model", "model.save"]
    (HERE / "refused.json").write_text(json.dumps(says, indent=1, sort_keys=True) + "\n")


def tiny():
    """One dense layer of one and a half screens of weights, as the oldest and the newest HDF5 keep it, with chunks and without."""
    config = {"class_name": "Sequential", "config": {"name": "tiny", "layers": [
        {"class_name": "Dense", "config": {"name": "d", "batch_input_shape": [None, 20], "units": 6, "use_bias": True, "activation": "relu"}}]}}
    kernel, bias, x = array(20, 6), array(6), array(2, 20)
    forms = {"oldest": ("earliest", {}), "newest": ("latest", {}), "chunks": ("earliest", {"chunks": (8, 4), "compression": "gzip", "shuffle": True}),
             "sums": ("earliest", {"chunks": (20, 6), "fletcher32": True}), "lzf": ("earliest", {"chunks": (8, 4), "compression": "lzf"}),
             "newest_chunks": ("latest", {"chunks": (8, 4), "compression": "gzip"})}
    for name, (libver, how) in forms.items():
        with h5py.File(HERE / f"tiny_{name}.h5", "w", libver=libver) as file:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["keras_version"] = "2.15.0"
            group = file.create_group("model_weights/d")
            group.attrs["weight_names0"] = np.array([b"d/kernel:0"])
            group.attrs["weight_names1"] = np.array([b"d/bias:0"])
            group.create_dataset("d/kernel:0", data=kernel, **how)
            group.create_dataset("d/bias:0", data=bias)
        np.savez_compressed(HERE / f"tiny_{name}.npz", in_d_input=x, out0=np.maximum(x @ kernel + bias, 0))
    for name in ("lzf", "newest_chunks"):
        (HERE / f"tiny_{name}.npz").unlink()


def main():
    parts = {
        "images": lambda: branches("images", (9, 8, 4), images),
        "bicubic": lambda: branches("bicubic", (9, 8, 2), bicubic),
        "preprocessing": lambda: branches("preprocessing", (7, 6, 3), preprocessing, dtype="uint8",
                                          feed=random.integers(0, 255, (2, 7, 6, 3)).astype(np.uint8)),
        "sequences": lambda: branches("sequences", (6, 4), sequences),
        "frames": lambda: branches("frames", (3, 5, 4, 2), frames),
        "cells": cells,
        "categories": categories,
        "augmentations": lambda: branches("augmentations", (8, 6, 3), augmentations, dtype="uint8", feed=random.integers(0, 255, (2, 8, 6, 3)).astype(np.uint8)),
        "volumes": lambda: branches("volumes", (4, 5, 6, 2), volumes),
        "activations": lambda: branches("activations", (5,), activations),
        "pictures": pictures,
        "recurrent": lambda: branches("recurrent", (5, 4), recurrent, (".h5", ".keras") if VERSION == 2 else (".keras",)),
        "attention": attention,
        "einsum": lambda: branches("einsum", (6, 4), einsum, (".keras",)),
        "masks": masks,
        "merging": merging,
        "graph": graph,
        "sequential": sequential,
        "embedding": embedding,
        "channels_first": channels_first,
        "refused": refused,
    }
    parts |= {"tiny": tiny} if VERSION == 3 else {"cudnn": cudnn}
    for part in sys.argv[2:] or parts:
        parts[part]()


if __name__ == "__main__":
    main()
