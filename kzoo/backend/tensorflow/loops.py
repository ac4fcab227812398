"""The loop over time on TensorFlow: eagerly in Python, in a graph one loop forward and one backward of its own."""

import keras
import tensorflow as tf

from kzoo.backend import loops


def scan(step, carry, inputs=None, *, length=None, reverse=False, mask=None, checkpoint=None):
    """See `kzoo.backend.scan`."""
    carry, inputs, mask, length = loops.prepare(carry, inputs, length, mask, checkpoint)
    if mask is not None:
        inputs = loops.fill(inputs, mask)
    if not tf.executing_eagerly():
        return _scan_in_graph(step, carry, inputs, mask, length, reverse, checkpoint)
    if checkpoint is not None:
        # What is to be recomputed is known as a graph only.
        given = (carry, inputs, mask)
        unpacked = {}

        def run(*tensors):
            found = _scan_in_graph(step, *loops.pack(given, tensors), length, reverse, checkpoint)
            unpacked["like"] = found
            return loops.leaves(found)

        tensors = loops.leaves(given)
        concrete = tf.function(run, autograph=False).get_concrete_function(*tensors)
        return loops.pack(unpacked["like"], concrete(*tensors))
    body, state = loops.checked(step, every=False), carry
    if mask is not None:
        body, state, inputs = loops.hold(body, tf.where), (carry, None), (inputs, mask)
    xs = loops.slices(inputs, length, tf.unstack)
    if reverse:
        xs.reverse()
    state, ys = loops.walk(body, state, xs)
    if reverse:
        ys.reverse()
    return loops.check_carry(state[0] if mask is not None else state, carry), loops.stacked(ys, tf.stack)


def _scan_in_graph(step, carry, inputs, mask, length, reverse, checkpoint):
    """The scan as one `while` forward and one backward, which runs each step again to differentiate it.

    TensorFlow's own gradient of a loop adds up a list of t tensors at each of t steps, and under XLA fails or
    takes quadratic time. This one adds the gradient of what the step closes over, and writes that of x.
    """
    body = loops.checked(step)
    with _Reading() as reading:
        plain = _Traced(body, carry, inputs)
    if mask is not None:
        y = plain.unpack(plain.call([*loops.leaves(carry), *[leaf[0] for leaf in loops.leaves(inputs)]]))[1]
        last = keras.tree.map_structure(lambda leaf: None if leaf is None else tf.zeros_like(leaf), y)
        body, carry, inputs = loops.hold(body, tf.where), (carry, last), (inputs, mask)
    # The second trace takes the weights as tensors, read once and outside of the loop: a gradient may then go to
    # any of them, trainable or not.
    with keras.StatelessScope(reading.values(), initialize_variables=False):
        traced = _Traced(body, carry, inputs)
    xs = loops.leaves(inputs)
    steps = tf.shape(xs[0])[0] if length is None else length
    outputs = _differentiable_loop(traced, loops.leaves(carry), xs, steps, reverse, checkpoint or 1)
    carry, ys = traced.unpack(outputs)
    return (carry[0] if mask is not None else carry), ys


class _Reading(keras.StatelessScope):
    """Remembers which Keras variables are read, and refuses that one is written."""

    def __init__(self):
        super().__init__(initialize_variables=False)
        self.read = {}

    def get_current_value(self, variable):
        self.read[id(variable)] = variable
        return None if self.original_scope is None else self.original_scope.get_current_value(variable)

    def add_update(self, update):
        raise ValueError(
            f"The step of scan assigned the variable {update[0].path}; it may run more than once for one step of time, "
            "and so has no side effects. Carry what changes from step to step, and return it."
        )

    def values(self):
        """(variable, its value as a tensor of the present graph) of every variable that was read."""
        for variable in self.read.values():
            value = self.get_current_value(variable)
            # Not variable.value, which a scope of mixed precision has rounded.
            yield variable, tf.convert_to_tensor(variable._value if value is None else value)


