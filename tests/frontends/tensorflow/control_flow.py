"""Families of generate.py: branches, loops, what they collect in lists, and layers that are made of them."""
import numpy as np

from recording import case, f32, i32, kernel, positive, raw, reals, tf, v1

def with_control_flow(version, build):
    """Builds with the nodes of control flow of TensorFlow 1 (Switch, Enter, ...) or those of TensorFlow 2 (If, While)."""
    def switched(*xs):
        (v1.enable_control_flow_v2 if version == 2 else v1.disable_control_flow_v2)()
        try:
            return build(*xs)
        finally:
            v1.enable_control_flow_v2()
    return switched


def in_both(name, build, inputs, **more):
    for version in (1, 2):
        case(f"{name}_v{version}", with_control_flow(version, build), inputs, **more)


def control_flow():
    def chosen(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: [x * 2, x + f32([1, 2])], lambda: [tf.nn.relu(x), tf.zeros_like(x)])
    in_both("cond_taken", chosen, lambda: [positive(3, 2)])
    in_both("cond_not_taken", chosen, lambda: [-positive(3, 2)])

    def nested(x):
        def inner():
            return tf.cond(x[0, 0] > 1, lambda: x - 1, lambda: tf.exp(x * 0.25))
        return tf.cond(tf.reduce_sum(x) > 0, inner, lambda: -x)
    in_both("cond_nested", nested, lambda: [positive(3, 2) + 1])
    in_both("cond_nested_other", nested, lambda: [positive(3, 2) * f32([0.1])])

    def doubled(x, limit):
        return tf.while_loop(lambda i, y: tf.reduce_sum(y) < limit, lambda i, y: (i + 1, tf.matmul(y, kernel(2, 2) * f32(0.25)) + y + positive_once), (0, x))
    positive_once = f32([[0.5, 1.0]])
    in_both("while", doubled, lambda: [positive(3, 2), f32(60)])
    in_both("while_never", doubled, lambda: [positive(3, 2), f32(-1)])
    in_both("while_of_open_size", doubled, lambda: [positive(3, 2), f32(60)], open_axes=1)

    def within(x):
        def body(i, y):
            y = tf.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, z * 1.5 - x), (0, y))[1]
            return i + 1, tf.cond(y[0] > 8, lambda: y * 0.25, lambda: y + tf.cast(i, tf.float32))
        return tf.while_loop(lambda i, y: i < 4, body, (1, x))[1]
    in_both("while_within", within, lambda: [positive(3)])

    def collected(x):
        def body(i, y, kept):
            y = tf.tanh(y + x[i])
            return i + 1, y, kept.write(i, y * tf.cast(i + 1, tf.float32))
        kept = tf.TensorArray(tf.float32, tf.shape(x)[0], element_shape=[None])
        _, y, kept = tf.while_loop(lambda i, y, kept: i < tf.shape(x)[0], body, (0, tf.zeros_like(x[0]), kept))
        return [y, kept.stack()]
    in_both("while_collected", collected, lambda: [reals(4, 3)])

    def through_array(x):
        rows = tf.TensorArray(tf.float32, 4, element_shape=[3], clear_after_read=False).unstack(x)
        total = tf.while_loop(lambda i, total: i < rows.size(), lambda i, total: (i + 1, total + rows.read(i) * tf.cast(i, tf.float32)), (0, tf.zeros([3])))[1]
        return [total, rows.gather([2, 0])]
    in_both("array_read", through_array, lambda: [reals(4, 3)])

    def sized(x):
        rows = tf.TensorArray(tf.float32, 4, element_shape=[3]).unstack(x)
        return raw.TensorArraySizeV3(handle=rows.handle, flow_in=rows.flow) * 2
    case("array_size", with_control_flow(1, sized), lambda: [reals(4, 3)])

    def stateful(x):
        branches = [tf.function(f).get_concrete_function(tf.TensorSpec([2, 3], tf.float32)) for f in (lambda a: a * 2, lambda a: a - 1)]
        return raw.If(cond=x[0, 0] > 0, input=[x], Tout=[tf.float32], then_branch=branches[0], else_branch=branches[1])
    case("cond_stateful", stateful, lambda: [reals(2, 3)])

    def selected(x, index):
        return tf.switch_case(index, [lambda: [x * 2, x[0]], lambda: [tf.nn.relu(x), x[1]], lambda: [x - 1, x[0] + x[1]]])
    for index in (0, 1, 2, -1, 7):  # what is none of them is the last
        in_both(f"case_{index}".replace("-", "minus_"), selected, lambda index=index: [reals(2, 3), i32(index)])

    def known(x):
        branches = [tf.function(f).get_concrete_function(tf.TensorSpec([2, 3], tf.float32)) for f in (lambda a: a * 2, lambda a: a - 1)]
        return [op(branch_index=1, input=[x], Tout=[tf.float32], branches=branches, output_shapes=[[2, 3]]) for op in (raw.Case, raw.StatelessCase)]
    case("case_known", known, lambda: [reals(2, 3)])

    def pushed(x):
        items = raw.EmptyTensorList(element_shape=[3], max_num_elements=-1, element_dtype=tf.float32)
        for row in (x[0], x[1] * 2):
            items = raw.TensorListPushBack(input_handle=items, tensor=row)
        count = raw.TensorListLength(input_handle=items)
        return [raw.TensorListStack(input_handle=items, element_shape=[3], element_dtype=tf.float32), count,
                raw.TensorListGather(input_handle=items, indices=[1], element_shape=[3], element_dtype=tf.float32)]
    case("list_pushed", pushed, lambda: [reals(2, 3)])


def lists():
    """TensorArrays of tf.function become lists, those of TensorFlow 1 arrays; the operators of lists besides."""
    def array(count, **more):
        return tf.TensorArray(tf.float32, count, clear_after_read=False, **more)

    in_both("list_written", lambda x: array(3).write(0, x[0]).write(2, x[1] * 2).write(1, x[3]).stack(), lambda: [reals(4, 3)])
    in_both("list_written_somewhere", lambda x, i: [array(4).write(i, x[0]).stack(), array(0, dynamic_size=True).write(i, x[1]).stack()], lambda: [reals(4, 3), i32(2)])
    in_both("list_grown", lambda x: array(1, dynamic_size=True).write(0, x[0]).write(3, x[1]).stack(), lambda: [reals(4, 3)])
    in_both("list_scattered", lambda x: array(6, element_shape=[3]).scatter([2, 0, 5, 1], x).stack(), lambda: [reals(4, 3)])
    in_both("list_concatenated", lambda x: [array(2).write(1, x[:2]).write(0, x[2:]).concat(), array(2, infer_shape=False).split(x, [2, 2]).concat()], lambda: [reals(4, 3)])
    in_both("list_unstacked", lambda x: [array(4).unstack(x).stack(), array(4).unstack(x).read(2)], lambda: [reals(4, 3)], open_axes=1)

    def appended(x, n):
        step = lambda i, kept: (i + 1, kept.write(i, tf.nn.relu(x[i]) * 2))
        return [tf.while_loop(lambda i, kept: i < limit, step, (0, array(0, dynamic_size=True)))[1].stack() for limit in (4, n)]
    in_both("while_appended", appended, lambda: [reals(4, 3), i32(3)])
    in_both("while_appended_rows", lambda x: tf.while_loop(lambda i, kept: i < 2, lambda i, kept: (i + 1, kept.write(i, x[i] * 2)), (0, array(0, dynamic_size=True)))[1].concat(),
            lambda: [reals(2, 3, 2)])

    def kept_if(x):
        def body(i, n, kept):
            wanted = x[i, 0] > 0
            return i + 1, n + tf.cast(wanted, tf.int32), tf.cond(wanted, lambda: kept.write(n, x[i]), lambda: kept)
        return tf.while_loop(lambda i, n, kept: i < 6, body, (0, 0, array(0, dynamic_size=True)))[2].stack()
    in_both("while_kept_if", kept_if, lambda: [reals(6, 3)])

    def within(x):
        def body(i, kept):
            return i + 1, tf.while_loop(lambda j, inner: j < 2, lambda j, inner: (j + 1, inner.write(2 * i + j, x[i] - x[j])), (0, kept))[1]
        return tf.while_loop(lambda i, kept: i < 3, body, (0, array(0, dynamic_size=True)))[1].stack()
    in_both("while_within_grown", within, lambda: [reals(3, 2)])
    in_both("while_of_unknown_width", lambda x, n: tf.while_loop(lambda i, kept: i < 3, lambda i, kept: (i + 1, kept.write(i, x[i, :n])), (0, array(3)))[1].stack(),
            lambda: [reals(3, 4), i32(2)])
    in_both("cond_filled", lambda x: (lambda kept: tf.cond(x[0, 0] > 0, lambda: kept.write(1, x[1]), lambda: kept).write(0, x[3]).stack())(array(2)), lambda: [-positive(4, 3)])

    def stack(items, shape=(3,)):
        return raw.TensorListStack(input_handle=items, element_shape=list(shape), element_dtype=tf.float32)

    in_both("cond_of_nothing", lambda x: tf.cond(x[0, 0] > 0, lambda: x[:, :0], lambda: x), lambda: [positive(2, 3)])

    def popped(x):
        items = raw.TensorListFromTensor(tensor=x, element_shape=[3])
        shorter, last = raw.TensorListPopBack(input_handle=items, element_shape=[3], element_dtype=tf.float32)
        return [last, stack(raw.TensorListResize(input_handle=shorter, size=5)), stack(raw.TensorListResize(input_handle=shorter, size=2))]
    case("list_popped", popped, lambda: [reals(4, 3)])

    def joined(x):
        rows = raw.TensorListSplit(tensor=x, element_shape=[-1, 3], lengths=np.int64([2, 2]))
        more = raw.TensorListConcatLists(input_a=rows, input_b=raw.TensorListFromTensor(tensor=x[None, :2] * 2, element_shape=[-1, 3]), element_dtype=tf.float32)
        return [stack(more, (2, 3)), *raw.TensorListConcatV2(input_handle=more, element_shape=[-1, 3], leading_dims=np.int64([]), element_dtype=tf.float32),
                raw.TensorListConcat(input_handle=more, element_dtype=tf.float32, element_shape=[2, 3]).tensor]
    case("list_joined", joined, lambda: [reals(4, 3)])

    def scattered(x, places):
        into = raw.TensorListScatterIntoExistingList(input_handle=raw.TensorListFromTensor(tensor=x, element_shape=[3]), tensor=x[:2] * 2, indices=[3, 1])
        return [stack(raw.TensorListScatter(tensor=x, indices=places, element_shape=[3])), stack(raw.TensorListScatterV2(tensor=x, indices=places, element_shape=[3], num_elements=7)), stack(into)]
    case("list_of_scattered", scattered, lambda: [reals(4, 3), i32([2, 0, 3, 1])])

    def unset(x):
        nothing = raw.TensorListReserve(element_shape=-1, num_elements=3, element_dtype=tf.float32)
        return [stack(nothing) + x[0], raw.TensorListGetItem(input_handle=nothing, index=1, element_shape=[3], element_dtype=tf.float32) + x[0]]
    case("list_unset", unset, lambda: [reals(4, 3)])