class _Traced:
    """A step as a graph of its own: a function of flat lists, the nests of its results, and what it closes over."""

    def __init__(self, body, carry, inputs):
        self.carry, self.y = carry, None

        def flat(*tensors):
            count = len(loops.leaves(carry))
            new, self.y = body(loops.pack(carry, tensors[:count]), loops.pack(inputs, tensors[count:]))
            # A loop's state keeps its static shape; where the step knows less, this is checked at run time.
            new = [tf.ensure_shape(a, b.shape) for a, b in zip(loops.leaves(new), loops.leaves(carry), strict=True)]
            return [*new, *loops.leaves(self.y)]

        specs = [tf.TensorSpec(leaf.shape, leaf.dtype) for leaf in loops.leaves(carry)]
        specs += [tf.TensorSpec(leaf.shape[1:], leaf.dtype) for leaf in loops.leaves(inputs)]
        self.function = tf.function(flat, autograph=False).get_concrete_function(*specs)
        outputs = [tf.TensorSpec(output.shape, output.dtype) for output in self.function.structured_outputs]
        self.shapes = [(spec.dtype, spec.shape) for spec in outputs]
        self.captured = [tensor for tensor in self.function.captured_inputs if _is_float(tensor)]
        self.variables = [variable for variable in self.function.variables if variable.trainable]

        def pull(*tensors):
            given, cotangents = tensors[: len(specs)], tensors[len(specs) :]
            sources = [*_floats(given), *self.captured, *self.variables]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(sources)
                targets = _floats(flat(*given))
            gradients = tape.gradient(
                targets, sources, output_gradients=cotangents, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return [tf.convert_to_tensor(gradient) for gradient in gradients]

        # Traced here and not where a gradient is asked for, which is outside of the caller's scopes, such as that of
        # mixed precision. And a function of its own: TensorFlow's gradient of `function` hands the axis of a split on
        # as a tensor, whereupon XLA takes all weights for constants and compiles anew at each step of training.
        self.pull = tf.function(pull, autograph=False).get_concrete_function(*specs, *_floats(outputs))

    def call(self, tensors):
        return self.function(*tensors)

    def unpack(self, tensors):
        count = len(loops.leaves(self.carry))
        return loops.pack(self.carry, tensors[:count]), loops.pack(self.y, tensors[count:])


def _is_float(tensor):
    return tensor.dtype.is_floating or tensor.dtype.is_complex


def _floats(tensors, like=None):
    """Those that have a gradient, or those whose counterpart in `like` has one."""
    return [tensor for tensor, kind in zip(tensors, like or tensors, strict=True) if _is_float(kind)]


def _differentiable_loop(traced, carry, xs, steps, reverse, chunk):
    """The last carry and the stacked outputs as one flat list; `steps` is an int or a scalar tensor."""
    n_carry, n_x = len(carry), len(xs)

    def time(i):
        return steps - 1 - i if reverse else i

    def at(tensors, t):
        return [tf.gather(tensor, t) for tensor in tensors]

    def arrays(kinds, size):
        return [tf.TensorArray(dtype, size, element_shape=shape) for dtype, shape in kinds]

    def write(targets, index, tensors):
        return [target.write(index, tensor) for target, tensor in zip(targets, tensors, strict=True)]

    def loop(count, body, state):
        # Without a gradient of its own: it is the loops below that make one.
        return tf.while_loop(lambda i, *_: i < count, lambda i, *state: [i + 1, *body(i, *state)], [0, *state])[1:]

    def forward(*given):
        carry, xs = list(given[:n_carry]), list(given[n_carry : n_carry + n_x])

        def advance(i, carry, starts, ys):
            # Slot k is overwritten until step k * chunk, and keeps the carry that this chunk starts from.
            starts = write(starts, (i + chunk - 1) // chunk, carry)
            outputs = traced.call([*carry, *at(xs, time(i))])
            return outputs[:n_carry], starts, write(ys, time(i), outputs[n_carry:])

        starts = arrays(traced.shapes[:n_carry], (steps + chunk - 2) // chunk + 1)
        state, starts, ys = loop(steps, advance, [carry, starts, arrays(traced.shapes[n_carry:], steps)])
        outputs = [*state, *(y.stack() for y in ys)]
        starts = [start.stack() for start in starts]

        def backward(*cotangents, variables=()):
            cotangents = [
                tf.zeros_like(output) if cotangent is None else cotangent
                for output, cotangent in zip(outputs, cotangents, strict=True)
            ]
            d_ys = _floats(cotangents[n_carry:], outputs[n_carry:])
            weights = [*traced.captured, *traced.variables]

            def retreat(i, carry, d_carry, d_xs, d_weights):
                gradients = traced.pull(*carry, *at(xs, time(i)), *d_carry, *at(d_ys, time(i)))
                own, passed = len(d_carry), len(d_carry) + len(d_xs)
                return (
                    gradients[:own],
                    write(d_xs, time(i), gradients[own:passed]),
                    [total + part for total, part in zip(d_weights, gradients[passed:], strict=True)],
                )

            def retreat_chunk(back, d_carry, d_xs, d_weights):
                k = chunks - 1 - back
                first = k * chunk
                carry = at(starts, k)
                if chunk == 1:
                    return retreat(first, carry, d_carry, d_xs, d_weights)
                count = tf.minimum(chunk, steps - first)

                def again(j, carry, kept):
                    outputs = traced.call([*carry, *at(xs, time(first + j))])
                    return outputs[:n_carry], write(kept, j, carry)

                _, kept = loop(count, again, [carry, arrays(traced.shapes[:n_carry], chunk)])
                kept = [each.stack() for each in kept]

                def retreat_within(back, *state):
                    j = count - 1 - back
                    return retreat(first + j, at(kept, j), *state)

                return loop(count, retreat_within, [d_carry, d_xs, d_weights])

            chunks = (steps + chunk - 1) // chunk
            kinds = [(x.dtype, x.shape[1:]) for x in _floats(xs)]
            state = [_floats(cotangents[:n_carry], carry), arrays(kinds, steps), [tf.zeros_like(w) for w in weights]]
            d_carry, d_xs, d_weights = loop(chunks, retreat_chunk, state)
            found = iter([*d_carry, *(d_x.stack() for d_x in d_xs)])
            d_given = [next(found) if _is_float(tensor) else None for tensor in [*carry, *xs]]
            n_captured = len(traced.captured)
            d_given += d_weights[:n_captured]
            own = {variable.ref(): d for variable, d in zip(traced.variables, d_weights[n_captured:], strict=True)}
            return (d_given, [own.get(variable.ref()) for variable in variables]) if variables else d_given

        return outputs, backward

    # The captured tensors go in as arguments for the sake of their gradients.
    return tf.custom_gradient(forward)(*[tf.identity(tensor) for tensor in [*carry, *xs, *traced.captured]])