def recurrent():
    """Layers of Keras as they are frozen: with While nodes, and lowered to the frames of TensorFlow 1."""
    import keras
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    layers = {"lstm": lambda: keras.layers.LSTM(3, return_sequences=True), "lstm_last": lambda: keras.layers.LSTM(3, unit_forget_bias=False, bias_initializer="random_normal"),
              "lstm_states": lambda: keras.layers.LSTM(3, return_state=True, go_backwards=True), "gru": lambda: keras.layers.GRU(3, return_sequences=True, bias_initializer="random_normal"),
              "gru_last": lambda: keras.layers.GRU(3), "rnn": lambda: keras.layers.SimpleRNN(3, return_sequences=True, activation="relu"),
              "bidirectional": lambda: keras.layers.Bidirectional(keras.layers.GRU(2, return_sequences=True)),
              "gru_before": lambda: keras.layers.GRU(3, reset_after=False)}
    for seed, (name, make) in enumerate(layers.items()):
        keras.utils.set_random_seed(seed)
        layer = make()
        layer.build((2, 5, 4))
        forms = ((2, False), (None, False), (2, True)) if name in ("lstm", "gru") else ((2, False), (None, False)) if name == "lstm_last" else ((2, False),)
        for batch, lowered in forms:
            function = tf.function(lambda x: layer(x)).get_concrete_function(tf.TensorSpec([batch, 5, 4], tf.float32, "x"))
            frozen = convert_variables_to_constants_v2(function, lower_control_flow=lowered)
            outputs = [o.name for o in frozen.outputs]
            definition = frozen.graph.as_graph_def()
            suffix = "_lowered" if lowered else "_open" if batch is None else ""
            case(f"keras_{name}{suffix}", lambda x: tf.graph_util.import_graph_def(definition, {"x": x}, outputs, name=""),
                 lambda: [reals(2, 5, 4)], open_axes=int(batch is None))
